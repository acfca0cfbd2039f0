"""Triggers, actions and runs belong to their campaign: who may not see its company sees nothing of them, and so do designs and
their versions, by the action that they are for. A message belongs to what it is about: who may not read that DocType
does not see it.

Frappe applies a user permission only to documents that name the company themselves.
"""

import frappe
from frappe.permissions import get_role_permissions
from pypika import Criterion

from marketing_automation.engine.ledger import DOCTYPE
from marketing_automation.engine.source import all_sources, hidden_doctypes, may_see_message, of_writers
from marketing_automation.engine.visibility import Visibility

CAMPAIGN, ACTION, DESIGN = "Lifecycle Campaign", "Lifecycle Action", "Lifecycle Message Design"
CHANGES = {"write", "create", "delete"}
# A user permission for serial numbers alone hides no campaign.
READ = (DOCTYPE,)


def by_role(doctype: str, right: str) -> bool:
	"""Say whether the roles of the session's user give a right on a DocType.

	To frappe.has_permission a share of one document is enough, which says nothing about the others.
	"""
	return bool(get_role_permissions(frappe.get_meta(doctype), user=frappe.session.user).get(right))


def of_campaign(doc, user: str, ptype: str | None = None) -> bool:
	"""Say whether a user may do this with a campaign (hook has_permission). At most 2 queries.

	Judged by the company that it had before the request: the one that the request gives it is judged by Frappe.
	"""
	visible = _visibility(user, ptype, [doc.name])
	return not visible.allowed or doc.is_new() or _may(visible, ptype, [doc.name])


def has_permission(doc, user: str, ptype: str | None = None) -> bool:
	"""Say whether a user may do this with the campaign of a document, if it has one (hook has_permission). At most
	3 queries.

	Judged by the campaign that the request gives it, and by the one that it had before.
	"""
	visible = _visibility(user, ptype, [doc.campaign], *_about(doc))
	if not visible.allowed:
		return True
	before = None if doc.is_new() else frappe.db.get_value(doc.doctype, doc.name, "campaign")
	return _may(visible, ptype, [name for name in (doc.campaign, before) if name])


def of_design(doc, user: str, ptype: str | None = None) -> bool:
	"""Say whether a user may do this with a design (hook has_permission): by the campaign of the action that it is for, and of
	the one that it was for. At most 4 queries."""
	before = None if doc.is_new() else frappe.db.get_value(DESIGN, doc.name, "action")
	actions = {action for action in (doc.action, before) if action}
	campaigns = frappe.get_all(ACTION, filters={"name": ["in", actions]}, pluck="campaign") if actions else []
	visible = _visibility(user, ptype, campaigns)
	return not visible.allowed or _may(visible, ptype, [name for name in campaigns if name])


def of_version(doc, user: str, ptype: str | None = None) -> bool:
	"""Say whether a user may do this with a version: what they may do with its design (hook has_permission)."""
	return frappe.has_permission(DESIGN, ptype or "read", doc=doc.message_design, user=user)


def _visibility(user: str, ptype: str | None, campaigns: list[str | None], *about: str | None) -> Visibility:
	"""Return what binds a user: to change a campaign is to write to whoever owns what it is about. At most 1 query.

	about: further DocTypes that its messages are about with this change.
	"""
	if ptype not in CHANGES:
		return Visibility(user, READ)
	return of_writers([name for name in campaigns if name], user, *about)


def _about(doc) -> list[str | None]:
	"""Return what the messages of a trigger are about."""
	source = all_sources().get(doc.get("source")) if doc.doctype == "Lifecycle Trigger" else None
	return [source.reference_doctype(doc)] if source else []


def _may(visible: Visibility, ptype: str | None, campaigns: list[str]) -> bool:
	"""Say so for some campaigns. 1 query.

	One of all companies is for whoever sees them all to change; one that is active, for whoever sees all customers.
	"""
	rows = frappe.get_all(
		CAMPAIGN, filters={"name": ["in", campaigns]}, fields=["company", "is_active"], order_by="name asc"
	)
	changes = ptype in CHANGES
	return all(
		visible.sees(company=row.company)
		and not (changes and "company" in visible.allowed and not row.company)
		and not (changes and row.is_active and not visible.reaches_all)
		for row in rows
	)


