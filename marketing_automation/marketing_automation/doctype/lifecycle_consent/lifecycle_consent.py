import frappe
from frappe import _
from frappe.model.document import Document

from marketing_automation.lifecycle import refuse_rename


class LifecycleConsent(Document):
	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		address: DF.Data | None
		address_key: DF.Data | None
		asked_by: DF.Link | None
		campaign: DF.Link | None
		contact: DF.Link | None
		days: DF.Int
		kind: DF.Literal["Asked", "Given", "Withdrawn", "Paused", "Less often"]
		message: DF.Link | None
		messages: DF.Int
		occurred_at: DF.Datetime | None
		paused_until: DF.Datetime | None
		source: DF.Literal["One click", "Preference page", "Mail", "Complaint", "Double opt-in", "By hand"]
		text: DF.SmallText | None
		topic: DF.Link | None
	# end: auto-generated types

	def validate(self):
		"""Refuse whatever the engine has not written (`consent.record`): this is the proof, and only grows."""
		if not self.is_new() or not self.flags.said:
			self._refuse()

	def before_rename(self, old: str, new: str, merge: bool = False):
		refuse_rename(self)

	def after_rename(self, old: str, new: str, merge: bool = False):
		refuse_rename(self)

	def on_trash(self):
		self._refuse()

	def _refuse(self):
		frappe.throw(
			_(
				"What people have said about our messages is kept as they said it. It cannot be changed or deleted."
			),
			frappe.PermissionError,
			title=_("Read Only"),
		)
