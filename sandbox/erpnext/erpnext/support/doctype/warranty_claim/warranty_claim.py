from frappe.model.document import Document


class WarrantyClaim(Document):
	pass
