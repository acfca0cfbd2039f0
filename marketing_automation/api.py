"""What the Desk calls. Each method checks a permission and hands on."""

import frappe

from marketing_automation.engine import run
from marketing_automation.engine.channels import email
from marketing_automation.engine.sources import serial_no


@frappe.whitelist(methods=["POST"])
def run_now(campaign: str | None = None) -> str:
	"""Start a run, of one campaign (needs write permission on it) or of all (on the settings); return its name."""
	if campaign:
		frappe.get_doc("Lifecycle Campaign", campaign).check_permission("write")
	else:
		frappe.has_permission("Marketing Automation Settings", "write", throw=True)
	return run.start("Manual", campaign)


@frappe.whitelist(methods=["GET", "POST"])
def senders() -> list[str]:
	"""Return the addresses that a campaign can be sent from."""
	frappe.has_permission("Lifecycle Campaign", "write", throw=True)
	return email.senders()


@frappe.whitelist(methods=["GET", "POST"])
def date_fields() -> list[dict]:
	"""Return the date fields of Serial No that a trigger can watch: [{"value", "label"}]."""
	frappe.has_permission("Lifecycle Trigger", "read", throw=True)
	return [
		{"value": df.fieldname, "label": f"{frappe._(df.label)} ({df.fieldname})"}
		for df in serial_no.date_fields()
	]
