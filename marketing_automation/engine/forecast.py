"""The forecast: messages a day and action over the days to come. Counts only; nothing is written.

It counts what falls due, before it is known who can be reached: an upper bound that the preview of a day makes exact.
"""

from collections import defaultdict
from datetime import date, timedelta

from marketing_automation.engine import rules
from marketing_automation.engine.model import Rule
from marketing_automation.engine.preview import enabled_rules, within
from marketing_automation.engine.schedule import Window
from marketing_automation.engine.sources import source_for
from marketing_automation.engine.visibility import Visibility


def of_campaigns(
	campaigns: list[str], first: date, days: int, visible: Visibility, active_only: bool = True
) -> dict:
	"""Return {"first", "last", "days": {date: count}, "actions": [...], "total"}.

	actions: campaign, trigger, trigger_name, action, action_name, total and days ({date: count}), in the order of the
	journey. active_only: without it, as if the campaigns were active.
	Queries: 4, and those of the source's `counts`, for any number of days.
	"""
	last = first + timedelta(days=days - 1)
	loaded = rules.load(campaigns) if active_only else enabled_rules(campaigns)
	due = _due([(rule, within(rule, first, last)) for rule in loaded], visible)
	actions, per_day = [], defaultdict(int)
	for rule in loaded:
		of_rule = {night: count for (trigger, night), count in due.items() if trigger == rule.trigger.name}
		for action in rule.actions:
			for night, count in of_rule.items():
				per_day[night] += count
			actions.append(
				{
					"campaign": rule.campaign.name,
					"trigger": rule.trigger.name,
					"trigger_name": rule.trigger.trigger_name,
					"action": action.name,
					"action_name": action.action_name,
					"total": sum(of_rule.values()),
					"days": {str(night): count for night, count in sorted(of_rule.items())},
				}
			)
	return {
		"first": first,
		"last": last,
		"days": {str(night): count for night, count in sorted(per_day.items())},
		"actions": actions,
		"total": sum(per_day.values()),
	}


def _due(windows: list[tuple[Rule, Window]], visible: Visibility) -> dict[tuple[str, date], int]:
	by_source = defaultdict(list)
	for rule, window in windows:
		by_source[source_for(rule.trigger.trigger_type)].append((rule, window))
	due = {}
	for source, of_source in by_source.items():
		due |= source.counts(of_source, visible)
	return due
