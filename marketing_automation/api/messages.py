"""One message: as it reads, why it went or not, and again by hand."""

import frappe
from frappe import _

from marketing_automation.api.access import CAMPAIGN, campaigns_of, names_of, require, require_action
from marketing_automation.channels.email.templates import template_for
from marketing_automation.desk import insight, sample
from marketing_automation.engine import language as languages
from marketing_automation.engine import ledger
from marketing_automation.engine import retry as retrying
from marketing_automation.engine.model import FAILED
from marketing_automation.engine.visibility import Visibility


@frappe.whitelist(methods=["GET", "POST"])
def mail(action: str, serial_no: str | None = None, language: str | None = None) -> dict:
	"""Return the rendered mail of an action: {"serial_no", "subject", "html", "text", "recipient", "reason", ...}, and
	`languages`, in which it can be looked at: [{"value", "label"}], and `template`, the Email Template that it reads.

	serial_no: without it an example that the action's trigger takes (see the source). When there is none, there are
	only `serial_no`, which is None, and `wanted`: which ones the trigger takes, in words. The same words are in `wanted`
	when a given one is none of them; else it is None.
	"""
	require_action(action)
	language, visible, given = languages.known(language), Visibility(), serial_no
	serial_no = serial_no or sample.example_serial_no(action, visible)
	if not serial_no:
		return {"serial_no": None, "wanted": sample.wanted(action)}
	found = sample.render(action, serial_no, visible, language)
	return {
		"serial_no": serial_no,
		"wanted": sample.wanted(action) if given and not sample.is_taken(action, given) else None,
		"subject": found.subject,
		"html": found.html,
		"text": found.text,
		"customer": found.message.recipient.customer,
		"recipient": found.message.recipient.address,
		"due_on": found.message.today,
		"reason": found.reason,
		"languages": sample.languages(found.message.action),
		"template": template_for(found.message.action, found.message.recipient.language),
	}


@frappe.whitelist(methods=["POST"])
def send_test(action: str, serial_no: str, language: str | None = None) -> str:
	"""Mail the rendered message to the session's user, marked as a test; return the address. No ledger row."""
	require_action(action)
	require(CAMPAIGN, "write")
	return sample.send_test(action, serial_no, Visibility(), languages.known(language))


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
def why_serial_no(serial_no: str) -> dict:
	"""Return which triggers a serial number meets and when, and what became of them; see engine.insight."""
	require(ledger.DOCTYPE, "read")
	return insight.why_serial_no(serial_no, campaigns_of(None), Visibility())


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
	"""Erase a person's address from the ledger; what was sent to it stays known. Returns how many rows had it."""
	require("Lifecycle Execution Log", "delete")
	return ledger.forget(email)


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
