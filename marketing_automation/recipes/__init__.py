"""Recipes: ready-made campaigns, as data. A recipe and a few answers in; campaign, triggers, actions and Email
Templates out, inactive, to be looked at.

A recipe is a folder named in the hook `lifecycle_recipes` (of this app or any other), relative to its app, with:

- `recipe.json`: name, title and description; `trigger_type`, which must be "Before"; `days` before it (the
  defaults; 0 makes a trigger "On"); `messages`, the first of which whose `up_to` (null: any) reaches a trigger's
  days gives its text. A message has a name (its own in the recipe), a title (that of the action, translated), and a `text`
  by language: subject, heading, paragraphs (a list), expiry_label, closing.
- `layout.html`: the mail round the text, with $language, $heading, $paragraphs, $expiry_label, $closing; $$ is a dollar sign.

Texts and layout are a template's, with its variables.
"""

import json
from pathlib import Path
from string import Template

import frappe
from frappe import _

from marketing_automation import template_rights
from marketing_automation.engine import faults
from marketing_automation.engine.schedule import BEFORE, ON
from marketing_automation.naming import free_name


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
	return sorted(set.intersection(*(set(message["text"]) for message in recipe["messages"])))


def cook(
	recipe: dict,
	campaign_name: str,
	days: list[int],
	language: str,
	fields: dict,
	trigger_fields: dict,
):
	"""Make the campaign of a recipe, inactive; return it. Its user needs the right to create each part.

	days: one trigger each. language: that of the customers whose own has no translation. fields: of the campaign
	(company, item_group, sender, combine_messages). trigger_fields: of each trigger (date_field).
	"""
	if recipe["trigger_type"] != BEFORE:
		frappe.throw(
			_("The recipe {0} has the trigger type {1}. A recipe can only have {2}.").format(
				frappe.bold(frappe.utils.escape_html(_(recipe["title"]))),
				frappe.bold(frappe.utils.escape_html(_(recipe["trigger_type"]))),
				frappe.bold(_(BEFORE)),
			),
			title=_("Unknown Trigger Type"),
		)
	if frappe.db.exists("Lifecycle Campaign", {"name": campaign_name}):
		frappe.throw(
			_("There is a campaign {0} already. Choose another name.").format(
				frappe.bold(frappe.utils.escape_html(campaign_name))
			),
			title=_("Name Taken"),
		)
	days = sorted(set(days), reverse=True)
	if not days or min(days) < 0:
		frappe.throw(_("Give the days before the expiry, for example: 30, 7, 1."), title=_("Days Missing"))
	faults.refuse_days(max(days))
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
			**fields,
		}
	).insert()
	templates = {}
	for day in days:
		_trigger(recipe, campaign, day, language, trigger_fields, templates)
	return campaign


def _trigger(recipe, campaign, days: int, language: str, trigger_fields: dict, templates: dict) -> None:
	"""Make the trigger for so many days, with its action. templates: those made so far; grows."""
	trigger = frappe.get_doc(
		{
			"doctype": "Lifecycle Trigger",
			"campaign": campaign.name,
			"trigger_type": BEFORE if days else ON,
			"days_offset": days,
			**trigger_fields,
		}
	).insert()
	message = next(m for m in recipe["messages"] if m["up_to"] is None or days <= m["up_to"])
	for code in languages(recipe):
		if (message["name"], code) not in templates:
			templates[message["name"], code] = email_template(recipe, message, code, campaign.name)
	frappe.get_doc(
		{
			"doctype": "Lifecycle Action",
			"trigger": trigger.name,
			"action_name": _(message["title"]),
			"email_template": templates[message["name"], language],
			"language": language,
			"translations": [
				{"language": code, "email_template": templates[message["name"], code]}
				for code in languages(recipe)
				if code != language
			],
		}
	).insert()


def email_template(recipe: dict, message: dict, language: str, campaign: str) -> str:
	"""Make the Email Template of a message in a language; return its name. The campaign's own, to be edited freely."""
	text = message["text"][language]
	layout = Template((recipe["folder"] / "layout.html").read_text(encoding="utf-8"))
	paragraph = '<p style="margin:0 0 16px 0;">{}</p>'
	body = layout.substitute(
		language=language,
		heading=text["heading"],
		paragraphs="\n".join(paragraph.format(line) for line in text["paragraphs"]),
		expiry_label=text["expiry_label"],
		closing=text["closing"],
	)
	doc = frappe.new_doc("Email Template")
	doc.update({"subject": text["subject"], "use_html": 1, "response_html": body})
	doc.name = free_name("Email Template", campaign, f": {_(message['title'])} ({language})")
	doc.insert(set_name=doc.name)
	template_rights.register(doc.name, template_rights.RECIPE)
	return doc.name
