import frappe
from frappe import _
from frappe.model.document import Document
from frappe.utils import nowdate


class MaintenanceSchedule(Document):
	def validate(self):
		self.transaction_date = self.transaction_date or nowdate()
		if len(self.schedules) != sum(line.no_of_visits for line in self.items):
			frappe.throw(_("There has to be a date for each visit."))

	def on_submit(self):
		self.db_set("status", "Submitted", update_modified=False)

	def on_cancel(self):
		self.db_set("status", "Cancelled", update_modified=False)
