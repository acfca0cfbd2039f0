import frappe
from erpnext.selling.totals import set_totals
from frappe import _
from frappe.model.document import Document
from frappe.utils import flt, getdate, nowdate


class SalesOrder(Document):
	def validate(self):
		self.transaction_date = self.transaction_date or nowdate()
		self.delivery_status = self.delivery_status or "Not Delivered"
		for line in self.items:
			line.delivery_date = line.delivery_date or self.delivery_date
		dates = [getdate(line.delivery_date) for line in self.items if line.delivery_date]
		if not dates:
			frappe.throw(_("Please enter a delivery date."))
		self.delivery_date = max(dates)
		if min(dates) < getdate(self.transaction_date):
			frappe.throw(_("The delivery date is before that of the order."))
		set_totals(self)

	def on_submit(self):
		self.set_status()
		self._set_status_of_quotations()

	def on_cancel(self):
		self.set_status()
		self._set_status_of_quotations()

	def set_status(self) -> None:
		"""Set the status that follows from what is delivered and billed."""
		self.db_set("status", self._status(), update_modified=False)

	def _status(self) -> str:
		if self.docstatus == 2:
			return "Cancelled"
		delivered, billed = flt(self.per_delivered) >= 100, flt(self.per_billed) >= 100
		if delivered and billed:
			return "Completed"
		if delivered:
			return "To Bill"
		return "To Deliver" if billed else "To Deliver and Bill"

	def _set_status_of_quotations(self) -> None:
		for name in {line.prevdoc_docname for line in self.items if line.prevdoc_docname}:
			frappe.get_doc("Quotation", name).set_status()
