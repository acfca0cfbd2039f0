import frappe
from frappe import _
from frappe.model.document import Document

from marketing_automation.engine import ledger
from marketing_automation.lifecycle import refuse_rename


class LifecycleRun(Document):
	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		campaign: DF.Link | None
		cancelled: DF.Int
		completed: DF.Int
		due: DF.Int
		duration: DF.Duration | None
		error: DF.Code | None
		failed: DF.Int
		finished_at: DF.Datetime | None
		known: DF.Int
		left_out: DF.LongText | None
		night: DF.Date | None
		overlaps: DF.LongText | None
		pending: DF.Int
		queued: DF.Int
		reopened: DF.Int
		run_type: DF.Literal["Scheduled", "Manual"]
		skipped: DF.Int
		started_at: DF.Datetime | None
		status: DF.Literal["Running", "Delivering", "Completed", "Failed", "Interrupted"]
		waiting: DF.Int
	# end: auto-generated types

	def validate(self):
		if not self.flags.by_engine:
			frappe.throw(
				_("A run writes its own record. It cannot be changed by hand."),
				frappe.PermissionError,
				title=_("Read Only"),
			)

	def after_rename(self, old: str, new: str, merge: bool = False):
		refuse_rename(self)

	def on_trash(self):
		if self.status not in ("Failed", "Interrupted"):
			frappe.throw(
				_(
					"This run is what keeps its night from being taken once more, also when the message log is cleared. It cannot be deleted."
				),
				frappe.LinkExistsError,
				title=_("Cannot Delete"),
			)
		if ledger.refers_to("run", self.name):
			frappe.throw(
				_("The message log refers to this run. It cannot be deleted."),
				frappe.LinkExistsError,
				title=_("Cannot Delete"),
			)
