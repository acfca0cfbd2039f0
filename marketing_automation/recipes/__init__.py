"""Recipes: ready-made campaigns, as data. A recipe and a few answers in; campaign, triggers, actions and Email
Templates out, inactive, to be looked at.

A recipe is a folder named in the hook `lifecycle_recipes` (of this app or any other), relative to its app. Its
`recipe.json` has:

- `name`; `title`; `description`, one line of what it does; `group`, under which it is offered. The last three are translated.
- `source`: what its triggers are about, a key of the hook `lifecycle_sources`; `date_field`: the one that they go by,
  unless another one is chosen. Null: one that the site has added, which has to be chosen.
- `yearly` (1: each year again) and `goal` (a key of the hook `lifecycle_goals`), or neither.
- `purpose`: Service where it offers nothing. Made by who is no Marketing Manager, its campaign is Marketing all the same.
- `days`: {"Before": [30, 7, 0], "After": [3]}: one trigger each, unless other days are given; 0 before is On. {"On": [0]}: the
  day itself, and no other.
- `topic`: what its customers can unsubscribe from, one of those that the installation makes. Without one, or where the site has
  it no more, the campaign gets that of new campaigns.
- `asks`: what is asked besides name, days, language and sender; any of company, item_group, date_field, combine_messages
  and attach_print (whether each mail carries what it is about, printed; offered to who may print it).
- `cap`: the frequency cap that it suggests to a site that has none, {"messages": 2, "days": 7}; without it none.
- `messages`: the first of a `timing` (Before, On or After) whose `up_to` (null: any) reaches a trigger's days gives its
  text. Where there is none for On, those of Before do. A message has a name (its own in the recipe), a title (that of the
  action, translated), and a `design`, which is the name of one in the gallery (`designs/gallery.py`). Instead of a design it
  can have a `text` by language: subject, heading, paragraphs (a list), closing.
- `details`: by language, what a message with a text lists of each item: title, note, label, value. Without it nothing is
  listed.

Its `layout.html` is the mail round the text, with $language, $heading, $paragraphs, $details and $closing; $$ is a dollar
sign. Without one it is that of this folder. `details.html` of this folder has $title, $note, $label and $value.

All texts are a template's, with the variables of the source.
"""

import json
from pathlib import Path
from string import Template

import frappe
from frappe import _
from frappe.utils import cint

from marketing_automation import template_rights
from marketing_automation.channels.email import prints
from marketing_automation.channels.texts.templates import words_of_trigger
from marketing_automation.designs import compile as compiler
from marketing_automation.designs import gallery, store
from marketing_automation.engine import faults
from marketing_automation.engine.schedule import BEFORE, ON, SIGN
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.engine.source import all_sources
from marketing_automation.lifecycle import MANAGER, SERVICE
from marketing_automation.naming import free_name

FOLDER = Path(__file__).resolve().parent


def all_recipes() -> dict[str, dict]:
	"""Return the recipes of every installed app by name, each with its `folder`."""
	found = {}
	for app in frappe.get_installed_apps():
		for path in frappe.get_hooks("lifecycle_recipes", app_name=app):
			folder = Path(frappe.get_app_path(app, *path.split("/")))
			recipe = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
			found[recipe["name"]] = {**recipe, "folder": folder}
	return found


def languages(recipe: dict) -> list[str]:
	"""Return the languages that all messages of a recipe are written in."""
	found = []
	for message in recipe["messages"]:
		design = message.get("design")
		found.append(set(gallery.languages(gallery.named(design)) if design else message["text"]))
	return sorted(set.intersection(*found))


def obstacle(recipe: dict) -> str | None:
	"""Return why the session's user cannot use a recipe on this site, and what to do; None when they can."""
	if recipe["source"] not in all_sources():
		return _("This site has no {0}.").format(_(recipe["source"]))
	if not compiler.is_able() and any(message.get("design") for message in recipe["messages"]):
		return store.what_is_missing()
	fields = date_fields(recipe)
	wanted = recipe.get("date_field")
	if not fields and not wanted:
		return _(
			"{0} has no date field on this site. Ask an administrator to add one, such as a birthday, with Customize Form."
		).format(_(recipe["source"]))
	if not fields or (wanted and wanted not in {field["value"] for field in fields}):
		return _("This site has no {0} with a date that you may read.").format(_(recipe["source"]))
	return None


