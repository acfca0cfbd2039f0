"""What products are called. Only reads."""

import frappe


def item_names(codes: set[str]) -> dict[str, str]:
	"""Return the name of each item. 1 query."""
	if not codes:
		return {}
	rows = frappe.get_all(
		"Item",
		filters={"name": ["in", list(codes)]},
		fields=["name", "item_name"],
		order_by="name asc",
	)
	return {row.name: row.item_name for row in rows}
