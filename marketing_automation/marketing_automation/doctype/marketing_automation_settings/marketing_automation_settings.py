import frappe
from frappe import _
from frappe.model.document import Document

LIMITS = {"catch_up_nights": (0, 365), "chunk_size": (1, 5000), "resume_after_minutes": (5, 1440)}


class MarketingAutomationSettings(Document):
	def validate(self):
		for field, (lowest, highest) in LIMITS.items():
			if not lowest <= (self.get(field) or 0) <= highest:
				frappe.throw(
					_("{0} must be between {1} and {2}.").format(
						frappe.bold(_(self.meta.get_label(field))), lowest, highest
					),
					title=_("Value Out Of Range"),
				)
