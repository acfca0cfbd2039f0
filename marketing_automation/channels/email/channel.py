"""E-mail, through Frappe's Email Queue: whatever provider the site's Email Account has.

The Email Queue row is written in the caller's transaction, so it and the ledger's step to Queued are there
together or not at all. The mails are sent when that is committed (sender.py).
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from email.utils import getaddresses, parseaddr
from html import escape

import frappe
from frappe import _
from frappe.core.utils import html2text
from frappe.email.doctype.email_account.email_account import EmailAccount
from frappe.email.queue import get_unsubscribe_message
from frappe.utils import getdate, now_datetime

from marketing_automation.channels.email import address as mailboxes
from marketing_automation.channels.email import (
	headers,
	layout,
	look,
	mime,
	own_frame,
	prints,
	reach,
	refusals,
	sender,
	smtp_errors,
)
from marketing_automation.channels.email import queue as email_queue
from marketing_automation.channels.texts import of_action, templates
from marketing_automation.engine import consent, links, suppression, warmup
from marketing_automation.engine.brand import Brand, brand_of
from marketing_automation.engine.channel import Message, Rendered, Unsendable
from marketing_automation.engine.deliverability import Mail
from marketing_automation.engine.language import in_language, of_the_site
from marketing_automation.engine.model import COMPLETED, FAILED, QUEUED, Reason, Recipient
from marketing_automation.engine.names import ByName

REFERENCE_DOCTYPE = "Lifecycle Campaign"
REACHES_CUSTOMER = True
HANDLE_DOCTYPE = "Email Queue"
PER_JOB = 1000
# Inboxes show some hundred characters.
MOST_OF_PREVIEW = 200
# Where the foot of an example leads; nobody follows it.
WAY_OUT_OF_EXAMPLES = "https://example.com/"

# More than the five minutes that RQ gives a job that sends, less than the fifteen after which newer versions of
# Frappe would send again by themselves what may have been sent.
SENDING_MINUTES = 10


def addresses(customers: set[str]) -> ByName[Recipient]:
	"""Return how each customer that exists is reached; see `reach.reach`. 1 query."""
	return reach.reach(customers)


def refusal(action: dict, recipient: Recipient) -> None:
	"""Whoever has an address can be written to."""
	return None


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
	validate_sender(campaign.sender)
	if campaign.sender:
		able = senders()
		if parseaddr(campaign.sender)[1].lower() not in {one.lower() for one in able if one}:
			text = (
				_(
					"No Email Account sends as {0}. Enable outgoing mail for it in Email Account, or choose another sender: {1}."
				)
				if able
				else _("No Email Account sends as {0}. Enable outgoing mail for it in Email Account.")
			)
			frappe.throw(
				text.format(frappe.bold(frappe.utils.escape_html(campaign.sender)), ", ".join(able)),
				title=_("Sender Cannot Send"),
			)
	elif not EmailAccount.find_default_outgoing():
		frappe.throw(
			_(
				"This site has no Email Account for outgoing mail. Add one, enable outgoing mail in it and make it the default."
			),
			title=_("No Outgoing Email Account"),
		)


def validate_sender(sender: str | None) -> None:
	"""Throw unless a campaign's sender is empty or one mailbox, with a name or without. No query."""
	if not sender:
		return
	found = getaddresses([sender])
	if len(found) != 1 or not mailboxes.is_address(found[0][1]):
		frappe.throw(
			_("The sender {0} is not one e-mail address. Choose one, of an outgoing Email Account.").format(
				frappe.bold(frappe.utils.escape_html(sender))
			),
			title=_("One Sender Only"),
		)


def validate(action, campaign) -> None:
	"""Throw when one of the action's Email Templates cannot be sent, or its print cannot be attached."""
	of_action.validate(action, campaign)
	prints.validate(action)


# What is said of a text is the same whatever it leaves by.
problems = of_action.problems


@dataclasses.dataclass
class Prepared:
	"""What a batch shares: its texts, {sender: Email Account}, and how customers reach this site and write to it, if it says so."""

	texts: of_action.Texts
	accounts: dict = dataclasses.field(default_factory=dict)
	base_address: str | None = None
	mail_address: str | None = None


