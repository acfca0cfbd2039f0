"""Triggers, actions and runs belong to their campaign: who may not see its company sees nothing of them.

Frappe applies a user permission only to documents that name the company themselves.
"""

import frappe

from marketing_automation.engine.visibility import Visibility

CAMPAIGN = "Lifecycle Campaign"


def has_permission(doc, user: str) -> bool:
	"""Say whether a user may see the campaign of a document, if it has one (hook has_permission)."""
	visible = Visibility(user)
	if not doc.campaign or "company" not in visible.allowed:
		return True
	return visible.sees(company=frappe.db.get_value(CAMPAIGN, doc.campaign, "company"))


def triggers(user: str) -> str:
	"""Return the condition on the triggers that a user may see (hook permission_query_conditions)."""
	return _condition("Lifecycle Trigger", user)


def actions(user: str) -> str:
	"""Return the condition on the actions that a user may see (hook permission_query_conditions)."""
	return _condition("Lifecycle Action", user)


def runs(user: str) -> str:
	"""Return the condition on the runs that a user may see (hook permission_query_conditions): those of all campaigns
	among them."""
	return _condition("Lifecycle Run", user)


def _condition(doctype: str, user: str) -> str:
	visible = Visibility(user)
	if "company" not in visible.allowed:
		return ""
	campaign = frappe.qb.DocType(CAMPAIGN)
	seen = visible.restrict(frappe.qb.from_(campaign).select(campaign.name), campaign, ["company"])
	table = frappe.qb.DocType(doctype)
	condition = table.campaign.isnull() | (table.campaign == "") | table.campaign.isin(seen)
	return condition.get_sql(with_namespace=True, quote_char="`")
