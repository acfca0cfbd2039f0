"""Texts of messages, whatever they leave by: an action's Email Templates and a message in, what its reader reads out."""

import dataclasses
import functools

import frappe
from frappe import _
from frappe.utils import cint

from marketing_automation.channels.texts import templates
from marketing_automation.engine.channel import Message, Rendered, Unsendable
from marketing_automation.engine.model import Reason
from marketing_automation.engine.profiles import required_texts
from marketing_automation.engine.rules import TRIGGER_FIELDS
from marketing_automation.engine.schedule import AFTER


def validate(action, campaign) -> None:
	"""Throw when one of the action's Email Templates is missing or cannot be sent; show what is worth a look.

	campaign: a document or dict, with combine_messages.
	"""
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
	trigger = frappe.db.get_value("Lifecycle Trigger", action.trigger, TRIGGER_FIELDS, as_dict=True)
	after, words = trigger.trigger_type == AFTER, templates.words_of_trigger(trigger)
	names = {action.email_template, *(row.email_template for row in action.translations)}
	# A template that does not exist is found by Frappe's own check of links.
	for doc in templates.documents(names):
		validate_template(doc, cint(campaign.combine_messages), after, words)
	for text in filter(None, (action.preview_text, *(row.preview_text for row in action.translations))):
		try:
			templates.validate_preview(text, words)
		except templates.TemplateInvalid as e:
			refuse(e, _("Preview Text Cannot Be Sent"))


def validate_template(
	doc, combines: bool = False, after: bool = False, words: templates.Words = templates.PINS
) -> None:
	"""Throw when an Email Template (document or dict) cannot be sent; show what is worth a look.

	combines, after, words: of the campaigns and triggers that it is for, as in `templates.validate`.
	"""
	try:
		warnings = templates.validate(doc, combines, after, words)
	except templates.TemplateInvalid as e:
		refuse(e)
	if warnings:
		frappe.msgprint(
			"<br><br>".join(map(frappe.utils.escape_html, warnings)),
			title=_("Look At The Message"),
			indicator="orange",
		)


def refuse(error: templates.TemplateInvalid, title: str | None = None) -> None:
	"""Throw what is wrong with an Email Template, as it is shown in the Desk."""
	frappe.throw(
		frappe.utils.escape_html(str(error)),
		templates.TemplateInvalid,
		title=title or _("Email Template Cannot Be Sent"),
	)


def problems(actions: list[dict]) -> list[tuple[str, str]]:
	"""Return (campaign, what is wrong with one of its Email Templates). 1 query.

	actions: dicts of campaign, combine_messages, email_template and translation, another one, or None, and what
	their trigger is about.
	"""
	named = [
		(action, name) for action in actions for name in (action.email_template, action.translation) if name
	]
	stored = {row.name: row for row in templates.documents({name for _action, name in named})}
	found = {}
	for action, name in named:
		if name in stored:
			row = stored[name]
			content = (row.name, row.subject, row.use_html, row.response, row.response_html)
			words = templates.words_of_trigger(action)
			error = _error(*content, cint(action.combine_messages), words, frappe.local.lang)
		else:
			error = _("The Email Template {0} does not exist.").format(name)
		if error:
			found[action.campaign, error] = True
	return list(found)


# The bar asks on each screen, and trying a template takes some milliseconds.
@functools.lru_cache(maxsize=256)
def _error(
	name, subject, use_html, response, response_html, combines: int, words: tuple, language: str
) -> str | None:
	doc = frappe._dict(
		name=name, subject=subject, use_html=use_html, response=response, response_html=response_html
	)
	try:
		templates.validate(doc, combines, words=words)
	except templates.TemplateInvalid as e:
		return str(e)
	return None


@dataclasses.dataclass
class Texts:
	"""The texts of a batch: its templates {(name, words): Template, or the error that it has}, the words of each action
	by its name, and its preview texts {(text, words): Template, or the error that it has}. required: the templates with what
	the law of a country asks for, as far as they were needed."""

	templates: dict
	words: dict
	previews: dict
	required: dict = dataclasses.field(default_factory=dict)


def load(actions: list[dict]) -> Texts:
	"""Return every template of the actions, compiled. 1 query."""
	words = {action.name: templates.words_of_trigger(action.about) for action in actions}
	uses = {
		(name, words[action.name])
		for action in actions
		for name in (action.email_template, *action.templates.values())
		if name
	}
	previews = {
		(text, words[action.name])
		for action in actions
		for text in (action.get("preview_text"), *action.get("previews", {}).values())
		if text
	}
	return Texts(templates.load_for(uses), words, {use: _preview(*use) for use in previews})


def _preview(text: str, words: templates.Words) -> templates.Template | str:
	try:
		return templates.compile_preview(text, words)
	except templates.TemplateInvalid as e:
		return str(e)


def preview_of(texts: Texts, message: Message) -> templates.Template | None:
	"""Return the preview text of the template that a message's reader gets, or None. Raises Unsendable."""
	text = templates.preview_for(message.action, message.recipient.language)
	if not text:
		return None
	preview = texts.previews[text, texts.words[message.action.name]]
	if not isinstance(preview, templates.Template):
		raise Unsendable(Reason.TEMPLATE_ERROR, preview)
	return preview


def template_of(texts: Texts, message: Message) -> tuple[templates.Template, str]:
	"""Return the template for a message's reader, and the language of the message. Raises Unsendable."""
	name = templates.template_for(message.action, message.recipient.language)
	template = texts.templates.get((name, texts.words[message.action.name]))
	if not isinstance(template, templates.Template):
		raise Unsendable(Reason.TEMPLATE_ERROR, template or _("The action has no Email Template."))
	language = templates.language_of(message.action, message.recipient.language)
	if message.profile:
		key = (template.name, template.words, *required_texts(message.profile, language))
		if key not in texts.required:
			texts.required[key] = templates.with_required(template, *key[2:])
		template = texts.required[key]
	return template, language


def render(texts: Texts, message: Message) -> tuple[Rendered, str]:
	"""Return a message as its reader reads it, and the language that it is in. Raises Unsendable."""
	template, language = template_of(texts, message)
	try:
		text = templates.render(template, values(message), language)
		templates.check_says(template, text.subject, text.body)
	except templates.TemplateInvalid as e:
		raise Unsendable(Reason.TEMPLATE_ERROR, str(e)) from e
	body = templates.in_direction(text.body, template, message.action, language)
	return dataclasses.replace(text, body=body), language


def values(message: Message) -> dict:
	"""Return what the templates see of a message, see `templates.context`."""
	return templates.context(
		{
			"customer": message.recipient.customer,
			"customer_name": message.recipient.customer_name,
			"company": message.company,
			"campaign": message.campaign.name,
		},
		message.items,
		message.today,
	)
