from frappe.model.document import Document


class Dunning(Document):
	def on_cancel(self):
		self.db_set("status", "Cancelled", update_modified=False)
