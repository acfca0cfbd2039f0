"""Customers as ERPNext has them, without how they are reached: names in, recipients out. Only reads."""

import frappe

from marketing_automation.engine import long_lists
from marketing_automation.engine.model import Reason, Recipient
from marketing_automation.engine.names import ByName


def as_they_are(customers: set[str]) -> ByName[Recipient]:
	"""Return each customer that exists, without an address, for what does not reach them. At most 1 query.

	Each is named as their record is, and found however else their name is written.
	"""
	if not customers:
		return ByName()
	customer = frappe.qb.DocType("Customer")
	query = (
		frappe.qb.from_(customer)
		.select(
			customer.name, customer.customer_name, customer.language, customer.disabled, customer.is_frozen
		)
		.where(long_lists.among(customer.name, "customers"))
	)
	return ByName(
		(name, Recipient(name, customer_name, None, language, state_of(disabled, frozen)))
		for name, customer_name, language, disabled, frozen in long_lists.run(query, customers=customers)
	)


def state_of(disabled: int, frozen: int) -> str | None:
	"""Return why nothing goes out about a customer whose record says this, or None."""
	if disabled:
		return Reason.CUSTOMER_DISABLED
	return Reason.CUSTOMER_FROZEN if frozen else None
