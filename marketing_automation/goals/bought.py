"""Bought: the customer has bought something since the campaign first wrote to them about this. Only reads.

Any item, an item or a variant of it, or any of a group and the groups below. What a message is about is no purchase that
it has led to: neither the document itself, nor what was made from it, nor the sale by which a serial number, or something
of a batch, was got.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

import frappe
from frappe import _
from frappe.utils import getdate
from pypika.functions import IfNull
from pypika.terms import ValueWrapper

from marketing_automation import erpnext_schema
from marketing_automation.engine import long_lists, schedule
from marketing_automation.engine.goals import Asked
from marketing_automation.engine.model import Reached
from marketing_automation.engine.names import ByName, folded, same
from marketing_automation.sources import ownership

BATCH = "Batch"
# Which fields of a line say what it was made from.
ORIGINS = {
	"Sales Invoice": ("delivery_note", "sales_order"),
	"Delivery Note": ("against_sales_invoice", "against_sales_order"),
	"POS Invoice": ("sales_order",),
}
MOST_ORIGINS = max(map(len, ORIGINS.values()))
# What is submitted as a sale and sells nothing, or what has been sold at a till already: {field: value}.
NO_SALES = {"is_debit_note": 1, "is_opening": "Yes", "is_consolidated": 1}


class _Line(NamedTuple):
	customer: str
	doctype: str
	sale: str
	on: date
	item: str
	template: str | None
	group: str | None
	origins: frozenset[str]


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
		lines = _lines({one.customer for one in asked}, min(first_days))
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
		for batch, doctype, name in long_lists.run(query, batches=batches):
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

	def has(self, campaign: dict, line: _Line) -> bool:
		"""Say whether a line is what a campaign wants."""
		if campaign.get("goal_item"):
			return same(line.item, campaign.goal_item) or same(line.template, campaign.goal_item)
		if campaign.get("goal_item_group"):
			outer, inner = self.bounds.get(campaign.goal_item_group), self.bounds.get(line.group)
			return bool(outer and inner) and outer[0] <= inner[0] and inner[1] <= outer[1]
		return True


def _lines(customers: Iterable[str], since: date) -> list[_Line]:
	"""Return the lines of sales to customers since a day, without what has come back. At most 2 queries."""
	queries = [
		query
		for doctype in erpnext_schema.sales()
		for query in (_sold(doctype, f"{doctype} Item", since), _sold(doctype, ownership.PACKED_ITEM, since))
		if query
	]
	rows = long_lists.run(ownership.all_of(queries), customers=list(customers))
	if not rows:
		return []
	returned = _returned({sale for _customer, _doctype, sale, *_line in rows})
	quantities, lines = Counter(), {}
	for customer, doctype, sale, on, item, qty, template, group, *origins in rows:
		key = doctype, folded(sale), folded(item)
		quantities[key] += qty or 0
		lines[key] = _Line(
			customer, doctype, sale, on, item, template, group, frozenset(map(folded, filter(None, origins)))
		)
	return [line for key, line in lines.items() if quantities[key] + returned[key] > 0]


def _sold(doctype: str, of_lines: str, since: date):
	"""Return a query of the lines of a DocType of sales that say what was sold, None where there is no such table."""
	if not erpnext_schema.has(of_lines):
		return None
	sale, line, item = frappe.qb.DocType(doctype), frappe.qb.DocType(of_lines), frappe.qb.DocType("Item")
	known = [field for field in ORIGINS[doctype] if erpnext_schema.has(of_lines, field)]
	# As many columns in each query: their rows are read as one list.
	nothing = [ValueWrapper("")] * (MOST_ORIGINS - len(known))
	origins = [*[line[field] for field in known], *nothing]
	query = (
		frappe.qb.from_(sale)
		.join(line)
		.on((line.parent == sale.name) & (line.parenttype == doctype))
		.left_join(item)
		.on(item.name == line.item_code)
		.select(
			sale.customer,
			ValueWrapper(doctype),
			sale.name,
			sale.posting_date,
			line.item_code,
			line.qty,
			item.variant_of,
			item.item_group,
			*origins,
		)
		.where(long_lists.among(sale.customer, "customers"))
		.where((sale.docstatus == 1) & (sale.is_return == 0) & (sale.posting_date >= since))
	)
	for field, value in NO_SALES.items():
		if erpnext_schema.has(doctype, field):
			query = query.where(IfNull(sale[field], "") != value)
	return query


def _returned(sales: set[str]) -> Counter:
	"""Return {(DocType, folded sale, folded item): how much of it has come back, as a negative number}. 1 query."""
	queries = []
	for doctype in erpnext_schema.sales():
		for of_lines in (f"{doctype} Item", ownership.PACKED_ITEM):
			if not erpnext_schema.has(of_lines) or not erpnext_schema.has(doctype, "return_against"):
				continue
			sale, line = frappe.qb.DocType(doctype), frappe.qb.DocType(of_lines)
			queries.append(
				frappe.qb.from_(sale)
				.join(line)
				.on((line.parent == sale.name) & (line.parenttype == doctype))
				.select(ValueWrapper(doctype), sale.return_against, line.item_code, line.qty)
				.where(long_lists.among(sale.return_against, "sales"))
				.where((sale.docstatus == 1) & (sale.is_return == 1))
			)
	found = Counter()
	if queries:
		for doctype, sale, item, qty in long_lists.run(ownership.all_of(queries), sales=sales):
			found[doctype, folded(sale), folded(item)] -= abs(qty or 0)
	return found


GOAL = Bought()
