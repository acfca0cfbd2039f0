"""Campaigns from before there were goals: those that offer renewals get the goal *Renewed*, and their marketers a note.

Without it they would go on saying "last call" to customers who have bought the next pin already. Which campaigns these are
is seen by their triggers: all of them send before serial numbers expire, or on the day. One that also writes after it may
be about something else, and is left without a goal.
"""

import frappe
from frappe import _

from marketing_automation.engine import rules, schedule
from marketing_automation.engine.language import in_the_sites_language

GOAL = "Renewed"
SOURCE = "Serial No"


@in_the_sites_language
def execute() -> None:
	"""Answer for each campaign that has no answer (`goal` is NULL, not empty) which goal it has. Commits after each.

	So what was answered, here or in the form, stays as it is. 4 queries, and two for each campaign.
	"""
	names = frappe.get_all(
		"Lifecycle Campaign",
		# Newer versions of get_all take "is not set" for NULL and for an empty text.
		filters={"name": ["in", _unanswered() or [""]]},
		pluck="name",
		order_by="name asc",
	)
	triggers = {}
	for rule in rules.load(names, active_only=False):
		triggers.setdefault(rule.campaign.name, []).append(rule)
	for name in names:
		goal = GOAL if _offers_renewal(triggers.get(name, [])) else ""
		frappe.db.set_value("Lifecycle Campaign", name, "goal", goal, update_modified=False)
		if goal:
			_say_so(name)
		frappe.db.commit()


def _unanswered() -> list[str]:
	return frappe.db.sql(
		"select name from `tabLifecycle Campaign` where goal is null order by name", pluck=True
	)


def _offers_renewal(of_campaign: list) -> bool:
	types = {rule.trigger.trigger_type for rule in of_campaign}
	return (
		schedule.BEFORE in types
		and types <= {schedule.BEFORE, schedule.ON}
		and {rule.source for rule in of_campaign} == {SOURCE}
	)


def _say_so(campaign: str) -> None:
	text = _(
		"This campaign has the goal Renewed since the upgrade: customers who have bought the next one already are not written to any more. Empty the field Goal if everybody is to be written to."
	)
	frappe.get_doc("Lifecycle Campaign", campaign).add_comment("Info", text)
