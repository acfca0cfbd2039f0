import frappe
from erpnext.selling.fulfilment import update_orders
from erpnext.selling.totals import set_totals
from erpnext.stock import sale
from frappe import _
from frappe.model.document import Document
from frappe.utils import getdate, nowdate, nowtime


class SalesInvoice(Document):
	def validate(self):
		if not self.set_posting_time:
			self.posting_date, self.posting_time = nowdate(), nowtime()
		self.posting_date = getdate(self.posting_date)
		self.due_date = getdate(self.due_date or self.posting_date)
		if self.due_date < self.posting_date:
			frappe.throw(_("The due date is before the posting date."))
		set_totals(self)
		self.party_account_currency = self.currency
		self.outstanding_amount = self.grand_total

	def on_submit(self):
		if self.update_stock:
			sale.submit(self)
		self.set_status()
		update_orders(self)

	def on_cancel(self):
		self.ignore_linked_doctypes = ("Serial and Batch Bundle",)
		if self.update_stock:
			sale.cancel(self)
		self.set_status()
		update_orders(self)

	def pay(self, amount: float) -> None:
		"""Book a payment. As in ERPNext no document event of the invoice fires."""
		self.db_set("outstanding_amount", self.outstanding_amount - amount, update_modified=False)
		self.set_status()

	def set_status(self) -> None:
		"""Set the status that follows from what is still to be paid, and until when."""
		self.db_set("status", self._status(), update_modified=False)

	def _status(self) -> str:
		if self.docstatus == 2:
			return "Cancelled"
		if self.is_return:
			return "Return"
		if self.outstanding_amount <= 0:
			return "Paid"
		if getdate(self.due_date) < getdate():
			return "Overdue"
		return "Partly Paid" if self.outstanding_amount < self.grand_total else "Unpaid"
