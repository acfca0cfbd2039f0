"""The forecast: messages a day and action over the days to come. Counts only; nothing is written.

It counts what falls due, before it is known who can be reached: the preview of a day makes it exact. What a run has
written down for the first day is not to come any more; what waits of it is counted by itself (`waiting`).
"""

from collections import defaultdict
from datetime import date

import frappe
from frappe.query_builder.functions import Count, Date

from marketing_automation.desk.preview import enabled_rules
from marketing_automation.engine import faults, ledger, plan, rules, schedule
from marketing_automation.engine.faults import Faults
from marketing_automation.engine.model import WAITING, Rule
from marketing_automation.engine.schedule import Window
from marketing_automation.engine.source import is_shown, source_for
from marketing_automation.engine.visibility import Visibility


def of_campaigns(
	campaigns: list[str], first: date, days: int, visible: Visibility, active_only: bool = True
) -> dict:
	"""Return {"first", "last", "days": {date: count}, "actions": [...], "total", "broken"}.

	actions: campaign, trigger, trigger_name, action, action_name, total and days ({date: count}), in the order of the
	journey. active_only: without it, as if the campaigns were active. broken: the rules that were left out, see
	`faults.Fault.as_dict`. Of what is about a DocType that the user may not read nothing is counted.
	Queries: 7, one for each rule with filters, and those of the source's `counts`, for any number of days.
	"""
	last, broken = schedule.shifted(first, days - 1) or date.max, Faults()
	loaded = faults.sound(rules.load(campaigns) if active_only else enabled_rules(campaigns), broken)
	seen = [rule for rule in loaded if is_shown(source_for(rule.trigger).reference_doctype(rule.trigger))]
	due = _due([(rule, plan.within(rule, first, last)) for rule in seen], visible, broken)
	known = _known([action.name for rule in loaded for action in rule.actions], first, visible)
	actions, per_day = [], defaultdict(int)
	for rule in loaded:
		of_rule = {night: count for (trigger, night), count in due.items() if trigger == rule.trigger.name}
		for action in rule.actions:
			to_come = dict(of_rule)
			if (left := to_come.pop(first, 0) - known.get(action.name, 0)) > 0:
				to_come[first] = left
			for night, count in to_come.items():
				per_day[night] += count
			actions.append(
				{
					"campaign": rule.campaign.name,
					"trigger": rule.trigger.name,
					"trigger_name": rule.trigger.trigger_name,
					"action": action.name,
					"action_name": action.action_name,
					"total": sum(to_come.values()),
					"days": {str(night): count for night, count in sorted(to_come.items())},
				}
			)
	return {
		"first": first,
		"last": last,
		"days": {str(night): count for night, count in sorted(per_day.items())},
		"actions": actions,
		"total": sum(per_day.values()),
		"broken": broken.as_dicts(),
	}


def waiting(campaigns: set[str], first: date, visible: Visibility) -> dict[str, int]:
	"""Return {day: messages that a run has written down and that may leave on it}, on the first day at the earliest. 1 query.

	They are in no count of `of_campaigns`.
	"""
	if not campaigns:
		return {}
	log = frappe.qb.DocType(ledger.DOCTYPE)
	day = Date(log.due_at)
	query = (
		frappe.qb.from_(log)
		.select(day, Count("*"))
		.where(log.status == WAITING)
		.where(log.campaign.isin(sorted(campaigns)))
		.groupby(day)
	)
	found = defaultdict(int)
	for until, count in visible.restrict_ledger(query, log).run():
		found[str(max(until or first, first))] += count
	return dict(sorted(found.items()))


def _known(actions: list[str], night: date, visible: Visibility) -> dict[str, int]:
	"""Return {action: messages of a night that a run has written down}. 1 query."""
	if not actions:
		return {}
	log = frappe.qb.DocType(ledger.DOCTYPE)
	query = (
		frappe.qb.from_(log)
		.select(log.action, Count("*"))
		.where(log.due_on == night)
		.where(log.action.isin(actions))
		.groupby(log.action)
	)
	return dict(visible.restrict_ledger(query, log).run())


def _due(
	windows: list[tuple[Rule, Window]], visible: Visibility, broken: Faults
) -> dict[tuple[str, date], int]:
	due = {}
	for _windows, counted in faults.answers(
		lambda source, of_source: source.counts(of_source, visible), windows, broken
	):
		due |= counted
	return due
