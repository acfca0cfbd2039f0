"""Sends our own mails as soon as they are committed: names of Email Queue rows in, one SMTP session for all of them.

Frappe empties its Email Queue every few minutes, some hundred rows a time. Our rows begin with a lease: a
`send_after` that keeps Frappe away from them while a job of ours sends them by Email Queue's own `send`. What the
job cannot send, and all of it when the job dies, is Frappe's again, with its retries. Nothing is configured.
"""

import contextlib
import smtplib
import time
from collections import deque
from datetime import datetime, timedelta

import frappe
from frappe.utils import add_to_date, cint, cstr, get_datetime, now_datetime
from rq.timeouts import BaseTimeoutException

from marketing_automation import compat
from marketing_automation.engine import ledger, settle
from marketing_automation.engine.channels import smtp_errors
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.engine.transaction import committed

DOCTYPE = "Email Queue"
LEASE = timedelta(minutes=15)
# A lease about to end is left to Frappe, so that the two never meet on a row.
MARGIN = timedelta(minutes=1)
MAILS_PER_JOB = 500
# RQ gives a job of the short queue five minutes.
SECONDS_PER_JOB = 200
# So many mails in a row without an answer, and the server is not there.
GIVE_UP_AFTER = 3


def throttle() -> int:
	"""Return how many mails a minute each account may send; 0 for as many as it can. 1 query."""
	return cint(frappe.db.get_single_value(SETTINGS, "mails_per_minute"))


def schedule(accounts: list[str | None]) -> list[datetime]:
	"""Return for each mail, given the account it is sent from, until when Frappe has to leave it alone.

	With a throttle: when it is to be sent, by Frappe, each account's mails after those that wait already. That
	keeps the settings locked until the caller commits, so that jobs side by side queue up behind each other.
	"""
	now, rate = now_datetime(), throttle()
	if not rate:
		return [now + LEASE] * len(accounts)
	paced = frappe.db.get_singles_dict(SETTINGS, for_update=True).get("paced_until")
	next_free = {
		account: get_datetime(moment) for account, moment in frappe.parse_json(paced or "{}").items()
	}
	moments = []
	for account in accounts:
		moment = max(next_free.get(account or "", now), now)
		next_free[account or ""] = moment + timedelta(minutes=1) / rate
		moments.append(moment)
	waiting = {account: str(moment) for account, moment in next_free.items() if moment > now}
	frappe.db.set_single_value(SETTINGS, "paced_until", frappe.as_json(waiting), update_modified=False)
	return moments


def enqueue(names: list[str]) -> None:
	"""Have background jobs send these rows now, unless a throttle says when each is sent, or nothing is to be sent."""
	if throttle() or _held_back():
		return
	for first in range(0, len(names), MAILS_PER_JOB):
		frappe.enqueue(
			drain, queue="short", names=names[first : first + MAILS_PER_JOB], now=frappe.flags.in_test
		)


def drain(names: list[str]) -> None:
	"""Send those of the rows that are still leased, and close their ledger rows. The entry point of the job."""
	# Then the rows stay where they are; the lease ends by itself.
	if _held_back():
		return
	left, failed, servers, unanswered = deque(names), [], {}, 0
	deadline = time.monotonic() + SECONDS_PER_JOB
	try:
		while left and unanswered < GIVE_UP_AFTER and time.monotonic() < deadline:
			if error := _send(left[0], servers):
				failed.append(left[0])
				unanswered = 0 if smtp_errors.replies(cstr(error)) else unanswered + 1
			else:
				unanswered = 0
			left.popleft()
	finally:
		frappe.db.rollback()
		committed(_release, [*failed, *left])
		for server in servers.values():
			with contextlib.suppress(smtplib.SMTPException, OSError):
				server.quit()
	committed(ledger.refresh_soon, settle.close({"email_queue": ["in", names]}))


def _held_back() -> bool:
	"""Say whether this site sends nothing at the moment."""
	return frappe.are_emails_muted() or bool(cint(frappe.db.get_default("suspend_email_queue")))


def _send(name: str, servers: dict) -> Exception | None:
	"""Send one row unless it is no longer ours to send; return what went wrong. Commits.

	`send` has written down what happened before it raises, as it does for Frappe's own jobs.
	"""
	try:
		if not _leased(name):
			return None
		mail = frappe.get_doc(DOCTYPE, name)
		mail.send(smtp_server_instance=_server(mail, servers))
	except BaseTimeoutException:
		raise
	except Exception as error:
		frappe.db.rollback()
		compat.keep_mail_error(name, error)
		return error
	finally:
		frappe.db.rollback()


def _leased(name: str) -> bool:
	"""Say whether nobody has sent this row or is about to; if so it is locked until `send` marks it as Sending."""
	still = {
		"name": name,
		"status": "Not Sent",
		"send_after": [">", add_to_date(now_datetime(), seconds=MARGIN.total_seconds())],
	}
	return bool(frappe.db.get_value(DOCTYPE, still, "name", for_update=True))


def _server(mail, servers: dict):
	"""Return the open SMTP session of the mail's account, or None where mails go another way."""
	account = mail.get_email_account()
	if account.get("service") == "Frappe Mail":
		return None
	if account.name not in servers:
		servers[account.name] = account.get_smtp_server()
	return servers[account.name]


def _release(names: list[str]) -> None:
	"""Leave what is not sent of these rows to Frappe, at once. 1 query."""
	table = frappe.qb.DocType(DOCTYPE)
	if names:
		frappe.qb.update(table).set(table.send_after, None).where(table.name.isin(names)).where(
			table.status.isin(["Not Sent", "Partially Sent"])
		).run()
