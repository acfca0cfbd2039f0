"""Where Frappe's versions differ, in one place."""

import sys
import traceback

import frappe

from marketing_automation.engine import ledger


def remember_mail_error(method: str, kwargs: dict) -> None:
	"""Hook `after_job`: keep what the mail server said of one of our mails, in its ledger rows.

	Email Queue keeps the text of the error since version 15.0; what came before, the sandbox's Frappe among them,
	keeps the lines of code alone, and sends each mail in a job of its own, which this follows.
	"""
	error = sys.exc_info()[1]
	name = (kwargs or {}).get("email_queue_name")
	if not (error and name and frappe.db):
		return
	text = "".join(traceback.format_exception(error))[-2000:]
	table = frappe.qb.DocType(ledger.DOCTYPE)
	frappe.qb.update(table).set(table.error, text).where(table.email_queue == str(name)).where(
		table.status == ledger.QUEUED
	).run()
	# The job has been rolled back already, and nothing commits after this.
	frappe.db.commit()
