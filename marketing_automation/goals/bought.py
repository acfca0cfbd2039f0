"""Bought: the customer has bought something since the campaign first wrote to them about this. Only reads.

Any item, an item or a variant of it, or any of a group and the groups below. What a message is about is no purchase that
it has led to: neither the document itself, nor what was made from it, nor the sale by which a serial number, or something
of a batch, was got.
"""

from collections import defaultdict
from datetime import date

import frappe
from frappe import _
from frappe.utils import getdate

from marketing_automation import erpnext_schema
from marketing_automation.engine import long_lists, schedule
from marketing_automation.engine.goals import Asked
from marketing_automation.engine.model import Reached
from marketing_automation.engine.names import ByName, folded, same
from marketing_automation.sources import ownership, sales
from marketing_automation.sources.sales import Line

BATCH = "Batch"


class Bought:
	"""The goal of a campaign that is to lead to a sale, whatever it is about."""

	fields = ("goal_item", "goal_item_group")

	@property
	def label(self) -> str:
		"""What the form calls it."""
		return _("Bought", context="Lifecycle Goal")

	def fits(self, source: str) -> bool:
		"""Whoever is written to can buy."""
		return True

	def validate(self, campaign) -> None:
		"""Throw when the item or the group is not there any more, or both are given. At most 2 queries."""
		item, group = campaign.get("goal_item"), campaign.get("goal_item_group")
		if item and group:
			frappe.throw(
				_("Choose an item or an item group as what is to be bought, not both."),
				title=_("One Too Many"),
			)
		if item and not frappe.db.exists("Item", {"name": item}):
			frappe.throw(
				_("The item {0} does not exist any more. Choose another one as what is to be bought.").format(
					frappe.bold(frappe.utils.escape_html(item))
				),
				title=_("Item Missing"),
			)
		if group and not frappe.db.exists("Item Group", {"name": group}):
			frappe.throw(
				_(
					"The item group {0} does not exist any more. Choose another one as what is to be bought."
				).format(frappe.bold(frappe.utils.escape_html(group))),
				title=_("Item Group Missing"),
			)

	def reached(self, asked: list[Asked], night: date) -> dict[int, Reached]:
		"""Return {index: the first sale since the campaign's first day for this occurrence, of what is to be bought}.

		Queries: at most 3, and those of `_got_by`.
		"""
		first_days = [_first_day(one) for one in asked]
		lines = sales.lines({one.customer for one in asked}, min(first_days))
		if night < getdate():
			lines = [line for line in lines if line.on <= night]
		if not lines:
			return {}
		wanted, by_customer = _Wanted(asked), defaultdict(list)
		for line in sorted(lines, key=lambda line: (line.on, line.sale)):
			by_customer[folded(line.customer)].append(line)
		own = _got_by([one for one in asked if folded(one.customer) in by_customer])
		found = {}
		for index, one in enumerate(asked):
			reference = one.event.reference_doctype, folded(one.event.reference_name)
			about = {reference, *own.get(reference, ())}
			names = {name for _doctype, name in about}
			for line in by_customer.get(folded(one.customer), ()):
				if (
					line.on >= first_days[index]
					and (line.doctype, folded(line.sale)) not in about
					and not names & line.origins
					and wanted.has(one.rule.campaign, line)
				):
					found[index] = Reached(line.doctype, line.sale, line.on)
					break
		return found


def _got_by(asked: list[Asked]) -> dict[tuple[str, str], set[tuple[str, str]]]:
	"""Return {(DocType, folded name of a reference): the sales, (DocType, folded name), by which it was got}.

	Of a serial number the last one, of a batch all. Queries: those of `ownership.last_sales` where there are serial
	numbers, and 1 where there are batches.
	"""
	found = defaultdict(set)
	serials = {
		one.event.reference_name: one.event.item_code
		for one in asked
		if one.event.reference_doctype == erpnext_schema.SERIAL_NO
	}
	for name, sale in ownership.last_sales(serials).items():
		found[erpnext_schema.SERIAL_NO, folded(name)].add((sale.doctype, folded(sale.name)))
	batches = {one.event.reference_name for one in asked if one.event.reference_doctype == BATCH}
	if batches:
		bundle = frappe.qb.DocType(erpnext_schema.BUNDLE)
		entry = frappe.qb.DocType("Serial and Batch Entry")
		query = (
			frappe.qb.from_(entry)
			.join(bundle)
			.on(bundle.name == entry.parent)
			.select(entry.batch_no, bundle.voucher_type, bundle.voucher_no)
			.where(long_lists.among(entry.batch_no, "batches"))
			.where(bundle.voucher_type.isin(erpnext_schema.sales()))
		)
		for batch, doctype, name in long_lists.run(query, sparse=True, batches=batches):
			found[BATCH, folded(batch)].add((doctype, folded(name)))
	return found


def _first_day(one: Asked) -> date:
	"""Return the first night of the campaign's triggers for an occurrence."""
	return schedule.shifted(one.event.occurrence, one.rule.days_of_campaign[0]) or date.min


class _Wanted:
	"""What campaigns want to be bought."""

	def __init__(self, asked: list[Asked]):
		"""At most 1 query."""
		self.bounds = ByName()
		if any(one.rule.campaign.get("goal_item_group") for one in asked):
			rows = frappe.get_all("Item Group", fields=["name", "lft", "rgt"], order_by="name asc")
			self.bounds = ByName((row.name, (row.lft, row.rgt)) for row in rows)

	def has(self, campaign: dict, line: Line) -> bool:
		"""Say whether a line is what a campaign wants."""
		if campaign.get("goal_item"):
			return same(line.item, campaign.goal_item) or same(line.template, campaign.goal_item)
		if campaign.get("goal_item_group"):
			outer, inner = self.bounds.get(campaign.goal_item_group), self.bounds.get(line.group)
			return bool(outer and inner) and outer[0] <= inner[0] and inner[1] <= outer[1]
		return True


GOAL = Bought()
