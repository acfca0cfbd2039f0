import frappe
from frappe import _
from frappe.model.document import Document

from marketing_automation.engine.channel import channel_for
from marketing_automation.engine.language import of_the_site
from marketing_automation.lifecycle import (
	only_switched_off,
	read_numbers,
	refuse_change_of_service,
	refuse_deletion_if_used,
	refuse_merge,
	refuse_rename,
	set_active_since,
)

WORKS_BY = (
	*("trigger", "action_type", "email_template", "preview_text", "translations", "language"),
	*("assign_to", "user", "due_in_days", "webhook_url", "webhook_secret", "attach_print", "print_format"),
)


class LifecycleAction(Document):
	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		from marketing_automation.marketing_automation.doctype.lifecycle_action_translation.lifecycle_action_translation import (
			LifecycleActionTranslation,
		)

		action_name: DF.Data
		action_type: DF.Autocomplete
		active_since: DF.Datetime | None
		assign_to: DF.Literal["Account Manager", "User"]
		attach_print: DF.Check
		campaign: DF.Link | None
		due_in_days: DF.Int
		email_template: DF.Link | None
		enabled: DF.Check
		language: DF.Link | None
		preview_text: DF.Data | None
		print_format: DF.Link | None
		translations: DF.Table[LifecycleActionTranslation]
		trigger: DF.Link
		user: DF.Link | None
		webhook_secret: DF.Password | None
		webhook_url: DF.Data | None
	# end: auto-generated types

	def validate(self):
		read_numbers(self, "enabled", "due_in_days", "attach_print")
		self.campaign = frappe.db.get_value("Lifecycle Trigger", self.trigger, "campaign")
		before = self.get_doc_before_save() or self
		refuse_change_of_service(self, WORKS_BY, self.campaign, before.campaign)
		if self.is_new() and not self.language:
			self.language = of_the_site()
		if not only_switched_off(self, WORKS_BY):
			campaign = frappe.db.get_value(
				"Lifecycle Campaign", self.campaign, ["name", "combine_messages"], as_dict=True
			)
			# Without one Frappe says what is missing, after this.
			channel_for(self.action_type).validate(self, campaign or frappe._dict())
		set_active_since(self, "enabled")

	def before_rename(self, old: str, new: str, merge: bool = False):
		refuse_merge(self, merge)

	def after_rename(self, old: str, new: str, merge: bool = False):
		refuse_rename(self)

	def on_trash(self):
		refuse_deletion_if_used(self, "action", _("Enabled"))
