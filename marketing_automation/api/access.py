"""Who may call what: what the modules of this package check first. Each raises PermissionError."""

import frappe
from frappe import _

from marketing_automation.engine import ledger
from marketing_automation.permissions import by_role

CAMPAIGN = "Lifecycle Campaign"


def may_open() -> bool:
	"""Say whether the apps screen shows the app to the user (hook add_to_apps_screen)."""
	return bool(frappe.has_permission(CAMPAIGN, "read"))


def require(doctype: str, right: str) -> None:
	if not by_role(doctype, right):
		frappe.throw(_("You are not permitted to do this."), frappe.PermissionError)


def require_run(campaign: str | None) -> None:
	if campaign:
		campaign_of(campaign, "write")
	else:
		require("Marketing Automation Settings", "write")


def campaign_of(name: str, right: str = "read"):
	doc = frappe.get_doc(CAMPAIGN, name)
	doc.check_permission(right)
	return doc


def campaigns_of(name: str | None) -> list[str]:
	"""Return the campaign, or without a name all that the user may see; raises PermissionError.

	For what shows customers and counts them: whom a campaign was shared with may not see that.
	"""
	require(ledger.DOCTYPE, "read")
	if name:
		return [campaign_of(name).name]
	require(CAMPAIGN, "read")
	return frappe.get_list(CAMPAIGN, pluck="name", order_by="name asc")


def require_action(name: str) -> None:
	doc = frappe.get_doc("Lifecycle Action", name)
	doc.check_permission("read")
	require(ledger.DOCTYPE, "read")
	campaign_of(doc.campaign)


def names_of(names: str | list) -> list[str]:
	names = frappe.parse_json(names)
	if not isinstance(names, list):
		frappe.throw(_("Choose rows of the message log."), title=_("Nothing Chosen"))
	return [str(name) for name in names]
