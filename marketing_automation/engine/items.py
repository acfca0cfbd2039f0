"""What products are called. Only reads."""

import frappe

from marketing_automation.engine.names import ByName


def item_names(codes: set[str]) -> ByName[str]:
	"""Return the name of each item. 1 query."""
	if not codes:
		return ByName()
	rows = frappe.get_all(
		"Item",
		filters={"name": ["in", list(codes)]},
		fields=["name", "item_name"],
		order_by="name asc",
	)
	return ByName((row.name, row.item_name) for row in rows)
