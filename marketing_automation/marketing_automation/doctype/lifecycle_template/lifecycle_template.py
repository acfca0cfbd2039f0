from frappe.model.document import Document


class LifecycleTemplate(Document):
	"""An Email Template that marketers may edit; written by template_rights.py alone."""
