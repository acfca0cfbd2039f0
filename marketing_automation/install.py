"""What happens when the app comes and goes. ERPNext's and Frappe's schema is not touched by either."""

import click
import frappe
from frappe.permissions import add_permission, reset_perms, update_permission_property
from frappe.utils import create_batch

from marketing_automation import erpnext_schema
from marketing_automation.hooks import default_log_clearing_doctypes

# What Frappe keeps about documents of any DocType, and the field in which that is named.
POINT_TO_DOCUMENTS = {
	"Comment": "reference_doctype",
	"DocShare": "share_doctype",
	"Notification Log": "document_type",
	"ToDo": "reference_type",
	"Version": "ref_doctype",
}
ROLES = ("Marketing Manager", "Marketing User")
# Marketers write the messages. Frappe grants that on Email Template to System Managers only.
TEMPLATE_PERMISSIONS = {
	"Marketing Manager": ("write", "create", "delete"),
	"Marketing User": ("write", "create"),
}


def after_install() -> None:
	"""Store the settings' defaults, have old rows cleared, and let marketers write Email Templates.

	Says what is missing where ERPNext has not all that the app needs.
	"""
	frappe.get_single("Marketing Automation Settings").save(ignore_permissions=True)
	register_log_clearing()
	for role, rights in TEMPLATE_PERMISSIONS.items():
		add_permission("Email Template", role)
		for right in rights:
			update_permission_property("Email Template", role, 0, right, 1, validate=False)
	if complaint := erpnext_schema.complaint():
		# To whoever runs bench install-app; the Desk goes on saying it.
		click.secho(complaint, fg="red")


def register_log_clearing() -> None:
	"""Have Log Settings clear the ledger, in versions without the hook `default_log_clearing_doctypes`."""
	log_settings = frappe.get_single("Log Settings")
	known = {row.ref_doctype for row in log_settings.logs_to_clear}
	for doctype, days in default_log_clearing_doctypes.items():
		if doctype not in known:
			log_settings.register_doctype(doctype, days)
	log_settings.save(ignore_permissions=True)


def before_uninstall() -> None:
	"""Take back what the removal of the module's DocTypes leaves behind."""
	ours = frappe.get_all("DocType", filters={"module": "Marketing Automation"}, pluck="name")
	# They name no module, so that Frappe does not know whose they are.
	steps = frappe.get_all(
		"Onboarding Step Map", filters={"parent": "Marketing Automation"}, pluck="step", order_by="idx asc"
	)
	if steps:
		frappe.db.delete("Onboarding Step", {"name": ["in", steps]})
	_remove_navigation()
	_remove_unsent_mails()
	for doctype, field in POINT_TO_DOCUMENTS.items():
		frappe.db.delete(doctype, {field: ["in", ours]})
	# The counters of Lifecycle Run, one a year.
	frappe.db.delete("Series", {"name": ["like", "RUN-____-"]})
	frappe.db.delete("Custom DocPerm", {"role": ["in", ROLES], "parent": ["in", [*ours, "Email Template"]]})
	_reset_template_permissions()
	for role in ROLES:
		# Newer versions of Frappe use a role of the same name for documents of their own.
		if not frappe.db.exists("DocPerm", {"role": role, "parent": ["not in", ours]}):
			_remove_role(role)
	frappe.db.delete("Logs To Clear", {"ref_doctype": ["in", list(default_log_clearing_doctypes)]})
	frappe.db.delete("Email Unsubscribe", {"reference_doctype": "Lifecycle Campaign"})
	frappe.db.delete("Scheduled Job Type", {"method": ["like", "marketing_automation.%"]})
	frappe.db.delete("Patch Log", {"patch": ["like", "marketing_automation.%"]})
	frappe.db.delete("Singles", {"doctype": "Marketing Automation Settings"})
	frappe.clear_cache()


def _remove_unsent_mails() -> None:
	"""Remove our mails that have not left, which Frappe would send all the same. What was sent stays."""
	# Nobody would be there to take the answer to their link to unsubscribe.
	names = frappe.get_all(
		"Email Queue",
		filters={
			"reference_doctype": "Lifecycle Campaign",
			"status": ["not in", ["Sending", "Sent", "Partially Sent"]],
		},
		pluck="name",
		order_by="name asc",
	)
	for some in create_batch(names, 1000):
		frappe.db.delete("Email Queue Recipient", {"parent": ["in", [str(name) for name in some]]})
		frappe.db.delete("Email Queue", {"name": ["in", some]})


def _remove_navigation() -> None:
	"""Remove the sidebar and the icon, which Frappe 16 does only after its last commit."""
	for doctype, rows in (("Workspace Sidebar", "Workspace Sidebar Item"), ("Desktop Icon", "Has Role")):
		if not frappe.db.exists("DocType", doctype) or not frappe.get_meta(doctype).has_field("app"):
			continue
		names = frappe.get_all(doctype, filters={"app": "marketing_automation"}, pluck="name")
		if names:
			frappe.db.delete(rows, {"parenttype": doctype, "parent": ["in", names]})
			frappe.db.delete(doctype, {"name": ["in", names]})


def _remove_role(role: str) -> None:
	for doctype in ("DocPerm", "Custom DocPerm", "Has Role"):
		frappe.db.delete(doctype, {"role": role})
	frappe.delete_doc("Role", role, force=True, ignore_permissions=True, ignore_missing=True)


def _reset_template_permissions() -> None:
	"""Go back to Frappe's own permissions of Email Template, unless an administrator has changed them too."""
	rights = [
		"role",
		"permlevel",
		"if_owner",
		"read",
		"write",
		"create",
		"delete",
		"export",
		"share",
		"report",
	]

	def permissions(doctype):
		rows = frappe.get_all(
			doctype, filters={"parent": "Email Template"}, fields=rights, order_by="idx asc"
		)
		return sorted(tuple(row.values()) for row in rows)

	if permissions("Custom DocPerm") == permissions("DocPerm"):
		reset_perms("Email Template")
