"""Rows of Frappe's Email Queue, many at once: mails composed as frappe.sendmail composes them, written in bulk.

What sendmail finds out again for each mail (the account, the unsubscribed, the frame, the styles) is handed in.
"""

import functools
import re
from collections.abc import Iterator
from email.utils import parseaddr
from typing import NamedTuple

import frappe
from frappe.email.doctype.email_account.email_account import EmailAccount
from frappe.email.doctype.email_queue.email_queue import EmailQueue, QueueBuilder
from frappe.email.email_body import EMail
from frappe.model.naming import is_autoincremented, set_new_name
from frappe.utils import cint, expand_relative_urls

from marketing_automation.channels.email import mime
from marketing_automation.channels.email.address import MOST_CHARACTERS, mailbox
from marketing_automation.channels.email.headers import written
from marketing_automation.channels.texts.templates import without_embeds

DOCTYPE = "Email Queue"
RECIPIENT = "Email Queue Recipient"
# The fields that differ from mail to mail; the others are looked at once for all that have the same.
OWN = ("message", "message_id", "reference_name", "send_after", "attachments")
# Of one INSERT: MariaDB takes 16 MB as it is delivered, and some hosts set less.
BYTES_AT_ONCE = 2_000_000
# The events on every document of these apps have nothing to do with mail: ours follows what is renamed.
OURS = "marketing_automation."
CORE = ("frappe.", "erpnext.", OURS)
# Whatever a site's users have bound to documents, by the field that names the DocType.
BOUND = {"Notification": "document_type", "Webhook": "webhook_doctype", "Server Script": "reference_doctype"}


# In Markdown: an empty row or one of dashes, and what begins and ends a row.
TABLE_RULES = re.compile(r"(?:^[ \t]*\|[ \t|:-]*$\n?)+", re.MULTILINE)
TABLE_EDGES = re.compile(r"^[ \t]*\|[ \t]?|[ \t]*\|[ \t]*$", re.MULTILINE)


class WayOut(NamedTuple):
	"""How the reader of a mail gets no more of these.

	page: the URL that stands in its foot. uris: the addresses of the header List-Unsubscribe, the one of https first. one_click:
	whether a mailbox provider may post to that one (RFC 8058).
	"""

	page: str
	uris: tuple[str, ...] = ()
	one_click: bool = False


