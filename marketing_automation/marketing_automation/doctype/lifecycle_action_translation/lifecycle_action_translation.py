from frappe.model.document import Document


class LifecycleActionTranslation(Document):
	pass
