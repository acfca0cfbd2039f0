"""The plan: a night in, the messages that are due out, each with who gets it or why nobody does. Writes nothing.

The nightly run, the preview of any day and the check before a message goes out are this one path.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime

import frappe
from frappe.utils import cint

from marketing_automation.engine import faults, gate, nights, reached, recipients, schedule
from marketing_automation.engine.faults import Faults
from marketing_automation.engine.gate import At
from marketing_automation.engine.model import (
	FAILED,
	PENDING,
	SKIPPED,
	WAITING,
	DueEvent,
	PlannedMessage,
	Reason,
	Recipient,
	Rule,
)
from marketing_automation.engine.schedule import Window
from marketing_automation.engine.settings import SETTINGS


def plan(
	windows: list[tuple[Rule, Window]], night: date, broken: Faults | None = None
) -> Iterator[list[PlannedMessage]]:
	"""Yield what is due in the windows, in lists of at most a few thousand messages.

	night: the day of the run, in the site's time zone. What has expired by then is no longer announced.
	broken: takes the rules that raise; nothing else stops for them. Without it a RuntimeError says so at the end.
	Queries: a fixed number for each list, whatever its length (see the source, `recipients.recipients` and the gate's checks).
	"""
	found = Faults() if broken is None else broken
	yield from _streamed(windows, night, found, planned)
	if broken is None and found:
		raise RuntimeError("\n".join(found.texts()))


def early(rules: list[Rule], night: date, broken: Faults) -> Iterator[list[PlannedMessage]]:
	"""Yield what is due on later nights and has to leave on this one, for on its own day it could not any more: the send
	window does not open again before the date that it is about has passed. Each as if it were due on `night`; its own night
	finds it in the ledger. What could not go anyway is left to that night.

	broken: as in `plan`. Queries: those of `gate.nights_ahead`; where there are such nights those of `plan`, and of `gate.early`.
	"""
	tomorrow = schedule.shifted(night, 1)
	able = [rule for rule in rules if rule.sends_on(night)]
	if not able or not tomorrow:
		return
	ahead = gate.nights_ahead(able, night)
	windows = [
		(rule, window)
		for rule in able
		if (last := ahead.get(rule.trigger.name)) and (window := within(rule, tomorrow, last))
	]
	if windows:
		yield from _streamed(windows, night, broken, _planned_early)


def _streamed(
	windows: list[tuple[Rule, Window]], night: date, broken: Faults, judged: Callable
) -> Iterator[list[PlannedMessage]]:
	"""Yield what `judged` makes of each list of the windows' events. What goals raise goes into `broken`, too."""
	of_goals, at = Faults(), gate.when(night)
	for events in faults.stream(windows, broken):
		if events:
			yield judged(events, at, of_goals)
			for fault in of_goals.values():
				broken.setdefault(fault.rule.trigger.name, fault)


def _planned_early(events: list[DueEvent], at: At, broken: Faults) -> list[PlannedMessage]:
	"""Return those messages of later nights that have to leave now, see `early`."""
	due = [
		(event, action)
		for event in events
		for action in event.rule.actions
		if is_on(action, at.night, at.night)
	]
	to = recipients.recipients(due)
	asked = [
		gate.Asked(action, event, recipient)
		for (event, action), recipient in zip(due, to, strict=True)
		if verdict(event, recipient, at.night)[0] == PENDING
	]
	chosen = gate.early(asked, at)
	tonight = {id(asked[index].event): asked[index].event._replace(night=at.night) for index in chosen}
	wanted = {(id(tonight[id(asked[index].event)]), asked[index].action["name"]) for index in chosen}
	return [
		message
		for message in planned(list(tonight.values()), at, broken)
		if message.status in (PENDING, WAITING) and (id(message.event), message.action["name"]) in wanted
	]


def planned(events: list[DueEvent], at: At, broken: Faults) -> list[PlannedMessage]:
	"""Return one message for each event and action of its rule, judged by the gate as of `at`.

	broken: takes the rules whose campaign's goal cannot be worked out. They have no messages, in this call or a later one.
	"""
	night = at.night
	due = [
		(event, action)
		for event in events
		for action in event.rule.actions
		if is_on(action, event.night, night)
	]
	to = recipients.recipients(due)
	marked = reached.marked(
		[(event, recipient) for (event, _action), recipient in zip(due, to, strict=True)], night, broken
	)
	messages = [
		PlannedMessage(
			action, event, recipient, *verdict(event, recipient, night), evidence=gate.evidence_of(event)
		)
		for (_event, action), event, recipient in zip(due, marked, to, strict=True)
		if event
	]
	gate.pass_through(messages, at)
	return messages


def is_on(action: dict, due_on: date, night: date) -> bool:
	"""Say whether an action was on by the day that a message is due; night: the day of the run."""
	since = past(action.active_since, night)
	return not since or due_on >= since.date()


def verdict(event: DueEvent, recipient: Recipient, night: date) -> tuple[str, str | None]:
	"""Return (status, reason) by what the message is about: Pending when the gate's checks are to be asked, else why it cannot go."""
	if event.missed:
		return SKIPPED, Reason.MISSED
	if event.reached:
		return SKIPPED, Reason.GOAL_REACHED
	if event.left_out:
		return SKIPPED, Reason.NO_LONGER_MATCHES
	if not event.rule.sends_on(max(night, event.night)):
		return SKIPPED, Reason.OUTSIDE_DATES
	if event.rule.trigger.trigger_type == schedule.BEFORE and event.occurrence < night:
		return SKIPPED, Reason.DATE_PASSED
	if recipient.reason in (Reason.INVALID_ADDRESS, Reason.TRIGGER_BROKEN):
		return FAILED, recipient.reason
	if recipient.reason:
		return SKIPPED, recipient.reason
	return PENDING, None


def windows_for_run(rules: list[Rule], night: date) -> list[tuple[Rule, Window]]:
	"""Return each rule with the nights that a run on `night` takes, catching up on those that were missed. 3 queries."""
	taken = nights.taken(night)
	catch_up_nights = catch_up()
	found = []
	for rule in rules:
		until, at = taken.of(rule)
		window = schedule.window(
			night,
			covered_until=until,
			covered_at=at,
			active_since=past(rule.active_since, night),
			catch_up_nights=catch_up_nights,
			start_date=rule.campaign.start_date,
			end_date=rule.campaign.end_date,
		)
		if window:
			found.append((rule, window))
	return found


def within(rule: Rule, first: date, last: date) -> Window:
	"""Return the nights between two dates that the campaign's own dates leave."""
	first = max(first, rule.campaign.start_date or first)
	return Window(first, min(last, rule.campaign.end_date or last), first)


def windows_for_day(rules: list[Rule], day: date) -> list[tuple[Rule, Window]]:
	"""Return each rule with just that day, for a preview: as if the rules had been on for ever."""
	return [(rule, Window(day, day, day)) for rule in rules if rule.sends_on(day)]


def catch_up() -> int:
	"""Return how many nights before tonight's are still sent. 1 query."""
	# 0 is a number of nights, too: no default.
	return cint(frappe.db.get_single_value(SETTINGS, "catch_up_nights"))


def past(moment: datetime | None, night: date) -> datetime | None:
	"""Return since when something is on, or None for ever: also where a clock that was ahead says since tomorrow."""
	return moment if moment and moment.date() <= night else None