class Mail(QueueBuilder):
	"""One mail as frappe.sendmail builds it: `as_dict` has all its headers, defaults and the hooks of other apps.

	account: from `account_for`. html: the finished HTML part; without it Frappe frames `message`. frame: from
	`frame_of`; with it the message is finished where that can be. headers: of ours. The recipients must have been looked up among
	the unsubscribed in this transaction.
	"""

	def __init__(
		self,
		account: EmailAccount,
		way_out: WayOut,
		html: str | None = None,
		frame: mime.Frame | None = None,
		headers: dict[str, str] | None = None,
		**fields,
	):
		super().__init__(**fields)
		self.account = account
		self.html = html
		self.frame = frame
		self.way_out = way_out
		self.headers = headers or {}

	def get_outgoing_email_account(self):
		return self.account

	@property
	def sender(self):
		"""The address alone: Frappe splits a mailbox at each comma, and Email Queue has 140 characters for it."""
		return self._mailbox()[1]

	def _sender_of_row(self) -> str:
		"""Return what Email Queue has as the sender: the mailbox as Frappe writes it, or the address if that is no good."""
		whole = mailbox(*self._mailbox())
		fits = whole.isascii() and "," not in whole and len(whole) <= MOST_CHARACTERS
		return whole if fits else self.sender

	def _mailbox(self) -> tuple[str | None, str]:
		"""Return the name and the address of the header From, by what the campaign and the account say."""
		name, address = parseaddr(self._sender or "")
		if not address:
			name, address = self.account.name, self.account.email_id
		if cint(self.account.always_use_account_email_id_as_sender):
			name, address = name or self.account.name, self.account.email_id
		if cint(self.account.always_use_account_name_as_sender_name):
			name = self.account.name
		return name, address

	def get_unsubscribed_user_emails(self):
		return []

	def as_dict(self, include_recipients=True):
		finished = self._finished() if self.frame and self.html else None
		if finished:
			return finished
		row = super().as_dict(include_recipients)
		return {**row, "sender": self._sender_of_row()} if row else row

	def _finished(self) -> dict | None:
		"""Return the row with all that Email Queue would fill in when it sends; None if Frappe has to build it."""
		(recipient,) = self.recipients
		message = self.frame.filled(
			mime.Parts(
				self.subject,
				recipient,
				self.message_id,
				expand_relative_urls(self.email_text_content()),
				self._completed(self.html),
				self.way_out.uris,
				written(self.headers),
			)
		)
		return message and {
			**self.frame.row,
			"message": message,
			"message_id": self.message_id,
			"reference_name": self.reference_name,
			"recipients": [recipient],
		}

	def _completed(self, part: str) -> str:
		"""Return a part with what Email Queue would fill in. Its own link to unsubscribe would act as soon as anything opens it."""
		(recipient,) = self.recipients
		return mime.completed(part, recipient, self.way_out.page)

	def email_text_content(self):
		return self._completed(without_table_lines(super().email_text_content()))

	def email_html_content(self):
		return self._completed(without_embeds(super().email_html_content()))

	def prepare_email_content(self):
		mail = self._built_by_us() if self.html else super().prepare_email_content()
		_send_as(mail, mailbox(*self._mailbox()))
		if self.way_out.uris:
			mail.msg_root["List-Unsubscribe"] = ", ".join(f"<{uri}>" for uri in self.way_out.uris)
		if self.way_out.one_click:
			mail.msg_root["List-Unsubscribe-Post"] = mime.ONE_CLICK
		for name, value in self.headers.items():
			mail.msg_root[name] = value
		return mail

	def _built_by_us(self) -> EMail:
		# As Frappe does, without its turn through Markdown of the message that there is not.
		mail = EMail(
			self.sender,
			self.final_recipients(),
			self.subject,
			reply_to=self.reply_to,
			email_account=self.account,
			expose_recipients=self.expose_recipients,
		)
		html = self._completed(without_embeds(self.html))
		mail.set_html("", self.email_text_content(), formatted=html)
		mail.set_message_id(self.message_id, self.is_notification)
		for one in self._attachments or []:
			mail.add_attachment(**one)
		return mail


def _send_as(mail: EMail, sender: str) -> None:
	"""Have a mail's header From be this mailbox, whatever Frappe makes of the account's name."""
	validate = mail.validate

	def validated():
		validate()
		mail.sender = sender
		mail.set_header("X-Original-From", sender)

	mail.validate = validated


def without_table_lines(text: str) -> str:
	"""Return the text part of a mail without the lines that Frappe draws round tables: a layout is made of them.

	>>> without_table_lines(
	...     "|  |\\n| --- |\\n| Dear Ana,\\n|  |  |\\n| --- | --- |\\n| Pin | Friday |\\n\\nBye |"
	... )
	'Dear Ana,\\n\\nPin | Friday\\n\\nBye'
	"""
	text = TABLE_RULES.sub("\n", text)
	text = TABLE_EDGES.sub("", text)
	return re.sub(r"\n{3,}", "\n\n", text).lstrip("\n")


def frame_of(account: EmailAccount, way_out: WayOut, **fields) -> mime.Frame | None:
	"""Return the frame of all mails that are built with these fields (of Mail) from an account, if they can have one.

	way_out: that of any of these mails. The others have as many addresses, and one click if it has.
	"""

	def build(parts: mime.Parts):
		mail = Mail(
			account,
			WayOut("", parts.way_out, way_out.one_click),
			parts.html,
			subject=parts.subject,
			recipients=[parts.recipient],
			message_id=parts.message_id,
			text_content=parts.text,
			**fields,
		)
		return mail.prepare_email_content().msg_root.policy, mail.as_dict()

	return mime.make(build, len(way_out.uris))


def account_for(sender: str | None, reference_doctype: str) -> EmailAccount:
	"""Return the Email Account that sends as `sender`, or the default one; raises OutgoingEmailError. A few queries."""
	# Frappe remembers accounts, but takes the default one, once remembered, for every sender that it does not know yet.
	frappe.local.outgoing_email_account = {}
	account = EmailAccount.find_outgoing(
		match_by_email=sender, match_by_doctype=reference_doctype, _raise_error=True
	)
	# Asked for each mail, with a query each.
	account.is_exists_in_db = functools.cache(account.is_exists_in_db)
	return account


