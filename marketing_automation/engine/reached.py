"""Who has reached their campaign's goal: due events and their recipients in, the same events out, each with the document
that shows it. Only reads; what has no goal costs nothing.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date

from frappe import _

from marketing_automation.engine import faults
from marketing_automation.engine.faults import Faults
from marketing_automation.engine.goals import Asked, Goal, goal_for
from marketing_automation.engine.model import DueEvent, Recipient, Rule


def marked(pairs: Iterable[tuple[DueEvent, Recipient]], night: date, broken: Faults) -> list[DueEvent | None]:
	"""Return the events in the same order, with `reached` where their recipient has reached the campaign's goal.

	None in the place of an event whose goal cannot be worked out; its rule goes into `broken`, and nothing else stops. Rules
	that are there already are not asked. Nobody is asked about what was missed, or has no customer.
	Queries: those of each goal, in all; none where no campaign has one.
	"""
	found, asked = [], defaultdict(list)
	for index, (event, recipient) in enumerate(pairs):
		found.append(event)
		rule = event.rule
		if not rule.campaign.get("goal"):
			continue
		if rule.trigger.name in broken:
			found[index] = None
		elif recipient.customer and event.occurrence and not event.missed:
			# Several actions are about one event.
			key = rule.trigger.name, event.reference_name, event.occurrence, recipient.customer
			asked[key].append(index)
	entries = {
		key: Asked(found[indexes[0]].rule, found[indexes[0]], key[-1]) for key, indexes in asked.items()
	}
	# By identity: what they are made of cannot be a key.
	answered = {}
	for some, answer in faults.answers(
		lambda goal, of_goal: goal.reached(of_goal, night),
		entries.values(),
		broken,
		by=_by_goal,
		words=_words,
	):
		answered |= {id(some[place]): reached for place, reached in answer.items()}
	for key, one in entries.items():
		for index in asked[key]:
			if one.rule.trigger.name in broken:
				found[index] = None
			elif reached := answered.get(id(one)):
				found[index] = found[index]._replace(reached=reached)
	return found


def _words(rule: Rule, error: Exception) -> str:
	"""Return what is said of a goal that raises: the marketer chooses another one, and the trigger is not to blame."""
	return _("The goal {0} cannot be worked out ({1}). Choose another goal in the campaign, or none.").format(
		goal_for(rule.campaign.goal).label, faults.named(error)
	)


def _by_goal(entries: Iterable[Asked], broken: Faults) -> list[tuple[Goal, list[Asked]]]:
	"""Return each goal with what it is asked; rules whose goal no app has go into `broken`."""
	by_key = defaultdict(list)
	for one in entries:
		by_key[one.rule.campaign.goal].append(one)
	return [
		(goal, fitting)
		for goal, of_goal in faults.with_plugins(goal_for, by_key, broken)
		if (fitting := [one for one in of_goal if goal.fits(one.rule.source)])
	]
