import frappe
from frappe import _
from frappe.model.document import Document
from frappe.utils import getdate


class Contract(Document):
	def autoname(self):
		# ERPNext 16 numbers them; 15 names them after their party and template.
		if not self.meta.autoname:
			name = (
				f"{self.party_name} - {self.contract_template}" if self.contract_template else self.party_name
			)
			same = frappe.db.count("Contract", {"name": ["like", f"{name}%"]})
			self.name = f"{name} - {same}" if same else name

	def validate(self):
		if self.end_date and getdate(self.end_date) < getdate(self.start_date):
			frappe.throw(_("The contract ends before it begins."))
		self.status = self._status()

	def _status(self) -> str:
		if not self.is_signed:
			return "Unsigned"
		ended = self.end_date and getdate(self.end_date) < getdate()
		return "Inactive" if ended or getdate(self.start_date) > getdate() else "Active"
