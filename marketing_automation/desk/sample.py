"""One mail to look at: an action and what it is about in, the mail as its customer would read it out.

Looking writes nothing. A test goes to the user who asks and to nobody else, and leaves no row in the ledger.
"""

from dataclasses import dataclass, replace

import frappe
from frappe import _
from frappe.utils import getdate, validate_email_address

from marketing_automation import recipes as cookbook
from marketing_automation.channels.email import channel as email
from marketing_automation.channels.email import prints
from marketing_automation.channels.texts import templates
from marketing_automation.engine import faults, profiles, recipients, rules
from marketing_automation.engine.channel import Message, Rendered, Unsendable, channel_for
from marketing_automation.engine.language import in_language, of_the_site
from marketing_automation.engine.model import DueEvent, Recipient, Rule
from marketing_automation.engine.source import is_shown, source_for
from marketing_automation.engine.visibility import Visibility


@dataclass(frozen=True)
class Sample:
	"""A rendered mail. html: as mailed, with the site's frame round it; text: the plain version of it. attached: as of
	`attachments`."""

	subject: str
	html: str
	text: str
	body: str
	message: Message
	reason: str | None
	attached: list[dict]


def rule_of(action: str) -> tuple[Rule, dict]:
	"""Return the rule that an action belongs to, and the action. Switched off or not. 5 queries."""
	campaign = frappe.db.get_value("Lifecycle Action", action, "campaign")
	for rule in rules.load([campaign], active_only=False):
		for found in rule.actions:
			if found.name == action:
				return rule, found
	frappe.throw(_("The action {0} does not exist.").format(frappe.bold(action)), frappe.DoesNotExistError)


def render(action: str, reference_name: str, visible: Visibility, language: str | None = None) -> Sample:
	"""Return the mail of an action about a reference, whether it is due or not. At most 25 queries.

	language: read it as a customer of this language would. Throws, in words for the marketer, when the reference
	may not be seen or the template cannot be filled in.
	"""
	rule, found = rule_of(action)
	faults.refuse(replace(rule, actions=(found,)), _("Cannot Be Shown"))
	message = message_about(rule, found, reference_name, visible, language)
	recipient = message.recipient
	channel = channel_for(found.action_type)
	try:
		prepared = channel.prepare([found])
		mail, _language = channel.render(prepared, message)
		attached = []
		if channel.REACHES_CUSTOMER:
			framed, text = email.as_read(prepared, message, mail)
			attached = attachments(email.attached(prepared, message))
		else:
			# No frame of a mail, and no link to unsubscribe.
			framed, text = mail.body, frappe.utils.strip_html(mail.body)
	except Unsendable as e:
		frappe.throw(frappe.utils.escape_html(str(e)), templates.TemplateInvalid, title=_("Cannot Be Shown"))
	if templates.EMBED.search(framed):
		frappe.throw(
			_("The Email Template embeds a file by its path. Show pictures by their address instead."),
			templates.TemplateInvalid,
			title=_("Cannot Be Shown"),
		)
	return Sample(
		subject=mail.subject,
		html=framed,
		text=text,
		body=mail.body,
		message=message,
		reason=recipient.reason,
		attached=attached,
	)


def attachments(prints_of_message: list[dict]) -> list[dict]:
	"""Return the prints of a message (`prints.wanted`), each with `may_print`: whether the session's user may print that document.
	A few queries each."""
	return [
		{**one, "may_print": bool(frappe.has_permission(one["doctype"], "print", doc=one["name"]))}
		for one in prints_of_message
	]


def files_of(attached: list[dict]) -> list[dict]:
	"""Return the files of those of `attachments` that the session's user may print, for a test to a colleague. Throws, in words
	for the marketer, when one cannot be made. A second or two each."""
	wanted = [
		{key: value for key, value in one.items() if key != "may_print"}
		for one in attached
		if one["may_print"]
	]
	try:
		return prints.made(wanted)
	except prints.PrintFailed as e:
		frappe.throw(frappe.utils.escape_html(str(e)), title=_("Cannot Be Attached"))


def message_about(
	rule: Rule, action: dict, reference_name: str, visible: Visibility, language: str | None = None
) -> Message:
	"""Return what a rule would say about a reference. Throws when it may not be seen. At most 15 queries."""
	event, recipient = _addressed(rule, action, reference_name, visible)
	if language:
		recipient = replace(recipient, language=language)
	return Message(
		key=f"sample-{reference_name}",
		campaign=rule.campaign,
		action=action,
		recipient=recipient,
		company=event.company,
		items=source_for(rule.trigger).values([event]),
		about=((event.reference_doctype, event.reference_name),),
		# As it reads on the day that it is due.
		today=event.night,
		profile=profiles.of_advertisements([(rule.campaign, recipient.customer, event.company)]).get(
			(recipient.customer, event.company)
		),
	)


