"""Sends our own mails as soon as they are committed: names of Email Queue rows in, one SMTP session for all of them.

Frappe never sends them by itself: they lie in its Email Queue with a `send_after` that never comes. What a job does not
get to (it dies, nobody answers, sending is suspended), `settle` takes out of Email Queue again, and delivery looks at
the world anew. Nothing is configured.

A mail that is finished (channels/mime.py) goes to the server as it stands, with one commit: the one that writes
down that this mail is being sent and that the one before it was. Any other goes by Email Queue's own `send`.
"""

import contextlib
import smtplib
import time
from collections import Counter, defaultdict
from datetime import datetime, timedelta

import frappe
from frappe.email.doctype.email_queue.email_queue import EmailQueue
from frappe.model.base_document import get_controller
from frappe.utils import cint, cstr, get_datetime, get_hook_method, now_datetime
from rq.timeouts import BaseTimeoutException

from marketing_automation import compat
from marketing_automation.channels.email import kept_errors, mime, prints, reach, smtp_errors
from marketing_automation.engine import consent, identity, ledger, rules, suppression
from marketing_automation.engine.model import Recipient
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.engine.transaction import committed

ACTION_TYPE = "Send Email"
DOCTYPE = "Email Queue"
RECIPIENT = "Email Queue Recipient"
# The `send_after` of a mail that waits for a job of ours, and of one that a job has taken. Frappe sends neither, also
# when it has made a mail that was being sent "Not Sent" again, of which nobody knows whether it left.
OUT_OF_REACH = datetime(2999, 12, 31)
TAKEN = datetime(2999, 12, 30)
# A mail that is older was looked at too long ago to be sent.
FRESH_FOR = timedelta(minutes=15)
READ_AT_ONCE = 50
# RQ gives a job of the short queue five minutes, and Frappe a server two minutes to answer.
SECONDS_PER_JOB = 150
# So many mails in a row without an answer, or one that has waited so many seconds for it, and the server is not there.
GIVE_UP_AFTER = 3
PATIENCE = 20
A_MINUTE = timedelta(minutes=1)


def held_back() -> bool:
	"""Say whether this site sends no mail at the moment: muted, suspended, or a copy of another one. 1 query."""
	suspended = cint(frappe.db.get_default("suspend_email_queue"))
	return bool(frappe.are_emails_muted() or suspended or identity.is_copy())


def throttle() -> int:
	"""Return how many mails a minute each account may send; 0 for as many as it can. 1 query."""
	return cint(frappe.db.get_single_value(SETTINGS, "mails_per_minute"))


def room(account: str) -> int:
	"""Return how many mails an account may send now, with a throttle; 1 query.

	Counted by the minute that has just passed. The settings are locked until the caller commits, so that jobs side by
	side do not both take the last room.
	"""
	return max(throttle() - sum(_sent_lately().get(account, {}).values()), 0)


def take_room(accounts: list[str]) -> None:
	"""Write down that so many mails are sent now, given the account of each. The caller commits. 2 queries."""
	lately, now = _sent_lately(), str(now_datetime().replace(microsecond=0))
	for account, mails in Counter(accounts).items():
		of_account = lately.setdefault(account, {})
		of_account[now] = of_account.get(now, 0) + mails
	frappe.db.set_single_value(SETTINGS, "sent_lately", frappe.as_json(lately), update_modified=False)


def _sent_lately() -> dict[str, dict[str, int]]:
	"""Return {account: {moment: mails}} of the last minute, locked until the caller commits. 1 query."""
	text = frappe.db.get_singles_dict(SETTINGS, for_update=True).get("sent_lately")
	now = now_datetime()
	return {
		account: {
			moment: mails
			for moment, mails in of_account.items()
			if abs(now - get_datetime(moment)) <= A_MINUTE
		}
		for account, of_account in frappe.parse_json(text or "{}").items()
	}


def is_left_behind(modified: datetime) -> bool:
	"""Say whether no job of ours sends a mail of that time any more. A clock that was set back makes it one, too."""
	return abs(now_datetime() - modified) > FRESH_FOR


def drain(names: list[str]) -> list[str]:
	"""Send those of the rows that wait for us; return those that there was no time for.

	What was not sent because nobody answered waits for `settle`.
	"""
	if held_back():
		return []
	sender, read, left = _Sender(), {}, []
	deadline = time.monotonic() + SECONDS_PER_JOB
	try:
		for number, name in enumerate(names):
			if time.monotonic() >= deadline:
				left = names[number:]
				break
			if name not in read:
				read = _ours(names[number : number + READ_AT_ONCE])
			if mail := read[name]:
				sender.send(mail)
	finally:
		frappe.db.rollback()
		sender.write_down()
		sender.quit()
	return [name for name in left if name not in sender.unsent]


