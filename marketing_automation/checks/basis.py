"""Basis: by what right a customer is written to. Messages in, each with its basis and the document that shows it out.

*Service*: the campaign offers nothing. *Existing customer*: the law of the customer's country allows it, the settings
declare that the addresses were got lawfully, and there is a sale that is neither returned nor too old: what the message is about
is one itself, by the day on which it was sold, or else one of an item in the group of what is offered. *Opt-in*: the customer has agreed to the campaign's topic.
Whoever has none of them gets nothing.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date

import frappe
from frappe import _
from frappe.utils import cint
from pypika.terms import ValueWrapper

from marketing_automation.engine import consent, long_lists, profiles, settings
from marketing_automation.engine.gate import Answer, Asked, At, Check, Send, Skip
from marketing_automation.engine.model import Basis, Reason
from marketing_automation.engine.names import ByName, folded, same
from marketing_automation.engine.profiles import Profile
from marketing_automation.engine.schedule import shifted
from marketing_automation.engine.source import source_for
from marketing_automation.sources import sales
from marketing_automation.sources.sales import Line


class Basics(Check):
	"""Works out the basis of each message."""

	order = 300

	@property
	def label(self) -> str:
		"""What the gate calls it."""
		return _("Basis", context="Lifecycle Check")

	def judge(self, asked: list[Asked], at: At) -> dict[int, Answer]:
		"""Return {index: Send with the basis, or Skip} of every message.

		Queries: none for service messages; else 1 of the settings, those of `profiles.profiles` and of the sources' `sold_on`, at
		most 3 for other sales where none of these is new enough, and those of `consent.opted_in` where there is none.
		"""
		found: dict[int, Answer] = {
			index: Send(Basis.SERVICE) for index, one in enumerate(asked) if not profiles.offers(one.campaign)
		}
		offers = [index for index in range(len(asked)) if index not in found]
		if not offers:
			return found
		stored = settings.values("addresses_lawful", "basis_needed")
		if cint(stored["addresses_lawful"]):
			found |= self._existing(asked, offers, at.night)
		others = [index for index in offers if index not in found]
		agreed = self._agreed([asked[index] for index in others])
		needed = cint(stored["basis_needed"])
		for place, index in enumerate(others):
			if place in agreed:
				found[index] = Send(Basis.OPT_IN, agreed[place])
			elif needed:
				found[index] = Skip(Reason.NO_BASIS)
		return found

	def _existing(self, asked: list[Asked], indexes: list[int], night: date) -> dict[int, Send]:
		"""Return {index: Send} of those among `indexes` who are customers in the sense of their country's law."""
		of_country = profiles.profiles(
			(asked[index].recipient.customer, asked[index].event.company) for index in indexes
		)
		found, looked_for, sources, days = {}, {}, {}, {}
		by_itself = defaultdict(list)
		for index, profile in zip(indexes, of_country, strict=True):
			one = asked[index]
			event = one.event
			if profile.existing_customer == profiles.NO_SALE or not one.recipient.customer:
				continue
			key = event.rule.source
			if key not in sources:
				sources[key] = source_for(event.rule.trigger)
			if profile.sale_days not in days:
				days[profile.sale_days] = shifted(night, -profile.sale_days) or date.min
			since = days[profile.sale_days]
			looked_for[index] = profile, since
			if sources[key].is_sale(event) and event.occurrence >= since:
				by_itself[key].append(index)
		if not looked_for:
			return found
		for key, some in by_itself.items():
			events = [asked[index].event for index in some]
			for index, event, on in zip(some, events, sources[key].sold_on(events), strict=True):
				# Where nobody knows the day, the date that the message is about is not too old, either.
				if not on or on >= looked_for[index][1]:
					found[index] = Send(
						Basis.EXISTING_CUSTOMER, (event.reference_doctype, event.reference_name)
					)
		open_ones = {index: sought for index, sought in looked_for.items() if index not in found}
		if not open_ones:
			return found
		bought = _bought({asked[index].recipient.customer for index in open_ones}, open_ones.values())
		lines = {
			index: [
				line
				for line in bought.get(folded(asked[index].recipient.customer), ())
				if since <= line.on <= night
			]
			for index, (_profile, since) in open_ones.items()
		}
		others = [index for index in open_ones if lines[index]]
		if not others:
			return found
		groups = _Groups(asked[index] for index in others)
		for index in others:
			profile, _since = looked_for[index]
			offered = groups.offered(asked[index])
			for line in lines[index]:
				if profile.existing_customer == profiles.ANY_SALE or groups.has(offered, line.group):
					found[index] = Send(Basis.EXISTING_CUSTOMER, (line.doctype, line.sale))
					break
		return found

	def _agreed(self, asked: list[Asked]) -> dict[int, tuple[str, str]]:
		"""Return {index: proof} of those who have agreed to the topic of their campaign."""
		if not asked:
			return {}
		return consent.opted_in(
			[one.recipient for one in asked], [one.campaign.get("topic") or None for one in asked]
		)


def _bought(customers: set[str], looked_for: Iterable[tuple[Profile, date]]) -> dict[str, list[Line]]:
	"""Return {folded customer: lines of their sales, the latest first}. At most 2 queries."""
	found = defaultdict(list)
	for line in sales.lines(customers, min(since for _profile, since in looked_for)):
		found[folded(line.customer)].append(line)
	for lines in found.values():
		lines.sort(key=lambda line: (line.on, line.sale), reverse=True)
	return found


class _Groups:
	"""The item groups of what is offered, and where each group stands in their tree. 1 query."""

	def __init__(self, asked: Iterable[Asked]):
		items = {one.event.item_code for one in asked if one.event.item_code}
		group, item = frappe.qb.DocType("Item Group"), frappe.qb.DocType("Item")
		query = frappe.qb.from_(group).select(
			ValueWrapper(0), group.name, group.lft, group.rgt, ValueWrapper("")
		)
		if items:
			query = query * frappe.qb.from_(item).select(
				ValueWrapper(1), item.name, ValueWrapper(0), ValueWrapper(0), item.item_group
			).where(long_lists.among(item.name, "items"))
		self.of_items: ByName[str | None] = ByName()
		self.bounds: ByName[tuple[int, int]] = ByName()
		for is_item, name, lft, rgt, of_item in long_lists.run(query, **({"items": items} if items else {})):
			if is_item:
				self.of_items[name] = of_item
			else:
				self.bounds[name] = lft, rgt

	def offered(self, one: Asked) -> str | None:
		"""Return the group of what a message offers: that of the item it is about, else that of its trigger or campaign."""
		return self.of_items.get(one.event.item_code) or one.event.rule.trigger.get("item_group") or None

	def has(self, group: str | None, bought: str | None) -> bool:
		"""Say whether what was bought is of a group or of one below it. Nothing is where no group is offered."""
		if not group or not bought:
			return False
		outer, inner = self.bounds.get(group), self.bounds.get(bought)
		if not outer or not inner:
			return same(group, bought)
		return outer[0] <= inner[0] and inner[1] <= outer[1]


CHECK = Basics()
