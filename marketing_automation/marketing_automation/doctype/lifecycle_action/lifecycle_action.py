import frappe
from frappe import _
from frappe.model.document import Document

from marketing_automation.engine.channels import channel_for
from marketing_automation.lifecycle import (
	only_switched_off,
	read_numbers,
	refuse_deletion_if_used,
	set_active_since,
)

WORKS_BY = ("trigger", "action_type", "email_template", "translations")


class LifecycleAction(Document):
	def validate(self):
		read_numbers(self, "enabled")
		self.campaign = frappe.db.get_value("Lifecycle Trigger", self.trigger, "campaign")
		if not only_switched_off(self, WORKS_BY):
			channel_for(self.action_type).validate(self)
		set_active_since(self, "enabled")

	def on_trash(self):
		refuse_deletion_if_used(self, "action", _("Enabled"))
