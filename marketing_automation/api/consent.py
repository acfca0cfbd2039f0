"""What people have said about our messages: asked for, and written down, on a contact's form."""

import frappe

from marketing_automation.api.access import CAMPAIGN, require
from marketing_automation.desk import asking
from marketing_automation.engine import consent


@frappe.whitelist(methods=["GET", "POST"])
def topics() -> list[dict]:
	"""Return the topics that somebody can agree to: [{"value", "label"}]."""
	require(consent.TOPIC, "read")
	return asking.topics()


@frappe.whitelist(methods=["POST"])
def ask_for_consent(contact: str, topic: str) -> str:
	"""Send a contact the question whether they want a topic; return the address."""
	require(CAMPAIGN, "write")
	return asking.ask(_contact(contact), topic)


@frappe.whitelist(methods=["POST"])
def write_down_consent(contact: str, agrees: int, text: str, topic: str | None = None) -> None:
	"""Write down what a contact has said elsewhere. Only who writes the settings may say that somebody agrees."""
	agrees = bool(frappe.utils.cint(agrees))
	require("Marketing Automation Settings" if agrees else CAMPAIGN, "write")
	asking.write_down(_contact(contact), topic or None, agrees, text)


def _contact(name: str):
	doc = frappe.get_doc("Contact", name)
	doc.check_permission("read")
	return doc