def _ours(names: list[str]) -> dict[str, dict | None]:
	"""Return each of the rows with its `recipients`, or None if it is not ours to send.

	Those of paused campaigns are not: their batch was under way when what was Queued was taken back. Nor are those of
	people who have unsubscribed since, at whatever address of theirs, or want a pause, or whose address has come on the
	suppression list. All are taken back by `settle`. At most 14 queries.
	"""
	now = now_datetime()
	rows = frappe.get_all(
		DOCTYPE,
		filters=[
			[DOCTYPE, "name", "in", names],
			[DOCTYPE, "status", "=", "Not Sent"],
			[DOCTYPE, "send_after", "=", OUT_OF_REACH],
			[DOCTYPE, "modified", ">", now - FRESH_FOR],
			[DOCTYPE, "modified", "<", now + FRESH_FOR],
		],
		fields=[
			*("name", "sender", "message", "email_account", "reference_doctype", "reference_name"),
			*("attachments", "communication"),
		],
		order_by="name asc",
	)
	# In some versions they are numbers.
	found = {str(row.name): row for row in rows}
	for name in _of_paused(names):
		found.pop(name, None)
	recipients = defaultdict(list)
	for recipient in frappe.get_all(
		RECIPIENT,
		filters={"parent": ["in", list(found)], "parenttype": DOCTYPE},
		fields=["name", "parent", "recipient", "status"],
		order_by="name asc",
	):
		recipients[str(recipient.parent)].append(recipient)
	contacts = _contacts(list(found))
	to = {
		name: Recipient(address=each.recipient, contact=contacts.get(name))
		for name in found
		for each in recipients[name]
	}
	known = consent.Known(to.values())
	held = suppression.suppressed({recipient.address for recipient in to.values()}, now)
	campaigns = rules.campaigns({row.reference_name for row in found.values()})
	for name, row in list(found.items()):
		row.recipients = recipients[name]
		campaign, recipient = campaigns.get(row.reference_name), to.get(name)
		refused = campaign and recipient and known.refusal(recipient, campaign, now)
		if refused or (recipient and recipient.address in held):
			del found[name]
	return {name: found.get(name) for name in names}


def _contacts(mails: list[str]) -> dict[str, str | None]:
	"""Return {Email Queue row: the Contact by whom its customer is reached}. 2 queries."""
	rows = frappe.get_all(
		ledger.DOCTYPE,
		filters={"handle": ["in", mails], "channel": ACTION_TYPE, "customer": ["is", "set"]},
		fields=["handle", "customer"],
		order_by="name asc",
	)
	reached = reach.reach({row.customer for row in rows})
	return {row.handle: one.contact for row in rows if (one := reached.get(row.customer))}


