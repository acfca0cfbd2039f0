"""The form of an Email Template: whose it is."""

import frappe
from frappe import _
from frappe.utils import cint

from marketing_automation import template_rights as rights_on_templates
from marketing_automation.api.access import CAMPAIGN, require
from marketing_automation.designs import store


@frappe.whitelist(methods=["GET", "POST"])
def template_rights(template: str) -> dict:
	"""Return what the form of an Email Template says about marketers: {"obstacle", "may_release", "released", "actions",
	"design"}.

	obstacle: why the session's user may not edit it, or None. released: whether a System Manager has let marketers.
	actions: those that send it, as far as the user may see them: [{"name", "action_name", "campaign"}].
	"""
	require(CAMPAIGN, "read")
	doc = frappe.get_doc(rights_on_templates.DOCTYPE, template)
	doc.check_permission("read")
	return {
		"obstacle": rights_on_templates.obstacle(doc, frappe.session.user),
		"may_release": _may_release(),
		"released": rights_on_templates.is_released(template),
		"actions": rights_on_templates.actions_of(template),
		"design": store.design_of(template),
	}


@frappe.whitelist(methods=["POST"])
def release_template(template: str, released: int = 1) -> None:
	"""Let marketers edit an Email Template, or with 0 no longer. For System Managers; written in Lifecycle Template."""
	if not _may_release():
		frappe.throw(_("You are not permitted to do this."), frappe.PermissionError)
	doc = frappe.get_doc(rights_on_templates.DOCTYPE, template)
	if cint(released):
		rights_on_templates.release(doc.name)
	else:
		rights_on_templates.take_back(doc.name)


def _may_release() -> bool:
	return "System Manager" in frappe.get_roles()
