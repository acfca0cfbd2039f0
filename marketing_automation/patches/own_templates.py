"""Which Email Templates are the campaigns' own is written down from now on, and which language an action's is in."""

import re
from datetime import timedelta

import frappe

from marketing_automation import recipes, template_rights

# A recipe makes all of a campaign in one request.
AT_ONCE = timedelta(minutes=1)
LANGUAGE = re.compile(r" \(([A-Za-z-]+)\)$")


def execute() -> None:
	"""Fill Lifecycle Template with what recipes and marketers have made. Does nothing where that has been done.

	What anybody else has made stays closed to marketers, also where an action names it, until a System Manager lets them.
	"""
	known = {*frappe.get_all(template_rights.OWN, pluck="email_template", order_by="name asc")}
	for template in _made_by_recipes() - known:
		template_rights.register(template, template_rights.RECIPE)
		known.add(template)
	templates = frappe.get_all(template_rights.DOCTYPE, fields=["name", "owner"], order_by="name asc")
	bound = {owner for owner in {t.owner for t in templates} if template_rights.is_bound(owner, "create")}
	for template in templates:
		if template.owner in bound and template.name not in known:
			template_rights.register(template.name, template_rights.MARKETER)


def _made_by_recipes() -> set[str]:
	"""Return the Email Templates that a recipe has made, by the name, the time and the user of their campaign.

	Says of the actions that have one for all other languages which language it is in.
	"""
	codes = {code for recipe in recipes.all_recipes().values() for code in recipes.languages(recipe)}
	action, campaign = frappe.qb.DocType("Lifecycle Action"), frappe.qb.DocType("Lifecycle Campaign")
	translation = frappe.qb.DocType("Lifecycle Action Translation")
	template = frappe.qb.DocType(template_rights.DOCTYPE)
	rows = (
		frappe.qb.from_(action)
		.join(campaign)
		.on(campaign.name == action.campaign)
		.left_join(translation)
		.on(translation.parent == action.name)
		.join(template)
		.on((template.name == action.email_template) | (template.name == translation.email_template))
		.select(
			action.name.as_("action"),
			action.email_template,
			action.language,
			campaign.name.as_("campaign"),
			campaign.creation.as_("began"),
			campaign.owner.as_("cook"),
			template.name,
			template.owner,
			template.creation,
		)
	).run(as_dict=True)
	made = set()
	for row in rows:
		code = LANGUAGE.search(row.name)
		if (
			code
			and code.group(1) in codes
			and row.name.startswith(f"{row.campaign}: ")
			and row.owner == row.cook
			and timedelta(0) <= row.creation - row.began <= AT_ONCE
		):
			made.add(row.name)
			if row.name == row.email_template and not row.language:
				frappe.db.set_value(
					"Lifecycle Action", row.action, "language", code.group(1), update_modified=False
				)
	return made
