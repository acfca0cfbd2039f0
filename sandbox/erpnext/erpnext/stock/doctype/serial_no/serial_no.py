from frappe.model.document import Document


class SerialNo(Document):
	pass
