"""Where the links to unsubscribe of version 0.1 lead. Mails that were sent carry this module's path, so it keeps it.

They acted on GET, and mail scanners follow every link. Now they lead to the page on which one says what one wants.
"""

import frappe

from marketing_automation import compat
from marketing_automation.engine import links


@frappe.whitelist(allow_guest=True, methods=["GET"])
def unsubscribe(doctype: str = "", name: str = "", email: str = "") -> None:
	"""Lead to the preference page of whoever a signed link was sent to. Changes nothing.

	doctype, name: the campaign of the mail. What is not signed by this site gets Frappe's own page for such links.
	"""
	if compat.is_signed():
		compat.redirect(f"/{links.PAGE}?t={links.token(links.OF_CAMPAIGN, name, email)}")
