from frappe.model.document import Document


class Company(Document):
	pass