def _addressed(
	rule: Rule, action: dict, reference_name: str, visible: Visibility
) -> tuple[DueEvent, Recipient]:
	"""Return what the rule would say about a reference, and to whom."""
	source = source_for(rule.trigger)
	row = frappe._dict(reference_name=reference_name, due_on=None)
	(event,) = source.current([(rule, row)])
	recipient = recipients.recipients([(event, action)])[0] if event else None
	if (
		not event
		or not is_shown(event.reference_doctype)
		or not visible.about(event.reference_doctype).sees(
			company=event.company, customer=recipient.customer, item_code=event.item_code
		)
	):
		frappe.throw(
			_("There is no {0} {1} that you may see.").format(
				_(source.reference_doctype(rule.trigger) or ""),
				frappe.bold(frappe.utils.escape_html(reference_name)),
			),
			frappe.DoesNotExistError,
			title=_("Not Found"),
		)
	if not event.occurrence:
		frappe.throw(
			_("{0} has no date for this message. Choose another one.").format(
				frappe.bold(frappe.utils.escape_html(reference_name))
			),
			title=_("No Date"),
		)
	# Near the ends of the calendar there may be no such day.
	return event._replace(night=source.night(rule, event.occurrence) or getdate()), recipient


def languages(action: dict) -> list[dict]:
	"""Return the languages in which a mail is worth a look: those of its templates, the site's and the user's. 1 query.

	And those that recipes are written in: in them it is seen who gets the template for all other languages.
	"""
	codes = {*action.templates, action.language or of_the_site(), of_the_site(), frappe.local.lang}
	for recipe in cookbook.all_recipes().values():
		codes.update(cookbook.languages(recipe))
	return frappe.get_all(
		"Language",
		filters={"name": ["in", list(codes)]},
		fields=["name as value", "language_name as label"],
		order_by="name asc",
	)


def send_test(action: str, reference_name: str, visible: Visibility, language: str | None = None) -> str:
	"""Have a sample (see `render`) mailed to the session's user, marked as a test; return their address."""
	sample = render(action, reference_name, visible, language)
	address = frappe.db.get_value("User", frappe.session.user, "email")
	if not address or not validate_email_address(address):
		frappe.throw(
			_("Your user has no e-mail address to send the test to. Add one in My Settings."),
			title=_("No E-mail Address"),
		)
	channel_for(sample.message.action.action_type).check(sample.message.campaign)
	# Whoever asks sees what is wrong with a print; the job has it made again.
	files_of(sample.attached)
	frappe.enqueue(
		mail_test,
		queue="short",
		now=frappe.flags.in_test,
		**{
			"action": action,
			"reference_name": reference_name,
			"language": language,
			"asked_in": frappe.local.lang,
		},
	)
	return address


def mail_test(action: str, reference_name: str, language: str | None, asked_in: str) -> None:
	"""Mail a sample to the session's user, now: who asks for a test waits for it. The entry point of the job.

	asked_in: the language of the user.
	"""
	sample = render(action, reference_name, Visibility(), language)
	with in_language(asked_in):
		subject = _("[Test] {0}").format(sample.subject)
	address = frappe.db.get_value("User", frappe.session.user, "email")
	mail = Rendered(subject, sample.body)
	if channel_for(sample.message.action.action_type).REACHES_CUSTOMER:
		prepared = email.prepare([sample.message.action])
		email.send_test(prepared, sample.message, mail, address, files_of(sample.attached))
	else:
		frappe.sendmail(recipients=[address], subject=mail.subject, message=mail.body, now=True)


def is_taken(action: str, reference_name: str) -> bool:
	"""Say whether an action's trigger takes a reference, due or not. 6 to 9 queries."""
	rule, _action = rule_of(action)
	return bool(source_for(rule.trigger).about([rule], [reference_name]))


def wanted(action: str) -> str:
	"""Say which references an action's trigger takes. 5 queries."""
	rule, _action = rule_of(action)
	return source_for(rule.trigger).wanted(rule)


def reference_doctype(action: str) -> str | None:
	"""Return the DocType of what an action's messages are about. 7 queries, and those of the source's `validate`."""
	rule, found = rule_of(action)
	faults.refuse(replace(rule, actions=(found,)), _("Cannot Be Shown"))
	return source_for(rule.trigger).reference_doctype(rule.trigger)


def reference_doctype_of(action: str) -> str | None:
	"""Return the same whether the action can send or not. 5 queries."""
	rule, _action = rule_of(action)
	return source_for(rule.trigger).reference_doctype(rule.trigger)


def example(action: str, visible: Visibility) -> str | None:
	"""Return a reference to begin with: the one that the action's trigger meets next. 7 to 10 queries."""
	rule, found = rule_of(action)
	faults.refuse(replace(rule, actions=(found,)), _("Cannot Be Shown"))
	source = source_for(rule.trigger)
	return source.example(rule, visible)
