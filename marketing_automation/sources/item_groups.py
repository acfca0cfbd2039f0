"""The tree of item groups: "this group, or one below it". Only reads."""

from collections import defaultdict
from collections.abc import Callable, Iterable

import frappe

from marketing_automation.engine import long_lists
from marketing_automation.engine.names import ByName
from marketing_automation.sources.spec import ITEM, Spec


class ItemGroups:
	"""The tree of item groups, for "this group or one below it"."""

	def __init__(self, wanted: Iterable[str | None]):
		self.needed = any(wanted)
		self.bounds = ByName()
		if self.needed:
			rows = frappe.get_all("Item Group", fields=["name", "lft", "rgt"], order_by="name asc")
			self.bounds = ByName((row.name, (row.lft, row.rgt)) for row in rows)

	def of_rows(self, spec: Spec, rows: list[dict]) -> Callable[[str, dict], bool]:
		"""Return a function that says whether a row is of a group: its item, or an item of its lines. At most 2 queries."""
		if not self.needed or not (spec.item or spec.lines):
			return lambda group, row: not group
		if spec.item:
			found = self.of_items({row[ITEM] for row in rows if row[ITEM]})
			return lambda group, row: self.contains(group, found.get(row[ITEM]))
		lines = frappe.qb.DocType(spec.lines)
		query = (
			frappe.qb.from_(lines)
			.select(lines.parent, lines.item_code)
			.distinct()
			.where(long_lists.among(lines.parent, "names"))
			.where(lines.parenttype == spec.doctype)
		)
		names = {row["name"] for row in rows}
		items = defaultdict(set)
		for parent, item in long_lists.run(query, names=names) if names else ():
			items[parent].add(item)
		found = self.of_items(set().union(*items.values()))
		return lambda group, row: any(
			self.contains(group, found.get(item)) for item in items.get(row["name"], ())
		)

	def of_items(self, items: set[str]) -> ByName[str]:
		"""Return each item's group. From Item: the copy elsewhere is usually empty."""
		if not self.needed:
			return ByName()
		rows = frappe.get_all(
			"Item",
			filters={"name": ["in", list(items)]},
			fields=["name", "item_group"],
			order_by="name asc",
		)
		return ByName((row.name, row.item_group) for row in rows)

	def items_in(self, group: str | None) -> list[str] | None:
		"""Return the items of a group and of those below it; None without a group. 1 query."""
		if not group:
			return None
		below = [name for name in self.bounds if self.contains(group, name)]
		return frappe.get_all(
			"Item", filters={"item_group": ["in", below]}, pluck="name", order_by="name asc"
		)

	def contains(self, ancestor: str | None, group: str | None) -> bool:
		"""Say whether `group` is `ancestor` or below it. Without an ancestor everything is in."""
		if not ancestor:
			return True
		outer, inner = self.bounds.get(ancestor), self.bounds.get(group)
		return bool(outer and inner) and outer[0] <= inner[0] and inner[1] <= outer[1]
