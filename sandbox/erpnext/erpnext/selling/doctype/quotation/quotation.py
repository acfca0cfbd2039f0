import frappe
from erpnext.selling.totals import set_totals
from frappe import _
from frappe.model.document import Document
from frappe.utils import getdate, nowdate


class Quotation(Document):
	def validate(self):
		self.transaction_date = self.transaction_date or nowdate()
		if self.valid_till and getdate(self.valid_till) < getdate(self.transaction_date):
			frappe.throw(_("The quotation runs out before its own date."))
		if self.quotation_to == "Customer":
			self.customer_name = frappe.db.get_value("Customer", self.party_name, "customer_name")
		set_totals(self)

	def on_submit(self):
		self.set_status()

	def on_cancel(self):
		self.set_status()

	def set_status(self) -> None:
		"""Set the status that follows from what was ordered of it."""
		self.db_set("status", self._status(), update_modified=False)

	def _status(self) -> str:
		if self.docstatus == 2:
			return "Cancelled"
		ordered = frappe.get_all(
			"Sales Order Item",
			filters={"prevdoc_docname": self.name, "docstatus": 1},
			fields=["quotation_item", "qty"],
		)
		if not ordered:
			return "Open"
		left = {line.name: line.qty for line in self.items}
		for line in ordered:
			left[line.quotation_item] -= line.qty
		return "Partially Ordered" if any(qty > 0 for qty in left.values()) else "Ordered"
