"""What comes back: messages of the bounce mailbox in, entries of the suppression list and marks in the ledger out.

The mailbox is read outside any transaction, some messages at a time. What they say is written down in one transaction with
the bookmark, so a reader that is killed at any moment loses nothing and counts nothing twice. Nothing is sent.

Who unsubscribes by a mail to the same address is unsubscribed with it (engine/consent.py).
"""

import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import frappe
from frappe import _
from frappe.utils import cint, create_batch, get_system_timezone, getdate, now_datetime
from frappe.utils.password import get_decrypted_password
from rq.timeouts import BaseTimeoutException

from marketing_automation.channels.email import mailbox, refusals, reports
from marketing_automation.engine import consent, identity, ledger, links, protection, suppression
from marketing_automation.engine.language import in_the_sites_language
from marketing_automation.engine.model import COMPLETED, QUEUED, Reason
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.engine.suppression import COMPLAINT, SOFT, Finding
from marketing_automation.engine.transaction import committed, log_once

ACTION_TYPE = "Send Email"
# One job reads so many messages, for so many seconds; what is left is read by the next. RQ gives it five minutes.
MOST_AT_A_TIME = 1000
SECONDS_PER_JOB = 150
# So long letters that nobody understood are spoken of.
REMEMBERED_DAYS = 30


class Overtaken(Exception):
	"""Another reader has moved the bookmark meanwhile."""


class Read(NamedTuple):
	"""A message of the mailbox, and what it reports."""

	uid: int
	at: datetime
	report: reports.Report


class Row(NamedTuple):
	"""What the ledger knows of a message that came back."""

	recipient: str
	names: tuple[str, ...]
	campaign: str


def configured() -> mailbox.Mailbox | None:
	"""Return the mailbox of the settings; None where none is to be read. Raises Unreadable without its password.

	2 queries; where it is that of an Email Account a few more, and its provider may be asked for a new token.
	"""
	settings = frappe.db.get_singles_dict(SETTINGS)
	if not cint(settings.get("mailbox_enabled")):
		return None
	folder = (settings.get("mailbox_folder") or "").strip() or "INBOX"
	if settings.get("mailbox_account"):
		return of_account(settings["mailbox_account"], folder)
	try:
		password = get_decrypted_password(SETTINGS, SETTINGS, "mailbox_password", raise_exception=False)
	except frappe.ValidationError as error:
		# It was stored with another encryption key.
		frappe.clear_messages()
		raise mailbox.Unreadable(_("The password cannot be read. Enter it again.")) from error
	if not password:
		raise mailbox.Unreadable(_("The password is missing. Enter it again."))
	return mailbox.Mailbox(
		(settings.get("mailbox_server") or "").strip(),
		cint(settings.get("mailbox_port")) or 993,
		settings.get("mailbox_security") or mailbox.TLS,
		(settings.get("mailbox_user") or "").strip(),
		password,
		folder,
	)


def of_account(name: str, folder: str = "INBOX", ask: bool = True) -> mailbox.Mailbox:
	"""Return the mailbox of an Email Account, by its password or its authorization by OAuth. Raises Unreadable where that is
	not possible. ask: with what it takes to log in; else only where it is."""
	if not frappe.db.exists("Email Account", name):
		raise mailbox.Unreadable(_("There is no Email Account {0}.").format(name))
	account = frappe.get_doc("Email Account", name)
	if not (account.use_imap and account.email_server):
		raise mailbox.Unreadable(
			_(
				"The Email Account {0} does not read mail by IMAP. Tick Use IMAP there, and name the server."
			).format(name)
		)
	security = mailbox.TLS if account.use_ssl else mailbox.STARTTLS if account.use_starttls else mailbox.PLAIN
	port = cint(account.incoming_port) or (993 if account.use_ssl else 143)
	user = account.get("login_id") or account.email_id
	is_oauth = account.get("auth_method") == "OAuth"
	password = token = None
	if ask and is_oauth:
		token = _token_of(account)
	elif ask:
		try:
			password = account.get_password(raise_exception=False)
		except frappe.ValidationError as error:
			# It was stored with another encryption key.
			frappe.clear_messages()
			raise mailbox.Unreadable(
				_("The password of the Email Account {0} cannot be read. Enter it again.").format(name)
			) from error
		if not password:
			raise mailbox.Unreadable(_("The Email Account {0} has no password.").format(name))
	return mailbox.Mailbox(account.email_server, port, security, user, password or "", folder, token)


