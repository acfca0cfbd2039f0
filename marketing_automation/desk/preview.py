"""The preview: a day in, who would get a message on it, who would not, and why out. Writes nothing.

It is the plan of that day beside what the ledger already knows.
"""

import functools
import heapq
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import chain

import frappe
from frappe.utils import getdate, now_datetime

from marketing_automation.desk.health import EMAIL
from marketing_automation.engine import (
	again,
	faults,
	gate,
	ledger,
	long_lists,
	overlap,
	plan,
	rules,
	schedule,
)
from marketing_automation.engine.faults import Faults
from marketing_automation.engine.items import item_names
from marketing_automation.engine.model import (
	FAILED,
	PENDING,
	SKIPPED,
	WAITING,
	PlannedMessage,
	Reason,
	Rule,
)
from marketing_automation.engine.schedule import Window
from marketing_automation.engine.settings import limit
from marketing_automation.engine.source import hide_evidence, is_shown
from marketing_automation.engine.visibility import Visibility

# More rows than anyone reads; the counts are of all, and so is the export.
MOST_ROWS = 2000
MOST_EXPORTED = 100_000
# In seconds: what a person waits for the first part of an answer.
PATIENCE = 0.4
# Of those to come, as many as fit below a journey.
NEXT_ROWS = 5


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
	"""Return what a run would do if it started now, with what it catches up on and what it looks at again.

	Queries: as `of_day`, 1 more, and those of `again.pages`.
	"""
	night = getdate()
	broken = Faults()
	loaded = faults.sound(rules.load([campaign] if campaign else None), broken)
	unplanned = chain(
		(page.unplanned for page in again.pages(loaded, night, broken)),
		# What has to leave before its own night.
		([(message, None) for message in page] for page in plan.early(loaded, night, broken)),
	)
	return _looked_at(plan.windows_for_run(loaded, night), night, visible, broken, unplanned=unplanned)


def of_activation(campaign: str, visible: Visibility) -> dict:
	"""Return what the next night would do if a campaign were activated now: of today, which is not made up for before,
	and of that night's own day. Without overlaps. Queries: as `of_day`, less those of `overlap.find`."""
	today = getdate()
	night = next_night(now_datetime())
	broken = Faults()
	loaded = faults.sound(enabled_rules([campaign]), broken)
	windows = [(rule, window) for rule in loaded if (window := plan.within(rule, today, night))]
	return _looked_at(windows, night, visible, broken, with_overlaps=False)


def next_night(now: datetime) -> date:
	"""Return the day whose nightly run comes next (hooks.scheduler_events)."""
	return now.date() + timedelta(days=now.hour >= gate.NIGHT_HOUR)


