import frappe
from frappe import _
from frappe.model.document import Document

from marketing_automation.engine import retention
from marketing_automation.engine.model import COMPLETED, PENDING, QUEUED


class LifecycleExecutionLog(Document):
	def validate(self):
		frappe.throw(
			_("The message log is written by the campaigns themselves and cannot be changed by hand."),
			frappe.PermissionError,
			title=_("Read Only"),
		)

	def on_trash(self):
		if self.status in (PENDING, QUEUED, COMPLETED):
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


def on_doctype_update():
	"""Index what the engine and the lists ask for; the keys' unique indexes are in the DocType itself."""
	for fields in (
		["status", "modified"],
		["run", "status", "campaign", "customer"],
		["campaign", "status"],
		["trigger", "status"],
		["action", "status"],
		["due_on", "action", "status"],
		["customer"],
		["recipient"],
		["email_queue"],
		["reference_name", "occurrence_date"],
	):
		# Quoted: trigger is a reserved word of SQL.
		frappe.db.add_index(
			"Lifecycle Execution Log", [f"`{field}`" for field in fields], "_".join([*fields, "index"])
		)