def date_fields(recipe: dict) -> list[dict]:
	"""Return the date fields that the triggers of a recipe can go by and the session's user may read: [{"value", "label"}]."""
	if not is_there(recipe):
		return []
	return all_sources()[recipe["source"]].offers(_trigger_of(recipe))["date_fields"]


def asks(recipe: dict) -> list[str]:
	"""Return what a recipe asks the session's user: whether prints are attached only whoever may print. At most 1 query."""
	may_attach = "attach_print" in recipe["asks"] and is_there(recipe) and prints.offered(_trigger_of(recipe))
	return [ask for ask in recipe["asks"] if ask != "attach_print" or may_attach]


def is_there(recipe: dict) -> bool:
	"""Say whether this site has what the triggers of a recipe are about. No query."""
	source = all_sources().get(recipe["source"])
	return bool(source and source.is_there())


def _trigger_of(recipe: dict) -> dict:
	return frappe._dict(source=recipe["source"])


def may_cap() -> bool:
	"""Say whether the session's user can set a frequency cap, and this site has none. 1 query."""
	has_one = cint(frappe.db.get_singles_dict(SETTINGS).get("cap_messages"))
	return not has_one and bool(frappe.has_permission(SETTINGS, "write"))


def set_cap(recipe: dict) -> None:
	"""Set the frequency cap that a recipe suggests, unless the site has one. Its user needs the right to write the settings."""
	if recipe.get("cap") and may_cap():
		settings = frappe.get_single(SETTINGS)
		settings.update({"cap_messages": recipe["cap"]["messages"], "cap_days": recipe["cap"]["days"]}).save()


def cook(
	recipe: dict,
	campaign_name: str,
	days: dict[str, list[int]],
	language: str,
	fields: dict,
	date_field: str | None = None,
	attach_print: int = 0,
):
	"""Make the campaign of a recipe, inactive; return it. Its user needs the right to create each part.

	days: one trigger each, {"Before": [30, 7], "After": [3]}. language: that of the customers whose own has no
	translation. fields: of the campaign (company, item_group, sender, combine_messages). date_field: instead of the
	recipe's, or where it has none. attach_print: 1 has each mail carry what it is about, printed.
	"""
	if problem := obstacle(recipe):
		frappe.throw(problem, title=_("Recipe Cannot Be Used"))
	if frappe.db.exists("Lifecycle Campaign", {"name": campaign_name}):
		frappe.throw(
			_("There is a campaign {0} already. Choose another name.").format(
				frappe.bold(frappe.utils.escape_html(campaign_name))
			),
			title=_("Name Taken"),
		)
	moments = _moments(recipe, days)
	date_field = date_field or recipe.get("date_field")
	if not date_field:
		frappe.throw(_("Choose the date field that the messages go by."), title=_("Date Field Missing"))
	if language not in languages(recipe):
		frappe.throw(
			_("This recipe is not written in {0}. Choose one of: {1}.").format(
				frappe.utils.escape_html(language), ", ".join(languages(recipe))
			),
			title=_("Language Missing"),
		)
	campaign = frappe.get_doc(
		{
			"doctype": "Lifecycle Campaign",
			"campaign_name": campaign_name,
			"description": _(recipe["description"]),
			"goal": recipe.get("goal"),
			"topic": _topic(recipe),
			"purpose": _purpose(recipe),
			**fields,
		}
	).insert()
	templates = {}
	for timing, day in moments:
		of_trigger = {
			"source": recipe["source"],
			"trigger_type": timing,
			"days_offset": day,
			"date_field": date_field,
			"yearly": recipe.get("yearly", 0),
		}
		_trigger(recipe, campaign, of_trigger, language, templates, attach_print)
	return campaign


def _topic(recipe: dict) -> str | None:
	"""Return the topic of a recipe where the site has it; without one the campaign gets that of new campaigns. 1 query."""
	return frappe.db.get_value("Lifecycle Topic", {"name": recipe.get("topic"), "disabled": 0}) or None


def becomes_marketing(recipe: dict) -> bool:
	"""Say whether a recipe offers nothing, and its campaign would be Marketing all the same: only a Marketing Manager can say
	that messages need no consent."""
	return recipe.get("purpose") == SERVICE and MANAGER not in frappe.get_roles()


