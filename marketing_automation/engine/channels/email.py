"""E-mail, through frappe.sendmail and the Email Queue: whatever provider the site's Email Account has.

The Email Queue row is written in the caller's transaction, so it and the ledger's step to Queued are there
together or not at all.
"""

from email.utils import parseaddr

import frappe
from frappe import _
from frappe.email.doctype.email_account.email_account import EmailAccount
from frappe.utils import add_to_date, now_datetime

from marketing_automation.engine import templates
from marketing_automation.engine.channels import Message, Unsendable, smtp_errors
from marketing_automation.engine.model import COMPLETED, FAILED, QUEUED, Reason

# More than the five minutes that RQ gives a job that sends, less than the fifteen after which newer versions of
# Frappe would send again by themselves what may have been sent.
SENDING_MINUTES = 10


def senders() -> list[str]:
	"""Return the addresses that the site can send from: those of its outgoing Email Accounts. 1 query."""
	return frappe.get_all(
		"Email Account",
		filters={"enable_outgoing": 1},
		pluck="email_id",
		order_by="default_outgoing desc, name asc",
	)


def check(campaign) -> None:
	"""Throw when no Email Account can send for this campaign."""
	if campaign.sender:
		if parseaddr(campaign.sender)[1] not in senders():
			frappe.throw(
				_(
					"No Email Account sends as {0}. Enable outgoing mail for it in Email Account, or choose another sender: {1}."
				).format(frappe.bold(frappe.utils.escape_html(campaign.sender)), ", ".join(senders()) or "-"),
				title=_("Sender Cannot Send"),
			)
	elif not EmailAccount.find_default_outgoing():
		frappe.throw(
			_(
				"This site has no Email Account for outgoing mail. Add one, enable outgoing mail in it and make it the default."
			),
			title=_("No Outgoing Email Account"),
		)


def validate(action) -> None:
	"""Throw when one of the action's Email Templates is missing or cannot be filled in."""
	if not action.email_template:
		frappe.throw(
			_("Choose an Email Template: it is the message that this action sends."),
			frappe.MandatoryError,
			title=_("Email Template Missing"),
		)
	languages = [row.language for row in action.translations]
	if twice := {language for language in languages if languages.count(language) > 1}:
		frappe.throw(
			_("Two templates for the language {0}. Leave one.").format(", ".join(sorted(twice))),
			title=_("Language Twice"),
		)
	for name in {action.email_template, *(row.email_template for row in action.translations)}:
		# A template that does not exist is found by Frappe's own check of links.
		if name and frappe.db.exists("Email Template", name):
			validate_template(frappe.get_doc("Email Template", name))


def validate_template(doc) -> None:
	"""Throw when an Email Template (document) cannot be filled in."""
	try:
		templates.validate(doc)
	except templates.TemplateInvalid as e:
		frappe.throw(
			frappe.utils.escape_html(str(e)),
			templates.TemplateInvalid,
			title=_("Email Template Cannot Be Sent"),
		)


def prepare(actions: list[dict]) -> dict:
	"""Return every template of the actions, compiled; {name: Template, or the error that it has}. 1 query."""
	names = {
		name for action in actions for name in (action.email_template, *action.templates.values()) if name
	}
	return templates.load(names)


def render(prepared: dict, message: Message) -> tuple[templates.Rendered, str]:
	"""Return the rendered mail and the language that it is in. Raises Unsendable."""
	name = templates.template_for(message.action, message.recipient.language)
	template = prepared.get(name)
	if not isinstance(template, templates.Template):
		raise Unsendable(Reason.TEMPLATE_ERROR, template or _("The action has no Email Template."))
	language = message.recipient.language or frappe.db.get_system_setting("language") or "en"
	values = templates.context(
		{
			"customer": message.recipient.customer,
			"customer_name": message.recipient.customer_name,
			"company": message.company,
			"campaign": message.campaign.name,
		},
		message.pins,
		message.today,
	)
	try:
		return templates.render(template, values, language), language
	except templates.TemplateInvalid as e:
		raise Unsendable(Reason.TEMPLATE_ERROR, str(e)) from e


def send(prepared: dict, message: Message) -> str:
	"""Write the Email Queue row of one message and return its Message-ID."""
	mail, language = render(prepared, message)
	message_id = f"{message.key}@{frappe.local.site}"
	site_language = frappe.local.lang
	frappe.local.lang = language
	try:
		frappe.sendmail(
			recipients=[message.recipient.email],
			sender=message.campaign.sender or None,
			subject=mail.subject,
			message=mail.body,
			message_id=message_id,
			reference_doctype="Lifecycle Campaign",
			reference_name=message.campaign.name,
			add_unsubscribe_link=1,
			unsubscribe_message=_("Unsubscribe"),
		)
	finally:
		frappe.local.lang = site_language
	return message_id


