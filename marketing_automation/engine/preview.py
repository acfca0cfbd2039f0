"""The preview: a day in, who would be told on it and who would not and why out. Writes nothing.

It is the plan of that day beside what the ledger already knows.
"""

import heapq
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import chain

import frappe
from frappe.utils import getdate, now_datetime

from marketing_automation.engine import faults, ledger, long_lists, overlap, plan, rules, schedule
from marketing_automation.engine.faults import Faults
from marketing_automation.engine.items import item_names
from marketing_automation.engine.model import FAILED, PENDING, SKIPPED, PlannedMessage, Reason, Rule
from marketing_automation.engine.schedule import Window
from marketing_automation.engine.visibility import Visibility

# More rows than anyone reads; the counts are of all, and so is the export.
MOST_ROWS = 2000
MOST_EXPORTED = 100_000
# In seconds: what a person waits for the first part of an answer.
PATIENCE = 0.4
# Of those to come, as many as fit below a journey.
NEXT_ROWS = 5
# When the nightly run begins, as in hooks.scheduler_events.
NIGHT_HOUR = 1


def of_day(
	campaigns: list[str],
	day: date,
	visible: Visibility,
	most: int = MOST_ROWS,
	patience: float = float("inf"),
) -> dict:
	"""Return what the campaigns would do on a day if they were active, in at most so many rows. See `_looked_at`.

	Queries: 8, and for each 5,000 serial numbers due by one date field at most 12, and two for each rule with filters;
	and those of `overlap.find`.
	"""
	broken = Faults()
	loaded = faults.sound(enabled_rules(campaigns), broken)
	return _looked_at(plan.windows_for_day(loaded, day), day, visible, broken, most, patience)


def of_run(campaign: str | None, visible: Visibility) -> dict:
	"""Return what a run would do if it started now, catching up included. Queries: as `of_day`, and 3."""
	night = getdate()
	broken = Faults()
	loaded = faults.sound(rules.load([campaign] if campaign else None), broken)
	return _looked_at(plan.windows_for_run(loaded, night), night, visible, broken)


def of_activation(campaign: str, visible: Visibility) -> dict:
	"""Return what the next night would do if a campaign were activated now: of today, which is not made up for before,
	and of that night's own day. Queries: as `of_day`."""
	today = getdate()
	night = next_night(now_datetime())
	broken = Faults()
	loaded = faults.sound(enabled_rules([campaign]), broken)
	windows = [(rule, window) for rule in loaded if (window := plan.within(rule, today, night))]
	return _looked_at(windows, night, visible, broken)


def next_night(now: datetime) -> date:
	"""Return the day whose nightly run comes next (hooks.scheduler_events)."""
	return now.date() + timedelta(days=now.hour >= NIGHT_HOUR)


def of_days(loaded: list[Rule], first: date, days: int, visible: Visibility) -> dict:
	"""Return what rules would do on the days from `first` on.

	{"actions": {action: {"tell", "skip", "fail", "known"}}, "next": [...]}; next: the first NEXT_ROWS to be told, rows
	as in `_looked_at`. Broken rules are left out: health names them. Queries: those of the plan, see `of_day`, for any
	number of days.
	"""
	last, broken = schedule.shifted(first, days - 1) or date.max, Faults()
	loaded = faults.sound(loaded, broken)
	windows = [(rule, window) for rule in loaded if (window := plan.within(rule, first, last))]
	actions = {}

	def told() -> Iterator[PlannedMessage]:
		for message, _key, log in chain.from_iterable(_judged(windows, first, visible, broken)):
			outcome = _outcome(message, log)
			counts = actions.setdefault(message.action.name, Counter(tell=0, skip=0, fail=0, known=0))
			counts[outcome] += 1
			if outcome == "tell":
				yield message

	# Keeps no more than it returns, however many are to come.
	coming = heapq.nsmallest(
		NEXT_ROWS, told(), key=lambda m: (m.event.night, m.recipient.customer_name or "")
	)
	rows = [_row(message, None, "tell") for message in coming]
	_add_item_names(rows)
	return {"actions": actions, "next": rows}


def enabled_rules(campaigns: list[str]) -> list[Rule]:
	"""Return the rules of campaigns that would work if the campaigns were active, as if on for ever. 4 queries."""
	found = []
	for rule in rules.load(campaigns, active_only=False):
		actions = tuple(frappe._dict(action, active_since=None) for action in rule.actions if action.enabled)
		if rule.trigger.enabled and actions:
			found.append(Rule(rule.campaign, rule.trigger, actions))
	return found


