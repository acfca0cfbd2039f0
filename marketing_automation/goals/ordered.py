"""Ordered: a quotation has become an order. Only reads."""

from datetime import date

import frappe
from frappe import _
from frappe.utils import getdate

from marketing_automation.engine import long_lists
from marketing_automation.engine.goals import Asked
from marketing_automation.engine.model import Reached
from marketing_automation.engine.names import folded

QUOTATION = "Quotation"
ORDER = "Sales Order"


class Ordered:
	"""The goal of a campaign that follows quotations up."""

	fields = ()

	@property
	def label(self) -> str:
		"""What the form calls it."""
		return _("Ordered", context="Lifecycle Goal")

	def fits(self, source: str) -> bool:
		"""Say whether what a source finds can be ordered."""
		return source == QUOTATION

	def validate(self, campaign) -> None:
		"""It asks nothing of the campaign."""

	def reached(self, asked: list[Asked], night: date) -> dict[int, Reached]:
		"""Return {index: the first order, or the quotation itself where ERPNext says that it is ordered}. 2 queries."""
		names = {one.event.reference_name for one in asked}
		orders, quotation = _orders(names), frappe.qb.DocType(QUOTATION)
		query = (
			frappe.qb.from_(quotation)
			.select(quotation.name, quotation.transaction_date)
			.where(long_lists.among(quotation.name, "names"))
			.where((quotation.docstatus == 1) & (quotation.status == "Ordered"))
		)
		said = {
			folded(name): Reached(QUOTATION, name, day) for name, day in long_lists.run(query, names=names)
		}
		found = {}
		for index, one in enumerate(asked):
			name = folded(one.event.reference_name)
			reached = orders.get(name) or said.get(name)
			# Of a night that is past only what was ordered by then is known.
			if reached and (night >= getdate() or reached.on <= night):
				found[index] = reached
		return found


def _orders(quotations: set[str]) -> dict[str, Reached]:
	"""Return the first submitted order of each quotation that has one. 1 query."""
	order, line = frappe.qb.DocType(ORDER), frappe.qb.DocType("Sales Order Item")
	query = (
		frappe.qb.from_(line)
		.join(order)
		.on(order.name == line.parent)
		.select(line.prevdoc_docname, order.name, order.transaction_date)
		.where(long_lists.among(line.prevdoc_docname, "names"))
		.where(order.docstatus == 1)
		.orderby(order.transaction_date)
		.orderby(order.creation)
	)
	found = {}
	for quotation, name, day in long_lists.run(query, sparse=True, names=quotations):
		found.setdefault(folded(quotation), Reached(ORDER, name, day))
	return found


GOAL = Ordered()
