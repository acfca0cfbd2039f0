"""Where Frappe's versions differ, in one place."""

import sys
import traceback

import frappe
from frappe.translate import get_translation_dict_from_file

from marketing_automation.engine import ledger


def extend_bootinfo(bootinfo: dict) -> None:
	"""Hook: give an English Desk our plain words (translations/en.csv), in versions that leave English as it is.

	Newer ones have read them already, and fetch all words apart from the boot.
	"""
	messages = bootinfo.get("__messages")
	if messages is not None and frappe.local.lang == "en":
		path = frappe.get_app_path("marketing_automation", "translations", "en.csv")
		for source, plain in get_translation_dict_from_file(path, "en", "marketing_automation").items():
			messages.setdefault(source, plain)


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
	frappe.qb.update(table).set(table.error, text).where(table.email_queue == str(name)).where(
		table.status == ledger.QUEUED
	).run()
	# Of a job that failed nothing else is left: it has been rolled back already.
	frappe.db.commit()
