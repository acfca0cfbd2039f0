"""Sends our own mails as soon as they are committed: names of Email Queue rows in, one SMTP session for all of them.

Frappe empties its Email Queue every few minutes, some hundred rows a time. Our rows begin with a lease: a
`send_after` that keeps Frappe away from them while a job of ours sends them. What the job cannot send, and all of it
when the job dies, is Frappe's again, with its retries. Nothing is configured.

A mail that is finished (channels/mime.py) goes to the server as it stands, with one commit: the one that writes
down that this mail is being sent and that the one before it was. Any other goes by Email Queue's own `send`.
"""

import contextlib
import itertools
import smtplib
import sys
import time
from collections import defaultdict, deque
from datetime import datetime, timedelta

import frappe
from frappe.email.doctype.email_queue.email_queue import EmailQueue, SendMailContext
from frappe.model.base_document import get_controller
from frappe.utils import cint, cstr, get_datetime, get_hook_method, now_datetime
from rq.timeouts import BaseTimeoutException

from marketing_automation import compat
from marketing_automation.engine import ledger, settle
from marketing_automation.engine.channels import mime, smtp_errors
from marketing_automation.engine.language import in_the_sites_language
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.engine.transaction import committed

DOCTYPE = "Email Queue"
RECIPIENT = "Email Queue Recipient"
LEASE = timedelta(minutes=15)
# A lease about to end is left to Frappe, so that the two never meet on a row.
MARGIN = timedelta(minutes=1)
MAILS_PER_JOB = 1000
READ_AT_ONCE = 50
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


@in_the_sites_language
def drain(names: list[str]) -> None:
	"""Send those of the rows that are still leased, and close their ledger rows. The entry point of the job."""
	# Then the rows stay where they are; the lease ends by itself.
	if _held_back():
		return
	sender, left, read = _Sender(), deque(names), {}
	deadline = time.monotonic() + SECONDS_PER_JOB
	try:
		while left and sender.unanswered < GIVE_UP_AFTER and time.monotonic() < deadline:
			if left[0] not in read:
				read = _leased(list(itertools.islice(left, READ_AT_ONCE)))
			if mail := read[left[0]]:
				sender.send(mail)
			left.popleft()
		if left and sender.unanswered < GIVE_UP_AFTER:
			# Out of time, but they are ours yet: another job goes on.
			enqueue(list(left))
			left.clear()
	finally:
		frappe.db.rollback()
		sender.write_down()
		committed(_release, [*sender.failed, *left])
		sender.quit()
	committed(ledger.refresh_soon, settle.close({"email_queue": ["in", names]}))


def _held_back() -> bool:
	"""Say whether this site sends nothing at the moment."""
	return frappe.are_emails_muted() or bool(cint(frappe.db.get_default("suspend_email_queue")))


def _lease_left() -> datetime:
	"""Return the moment until which a lease has to last for a mail to be sent now."""
	return now_datetime() + MARGIN


def _leased(names: list[str]) -> dict[str, dict | None]:
	"""Return each of the rows with its `recipients`, or None if it is not ours to send.

	Those of paused campaigns are not: their batch was under way when what was Queued was taken back. They stay
	leased, and are taken back next. 3 queries.
	"""
	rows = frappe.get_all(
		DOCTYPE,
		filters={"name": ["in", names], "status": "Not Sent", "send_after": [">", _lease_left()]},
		fields=[
			*("name", "sender", "message", "email_account", "reference_doctype"),
			*("attachments", "communication"),
		],
		order_by="name asc",
	)
	# In some versions they are numbers.
	found = {str(row.name): row for row in rows}
	for name in ledger.mails_of_paused(names):
		found.pop(name, None)
	recipients = defaultdict(list)
	for recipient in frappe.get_all(
		RECIPIENT,
		filters={"parent": ["in", list(found)], "parenttype": DOCTYPE},
		fields=["name", "parent", "recipient", "status"],
		order_by="name asc",
	):
		recipients[str(recipient.parent)].append(recipient)
	for name, row in found.items():
		row.recipients = recipients[name]
	return {name: found.get(name) for name in names}


def _release(names: list[str]) -> None:
	"""Leave what is not sent of these rows to Frappe, at once. 1 query."""
	table = frappe.qb.DocType(DOCTYPE)
	if names:
		frappe.qb.update(table).set(table.send_after, None).where(table.name.isin(names)).where(
			table.status.isin(["Not Sent", "Partially Sent"])
		).run()


