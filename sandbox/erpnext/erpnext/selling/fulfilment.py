"""How much of an order is delivered and billed, once a delivery note or an invoice of it is submitted or cancelled."""

import frappe
from frappe.utils import flt

# {DocType of what fulfils an order: (the field of its lines that names the order, what is counted, the share of the order)}
FULFILS = {
	"Delivery Note": ("against_sales_order", "qty", "per_delivered"),
	"Sales Invoice": ("sales_order", "amount", "per_billed"),
}


def update_orders(doc) -> None:
	"""Set the shares and the status of the orders that the lines of a document name."""
	link, counted, share = FULFILS[doc.doctype]
	for name in {line.get(link) for line in doc.items if line.get(link)}:
		order = frappe.get_doc("Sales Order", name)
		whole = sum(flt(line.get(counted)) for line in order.items)
		lines = frappe.get_all(f"{doc.doctype} Item", filters={link: name, "docstatus": 1}, pluck=counted)
		order.db_set(share, 100 * sum(lines) / whole if whole else 0, update_modified=False)
		order.set_status()