def _token_of(account) -> str:
	"""Return the token by which an Email Account logs in, a new one where the last has expired. Asks its provider; may commit."""
	try:
		found = account.get_oauth_token()
		token = found and found.get_password("access_token", raise_exception=False)
	except BaseTimeoutException:
		raise
	except Exception as error:
		frappe.clear_messages()
		raise mailbox.Unreadable(
			_("The Email Account {0} gets no token of its provider: {1}").format(account.name, error)[:300]
		) from error
	if not token:
		raise mailbox.Unreadable(
			_("The Email Account {0} is not authorized. Open it, and press Authorize API Access.").format(
				account.name
			)
		)
	return token


@in_the_sites_language
def read() -> int:
	"""Read what has come since the last time; return how many messages. Commits. The scheduler calls it every few minutes.

	What keeps the mailbox from being read is kept for the bar and raises nothing. Nothing is read on a copy of a site.
	"""
	if identity.is_copy():
		return 0
	count = 0
	try:
		box = configured()
		if not box:
			return 0
		count = _read(box)
		committed(_note, None)
	except mailbox.Unreadable as error:
		frappe.db.rollback()
		committed(_note, str(error))
	except Overtaken:
		# It reads on from where it is.
		pass
	return count


def _read(box: mailbox.Mailbox) -> int:
	deadline, count = time.monotonic() + SECONDS_PER_JOB, 0
	state = _state(box)
	# What was read so far was a transaction of its own: none is open while the server is waited for.
	frappe.db.commit()
	session = mailbox.Session(box)
	try:
		known = state.get("uid") and mailbox.Bookmark(state["uidvalidity"], state["uid"])
		uids = session.new(known or None, getdate())[:MOST_AT_A_TIME]
		for some in create_batch(uids, mailbox.AT_ONCE):
			found = [_understood(one, box) for one in session.fetch(some)]
			state = _write_down(box, state, session.uidvalidity, some[-1], found)
			count += len(found)
			if time.monotonic() > deadline:
				break
	finally:
		session.close()
	return count


def _understood(fetched: mailbox.Fetched, box: mailbox.Mailbox) -> Read:
	"""Return what a message reports. One that breaks what reads it is logged, and stops nothing."""
	at = now_datetime()
	if fetched.arrived:
		at = fetched.arrived.astimezone(ZoneInfo(get_system_timezone())).replace(tzinfo=None)
	try:
		report = reports.read(fetched.raw)
	except BaseTimeoutException:
		raise
	except Exception:
		log_once("A message of the bounce mailbox could not be read. The others were")
		report = reports.Report(reports.UNKNOWN)
	if not report.own_id:
		report = report._replace(own_id=f"{fetched.uid}@{box.identity}")
	return Read(fetched.uid, at, report)


def _write_down(box: mailbox.Mailbox, state: dict, uidvalidity: int, uid: int, found: list[Read]) -> dict:
	"""Write down what some messages say, with the bookmark after them; return the new state. Commits.

	Where that fails, each is written down by itself, and one that fails alone is logged and left.
	"""
	try:
		return committed(_apply, box, state, uidvalidity, uid, found)
	except (BaseTimeoutException, Overtaken, frappe.QueryDeadlockError, frappe.QueryTimeoutError):
		raise
	except Exception:
		frappe.clear_messages()
		if len(found) < 2:
			log_once("What a message of the bounce mailbox says could not be written down. The others were")
			return committed(_apply, box, state, uidvalidity, uid, [])
	for one in found:
		state = _write_down(box, state, uidvalidity, one.uid, [one])
	return committed(_apply, box, state, uidvalidity, uid, [])


