"""Which DocTypes and fields of ERPNext are read, and what is done on a site that lacks one. Imports nothing of the engine.

ERPNext 15 and 16 differ, and so do sites. Nobody asks for a version: the meta says what there is. It is asked each
time, for Frappe keeps it and forgets it when a site is upgraded.
"""

import frappe
from frappe import _

SERIAL_NO = "Serial No"
COMPANY = "Company"
BUNDLE = "Serial and Batch Bundle"
# The field of a sale's line that names its bundle.
BUNDLE_OF_LINE = "serial_and_batch_bundle"
# What a till writes. Stock moves when it is closed, by a Sales Invoice for all of them.
TILL = "POS Invoice"
# What a serial number can be sold with.
SALES = ("Sales Invoice", "Delivery Note", TILL)

_SALE = ("customer", "is_return", "posting_date")
_LINE = ("item_code", "serial_no")
# By which batches are found that were sold before bundles.
_BATCH_OF_LINE = ("batch_no", "stock_qty", "qty")
# Without these nothing works: `missing` says which are not there.
NEEDED = {
	"Serial No": ("item_code", "company", "status"),
	"Serial and Batch Bundle": ("type_of_transaction", "voucher_type", "voucher_no", "is_cancelled"),
	"Serial and Batch Entry": ("serial_no",),
	"Sales Invoice": _SALE,
	"Sales Invoice Item": _LINE,
	"Delivery Note": _SALE,
	"Delivery Note Item": _LINE,
	"Customer": (
		"customer_name",
		"language",
		"disabled",
		"is_frozen",
		"email_id",
		"customer_primary_contact",
		"account_manager",
	),
	"Item": ("item_name", "item_group"),
	"Item Group": ("lft", "rgt"),
	"Company": ("country",),
}
# These are used where they are; the functions below say what happens without.
OPTIONAL = {
	"Serial No": ("customer",),
	"Serial and Batch Bundle": ("posting_datetime", "posting_date", "posting_time"),
	"POS Invoice": (*_SALE, "consolidated_invoice"),
	"POS Invoice Item": (*_LINE, *_BATCH_OF_LINE),
	"Packed Item": (*_LINE, "batch_no", "qty"),
	"Delivery Note Item": _BATCH_OF_LINE,
	"Contact": ("is_billing_contact",),
	"Company": ("company_logo", "website"),
	"Item": ("variant_of", "disabled", "end_of_life", "is_stock_item"),
	"Sales Invoice": ("due_date", "outstanding_amount", "update_stock", "return_against"),
	"Sales Invoice Item": ("sales_order", *_BATCH_OF_LINE),
	"Customer": ("customer_group",),
	"Customer Group": ("lft", "rgt"),
	# Without one of these its hold is not offered (holds/).
	"Issue": ("customer", "status"),
	"Warranty Claim": ("customer", "status"),
	"Dunning": ("customer", "status"),
	"Overdue Payment": ("sales_invoice",),
	"Sales Order": (
		*("customer", "status", "per_delivered", "per_billed", "skip_delivery_note"),
		*("currency", "party_account_currency", "advance_paid"),
		*("grand_total", "rounded_total", "base_grand_total", "base_rounded_total"),
	),
	"Bin": ("item_code", "warehouse", "actual_qty"),
	"Warehouse": ("company",),
}
# Serial No had it until ERPNext 14. Columns stay in the table when their fields go.
OF_ERPNEXT_14 = "delivery_document_no"


def has(doctype: str, field: str | None = None) -> bool:
	"""Say whether the site has a DocType, and this field of it. At most 1 query a request."""
	if not frappe.db.exists("DocType", doctype, cache=True):
		return False
	return not field or frappe.get_meta(doctype).has_field(field)


def has_owner() -> bool:
	"""Say whether Serial No names its customer, as in ERPNext 16. Where it does not, the last movement decides."""
	return has(SERIAL_NO, "customer")


def owner_is_kept() -> bool:
	"""Say whether the customer on Serial No, where there is one, is surely the owner of today.

	Not where the site comes from ERPNext 14: what 14 had written stood still in its column under 15, where the field was
	unknown, and is shown again by 16. There the last movement decides, and the column only where there is none.
	"""
	return has_owner() and not frappe.db.has_column(SERIAL_NO, OF_ERPNEXT_14)


def quantity_of(doctype: str) -> str:
	"""Return the field of a sale's lines that says how much of an item moves, in the unit in which it is kept, if there is one."""
	return "stock_qty" if has(doctype, "stock_qty") else "qty"


def sales() -> list[str]:
	"""Return the DocTypes by which a serial number can be sold on this site. POS Invoice is not on every one."""
	return [doctype for doctype in SALES if has(doctype)]


def moment_fields() -> list[str]:
	"""Return the fields that say when a bundle was posted: ERPNext joined the two into one during version 16."""
	for fields in (["posting_datetime"], ["posting_date", "posting_time"]):
		if all(has(BUNDLE, field) for field in fields):
			return fields
	# The order in which they were made is the next best.
	return []


def missing() -> list[str]:
	"""Return what the app cannot do without and the site has not: DocTypes, and fields as "DocType: field". 1 query,
	beside those of the metas."""
	there = set(
		frappe.get_all("DocType", filters={"name": ["in", list(NEEDED)]}, pluck="name", order_by="name asc")
	)
	found = []
	for doctype, fields in NEEDED.items():
		if doctype not in there:
			found.append(doctype)
			continue
		meta = frappe.get_meta(doctype)
		found += [f"{doctype}: {field}" for field in fields if not meta.has_field(field)]
	return found


def complaint() -> str | None:
	"""Return what to say about what is missing, or None when all is there."""
	if absent := missing():
		return _(
			"This ERPNext lacks {0}. No message can be sent without it. Use ERPNext 15 or 16, and run bench migrate."
		).format(", ".join(absent))
	return None
