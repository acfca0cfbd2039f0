"""Warm-up: a domain that has not sent before sends few mails a day at first, then more. Settings in, today's room out.

Mailbox providers trust no domain of which they know nothing. What is counted are the mails that were handed over on a day, also
those that were taken back or refused: a provider has counted them, too. The count stands in the settings, whose rows whoever
hands over locks, so two workers never take the same room.
"""

from datetime import date
from typing import NamedTuple

import frappe
from frappe.utils import cint, getdate

from marketing_automation.engine import settings
from marketing_automation.engine.settings import SETTINGS

EMAIL = "Send Email"


class Plan(NamedTuple):
	"""So many mails on the first day, so many percent more on each day after it, until a day may have `most`.

	domain: whose mails are counted; empty for all.
	"""

	domain: str
	start: date
	first: int
	growth: int
	most: int


def plan() -> Plan | None:
	"""Return the plan of the settings, None where there is none. 1 query."""
	return _plan(settings.stored())


def _plan(kept: dict) -> Plan | None:
	if not kept.get("warmup_start"):
		return None
	return Plan(
		(kept.get("warmup_domain") or "").strip().lower(),
		getdate(kept["warmup_start"]),
		max(cint(kept.get("warmup_first")), 1),
		max(cint(kept.get("warmup_growth")), 0),
		cint(kept.get("warmup_most")),
	)


def allowed(plan: Plan, day: date) -> int | None:
	"""Return how many mails may leave on a day; None for any number, when the plan is over. Nothing before it begins.

	>>> from datetime import timedelta
	>>> plan = Plan("", date(2028, 2, 28), 50, 50, 200)
	>>> [allowed(plan, date(2028, 2, 27) + timedelta(days=days)) for days in range(6)]
	[0, 50, 75, 112, 168, None]
	"""
	if day < plan.start:
		return 0
	number = float(plan.first)
	for _day in range((day - plan.start).days if plan.growth else 0):
		if number >= plan.most:
			return None
		number *= 1 + plan.growth / 100
	return None if number >= plan.most else int(number)


def is_of(plan: Plan, domain: str | None) -> bool:
	"""Say whether the plan counts the mails of a sender's domain."""
	return not plan.domain or plan.domain == (domain or "").lower()


def room(plan: Plan, day: date, for_update: bool = False) -> int | None:
	"""Return how many more mails may leave on a day, None for any number. At most 1 query.

	for_update: lock the settings until the caller commits, and read what others have committed meanwhile.
	"""
	most = allowed(plan, day)
	if most is None:
		return None
	if not most:
		return 0
	kept = frappe.db.get_singles_dict(SETTINGS, for_update=True) if for_update else settings.stored()
	return max(most - _counted(kept, day), 0)


def lock() -> None:
	"""Lock the settings until the caller commits. 1 query."""
	frappe.db.get_singles_dict(SETTINGS, for_update=True)


def take(domains: list[str], day: date) -> None:
	"""Write down that mails of these senders' domains are handed over. 1 query, or 3 while there is a plan. The caller commits."""
	of_site = plan()
	if not of_site or allowed(of_site, day) is None:
		return
	if number := sum(is_of(of_site, domain) for domain in domains):
		counted = _counted(frappe.db.get_singles_dict(SETTINGS, for_update=True), day)
		frappe.db.set_single_value(
			SETTINGS, "warmup_counted", frappe.as_json({str(day): counted + number}), update_modified=False
		)


def _counted(kept: dict, day: date) -> int:
	return cint(frappe.parse_json(kept.get("warmup_counted") or "{}").get(str(day)))