def _apply(box: mailbox.Mailbox, state: dict, uidvalidity: int, uid: int, found: list[Read]) -> dict:
	"""Write down what some messages say, and the bookmark. The caller commits. A fixed number of queries."""
	if _state(box, for_update=True) != state:
		raise Overtaken
	rows = sent_as({id for one in found for id in one.report.message_ids})
	findings, marks, refused = [], {}, set()
	for one in found:
		row = next((rows[id] for id in one.report.message_ids if id in rows), None)
		for finding, mark in _judged(one, row):
			if finding:
				findings.append(finding)
			if row and mark:
				marks[row] = (*mark, len(findings) - 1 if finding else None)
				refused |= {row.campaign} if mark[0] == Reason.SENDER_REFUSED else set()
	entries = suppression.record(findings)
	_mark(marks, entries)
	for token in dict.fromkeys(filter(None, map(_token, found))):
		consent.withdraw_by_token(token, "mail", _("Unsubscribed by mail"))
	protection.pause_refused(refused)
	unknown = sum(one.report.kind == reports.UNKNOWN and not _token(one) for one in found)
	after = _moved(box, state, uidvalidity, uid, unknown)
	_keep_state(after)
	return after


def _token(one: Read) -> str | None:
	"""Return the token of a mail that the link to unsubscribe has begun; a bounce of such a mail is none.

	A customer may be called postmaster@, whose mails look like those of a server.
	"""
	if one.report.kind not in (reports.OTHER, reports.UNKNOWN):
		return None
	return next(filter(None, map(links.token_of_subject, one.report.addressed)), None)


def _judged(one: Read, row: Row | None) -> list[tuple[Finding | None, tuple[str, str] | None]]:
	"""Return (what it says of an address, (the ledger's reason, words)) of each recipient of a bounce or complaint. Pure."""
	report, found = one.report, []
	message_id = next(iter(report.message_ids), None) or report.own_id
	common = {"at": one.at, "message_id": message_id, "message": row.names[0] if row else None}
	if report.kind == reports.COMPLAINT:
		# Addresses may be struck out: the ledger knows whom it was sent to.
		addresses = [row.recipient] if row else [outcome.address for outcome in report.outcomes]
		words = report.outcomes[0].words if report.outcomes else "Feedback-Type: abuse"
		return [
			(
				Finding(address, COMPLAINT, source="Complaint", words=words, **common),
				(Reason.COMPLAINED, words),
			)
			for address in addresses
		]
	if report.kind != reports.BOUNCE:
		return []
	for outcome in report.outcomes:
		if outcome.action != reports.FAILED:
			# Delayed, it may yet arrive; delivered, relayed or expanded, it is gone.
			continue
		meaning = refusals.meaning(outcome.status, outcome.words) or refusals.Meaning(SOFT, None)
		words = " ".join(filter(None, (outcome.status, outcome.words)))[: suppression.LONGEST_WORDS]
		if meaning.verdict == refusals.SENDER:
			found.append((None, (Reason.SENDER_REFUSED, words)))
			continue
		kind, address = meaning.verdict, outcome.original or outcome.address
		if row and not _is_to(row, outcome):
			# It was passed on from the address that we know to one that we do not: theirs may still take mail.
			kind, address = SOFT, row.recipient
		elif row:
			address = row.recipient
		found.append(
			(
				Finding(address, kind, source="Bounce message", code=meaning.code, words=words, **common),
				(Reason.BOUNCED, words),
			)
		)
	return found


def _is_to(row: Row, outcome: reports.Outcome) -> bool:
	ours = suppression.normalised(row.recipient)
	return ours in {suppression.normalised(one) for one in (outcome.address, outcome.original) if one}


