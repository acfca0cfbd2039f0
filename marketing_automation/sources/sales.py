"""What customers have bought: customers in, lines of their sales out, without what has come back. Only reads."""

from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

import frappe
from pypika.functions import IfNull
from pypika.terms import ValueWrapper

from marketing_automation import erpnext_schema
from marketing_automation.engine import long_lists
from marketing_automation.engine.names import folded
from marketing_automation.sources import ownership

# Which fields of a line say what it was made from.
ORIGINS = {
	"Sales Invoice": ("delivery_note", "sales_order"),
	"Delivery Note": ("against_sales_invoice", "against_sales_order"),
	"POS Invoice": ("sales_order",),
}
MOST_ORIGINS = max(map(len, ORIGINS.values()))
# What is submitted as a sale and sells nothing, or what has been sold at a till already: {field: value}.
NO_SALES = {"is_debit_note": 1, "is_opening": "Yes", "is_consolidated": 1}


class Line(NamedTuple):
	"""What a customer has bought of an item by one sale. template, group: of the item; origins: folded names of what the sale
	was made from."""

	customer: str
	doctype: str
	sale: str
	on: date
	item: str
	template: str | None
	group: str | None
	origins: frozenset[str]


def lines(customers: Iterable[str], since: date) -> list[Line]:
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
		lines[key] = Line(
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
		for doctype, sale, item, qty in long_lists.run(ownership.all_of(queries), sparse=True, sales=sales):
			found[doctype, folded(sale), folded(item)] -= abs(qty or 0)
	return found
