"""Renewed, for serial numbers: which of a customer's pins have a later purchase for each of them. Only reads.

A purchase is a serial number of the same item, or of a variant of the same template (of the same item group where the
campaign says so), that the customer still has, with a later date, and whose sale to them was posted after the pin's own
and not longer before the pin's date than the renewal window. Pins and purchases are paired one to one (pairing.py), so
all open pins of a customer take part, not only those that are asked about: one purchase must not silence two.

Any company's sale counts: whoever has bought the next pin has it. So does one with a date to come, unless the night is
past: a preview of it knows what was known then.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta

import frappe
from frappe.utils import getdate
from pypika import Criterion

from marketing_automation import erpnext_schema
from marketing_automation.engine import long_lists
from marketing_automation.engine.goals import Asked
from marketing_automation.engine.model import Reached
from marketing_automation.engine.names import ByName, folded, same
from marketing_automation.goals.pairing import WINDOW_BEYOND, Held, Purchase, default_window, paired
from marketing_automation.sources import ownership

OWNER = "customer"


def renewed(asked: list[Asked], night: date) -> dict[int, Reached]:
	"""Return {index: the sale that renews it} of the serial numbers that are renewed.

	Queries: at most 6 where nobody has bought one lately; else at most 10, and those of `ownership.last_sales`.
	"""
	items = _Items(asked)
	known_until = night if night < getdate() else None
	first = min(_earliest(one) for one in asked)
	customers = {one.customer for one in asked}
	fields = sorted({one.rule.trigger.date_field for one in asked})
	bought = _Bought(ownership.sold(customers, items.codes, first), fields, known_until)
	hopeful = [index for index, one in enumerate(asked) if _may_be_renewed(one, bought, items)]
	if not hopeful:
		return {}
	# Now all that these customers have: what else is open may have the better claim.
	customers = {asked[index].customer for index in hopeful}
	longest = max(_most_window(one) for one in asked)
	late = max(one.rule.days_of_campaign[1] for one in asked)
	opened, closed = _moved(first, -max(late, 0)), _moved(max(bought.days), longest + 1)

	def may_be_open(serial) -> Criterion:
		return Criterion.any((serial[field] >= opened) & (serial[field] < closed) for field in fields)

	having = _Bought(ownership.sold(customers, items.codes, first, may_be_open), fields, known_until)
	own = {asked[index].event.reference_name: asked[index].event.item_code for index in hopeful}
	sales = ByName(
		ownership.last_sales({**own, **{row.name: row.item_code for row in having.rows.values()}}).items()
	)
	found = {}
	for indexes in _by_pairing(hopeful, asked):
		found |= _paired([(index, asked[index]) for index in indexes], having, sales, items, known_until)
	return found


def _by_pairing(indexes: list[int], asked: list[Asked]) -> Iterable[list[int]]:
	"""Yield the indexes that are paired together: those of a campaign, a date field and a customer."""
	groups = defaultdict(list)
	for index in indexes:
		one = asked[index]
		groups[one.rule.campaign.name, one.rule.trigger.date_field, folded(one.customer)].append(index)
	return groups.values()


def _paired(
	together: list[tuple[int, Asked]],
	having: "_Bought",
	sales: ByName,
	items: "_Items",
	known_until: date | None,
) -> dict[int, Reached]:
	"""Return {index: the sale} of the pins of one customer, campaign and date field that are renewed. No query."""
	_index, first = together[0]
	rule, customer = first.rule, first.customer
	date_field, in_group = rule.trigger.date_field, bool(rule.campaign.get("renews_in_group"))
	longest_before, last = rule.longest_before, max(rule.days_of_campaign[1], 0)
	asked = {folded(one.event.reference_name) for _index, one in together}

	def held(name: str, item: str | None, until: date, latest: date | None) -> Held:
		sale = sales.get(name)
		since = sale.posting_date if sale and same(sale.customer, customer) else None
		window = rule.campaign.get("renewal_window") or default_window(longest_before, since, until)
		# Names as the database takes them: a pin does not renew itself under another spelling.
		return Held(folded(name), since, until, window, latest, items.kind(item))

	pins, purchases = {}, []
	for _index, one in together:
		name = one.event.reference_name
		# One that is asked about again, by another trigger, is the same pin.
		pins[folded(name), one.event.occurrence] = held(name, one.event.item_code, one.event.occurrence, None)
	for name in having.names_of(customer):
		row, sale = having.rows[name], sales.get(name)
		if not sale or not same(sale.customer, customer) or not _still_theirs(row, sale, customer):
			continue
		until = row[date_field] and getdate(row[date_field])
		if not until:
			continue
		if not known_until or sale.posting_date <= known_until:
			purchases.append(
				Purchase(folded(row.name), sale.posting_date, until, sale, items.kind(row.item_code))
			)
		if folded(row.name) not in asked:
			pins[folded(row.name), until] = held(row.name, row.item_code, until, _moved(until, last))
	found = {}
	for of_kind_pins, of_kind_purchases in _apart(pins.values(), purchases, in_group):
		found |= paired(of_kind_pins, of_kind_purchases, items.same if in_group else None)
	return {
		index: Reached(purchase.document.doctype, purchase.document.name, purchase.on)
		for index, one in together
		if (purchase := found.get(folded(one.event.reference_name)))
	}


def _apart(pins: Iterable[Held], purchases: list[Purchase], in_group: bool) -> Iterable[tuple[list, list]]:
	"""Yield pins and purchases that can belong together: by template, or all where the item group counts too."""
	pins = list(pins)
	if in_group:
		return [(pins, purchases)]
	groups = defaultdict(lambda: ([], []))
	for pin in pins:
		groups[pin.kind[0]][0].append(pin)
	for purchase in purchases:
		groups[purchase.kind[0]][1].append(purchase)
	return groups.values()


def _may_be_renewed(one: Asked, bought: "_Bought", items: "_Items") -> bool:
	"""Say whether a customer has bought anything lately that could renew this; the sales decide it then. Says it as fast
	of a customer who has bought thousands."""
	template, group = items.kind(one.event.item_code)
	kinds = [("template", template)]
	if one.rule.campaign.get("renews_in_group"):
		kinds.append(("group", group))
	latest = bought.latest(one.rule.trigger.date_field, items)
	for kind in kinds:
		until, day = latest.get((folded(one.customer), *kind), (date.min, date.min))
		if until > one.event.occurrence and day >= _earliest(one):
			return True
	return False


def _most_window(one: Asked) -> int:
	"""Return the most days before its date that a purchase can count for this pin, whatever its own sale was."""
	return one.rule.campaign.get("renewal_window") or one.rule.longest_before + WINDOW_BEYOND


def _earliest(one: Asked) -> date:
	return _moved(one.event.occurrence, -_most_window(one))


def _moved(day: date, days: int) -> date:
	try:
		return day + timedelta(days=days)
	except OverflowError:
		return date.min if days < 0 else date.max


def _still_theirs(row: dict, sale: ownership.Sale, customer: str) -> bool:
	"""Say whether Serial No, where it surely knows its customer, names nobody else."""
	owner = row.get(OWNER)
	# What was sold at a till that is still open is noted there when it is closed.
	return (
		not owner
		or sale.doctype == erpnext_schema.TILL
		or not erpnext_schema.owner_is_kept()
		or same(owner, customer)
	)


class _Bought:
	"""What customers have bought: the serial numbers (name, item_code, dates and, where there is one, customer) by customer."""

	def __init__(self, sold: list[tuple[str, date, str]], date_fields: list[str], known_until: date | None):
		"""sold: from `ownership.sold`. 1 query, none of nothing."""
		sold = [sale for sale in sold if not known_until or sale[1] <= known_until]
		self.days = {day for _customer, day, _name in sold}
		self.rows = ByName((row.name, row) for row in _serials({name for *_sale, name in sold}, date_fields))
		last = defaultdict(dict)
		for customer, day, written in sold:
			if name := self.rows.written(written):
				of_customer = last[folded(customer)]
				of_customer[name] = max(day, of_customer.get(name, day))
		self._last, self._latest = dict(last), {}

	def latest(self, date_field: str, items: "_Items") -> dict[tuple[str, str, str], tuple[date, date]]:
		"""Return {(customer, "template" or "group", its name): (the latest date, the last day of a sale)}, names folded."""
		if date_field not in self._latest:
			found = self._latest[date_field] = {}
			for customer, of_customer in self._last.items():
				for name, day in of_customer.items():
					row = self.rows[name]
					if not row[date_field]:
						continue
					until = getdate(row[date_field])
					for kind in zip(("template", "group"), items.kind(row.item_code), strict=True):
						before = found.get((customer, *kind), (date.min, date.min))
						found[(customer, *kind)] = max(until, before[0]), max(day, before[1])
		return self._latest[date_field]

	def names_of(self, customer: str) -> Iterable[str]:
		"""Return the serial numbers that a customer has bought."""
		return self._last.get(folded(customer), ())


def _serials(names: set[str], date_fields: list[str]) -> list[dict]:
	"""Return the serial numbers of these names. 1 query."""
	if not names:
		return []
	serial = frappe.qb.DocType(erpnext_schema.SERIAL_NO)
	owner = [OWNER] if erpnext_schema.has_owner() else []
	query = (
		frappe.qb.from_(serial)
		.select(*[serial[field] for field in ("name", "item_code", *owner, *date_fields)])
		.where(long_lists.among(serial.name, "names"))
	)
	return long_lists.run(query, as_dict=True, names=names)


class _Items:
	"""The items of what is asked about, and all that can take their place."""

	def __init__(self, asked: list[Asked]):
		"""2 queries."""
		own = {one.event.item_code for one in asked if one.event.item_code}
		grouped = {
			one.event.item_code
			for one in asked
			if one.event.item_code and one.rule.campaign.get("renews_in_group")
		}
		item = frappe.qb.DocType("Item")
		# What no ERPNext lacks, as far as is known; without it each item is its own template.
		template = [item.variant_of] if erpnext_schema.has("Item", "variant_of") else []
		query = frappe.qb.from_(item).select(item.name, item.item_group, *template)
		rows = (
			long_lists.run(query.where(long_lists.among(item.name, "items")), as_dict=True, items=own)
			if own
			else []
		)
		self._rows = ByName((row.name, row) for row in rows)
		templates = {row.get("variant_of") for row in rows} - {None, ""}
		groups = {self._rows.get(code).item_group for code in grouped if self._rows.get(code)} - {None, ""}
		given, wanted = {}, []
		if templates:
			given["templates"] = templates
			wanted.append(long_lists.among(item.variant_of, "templates"))
		if groups:
			given["groups"] = groups
			wanted.append(long_lists.among(item.item_group, "groups"))
		if wanted:
			rows += long_lists.run(query.where(Criterion.any(wanted)), as_dict=True, **given)
			self._rows = ByName((row.name, row) for row in rows)
		self.codes = sorted({*own, *self._rows})

	def kind(self, code: str | None) -> tuple[str, str]:
		"""Return (template, item group) of an item, as they can be compared; one without a template is its own."""
		row = self._rows.get(code)
		if not row:
			return folded(code or ""), ""
		return folded(row.get("variant_of") or row.name), folded(row.item_group or "")

	@staticmethod
	def same_template(one: tuple[str, str], other: tuple[str, str]) -> bool:
		"""Say whether two items, as `kind` returns them, are one, or variants of one template."""
		return bool(one[0]) and one[0] == other[0]

	@staticmethod
	def same(one: tuple[str, str], other: tuple[str, str]) -> bool:
		"""Say whether two items are of one template, or of one item group."""
		return _Items.same_template(one, other) or (bool(one[1]) and one[1] == other[1])