def of_days(loaded: list[Rule], first: date, days: int, visible: Visibility) -> dict:
	"""Return what rules would do on the days from `first` on.

	{"actions": {action: {"send", "skip", "fail", "known"}}, "next": [...]}; next: the first NEXT_ROWS to be sent, rows
	as in `_looked_at`. Broken rules are left out: health names them. Queries: those of the plan, see `of_day`, for any
	number of days.
	"""
	last, broken = schedule.shifted(first, days - 1) or date.max, Faults()
	loaded = faults.sound(loaded, broken)
	windows = [(rule, window) for rule in loaded if (window := plan.within(rule, first, last))]
	actions = {}

	def to_send() -> Iterator[PlannedMessage]:
		for message, _key, log in chain.from_iterable(_judged(windows, first, visible, broken)):
			outcome = _outcome(message, log)
			counts = actions.setdefault(message.action.name, Counter(send=0, skip=0, fail=0, known=0))
			counts[outcome] += 1
			if outcome == "send":
				yield message

	# Keeps no more than it returns, however many are to come.
	coming = heapq.nsmallest(
		NEXT_ROWS, to_send(), key=lambda m: (m.event.night, m.recipient.customer_name or "")
	)
	rows = [_row(message, None, "send") for message in coming]
	_add_item_names(rows)
	hide_evidence(rows)
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
	unplanned: Iterable[list[tuple[PlannedMessage, dict | None]]] = (),
	with_overlaps: bool = True,
) -> dict:
	"""Return {"night", "complete", "counts", "reasons", "rows", "left_out", "broken", "overlaps"}.

	counts: due; of these send, skip, fail and known (in the ledger already); of those to be sent wait (not at once), mails (fewer where a
	campaign combines), others ({action type: how many} of what leaves otherwise) and products (fewer where several
	actions write about one). reasons: {reason: count} of what is
	skipped or fails. rows: one dict a message, at most `most`, those to be sent first; its `log` is the ledger row of one
	that is known. left_out: how many rows are too many. broken: the rules that were left out, see `faults.Fault.as_dict`.
	overlaps: who hears from another campaign too, see `overlap.find`; none if they are not asked for.
	unplanned: pages of messages that are looked at besides, with their ledger rows if they have one.
	patience: after so many seconds it is what has been looked at by then, a page at least, and `complete` is False.
	"""
	began, complete = time.monotonic(), True
	counts = Counter(due=0, send=0, wait=0, skip=0, fail=0, known=0)
	reasons, sends, products, written_to = Counter(), defaultdict(set), set(), defaultdict(set)
	read = overlap.reaching()
	by_outcome = {"send": [], "fail": [], "skip": [], "known": []}
	for page in _judged(windows, night, visible, broken, unplanned):
		for message, key, log in page:
			outcome = _outcome(message, log)
			counts[outcome] += 1
			counts["due"] += 1
			if outcome in ("skip", "fail"):
				reasons[message.reason] += 1
			elif outcome == "send" and message.status == WAITING:
				counts["wait"] += 1
			if outcome == "send":
				send = _send(message) if message.campaign.combine_messages else key
				sends[message.action.action_type].add(send)
				if message.action.action_type in read:
					written_to[message.recipient.customer].add(message.campaign.name)
				products.add((message.event.reference_doctype, message.event.reference_name))
			if len(by_outcome[outcome]) < most:
				by_outcome[outcome].append(_row(message, log, outcome))
		if time.monotonic() - began > patience:
			complete = False
			break
	overlaps = []
	if complete and with_overlaps:
		overlaps, complete = overlap.find(written_to, night, began + patience)
	rows = [row for rows in by_outcome.values() for row in rows][:most]
	_add_item_names(rows)
	hide_evidence(rows)
	mails = len(sends.pop(EMAIL, ()))
	others = {action_type: len(found) for action_type, found in sorted(sends.items())}
	return {
		"night": night,
		"complete": complete,
		"counts": {**counts, "mails": mails, "others": others, "products": len(products)},
		"reasons": dict(reasons.most_common()),
		"rows": rows,
		"left_out": counts["due"] - len(rows),
		"broken": broken.as_dicts(),
		"overlaps": overlaps,
	}


def _outcome(message: PlannedMessage, log: dict | None) -> str:
	if log and not (log.comes_again and message.status in (PENDING, WAITING)):
		return "known"
	return {PENDING: "send", WAITING: "send", SKIPPED: "skip", FAILED: "fail"}[message.status]


def _judged(
	windows, night: date, visible: Visibility, broken: Faults, unplanned: Iterable[list[tuple]] = ()
) -> Iterator[list[tuple[PlannedMessage, str, dict | None]]]:
	"""Yield pages of planned messages that the user may see, each with its key, and its ledger row if it has one.

	`comes_again` of a row: the run looks at it again. 1 to 3 queries a page, beside the plan's, and 2.
	"""
	taken, shown = set(), functools.lru_cache(is_shown)
	again_from, max_attempts = getdate() - timedelta(days=plan.catch_up()), limit("max_attempts")
	pages = ([(message, None) for message in page] for page in plan.plan(windows, night, broken))
	for page in chain(unplanned, pages):
		keyed = {
			message.message_key: (message, log)
			for message, log in page
			if shown(message.event.reference_doctype)
			and visible.about(message.event.reference_doctype).sees(
				company=message.event.company,
				customer=message.recipient.customer,
				item_code=message.event.item_code,
			)
		}
		known = _known([message for message, log in keyed.values() if not log])
		known |= {key: log for key, (_message, log) in keyed.items() if log}
		for key, log in known.items():
			event = keyed[key][0].event
			log.comes_again = event.night >= again_from and again.can_pass(log, max_attempts)
		messages = {key: message for key, (message, _log) in keyed.items()}
		_suppress(
			{
				key: message
				for key, message in messages.items()
				if message.status in (PENDING, WAITING) and (key not in known or known[key].comes_again)
			},
			taken,
		)
		yield [(message, key, known.get(key)) for key, message in messages.items()]