class _Sender:
	"""Sends rows of `_leased` one after the other; `failed` and `unanswered` say how that went."""

	def __init__(self):
		self.failed: list[str] = []
		# Mails in a row of which the server has said nothing.
		self.unanswered = 0
		# The row that the server has taken and that is not written down as Sent yet.
		self._accepted: dict | None = None
		self._accounts, self._servers = {}, {}
		# Whoever has changed how this site sends is asked; in tests Frappe sends nothing.
		self._frappes_way = (
			get_hook_method("override_email_send")
			or get_controller(DOCTYPE) is not EmailQueue
			or (frappe.flags.in_test and not frappe.flags.testing_email)
		)

	def send(self, mail: dict) -> None:
		"""Send one row unless somebody else has it by now. Commits.

		What went wrong is written down as Email Queue does it, and as far as that does not, in the ledger.
		"""
		try:
			account = self._account(mail)
			if self._frappes_way or not _is_finished(mail, account):
				self._send_frappes_way(mail, account)
			else:
				# First: an account without its password or token raises here, and then nothing is being sent.
				server = self._server(account)
				if self._claim(mail):
					self._send_finished(mail, server)
		except BaseTimeoutException:
			raise
		except Exception as error:
			frappe.db.rollback()
			compat.keep_mail_error(mail.name, error)
			self.failed.append(str(mail.name))
			self.unanswered = 0 if smtp_errors.replies(cstr(error)) else self.unanswered + 1
		else:
			self.unanswered = 0

	def write_down(self) -> None:
		"""Write down what the server has taken last. 2 queries. Commits."""
		self._claim(None)

	def quit(self) -> None:
		for server in self._servers.values():
			with contextlib.suppress(smtplib.SMTPException, OSError):
				server.quit()

	def _claim(self, mail: dict | None) -> bool:
		"""Write down that the last mail was sent and, in the same commit, that this one is being sent.

		Return whether it is ours; two jobs that see the same row wait for each other here, and one of them gets it.
		"""
		claimed = committed(self._write, mail)
		self._accepted = None
		return claimed

	def _write(self, mail: dict | None) -> bool:
		"""3 queries, as text: this is done for each mail, and building them takes longer than they take."""
		changed = {"now": now_datetime(), "user": frappe.session.user}
		if self._accepted:
			for doctype, name in (
				(RECIPIENT, self._accepted.recipients[0].name),
				(DOCTYPE, self._accepted.name),
			):
				frappe.db.sql(
					f"update `tab{doctype}` set status = 'Sent', modified = %(now)s, modified_by = %(user)s "
					"where name = %(name)s",
					{**changed, "name": name},
				)
		if not mail:
			return False
		frappe.db.sql(
			f"update `tab{DOCTYPE}` set status = 'Sending', modified = %(now)s, modified_by = %(user)s "
			"where name = %(name)s and status = 'Not Sent' and send_after > %(lease)s",
			{**changed, "name": mail.name, "lease": _lease_left()},
		)
		return bool(frappe.db._cursor.rowcount)

	def _send_finished(self, mail: dict, server) -> None:
		"""Hand a claimed mail to the server as it stands."""
		try:
			server.session.sendmail(mail.sender, mail.recipients[0].recipient, mail.message.encode())
		except BaseException:
			# As at the end of Email Queue's `send`: for a next attempt, or as Error.
			document = frappe.get_doc(DOCTYPE, mail.name)
			SendMailContext(document, server).__exit__(*sys.exc_info())
			raise
		self._accepted = mail

	def _send_frappes_way(self, mail: dict, account) -> None:
		"""Send by Email Queue's `send`; what goes wrong it has written down before it raises."""
		self.write_down()
		server = None if account.get("service") == "Frappe Mail" else self._server(account)
		try:
			# Locked until `send` has marked it as Sending.
			still = {"name": mail.name, "status": "Not Sent", "send_after": [">", _lease_left()]}
			if frappe.db.get_value(DOCTYPE, still, "name", for_update=True):
				frappe.get_doc(DOCTYPE, mail.name).send(smtp_server_instance=server)
		finally:
			frappe.db.rollback()

	def _account(self, mail: dict):
		"""Return the Email Account that a row is sent from."""
		key = mail.email_account, mail.sender, mail.reference_doctype
		if key not in self._accounts:
			self._accounts[key] = frappe.get_doc({"doctype": DOCTYPE, **mail}).get_email_account()
		return self._accounts[key]

	def _server(self, account):
		"""Return the SMTP session of an account. Commits before it makes one."""
		if account.name not in self._servers:
			# It may ask for a token first, which takes its time.
			self.write_down()
			self._servers[account.name] = account.get_smtp_server()
		return self._servers[account.name]


def _is_finished(mail: dict, account) -> bool:
	"""Say whether Email Queue would send exactly the message of this row, to one recipient, and do nothing else."""
	return (
		[recipient.status for recipient in mail.recipients] == ["Not Sent"]
		and not mail.communication
		and not frappe.parse_json(mail.attachments or "[]")
		and not any(placeholder in mail.message for placeholder in mime.PLACEHOLDERS)
		and account.get("service") != "Frappe Mail"
		and not account.append_emails_to_sent_folder
	)