def prepare(actions: list[dict]) -> Prepared:
	"""Return every template of the actions, compiled. 3 queries."""
	return Prepared(
		of_action.load(actions),
		base_address=links.base_address(),
		mail_address=links.mail_address(),
	)


def compose(prepared: Prepared, message: Message) -> dict:
	"""Return the Email Queue row of one message. Raises Unsendable.

	Makes no queries but for the first mail of a sender or of a template.
	"""
	template, language = of_action.template_of(prepared.texts, message)
	sender = message.campaign.sender or None
	if sender not in prepared.accounts:
		prepared.accounts[sender] = email_queue.account_for(sender, REFERENCE_DOCTYPE)
	account = prepared.accounts[sender]
	try:
		parts = _parts(prepared, template, account, message, language)
	except templates.TemplateInvalid as e:
		raise Unsendable(Reason.TEMPLATE_ERROR, str(e)) from e
	# Not all of it: what is wrong with a message is said to the marketer, not to the customer.
	way_out = _way_out(prepared, message)
	attachments = prints.wanted(message, language)
	with in_language(language):
		mail = email_queue.Mail(
			account,
			way_out,
			frame=_frame(account, sender, way_out),
			headers=headers.headers_of(message),
			recipients=[message.recipient.address],
			sender=sender,
			# Of its first row, so that whoever has the Message-ID finds that row by its key.
			message_id=f"{(message.row_keys or (message.key,))[0]}@{frappe.local.site}",
			reference_doctype=REFERENCE_DOCTYPE,
			reference_name=message.campaign.name,
			add_unsubscribe_link=1,
			unsubscribe_message=_("Unsubscribe"),
			**parts,
		).as_dict()
	if not mail:
		raise Unsendable(
			Reason.INVALID_ADDRESS, _("Frappe refuses the address of the sender or the recipient.")
		)
	return {**mail, "attachments": prints.as_kept(attachments)}


def _way_out(prepared: Prepared, message: Message) -> email_queue.WayOut:
	"""Return how the reader of a message gets no more of these. No query, but one for the key in each job.

	What is marketing can be left by one click of the mailbox's own button (RFC 8058): Gmail and Yahoo ask it of bulk senders for
	what is promotional. A campaign of purpose Service has the button (RFC 2369) and the page behind it, without that one click: what
	somebody has to know about what they have bought should not be lost by a slip. Where the settings name an address for it, the
	button can also write a mail, and that counts as soon as it is read.
	"""
	token = links.token(links.MESSAGE, message.rows[0])
	page = links.page(token, prepared.base_address)
	is_secure = links.is_secure(prepared.base_address)
	uris = [page] if is_secure else []
	if prepared.mail_address:
		uris.append(links.mail_link(token, prepared.mail_address))
	one_click = is_secure and message.campaign.get("purpose") != consent.SERVICE
	return email_queue.WayOut(page, tuple(uris), one_click)


def render(prepared: Prepared, message: Message) -> tuple[Rendered, str]:
	"""Return subject and body as they read, without the frame of a mail, and their language. Raises Unsendable."""
	return of_action.render(prepared.texts, message)


def attached(prepared: Prepared, message: Message) -> list[dict]:
	"""Return the prints that a message would have attached, as `prints.wanted`. Raises Unsendable. No query."""
	_template, language = of_action.template_of(prepared.texts, message)
	return prints.wanted(message, language)


def as_read(prepared: Prepared, message: Message, mail: Rendered) -> tuple[str, str]:
	"""Return a rendered mail as it is sent, as HTML and as plain text. Raises Unsendable.

	Where its link to unsubscribe leads is the customer's own: the text has dots there. At most 10 queries.
	"""
	_template, language = of_action.template_of(prepared.texts, message)
	with in_language(language):
		link = get_unsubscribe_message(_("Unsubscribe"), None)
	html, text = _as_read(prepared, message, mail, link)
	return html, text + link.text.replace(mime.UNSUBSCRIBE_URL, "...")


def send_test(
	prepared: Prepared, message: Message, mail: Rendered, address: str, files: list[dict] | None = None
) -> None:
	"""Send a rendered mail as it reads to a colleague, now, without a link to unsubscribe. Raises Unsendable.

	files: of its prints, from `prints.made`.
	"""
	html, text = _as_read(prepared, message, mail, None)
	send_as_it_is(message.campaign.sender or None, mail.subject, html, text, address, files)


