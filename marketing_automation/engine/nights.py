"""Which nights the runs have taken, for each rule. Only reads."""

from dataclasses import dataclass
from datetime import date, datetime

import frappe
from frappe.query_builder.functions import Max

from marketing_automation.engine import schedule
from marketing_automation.engine.faults import Fault, Faults
from marketing_automation.engine.model import Rule

RUN = "Lifecycle Run"


def was_claimed(run):
	"""Return the condition (frappe.qb) that a run was claimed to its end, if perhaps without some broken rules."""
	return run.status.isin(["Delivering", "Completed"]) | run.left_out.isnotnull()


@dataclass(frozen=True)
class Taken:
	"""The nights that were claimed to their end.

	whole: {campaign (None: all): (last night, when its run began)} of runs that took all their rules.
	parts: the runs that left some out: campaign, night, started_at, and left_out (as `left_out` below returns it).
	"""

	whole: dict[str | None, tuple[date, datetime]]
	parts: list[dict]

	def of(self, rule: Rule) -> tuple[date | None, datetime | None]:
		"""Return the last night that was taken for a rule, and when that run began."""
		campaigns = (None, rule.campaign.name)
		found = [self.whole[campaign] for campaign in campaigns if campaign in self.whole]
		found += [
			(part.night, part.started_at)
			for part in self.parts
			if part.campaign in campaigns and rule.trigger.name not in part.left_out
		]
		return max(found, default=(None, None))

	def fault(self, rule: Rule) -> Fault | None:
		"""Return why a rule was left out by the last run that it should have been in; None if it was not."""
		_night, at = self.of(rule)
		for part in reversed(self.parts):
			if rule.trigger.name in part.left_out and (at is None or part.started_at > at):
				return Fault(rule, **part.left_out[rule.trigger.name])
		return None


def left_out(broken: Faults) -> str | None:
	"""Return what a run keeps of the rules that it leaves out, as JSON ({trigger: what was wrong}); None without any."""
	if not broken:
		return None
	return frappe.as_json(
		{
			trigger: {"problem": fault.problem, "of_campaign": fault.of_campaign}
			for trigger, fault in broken.items()
		}
	)


def taken(today: date) -> Taken:
	"""Return the nights that were taken by today. 2 queries.

	A clock that was ahead has not taken the nights between.
	"""
	run = frappe.qb.DocType(RUN)
	whole = (
		frappe.qb.from_(run)
		.select(run.campaign, Max(run.night), Max(run.started_at))
		.where(run.status.isin(["Delivering", "Completed"]))
		.where(run.night <= today)
		.groupby(run.campaign)
	).run()
	parts = (
		frappe.qb.from_(run)
		.select(run.campaign, run.night, run.started_at, run.left_out)
		.where(run.left_out.isnotnull())
		.where(run.night <= today)
		# Nights before that are not taken any more.
		.where(run.night >= (schedule.shifted(today, -schedule.MOST_DAYS) or date.min))
		.orderby(run.started_at)
	).run(as_dict=True)
	for part in parts:
		part.update(campaign=part.campaign or None, left_out=frappe.parse_json(part.left_out))
	return Taken({campaign or None: (night, at) for campaign, night, at in whole}, parts)
