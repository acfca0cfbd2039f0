"""Who owns what is due and how they are reached: due events in, recipients out. Only reads.

Every function takes any number of rows and makes a fixed number of queries.
"""

import re
import string
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import frappe
from pypika import Order

from marketing_automation import erpnext_schema
from marketing_automation.engine import address as addresses
from marketing_automation.engine import long_lists
from marketing_automation.engine.model import DueEvent, Reason, Recipient
from marketing_automation.engine.names import ByName, same

# What looks like nothing at the ends of an address that was pasted.
BLANKS = string.whitespace + "\xa0\xad\u200b\u200c\u200d\u200e\u200f\u202a\u202c\u2060\u3000\ufeff"
PACKED_ITEM = "Packed Item"
# The serial numbers in a text field stand one a line, or with these between them.
BETWEEN = re.compile(r"[\n\r,;，；、]")
# In characters: as many serial numbers as fit are looked for in the database as one pattern, more by what a text is as a
# whole. Longer patterns take it longer than that does, and much longer ones it refuses.
LONGEST_PATTERN = 10_000
# Of so many of a customer's serial numbers one looks who has them today: those that were sold last.
MOST_SOLD = 20_000


def recipients(events: list[DueEvent]) -> list[Recipient]:
	"""Return the recipient of each event, in the same order; one who cannot be reached has a `reason`.

	Queries: those of `owners`, and 2, for any number of events.
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
	reason, left = found.reason, suppressed.get(found.email.lower())
	# Who has left a campaign has left its copies, too.
	own = (campaign.name, *campaign.get("originals", ()))
	if not reason and left and any(one is None or any(same(one, name) for name in own) for one in left):
		reason = Reason.UNSUBSCRIBED
	return Recipient(found.customer, found.customer_name, found.email, found.language, reason, found.error)


# -- from the serial number to its owner -------------------------------------------------------------------------


def owners(events: list[DueEvent]) -> list[tuple[str | None, str | None]]:
	"""Return (customer, reason) for each event, in the same order; one of the two is None.

	The customer on the serial number counts where ERPNext keeps it there, unless it has moved at a till that is still
	open; else the last movement of the serial number decides, by its bundle; else, for serial numbers that have no
	bundles (sold before ERPNext 15), the text fields of sales. Queries: at most 1 where all events name a customer that
	counts, else at most 16.
	"""
	kept = erpnext_schema.owner_is_kept()
	named = {
		event.reference_name
		for event in events
		if kept and event.customer and event.reference_doctype == erpnext_schema.SERIAL_NO
	}
	at_tills = _at_open_tills(named) if named else set()
	open_ones = {
		event.reference_name: event
		for event in events
		if not event.customer
		or (
			event.reference_doctype == erpnext_schema.SERIAL_NO
			and (not kept or event.reference_name in at_tills)
		)
	}
	moved = _owners_by_bundle(open_ones) if open_ones else {}
	older = {name: event for name, event in open_ones.items() if name not in moved and not event.customer}
	moved |= _owners_by_text(older) if older else {}
	# Of one that is in neither, what stands on it is all there is.
	return [
		moved.get(event.reference_name)
		or ((event.customer, None) if event.customer else (None, Reason.NO_CUSTOMER))
		for event in events
	]


def _at_open_tills(serials: set[str]) -> set[str]:
	"""Return the serial numbers that were sold, or taken back, at a till that is not closed yet. At most 1 query.

	Until then ERPNext notes nothing of it on Serial No, which names whoever had it before.
	"""
	if not erpnext_schema.has(erpnext_schema.TILL, "consolidated_invoice"):
		return set()
	serial = frappe.qb.DocType(erpnext_schema.SERIAL_NO)
	bundle, entry = frappe.qb.DocType(erpnext_schema.BUNDLE), frappe.qb.DocType("Serial and Batch Entry")
	sale = frappe.qb.DocType(erpnext_schema.TILL)
	query = (
		frappe.qb.from_(entry)
		.join(serial)
		.on(entry.serial_no == serial.name)
		.join(bundle)
		.on(entry.parent == bundle.name)
		.join(sale)
		.on(bundle.voucher_no == sale.name)
		.select(serial.name)
		.where(long_lists.among(serial.name, "serials"))
		.where((bundle.voucher_type == erpnext_schema.TILL) & (bundle.docstatus == 1))
		.where(bundle.is_cancelled == 0)
		.where(
			(sale.docstatus == 1) & (sale.consolidated_invoice.isnull() | (sale.consolidated_invoice == ""))
		)
	)
	return {name for (name,) in long_lists.run(query, serials=list(serials))}


def _owners_by_bundle(serials: Iterable[str]) -> dict[str, tuple[str | None, str | None]]:
	"""Return (customer, reason) of the serial numbers that have Serial and Batch Bundles. At most 4 queries."""
	serial = frappe.qb.DocType(erpnext_schema.SERIAL_NO)
	bundle = frappe.qb.DocType(erpnext_schema.BUNDLE)
	entry = frappe.qb.DocType("Serial and Batch Entry")
	moments = erpnext_schema.moment_fields()
	query = (
		# With the serial number, so that its name comes back as it is there, however the entry writes it.
		frappe.qb.from_(entry)
		.join(serial)
		.on(entry.serial_no == serial.name)
		.join(bundle)
		.on(entry.parent == bundle.name)
		.select(
			serial.name,
			bundle.type_of_transaction,
			bundle.voucher_type,
			bundle.voucher_no,
			bundle.creation,
			*[bundle[field] for field in moments],
		)
		.where(long_lists.among(serial.name, "serials"))
		.where(bundle.docstatus == 1)
		.where(bundle.is_cancelled == 0)
		.where(bundle.type_of_transaction.isin(["Inward", "Outward"]))
	)
	movements = defaultdict(list)
	for name, direction, voucher_type, voucher_no, *moment in long_lists.run(query, serials=list(serials)):
		creation, *posted = moment
		# As they are: as texts, times with microseconds and times without would not sort.
		when = (*[(value is not None, value) for value in posted], creation)
		movements[name].append((when, direction == "Outward", voucher_type, voucher_no))
	customers = _customers_of_vouchers(
		{
			(voucher_type, voucher_no)
			for of_serial in movements.values()
			for _when, outward, voucher_type, voucher_no in of_serial
			if outward
		}
	)
	found = {}
	for name, of_serial in movements.items():
		_when, outward, *voucher = max(of_serial, key=lambda movement: movement[0])
		if outward:
			customer = customers.get(tuple(voucher))
			found[name] = (customer, None if customer else Reason.NO_CUSTOMER)
		else:
			was_sold = any(tuple(voucher) in customers for _when, _outward, *voucher in of_serial)
			found[name] = (None, Reason.RETURNED if was_sold else Reason.NO_CUSTOMER)
	return found


def _customers_of_vouchers(vouchers: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
	"""Return the customer of each submitted sale among (doctype, name). One query a doctype."""
	customers = {}
	for doctype in erpnext_schema.sales():
		names = [name for voucher_type, name in vouchers if voucher_type == doctype]
		if names:
			sale = frappe.qb.DocType(doctype)
			query = (
				frappe.qb.from_(sale)
				.select(sale.name, sale.customer)
				.where(long_lists.among(sale.name, "names"))
				.where(sale.docstatus == 1)
			)
			of_sale = ByName(long_lists.run(query, names=names))
			customers |= {(doctype, name): of_sale.get(name) for name in names if of_sale.get(name)}
	return customers


def _owners_by_text(events: dict[str, DueEvent]) -> dict[str, tuple[str | None, str | None]]:
	"""Return (customer, reason) of serial numbers named in the text field of a sale or a return.

	Queries: for each DocType of sales, two of its lines and packed items, and one of what was found there; and one where
	serial numbers have nothing but a space between them.
	"""
	wanted = ByName(events)
	items = list({event.item_code for event in events.values() if event.item_code})
	if not items:
		return {}
	lines = [
		(doctype, parent, text)
		for doctype in erpnext_schema.sales()
		for parent, text in _lines_that_name(doctype, list(wanted), items)
	]
	parts = _parts([text for _doctype, _parent, text in lines], wanted)
	named = defaultdict(lambda: defaultdict(set))
	for doctype, parent, text in lines:
		names = {own for part in parts[text] if (own := wanted.written(part))}
		if names:
			named[doctype][parent] |= names
	last = {}
	for doctype, by_parent in named.items():
		sales = _sales(doctype, list(by_parent))
		for parent, names in by_parent.items():
			if not (sale := sales.get(parent)):
				continue
			moment = (sale.posting_date, sale.creation)
			for name in names:
				if name not in last or last[name][0] < moment:
					last[name] = (moment, sale)
	return {
		name: (None, Reason.RETURNED) if sale.is_return else (sale.customer, None)
		for name, (_moment, sale) in last.items()
	}


def _parts(texts: list[str], wanted: ByName) -> dict[str, list[str]]:
	"""Return {text: the serial numbers that it names}. 1 query, where spaces could stand between them.

	A serial number may have a space in it, too: "A 1" is one, unless there is none of that name, and there are A and 1.
	"""
	parts = {text: serial_numbers(text) for text in set(texts)}
	apart = {
		part: part.split()
		for of_text in parts.values()
		for part in of_text
		if len(part.split()) > 1 and any(wanted.written(piece) for piece in part.split())
	}
	if not apart:
		return parts
	serial = frappe.qb.DocType(erpnext_schema.SERIAL_NO)
	query = frappe.qb.from_(serial).select(serial.name).where(long_lists.among(serial.name, "names"))
	names = {*apart, *(piece for pieces in apart.values() for piece in pieces)}
	there = ByName((name, True) for (name,) in long_lists.run(query, names=names))
	for part, pieces in list(apart.items()):
		if there.get(part) or not all(there.get(piece) for piece in pieces):
			apart[part] = [part]
	return {
		text: [name for part in of_text for name in apart.get(part, [part])]
		for text, of_text in parts.items()
	}


def serial_numbers(text: str | None) -> list[str]:
	"""Return the serial numbers that a text field names, as they are written there."""
	return [name for part in BETWEEN.split(text or "") if (name := part.strip().strip(BLANKS).strip())]


def _lines_that_name(doctype: str, names: list[str], items: list[str]) -> list[tuple[str, str]]:
	"""Return (sale, text) of the lines and packed items that can name one of these serial numbers. At most 2 queries.

	The database looks through the texts: an item can have been sold on hundreds of thousands of lines.
	"""
	found = []
	# A letter with an accent can be written in two ways.
	pattern = "|".join(re.sub(r"[^\x00-\x7f]", ".{1,2}", re.escape(name)) for name in names)
	for line in _lines_of(doctype):
		query = (
			frappe.qb.from_(line)
			.select(line.parent, line.serial_no)
			.where(long_lists.among(line.item_code, "items"))
		)
		if line.get_table_name() == f"tab{PACKED_ITEM}":
			query = query.where(line.parenttype == doctype)
		given = {"items": items}
		if len(pattern) <= LONGEST_PATTERN:
			query = query.where(long_lists.matching(line.serial_no, "pattern"))
			given["pattern"] = pattern
		else:
			query = query.where(
				long_lists.among(line.serial_no, "names") | long_lists.matching(line.serial_no, "several")
			)
			given |= {"names": names, "several": "[,;，；、[:space:]]"}
		found += long_lists.run(query, **given)
	return found


def _lines_of(doctype: str) -> list:
	"""Return the tables of a sale's lines. What is inside of a product bundle stands in Packed Item alone."""
	return [frappe.qb.DocType(name) for name in (f"{doctype} Item", PACKED_ITEM) if erpnext_schema.has(name)]


