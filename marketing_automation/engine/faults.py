"""Broken rules: what is wrong with a rule and what to do about it, and how all others go on without it. Only reads.

A rule that was right when it was saved breaks when what it stands on goes: a field, an item group, the app of its
source. What can be seen by looking at the rule is found by `sound`; what raises only while it is worked out is
found by `answers` and `stream`, which ask a source about all its rules together and, if that raises, one by one.
"""

import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import frappe
from frappe import _
from rq.timeouts import BaseTimeoutException

from marketing_automation import compat
from marketing_automation.engine import goals, schedule
from marketing_automation.engine.channel import channel_for
from marketing_automation.engine.model import DueEvent, Rule
from marketing_automation.engine.schedule import Window
from marketing_automation.engine.source import Source, source_for

# No rule's fault: whoever works is interrupted.
INTERRUPTIONS = (
	frappe.QueryDeadlockError,
	frappe.QueryTimeoutError,
	BaseTimeoutException,
	MemoryError,
)


@dataclass(frozen=True)
class Fault:
	"""What is wrong with a rule, as plain text that says what to do.

	of_campaign: it stops the whole campaign, whatever the trigger. trace: the lines of code, where it was raised.
	"""

	rule: Rule
	problem: str
	of_campaign: bool = False
	trace: str | None = None

	@property
	def text(self) -> str:
		"""The problem with the names of the campaign and, if it is the trigger's own, of the trigger."""
		names = (
			[self.rule.campaign.name]
			if self.of_campaign
			else [self.rule.campaign.name, self.rule.trigger.trigger_name]
		)
		return ": ".join([*names, self.problem])

	def as_dict(self) -> dict:
		"""Return what the Desk shows: {"campaign", "trigger", "trigger_name", "problem", "text"}."""
		return {
			"campaign": self.rule.campaign.name,
			"trigger": self.rule.trigger.name,
			"trigger_name": self.rule.trigger.trigger_name,
			"problem": self.problem,
			"text": self.text,
		}


class Faults(dict):
	"""What was found wrong: {trigger: Fault}, the first thing of each trigger. Grows as rules are worked out."""

	def add(self, rule: Rule, problem: str, **more) -> None:
		"""Note what is wrong with a rule."""
		self.setdefault(rule.trigger.name, Fault(rule, problem, **more))

	def texts(self) -> list[str]:
		"""Return the text of each fault, each once."""
		return list(dict.fromkeys(fault.text for fault in self.values()))

	def as_dicts(self) -> list[dict]:
		"""Return the faults as the Desk shows them."""
		return [fault.as_dict() for fault in self.values()]


# -- by looking at them ------------------------------------------------------------------------------------------


def sound(loaded: Iterable[Rule], faults: Faults) -> list[Rule]:
	"""Return the rules that can work, without those of their actions that cannot; the others go into `faults`.

	A switched-off action is left as it is. Queries: at most 2, and those of the sources' and the goals' `validate` for each rule.
	"""
	loaded = list(loaded)
	gone = _gone(loaded)
	found = []
	for rule in loaded:
		problem = _problem(rule, gone)
		if problem:
			faults.add(rule, problem)
			continue
		broken = {
			action.name: problem
			for action in rule.actions
			if action.enabled and (problem := attempted(channel_for, action.action_type))
		}
		for problem in broken.values():
			faults.add(rule, problem)
		actions = tuple(action for action in rule.actions if action.name not in broken)
		if actions or not broken:
			found.append(Rule(rule.campaign, rule.trigger, actions) if broken else rule)
	return found


def refuse(rule: Rule, title: str) -> None:
	"""Throw what is wrong with one rule, if anything is. Queries: as `sound`."""
	faults = Faults()
	sound([rule], faults)
	for fault in faults.values():
		frappe.throw(frappe.utils.escape_html(fault.text), title=title)


def is_broken(trigger) -> bool:
	"""Say whether a trigger (document), on or off, cannot work. Queries: as `sound`, and that of its campaign."""
	campaign = frappe.get_cached_doc("Lifecycle Campaign", trigger.campaign)
	rule = Rule(campaign.as_dict(), trigger.as_dict(), ())
	return _problem(rule, _gone([rule])) is not None


def refuse_days(days: int) -> None:
	"""Throw when a trigger's days are more than any trigger can have."""
	if abs(days) > schedule.MOST_DAYS:
		frappe.throw(_too_many_days(days), title=_("Too Many Days"))


def _too_many_days(days: int) -> str:
	return _("Days can be 0 to {0}, not {1}. Correct them.").format(schedule.MOST_DAYS, days)


def _problem(rule: Rule, gone: dict[str, set[str]]) -> str | None:
	if abs(rule.trigger.days_offset or 0) > schedule.MOST_DAYS:
		return _too_many_days(rule.trigger.days_offset)
	if rule.trigger.item_group in gone["Item Group"]:
		return _("The item group {0} does not exist any more. Choose another one.").format(
			rule.trigger.item_group
		)
	if rule.campaign.company in gone["Company"]:
		return _("The company {0} does not exist any more. Choose another one in the campaign.").format(
			rule.campaign.company
		)
	return attempted(lambda: source_for(rule.trigger).validate(rule.trigger)) or attempted(
		goals.validate, rule.campaign
	)


