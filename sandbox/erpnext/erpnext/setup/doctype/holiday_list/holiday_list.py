from frappe.model.document import Document


class HolidayList(Document):
	pass
