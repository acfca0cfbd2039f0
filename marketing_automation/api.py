"""What the Desk calls. Each method checks a permission and hands on."""

import frappe
from frappe import _

from marketing_automation.engine import run
from marketing_automation.engine.channels import email
from marketing_automation.engine.sources import serial_no


@frappe.whitelist(methods=["POST"])
def run_now(campaign: str | None = None) -> str:
	"""Start a run, of one campaign (needs write permission on it) or of all (on the settings); return its name."""
	if campaign:
		frappe.get_doc("Lifecycle Campaign", campaign).check_permission("write")
	else:
		_require("Marketing Automation Settings", "write")
	return run.start("Manual", campaign)


@frappe.whitelist(methods=["GET", "POST"])
def senders() -> list[str]:
	"""Return the addresses that a campaign can be sent from."""
	_require("Lifecycle Campaign", "write")
	return email.senders()


@frappe.whitelist(methods=["GET", "POST"])
def date_fields() -> list[dict]:
	"""Return the date fields of Serial No that a trigger can watch: [{"value", "label"}]."""
	_require("Lifecycle Trigger", "read")
	return [
		{"value": df.fieldname, "label": f"{_(df.label)} ({df.fieldname})"} for df in serial_no.date_fields()
	]


def _require(doctype: str, right: str) -> None:
	# has_permission(throw=True) raises a mere ValidationError in some versions.
	if not frappe.has_permission(doctype, right):
		frappe.throw(_("You are not permitted to do this."), frappe.PermissionError)
