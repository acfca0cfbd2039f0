"""One message: as it reads, why it went or not, and again by hand."""

import frappe
from frappe import _

from marketing_automation import erpnext_schema
from marketing_automation.api.access import CAMPAIGN, campaigns_of, names_of, require, require_action
from marketing_automation.channels.texts.templates import template_for
from marketing_automation.desk import insight, sample
from marketing_automation.engine import consent, ledger, suppression
from marketing_automation.engine import language as languages
from marketing_automation.engine import retry as retrying
from marketing_automation.engine.model import FAILED
from marketing_automation.engine.visibility import Visibility


@frappe.whitelist(methods=["GET", "POST"])
def mail(action: str, reference_name: str | None = None, language: str | None = None) -> dict:
	"""Return the rendered mail of an action: {"reference_doctype", "reference_name", "subject", "html", "text", "recipient", "reason", ...}, and
	`languages`, in which it can be looked at: [{"value", "label"}], `template`, the Email Template that it reads, and `attached`,
	the prints that go with it: [{"doctype", "name", "print_format", "lang", "may_print"}].

	reference_name: without it an example that the action's trigger takes (see the source). When there is none, there are
	only `reference_doctype`, `reference_name`, which is None, and `wanted`: which ones the trigger takes, in words. The same words are in `wanted`
	when a given one is none of them; else it is None.
	"""
	require_action(action)
	language, visible, given = languages.known(language), Visibility(), reference_name
	doctype = sample.reference_doctype(action)
	reference_name = reference_name or sample.example(action, visible)
	if not reference_name:
		return {"reference_doctype": doctype, "reference_name": None, "wanted": sample.wanted(action)}
	found = sample.render(action, reference_name, visible, language)
	return {
		"reference_doctype": doctype,
		"reference_name": reference_name,
		"wanted": sample.wanted(action) if given and not sample.is_taken(action, given) else None,
		"subject": found.subject,
		"html": found.html,
		"text": found.text,
		"customer": found.message.recipient.customer,
		"recipient": found.message.recipient.address,
		"due_on": found.message.today,
		"reason": found.reason,
		"attached": [
			{key: one[key] for key in ("doctype", "name", "print_format", "lang", "may_print")}
			for one in found.attached
		],
		"languages": sample.languages(found.message.action),
		"template": template_for(found.message.action, found.message.recipient.language),
	}


@frappe.whitelist(methods=["POST"])
def send_test(action: str, reference_name: str, language: str | None = None) -> str:
	"""Mail the rendered message to the session's user, marked as a test; return the address. No ledger row."""
	require_action(action)
	require(CAMPAIGN, "write")
	return sample.send_test(action, reference_name, Visibility(), languages.known(language))


@frappe.whitelist(methods=["GET", "POST"])
def why_customer(customer: str) -> dict:
	"""Return what a customer was sent, what was skipped and why, and what is coming; see engine.insight."""
	require(ledger.DOCTYPE, "read")
	visible = Visibility()
	# Whoever sees customers in ERPNext may be bound to some by what we do not look at, such as their territory.
	hidden = frappe.has_permission("Customer", "read") and not frappe.has_permission(
		"Customer", "read", customer
	)
	if hidden or not visible.sees(customer=customer):
		frappe.throw(_("You are not permitted to do this."), frappe.PermissionError)
	return insight.why_customer(customer, campaigns_of(None), visible)


@frappe.whitelist(methods=["GET", "POST"])
def why_reference(doctype: str, name: str) -> dict:
	"""Return which triggers a document meets and when, and what became of them; see desk.insight.

	Of serial numbers whoever may read the message log may ask, of anything else who may read the document, too.
	"""
	require(ledger.DOCTYPE, "read")
	if doctype != erpnext_schema.SERIAL_NO:
		frappe.has_permission(doctype, "read", doc=name, throw=True)
	return insight.why_reference(doctype, name, campaigns_of(None), Visibility())


@frappe.whitelist(methods=["POST"])
def retry(names: str | list) -> dict:
	"""Try Failed messages again. Returns {"Pending": how many, or why the others stay as they are: how many}."""
	return retrying.retry(_visible({"name": ["in", names_of(names)]}))


@frappe.whitelist(methods=["POST"])
def retry_run(run: str) -> dict:
	"""Try all the Failed messages of a run again; returns as `retry`."""
	return retrying.retry(_visible({"run": run, "status": FAILED}))


@frappe.whitelist(methods=["POST"])
def send_skipped(names: str | list) -> dict:
	"""Send Skipped or Cancelled messages whose reason is gone; returns as `retry`."""
	return retrying.send_skipped(_visible({"name": ["in", names_of(names)]}))


@frappe.whitelist(methods=["POST"])
def forget(email: str) -> int:
	"""Erase a person's address from the ledger, from what they have said, and from the suppression list; returns from how many
	rows of the first two.

	What was sent stays known, who has unsubscribed stays unsubscribed, and what is suppressed stays so: a key or a hash stands
	for the address.
	"""
	require("Lifecycle Execution Log", "delete")
	suppression.forget(email)
	return ledger.forget(email) + consent.forget(email)


def _visible(filters: dict) -> list[str]:
	"""Return the rows of the ledger that match and that the user may see; who may start a campaign may repeat it.

	2 queries, and the permission of each campaign. PermissionError where they may repeat none of what they see.
	"""
	require(ledger.DOCTYPE, "read")
	rows = frappe.get_list(
		ledger.DOCTYPE,
		filters=filters,
		fields=["name", "campaign"],
		limit_page_length=0,
		order_by="name asc",
	)
	writable = {
		campaign
		for campaign in {row.campaign for row in rows}
		if frappe.has_permission(CAMPAIGN, "write", doc=campaign)
	}
	names = [row.name for row in rows if row.campaign in writable]
	if not names and (rows or not frappe.has_permission(CAMPAIGN, "write")):
		frappe.throw(_("You are not permitted to do this."), frappe.PermissionError)
	return names
