"""Who owns a serial number, by the sales: due events in, customers out. Only reads.

Every function takes any number of rows and makes a fixed number of queries.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date
from typing import NamedTuple

import frappe
from pypika import Order
from pypika.functions import IfNull
from pypika.terms import Criterion, ValueWrapper

from marketing_automation import erpnext_schema
from marketing_automation.engine import long_lists
from marketing_automation.engine.model import DueEvent, Reason
from marketing_automation.engine.names import BLANKS, ByName

PACKED_ITEM = "Packed Item"
ENTRY = "Serial and Batch Entry"
# The serial numbers in a text field stand one a line, or with these between them.
BETWEEN = re.compile(r"[\n\r,;，；、]")
# In characters: as many serial numbers as fit are looked for in the database as one pattern, more by what a text is as a
# whole. Longer patterns take it longer than that does, and much longer ones it refuses.
LONGEST_PATTERN = 10_000
# Of so many of a customer's serial numbers one looks who has them today: those that were sold last.
MOST_SOLD = 20_000


class Sale(NamedTuple):
	"""The submitted document by which somebody has a serial number."""

	customer: str
	doctype: str
	name: str
	posting_date: date


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
	moved = _sales_by_bundle(open_ones) if open_ones else {}
	older = {
		name: event.item_code for name, event in open_ones.items() if name not in moved and not event.customer
	}
	moved |= _sales_by_text(older) if older else {}
	# Of one that is in neither, what stands on it is all there is.
	return [
		_owner(*moved[event.reference_name])
		if event.reference_name in moved
		else ((event.customer, None) if event.customer else (None, Reason.NO_CUSTOMER))
		for event in events
	]


def _owner(sale: Sale | None, reason: str | None) -> tuple[str | None, str | None]:
	return (sale.customer, None) if sale else (None, reason)


def last_sales(serials: dict[str, str | None]) -> dict[str, Sale]:
	"""Return the sale by which its owner of today has each serial number, without those that nobody has by a sale.

	serials: {name: item}. What has come back, or whose sale was cancelled, has none. Queries: at most 14, 4 where all have
	bundles.
	"""
	moved = _sales_by_bundle(serials) if serials else {}
	older = {name: item for name, item in serials.items() if name not in moved}
	moved |= _sales_by_text(older) if older else {}
	return {name: sale for name, (sale, _reason) in moved.items() if sale}


def _at_open_tills(serials: set[str]) -> set[str]:
	"""Return the serial numbers that were sold, or taken back, at a till that is not closed yet. At most 1 query.

	Until then ERPNext notes nothing of it on Serial No, which names whoever had it before.
	"""
	if not erpnext_schema.has(erpnext_schema.TILL, "consolidated_invoice"):
		return set()
	serial, sale = frappe.qb.DocType(erpnext_schema.SERIAL_NO), frappe.qb.DocType(erpnext_schema.TILL)
	query, bundle, entry = bundled()
	query = (
		query.join(serial)
		.on(entry.serial_no == serial.name)
		.join(sale)
		.on(bundle.voucher_no == sale.name)
		.select(serial.name)
		.where(long_lists.among(serial.name, "serials"))
		.where(bundle.voucher_type == erpnext_schema.TILL)
		.where(
			(sale.docstatus == 1) & (sale.consolidated_invoice.isnull() | (sale.consolidated_invoice == ""))
		)
	)
	return {name for (name,) in long_lists.run(query, serials=list(serials))}


def bundled() -> tuple:
	"""Return (query, bundles, entries): a query (frappe.qb) of all that bundles move, submitted and not cancelled, and its
	tables, for conditions and columns."""
	bundle, entry = frappe.qb.DocType(erpnext_schema.BUNDLE), frappe.qb.DocType(ENTRY)
	query = frappe.qb.from_(entry).join(bundle).on(entry.parent == bundle.name)
	return query.where((bundle.docstatus == 1) & (bundle.is_cancelled == 0)), bundle, entry


def _sales_by_bundle(serials: Iterable[str]) -> dict[str, tuple[Sale | None, str | None]]:
	"""Return (sale, reason) of the serial numbers that have Serial and Batch Bundles. At most 4 queries."""
	serial = frappe.qb.DocType(erpnext_schema.SERIAL_NO)
	query, bundle, entry = bundled()
	moments = erpnext_schema.moment_fields()
	query = (
		# With the serial number, so that its name comes back as it is there, however the entry writes it.
		query.join(serial)
		.on(entry.serial_no == serial.name)
		.select(
			serial.name,
			bundle.type_of_transaction,
			bundle.voucher_type,
			bundle.voucher_no,
			bundle.creation,
			*[bundle[field] for field in moments],
		)
		.where(long_lists.among(serial.name, "serials"))
		.where(bundle.type_of_transaction.isin(["Inward", "Outward"]))
	)
	movements = defaultdict(list)
	for name, direction, voucher_type, voucher_no, *moment in long_lists.run(query, serials=list(serials)):
		creation, *posted = moment
		# As they are: as texts, times with microseconds and times without would not sort.
		when = (*[(value is not None, value) for value in posted], creation)
		movements[name].append((when, direction == "Outward", voucher_type, voucher_no))
	sales = sales_of_vouchers(
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
			sale = sales.get(tuple(voucher))
			found[name] = (sale, None if sale else Reason.NO_CUSTOMER)
		else:
			was_sold = any(tuple(voucher) in sales for _when, _outward, *voucher in of_serial)
			found[name] = (None, Reason.RETURNED if was_sold else Reason.NO_CUSTOMER)
	return found


def sales_of_vouchers(vouchers: set[tuple[str, str]]) -> dict[tuple[str, str], Sale]:
	"""Return each submitted sale among (doctype, name) that has a customer. One query a doctype."""
	sales = {}
	for doctype in erpnext_schema.sales():
		names = [name for voucher_type, name in vouchers if voucher_type == doctype]
		if names:
			sale = frappe.qb.DocType(doctype)
			query = (
				frappe.qb.from_(sale)
				.select(sale.name, sale.customer, sale.posting_date)
				.where(long_lists.among(sale.name, "names"))
				.where(sale.docstatus == 1)
			)
			of_sale = ByName(
				(name, Sale(customer, doctype, name, posting_date))
				for name, customer, posting_date in long_lists.run(query, names=names)
				if customer
			)
			sales |= {(doctype, name): of_sale.get(name) for name in names if of_sale.get(name)}
	return sales


def _sales_by_text(serials: dict[str, str | None]) -> dict[str, tuple[Sale | None, str | None]]:
	"""Return (sale, reason) of serial numbers, {name: item}, that the text field of a sale or a return names.

	Queries: for each DocType of sales, two of its lines and packed items, and one of what was found there; and one where
	serial numbers have nothing but a space between them.
	"""
	wanted = ByName(serials)
	items = list({item for item in serials.values() if item})
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
					last[name] = (
						moment,
						sale.is_return,
						Sale(sale.customer, doctype, sale.name, sale.posting_date),
					)
	return {
		name: (None, Reason.RETURNED) if is_return else (sale, None)
		for name, (_moment, is_return, sale) in last.items()
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
	for line in lines_of(doctype):
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


def lines_of(doctype: str) -> list:
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


def sold(
	customers: Iterable[str],
	items: Iterable[str],
	since: date,
	also: Callable[..., Criterion] | None = None,
) -> list[tuple[str, date, str]]:
	"""Return (customer, posting date, serial number) of what sales posted since a day have moved to these customers, for
	serial numbers of these items; `last_sales` says whether they still have it. Names as the sales write them.

	also: takes the table Serial No and returns which of its rows are wanted whenever they were sold. At most 3 queries.
	"""
	customers, items = list(customers), list(items)
	if not customers or not items:
		return []
	# Each sale is looked up once, for most of a customer's are too old.
	sales = {
		(doctype, name): (customer, posting_date)
		for doctype, name, customer, posting_date in long_lists.run(
			all_of(_sales_since(doctype, None if also else since) for doctype in erpnext_schema.sales()),
			customers=customers,
		)
	}
	recent = {name for (_doctype, name), (_customer, posting_date) in sales.items() if posting_date >= since}
	if not recent:
		return []
	given = {"items": items, "recent": recent, "sales": {name for _doctype, name in sales}}
	found = [
		(*sales[voucher_type, voucher_no], name)
		for voucher_type, voucher_no, name in long_lists.run(_moved(also), **given)
		if (voucher_type, voucher_no) in sales
	]
	written = [_written(doctype, line) for doctype in erpnext_schema.sales() for line in lines_of(doctype)]
	for doctype, parent, text in long_lists.run(all_of(written), **given):
		if (doctype, parent) in sales:
			names = {name for part in serial_numbers(text) for name in (part, *part.split())}
			found += [(*sales[doctype, parent], name) for name in names]
	return found


def all_of(queries: Iterable):
	"""Return one query of the rows of several."""
	first, *others = queries
	for other in others:
		first = first.union_all(other)
	return first


def _sales_since(doctype: str, since: date | None):
	"""Return a query of the submitted sales of a DocType to the customers that it is given; see `sold`."""
	sale = frappe.qb.DocType(doctype)
	query = (
		frappe.qb.from_(sale)
		.select(ValueWrapper(doctype), sale.name, sale.customer, sale.posting_date)
		.where(long_lists.among(sale.customer, "customers"))
		.where((sale.docstatus == 1) & (sale.is_return == 0))
	)
	return query.where(sale.posting_date >= since) if since else query


def _moved(also: Callable[..., Criterion] | None):
	"""Return a query of what the bundles of the sales that it is given have moved; see `sold`."""
	query, bundle, entry = bundled()
	query = (
		query.select(bundle.voucher_type, bundle.voucher_no, entry.serial_no)
		.where(long_lists.among(bundle.voucher_no, "sales"))
		.where(bundle.voucher_type.isin(erpnext_schema.sales()))
		.where(long_lists.among(bundle.item_code, "items"))
		.where(entry.serial_no != "")
	)
	if not also:
		return query
	serial = frappe.qb.DocType(erpnext_schema.SERIAL_NO)
	query = query.join(serial).on(serial.name == entry.serial_no)
	return query.where(long_lists.among(bundle.voucher_no, "recent") | also(serial))


def _written(doctype: str, line):
	"""Return a query of the texts in those lines of sales of a DocType that have no bundle; see `sold`."""
	query = (
		frappe.qb.from_(line)
		.select(ValueWrapper(doctype), line.parent, line.serial_no)
		.where(long_lists.among(line.parent, "sales") & (line.parenttype == doctype))
		.where(long_lists.among(line.item_code, "items"))
		.where(line.serial_no != "")
	)
	return without_bundle(query, line)


def without_bundle(query, line):
	"""Return a query of the lines of sales that have no bundle: what has one is found by that."""
	if erpnext_schema.has(line.get_table_name().removeprefix("tab"), erpnext_schema.BUNDLE_OF_LINE):
		query = query.where(IfNull(line[erpnext_schema.BUNDLE_OF_LINE], "") == "")
	return query


def sold_to(customers: Iterable[str]) -> list[str]:
	"""Return the serial numbers that were ever sold to these customers, the MOST_SOLD that were sold last; `owners` says
	whose they are today. As the sales write them. Queries: for each DocType of sales 1, and 1 for each table of its lines.
	"""
	customers, found = list(customers), []
	if not customers:
		return []
	bundle, entry = frappe.qb.DocType(erpnext_schema.BUNDLE), frappe.qb.DocType(ENTRY)
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
		for line in lines_of(doctype):
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
