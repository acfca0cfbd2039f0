"""Sources of due events: what a trigger can be about. One object each, named in the hook `lifecycle_sources` by its key,
which is what `source` of a Lifecycle Trigger holds: `{"Serial No": "marketing_automation.sources.serial_no.SOURCE"}`.

An app adds a source by a line in its hooks and an object that keeps `Source`.
"""

import functools
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple, Protocol

import frappe
from frappe import _

from marketing_automation import erpnext_schema
from marketing_automation.engine.model import DueEvent, Rule
from marketing_automation.engine.schedule import AFTER, BEFORE, ON, Window
from marketing_automation.engine.visibility import SHOWN, Visibility, may_read_all

# What every template has, whatever its message is about; a source has no variable of these names.
COMMON = ("customer_name", "customer", "company", "campaign", "items", "pins", "days_left", "days_since")


class Variable(NamedTuple):
	"""What a template can say of an item. kind: text, date or number. example: for dates one is made up."""

	name: str
	label: str
	example: str | int | None = None
	kind: str = "text"


class Source(Protocol):
	"""What the engine asks of a source. It reads, and writes nothing."""

	def is_there(self) -> bool:
		"""Say whether this site has what the source reads. One that is not there is not offered."""
		return True

	def title(self) -> str:
		"""Return what a marketer calls it, such as "When a quotation runs out"."""
		return self.__class__.__name__

	def timing(self, trigger) -> dict[str, str]:
		"""Return the words of Before, On and After."""
		return {
			BEFORE: _("Before", context="Lifecycle Trigger"),
			ON: _("On", context="Lifecycle Trigger"),
			AFTER: _("After", context="Lifecycle Trigger"),
		}

	def offers(self, trigger=None) -> dict:
		"""Return what the trigger's form offers to choose from, for the session's user.

		doctype: of the references, on which filters are chosen, or None. timing: as above. date_fields and
		customer_fields: [{"value", "label"}], empty where nothing is chosen. yearly: whether a date can come each year
		again. has_item: whether an item group means something.
		"""
		return {
			"doctype": None,
			"timing": self.timing(trigger),
			"date_fields": [],
			"customer_fields": [],
			"yearly": False,
			"has_item": False,
		}

	def unreadable(self, fields: set[str], trigger=None) -> set[str]:
		"""Return those of the fields of the references that the session's user may not read."""
		return set()

	def parse_filters(self, trigger) -> list[list]:
		"""Return the trigger's filters as a list of [doctype, field, operator, value]; raises ValueError for anything else."""
		return []

	def reference_doctype(self, trigger) -> str | None:
		"""Return the DocType of what a trigger's messages are about."""
		return None

	def reference_doctypes(self) -> list[str]:
		"""Return the DocTypes of all that messages of this source can be about, whatever the trigger."""
		return []

	def owned_by(self, trigger, customer: str, visible: Visibility, most: int) -> list[str]:
		"""Return the names of the references that are a customer's, at most so many."""
		return []

	def look_up(self, trigger, name: str) -> list[DueEvent]:
		"""Return what a reference is, whether a rule takes it or not: events without rule and night, one for each customer
		that has a share in it; none when there is no such reference."""
		return []

	def describe(self, trigger) -> list[Variable]:
		"""Return the variables that templates have of each item, besides COMMON."""
		return []

	def values(self, events: list[DueEvent]) -> list[dict]:
		"""Return the values of those variables for each event, in the same order. A fixed number of queries."""
		return [{"date": event.occurrence} for event in events]

	def wanted(self, rule: Rule) -> str:
		"""Say in words which references a rule takes."""
		return ""

	def is_sale(self, event: DueEvent) -> bool:
		"""Say whether what an event is about shows by itself that its customer has bought something and has it still, or has a
		contract that runs. No query. Default: it does not, and a sale is looked for."""
		return False

	def sold_on(self, events: list[DueEvent]) -> list[date | None]:
		"""Return when its customer has bought what each event is about, in the same order; None where nobody knows.

		Asked of what `is_sale`: laws say how old a sale may be. A fixed number of queries.
		Default: on the occurrence, as for a contract that runs until then."""
		return [event.occurrence for event in events]

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