def _known(messages: list[PlannedMessage]) -> dict[str, dict]:
	"""Return {message key: ledger row} of the messages that a run has written. At most 2 queries.

	That of a message whose customer was not known then is the same message; one whose customer is not known now is
	known by any row about the same.
	"""
	if not messages:
		return {}
	log = frappe.qb.DocType(ledger.DOCTYPE)
	columns = ("name", "message_key", "status", "reason", "attempts", "due_at", *ledger.EVIDENCE)
	query = (
		frappe.qb.from_(log)
		.select(*[log[column] for column in columns])
		.where(long_lists.among(log.message_key, "keys"))
	)
	keys = {key for message in messages for key in (message.message_key, message.ownerless_key)}
	rows = {row.message_key: row for row in long_lists.run(query, as_dict=True, keys=keys)}
	found = {}
	for message in messages:
		if row := rows.get(message.message_key) or rows.get(message.ownerless_key):
			found[message.message_key] = row
	ownerless = [m for m in messages if not m.recipient.customer and m.message_key not in found]
	of_others = ledger.latest_of_events(ownerless, columns)
	for message in ownerless:
		if row := of_others.get(ledger.event_of(message)):
			found[message.message_key] = row
	return found


def _suppress(messages: dict[str, PlannedMessage], taken: set[str]) -> None:
	"""Mark those whose customer gets the message once and has it, or gets it by another of them, as the ledger would. 1 query.

	messages: by message key. taken: the suppression keys that this preview has given away; grows.
	"""
	# The ledger inserts in this order, and the first one wins.
	keyed = [
		(message, key)
		for _message_key, message in sorted(messages.items())
		if (key := message.suppression_key)
	]
	if not keyed:
		return
	log = frappe.qb.DocType(ledger.DOCTYPE)
	query = (
		frappe.qb.from_(log).select(log.suppression_key).where(long_lists.among(log.suppression_key, "keys"))
	)
	sent = {key for (key,) in long_lists.run(query, keys=[key for _message, key in keyed])}
	for message, key in keyed:
		if key in sent or (key in taken and not message.campaign.combine_messages):
			message.status, message.reason = SKIPPED, Reason.ALREADY_SENT
		taken.add(key)


def _send(message: PlannedMessage) -> tuple:
	"""Return what is the same for all messages of a campaign that combines that go out as one."""
	return message.action.name, message.recipient.customer


def _row(message: PlannedMessage, log: dict | None, outcome: str) -> dict:
	event, recipient = message.event, message.recipient
	evidence = log if outcome == "known" else ledger.evidence_fields(message.evidence)
	return {
		"outcome": outcome,
		"status": log.status if outcome == "known" else message.status,
		"reason": log.reason if outcome == "known" else message.reason,
		"error": None if outcome == "known" else message.error,
		"due_at": log.due_at if outcome == "known" else message.due_at,
		**{column: evidence[column] for column in ledger.EVIDENCE},
		"log": log.name if log else None,
		"campaign": message.campaign.name,
		"trigger": event.rule.trigger.name,
		"trigger_name": event.rule.trigger.trigger_name,
		"action": message.action.name,
		"action_name": message.action.action_name,
		"reference_doctype": event.reference_doctype,
		"reference_name": event.reference_name,
		"channel": message.action.action_type,
		"item_code": event.item_code,
		"item_name": event.item_code,
		"customer": recipient.customer,
		"customer_name": recipient.customer_name,
		"recipient": recipient.address,
		"expiry_date": event.occurrence,
		"due_on": event.night,
	}


def _add_item_names(rows: list[dict]) -> None:
	"""Replace the item's code by its name. 1 query."""
	names = item_names({row["item_code"] for row in rows})
	for row in rows:
		row["item_name"] = names.get(row["item_code"]) or row["item_code"]
