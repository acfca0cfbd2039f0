"""Prints with a mail: what a message is about in, the PDFs that Frappe prints of it out.

Email Queue keeps what is to be printed, in the words that Frappe has for it. The sender has it printed right before the mail
leaves, with nothing locked and nothing open. So no PDF is stored, and that of a mail which goes again shows its document as it
is by then. A mail whose print cannot be made, or is too large, does not leave without it: it says that something is attached.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from email import policy
from email.parser import Parser

import frappe
from frappe import _
from frappe.email.doctype.email_queue import email_queue as frappes_queue
from frappe.email.email_body import add_attachment
from frappe.utils import cstr
from rq.timeouts import BaseTimeoutException

from marketing_automation import compat, erpnext_schema
from marketing_automation.engine.channel import Message, Unsendable
from marketing_automation.engine.model import Reason
from marketing_automation.engine.settings import limit
from marketing_automation.engine.source import source_for

# Each takes a second or two, and a job has five minutes.
MOST_DOCUMENTS = 20
PRINT_FORMAT = "Print Format"
BYTES_PER_MB = 1024 * 1024


class PrintFailed(Exception):
	"""A print cannot be made or is too large. Its text is one line, and says of which document and what to do."""


# As the last line of a traceback, in which whoever asks for the outcome finds it again.
IN_A_TRACEBACK = re.compile(
	rf"^{re.escape(PrintFailed.__module__)}\.{PrintFailed.__name__}: (.+)$", re.MULTILINE
)


def is_printed(doctype: str | None) -> bool:
	"""Say whether what is of a DocType is something to send a print of: what is submitted, such as a quotation, an invoice or a
	contract, and what the site has made a Print Format for. At most 1 query."""
	if not doctype or not erpnext_schema.has(doctype):
		return False
	return bool(frappe.get_meta(doctype).is_submittable) or bool(
		frappe.db.exists(PRINT_FORMAT, {"doc_type": doctype, "disabled": 0})
	)


def offered(trigger) -> str | None:
	"""Return the DocType whose prints a trigger's mails can have, for the session's user; None where there is none. At most 1
	query."""
	doctype = source_for(trigger).reference_doctype(trigger)
	return doctype if is_printed(doctype) and frappe.has_permission(doctype, "print") else None


def validate(action) -> None:
	"""Throw when an action (document) attaches what its user may not print, or what cannot be printed.

	Whoever changes something else need not have the right: the one who has switched it on had it.
	"""
	if not action.attach_print:
		return
	trigger = frappe.get_doc("Lifecycle Trigger", action.trigger)
	doctype = source_for(trigger).reference_doctype(trigger)
	if not is_printed(doctype):
		frappe.throw(
			_(
				"There is no print of {0} to attach. Make a Print Format for it first, or attach nothing."
			).format(frappe.bold(_(doctype or ""))),
			title=_("Nothing To Attach"),
		)
	if _is_changed(action) and not frappe.has_permission(doctype, "print"):
		frappe.throw(
			_("You may not print {0}, so you cannot have it attached. Ask a colleague who may.").format(
				frappe.bold(_(doctype))
			),
			frappe.PermissionError,
			title=_("Not Yours To Print"),
		)
	if action.print_format:
		_validate_format(action.print_format, doctype)


def _is_changed(action) -> bool:
	"""Say whether what is attached is another than before. Where a campaign is activated nothing is saved."""
	before = action.get_doc_before_save()
	return action.is_new() or bool(
		before
		and any(
			(before.get(field) or None) != (action.get(field) or None)
			for field in ("attach_print", "print_format")
		)
	)


def _validate_format(name: str, doctype: str) -> None:
	found = frappe.db.get_value(PRINT_FORMAT, name, ["doc_type", "disabled", "raw_printing"], as_dict=True)
	if not found or found.doc_type != doctype or found.disabled or found.raw_printing:
		frappe.throw(
			_(
				"The Print Format {0} makes no PDF of {1}. Choose another one, or none for the usual one."
			).format(frappe.bold(frappe.utils.escape_html(name)), frappe.bold(_(doctype))),
			title=_("Print Format Cannot Be Used"),
		)


def wanted(message: Message, language: str) -> list[dict]:
	"""Return what Email Queue has to print for a message, as it keeps it. Raises Unsendable. No query.

	language: that of the mail, for customers of whom none is known.
	"""
	if not message.action.get("attach_print"):
		return []
	if len(message.about) > MOST_DOCUMENTS:
		raise Unsendable(
			Reason.ATTACHMENT_FAILED,
			_(
				"This message is about {0} documents, and {1} are attached to one at most. Switch off One Message a Customer a Day, or attach nothing."
			).format(len(message.about), MOST_DOCUMENTS),
		)
	return [
		{
			"print_format_attachment": 1,
			"doctype": doctype,
			"name": name,
			"print_format": message.action.get("print_format") or None,
			"lang": message.recipient.language or language,
		}
		for doctype, name in message.about
	]


def of_row(attachments: str | None) -> list[dict]:
	"""Return what a row of Email Queue has attached, as it keeps it."""
	return frappe.parse_json(attachments or "[]")


def are_prints(attachments: list[dict]) -> bool:
	return all(one.get("print_format_attachment") for one in attachments)


def made(attachments: list[dict]) -> list[dict]:
	"""Have prints made, and return their files: [{"fname", "fcontent"}]. Raises PrintFailed. A second or two each."""
	most = limit("attachments_mb")
	files, size = [], 0
	for number, one in enumerate(attachments, 1):
		try:
			found = _printed(one)
		except BaseTimeoutException:
			raise
		except Exception as e:
			frappe.db.rollback()
			raise PrintFailed(
				_("The print of {0} {1} could not be made: {2}").format(
					_(one["doctype"]), one["name"], _one_line(e)
				)
			) from e
		size += len(found["fcontent"])
		if size > most * BYTES_PER_MB:
			text = (
				_(
					"The print of {0} {1} has {2} MB, and {3} MB are attached at most. Choose a lighter Print Format, or raise the limit in the settings."
				)
				if number == 1
				else _(
					"With the print of {0} {1} the attachments have {2} MB, and {3} MB are attached at most. Choose a lighter Print Format, or raise the limit in the settings."
				)
			)
			raise PrintFailed(
				text.format(_(one["doctype"]), one["name"], round(size / BYTES_PER_MB, 1), most)
			)
		files.append(found)
	return files


def _printed(one: dict) -> dict:
	with _printing(one.get("lang") or frappe.local.lang):
		html = compat.page_of_print(one["doctype"], one["name"], one.get("print_format"))
		return frappe.attach_print(
			one["doctype"],
			one["name"],
			print_format=one.get("print_format"),
			html=html,
			lang=frappe.local.lang,
		)


@contextlib.contextmanager
def _printing(language: str) -> Iterator[None]:
	"""Print in a language, and whatever the session's user may see: who switched the prints on might. What Frappe changes for
	it, and leaves behind when a print fails, is put back."""
	local = frappe.local
	before = local.lang, getattr(local, "jenv", None), local.flags.ignore_print_permissions
	local.lang, local.jenv = language, None
	local.flags.ignore_print_permissions = True
	try:
		with compat.no_message_of_errors():
			yield
	finally:
		local.lang, local.jenv, local.flags.ignore_print_permissions = before


def _one_line(error: Exception) -> str:
	text = " ".join(frappe.utils.strip_html(cstr(error)).split())
	return f"{type(error).__name__}: {text}"[:500] if text else type(error).__name__


def attached(message: str, files: list[dict]) -> str:
	"""Return a message of Email Queue with files, as Email Queue's own `send` attaches them."""
	parsed = Parser(policy=_policy()).parsestr(message)
	for one in files:
		add_attachment(**one, parent=parsed)
	return parsed.as_string()


def _policy():
	"""Return the policy by which this version of Frappe writes mails out."""
	return getattr(frappes_queue, "SMTP", policy.SMTPUTF8)


def as_kept(attachments: list[dict]) -> str:
	"""Return attachments as a row of Email Queue has them."""
	return json.dumps(attachments)


def reason_in(error: str) -> str | None:
	"""Return what was wrong with the print where that is what a traceback is about."""
	found = IN_A_TRACEBACK.findall(error)
	return found[-1] if found else None
