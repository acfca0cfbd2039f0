from frappe.model.document import Document


class Batch(Document):
	pass
