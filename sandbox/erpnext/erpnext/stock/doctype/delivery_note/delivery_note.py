from erpnext.selling.fulfilment import update_orders
from erpnext.stock import sale
from frappe.model.document import Document
from frappe.utils import getdate, nowdate, nowtime


class DeliveryNote(Document):
	def validate(self):
		if not self.set_posting_time:
			self.posting_date, self.posting_time = nowdate(), nowtime()
		self.posting_date = getdate(self.posting_date)

	def on_submit(self):
		sale.submit(self)
		update_orders(self)

	def on_cancel(self):
		self.ignore_linked_doctypes = ("Serial and Batch Bundle",)
		sale.cancel(self)
		update_orders(self)
