import frappe
from frappe import _
from frappe.model.document import Document

from marketing_automation.channels import outbox
from marketing_automation.lifecycle import refuse_rename


class LifecycleOutbox(Document):
	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		action: DF.Link | None
		campaign: DF.Link | None
		channel: DF.Data | None
		error: DF.SmallText | None
		message_key: DF.Data | None
		payload: DF.Code | None
		provider_id: DF.Data | None
		repeats: DF.Check
		response: DF.SmallText | None
		response_code: DF.Int
		retry_after: DF.Int
		row_keys: DF.LongText | None
		status: DF.Literal["Waiting", "Sending", "Sent", "Failed"]
		temporary: DF.Check
	# end: auto-generated types

	def validate(self):
		frappe.throw(
			_("The outbox is written by the campaigns themselves and cannot be changed by hand."),
			frappe.PermissionError,
			title=_("Read Only"),
		)

	def after_rename(self, old: str, new: str, merge: bool = False):
		refuse_rename(self)

	@staticmethod
	def clear_old_logs(days: int = 30) -> None:
		"""Called every day by Log Settings with the days that are set there."""
		outbox.clear(days)
