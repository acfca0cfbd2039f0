"""Looked at again: what the ledger has of the last nights in, what each run makes of it by now out. Only reads.

A message that was not sent is sent after all when its reason has passed while its day, or the catch-up, lasts; and what
changes hands is a new message for its new owner. Rows are read in bulk, night by night, whatever became of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

import frappe

from marketing_automation.engine import faults, gate, ledger, plan, reached, recipients
from marketing_automation.engine.faults import Faults
from marketing_automation.engine.model import (
	CAN_PASS,
	FAILED,
	PENDING,
	SKIPPED,
	DueEvent,
	PlannedMessage,
	Recipient,
	Rule,
)
from marketing_automation.engine.schedule import Window
from marketing_automation.engine.settings import limit

PAGE_SIZE = 5000

# What becomes of a row, or beside it.
REOPEN = "It is sent after all."
ASSIGN = "It gets its first owner, who cannot be sent it either."
NEW = "Its new owner gets a message of their own."


class Span(NamedTuple):
	"""From which night on a run looks again at the rows of an action, and what it takes for the rule besides."""

	rule: Rule
	action: dict
	first: date
	catch_up_from: date
	window: Window | None

	def is_planned(self, night: date) -> bool:
		"""Say whether the plan of the same run takes this night anyway, for whoever owns what is due then."""
		return bool(self.window) and self.window.first <= night <= self.window.last


@dataclass
class Page:
	"""What a run does about some rows. reopen, assign: the rows, with customer, status and reason as they are now."""

	reopen: list[dict] = field(default_factory=list)
	assign: list[dict] = field(default_factory=list)
	new: list[PlannedMessage] = field(default_factory=list)
	# What is to be sent or written that the plan of the same run does not have, each with its row if it has one.
	unplanned: list[tuple[PlannedMessage, dict | None]] = field(default_factory=list)


def spans(loaded: list[Rule], night: date) -> dict[str, Span]:
	"""Return {action: Span} of the rules that send on a night. 3 queries."""
	windows = {rule.trigger.name: window for rule, window in plan.windows_for_run(loaded, night)}
	catch_up_from = night - timedelta(days=plan.catch_up())
	found = {}
	for rule in loaded:
		if not rule.sends_on(night):
			continue
		window = windows.get(rule.trigger.name)
		for action in rule.actions:
			since = [plan.past(moment, night) for moment in (rule.active_since, action.active_since)]
			bounds = [moment.date() for moment in since if moment] + [rule.campaign.start_date]
			first = min(catch_up_from, window.first) if window else catch_up_from
			found[action.name] = Span(
				rule, action, max([first, *filter(None, bounds)]), catch_up_from, window
			)
	return found


def can_pass(row: dict, max_attempts: int) -> bool:
	"""Say whether a row was not sent for a reason that can pass by itself, and has an attempt left."""
	return row.status in (SKIPPED, FAILED) and row.reason in CAN_PASS and row.attempts < max_attempts


def fate(
	row: dict, span: Span, event: DueEvent | None, recipient: Recipient, night: date, passes: bool
) -> tuple[str | None, str | None, str | None]:
	"""Return (REOPEN, ASSIGN, NEW or None, status, reason): what a run on `night` makes of a row that is not Pending, before
	the gate's checks are asked.

	event, recipient: as they are now. passes: `can_pass` of the row. The ledger's indexes have the last word.
	"""
	owner = recipient.customer
	if not event or event.occurrence != row.occurrence_date or event.left_out or not owner:
		return None, None, None
	if not span.first <= row.due_on <= night:
		return None, None, None
	event = event._replace(missed=row.due_on < span.catch_up_from)
	status, reason = plan.verdict(event, recipient, night)
	if row.customer and row.customer != owner:
		return (None if event.missed else NEW), status, reason
	if status == PENDING:
		return (REOPEN if passes else None), status, reason
	return (None if row.customer else ASSIGN), status, reason


def pages(loaded: list[Rule], night: date, broken: Faults) -> Iterator[Page]:
	"""Yield what a run on `night` does about rows of the nights before, and of this one.

	A rule that raises goes into `broken`, and its rows stay as they are.

	Queries: 4, one for each night, and at most 24 for each PAGE_SIZE rows of a night, and one for each rule with filters.
	"""
	found, max_attempts = spans(loaded, night), limit("max_attempts")
	if not found:
		return
	day = min(span.first for span in found.values())
	while day <= night:
		actions = [name for name, span in found.items() if span.first <= day]
		for rows in _rows(day, actions):
			passing, others = [], []
			for row in rows:
				if can_pass(row, max_attempts):
					passing.append(row)
				elif row.customer and not found[row.action].is_planned(day):
					others.append(row)
			page = Page()
			_look_at(page, passing, found, night, broken, passes=True)
			_look_at(page, _changed_hands(others, found, broken), found, night, broken, passes=False)
			if page.reopen or page.assign or page.new:
				yield page
		day += timedelta(days=1)


def _rows(day: date, actions: list[str]) -> Iterator[list[dict]]:
	"""Yield the rows of actions that were due on a day and are not Pending, PAGE_SIZE at a time. One query a page."""
	table = frappe.qb.DocType(ledger.DOCTYPE)
	query = (
		frappe.qb.from_(table)
		.select(*[table[name] for name in ledger.FIELDS])
		.where((table.due_on == day) & table.action.isin(actions))
		# What is Pending or Waiting is judged anew when its time comes; Waiting is here for those who own the product by now.
		.where(table.status.isin([status for status in ledger.STATUSES if status != PENDING]))
		.orderby(table.name)
		.limit(PAGE_SIZE)
	)
	last = ""
	while actions and (rows := query.where(table.name > last).run(as_dict=True)):
		yield rows
		if len(rows) < PAGE_SIZE:
			return
		last = rows[-1].name


def _changed_hands(rows: list[dict], found: dict[str, Span], broken: Faults) -> list[dict]:
	"""Return those of the rows whose product somebody else owns now. The queries of `current` and `recipients.owners`."""
	events = _current(rows, found, broken)
	alive = [(row, event) for row, event in zip(rows, events, strict=True) if event]
	owners = recipients.owners([event for _row, event in alive])
	return [
		row
		for (row, _event), (customer, _reason) in zip(alive, owners, strict=True)
		if customer and customer != row.customer
	]


def _look_at(
	page: Page, rows: list[dict], found: dict[str, Span], night: date, broken: Faults, passes: bool
) -> None:
	"""Add to a page what is done about rows. The queries of `current` and `recipients.recipients`."""
	events = _current(rows, found, broken)
	alive = [(event, found[row.action].action) for row, event in zip(rows, events, strict=True) if event]
	to = recipients.recipients(alive)
	marked = reached.marked(
		[(event, recipient) for (event, _action), recipient in zip(alive, to, strict=True)], night, broken
	)
	now = iter(zip(marked, to, strict=True))
	fates = []
	for row, event in zip(rows, events, strict=True):
		event, recipient = next(now) if event else (None, Recipient())
		span = found[row.action]
		what, status, reason = fate(row, span, event, recipient, night, passes)
		if what:
			message = PlannedMessage(
				span.action, event, recipient, status, reason, evidence=gate.evidence_of(event)
			)
			fates.append((row, span, what, message))
	gate.pass_through([message for *_row, message in fates], gate.when(night))
	for row, span, what, message in fates:
		planned = span.is_planned(row.due_on)
		if what == REOPEN and message.status == SKIPPED:
			# Its reason has passed, and a check has another one.
			continue
		if what == NEW and not planned:
			page.new.append(message)
			page.unplanned.append((message, None))
		elif what == REOPEN:
			page.reopen.append(frappe._dict(row, customer=message.recipient.customer))
			if not planned:
				page.unplanned.append((message, row))
		elif what == ASSIGN:
			page.assign.append(
				frappe._dict(
					row,
					customer=message.recipient.customer,
					status=message.status,
					reason=message.reason,
					**ledger.evidence_fields(message.evidence),
				)
			)


def _current(rows: list[dict], found: dict[str, Span], broken: Faults) -> list[DueEvent | None]:
	"""Return what each row would be today, in the same order, None also where its rule raises; its source is asked."""
	events: list[DueEvent | None] = [None] * len(rows)
	entries = [(found[row.action].rule, row, index) for index, row in enumerate(rows)]
	entries = [entry for entry in entries if entry[0].trigger.name not in broken]
	for asked, answer in faults.answers(
		lambda source, some: source.current([(rule, row) for rule, row, _index in some]), entries, broken
	):
		for (_rule, _row, index), event in zip(asked, answer, strict=True):
			events[index] = event
	return events