def send_as_it_is(
	sender: str | None, subject: str, html: str, text: str, address: str, files: list[dict] | None = None
) -> None:
	"""Send a finished mail to a colleague, now, without a link to unsubscribe. files: what is attached."""
	email_queue.Mail(
		email_queue.account_for(sender, REFERENCE_DOCTYPE),
		email_queue.WayOut(""),
		html,
		sender=sender,
		subject=subject,
		recipients=[address],
		text_content=text,
		attachments=files,
	).process(send_now=True)


def _as_read(prepared: Prepared, message: Message, mail: Rendered, link: dict | None) -> tuple[str, str]:
	template, language = of_action.template_of(prepared.texts, message)
	try:
		if template.design:
			return _own_frame(
				prepared,
				template,
				message,
				language,
				templates.for_reader(of_action.values(message), language),
			)
		preview = _preview(prepared, message, language)
	except templates.TemplateInvalid as e:
		raise Unsendable(Reason.TEMPLATE_ERROR, str(e)) from e
	seen_as = _look(template, message, language)
	with in_language(language):
		html = look.framed(seen_as, escape(mail.subject), mail.body, None, link, escape(preview))
	return html, email_queue.without_table_lines(_text_of(html2text(mail.body), seen_as))


def examples(campaign: dict, action: dict) -> Iterator[Mail]:
	"""Yield the mail of each template of an action, as a customer of an example reads it, for the checks of deliverability.

	A template that cannot be filled in is left out: the bar says what is wrong with it. At most 10 queries.
	"""
	prepared = prepare([action])
	words = prepared.texts.words[action.name]
	for name, language in _texts_of(action).items():
		template = prepared.texts.templates.get((name, words))
		if not isinstance(template, templates.Template):
			continue
		try:
			yield _example(campaign, action, template, language)
		except templates.TemplateInvalid:
			continue


def _texts_of(action: dict) -> dict[str, str]:
	"""Return {Email Template: the language that it is in}, that of the action first."""
	found = {action.email_template: action.language or of_the_site()} if action.email_template else {}
	for language, name in action.templates.items():
		found.setdefault(name, language)
	return found


def _example(campaign: dict, action: dict, template: templates.Template, language: str) -> Mail:
	subjects = {}
	for case, context in templates.examples(template.words):
		(subject,) = templates.fill(template, [template.subject], templates.for_reader(context, language))
		subjects[case] = templates.one_line(subject)
	context = templates.for_reader(templates.example_context(1, 30, words=template.words), language)
	subject, body = templates.fill(template, [template.subject, template.body], context)
	subject, brand = templates.one_line(subject), brand_of(campaign.get("company"))
	if template.design:
		html, text = own_frame.filled(_frame_of(template, language, brand), template, context)
		body = html = html.replace(mime.UNSUBSCRIBE_URL, "#")
	else:
		seen_as = look.Look(
			brand,
			language,
			templates.reads_from_the_right(template, action, language),
			look.has_no_own_colors(template.source),
		)
		with in_language(language):
			link = get_unsubscribe_message(_("Unsubscribe"), None)
			html, text = look.framed(seen_as, escape(subject), body, None, link), html2text(body)
	# Where the foot leads is worked out for each customer as their mail leaves.
	html, body, text = (
		part.replace(mime.UNSUBSCRIBE_URL, WAY_OUT_OF_EXAMPLES) for part in (html, body, text)
	)
	return Mail(
		label=f"{action.action_name} ({language})",
		subject=subject,
		html=html,
		body=body,
		body_text=text,
		subjects=subjects,
		names=frozenset((*templates.names_of(template.words), "item", "pin")),
	)


def sending(sender: str | None) -> dict[str, str | None]:
	"""Return who sends by a campaign's sender: {"address", "login", "server"} of its Email Account; nothing without one. A few
	queries."""
	try:
		account = email_queue.account_for(sender or None, REFERENCE_DOCTYPE)
	except frappe.OutgoingEmailError:
		return {}
	return {
		"address": parseaddr(sender or "")[1] or account.email_id,
		"login": account.get("login_id") or account.email_id,
		"server": account.get("smtp_server"),
	}


