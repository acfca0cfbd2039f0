import frappe
from frappe import _
from frappe.model.document import Document

from marketing_automation.lifecycle import refuse_rename


class LifecycleSuppression(Document):
	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		address: DF.Data | None
		address_until: DF.Date | None
		channel: DF.Literal["Email"]
		code: DF.Data | None
		counted: DF.SmallText | None
		expires_at: DF.Datetime | None
		last_at: DF.Datetime | None
		lift_reason: DF.SmallText | None
		lifted_at: DF.Datetime | None
		lifted_by: DF.Link | None
		message: DF.Link | None
		message_id: DF.Data | None
		reason: DF.Literal["", "Hard bounce", "Soft bounces", "Complaint", "Imported", "By hand"]
		since: DF.Datetime | None
		soft_bounces: DF.Int
		source: DF.Literal["", "Sending", "Bounce message", "Complaint", "Import", "By hand"]
		status: DF.Literal["Counting", "Suppressed", "Expired", "Lifted"]
		words: DF.SmallText | None
	# end: auto-generated types

	"""An address that gets nothing; written by engine/suppression.py alone."""

	def validate(self):
		frappe.throw(
			_(
				"The suppression list is not written by hand, for its entries are known by a hash. Use Add Addresses in its list, or Lift in an entry."
			),
			frappe.PermissionError,
			title=_("Read Only"),
		)

	def after_rename(self, old: str, new: str, merge: bool = False):
		refuse_rename(self)

	def on_trash(self):
		frappe.throw(
			_(
				"An entry of the suppression list cannot be deleted. Lift it: then it is known who did it and why."
			),
			frappe.PermissionError,
			title=_("Cannot Delete"),
		)
