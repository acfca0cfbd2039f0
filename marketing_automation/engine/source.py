"""Sources of due events: what a trigger can be about. One object each, named in the hook `lifecycle_sources` by its key,
which is what `source` of a Lifecycle Trigger holds: `{"Serial No": "marketing_automation.sources.serial_no.SOURCE"}`.

An app adds a source by a line in its hooks and an object that keeps `Source`.
"""

from collections.abc import Iterator
from datetime import date
from typing import Protocol

import frappe
from frappe import _

from marketing_automation.engine.model import DueEvent, Rule
from marketing_automation.engine.schedule import Window
from marketing_automation.engine.visibility import Visibility


class Source(Protocol):
	"""What the engine asks of a source. It reads, and writes nothing."""

	def validate(self, trigger) -> None:
		"""Throw a translated error when a trigger (document, or its fields as `rules.load` reads them) cannot work.

		Asked whenever it is saved, and again before each run, for what it stands on may have gone.
		"""

	def due(self, windows: list[tuple[Rule, Window]]) -> Iterator[list[DueEvent]]:
		"""Yield the due events of the rules' windows, a few thousand at a time.

		The events of a rule come in the same order whatever other rules it is asked of: of rules together, if that
		raises one by one.
		"""

	def current(self, claimed: list[tuple[Rule, dict]]) -> list[DueEvent | None]:
		"""Return in the same order what each (rule, ledger row) would be today, so that a message is checked again
		before it goes out: None when it is gone; `left_out` when the trigger takes it no longer."""

	def counts(self, windows: list[tuple[Rule, Window]], visible: Visibility) -> dict[tuple[str, date], int]:
		"""Return {(trigger, night): how many are due}, so that a forecast of months is a few queries."""

	def about(self, rules: list[Rule], names: list[str]) -> list[DueEvent]:
		"""Return all events, past and to come, of a few references by their names."""

	def owners(self, events: list[DueEvent]) -> list[tuple[str | None, str | None]]:
		"""Return (customer, reason) for each event, in the same order; one of the two is None. A fixed number of queries."""

	def night(self, rule: Rule, occurrence: date) -> date | None:
		"""Return the date on which a rule's message about an occurrence is due, or None if there is no such date."""

	def example(self, rule: Rule, visible: Visibility) -> str | None:
		"""Return the name of one reference that the rule takes, to show a message with, or None."""


def all_sources() -> dict[str, Source]:
	"""Return the sources of all installed apps, {key: source}, in the order of the apps."""
	return {key: frappe.get_attr(paths[-1]) for key, paths in _served().items()}


def source_for(trigger) -> Source:
	"""Return the source of a trigger (document, or its fields); throws when no installed app has it."""
	paths = _served().get(trigger.get("source"))
	if not paths:
		frappe.throw(
			_("No installed app knows what {0} is. Install the app again, or choose something else.").format(
				frappe.bold(frappe.utils.escape_html(_(trigger.get("source") or _("nothing"))))
			),
			title=_("Unknown Source"),
		)
	return frappe.get_attr(paths[-1])


def _served() -> dict[str, list[str]]:
	return frappe.get_hooks("lifecycle_sources", {})
