"""The rules as the marketer wrote them: campaigns, triggers and actions in, plain rules out. Only reads."""

from collections import defaultdict
from collections.abc import Iterable

import frappe

from marketing_automation.engine.model import Rule, days_from_occurrence

CAMPAIGN_FIELDS = [
	"name",
	"is_active",
	"active_since",
	"company",
	"item_group",
	"start_date",
	"end_date",
	"sender",
	"duplicate_policy",
	"combine_messages",
	"duplicated_from",
	"goal",
	"goal_item",
	"goal_item_group",
	"renewal_window",
	"renews_in_group",
	"purpose",
	"topic",
	"priority",
	"when_capped",
	"heeds_holds",
	"send_window",
	"send_from",
	"send_until",
	"send_on",
	"holiday_list",
]
TRIGGER_FIELDS = [
	"name",
	"campaign",
	"trigger_name",
	"enabled",
	"active_since",
	"source",
	"reference_doctype",
	"trigger_type",
	"days_offset",
	"date_field",
	"yearly",
	"customer_field",
	"item_group",
	"filters",
]
ACTION_FIELDS = [
	"name",
	"trigger",
	"action_name",
	"enabled",
	"active_since",
	"action_type",
	"email_template",
	"preview_text",
	"language",
	"assign_to",
	"user",
	"due_in_days",
	"attach_print",
	"print_format",
]


def load(campaigns: Iterable[str] | None = None, active_only: bool = True) -> list[Rule]:
	"""Return the rules of some campaigns, or of all. 4 queries, and one where any is a copy.

	Each campaign has `originals`: those that it is a copy of, and whose unsubscribes hold for it; and `days_of_sources`:
	{source: the first and the last day on which its enabled triggers send, see `Rule.days_of_campaign`}.

	active_only: leave out what is switched off: inactive campaigns, disabled triggers and actions, and triggers
	without an action. Without it everything is returned, with its switches as they are. A trigger's `item_group` is the
	one that holds: its own, or else its campaign's.
	"""
	filters = {"is_active": 1} if active_only else {}
	if campaigns is not None:
		filters["name"] = ["in", list(campaigns)]
	found = {
		row.name: row
		for row in frappe.get_all(
			"Lifecycle Campaign",
			filters=filters,
			fields=CAMPAIGN_FIELDS,
			order_by="name asc",
		)
	}
	if not found:
		return []
	_add_originals(list(found.values()))
	triggers = frappe.get_all(
		"Lifecycle Trigger",
		filters={"campaign": ["in", list(found)]} | ({"enabled": 1} if active_only else {}),
		fields=TRIGGER_FIELDS,
		order_by="campaign asc, days_offset desc, name asc",
	)
	_add_days(list(found.values()), triggers)
	for trigger in triggers:
		trigger.item_group = trigger.item_group or found[trigger.campaign].item_group
	actions = _actions({trigger.name: trigger for trigger in triggers}, active_only)
	rules = [
		Rule(found[trigger.campaign], trigger, tuple(actions.get(trigger.name, ()))) for trigger in triggers
	]
	return [rule for rule in rules if rule.actions] if active_only else rules


def campaigns(names: Iterable[str]) -> dict[str, dict]:
	"""Return {name: campaign} as `load` has them, without what is worked out from their triggers. At most 2 queries."""
	found = frappe.get_all(
		"Lifecycle Campaign",
		filters={"name": ["in", list(names)]},
		fields=CAMPAIGN_FIELDS,
		order_by="name asc",
	)
	_add_originals(found)
	return {campaign.name: campaign for campaign in found}


def _add_originals(campaigns: list[dict]) -> None:
	"""Add to each campaign the names of those that it is a copy of, directly or by other copies. At most 1 query."""
	came_from = {}
	if any(campaign.duplicated_from for campaign in campaigns):
		came_from = dict(
			frappe.get_all(
				"Lifecycle Campaign",
				filters={"duplicated_from": ["is", "set"]},
				fields=["name", "duplicated_from"],
				as_list=True,
				order_by="name asc",
			)
		)
	for campaign in campaigns:
		originals, name = [], campaign.duplicated_from
		while name and name not in originals:
			originals.append(name)
			name = came_from.get(name)
		campaign.originals = tuple(originals)


def _add_days(campaigns: list[dict], triggers: list[dict]) -> None:
	"""Add to each campaign between which days its enabled triggers send. No query."""
	days = defaultdict(lambda: defaultdict(list))
	for trigger in triggers:
		if trigger.enabled:
			days[trigger.campaign][trigger.source].append(days_from_occurrence(trigger))
	for campaign in campaigns:
		of_campaign = days[campaign.name]
		campaign.days_of_sources = {source: (min(some), max(some)) for source, some in of_campaign.items()}


def _actions(triggers: dict[str, dict], active_only: bool) -> dict[str, list[dict]]:
	"""Return each trigger's actions, each with `templates`: {language: Email Template}, `previews`: {language: preview text},
	and `about`: its trigger. 2 queries."""
	if not triggers:
		return {}
	actions = frappe.get_all(
		"Lifecycle Action",
		filters={"trigger": ["in", list(triggers)]} | ({"enabled": 1} if active_only else {}),
		fields=ACTION_FIELDS,
		order_by="creation asc, name asc",
	)
	translations, previews = defaultdict(dict), defaultdict(dict)
	for row in frappe.get_all(
		"Lifecycle Action Translation",
		filters={"parenttype": "Lifecycle Action", "parent": ["in", [action.name for action in actions]]},
		fields=["parent", "language", "email_template", "preview_text"],
		order_by="idx asc",
	):
		translations[row.parent][row.language] = row.email_template
		previews[row.parent][row.language] = row.preview_text
	by_trigger = defaultdict(list)
	for action in actions:
		action.templates, action.previews = translations[action.name], previews[action.name]
		action.about = triggers[action.trigger]
		by_trigger[action.trigger].append(action)
	return by_trigger
