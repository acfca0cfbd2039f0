"""Frappe's own mailings: a mail to many that is about to be queued in, without those who are on the suppression list out.

Off unless the site wants it. Whatever is no mailing (an invoice, a password reset, a mail of ours) is never touched.
"""

import frappe
from frappe import _
from frappe.utils import cint, now_datetime

from marketing_automation.engine import suppression
from marketing_automation.engine.settings import SETTINGS

# What Frappe's Newsletter and ERPNext's Email Campaign send names them.
MAILINGS = ("Newsletter", "Email Campaign")


def before_insert(mail, _method: str | None = None) -> None:
	"""Hook on Email Queue: leave out of a mailing who is on the suppression list. At most 3 queries, none for other mails.

	A mail that is left with nobody ends as Error, with the reason: it is seen in Email Queue, and nothing sends it.
	"""
	if mail.reference_doctype not in MAILINGS or mail.status not in (None, "", "Not Sent"):
		return
	if not cint(frappe.db.get_single_value(SETTINGS, "stop_frappes_mailings")):
		return
	held = suppression.suppressed({row.recipient for row in mail.recipients if row.recipient}, now_datetime())
	if not held:
		return
	left = [row for row in mail.recipients if row.recipient not in held]
	if left:
		mail.set("recipients", left)
	else:
		mail.status = "Error"
		mail.error = _("Not sent: {0} is on the suppression list of Marketing Automation.").format(
			", ".join(sorted(held))
		)
