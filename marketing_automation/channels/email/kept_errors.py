"""What a mail server said of a mail, for versions of Frappe that keep it nowhere: errors in, ledger rows out."""

import sys
import traceback

import frappe

from marketing_automation.engine import ledger
from marketing_automation.engine.model import QUEUED


def remember_mail_error(method: str, kwargs: dict) -> None:
	"""Hook `after_job`: keep what the mail server said of one of our mails, for versions that send each in a job."""
	error = sys.exc_info()[1]
	name = (kwargs or {}).get("email_queue_name")
	if error and name and frappe.db:
		keep_mail_error(name, error)


def keep_mail_error(name: str, error: BaseException) -> None:
	"""Keep what the mail server said of a row of Email Queue, in the ledger rows of that mail. Commits.

	Email Queue keeps the text of the error since version 15.0; what came before, the sandbox's Frappe among them,
	keeps the lines of code alone.
	"""
	kept = frappe.db.get_value("Email Queue", name, "error") or ""
	# Not the name of the error alone: it stands in the lines of code too.
	if traceback.format_exception_only(error)[-1].strip() in kept:
		return
	text = "".join(traceback.format_exception(error))[-2000:]
	table = frappe.qb.DocType(ledger.DOCTYPE)
	frappe.qb.update(table).set(table.error, text).where(table.handle == str(name)).where(
		table.status == QUEUED
	).run()
	# Of a job that failed nothing else is left: it has been rolled back already.
	frappe.db.commit()