def triggers(user: str) -> str:
	"""Return the condition on the triggers that a user may see (hook permission_query_conditions)."""
	return _condition("Lifecycle Trigger", user)


def actions(user: str) -> str:
	"""Return the condition on the actions that a user may see (hook permission_query_conditions)."""
	return _condition(ACTION, user)


def runs(user: str) -> str:
	"""Return the condition on the runs that a user may see (hook permission_query_conditions): those of all campaigns
	among them."""
	return _condition("Lifecycle Run", user)


def designs(user: str) -> str:
	"""Return the condition on the designs that a user may see (hook permission_query_conditions)."""
	design = frappe.qb.DocType(DESIGN)
	condition = _of_seen_campaigns(design, user)
	return condition.get_sql(with_namespace=True, quote_char="`") if condition else ""


def versions(user: str) -> str:
	"""Return the condition on the versions of designs that a user may see (hook permission_query_conditions)."""
	design, version = frappe.qb.DocType(DESIGN), frappe.qb.DocType("Lifecycle Design Version")
	condition = _of_seen_campaigns(design, user)
	if not condition:
		return ""
	seen = Visibility(user, READ).restrict(frappe.qb.from_(design).select(design.name), design, ["company"])
	return version.message_design.isin(seen.where(condition)).get_sql(with_namespace=True, quote_char="`")


def messages(user: str) -> str:
	"""Return the condition on the rows of the ledger that a user may see (hook permission_query_conditions).

	None about a DocType that they may not read; and what user permissions for one DocType alone leave out. 1 query.
	"""
	log = frappe.qb.DocType(DOCTYPE)
	visible = Visibility(user, READ)
	conditions = visible.of_ledger(log) if visible.alone else []
	if hidden := hidden_doctypes(user):
		conditions.append(log.reference_doctype.notin(hidden))
	return Criterion.all(conditions).get_sql(with_namespace=True, quote_char="`") if conditions else ""


def of_message(doc, user: str, ptype: str | None = None) -> bool:
	"""Say whether a user may see a row of the ledger by what it is about (hook has_permission). No query."""
	return may_see_message(Visibility(user, READ), doc, user)


def suppressions(user: str) -> str:
	"""Return the condition on the entries of the suppression list that a user may see (hook permission_query_conditions):
	none for who sees some customers only, for an address is nobody's."""
	return "" if Visibility(user).reaches_all else "1 = 0"


def of_suppression(doc, user: str, ptype: str | None = None) -> bool:
	"""Say whether a user may do this with an entry of the suppression list (hook has_permission)."""
	return Visibility(user).reaches_all


def _condition(doctype: str, user: str) -> str:
	seen = _seen_campaigns(user)
	if not seen:
		return ""
	condition = _among(frappe.qb.DocType(doctype).campaign, seen)
	return condition.get_sql(with_namespace=True, quote_char="`")


def _of_seen_campaigns(design, user: str) -> Criterion | None:
	"""Return the condition that a design is for no action, or for one of a campaign that a user may see; None for all."""
	seen = _seen_campaigns(user)
	if not seen:
		return None
	action = frappe.qb.DocType(ACTION)
	return _among(
		design.action, frappe.qb.from_(action).select(action.name).where(_among(action.campaign, seen))
	)


def _seen_campaigns(user: str):
	"""Return the query of the campaigns that a user may see, by their companies; None where nothing binds them."""
	visible = Visibility(user, READ)
	if "company" not in visible.allowed:
		return None
	campaign = frappe.qb.DocType(CAMPAIGN)
	return visible.restrict(frappe.qb.from_(campaign).select(campaign.name), campaign, ["company"])


def _among(column, seen) -> Criterion:
	return column.isnull() | (column == "") | column.isin(seen)
