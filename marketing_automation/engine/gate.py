"""The gate: may these messages go to these people, now, and by what right? Messages in, verdicts out.

The plan asks it, and delivery asks again right before a message leaves. It asks the checks, each a small object named in the
hook `lifecycle_checks` (of this app or any other): {key: dotted path of an object that keeps `Check`}. It writes nothing.
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from typing import NamedTuple, Protocol, runtime_checkable

import frappe
from frappe import _
from frappe.utils import getdate, now_datetime
from rq.timeouts import BaseTimeoutException

from marketing_automation.engine import once
from marketing_automation.engine.channel import channel_for, is_served
from marketing_automation.engine.model import (
	PENDING,
	SKIPPED,
	WAITING,
	DueEvent,
	PlannedMessage,
	Reason,
	Recipient,
	Rule,
)

# When the nightly run begins, as in hooks.scheduler_events.
NIGHT_HOUR = 1
# From this order on a check gives away something of which there is only so much. Right before messages leave, it is asked only
# about those that all checks before it let go.
RATIONING = 600
# So long waits what a check could not judge.
AFTER_A_FAILURE = timedelta(hours=1)
# So long the bar speaks of it: longer than until it is asked again.
REMEMBERED = 2 * AFTER_A_FAILURE
_FAILURE = "lifecycle-check-failed:"

# Not the check's fault: whoever asks is interrupted, and asks again.
INTERRUPTIONS = (
	frappe.QueryDeadlockError,
	frappe.QueryTimeoutError,
	BaseTimeoutException,
	MemoryError,
)


class Asked(NamedTuple):
	"""A message that is asked about. row: its row of the ledger, a dict; None while it is only planned."""

	action: dict
	event: DueEvent | None
	recipient: Recipient
	row: dict | None = None

	@property
	def campaign(self) -> dict:
		return self.event.rule.campaign


class At(NamedTuple):
	"""When it is asked, in the site's time zone. night: the day of the run, or today.

	leaving: right before the messages leave, inside the transaction that queues them, when `Check.lock` has been called.
	"""

	now: datetime
	night: date
	leaving: bool = False


class Send(NamedTuple):
	"""It may go. basis: by what right, one of model.Basis; evidence: (DocType, name) of the document that shows it."""

	basis: str | None = None
	evidence: tuple[str, str] | None = None


class Wait(NamedTuple):
	"""It may not go before `until` (site's time zone), and is asked again then. reason: one of model.Reason; basis: as known by
	now, which the gate fills in; words: what more there is to say of the reason."""

	until: datetime
	reason: str
	evidence: tuple[str, str] | None = None
	basis: str | None = None
	words: str | None = None


class Skip(NamedTuple):
	"""It does not go. reason: one of model.Reason."""

	reason: str
	evidence: tuple[str, str] | None = None


Answer = Send | Wait | Skip


@runtime_checkable
class Check(Protocol):
	"""One reason why messages may not go, or have to wait. Who inherits from it writes what has no default here."""

	# Checks are asked in this order: 100 suppression list, 200 consent, 300 basis, 400 holds, 500 send window,
	# 600 frequency cap, 650 warm-up.
	order: int

	@property
	def label(self) -> str:
		"""What it is called, translated."""
		...

	def judge(self, asked: list[Asked], at: At) -> dict[int, Answer]:
		"""Return {index in `asked`: answer}; what is left out may go as far as this check is concerned.

		Reads only, in a number of queries that does not depend on how many are asked about. Only messages that reach customers
		are asked about. `Send` is an answer of who knows the basis.
		"""
		...

	def parts(self) -> dict[str, str]:
		"""Return {key: label} of what it asks in its turn, each of which can fail by itself (`note_failure`). Default: nothing."""
		return {}

	def lock(self, customers: set[str], purpose: str | None, at: At) -> None:
		"""Lock what `judge` counts, inside the transaction that queues, before it locks rows of its own. Default: nothing.

		purpose: of the campaign whose messages leave; None where that is gone.
		"""


@runtime_checkable
class LooksAhead(Protocol):
	"""A check for which messages of nights to come may have to leave earlier. Reads only, a fixed number of queries."""

	def nights_ahead(self, rules: list[Rule], night: date) -> dict[str, date]:
		"""Return {trigger: last night} of the rules of which a run on `night` has to look at the nights after it, up to that."""
		...

	def early(self, asked: list[Asked], at: At) -> set[int]:
		"""Return the indexes of those messages of later nights that have to leave on `at.night`."""
		...


class Verdict(NamedTuple):
	"""What becomes of a message: its status, and what the ledger keeps beside it."""

	status: str
	reason: str | None = None
	due_at: datetime | None = None
	basis: str | None = None
	evidence: tuple[str, str] | None = None
	words: str | None = None

	@property
	def fields(self) -> dict:
		"""The fields of its ledger row."""
		doctype, name = self.evidence or (None, None)
		return {
			"status": self.status,
			"reason": self.reason,
			"due_at": self.due_at,
			"basis": self.basis,
			"evidence_doctype": doctype,
			"evidence_name": name,
		}


def when(night: date, leaving: bool = False) -> At:
	"""Return the moment at which a night is asked about: now, or that night's own hour where it is another day's."""
	now = now_datetime()
	return At(now if night == getdate() else datetime.combine(night, time(NIGHT_HOUR)), night, leaving)


def checks() -> dict[str, Check]:
	"""Return {key: check} of every installed app, in the order in which they are asked."""
	found = {
		key: frappe.get_attr(paths if isinstance(paths, str) else paths[-1])
		for key, paths in frappe.get_hooks("lifecycle_checks", {}).items()
	}
	return dict(sorted(found.items(), key=lambda entry: entry[1].order))


def lock(customers: set[str], campaign: str, channel: str | None, at: At) -> None:
	"""Have each check lock what it counts about these customers, in their order. The queries of the checks, and 1.

	Nothing for what reaches no customer, for the checks are not asked about it.
	"""
	if not customers or (is_served(channel) and not _reaches(channel)):
		return
	purpose = frappe.db.get_value("Lifecycle Campaign", campaign, "purpose")
	for check in checks().values():
		check.lock(customers, purpose, at)


def verdicts(asked: list[Asked], first: Iterable[tuple[str, str | None]], at: At) -> list[Verdict]:
	"""Return what becomes of each message, in the same order.

	first: (status, reason) of each by what it is about (`plan.verdict`); the checks are asked about those that are Pending.
	The queries of the checks.
	"""
	found = [
		Verdict(*judged, evidence=evidence_of(one.event)) for one, judged in zip(asked, first, strict=True)
	]
	open_ones = [index for index, verdict in enumerate(found) if verdict.status == PENDING]
	answers = judge([asked[index] for index in open_ones], at)
	for index, answer in zip(open_ones, answers, strict=True):
		found[index] = _of_answer(answer)
	return found


def nights_ahead(rules: list[Rule], night: date) -> dict[str, date]:
	"""Return {trigger: last night} of the rules of which a run on `night` also has to look at later nights, up to that one."""
	found: dict[str, date] = {}
	for key, check in checks().items():
		if isinstance(check, LooksAhead):
			for trigger, last in _ahead(
				key, lambda check=check: check.nights_ahead(rules, night), {}
			).items():
				found[trigger] = max(last, found.get(trigger, last))
	return found


def early(asked: list[Asked], at: At) -> set[int]:
	"""Return the indexes of those messages of later nights that have to leave on `at.night`, for they could not on their own."""
	reaching = [index for index, one in enumerate(asked) if _reaches(one.action["action_type"])]
	some, found = [asked[index] for index in reaching], set()
	for key, check in checks().items() if some else ():
		if isinstance(check, LooksAhead):
			places = _ahead(key, lambda check=check: check.early(some, at), set())
			found |= {reaching[place] for place in places}
	return found


def _ahead(key: str, ask: Callable, nothing):
	"""Return what a check says of later nights, or `nothing` where it raises: their own runs ask again."""
	try:
		return ask()
	except INTERRUPTIONS:
		raise
	except Exception:
		note_failure(key)
		return nothing


def pass_through(messages: list[PlannedMessage], at: At) -> None:
	"""Have the checks judge those of the planned messages that are Pending, and write their verdicts into them."""
	pending = [message for message in messages if message.status == PENDING]
	asked = [Asked(message.action, message.event, message.recipient) for message in pending]
	for message, answer in zip(pending, judge(asked, at), strict=True):
		verdict = _of_answer(answer)
		message.status, message.reason = verdict.status, verdict.reason
		message.due_at, message.basis, message.evidence = verdict.due_at, verdict.basis, verdict.evidence
		message.words = verdict.words


def judge(asked: list[Asked], at: At) -> list[Answer]:
	"""Return the answer to each: the first Skip in the order of the checks, else the Wait that ends last, else Send.

	What does not reach a customer may go. A check that raises has its messages wait AFTER_A_FAILURE; it stops no other.
	"""
	with once.looked_up_once():
		return _judge(asked, at)


def _judge(asked: list[Asked], at: At) -> list[Answer]:
	undecided = [index for index, one in enumerate(asked) if _reaches(one.action["action_type"])]
	skipped: dict[int, Skip] = {}
	waiting: dict[int, Wait] = {}
	sent: dict[int, Send] = {}
	for key, check in checks().items() if undecided else ():
		rationed = at.leaving and check.order >= RATIONING
		indexes = [index for index in undecided if not (rationed and index in waiting)]
		if not indexes:
			continue
		for place, answer in _answers(key, check, [asked[index] for index in indexes], at).items():
			index = indexes[place]
			if isinstance(answer, Skip):
				skipped[index] = _because(answer, waiting.get(index))
			elif isinstance(answer, Send):
				sent[index] = answer
			elif index not in waiting or waiting[index].until < answer.until:
				waiting[index] = answer
		undecided = [index for index in undecided if index not in skipped]
	for index, wait in waiting.items():
		if index in sent and not wait.basis:
			waiting[index] = wait._replace(basis=sent[index].basis)
	return [
		skipped.get(index) or waiting.get(index) or sent.get(index) or Send() for index in range(len(asked))
	]


def _because(skip: Skip, wait: Wait | None) -> Skip:
	"""Return why a message is skipped: what has no open hour left because it had to wait, by what it waited for."""
	return Skip(wait.reason, wait.evidence) if wait and skip.reason == Reason.OUTSIDE_WINDOW else skip


def _answers(key: str, check: Check, asked: list[Asked], at: At) -> dict[int, Answer]:
	try:
		return check.judge(asked, at)
	except INTERRUPTIONS:
		raise
	except Exception:
		note_failure(key)
		return dict.fromkeys(range(len(asked)), failed(check.label, at))


def failed(label: str, at: At) -> Wait:
	"""Return the answer about what could not be judged. label: of the check, or of the part of it, that has raised."""
	return Wait(at.now + AFTER_A_FAILURE, Reason.CHECK_FAILED, words=label)


class Failure(NamedTuple):
	"""What a check, or a part of it, has raised in the last hours. key: the check's; part: its key, None for the whole check."""

	key: str
	part: str | None
	label: str
	trace: str

	@property
	def explanation(self) -> str:
		"""What the bar says of it."""
		text = (
			_(
				"{0} cannot be worked out. The messages that would be asked about it wait until it can; the Error Log says what is wrong."
			)
			if self.part
			else _(
				"The check {0} cannot be worked out. The messages that it judges wait until it can; the Error Log says what is wrong."
			)
		)
		return text.format(self.label)


def note_failure(key: str, part: str | None = None) -> None:
	"""Keep what a check has just raised, for `failures`. Not in the database: messages may be leaving in this transaction.

	part: which of its `parts` it was, where it goes on without it.
	"""
	frappe.cache().set_value(
		_cached(key, part), frappe.get_traceback(), expires_in_sec=int(REMEMBERED.total_seconds())
	)


def failures() -> list[Failure]:
	"""Return what checks, and parts of them, have raised in the last hours. No query."""
	found = []
	for key, check in checks().items():
		for part, label in [(None, check.label), *check.parts().items()]:
			if trace := frappe.cache().get_value(_cached(key, part), expires=True):
				found.append(Failure(key, part, label, trace))
	return found


def _cached(key: str, part: str | None) -> str:
	return f"{_FAILURE}{key}" + (f"/{part}" if part else "")


def _reaches(action_type: str) -> bool:
	return is_served(action_type) and channel_for(action_type).REACHES_CUSTOMER


def evidence_of(event: DueEvent | None) -> tuple[str, str] | None:
	"""Return (DocType, name) of the document that shows that the campaign's goal is reached, None where it is not."""
	return event.reached[:2] if event and event.reached else None


def _of_answer(answer: Answer) -> Verdict:
	match answer:
		case Skip(reason, evidence):
			return Verdict(SKIPPED, reason, evidence=evidence)
		case Wait(until, reason, evidence, basis, words):
			return Verdict(WAITING, reason, due_at=until, basis=basis, evidence=evidence, words=words)
		case Send(basis, evidence):
			return Verdict(PENDING, basis=basis, evidence=evidence)