def _parts(
	prepared: Prepared, template: templates.Template, account, message: Message, language: str
) -> dict:
	"""Return the subject, and the finished HTML and text but for the link to unsubscribe."""
	values = templates.for_reader(of_action.values(message), language)
	(subject,) = templates.fill(template, [template.subject], values)
	subject, body = templates.one_line(subject), None
	if not template.says:
		(body,) = templates.fill(template, [template.body], values)
	templates.check_says(template, subject, body)
	if template.design:
		html, text = _own_frame(prepared, template, message, language, values)
		return {"subject": subject, "html": html, "text_content": text}
	preview, seen_as = _preview(prepared, message, language), _look(template, message, language)
	with in_language(language):
		made = _layout(template, account, seen_as, bool(preview))
	html = None
	if made:
		filled_in = {**values, layout.SUBJECT_NAME: subject, layout.PREVIEW_NAME: preview}
		# One can have a value that only Frappe's own way gets right.
		with contextlib.suppress(layout.Unfit):
			(html,) = templates.fill(template, [made.html], filled_in)
	if made and made.text:
		(text,) = templates.fill(template, [made.text], values)
	else:
		body = body or templates.fill(template, [template.body], values)[0]
		text = html2text(body)
	if not html:
		body = body or templates.fill(template, [template.body], values)[0]
		with in_language(language):
			link = get_unsubscribe_message(_("Unsubscribe"), None)
			html = look.framed(seen_as, escape(subject), body, account, link, escape(preview))
	return {"subject": subject, "html": html, "text_content": _text_of(text, seen_as)}


def _own_frame(
	prepared: Prepared, template: templates.Template, message: Message, language: str, values: dict
) -> tuple[str, str]:
	"""Return HTML and text of a designed mail but for the link to unsubscribe. values: of `templates.for_reader`.

	The action's preview text is for a design that has none of its own.
	"""
	made = _frame_of(template, language, brand_of(message.company or message.campaign.get("company")))
	html, text = own_frame.filled(made, template, values)
	if not made.has_preview and (preview := _preview(prepared, message, language)):
		html = own_frame.with_preview(html, escape(preview))
	return html, text


def _frame_of(template: templates.Template, language: str, brand: Brand) -> own_frame.OwnFrame:
	with in_language(language):
		return _made_once(
			("own frame", template.design, language, brand), lambda: own_frame.make(template.design, brand)
		)


def _text_of(text: str, seen_as: look.Look) -> str:
	return text.rstrip() + look.foot_as_text(seen_as.brand)


def _preview(prepared: Prepared, message: Message, language: str) -> str:
	"""Return what an inbox shows after the subject, as text; nothing where the action does not say it."""
	line = of_action.preview_of(prepared.texts, message)
	if not line:
		return ""
	values = templates.for_reader(of_action.values(message), language)
	return templates.one_line(templates.fill(line, [line.subject], values)[0])[:MOST_OF_PREVIEW]


def _look(template: templates.Template, message: Message, language: str) -> look.Look:
	"""Return how the mails of a template look. At most 5 queries, the first time for a company in a job."""
	return look.Look(
		brand_of(message.company or message.campaign.get("company")),
		language,
		templates.reads_from_the_right(template, message.action, language),
		_made_once(("in dark", template.source), lambda: look.has_no_own_colors(template.source)),
	)


def _layout(
	template: templates.Template, account: EmailAccount, seen_as: look.Look, has_preview: bool
) -> layout.Layout | None:
	"""Return the template's layout: every mail of it has the same frame, styles and footer."""

	def framed(subject: str, body: str, preview: str) -> str:
		link = get_unsubscribe_message(_("Unsubscribe"), None)
		return look.framed(seen_as, subject, body, account, link, preview)

	return _made_once(
		(
			"layout",
			template.source,
			template.words,
			account.name,
			str(account.get("modified")),
			seen_as,
			has_preview,
		),
		lambda: layout.make(template, framed, has_preview),
	)


def _frame(account: EmailAccount, sender: str | None, way_out: email_queue.WayOut) -> mime.Frame | None:
	"""Return the MIME of an account: every mail from it that can be left the same ways has the same headers and parts."""
	ways = len(way_out.uris), way_out.one_click
	return _made_once(
		("frame", account.name, str(account.get("modified")), sender, ways),
		lambda: email_queue.frame_of(account, way_out, sender=sender, reference_doctype=REFERENCE_DOCTYPE),
	)


