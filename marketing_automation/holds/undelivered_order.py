"""Order paid and not delivered: first the customer gets what they have paid for. Only reads.

An order is paid when an advance covers it, or when it is billed and nothing of its invoices is open. One whose bills were all
taken back is not.
"""

from collections import defaultdict
from datetime import date

import frappe
from frappe import _
from pypika.functions import Sum

from marketing_automation.engine import long_lists
from marketing_automation.engine.holds import Held
from marketing_automation.engine.names import folded
from marketing_automation.sources.invoices import INVOICE, NOTHING, still_open

ORDER = "Sales Order"
LINE = "Sales Invoice Item"
WHOLE = 99.995
# Not delivered yet, and neither closed nor put on hold by the shop.
OPEN = ("To Deliver and Bill", "To Deliver", "To Pay")


class UndeliveredOrder:
	"""The hold of those who wait for what they have paid."""

	days = None
	needs = {
		ORDER: (
			*("customer", "status", "per_delivered", "per_billed", "skip_delivery_note"),
			*("currency", "party_account_currency", "advance_paid"),
			*("grand_total", "rounded_total", "base_grand_total", "base_rounded_total"),
		),
		LINE: ("sales_order", "qty"),
		INVOICE: ("outstanding_amount",),
	}

	@property
	def label(self) -> str:
		"""What the settings call it."""
		return _("Order paid and not delivered")

	def held(self, asked: list[Held], days: int, today: date) -> dict[int, tuple[str, str]]:
		"""Return {index: the oldest order of its customer that is paid and not delivered}. At most 2 queries."""
		orders = self._undelivered({one.customer for one in asked})
		billed = [order.name for order in orders if not _is_paid_in_advance(order) and _is_billed(order)]
		paid = _paid_by_invoices(billed) if billed else set()
		found = {}
		for order in orders:
			if _is_paid_in_advance(order) or order.name in paid:
				found.setdefault(folded(order.customer), (ORDER, order.name))
		return {
			index: found[folded(one.customer)]
			for index, one in enumerate(asked)
			if folded(one.customer) in found
		}

	def _undelivered(self, customers: set[str]) -> list[dict]:
		"""Return the orders of customers that are to be delivered, the oldest first. 1 query."""
		order = frappe.qb.DocType(ORDER)
		query = (
			frappe.qb.from_(order)
			.select(order.name, *[order[field] for field in self.needs[ORDER]])
			.where(long_lists.among(order.customer, "customers"))
			.where((order.docstatus == 1) & order.status.isin(OPEN))
			.where((order.per_delivered < WHOLE) & (order.skip_delivery_note == 0))
			.orderby(order.creation)
			.orderby(order.name)
		)
		return long_lists.run(query, as_dict=True, customers=customers)


def _is_paid_in_advance(order: dict) -> bool:
	"""Say whether what was paid before any invoice covers an order. It is kept in the currency of the customer's account."""
	own = not order.party_account_currency or order.party_account_currency == order.currency
	total = (
		(order.rounded_total or order.grand_total)
		if own
		else (order.base_rounded_total or order.base_grand_total)
	)
	return bool(total) and (order.advance_paid or 0) > total - NOTHING


def _is_billed(order: dict) -> bool:
	return (order.per_billed or 0) > WHOLE


def _paid_by_invoices(orders: list[str]) -> set[str]:
	"""Return which of these orders have invoices of which nothing is open, and that were not taken back. 1 query."""
	invoice, line = frappe.qb.DocType(INVOICE), frappe.qb.DocType(LINE)
	query = (
		frappe.qb.from_(line)
		.join(invoice)
		.on(invoice.name == line.parent)
		.select(line.sales_order, still_open(invoice), Sum(line.qty))
		.where(long_lists.among(line.sales_order, "orders"))
		.where(invoice.docstatus == 1)
		.groupby(line.sales_order, invoice.name)
	)
	billed, unpaid = defaultdict(float), set()
	for order, still, qty in long_lists.run(query, sparse=True, orders=orders):
		# What a credit note takes back is below zero.
		billed[order] += qty
		if still > NOTHING:
			unpaid.add(order)
	return {order for order, qty in billed.items() if qty > 0 and order not in unpaid}


HOLD = UndeliveredOrder()
