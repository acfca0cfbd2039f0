import frappe
from frappe import _
from frappe.model.document import Document

from marketing_automation.engine.channels import channel_for
from marketing_automation.lifecycle import read_numbers, refuse_deletion_if_used, set_active_since


class LifecycleAction(Document):
	def validate(self):
		read_numbers(self, "enabled")
		self.campaign = frappe.db.get_value("Lifecycle Trigger", self.trigger, "campaign")
		campaign = frappe.db.get_value(
			"Lifecycle Campaign", self.campaign, ["name", "combine_messages"], as_dict=True
		)
		# Without one Frappe says what is missing, after this.
		channel_for(self.action_type).validate(self, campaign or frappe._dict())
		set_active_since(self, "enabled")

	def on_trash(self):
		refuse_deletion_if_used(self, "action", _("Enabled"))
