"""What the app does when documents of Frappe or ERPNext change. It only looks after its own."""

import frappe

from marketing_automation import template_rights
from marketing_automation.channels.email import channel as email
from marketing_automation.channels.email import templates
from marketing_automation.engine import merging
from marketing_automation.engine.schedule import AFTER


def prepare_email_template(doc, method=None) -> None:
	"""Put right what the editor makes of a tag, and refuse what must not be compiled: before Frappe compiles it.

	What a System Manager writes for other purposes is free: whatever no enabled action uses.
	"""
	template_rights.check(doc)
	for field in ("subject", "response", "response_html"):
		if doc.get(field):
			doc.set(field, templates.to_store(doc.get(field), is_html=field == "response_html"))
	template_rights.refuse_names(doc)
	if template_rights.is_strict(doc) or _uses(doc):
		try:
			templates.compile_template(doc)
		except templates.TemplateInvalid as e:
			email.refuse(e)


def check_email_template(doc, method=None) -> None:
	"""Refuse a change that would break a message of an enabled action. Looks at what Frappe has stored."""
	uses = _uses(doc)
	if uses:
		(stored,) = templates.documents({doc.name})
		email.validate_template(
			stored,
			combines=any(use.combine_messages for use in uses),
			after=any(use.trigger_type == AFTER for use in uses),
		)


def _uses(doc) -> list[dict]:
	"""Return (combine_messages, trigger_type) of each enabled action that sends an Email Template. At most 1 query."""
	if doc.is_new():
		return []
	action, translation = (
		frappe.qb.DocType("Lifecycle Action"),
		frappe.qb.DocType("Lifecycle Action Translation"),
	)
	trigger, campaign = frappe.qb.DocType("Lifecycle Trigger"), frappe.qb.DocType("Lifecycle Campaign")
	return (
		frappe.qb.from_(action)
		.inner_join(trigger)
		.on(trigger.name == action.trigger)
		.inner_join(campaign)
		.on(campaign.name == action.campaign)
		.left_join(translation)
		.on(translation.parent == action.name)
		.select(campaign.combine_messages, trigger.trigger_type)
		.distinct()
		.where(action.enabled == 1)
		.where((action.email_template == doc.name) | (translation.email_template == doc.name))
	).run(as_dict=True)


def after_rename(doc, method, old: str, new: str, merge: bool = False) -> None:
	"""Keep the ledger's keys true, so that nobody gets a message again because of a new name."""
	if doc.doctype == "Customer":
		merging.after_customer(old, new)
	else:
		merging.after_reference(doc.doctype, old, new)