def notice(recipe: dict) -> str | None:
	"""Return what the session's user has to know before they make a recipe's campaign, or None."""
	if not becomes_marketing(recipe):
		return None
	return _(
		"This recipe offers nothing, and only a Marketing Manager can make a Service campaign. Yours will be Marketing: it goes only to who has agreed and, where the law allows it, to existing customers. A manager can make it Service before it is activated."
	)


def _purpose(recipe: dict) -> str:
	"""Return the purpose of a recipe's campaign."""
	return SERVICE if recipe.get("purpose") == SERVICE and not becomes_marketing(recipe) else "Marketing"


def _moments(recipe: dict, days: dict[str, list[int]]) -> list[tuple[str, int]]:
	"""Return (trigger type, days) of each trigger, the earliest first."""
	if ON in recipe["days"]:
		days = recipe["days"]
	found = {(timing if day else ON, day) for timing in days for day in days[timing]}
	if not found or not set(days) <= set(recipe["days"]) or any(day < 0 for _timing, day in found):
		frappe.throw(
			_("Give the days of this recipe as numbers that are not below zero, for example: 30, 7, 1."),
			title=_("Days Missing"),
		)
	faults.refuse_days(max(day for _timing, day in found))
	return sorted(found, key=lambda moment: SIGN[moment[0]] * -moment[1])


def _message(recipe: dict, timing: str, days: int) -> dict:
	"""Return the message of a recipe for a moment."""
	timings = {message["timing"] for message in recipe["messages"]}
	if timing not in timings:
		timing = BEFORE
	return next(
		message
		for message in recipe["messages"]
		if message["timing"] == timing and (message["up_to"] is None or days <= message["up_to"])
	)


def _trigger(
	recipe: dict, campaign, of_trigger: dict, language: str, templates: dict, attach_print: int
) -> None:
	"""Make a trigger with its action. templates: those made so far; grows."""
	trigger = frappe.get_doc(
		{"doctype": "Lifecycle Trigger", "campaign": campaign.name, **of_trigger}
	).insert()
	message = _message(recipe, trigger.trigger_type, trigger.days_offset)
	made = None
	if (message["name"], language) not in templates:
		if message.get("design"):
			made = _design(recipe, message, campaign, trigger)
			found = {row.language: row.email_template for row in made.templates}
		else:
			found = {code: email_template(recipe, message, code, campaign.name) for code in languages(recipe)}
		templates.update({(message["name"], code): name for code, name in found.items()})
	action = frappe.get_doc(
		{
			"doctype": "Lifecycle Action",
			"trigger": trigger.name,
			"action_name": _(message["title"]),
			"email_template": templates[message["name"], language],
			"language": language,
			"attach_print": attach_print,
			"translations": [
				{"language": code, "email_template": templates[message["name"], code]}
				for code in languages(recipe)
				if code != language
			],
		}
	).insert()
	if made:
		store.belongs_to(made, action.name)


def _design(recipe: dict, message: dict, campaign, trigger):
	"""Make the design of a message, the campaign's own, with its Email Templates; return the document."""
	design = gallery.named(message["design"])
	doc = store.new(
		f"{campaign.name}: {_(message['title'])}",
		design["design"],
		company=campaign.get("company"),
		gallery=design["name"],
	)
	words = words_of_trigger(trigger.as_dict())
	store.publish(doc, origin=template_rights.RECIPE, words=words)
	return doc


def email_template(recipe: dict, message: dict, language: str, campaign: str) -> str:
	"""Make the Email Template of a message in a language; return its name. The campaign's own, to be edited freely."""
	text = message["text"][language]
	own = recipe["folder"] / "layout.html"
	paragraph = '<p style="margin:0 0 16px 0;">{}</p>'
	details = recipe.get("details")
	body = _filled(
		own if own.exists() else FOLDER / "layout.html",
		language=language,
		heading=text["heading"],
		paragraphs="\n".join(paragraph.format(line) for line in text["paragraphs"]),
		details=_filled(FOLDER / "details.html", **details[language]) if details else "",
		closing=text["closing"],
	)
	doc = frappe.new_doc("Email Template")
	doc.update({"subject": text["subject"], "use_html": 1, "response_html": body})
	doc.name = free_name("Email Template", campaign, f": {_(message['title'])} ({language})")
	doc.insert(set_name=doc.name)
	template_rights.register(doc.name, template_rights.RECIPE)
	return doc.name


def _filled(path: Path, **values: str) -> str:
	return Template(path.read_text(encoding="utf-8")).substitute(values)
