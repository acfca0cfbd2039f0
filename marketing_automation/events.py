"""What the app does when documents of Frappe or ERPNext change. It only looks after its own."""

import frappe
from frappe import _
from frappe.utils.jinja import get_jenv
from jinja2 import TemplateSyntaxError, nodes

from marketing_automation.engine import merging
from marketing_automation.engine.channels import email

OTHER_TEMPLATES = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)


def validate_email_template(doc, method=None) -> None:
	"""Refuse a change that would break a message of an enabled action, and what reaches further than a message should.

	What templates that no action uses are about is free.
	"""
	_refuse_code(doc)
	if not doc.is_new() and _is_used(doc.name):
		email.validate_template(doc)


def _refuse_code(doc) -> None:
	"""Refuse what Frappe's own environment offers to templates, but for System Managers.

	Frappe renders any Email Template for whoever asks (get_email_template), with the database at hand. So it lets
	nobody else write them, until our roles let marketers.
	"""
	if "System Manager" in frappe.get_roles():
		return
	environment = get_jenv()
	offered = {*environment.globals} - {"_"}
	for text in (doc.subject, doc.response, doc.response_html):
		try:
			tree = environment.parse(text or "")
		except TemplateSyntaxError:
			# Frappe cannot render it either.
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


def _is_used(template: str) -> bool:
	action = frappe.qb.DocType("Lifecycle Action")
	translation = frappe.qb.DocType("Lifecycle Action Translation")
	return bool(
		(
			frappe.qb.from_(action)
			.left_join(translation)
			.on(translation.parent == action.name)
			.select(action.name)
			.where(action.enabled == 1)
			.where((action.email_template == template) | (translation.email_template == template))
			.limit(1)
		).run()
	)


def after_rename(doc, method, old: str, new: str, merge: bool = False) -> None:
	"""Keep the ledger's keys true, so that nobody is told again because of a new name."""
	if doc.doctype == "Customer":
		merging.after_customer(old, new)
	else:
		merging.after_reference(doc.doctype, old, new)
