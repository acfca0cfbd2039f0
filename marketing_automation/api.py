"""What the Desk calls. Each method checks a permission and hands on."""

import frappe
from frappe import _

from marketing_automation.engine import ledger, run, watchdog
from marketing_automation.engine import retry as retrying
from marketing_automation.engine.channels import email
from marketing_automation.engine.model import FAILED
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


@frappe.whitelist(methods=["POST"])
def retry(names: str | list) -> dict:
	"""Try Failed messages again. Returns {"Pending": how many, or why the others stay as they are: how many}."""
	return retrying.retry(_visible({"name": ["in", _names(names)]}))


@frappe.whitelist(methods=["POST"])
def retry_run(run: str) -> dict:
	"""Try all the Failed messages of a run again; returns as `retry`."""
	return retrying.retry(_visible({"run": run, "status": FAILED}))


@frappe.whitelist(methods=["POST"])
def send_skipped(names: str | list) -> dict:
	"""Send Skipped or Cancelled messages whose reason is gone; returns as `retry`."""
	return retrying.send_skipped(_visible({"name": ["in", _names(names)]}))


@frappe.whitelist(methods=["GET", "POST"])
def health() -> dict:
	"""Return whether it works: see engine.watchdog.health."""
	_require("Lifecycle Run", "read")
	return watchdog.health()


@frappe.whitelist(methods=["POST"])
def forget(email: str) -> int:
	"""Erase a person's address from the ledger; what was sent to it stays known. Returns how many rows had it."""
	_require("Lifecycle Execution Log", "delete")
	return ledger.forget(email)


def _visible(filters: dict) -> list[str]:
	"""Return the rows of the ledger that match and that the user may see; who may start a campaign may repeat it."""
	_require("Lifecycle Execution Log", "read")
	_require("Lifecycle Campaign", "write")
	return frappe.get_list(
		"Lifecycle Execution Log", filters=filters, pluck="name", limit_page_length=0, order_by="name asc"
	)


def _names(names: str | list) -> list[str]:
	names = frappe.parse_json(names)
	if not isinstance(names, list):
		frappe.throw(_("Choose rows of the Lifecycle Execution Log."), title=_("Nothing Chosen"))
	return [str(name) for name in names]


def _require(doctype: str, right: str) -> None:
	# has_permission(throw=True) raises a mere ValidationError in some versions.
	if not frappe.has_permission(doctype, right):
		frappe.throw(_("You are not permitted to do this."), frappe.PermissionError)
