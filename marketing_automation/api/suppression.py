"""The suppression list and the mailbox that bounces come back to, as their screens use them."""

import frappe
from frappe import _
from frappe.utils import now_datetime

from marketing_automation.api.access import require
from marketing_automation.channels.email import bounces, lists
from marketing_automation.engine import suppression
from marketing_automation.engine.settings import SETTINGS

# Of what is pasted or read from a file.
MOST_CHARACTERS = 30_000_000


@frappe.whitelist(methods=["POST"])
def lift_suppression(name: str, why: str) -> None:
	"""Take an entry off the suppression list, for administrators; see engine.suppression.lift."""
	require(suppression.DOCTYPE, "write")
	doc = frappe.get_doc(suppression.DOCTYPE, name)
	doc.check_permission("write")
	if not (why or "").strip():
		frappe.throw(_("Say why the address may be written to again."), title=_("Reason Missing"))
	suppression.lift(doc.name, why.strip())


@frappe.whitelist(methods=["POST"])
def add_suppressions(text: str, from_another_tool: bool = False) -> dict:
	"""Put addresses on the suppression list; see channels.email.lists.add. text: addresses or CSV."""
	require(suppression.DOCTYPE, "create")
	if len(text or "") > MOST_CHARACTERS:
		frappe.throw(_("The list is too large. Import it in parts."), title=_("List Too Long"))
	return lists.add(text or "", "Import" if from_another_tool else suppression.BY_HAND)


@frappe.whitelist(methods=["GET", "POST"])
def export_suppressions() -> None:
	"""Answer with the suppression list as a CSV file: see channels.email.lists.exported."""
	require(suppression.DOCTYPE, "export")
	text, _count, _nameless = lists.exported()
	frappe.response["filename"] = f"suppression-list-{now_datetime():%Y-%m-%d}.csv"
	frappe.response["filecontent"] = text
	frappe.response["type"] = "download"


@frappe.whitelist(methods=["POST"])
def read_mailbox() -> dict:
	"""Read the bounce mailbox now; return {"read": how many messages, "error": what keeps it from being read, or None}."""
	require(SETTINGS, "write")
	if "System Manager" not in frappe.get_roles():
		frappe.throw(_("You are not permitted to do this."), frappe.PermissionError)
	count = bounces.read()
	return {"read": count, "error": frappe.db.get_singles_dict(SETTINGS).get("mailbox_error") or None}