def _gone(loaded: list[Rule]) -> dict[str, set[str]]:
	"""Return {DocType: names that rules have and that do not exist}. 1 query for each of the two that is named."""
	named = {
		"Item Group": {rule.trigger.item_group for rule in loaded if rule.trigger.item_group},
		"Company": {rule.campaign.company for rule in loaded if rule.campaign.company},
	}
	for doctype, names in named.items():
		if names:
			# The database takes other letter cases for the same name, as a link does.
			there = frappe.get_all(
				doctype, filters={"name": ["in", sorted(names)]}, pluck="name", order_by="name asc"
			)
			folded = {name.casefold() for name in there}
			named[doctype] = {name for name in names if name.casefold() not in folded}
	return named


def attempted(work: Callable, *args) -> str | None:
	"""Return in words what `work` raises, or None."""
	try:
		with compat.no_message_of_errors():
			work(*args)
	except INTERRUPTIONS:
		raise
	except Exception as e:
		return _words(e)
	return None


# -- by working them out -----------------------------------------------------------------------------------------


def answers(
	ask: Callable[[object, list[tuple]], object],
	entries: Iterable[tuple],
	faults: Faults,
	by: Callable[[Iterable[tuple], Faults], list[tuple[object, list[tuple]]]] | None = None,
	words: Callable[[Rule, Exception], str] | None = None,
) -> Iterator[tuple[list[tuple], object]]:
	"""Ask each source about its entries, and yield (entries, answer) of each source.

	entries: tuples that begin with a Rule. ask: is given a source and the entries of its rules. Where it raises, the
	rules that raise by themselves go into `faults`, and the source is asked about the others. by, words: where it is not their sources
	that are asked, who is asked about which entries, and what is said of what is raised.
	"""
	for source, of_source in (by or _by_source)(entries, faults):
		try:
			with compat.no_message_of_errors():
				answer = ask(source, of_source)
		except INTERRUPTIONS:
			raise
		except Exception as e:
			of_source = _apart(lambda some, source=source: ask(source, some), of_source, faults, e, words)
			answer = ask(source, of_source) if of_source else None
		if of_source:
			yield of_source, answer


def stream(windows: list[tuple[Rule, Window]], faults: Faults) -> Iterator[list[DueEvent]]:
	"""Yield the due events of the rules' windows as the sources' `due` does.

	A rule that raises goes into `faults`, and so ends; what was yielded of it stands. The others are taken up by
	themselves where they were: a source gives a rule's events in the same order, whatever other rules it is asked of.
	"""
	for source, of_source in _by_source(windows, faults):
		given = Counter()
		try:
			for events in source.due(of_source):
				given.update(event.rule.trigger.name for event in events)
				yield events
		except INTERRUPTIONS:
			raise
		except Exception as e:
			_connected()
			if len(of_source) == 1:
				_note(of_source[0][0], e, faults)
				continue
			for rule, window in of_source:
				yield from _rest(source, rule, window, given[rule.trigger.name], faults)


def _rest(source, rule: Rule, window: Window, given: int, faults: Faults) -> Iterator[list[DueEvent]]:
	"""Yield the events of one rule without the first so many."""
	try:
		for events in source.due([(rule, window)]):
			yield events[given:]
			given = max(given - len(events), 0)
	except INTERRUPTIONS:
		raise
	except Exception as e:
		_connected()
		_note(rule, e, faults)


def _by_source(entries: Iterable[tuple], faults: Faults) -> list[tuple[Source, list[tuple]]]:
	"""Return each source with its entries; rules that no app serves go into `faults`."""
	by_key = defaultdict(list)
	for entry in entries:
		by_key[entry[0].trigger.source].append(entry)
	return with_plugins(lambda key: source_for(by_key[key][0][0].trigger), by_key, faults)


def with_plugins(
	plugin_for: Callable, by_key: dict[str, list[tuple]], faults: Faults
) -> list[tuple[object, list[tuple]]]:
	"""Return what `plugin_for` has for each key with the key's entries; the rules of a key that it refuses go into `faults`."""
	found = []
	for key, entries in by_key.items():
		try:
			with compat.no_message_of_errors():
				plugin = plugin_for(key)
		except Exception as e:
			for entry in entries:
				_note(entry[0], e, faults)
		else:
			found.append((plugin, entries))
	return found


def _apart(
	work: Callable, entries: list[tuple], faults: Faults, error: Exception, words: Callable | None
) -> list[tuple]:
	"""Return the entries of the rules for which `work` does not raise; the others go into `faults`.

	Raises `error` again if none of them raises by itself.
	"""
	_connected()
	by_rule = defaultdict(list)
	for entry in entries:
		by_rule[entry[0].trigger.name].append(entry)
	broken = set()
	for trigger, of_rule in by_rule.items():
		try:
			with compat.no_message_of_errors():
				work(of_rule)
		except INTERRUPTIONS:
			raise
		except Exception as e:
			_note(of_rule[0][0], e, faults, words)
			broken.add(trigger)
	if not broken:
		raise error
	return [entry for entry in entries if entry[0].trigger.name not in broken]


def _note(rule: Rule, error: Exception, faults: Faults, words: Callable | None = None) -> None:
	trace = None if isinstance(error, frappe.ValidationError) else "".join(traceback.format_exception(error))
	faults.add(rule, words(rule, error) if words else _words(error), trace=trace)


def _words(error: Exception) -> str:
	text = _said(error)
	if isinstance(error, frappe.ValidationError) and text:
		return text
	return _("It cannot be worked out ({0}). Correct the trigger, or switch it off.").format(named(error))


def named(error: Exception) -> str:
	"""Return what kind of error this is, and what it says."""
	text = _said(error)
	return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _said(error: Exception) -> str:
	return frappe.utils.strip_html(str(error)).strip()


def _connected() -> None:
	"""Raise when it is the database that is gone: then no rule is to blame."""
	frappe.db.sql("select 1")