def _made_once(key: tuple, make: Callable):
	"""Return what `make` makes, once in a job."""
	if not hasattr(frappe.local, "lifecycle_made"):
		frappe.local.lifecycle_made = {}
	if key not in frappe.local.lifecycle_made:
		frappe.local.lifecycle_made[key] = make()
	return frappe.local.lifecycle_made[key]


def is_throttled() -> bool:
	"""Say whether each account sends only so many mails a minute, and does so now. 2 queries."""
	return bool(sender.throttle()) and not sender.held_back()


def room(campaign: dict) -> int | None:
	"""Return how many mails the campaign may send now: None for any number, 0 while nothing is sent. 2 queries, and
	some more with a throttle."""
	if sender.held_back():
		return 0
	if not sender.throttle():
		return None
	return sender.room(_throttled(email_queue.account_for(campaign.sender or None, REFERENCE_DOCTYPE)))


def _throttled(account: EmailAccount) -> str:
	"""Return what the throttle knows an account by; the one of the site's configuration has no name."""
	return account.name if account.is_exists_in_db() else ""


def hand_over(composed: list[dict]) -> list[dict]:
	"""Write the Email Queue rows of a batch and return {"handle": name} of each. See email_queue.insert."""
	if sender.throttle():
		sender.take_room([mail["email_account"] or "" for mail in composed])
	domains = [parseaddr(mail["sender"])[1].rpartition("@")[2] for mail in composed]
	warmup.take(domains, getdate())
	names = email_queue.insert([{**mail, "send_after": sender.OUT_OF_REACH} for mail in composed])
	return [{"handle": name} for name in names]


def dispatch(handles: list[str]) -> list[str]:
	"""Send those of the mails that wait for us; return those that there was no time for. See `sender.drain`."""
	return sender.drain(handles)


def repeated(rows: list[dict]) -> dict[str, str]:
	"""None: a mail that has failed was taken by no server, and one of which nobody knows is not sent again by itself."""
	return {}


def recall(rows: list[dict]) -> dict[str, dict]:
	"""Delete the mails that failed, so that Email Queue cannot send them as well; return the rows whose mail lives.

	Somebody can have told Email Queue to retry, or the server had taken it after all. 4 queries.
	"""
	table = frappe.qb.DocType("Email Queue")
	names = {row.handle for row in rows}
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
	_delete(set(status) - alive)
	return {row.name: {"status": QUEUED} for row in rows if row.handle in alive}


def withdraw(rows: list[dict], only_left_behind: bool = False) -> set[str]:
	"""Delete the mails that nobody has begun to send; return the names of their rows. At most 4 queries.

	only_left_behind: only those that no job of ours sends any more, or that are not to be sent at the moment. Whatever
	sends one of ours marks it first, which waits for the lock, and Frappe chooses none of them.
	"""
	table = frappe.qb.DocType("Email Queue")
	found = (
		frappe.qb.from_(table)
		.select(table.name, table.modified)
		.where(table.name.isin(list({row.handle for row in rows}) or [""]))
		.where(table.status == "Not Sent")
		.where(table.send_after == sender.OUT_OF_REACH)
		# As in `_is_being_sent`.
		.where((table.retry == 0) | (table.error != ""))
		.for_update()
	).run()
	if only_left_behind and found and not sender.held_back():
		found = [(name, modified) for name, modified in found if sender.is_left_behind(modified)]
	names = {str(name) for name, _modified in found}
	_delete(names)
	return {row.name for row in rows if row.handle in names}


def asked_again() -> set[str]:
	"""Return the Email Queue rows that failed and that somebody has told Email Queue to send again. 1 query."""
	table = frappe.qb.DocType("Email Queue")
	rows = (
		frappe.qb.from_(table)
		.select(table.name)
		.where(table.status == "Not Sent")
		.where(table.send_after == sender.OUT_OF_REACH)
		.where(table.reference_doctype == REFERENCE_DOCTYPE)
		# That is written down as a change; whatever waits for its first attempt is as it was made.
		.where(table.modified > table.creation)
	).run()
	return {str(name) for (name,) in rows}


def _delete(names: set[str]) -> None:
	"""Delete mails from Email Queue. 2 queries."""
	if not names:
		return
	for doctype, field in (("Email Queue Recipient", "parent"), ("Email Queue", "name")):
		frappe.db.delete(doctype, {field: ["in", list(names)]})


