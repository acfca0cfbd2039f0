from frappe.model.document import Document


class Contract(Document):
	pass
