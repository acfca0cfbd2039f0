"""What the app does when documents of Frappe or ERPNext change. It only looks after its own."""

import frappe
from frappe import _
from frappe.utils.jinja import get_jenv
from jinja2 import TemplateSyntaxError, nodes

from marketing_automation.engine import ledger, template_syntax, templates
from marketing_automation.engine.channels import email
from marketing_automation.engine.schedule import AFTER

OTHER_TEMPLATES = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)


def prepare_email_template(doc, method=None) -> None:
	"""Put right what the editor makes of a tag, and refuse what must not be compiled: before Frappe compiles it.

	What a System Manager writes for other purposes is free: whatever no enabled action uses.
	"""
	for field in ("subject", "response", "response_html"):
		if doc.get(field):
			doc.set(field, templates.to_store(doc.get(field), is_html=field == "response_html"))
	is_marketer = "System Manager" not in frappe.get_roles()
	if is_marketer:
		_refuse_code(doc)
	if is_marketer or _uses(doc):
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


def _refuse_code(doc) -> None:
	"""Refuse what Frappe's own environment offers to templates; not asked of System Managers.

	Frappe renders any Email Template for whoever asks (get_email_template), with the database at hand. So it lets
	nobody else write them, until our roles let marketers.
	"""
	environment = get_jenv()
	offered = {*environment.globals} - {"_"}
	for text in (doc.subject, doc.response, doc.response_html):
		try:
			template_syntax.scan(text or "")
			tree = template_syntax.parsed(text or "", environment)
			template_syntax.check_shape(tree)
		except (TemplateSyntaxError, template_syntax.Refused):
			# Frappe cannot render it either, or is not let.
			continue
		names = {node.name for node in tree.find_all(nodes.Name)} & offered
		if names or tree.find(OTHER_TEMPLATES):
			frappe.throw(
				_(
					"Only a System Manager may write an Email Template that uses {0}. Messages of campaigns need nothing but their own variables."
				).format(frappe.bold(", ".join(sorted(names)) or "include")),
				frappe.PermissionError,
				title=_("Not In An Email Template"),
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
	"""Keep the ledger's keys true, so that nobody is told again because of a new name."""
	if doc.doctype == "Customer":
		ledger.rename_customer(old, new)
	else:
		ledger.rename_reference(doc.doctype, old, new)
