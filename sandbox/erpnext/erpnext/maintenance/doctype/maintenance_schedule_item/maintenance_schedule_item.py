from frappe.model.document import Document


class MaintenanceScheduleItem(Document):
	pass