class _Sender:
	"""Sends rows of `_ours` one after the other."""

	def __init__(self):
		# Those that nobody has tried, because their account's server does not answer.
		self.unsent: set[str] = set()
		# The row that the server has taken and that is not written down as Sent yet.
		self._accepted: dict | None = None
		self._accounts, self._servers = {}, {}
		# Whether the row that is being sent is marked as ours.
		self._is_taken = False
		# By account: mails in a row of which the server has said nothing.
		self._unanswered = Counter()
		# Whoever has changed how this site sends is asked; in tests Frappe sends nothing.
		self._frappes_way = (
			get_hook_method("override_email_send")
			or get_controller(DOCTYPE) is not EmailQueue
			or (frappe.flags.in_test and not frappe.flags.testing_email)
		)

	def send(self, mail: dict) -> None:
		"""Send one row unless somebody else has it by now, or its account's server is not there. Commits.

		A mail that cannot be sent ends as Error, with the reason; the ledger decides whether it is tried again.
		"""
		account = self._account(mail)
		if not account or self._unanswered[account.name] >= GIVE_UP_AFTER:
			self.unsent.add(str(mail.name))
			return
		self._is_taken = False
		began = time.monotonic()
		try:
			files = self._printed(mail)
			began = time.monotonic()
			if self._frappes_way or not _is_finished(mail, account):
				self._send_frappes_way(mail, account, files)
			else:
				# First: an account without its password or token raises here, and then nothing is being sent.
				server = self._server(account)
				message = prints.attached(mail.message, files) if files else mail.message
				if self._claim(mail):
					self._is_taken = True
					server.session.sendmail(mail.sender, mail.recipients[0].recipient, message.encode())
					self._accepted = mail
		except BaseException as error:
			frappe.db.rollback()
			committed(_fail, mail.name, self._is_taken)
			kept_errors.keep_mail_error(mail.name, error)
			if isinstance(error, BaseTimeoutException) or not isinstance(error, Exception):
				raise
			if isinstance(error, prints.PrintFailed):
				# Of the server it says nothing.
				return
			if smtp_errors.replies(cstr(error)):
				self._unanswered[account.name] = 0
			else:
				waited = time.monotonic() - began > PATIENCE
				self._unanswered[account.name] += GIVE_UP_AFTER if waited else 1
		else:
			self._unanswered[account.name] = 0

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
			for doctype, name, more in (
				(RECIPIENT, self._accepted.recipients[0].name, ""),
				(DOCTYPE, self._accepted.name, "send_after = %(now)s,"),
			):
				frappe.db.sql(
					f"update `tab{doctype}` set {more} status = 'Sent', modified = %(now)s, modified_by = %(user)s "
					"where name = %(name)s",
					{**changed, "name": name},
				)
		if not mail:
			return False
		frappe.db.sql(
			f"update `tab{DOCTYPE}` set status = 'Sending', send_after = %(taken)s, modified = %(now)s, "
			"modified_by = %(user)s where name = %(name)s and status = 'Not Sent' and send_after = %(waiting)s",
			{**changed, "name": mail.name, "waiting": OUT_OF_REACH, "taken": TAKEN},
		)
		return bool(compat.changed_rows())

	def _printed(self, mail: dict) -> list[dict]:
		"""Return the files of the prints that a row has attached. Commits before it has them made, for that takes seconds."""
		attachments = prints.of_row(mail.attachments)
		if not attachments or not prints.are_prints(attachments):
			return []
		self.write_down()
		return prints.made(attachments)

	def _send_frappes_way(self, mail: dict, account, files: list[dict]) -> None:
		"""Send by Email Queue's `send`. files: of its prints, which are made already."""
		self.write_down()
		server = None if account.get("service") == "Frappe Mail" else self._server(account)
		try:
			# Locked until `send` has marked it as Sending.
			still = {"name": mail.name, "status": "Not Sent", "send_after": OUT_OF_REACH}
			if frappe.db.get_value(DOCTYPE, still, "name", for_update=True):
				frappe.db.set_value(DOCTYPE, mail.name, "send_after", TAKEN)
				self._is_taken = True
				row = frappe.get_doc(DOCTYPE, mail.name)
				if files:
					row.message, row.attachments = prints.attached(row.message, files), None
				row.send(smtp_server_instance=server)
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


def _fail(name: str, is_taken: bool) -> None:
	"""End a row as Error, with the error that is being handled: one that is ours (`is_taken`), or nobody's. 1 query.

	Not for a next attempt of Email Queue's: before one, delivery looks at the world again.
	"""
	table = frappe.qb.DocType(DOCTYPE)
	row = frappe.qb.update(table).where(table.name == name)
	if is_taken:
		row = row.where(table.send_after == TAKEN).where(table.status.isin(["Sending", "Not Sent", "Error"]))
	else:
		row = row.where(table.send_after == OUT_OF_REACH).where(table.status == "Not Sent")
	row.set(table.status, "Error").set(table.error, frappe.get_traceback()).set(
		table.send_after, OUT_OF_REACH
	).set(table.modified, now_datetime()).run()


def _is_finished(mail: dict, account) -> bool:
	"""Say whether Email Queue would send exactly the message of this row, to one recipient, and do nothing else."""
	return (
		[recipient.status for recipient in mail.recipients] == ["Not Sent"]
		and not mail.communication
		and prints.are_prints(prints.of_row(mail.attachments))
		and not any(placeholder in mail.message for placeholder in mime.PLACEHOLDERS)
		and account.get("service") != "Frappe Mail"
		and not account.append_emails_to_sent_folder
	)


def _of_paused(mails: list[str]) -> set[str]:
	"""Return those of these Email Queue rows whose campaign is not active. 1 query."""
	table, campaign = frappe.qb.DocType(ledger.DOCTYPE), frappe.qb.DocType("Lifecycle Campaign")
	rows = (
		frappe.qb.from_(table)
		.join(campaign)
		.on(campaign.name == table.campaign)
		.select(table.handle)
		.where(table.handle.isin(mails))
		.where(table.channel == ACTION_TYPE)
		.where(campaign.is_active == 0)
	).run()
	return {name for (name,) in rows}
