import frappe
from frappe import _
from frappe.model.document import Document

from marketing_automation.engine import ledger, retention
from marketing_automation.engine.channel import channel_for, is_served
from marketing_automation.engine.model import COMPLETED, OPEN
from marketing_automation.lifecycle import refuse_rename


class LifecycleExecutionLog(Document):
	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		action: DF.Link | None
		attempts: DF.Int
		basis: DF.Literal["", "Existing customer", "Opt-in", "Service"]
		campaign: DF.Link | None
		channel: DF.Data | None
		company: DF.Link | None
		customer: DF.Link | None
		due_at: DF.Datetime | None
		due_on: DF.Date | None
		error: DF.Code | None
		evidence_doctype: DF.Link | None
		evidence_name: DF.DynamicLink | None
		executed_at: DF.Datetime | None
		handle: DF.Data | None
		item_code: DF.Link | None
		message_key: DF.Data | None
		next_attempt_at: DF.Datetime | None
		occurrence_date: DF.Date | None
		provider_id: DF.Data | None
		reason: DF.Literal[
			"",
			"No customer",
			"Returned",
			"Customer not found",
			"Customer disabled",
			"Customer frozen",
			"No e-mail address",
			"Invalid e-mail address",
			"No account manager",
			"Unsubscribed",
			"Already sent",
			"Missed",
			"Date passed",
			"Date changed",
			"Owner changed",
			"Not found",
			"Campaign inactive",
			"Template error",
			"Sending failed",
			"Outcome unknown",
			"Outside campaign dates",
			"No longer matches",
			"Trigger broken",
			"Goal reached",
			"Suppressed",
			"No basis",
			"Frequency cap",
			"Outside send window",
			"On hold",
			"Paused by recipient",
			"Warm-up",
			"Check failed",
			"Bounced",
			"Complained",
			"Sender refused",
			"Attachment failed",
		]
		recipient: DF.Data | None
		reference_doctype: DF.Link | None
		reference_name: DF.DynamicLink | None
		run: DF.Link | None
		status: DF.Literal["Pending", "Waiting", "Queued", "Completed", "Failed", "Skipped", "Cancelled"]
		suppression_key: DF.Data | None
		trigger: DF.Link | None
	# end: auto-generated types

	def onload(self):
		"""Tell the form of which DocType the handle is, so that it can lead there."""
		if is_served(self.channel):
			self.set_onload("handle_doctype", channel_for(self.channel).HANDLE_DOCTYPE)

	def validate(self):
		frappe.throw(
			_("The message log is written by the campaigns themselves and cannot be changed by hand."),
			frappe.PermissionError,
			title=_("Read Only"),
		)

	def after_rename(self, old: str, new: str, merge: bool = False):
		refuse_rename(self)

	def on_trash(self):
		"""Keep what was sent, may have been sent, or is about to be; what was never tried can go."""
		if self.status in (*OPEN, COMPLETED) or self.attempts or self.handle:
			frappe.throw(
				_(
					"This row is what keeps {0} from getting the same message again. It cannot be deleted."
				).format(frappe.bold(frappe.utils.escape_html(self.customer or self.reference_name))),
				frappe.LinkExistsError,
				title=_("Cannot Delete"),
			)

	@staticmethod
	def clear_old_logs(days: int = 730) -> None:
		"""Called every day by Log Settings with the days that are set there."""
		retention.clear(days)


# Besides those of single fields (`search_index` in the DocType). Each index costs every message of every night.
# Names sort by time, so a list with one of the standard filters is read from an index in the order that it is shown.
INDEXES = (
	# Sharing out a run in the order of its customers; its counts. Not its list: that wants the order of names.
	("run", "status", "campaign", "customer"),
	# The journey's numbers.
	("action", "status"),
	# The reports, the number cards, and clearing old rows.
	("due_on", "action", "status"),
	# Why? A pin that is renewed every year has its past years in the ledger, too.
	("reference_name", "occurrence_date"),
)
# Frappe gives each table one of them for its list. This list is sorted by name.
FRAPPES_INDEXES = ("modified", "creation")


def on_doctype_update():
	"""Make the indexes, and drop those that Frappe makes with the table."""
	for fields in INDEXES:
		frappe.db.add_index("Lifecycle Execution Log", list(fields), "_".join([*fields, "index"]))
	ledger.drop_indexes(FRAPPES_INDEXES)