def is_shown(doctype: str | None, user: str | None = None) -> bool:
	"""Say whether a user, or the session's, may see what is of a DocType: of those that a source is always about every
	marketer, of any other whoever may read all of it; of one that is gone Administrator alone. No query."""
	if any(doctype in source.reference_doctypes() for source in all_sources().values()):
		return True
	return (user or frappe.session.user) == "Administrator" or (
		erpnext_schema.has(doctype) and may_read_all(doctype, user)
	)


def chosen_doctypes() -> list[str]:
	"""Return the DocTypes of the site's own, chosen in triggers, that the session's user may see. 1 query."""
	fixed = {doctype for source in all_sources().values() for doctype in source.reference_doctypes()}
	return [doctype for doctype in _chosen() if doctype not in fixed and is_shown(doctype)]


def hidden_doctypes(user: str | None = None) -> list[str]:
	"""Return the DocTypes that triggers are about and that a user, or the session's, may not see. 1 query."""
	if (user or frappe.session.user) == "Administrator":
		return []
	return [doctype for doctype in _chosen() if not is_shown(doctype, user)]


def _chosen() -> list[str]:
	return frappe.get_all(
		"Lifecycle Trigger",
		filters={"reference_doctype": ["is", "set"]},
		pluck="reference_doctype",
		distinct=True,
		order_by="reference_doctype asc",
	)


def may_see_message(visible: Visibility, row, user: str | None = None) -> bool:
	"""Say whether a user, or the session's, may see a row of the ledger (document or dict) by what it is about. No query."""
	return not row.reference_doctype or (
		is_shown(row.reference_doctype, user)
		and visible.about(row.reference_doctype).sees(
			company=row.company, customer=row.customer, item_code=row.item_code
		)
	)


def hide_evidence(rows: list[dict]) -> None:
	"""Take the name of the document that shows why out of rows (`evidence_doctype`, `evidence_name`) where the session's user
	may not see what is of its DocType. No query."""
	shown = functools.lru_cache(is_shown)
	for row in rows:
		if row["evidence_doctype"] and not shown(row["evidence_doctype"]):
			row["evidence_name"] = None


def source_for(trigger) -> Source:
	"""Return the source of a trigger (document, or its fields); throws when no installed app has it."""
	paths = _served().get(trigger.get("source"))
	if not paths:
		frappe.throw(
			_("No installed app knows what {0} is. Install the app again, or choose something else.").format(
				frappe.bold(frappe.utils.escape_html(_(trigger.get("source") or "")))
			),
			title=_("Unknown Source"),
		)
	return frappe.get_attr(paths[-1])


def of_writers(campaigns: list[str], user: str | None = None, *more: str | None) -> Visibility:
	"""Return what binds a user who has campaigns write to customers: also what binds them in one of the DocTypes that the
	messages are about. more: further ones of these. At most 1 query."""
	visible = Visibility(user)
	if not visible.alone:
		return visible
	return Visibility(user, (*SHOWN, *sorted(_doctypes_of(campaigns) | {*more} - {None, ""})))


def _doctypes_of(campaigns: list[str]) -> set[str]:
	"""Return the DocTypes that the messages of campaigns are about, by their triggers; without those whose source no app has.
	1 query."""
	sources = all_sources()
	triggers = frappe.get_all(
		"Lifecycle Trigger",
		filters={"campaign": ["in", campaigns]},
		fields=["source", "reference_doctype"],
		distinct=True,
		order_by="source asc",
	)
	found = {
		sources[trigger.source].reference_doctype(trigger)
		for trigger in triggers
		if trigger.source in sources
	}
	return found - {None, ""}


def _served() -> dict[str, list[str]]:
	return frappe.get_hooks("lifecycle_sources", {})
