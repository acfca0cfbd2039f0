"""Triggers, actions and runs belong to their campaign: who may not see its company sees nothing of them.

Frappe applies a user permission only to documents that name the company themselves.
"""

import frappe

from marketing_automation.engine.visibility import Visibility

CAMPAIGN = "Lifecycle Campaign"
CHANGES = {"write", "create", "delete"}


def of_campaign(doc, user: str, ptype: str | None = None) -> bool:
	"""Say whether a user may do this with a campaign (hook has_permission). 0 or 1 query.

	Judged by the company that it had before the request: the one that the request gives it is judged by Frappe.
	"""
	visible = Visibility(user)
	if "company" not in visible.allowed or doc.is_new():
		return True
	return _may(visible, ptype, frappe.db.get_value(CAMPAIGN, doc.name, "company"))


def has_permission(doc, user: str, ptype: str | None = None) -> bool:
	"""Say whether a user may do this with the campaign of a document, if it has one (hook has_permission). At most
	2 queries.

	Judged by the campaign that the request gives it, and by the one that it had before.
	"""
	visible = Visibility(user)
	if "company" not in visible.allowed:
		return True
	before = None if doc.is_new() else frappe.db.get_value(doc.doctype, doc.name, "campaign")
	campaigns = [name for name in (doc.campaign, before) if name]
	companies = frappe.get_all(
		CAMPAIGN, filters={"name": ["in", campaigns]}, pluck="company", order_by="name asc"
	)
	return all(_may(visible, ptype, company) for company in companies)


def _may(visible: Visibility, ptype: str | None, company: str | None) -> bool:
	"""Say so for a campaign of a company. One of all companies is for whoever sees them all to change."""
	return visible.sees(company=company) and bool(company or ptype not in CHANGES)


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
