from frappe.model.document import Document


class POSInvoiceItem(Document):
	pass