def _looked_at(
	windows: list[tuple[Rule, Window]],
	night: date,
	visible: Visibility,
	broken: Faults,
	most: int = MOST_ROWS,
	patience: float = float("inf"),
) -> dict:
	"""Return {"night", "complete", "counts", "reasons", "rows", "left_out", "broken", "overlaps"}.

	counts: due; of these tell, skip, fail and known (in the ledger already); of those to be told mails (fewer where a
	campaign combines) and products (fewer where several actions write about one). reasons: {reason: count} of what is
	skipped or fails. rows: one dict a message, at most `most`, those to be told first; its `log` is the ledger row of one
	that is known. left_out: how many rows are too many. broken: the rules that were left out, see `faults.Fault.as_dict`.
	overlaps: who hears from another campaign too, see `overlap.find`.
	patience: after so many seconds it is what has been looked at by then, a page at least, and `complete` is False.
	"""
	began, complete = time.monotonic(), True
	counts = Counter(due=0, tell=0, skip=0, fail=0, known=0)
	reasons, mails, products, told = Counter(), set(), set(), defaultdict(set)
	by_outcome = {"tell": [], "fail": [], "skip": [], "known": []}
	for page in _judged(windows, night, visible, broken):
		for message, key, log in page:
			outcome = _outcome(message, log)
			counts[outcome] += 1
			counts["due"] += 1
			if outcome in ("skip", "fail"):
				reasons[message.reason] += 1
			if outcome == "tell":
				mails.add(_mail(message) if message.campaign.combine_messages else key)
				told[message.recipient.customer].add(message.campaign.name)
				products.add((message.event.reference_doctype, message.event.reference_name))
			if len(by_outcome[outcome]) < most:
				by_outcome[outcome].append(_row(message, log, outcome))
		if time.monotonic() - began > patience:
			complete = False
			break
	overlaps = []
	if complete:
		overlaps, complete = overlap.find(told, night, began + patience)
	rows = [row for rows in by_outcome.values() for row in rows][:most]
	_add_item_names(rows)
	return {
		"night": night,
		"complete": complete,
		"counts": {**counts, "mails": len(mails), "products": len(products)},
		"reasons": dict(reasons.most_common()),
		"rows": rows,
		"left_out": counts["due"] - len(rows),
		"broken": broken.as_dicts(),
		"overlaps": overlaps,
	}


def _outcome(message: PlannedMessage, log: dict | None) -> str:
	return "known" if log else {PENDING: "tell", SKIPPED: "skip", FAILED: "fail"}[message.status]


def _judged(
	windows, night: date, visible: Visibility, broken: Faults
) -> Iterator[list[tuple[PlannedMessage, str, dict | None]]]:
	"""Yield pages of planned messages that the user may see, each with its key, and its ledger row if it has one.

	1 or 2 queries a page, beside the plan's.
	"""
	taken = set()
	for page in plan.plan(windows, night, broken):
		keyed = {
			message.idempotency_key: message
			for message in page
			if visible.sees(
				company=message.event.company,
				customer=message.recipient.customer,
				item_code=message.event.item_code,
			)
		}
		known = _known(keyed)
		_suppress(
			{key: m for key, m in keyed.items() if key not in known and m.status == PENDING},
			taken,
		)
		yield [(message, key, known.get(key)) for key, message in keyed.items()]


def _known(keys: Iterable[str]) -> dict[str, dict]:
	"""Return {idempotency key: ledger row} of the messages that a run has written. 1 query."""
	if not keys:
		return {}
	log = frappe.qb.DocType(ledger.DOCTYPE)
	query = (
		frappe.qb.from_(log)
		.select(log.name, log.idempotency_key, log.status, log.reason)
		.where(long_lists.among(log.idempotency_key, "keys"))
	)
	return {row.idempotency_key: row for row in long_lists.run(query, as_dict=True, keys=keys)}


def _suppress(messages: dict[str, PlannedMessage], taken: set[str]) -> None:
	"""Mark those whose customer is told once and has been, or is by another of them, as the ledger would. 1 query.

	messages: by idempotency key. taken: the suppression keys that this preview has given away; grows.
	"""
	# The ledger inserts in this order, and the first one wins.
	keyed = [
		(message, key)
		for _idempotency_key, message in sorted(messages.items())
		if (key := message.suppression_key)
	]
	if not keyed:
		return
	log = frappe.qb.DocType(ledger.DOCTYPE)
	query = (
		frappe.qb.from_(log).select(log.suppression_key).where(long_lists.among(log.suppression_key, "keys"))
	)
	told = {key for (key,) in long_lists.run(query, keys=[key for _message, key in keyed])}
	for message, key in keyed:
		if key in told or (key in taken and not message.campaign.combine_messages):
			message.status, message.reason = SKIPPED, Reason.ALREADY_TOLD
		taken.add(key)


def _mail(message: PlannedMessage) -> tuple:
	"""Return what is the same for all messages of a campaign that combines that go out as one mail."""
	return message.action.name, message.recipient.customer


def _row(message: PlannedMessage, log: dict | None, outcome: str) -> dict:
	event, recipient = message.event, message.recipient
	return {
		"outcome": outcome,
		"status": log.status if log else message.status,
		"reason": log.reason if log else message.reason,
		"error": None if log else message.error,
		"log": log.name if log else None,
		"campaign": message.campaign.name,
		"trigger": event.rule.trigger.name,
		"trigger_name": event.rule.trigger.trigger_name,
		"action": message.action.name,
		"action_name": message.action.action_name,
		"serial_no": event.reference_name,
		"item_code": event.item_code,
		"item_name": event.item_code,
		"customer": recipient.customer,
		"customer_name": recipient.customer_name,
		"recipient": recipient.email,
		"expiry_date": event.occurrence,
		"due_on": event.night,
	}


def _add_item_names(rows: list[dict]) -> None:
	"""Replace the item's code by its name. 1 query."""
	names = item_names({row["item_code"] for row in rows})
	for row in rows:
		row["item_name"] = names.get(row["item_code"]) or row["item_code"]
