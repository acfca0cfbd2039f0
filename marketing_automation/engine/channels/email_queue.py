"""Rows of Frappe's Email Queue, many at once: mails composed as frappe.sendmail composes them, written in bulk.

What sendmail finds out again for each mail (the account, the unsubscribed, the frame, the styles) is handed in.
"""

import functools
from collections.abc import Iterator
from itertools import groupby

import frappe
from frappe.email.doctype.email_account.email_account import EmailAccount
from frappe.email.doctype.email_queue.email_queue import EmailQueue, QueueBuilder
from frappe.email.email_body import EMail
from frappe.model.naming import is_autoincremented, set_new_name

DOCTYPE = "Email Queue"
# Of one INSERT: MariaDB takes 16 MB as it is delivered, and some hosts set less.
BYTES_AT_ONCE = 2_000_000
# The events on every document of these apps have nothing to do with mail.
CORE = ("frappe.", "erpnext.")
# Whatever a site's users have bound to documents, by the field that names the DocType.
BOUND = {"Notification": "document_type", "Webhook": "webhook_doctype", "Server Script": "reference_doctype"}


class Mail(QueueBuilder):
	"""One mail as frappe.sendmail builds it: `as_dict` has all its headers, defaults and the hooks of other apps.

	account: from `account_for`. html: the finished HTML part; without it Frappe frames `message`. The recipients must
	have been looked up among the unsubscribed in this transaction.
	"""

	def __init__(self, account: EmailAccount, html: str | None = None, **fields):
		super().__init__(**fields)
		self.account = account
		self.html = html

	def get_outgoing_email_account(self):
		return self.account

	def get_unsubscribed_user_emails(self):
		return []

	def prepare_email_content(self):
		if not self.html:
			return super().prepare_email_content()
		# As Frappe does, without its turn through Markdown of the message that there is not.
		mail = EMail(
			self.sender,
			self.final_recipients(),
			self.subject,
			reply_to=self.reply_to,
			email_account=self.account,
			expose_recipients=self.expose_recipients,
		)
		mail.set_html("", self.email_text_content(), formatted=self.html)
		mail.set_message_id(self.message_id, self.is_notification)
		return mail


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
	documents = [_document(mail) for mail in mails]
	_set_names(documents)
	for doctype, rows in groupby(_rows(documents), key=lambda row: row["doctype"]):
		_insert(doctype, list(rows))
	return [str(document.name) for document in documents]


def _is_watched() -> bool:
	"""Say whether something happens when a document of Email Queue is inserted. 3 queries."""
	hooks = frappe.get_hooks("doc_events")
	own, every = hooks.get(DOCTYPE, {}), hooks.get("*", {})
	if own or any(not path.startswith(CORE) for paths in every.values() for path in paths):
		return True
	if any(DOCTYPE in frappe.get_hooks(hook) for hook in ("override_doctype_class", "extend_doctype_class")):
		return True
	return any(frappe.db.exists(doctype, {field: DOCTYPE}) for doctype, field in BOUND.items())


def _document(mail: dict) -> EmailQueue:
	"""Return the document as EmailQueue.new makes it, up to its insertion."""
	document = frappe.new_doc(DOCTYPE)
	document.update({field: value for field, value in mail.items() if field != "recipients"})
	document.set_recipients(mail["recipients"])
	document.set_user_and_timestamp()
	document.set_docstatus()
	return document


def _set_names(documents: list[EmailQueue]) -> None:
	"""Give the documents and those in them their names; where a sequence numbers them, by one query for all."""
	if is_autoincremented(DOCTYPE, frappe.get_meta(DOCTYPE)):
		sequence = frappe.scrub(f"{DOCTYPE}_id_seq")
		query = " union all ".join([f"select nextval(`{sequence}`)"] * len(documents))
		for document, number in zip(documents, frappe.db.sql(query, pluck=True), strict=True):
			document.name = number
	else:
		for document in documents:
			set_new_name(document)
	for document in documents:
		for child in document.get_all_children():
			set_new_name(child)


def _rows(documents: list[EmailQueue]) -> Iterator[dict]:
	"""Yield the values of the documents, and then of the documents in them."""
	for document in documents:
		yield {"doctype": DOCTYPE, **_values(document)}
	for document in documents:
		document.set_parent_in_children()
		for child in document.get_all_children():
			yield {"doctype": child.doctype, **_values(child)}


def _values(document) -> dict:
	return document.get_valid_dict(convert_dates_to_str=True, ignore_virtual=True)


def _insert(doctype: str, rows: list[dict]) -> None:
	columns = [column for column in rows[0] if column != "doctype"]
	chunk, size = [], 0
	for row in rows:
		length = len(row.get("message") or "")
		if chunk and size + length > BYTES_AT_ONCE:
			frappe.db.bulk_insert(doctype, columns, chunk)
			chunk, size = [], 0
		chunk.append([row[column] for column in columns])
		size += length
	frappe.db.bulk_insert(doctype, columns, chunk)
