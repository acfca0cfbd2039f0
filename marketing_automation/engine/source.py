"""Sources of due events. One module each, named in the hook `lifecycle_sources` (of this app or any other).

A source module has:

- `TRIGGER_TYPES`: the trigger types (Lifecycle Trigger.trigger_type) that it serves.
- `validate(trigger)` throws a translated error when a trigger (document, or its fields as `rules.load` reads them) cannot
  work. Asked whenever it is saved, and again before each run, for what it stands on may have gone.
- `due(windows)` takes [(Rule, Window)], yields lists of DueEvent, a few thousand at a time; reads only. The events of a
  rule come in the same order whatever other rules it is asked of: of rules together, if that raises one by one.
- `current(claimed)` takes [(Rule, ledger row)], returns in the same order what each would be today (DueEvent, or None
  when it is gone; `left_out` when the trigger takes it no longer), so that a message is checked again before it goes out.
- `counts(windows, visible)` takes [(Rule, Window)] and a Visibility, returns {(trigger, night): how many are due}, so that
  a forecast of months is a few queries.
- `about(rules, names)` takes rules and the names of a few references, returns all their DueEvents, past and to come.
- `night(rule, occurrence)` returns the date on which a rule's message about an occurrence is due, or None if there is no
  such date.
- `example(rule, visible)` returns the name of one reference that the rule takes, to show a message with, or None.
"""

from types import ModuleType

import frappe
from frappe import _


def all_sources() -> list[ModuleType]:
	"""Return the source modules of every installed app, in the order of the apps."""
	return [frappe.get_module(path) for path in frappe.get_hooks("lifecycle_sources")]


def source_for(trigger_type: str) -> ModuleType:
	"""Return the source that serves a trigger type; throws when no installed app has one."""
	for source in all_sources():
		if trigger_type in source.TRIGGER_TYPES:
			return source
	frappe.throw(
		_(
			"No installed app serves the trigger type {0}. Install the app again, or choose another trigger type."
		).format(frappe.bold(frappe.utils.escape_html(_(trigger_type)))),
		title=_("Unknown Trigger Type"),
	)
