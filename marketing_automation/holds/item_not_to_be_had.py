"""Item out of stock or disabled: what the message is about cannot be bought at the moment. Only reads.

Of an item that is kept in stock there is none in the warehouses of the message's company, or in none at all where it has
no company.
"""

from datetime import date

import frappe
from frappe import _
from pypika.functions import Sum
from pypika.terms import Case

from marketing_automation.engine import long_lists
from marketing_automation.engine.holds import Held
from marketing_automation.engine.names import ByName, folded

ITEM = "Item"
BIN = "Bin"
WAREHOUSE = "Warehouse"


class ItemNotToBeHad:
	"""The hold of messages about what is not for sale now."""

	days = None
	needs = {
		ITEM: ("disabled", "end_of_life", "is_stock_item"),
		BIN: ("item_code", "warehouse", "actual_qty"),
		WAREHOUSE: ("company",),
	}

	@property
	def label(self) -> str:
		"""What the settings call it."""
		return _("Item out of stock or disabled")

	def held(self, asked: list[Held], days: int, today: date) -> dict[int, tuple[str, str]]:
		"""Return {index: the item}. At most 2 queries."""
		codes = {one.item_code for one in asked if one.item_code}
		if not codes:
			return {}
		items = ByName((row.name, row) for row in _items(codes))
		in_stock = {code for code in items if items[code].is_stock_item}
		there = _there_is(in_stock) if in_stock else set()
		found = {}
		for index, one in enumerate(asked):
			item = items.get(one.item_code)
			if not item:
				continue
			# A date of zeros, which ERPNext knows from long ago, comes as text.
			ended = isinstance(item.end_of_life, date) and item.end_of_life <= today
			sold_out = item.is_stock_item and (folded(item.name), folded(one.company or "")) not in there
			if item.disabled or ended or sold_out:
				found[index] = (ITEM, item.name)
		return found


def _items(codes: set[str]) -> list[dict]:
	"""1 query."""
	item = frappe.qb.DocType(ITEM)
	query = (
		frappe.qb.from_(item)
		.select(item.name, item.disabled, item.end_of_life, item.is_stock_item)
		.where(long_lists.among(item.name, "codes"))
	)
	return long_lists.run(query, as_dict=True, codes=codes)


def _there_is(codes: set[str]) -> set[tuple[str, str]]:
	"""Return (folded item, folded company) of what is in stock; with an empty company, in any. 1 query."""
	bin_, warehouse = frappe.qb.DocType(BIN), frappe.qb.DocType(WAREHOUSE)
	query = (
		frappe.qb.from_(bin_)
		.join(warehouse)
		.on(warehouse.name == bin_.warehouse)
		.select(
			bin_.item_code, warehouse.company, Sum(Case().when(bin_.actual_qty > 0, bin_.actual_qty).else_(0))
		)
		.where(long_lists.among(bin_.item_code, "codes"))
		.groupby(bin_.item_code, warehouse.company)
	)
	found = set()
	for code, company, quantity in long_lists.run(query, codes=codes):
		if quantity > 0:
			found |= {(folded(code), folded(company or "")), (folded(code), "")}
	return found


HOLD = ItemNotToBeHad()
