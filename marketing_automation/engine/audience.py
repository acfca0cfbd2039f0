"""Who owns what is due and how they are reached: due events in, recipients out. Only reads.

Every function takes any number of rows and makes a fixed number of queries.
"""

import string
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import frappe

from marketing_automation.engine import address as addresses
from marketing_automation.engine import long_lists
from marketing_automation.engine.model import DueEvent, Reason, Recipient

# What a serial number can be sold with. POS Invoice is not on every site.
SALES = ("Sales Invoice", "Delivery Note", "POS Invoice")
# What looks like nothing at the ends of an address that was pasted.
BLANKS = string.whitespace + "\xa0\xad\u200b\u200c\u200d\u200e\u200f\u202a\u202c\u2060\u3000\ufeff"


def recipients(events: list[DueEvent]) -> list[Recipient]:
	"""Return the recipient of each event, in the same order; one who cannot be told has a `reason`.

	Queries: at most 8, for any number of events.
	"""
	owned = owners(events)
	reached = reach({customer for customer, _reason in owned if customer})
	suppressed = unsubscribes({found.email for found in reached.values() if found.email})
	return [
		_recipient(customer, reason, reached, suppressed, event.rule.campaign)
		for event, (customer, reason) in zip(events, owned, strict=True)
	]


def _recipient(customer, reason, reached, suppressed, campaign) -> Recipient:
	if not customer:
		return Recipient(reason=reason)
	found = reached.get(customer)
	if not found:
		return Recipient(customer=customer, reason=Reason.CUSTOMER_NOT_FOUND)
	reason = found.reason
	# Who has left a campaign has left its copies, too.
	left = suppressed.get(found.email.lower())
	if not reason and left and left & {None, campaign.name, *campaign.get("originals", ())}:
		reason = Reason.UNSUBSCRIBED
	return Recipient(customer, found.customer_name, found.email, found.language, reason, found.error)


# -- from the serial number to its owner -------------------------------------------------------------------------


def owners(events: list[DueEvent]) -> list[tuple[str | None, str | None]]:
	"""Return (customer, reason) for each event, in the same order; one of the two is None.

	The customer on the serial number counts; else the last movement of the serial number decides, by its bundle;
	else, for serial numbers that have no bundles (sold before ERPNext 15), the text field of invoices and notes.
	"""
	unknown = {event.reference_name: event for event in events if not event.customer}
	moved = _owners_by_bundle(unknown) if unknown else {}
	older = {name: event for name, event in unknown.items() if name not in moved}
	moved |= _owners_by_text(older) if older else {}
	return [
		(event.customer, None)
		if event.customer
		else moved.get(event.reference_name, (None, Reason.NO_CUSTOMER))
		for event in events
	]


def _owners_by_bundle(serials: Iterable[str]) -> dict[str, tuple[str | None, str | None]]:
	"""Return (customer, reason) of the serial numbers that have Serial and Batch Bundles. At most 4 queries."""
	bundle = frappe.qb.DocType("Serial and Batch Bundle")
	entry = frappe.qb.DocType("Serial and Batch Entry")
	moments = _posting_fields()
	rows = (
		frappe.qb.from_(entry)
		.join(bundle)
		.on(entry.parent == bundle.name)
		.select(
			entry.serial_no,
			bundle.type_of_transaction,
			bundle.voucher_type,
			bundle.voucher_no,
			bundle.creation,
			*[bundle[field] for field in moments],
		)
		.where(entry.serial_no.isin(list(serials)))
		.where(bundle.docstatus == 1)
		.where(bundle.is_cancelled == 0)
		.where(bundle.type_of_transaction.isin(["Inward", "Outward"]))
	).run(as_dict=True)
	movements = defaultdict(list)
	for row in rows:
		# As they are: as texts, times with microseconds and times without would not sort.
		row.moment = (*[(row[field] is not None, row[field]) for field in moments], row.creation)
		movements[row.serial_no].append(row)
	last = {name: max(of_serial, key=lambda row: row.moment) for name, of_serial in movements.items()}
	customers = _customers_of_vouchers(
		{(row.voucher_type, row.voucher_no) for row in rows if row.type_of_transaction == "Outward"}
	)
	found = {}
	for name, row in last.items():
		customer = customers.get((row.voucher_type, row.voucher_no))
		if row.type_of_transaction == "Outward":
			found[name] = (customer, None if customer else Reason.NO_CUSTOMER)
		else:
			was_sold = any((m.voucher_type, m.voucher_no) in customers for m in movements[name])
			found[name] = (None, Reason.RETURNED if was_sold else Reason.NO_CUSTOMER)
	return found