def _sales(doctype: str, names: list[str]) -> ByName:
	"""Return {name: its customer, is_return, posting_date and creation} of submitted sales. 1 query."""
	if not names:
		return ByName()
	sale = frappe.qb.DocType(doctype)
	query = (
		frappe.qb.from_(sale)
		.select(sale.name, sale.customer, sale.is_return, sale.posting_date, sale.creation)
		.where(long_lists.among(sale.name, "names"))
		.where(sale.docstatus == 1)
	)
	return ByName((row.name, row) for row in long_lists.run(query, as_dict=True, names=names))


def sold_to(customers: Iterable[str]) -> list[str]:
	"""Return the serial numbers that were ever sold to these customers, the MOST_SOLD that were sold last; `owners` says
	whose they are today. As the sales write them. Queries: for each DocType of sales 1, and 1 for each table of its lines.
	"""
	customers, found = list(customers), []
	if not customers:
		return []
	bundle = frappe.qb.DocType(erpnext_schema.BUNDLE)
	entry = frappe.qb.DocType("Serial and Batch Entry")
	for doctype in erpnext_schema.sales():
		sale = frappe.qb.DocType(doctype)
		of_customers = (
			frappe.qb.from_(sale)
			.where(long_lists.among(sale.customer, "customers"))
			.where(sale.docstatus == 1)
			.where(sale.is_return == 0)
			.orderby(sale.posting_date, order=Order.desc)
			.limit(MOST_SOLD)
		)
		moved = (
			of_customers.join(bundle)
			.on((bundle.voucher_no == sale.name) & (bundle.voucher_type == doctype))
			.join(entry)
			.on(entry.parent == bundle.name)
			.select(sale.posting_date, entry.serial_no)
			.where(bundle.docstatus == 1)
			.where(bundle.is_cancelled == 0)
			.where(entry.serial_no != "")
		)
		found += long_lists.run(moved, customers=customers)
		for line in _lines_of(doctype):
			written = (
				of_customers.join(line)
				.on((line.parent == sale.name) & (line.parenttype == doctype))
				.select(sale.posting_date, line.serial_no)
				.where(line.serial_no != "")
			)
			found += [
				(posting_date, name)
				for posting_date, text in long_lists.run(written, customers=customers)
				for part in serial_numbers(text)
				for name in {part, *part.split()}
			]
	found.sort(key=lambda sold: sold[0], reverse=True)
	return list(dict.fromkeys(name for _posting_date, name in found))[:MOST_SOLD]


# -- from the customer to an address -----------------------------------------------------------------------------


def reach(customers: set[str]) -> ByName[Recipient]:
	"""Return how each customer that exists is reached, without regard to unsubscribes. 1 query.

	Each is named as their record is, and found however else their name is written.

	The address is that of the primary contact, else of the billing contact, else of any contact, else
	Customer.email_id. The first contact that has an address speaks for the customer: if that person has
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
			not same(self.contact, self.primary_contact),
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
		left[email.strip().lower()].add(None if everything else campaign)
	return left
