"""Holds that follow from a document of the customer's own: one DocType, its field of the customer, and when it counts."""

from collections.abc import Callable
from datetime import date

import frappe

from marketing_automation.engine import long_lists
from marketing_automation.engine.holds import Held
from marketing_automation.engine.names import folded


class OfCustomer:
	"""A hold whose documents name their customer. `which` takes the table, the days and today, and returns the condition."""

	def __init__(
		self,
		doctype: str,
		label: Callable[[], str],
		fields: tuple[str, ...],
		which: Callable,
		days: int | None = None,
	):
		self.doctype, self._label, self.which, self.days = doctype, label, which, days
		self.needs = {doctype: ("customer", *fields)}

	@property
	def label(self) -> str:
		"""What the settings call it."""
		return self._label()

	def held(self, asked: list[Held], days: int, today: date) -> dict[int, tuple[str, str]]:
		"""Return {index: the oldest document of its customer that counts}. 1 query."""
		table = frappe.qb.DocType(self.doctype)
		query = (
			frappe.qb.from_(table)
			.select(table.customer, table.name)
			.where(long_lists.among(table.customer, "customers"))
			.where(self.which(table, days, today))
			.orderby(table.creation)
			.orderby(table.name)
		)
		found = {}
		for customer, name in long_lists.run(query, customers={one.customer for one in asked}):
			found.setdefault(folded(customer), (self.doctype, name))
		return {
			index: found[folded(one.customer)]
			for index, one in enumerate(asked)
			if folded(one.customer) in found
		}
