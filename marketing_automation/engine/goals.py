"""The contract of goals: what a campaign is for, so that it writes to nobody who has done it already.

Goals are named in the hook `lifecycle_goals` (of this app or any other): {key: dotted path of an object that keeps
`Goal`}. The key is stored in the campaign.
"""

from datetime import date
from typing import NamedTuple, Protocol, runtime_checkable

import frappe
from frappe import _

from marketing_automation.engine.model import DueEvent, Reached, Rule


class Asked(NamedTuple):
	"""What a goal is asked: whether this customer has reached it, so that the event's message is not needed any more."""

	rule: Rule
	event: DueEvent
	customer: str


@runtime_checkable
class Goal(Protocol):
	"""What a campaign is for."""

	# What the form calls it, translated, and the fields of the campaign that it takes (all of them optional).
	label: str
	fields: tuple[str, ...]

	def fits(self, source: str) -> bool:
		"""Say whether messages about what a source (key) finds can have this goal. No query."""

	def validate(self, campaign) -> None:
		"""Throw a translated error when the goal cannot work for a campaign (document, or its fields as `rules.load` reads
		them). Asked when the campaign is saved, and before each run: what it stands on may have gone."""

	def reached(self, asked: list[Asked], night: date) -> dict[int, Reached]:
		"""Return {index in `asked`: the document that shows it} of those who have reached it.

		All of a call are of sources that it fits; campaigns may be several. Reads only, in a number of queries that does not
		depend on how many are asked about. night: of the run; of one that is past, only what was done by then counts.
		"""


def all_goals() -> dict[str, Goal]:
	"""Return {key: goal} of every installed app, in the order of the apps; where two have a key, the last one."""
	return {key: frappe.get_attr(_last(paths)) for key, paths in _hook().items()}


def goal_for(key: str) -> Goal:
	"""Return the goal of a key; throws when no installed app has it."""
	paths = _hook().get(key)
	if not paths:
		frappe.throw(
			_(
				"No installed app has the goal {0}. Install the app again, or choose another goal in the campaign."
			).format(frappe.bold(frappe.utils.escape_html(_(key)))),
			title=_("Unknown Goal"),
		)
	return frappe.get_attr(_last(paths))


def validate(campaign) -> None:
	"""Throw when the goal of a campaign (document, or its fields as `rules.load` reads them) cannot work. The queries of
	the goal's `validate`."""
	if campaign.get("goal"):
		goal_for(campaign.goal).validate(campaign)


def refuse_misfit(campaign, sources: set[str]) -> None:
	"""Throw when a campaign's goal has nothing to do with any of its triggers' sources (keys). No query."""
	if not campaign.get("goal") or not sources:
		return
	goal = goal_for(campaign.goal)
	if not any(goal.fits(source) for source in sources):
		frappe.throw(
			_(
				"The goal {0} cannot be reached by what the triggers are about ({1}). Choose another goal, or none."
			).format(
				frappe.bold(goal.label),
				", ".join(_(source) for source in sorted(sources)),
			),
			title=_("Goal Does Not Fit"),
		)


def _hook() -> dict[str, list[str]]:
	return frappe.get_hooks("lifecycle_goals", {})


def _last(paths: str | list[str]) -> str:
	return paths if isinstance(paths, str) else paths[-1]