def sent_as(message_ids: Iterable[str]) -> dict[str, Row]:
	"""Return {Message-ID: the rows of the ledger that left as it}. 2 queries; 3 where one of ours is not found by its key.

	The Message-ID of a mail of ours begins with the key of its first row. A document that was renamed since has another
	key, and then Email Queue knows the mail, for as long as it keeps it.
	"""
	ids = {id for id in message_ids if id}
	if not ids:
		return {}
	by_key = {id.partition("@")[0].lower(): id for id in ids}
	handles = {
		row.handle: by_key[row.message_key]
		for row in frappe.get_all(
			ledger.DOCTYPE,
			filters={"message_key": ["in", list(by_key)], "channel": ACTION_TYPE, "handle": ["is", "set"]},
			fields=["message_key", "handle"],
			order_by="name asc",
		)
	}
	missing = [id for id in ids - set(handles.values()) if id.endswith(f"@{frappe.local.site}")]
	if missing:
		handles |= {
			str(mail.name): mail.message_id
			for mail in frappe.get_all(
				"Email Queue",
				filters={"message_id": ["in", missing], "reference_doctype": "Lifecycle Campaign"},
				fields=["name", "message_id"],
				order_by="name asc",
			)
		}
	grouped = defaultdict(list)
	for row in frappe.get_all(
		ledger.DOCTYPE,
		filters={"handle": ["in", list(handles) or [""]], "channel": ACTION_TYPE, "recipient": ["is", "set"]},
		fields=["name", "handle", "recipient", "campaign"],
		order_by="name asc",
	):
		grouped[row.handle].append(row)
	return {
		handles[handle]: Row(rows[0].recipient, tuple(row.name for row in rows), rows[0].campaign)
		for handle, rows in grouped.items()
	}


def _mark(marks: dict[Row, tuple[str, str, int | None]], entries: list[str | None]) -> None:
	"""Write into the rows of messages that came back why, and which entry of the list says so. They stay Sent, for they have
	left. Queries as `ledger.write_rows`."""
	changes = {}
	for row, (reason, words, number) in marks.items():
		entry = entries[number] if number is not None else None
		evidence = (suppression.DOCTYPE, entry) if entry else (None, None)
		fields = {
			"reason": reason,
			"error": words or None,
			**dict(zip(ledger.EVIDENCE, evidence, strict=True)),
		}
		changes |= dict.fromkeys(row.names, fields)
	ledger.write_rows(changes, was=(QUEUED, COMPLETED))


# -- how far it has been read -------------------------------------------------------------------------------------


def _state(box: mailbox.Mailbox, for_update: bool = False) -> dict:
	"""Return what is known of a mailbox: its bookmark, and how many letters nobody understood; empty for another one. 1 query."""
	text = frappe.db.get_singles_dict(SETTINGS, for_update=for_update).get("mailbox_state")
	state = frappe.parse_json(text or "{}")
	return dict(state) if state.get("of") == box.identity else {}


def _moved(box: mailbox.Mailbox, state: dict, uidvalidity: int, uid: int, unknown: int) -> dict:
	today = str(getdate())
	since = state.get("since")
	is_old = not since or (getdate() - getdate(since)).days > REMEMBERED_DAYS
	return {
		"of": box.identity,
		"uidvalidity": uidvalidity,
		"uid": uid,
		"since": today if is_old else since,
		"unknown": unknown + (0 if is_old else state.get("unknown", 0)),
	}


def _keep_state(state: dict) -> None:
	frappe.db.set_single_value(SETTINGS, "mailbox_state", frappe.as_json(state), update_modified=False)


def _note(error: str | None) -> None:
	"""Write down that the mailbox was read, or what keeps it from being read. The caller commits. At most 2 queries."""
	values = {"mailbox_error": error or ""}
	if not error:
		values["mailbox_read_at"] = now_datetime()
	for field, value in values.items():
		frappe.db.set_single_value(SETTINGS, field, value, update_modified=False)


def unknown_letters() -> int:
	"""Return how many letters of mail servers nobody has understood lately. 1 query."""
	state = frappe.parse_json(frappe.db.get_singles_dict(SETTINGS).get("mailbox_state") or "{}")
	return cint(state.get("unknown"))
