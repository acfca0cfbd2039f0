"""What a customer's click on the link to unsubscribe leads to: the only thing here that guests reach, by a signed link."""

import frappe
from frappe import _
from frappe.utils import escape_html
from frappe.utils.verified_command import verify_request

from marketing_automation import compat

METHOD = "/api/method/marketing_automation.unsubscribe.unsubscribe"


@frappe.whitelist(allow_guest=True, methods=["GET"])
def unsubscribe(doctype: str, name: str, email: str) -> None:
	"""Write an Email Unsubscribe as Frappe's own link does, and say so in words for customers.

	Frappe's page names the document type and the document, which are the shop's own affair.
	"""
	if not verify_request():
		return
	compat.unsubscribe(doctype, name, email)
	frappe.respond_as_web_page(
		_("Unsubscribed"),
		_("{0} will get no more of these messages.").format(escape_html(email)),
		indicator_color="green",
	)
