"""How long the ledger remembers: long enough that nobody gets a message twice, and no longer than Log Settings say."""

from datetime import date, timedelta

import frappe
from frappe.utils import getdate

from marketing_automation.engine import ledger, plan, rules, schedule
from marketing_automation.engine.model import Rule
from marketing_automation.engine.settings import SETTINGS, day
from marketing_automation.engine.source import source_for


def clear(days: int) -> None:
	"""Delete rows that are older than `days` and can never again keep anybody from getting a message twice. Commits.

	What can go: rows of campaigns that send once per expiry, whose expiry and whose night are that long ago, and
	earlier than any night that the next run takes. A trigger cannot be turned to such old dates afterwards
	(`is_forgotten`), and what a campaign missed while it was off is not made up for.
	"""
	today = getdate()
	until = schedule.shifted(today, -days)
	if not until:
		return
	for _rule, window in plan.windows_for_run(rules.load(), today):
		until = min(until, window.first)
	known = cleared_until()
	# Written down first: interrupted, it has forgotten less than it says.
	if not known or known < until:
		frappe.db.set_single_value(SETTINGS, "cleared_until", until)
		frappe.db.commit()
	ledger.clear(until)


def cleared_until() -> date | None:
	"""Return the day from which on the ledger is complete, or None when nothing was ever cleared."""
	return day("cleared_until")


def is_forgotten(trigger) -> bool:
	"""Say whether a trigger (document) still meets dates of which the ledger may have been cleared.

	Its own source is asked. 1 query, and that of the campaign where it is not cached.
	"""
	until = cleared_until()
	if not until:
		return False
	campaign = frappe.get_cached_doc("Lifecycle Campaign", trigger.campaign)
	rule = Rule(campaign.as_dict(), trigger.as_dict(), ())
	night = source_for(trigger).night(rule, until - timedelta(days=1))
	return bool(night and night >= getdate())
