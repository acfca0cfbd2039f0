import frappe
from frappe import _
from frappe.model.document import Document

from marketing_automation.engine import consent
from marketing_automation.lifecycle import read_numbers, refuse_merge

# Of these types is a field that can say yes: a tick, or the day on which somebody has agreed.
SAYS_YES = ("Check", "Date", "Datetime")


class LifecycleTopic(Document):
	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		from marketing_automation.marketing_automation.doctype.lifecycle_topic_group.lifecycle_topic_group import (
			LifecycleTopicGroup,
		)

		consent_field: DF.Autocomplete | None
		consent_text: DF.SmallText | None
		description: DF.SmallText | None
		disabled: DF.Check
		email_groups: DF.Table[LifecycleTopicGroup]
		is_default: DF.Check
		is_service: DF.Check
		topic_name: DF.Data
	# end: auto-generated types

	def onload(self):
		"""Tell the form which fields of Contact can say that somebody has agreed."""
		self.set_onload("fields_that_say_yes", fields_that_say_yes())

	def validate(self):
		read_numbers(self, "is_default", "is_service", "disabled")
		self.validate_groups()
		self.validate_proof()
		self.validate_default()

	def validate_groups(self):
		seen = set()
		for row in self.email_groups:
			if row.email_group in seen:
				frappe.throw(
					_("The Email Group {0} stands here twice. Remove one of the rows.").format(
						frappe.bold(frappe.utils.escape_html(row.email_group))
					),
					title=_("Group Twice"),
				)
			seen.add(row.email_group)

	def validate_proof(self):
		"""Refuse a field of Contact that is not there, or cannot say yes, and a proof without its words."""
		fields = fields_that_say_yes()
		if self.consent_field and self.consent_field not in {field["value"] for field in fields}:
			frappe.throw(
				_("Contact has no tick box or date called {0}. Those that it has: {1}.").format(
					frappe.bold(frappe.utils.escape_html(self.consent_field)),
					", ".join(field["value"] for field in fields) or _("none", context="Lifecycle"),
				),
				title=_("No Such Field"),
			)
		if (self.consent_field or any(row.members_agreed for row in self.email_groups)) and not (
			self.consent_text or ""
		).strip():
			frappe.throw(
				_(
					"Write down what people agreed to, and where they read it. Without that it proves nothing."
				),
				title=_("Words Missing"),
			)

	def validate_default(self):
		"""Keep one topic for new campaigns: another one takes its place, and it cannot just go."""
		before = self.get_doc_before_save()
		if self.is_default and self.disabled:
			frappe.throw(
				_("New campaigns belong to this topic. Choose another one for them before you disable it."),
				title=_("Topic of New Campaigns"),
			)
		if before and before.is_default and not self.is_default:
			frappe.throw(
				_(
					"New campaigns need a topic. Tick {0} at another one, and it takes the place of this."
				).format(frappe.bold(_(self.meta.get_label("is_default")))),
				title=_("Topic of New Campaigns"),
			)

	def on_update(self):
		if self.is_default:
			frappe.db.set_value(self.doctype, {"is_default": 1, "name": ["!=", self.name]}, "is_default", 0)

	def before_rename(self, old: str, new: str, merge: bool = False):
		refuse_merge(self, merge)

	def after_rename(self, old: str, new: str, merge: bool = False):
		refuse_merge(self, merge)

	def on_trash(self):
		"""Keep what people have said something about, and what campaigns belong to."""
		used = frappe.db.exists(consent.DOCTYPE, {"topic": self.name}) or frappe.db.exists(
			consent.CAMPAIGN, {"topic": self.name}
		)
		if used or self.is_default:
			frappe.throw(
				_(
					"{0} cannot be deleted: campaigns belong to it, or people have said whether they want it. Disable it instead."
				).format(frappe.bold(frappe.utils.escape_html(self.name))),
				frappe.LinkExistsError,
				title=_("Cannot Delete"),
			)


def fields_that_say_yes() -> list[dict]:
	"""Return the fields of Contact that can say that somebody has agreed: [{"value", "label"}]. No query.

	Frappe's own tick "Unsubscribed" says the opposite.
	"""
	return [
		{"value": field.fieldname, "label": _(field.label)}
		for field in frappe.get_meta("Contact").fields
		if field.fieldtype in SAYS_YES
		and not field.permlevel
		and field.fieldname
		not in (
			"unsubscribed",
			"is_primary_contact",
			"is_billing_contact",
			"sync_with_google_contacts",
			"pulled_from_google_contacts",
		)
	]
