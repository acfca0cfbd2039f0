"""What happens when the app comes and goes. ERPNext's and Frappe's schema is not touched by either."""

import frappe
from frappe.permissions import add_permission, reset_perms, update_permission_property

ROLES = ("Marketing Manager", "Marketing User")
# Marketers write the messages. Frappe grants that on Email Template to System Managers only.
TEMPLATE_PERMISSIONS = {
	"Marketing Manager": ("write", "create", "delete"),
	"Marketing User": ("write", "create"),
}


def after_install() -> None:
	"""Store the settings' defaults, and let marketers write Email Templates."""
	frappe.get_single("Marketing Automation Settings").save(ignore_permissions=True)
	for role, rights in TEMPLATE_PERMISSIONS.items():
		add_permission("Email Template", role)
		for right in rights:
			update_permission_property("Email Template", role, 0, right, 1, validate=False)


def before_uninstall() -> None:
	"""Take back what the removal of the module's DocTypes leaves behind."""
	ours = frappe.get_all("DocType", filters={"module": "Marketing Automation"}, pluck="name")
	frappe.db.delete("Custom DocPerm", {"role": ["in", ROLES], "parent": ["in", [*ours, "Email Template"]]})
	_reset_template_permissions()
	for role in ROLES:
		# Newer versions of Frappe use a role of the same name for documents of their own.
		if not frappe.db.exists("DocPerm", {"role": role, "parent": ["not in", ours]}):
			_remove_role(role)
	frappe.db.delete("Email Unsubscribe", {"reference_doctype": "Lifecycle Campaign"})
	frappe.db.delete("Scheduled Job Type", {"method": ["like", "marketing_automation.%"]})
	frappe.db.delete("Singles", {"doctype": "Marketing Automation Settings"})
	frappe.clear_cache()


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
