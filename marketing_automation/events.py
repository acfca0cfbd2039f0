"""What the app does when documents of Frappe or ERPNext change. It only looks after its own."""

from collections import defaultdict

import frappe

from marketing_automation import template_rights
from marketing_automation.channels.texts import of_action, templates
from marketing_automation.engine import ledger, merging, rules
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
	words = {templates.words_of_trigger(use) for use in _uses(doc)}
	if not words and template_rights.is_strict(doc):
		words = {templates.all_words()}
	for of_source in words:
		try:
			templates.compile_template(doc, of_source)
		except templates.TemplateInvalid as e:
			of_action.refuse(e)


def check_email_template(doc, method=None) -> None:
	"""Refuse a change that would break a message of an enabled action. Looks at what Frappe has stored."""
	by_words = defaultdict(list)
	for use in _uses(doc):
		by_words[templates.words_of_trigger(use)].append(use)
	for words, uses in by_words.items():
		(stored,) = templates.documents({doc.name})
		of_action.validate_template(
			stored,
			combines=any(use.combine_messages for use in uses),
			after=any(use.trigger_type == AFTER for use in uses),
			words=words,
		)


def _uses(doc) -> list[dict]:
	"""Return combine_messages and the trigger's fields of each enabled action that sends an Email Template. At most 1 query."""
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
		.select(
			campaign.combine_messages, *[trigger[field] for field in rules.TRIGGER_FIELDS if field != "name"]
		)
		.distinct()
		.where(action.enabled == 1)
		.where((action.email_template == doc.name) | (translation.email_template == doc.name))
	).run(as_dict=True)


def after_rename(doc, method, old: str, new: str, merge: bool = False) -> None:
	"""Keep the ledger's keys true, so that nobody gets a message again because of a new name."""
	merging.after_customer(old, new)


def after_rename_of_reference(doc, method, old: str, new: str, merge: bool = False) -> None:
	"""The same for whatever a message is about. 1 query where no message is."""
	about = {"reference_doctype": doc.doctype, "reference_name": ["in", [old, new]]}
	if frappe.db.exists(ledger.DOCTYPE, about):
		merging.after_reference(doc.doctype, old, new)
