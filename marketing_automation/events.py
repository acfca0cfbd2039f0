"""What the app does when documents of Frappe or ERPNext change. It only looks after its own."""

import frappe

from marketing_automation import template_rights
from marketing_automation.engine import ledger
from marketing_automation.engine.channels import email


def validate_email_template(doc, method=None) -> None:
	"""Refuse a change that would break a message of an enabled action, and what reaches further than a message should.

	What templates that no action uses are about is free.
	"""
	template_rights.check(doc)
	template_rights.refuse_names(doc)
	if not doc.is_new() and _is_used(doc.name):
		email.validate_template(doc)


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
		ledger.rename_customer(old, new)
	else:
		ledger.rename_reference(doc.doctype, old, new)
