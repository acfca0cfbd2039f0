import frappe
from frappe import _
from frappe.model.document import Document
from frappe.utils import add_days, add_to_date, getdate, nowdate

UNITS = {"Day": "days", "Week": "weeks", "Month": "months", "Year": "years"}


class Subscription(Document):
	def before_insert(self):
		self.start_date = self.start_date or nowdate()
		trial = self.trial_period_end and getdate(self.trial_period_end) > getdate(self.start_date)
		self.current_invoice_start = add_days(self.trial_period_end, 1) if trial else self.start_date
		ends = self._end_of_period(self.current_invoice_start)
		self.current_invoice_end = min(ends, getdate(self.end_date)) if self.end_date else ends

	def validate(self):
		if self.end_date and getdate(self.end_date) <= self._end_of_period(self.start_date):
			frappe.throw(_("The subscription ends within its first period."))
		if self.is_new():
			self.status = self._status()

	def _end_of_period(self, start):
		plan = frappe.get_cached_doc("Subscription Plan", self.plans[0].plan)
		length = {UNITS[plan.billing_interval]: plan.billing_interval_count}
		return getdate(add_days(add_to_date(start, **length), -1))

	def _status(self) -> str:
		if self.trial_period_end and getdate(self.trial_period_end) >= getdate():
			# Version 16 spells it as the first.
			return next(
				option for option in self.meta.get_options("status").split("\n") if option.startswith("Trial")
			)
		return "Active"