def insert(mails: list[dict]) -> list[str]:
	"""Write Email Queue rows (dicts of Mail.as_dict) and return their names, in the same order. The caller commits.

	3 queries, and one or two for each 2 MB. Where an app or a user has bound something to the documents of Email
	Queue they are inserted one by one, so that it happens.
	"""
	if _is_watched():
		return [str(EmailQueue.new(mail, ignore_permissions=True).name) for mail in mails]
	names, rows, recipients, patterns = _new_names(len(mails)), [], [], {}
	for name, mail in zip(names, mails, strict=True):
		own = {"name": name, **{field: mail[field] for field in OWN}}
		shared = {field: value for field, value in mail.items() if field not in (*OWN, "recipients")}
		key = tuple(shared.values())
		if key not in patterns:
			patterns[key] = _Pattern(shared)
		rows.append({**patterns[key].row, **own})
		recipients += patterns[key].recipients_of(name, mail["recipients"])
	_insert(DOCTYPE, rows)
	_insert(RECIPIENT, recipients)
	return [str(name) for name in names]


def _is_watched() -> bool:
	"""Say whether something happens when a document of Email Queue is inserted. 3 queries."""
	hooks = frappe.get_hooks("doc_events")
	own, every = hooks.get(DOCTYPE, {}), hooks.get("*", {})
	# Our own (mailings.py) is about other mails than these.
	if any(not path.startswith(OURS) for paths in own.values() for path in paths):
		return True
	if any(not path.startswith(CORE) for paths in every.values() for path in paths):
		return True
	if any(DOCTYPE in frappe.get_hooks(hook) for hook in ("override_doctype_class", "extend_doctype_class")):
		return True
	return any(frappe.db.exists(doctype, {field: DOCTYPE}) for doctype, field in BOUND.items())


class _Pattern:
	"""What mails with the same fields (but for OWN and the recipients) have in common, as EmailQueue.new makes it."""

	def __init__(self, shared: dict):
		document = frappe.new_doc(DOCTYPE)
		document.update(shared)
		document.set_recipients(["recipient"])
		document.set_user_and_timestamp()
		document.set_docstatus()
		document.set_parent_in_children()
		self.row = _values(document)
		self.recipient = document.recipients[0]
		self.row_of_recipient = _values(self.recipient)

	def recipients_of(self, mail, addresses: list[str]) -> Iterator[dict]:
		"""Yield the rows of a mail's recipients."""
		for index, address in enumerate(addresses, 1):
			self.recipient.name = None
			set_new_name(self.recipient)
			own = {"name": self.recipient.name, "parent": mail, "idx": index, "recipient": address.strip()}
			yield {**self.row_of_recipient, **own}


def _values(document) -> dict:
	return document.get_valid_dict(convert_dates_to_str=True, ignore_virtual=True)


def _new_names(count: int) -> list:
	"""Return so many new names of rows; where a sequence numbers them, by one query for all."""
	if is_autoincremented(DOCTYPE, frappe.get_meta(DOCTYPE)):
		sequence = frappe.scrub(f"{DOCTYPE}_id_seq")
		query = " union all ".join([f"select nextval(`{sequence}`)"] * count)
		return frappe.db.sql(query, pluck=True)
	names, document = [], frappe.new_doc(DOCTYPE)
	for _ in range(count):
		document.name = None
		set_new_name(document)
		names.append(document.name)
	return names


def _insert(doctype: str, rows: list[dict]) -> None:
	"""Insert rows that all have the same columns, each statement some MB; as text: building it takes longer."""
	columns = ", ".join(f"`{column}`" for column in rows[0])
	statement = f"insert into `tab{doctype}` ({columns}) values "
	place = "(" + ", ".join(["%s"] * len(rows[0])) + ")"
	for chunk in _chunks(rows):
		values = [value for row in chunk for value in row.values()]
		frappe.db.sql(statement + ", ".join([place] * len(chunk)), values)


def _chunks(rows: list[dict]) -> Iterator[list[dict]]:
	"""Cut rows so that the messages of each list have about BYTES_AT_ONCE."""
	chunk, size = [], 0
	for row in rows:
		length = len(row.get("message") or "")
		if chunk and size + length > BYTES_AT_ONCE:
			yield chunk
			chunk, size = [], 0
		chunk.append(row)
		size += length
	yield chunk