def outcomes(rows: list[dict]) -> dict[str, dict]:
	"""Return what became of the Queued rows: {name: fields}; one that is still on its way is left out. 2 queries.

	A mail that a job of ours has taken, and that has been so for longer than any worker lives, is ended here, as Error:
	the worker was killed between handing it over and hearing the answer, and nobody can know whether the server took
	it. (Frappe would leave it so for ever, or, from version 16 on, make it "Not Sent" again after 15 minutes.) One more
	query each.
	"""
	names = {row.handle for row in rows if row.handle}
	queue = {
		str(row.name): row
		for row in frappe.get_all(
			"Email Queue",
			filters={"name": ["in", list(names)]},
			fields=["name", "status", "error", "modified", "send_after", "retry"],
			order_by="name asc",
		)
	}
	accepted = _accepted(names)
	unknown = {
		name
		for name, mail in queue.items()
		if _is_being_sent(mail) and name not in accepted and _is_long_ago(mail.modified) and _end(mail)
	}
	found = {}
	for row in rows:
		mail = queue.get(row.handle)
		if not mail:
			# Somebody deleted it, perhaps while it was being sent.
			found[row.name] = {
				"status": FAILED,
				"reason": Reason.OUTCOME_UNKNOWN,
				"error": _(
					"The mail was deleted from the Email Queue before its outcome was written down, so nobody knows whether it left. The mail server's log knows, by the Message-ID. Retry if it has not."
				),
			}
		elif mail.status == "Sent" or row.handle in accepted:
			found[row.name] = {"status": COMPLETED, "error": None, "executed_at": mail.modified}
		elif mail.status == "Error":
			# Older versions keep the server's words in the ledger row (kept_errors.remember_mail_error).
			error = "\n".join(filter(None, (mail.error, row.error)))
			if unprinted := prints.reason_in(error):
				found[row.name] = {
					"status": FAILED,
					"reason": Reason.ATTACHMENT_FAILED,
					"error": unprinted,
					"executed_at": mail.modified,
				}
				continue
			found[row.name] = {
				"status": FAILED,
				"reason": Reason.SENDING_FAILED,
				"error": smtp_errors.summary(error)
				or _("Email Queue could not send this mail, and has not written down why."),
				"temporary": smtp_errors.is_temporary(error),
				"finding": _finding(row, error, mail.modified),
				"executed_at": mail.modified,
			}
		elif row.handle in unknown:
			found[row.name] = {
				"status": FAILED,
				"reason": Reason.OUTCOME_UNKNOWN,
				"error": outcome_unknown(),
				"executed_at": mail.modified,
			}
	return found


def _is_being_sent(mail: dict) -> bool:
	"""Say whether a mail is with a sender, or was when its sender died: ours, or whoever pressed "Send Now".

	Newer versions of Frappe make such a mail "Not Sent" again, with an attempt and no error.
	"""
	was = mail.send_after == sender.TAKEN or (mail.retry and not mail.error)
	return mail.status == "Sending" or (mail.status == "Not Sent" and bool(was))


def _is_long_ago(moment: datetime) -> bool:
	"""Say whether a job of that time has ended by now, also where the clock was set back since."""
	return abs(now_datetime() - moment) > timedelta(minutes=SENDING_MINUTES)


def _finding(row: dict, error: str, at: datetime) -> suppression.Finding | None:
	"""Return what a refusal while sending says of a row's address, or None if it says nothing of it."""
	meaning = refusals.of_sending(error)
	if not meaning or meaning.verdict == refusals.SENDER or not row.recipient:
		return None
	return suppression.Finding(
		row.recipient,
		meaning.verdict,
		at,
		source="Sending",
		code=meaning.code,
		words=smtp_errors.summary(error).partition("\n\n")[0],
		message_id=row.message_key,
		message=row.name,
	)


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
	unchanged = {"name": mail.name, "status": mail.status, "modified": mail.modified}
	if not frappe.db.get_value("Email Queue", unchanged, "name", for_update=True):
		return False
	frappe.db.set_value(
		"Email Queue",
		mail.name,
		{"status": "Error", "error": outcome_unknown(), "send_after": sender.OUT_OF_REACH},
	)
	return True
