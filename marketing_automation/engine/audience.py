"""Who owns what is due and how they are reached: due events in, recipients out. Only reads.

Every function takes any number of rows and makes a fixed number of queries.
"""

import re
from collections import defaultdict
from collections.abc import Iterable

import frappe
from frappe.utils import validate_email_address

from marketing_automation.engine.model import DueEvent, Reason, Recipient

# What a serial number can be sold with. POS Invoice is not on every site.
SALES = ("Sales Invoice", "Delivery Note", "POS Invoice")

# Frappe takes a list of addresses, or one with a name, where one address is meant.
SEPARATORS = re.compile(r"[\s,;<>]")


def recipients(events: list[DueEvent]) -> list[Recipient]:
	"""Return the recipient of each event, in the same order; one who cannot be told has a `reason`.

	Queries: at most 12, for any number of events.
	"""
	owned = owners(events)
	reached = reach({customer for customer, _reason in owned if customer})
	suppressed = unsubscribes({found.email for found in reached.values() if found.email})
	return [
		_recipient(customer, reason, reached, suppressed, event.rule.campaign.name)
		for event, (customer, reason) in zip(events, owned, strict=True)
	]


def _recipient(customer, reason, reached, suppressed, campaign) -> Recipient:
	if not customer:
		return Recipient(reason=reason)
	found = reached.get(customer)
	if not found:
		return Recipient(customer=customer, reason=Reason.CUSTOMER_NOT_FOUND)
	reason = found.reason
	if not reason and suppressed.get(found.email.lower(), set()) & {None, campaign}:
		reason = Reason.UNSUBSCRIBED
	return Recipient(customer, found.customer_name, found.email, found.language, reason)


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
		row.moment = (*[str(row[field] or "").rjust(26, "0") for field in moments], row.creation)
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
	"""Return how each customer that exists is reached, without regard to unsubscribes. 3 queries.

	The address is that of the primary contact, else of the billing contact, else of any contact, else
	Customer.email_id. The first contact that has an address speaks for the customer: if that person has
	unsubscribed (Contact.unsubscribed), nobody else is asked in their place.
	"""
	if not customers:
		return {}
	rows = frappe.get_all(
		"Customer",
		filters={"name": ["in", list(customers)]},
		fields=[
			"name",
			"customer_name",
			"language",
			"disabled",
			"is_frozen",
			"email_id",
			"customer_primary_contact",
		],
		order_by="name asc",
	)
	contacts = _contacts([row.name for row in rows])
	found = {}
	for row in rows:
		ranked = sorted(
			(contact for contact in contacts[row.name] if contact.email),
			key=lambda contact: (
				contact.name != row.customer_primary_contact,
				not contact.is_primary_contact,
				not contact.is_billing_contact,
				contact.name,
			),
		)
		contact = ranked[0] if ranked else None
		email = contact.email if contact else (row.email_id or "").strip()
		found[row.name] = Recipient(
			customer=row.name,
			customer_name=row.customer_name,
			email=email,
			language=row.language,
			reason=_unreachable(row, contact, email),
		)
	return found


def _unreachable(customer: dict, contact: dict | None, email: str) -> str | None:
	"""Return why a customer cannot be told, or None."""
	if customer.disabled:
		return Reason.CUSTOMER_DISABLED
	if customer.is_frozen:
		return Reason.CUSTOMER_FROZEN
	if not email:
		return Reason.NO_ADDRESS
	if contact and contact.unsubscribed:
		return Reason.UNSUBSCRIBED
	if not is_address(email):
		return Reason.INVALID_ADDRESS
	return None


def is_address(email: str) -> bool:
	"""Say whether this is one e-mail address that can stand in a header."""
	if len(email) > 140 or SEPARATORS.search(email):
		return False
	# Some versions return the address in small letters.
	return validate_email_address(email).lower() == email.lower()


def _contacts(customers: list[str]) -> dict[str, list[dict]]:
	"""Return the contacts of each customer with the address of each. 2 queries."""
	contact, link = frappe.qb.DocType("Contact"), frappe.qb.DocType("Dynamic Link")
	has_billing = frappe.get_meta("Contact").has_field("is_billing_contact")
	rows = []
	if customers:
		query = (
			frappe.qb.from_(link)
			.join(contact)
			.on(link.parent == contact.name)
			.select(
				link.link_name.as_("customer"),
				contact.name,
				contact.email_id.as_("email"),
				contact.is_primary_contact,
				contact.unsubscribed,
			)
			.where(link.parenttype == "Contact")
			.where(link.link_doctype == "Customer")
			.where(link.link_name.isin(customers))
		)
		if has_billing:
			query = query.select(contact.is_billing_contact)
		rows = query.run(as_dict=True)
	addresses = defaultdict(list)
	if rows:
		for row in frappe.get_all(
			"Contact Email",
			filters={"parenttype": "Contact", "parent": ["in", list({row.name for row in rows})]},
			fields=["parent", "email_id", "is_primary"],
			order_by="is_primary desc, idx asc",
		):
			addresses[row.parent].append(row.email_id)
	by_customer = defaultdict(list)
	for row in rows:
		# Contact.email_id is a copy of the primary row, and can be stale.
		row.email = next((email.strip() for email in [*addresses[row.name], row.email] if email), "")
		by_customer[row.customer].append(row)
	return by_customer


def unsubscribes(emails: set[str]) -> dict[str, set[str | None]]:
	"""Return, for each address (lower case), the campaigns that it has left; None stands for all mail. 1 query."""
	if not emails:
		return {}
	table = frappe.qb.DocType("Email Unsubscribe")
	rows = (
		frappe.qb.from_(table)
		.select(table.email, table.reference_name, table.global_unsubscribe)
		.where(table.email.isin(list(emails)))
		.where((table.global_unsubscribe == 1) | (table.reference_doctype == "Lifecycle Campaign"))
	).run(as_dict=True)
	left = defaultdict(set)
	for row in rows:
		left[row.email.lower()].add(None if row.global_unsubscribe else row.reference_name)
	return left
