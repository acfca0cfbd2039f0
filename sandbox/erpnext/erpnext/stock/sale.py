"""What a sale, a return and a cancellation do to serial numbers and batches. As in ERPNext this is done by query: no document
event fires on Serial No, and its `modified` stays as it was.
"""

import frappe
from frappe import _
from frappe.utils import add_days, cint


def serial_numbers(text: str | None) -> list[str]:
	"""Return the serial numbers of a text field."""
	return [name.strip() for name in (text or "").replace(",", "\n").split("\n") if name.strip()]


def submit(doc) -> None:
	"""Move what a submitted sale has sold out, or what a return brings back in, with a bundle for each line."""
	for line in make_bundles(doc):
		if names := serial_numbers(line.serial_no):
			move(names, doc, line.item_code, outward=not doc.is_return)


def cancel(doc) -> None:
	"""Take the movements of a cancelled document back."""
	cancel_bundles(doc)
	for line in _lines(doc):
		if names := serial_numbers(line.serial_no):
			move(names, doc, line.item_code, outward=bool(doc.is_return))


def make_bundles(doc) -> list:
	"""Make the bundles of a submitted sale or return; return the lines that have one."""
	lines = _lines(doc)
	for line in lines:
		names = serial_numbers(line.serial_no)
		_refuse_what_is_elsewhere(doc, names)
		line.db_set("serial_and_batch_bundle", _bundle(doc, line, names), update_modified=False)
	return lines


def cancel_bundles(doc) -> None:
	"""Mark the bundles of a document as cancelled."""
	bundles = frappe.get_all(
		"Serial and Batch Bundle",
		filters={"voucher_type": doc.doctype, "voucher_no": doc.name, "is_cancelled": 0},
		pluck="name",
	)
	frappe.db.set_value(
		"Serial and Batch Bundle",
		{"name": ["in", bundles]},
		{"is_cancelled": 1, "docstatus": 2},
		update_modified=False,
	)


def _lines(doc) -> list:
	lines = (*doc.items, *doc.packed_items)
	return [line for line in lines if serial_numbers(line.serial_no) or line.batch_no]


def move(names: list[str], doc, item_code: str, outward: bool) -> None:
	"""Set what a movement decides on Serial No: status, warranty and, in the shape of 16, customer."""
	values = {"status": "Active", "warranty_expiry_date": None, "warranty_period": 0}
	if outward:
		days = cint(frappe.get_cached_value("Item", item_code, "warranty_period"))
		values = {"status": "Delivered"}
		if days:
			values |= {"warranty_expiry_date": add_days(doc.posting_date, days), "warranty_period": days}
	if frappe.get_meta("Serial No").has_field("customer"):
		values["customer"] = doc.customer if outward else None
	frappe.db.set_value("Serial No", {"name": ["in", names]}, values, update_modified=False)


def _refuse_what_is_elsewhere(doc, names: list[str]) -> None:
	# Of what goes back to the till nothing has moved before it is closed.
	wanted = "Delivered" if doc.is_return and doc.doctype != "POS Invoice" else "Active"
	there = set(frappe.get_all("Serial No", filters={"name": ["in", names], "status": wanted}, pluck="name"))
	if absent := [name for name in names if name not in there]:
		frappe.throw(_("Serial numbers that are not {0}: {1}").format(wanted, ", ".join(absent)))


def _bundle(doc, line, names: list[str]) -> str:
	outward = not doc.is_return
	sign = -1 if outward else 1
	qty = len(names) or abs(line.qty)
	entries = [{"serial_no": name, "qty": sign} for name in names] or [{"qty": sign * qty}]
	bundle = frappe.new_doc("Serial and Batch Bundle")
	bundle.update(
		{
			"company": doc.company,
			"item_code": line.item_code,
			"has_serial_no": bool(names),
			"has_batch_no": bool(line.batch_no),
			"type_of_transaction": "Outward" if outward else "Inward",
			"voucher_type": doc.doctype,
			"voucher_no": doc.name,
			"voucher_detail_no": line.name,
			"posting_date": doc.posting_date,
			"posting_time": doc.posting_time,
			"total_qty": sign * qty,
			"entries": [{**entry, "batch_no": line.batch_no, "is_outward": outward} for entry in entries],
		}
	)
	bundle.flags.ignore_permissions = True
	bundle.submit()
	return bundle.name
