"""How a customer is reached by e-mail: customers in, addresses out. Only reads."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import frappe

from marketing_automation import erpnext_schema
from marketing_automation.channels.email import address as addresses
from marketing_automation.engine import long_lists
from marketing_automation.engine.model import Reason, Recipient
from marketing_automation.engine.names import BLANKS, ByName, same


def reach(customers: set[str]) -> ByName[Recipient]:
	"""Return how each customer that exists is reached, without regard to what they have said about our messages. 1 query.

	Each is named as their record is, and found however else their name is written.

	The address is that of the contact that the customer's record names as the primary one, else of another primary contact,
	else of the billing contact, else of any contact, else Customer.email_id. Among several of a kind, as a merge leaves them, it
	is the one that was there first. The first contact that has an address speaks for the customer: if that person has
	unsubscribed (Contact.unsubscribed), nobody else is asked in their place.
	"""
	best = {}
	for row in _contacts(customers):
		known = best.get(row.customer)
		if not known or row.rank() < known.rank():
			best[row.customer] = row
	return ByName((row.customer, _reached(row)) for row in best.values())


def _reached(row: "_Row") -> Recipient:
	"""Return how a customer is reached. row: the best of the customer's."""
	email = addresses.clean(row.email or row.own_email)
	reason, error = _unreachable(row, email), None
	if reason == Reason.INVALID_ADDRESS:
		error = addresses.problem(email)
	contact = row.contact if row.email else None
	return Recipient(row.customer, row.customer_name, email, row.language, reason, error, contact)


class _Row(NamedTuple):
	"""A customer with one address of one contact, as far as they have any."""

	customer: str
	customer_name: str
	language: str | None
	disabled: int
	is_frozen: int
	own_email: str | None
	primary_contact: str | None
	contact: str | None
	unsubscribed: int | None
	contact_email: str | None
	is_primary_contact: int | None
	is_billing_contact: int | None
	contact_creation: datetime | None
	address: str | None
	is_primary: int | None
	idx: int | None

	@property
	def email(self) -> str:
		"""The contact's address; empty when this is none."""
		# Contact.email_id is a copy of the primary row, and can be stale.
		return _seen(self.address) or _seen(self.contact_email)

	def rank(self) -> tuple:
		"""Return what is lowest for the address to write to."""
		return (
			not self.email,
			not same(self.contact, self.primary_contact),
			not self.is_primary_contact,
			not self.is_billing_contact,
			self.contact_creation or datetime.max,
			self.contact or "",
			not self.address,
			not self.is_primary,
			self.idx or 0,
		)


def _contacts(customers: set[str]) -> Iterator[_Row]:
	"""Yield each customer that exists once for each address of their contacts, and at least once. 1 query."""
	if not customers:
		return
	customer, link = frappe.qb.DocType("Customer"), frappe.qb.DocType("Dynamic Link")
	contact, address = frappe.qb.DocType("Contact"), frappe.qb.DocType("Contact Email")
	has_billing = erpnext_schema.has("Contact", "is_billing_contact")
	query = (
		frappe.qb.from_(customer)
		.left_join(link)
		.on(
			(link.link_doctype == "Customer")
			& (link.link_name == customer.name)
			& (link.parenttype == "Contact")
		)
		.left_join(contact)
		.on(contact.name == link.parent)
		.left_join(address)
		.on((address.parent == contact.name) & (address.parenttype == "Contact"))
		.select(
			customer.name,
			customer.customer_name,
			customer.language,
			customer.disabled,
			customer.is_frozen,
			customer.email_id,
			customer.customer_primary_contact,
			contact.name,
			contact.unsubscribed,
			contact.email_id,
			contact.is_primary_contact,
			contact.is_billing_contact if has_billing else 0,
			contact.creation,
			address.email_id,
			address.is_primary,
			address.idx,
		)
		.where(long_lists.among(customer.name, "customers"))
	)
	yield from map(_Row._make, long_lists.run(query, customers=customers))


def _seen(text: str | None) -> str:
	"""Return a text without blanks, and characters of no width, at its ends."""
	return (text or "").strip(BLANKS)


def _unreachable(row: _Row, email: str) -> str | None:
	"""Return why a customer cannot be reached, or None. row: the best of the customer's; email: its address, cleaned."""
	if row.disabled:
		return Reason.CUSTOMER_DISABLED
	if row.is_frozen:
		return Reason.CUSTOMER_FROZEN
	if not email:
		return Reason.NO_ADDRESS
	if row.email and row.unsubscribed:
		return Reason.UNSUBSCRIBED
	if not addresses.is_address(email):
		return Reason.INVALID_ADDRESS
	return None