def _posting_fields() -> list[str]:
	"""Return the fields that say when a bundle was posted: ERPNext joined the two into one during version 16."""
	if frappe.get_meta("Serial and Batch Bundle").has_field("posting_datetime"):
		return ["posting_datetime"]
	return ["posting_date", "posting_time"]


def _customers_of_vouchers(vouchers: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
	"""Return the customer of each submitted sale among (doctype, name). One query a doctype."""
	customers = {}
	for doctype in SALES:
		names = [name for voucher_type, name in vouchers if voucher_type == doctype]
		if names and frappe.db.table_exists(doctype):
			rows = frappe.get_all(
				doctype,
				filters={"name": ["in", names], "docstatus": 1},
				fields=["name", "customer"],
				order_by="name asc",
			)
			customers |= {(doctype, row.name): row.customer for row in rows}
	return customers


def _owners_by_text(events: dict[str, DueEvent]) -> dict[str, tuple[str | None, str | None]]:
	"""Return (customer, reason) of serial numbers named in the text field of a sale or a return. 2 queries."""
	items = list({event.item_code for event in events.values() if event.item_code})
	last = {}
	for doctype in ("Sales Invoice", "Delivery Note"):
		sale, line = frappe.qb.DocType(doctype), frappe.qb.DocType(f"{doctype} Item")
		rows = (
			frappe.qb.from_(line)
			.join(sale)
			.on(line.parent == sale.name)
			.select(line.serial_no, sale.customer, sale.is_return, sale.posting_date, sale.creation)
			.where(sale.docstatus == 1)
			.where(line.item_code.isin(items))
			.where(line.serial_no.notin(["", "\n"]))
		).run()
		for text, customer, is_return, posting_date, creation in rows:
			for name in map(str.strip, text.split("\n")):
				moment = (posting_date, creation)
				if name in events and (name not in last or last[name][0] < moment):
					last[name] = (moment, customer, is_return)
	return {
		name: (None, Reason.RETURNED) if is_return else (customer, None)
		for name, (_moment, customer, is_return) in last.items()
	}


# -- from the customer to an address -----------------------------------------------------------------------------


def reach(customers: set[str]) -> dict[str, Recipient]:
	"""Return how each customer that exists is reached, without regard to unsubscribes. 1 query.

	The address is that of the primary contact, else of the billing contact, else of any contact, else
	Customer.email_id. The first contact that has an address speaks for the customer: if that person has
	unsubscribed (Contact.unsubscribed), nobody else is asked in their place.
	"""
	best = {}
	for row in _contacts(customers):
		known = best.get(row.customer)
		if not known or row.rank() < known.rank():
			best[row.customer] = row
	return {customer: _reached(row) for customer, row in best.items()}


def _reached(row: "_Row") -> Recipient:
	"""Return how a customer is reached. row: the best of the customer's."""
	email = addresses.clean(row.email or row.own_email)
	reason, error = _unreachable(row, email), None
	if reason == Reason.INVALID_ADDRESS:
		error = addresses.problem(email)
	return Recipient(row.customer, row.customer_name, email, row.language, reason, error)


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
			self.contact != self.primary_contact,
			not self.is_primary_contact,
			not self.is_billing_contact,
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
	has_billing = frappe.get_meta("Contact").has_field("is_billing_contact")
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
	"""Return why a customer cannot be told, or None. row: the best of the customer's; email: its address, cleaned."""
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


def unsubscribes(emails: set[str]) -> dict[str, set[str | None]]:
	"""Return, for each address (lower case), the campaigns that it has left; None stands for all mail. 1 query."""
	if not emails:
		return {}
	table = frappe.qb.DocType("Email Unsubscribe")
	query = (
		frappe.qb.from_(table)
		.select(table.email, table.reference_name, table.global_unsubscribe)
		.where(long_lists.among(table.email, "emails"))
		.where((table.global_unsubscribe == 1) | (table.reference_doctype == "Lifecycle Campaign"))
	)
	left = defaultdict(set)
	for email, campaign, everything in long_lists.run(query, emails=emails):
		left[email.lower()].add(None if everything else campaign)
	return left