def references(sent: list[str]) -> dict[str, dict]:
	"""Return {Message-ID: {"email_queue": name}} of the mails that Email Queue took. 1 query."""
	rows = frappe.get_all(
		"Email Queue",
		filters={"message_id": ["in", sent]},
		fields=["name", "message_id"],
		order_by="creation asc",
	)
	# Some versions number the rows of Email Queue, others name them.
	return {row.message_id: {"email_queue": str(row.name)} for row in rows}


def recall(rows: list[dict]) -> dict[str, dict]:
	"""Delete the mails that failed, so that Email Queue cannot send them as well; return the rows whose mail lives.

	Somebody can have told Email Queue to retry, or the server had taken it after all. 4 queries.
	"""
	table = frappe.qb.DocType("Email Queue")
	names = {row.email_queue for row in rows}
	status = {
		str(name): status
		for name, status in (
			frappe.qb.from_(table)
			.select(table.name, table.status)
			.where(table.name.isin(list(names)))
			.for_update()
		).run()
	}
	accepted = _accepted(names)
	alive = {name for name, value in status.items() if value != "Error" or name in accepted}
	for doctype, field in (("Email Queue Recipient", "parent"), ("Email Queue", "name")):
		frappe.db.delete(doctype, {field: ["in", [name for name in status if name not in alive] or [""]]})
	return {row.name: {"status": QUEUED} for row in rows if row.email_queue in alive}


def outcomes(rows: list[dict]) -> dict[str, dict]:
	"""Return what became of the Queued rows: {name: fields}; one that is still on its way is left out. 2 queries.

	A mail that has been "Sending" for longer than any worker lives is ended here, as Error: the worker was killed
	between handing it over and hearing the answer, and nobody can know whether the server took it. (Frappe would
	leave it so for ever, or, from version 16 on, send it again after 15 minutes.) One more query each.
	"""
	names = {row.email_queue for row in rows if row.email_queue}
	queue = {
		str(row.name): row
		for row in frappe.get_all(
			"Email Queue",
			filters={"name": ["in", list(names)]},
			fields=["name", "status", "error", "modified"],
			order_by="name asc",
		)
	}
	accepted = _accepted(names)
	long_ago = add_to_date(now_datetime(), minutes=-SENDING_MINUTES)
	unknown = {
		name
		for name, mail in queue.items()
		if mail.status == "Sending" and mail.modified < long_ago and name not in accepted and _end(mail)
	}
	found = {}
	for row in rows:
		mail = queue.get(row.email_queue)
		if not mail:
			error = _("The Email Queue row was deleted before the mail was sent.")
			found[row.name] = {"status": FAILED, "reason": Reason.SENDING_FAILED, "error": error}
		elif mail.status == "Sent" or row.email_queue in accepted:
			found[row.name] = {"status": COMPLETED, "error": None, "executed_at": mail.modified}
		elif mail.status == "Error":
			# Older versions keep the server's words in the ledger row (compat.remember_mail_error).
			error = "\n".join(filter(None, (mail.error, row.error)))
			found[row.name] = {
				"status": FAILED,
				"reason": Reason.SENDING_FAILED,
				"error": smtp_errors.summary(error),
				"temporary": smtp_errors.is_temporary(error),
				"executed_at": mail.modified,
			}
		elif row.email_queue in unknown:
			found[row.name] = {
				"status": FAILED,
				"reason": Reason.OUTCOME_UNKNOWN,
				"error": outcome_unknown(),
				"executed_at": mail.modified,
			}
	return found


def _accepted(names: set[str]) -> set[str]:
	"""Return those Email Queue rows whose recipients have all been written down as Sent. 1 query.

	That is committed right after the server's answer. The row's own status comes later, and says Error when only
	what follows (a copy to the Sent folder) has failed.
	"""
	recipients = frappe.get_all(
		"Email Queue Recipient",
		filters={"parent": ["in", list(names)]},
		fields=["parent", "status"],
		order_by="name asc",
	)
	unsent = {str(row.parent) for row in recipients if row.status != "Sent"}
	return {str(row.parent) for row in recipients} - unsent


def outcome_unknown() -> str:
	"""Return what to do about a mail of which nobody knows whether it left."""
	return _(
		"The worker was killed while it handed this mail over: the mail server may have taken it or not. Its log knows, by the Message-ID. Retry if it has not."
	)


def _end(mail: dict) -> bool:
	"""Take a mail out of Email Queue that is still as it was read; return whether it was. 2 queries."""
	unchanged = {"name": mail.name, "status": "Sending", "modified": mail.modified}
	if not frappe.db.get_value("Email Queue", unchanged, "name", for_update=True):
		return False
	frappe.db.set_value("Email Queue", mail.name, {"status": "Error", "error": outcome_unknown()})
	return True
