"""Once more: rows that failed or were skipped become Pending again, and delivery looks at them anew.

By itself what failed temporarily, after growing delays; by hand whatever somebody asks for.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

import frappe
from frappe.utils import getdate, now_datetime

from marketing_automation.engine import deliver, ledger
from marketing_automation.engine.model import CANCELLED, FAILED, PENDING, SKIPPED, Reason
from marketing_automation.engine.settings import limit
from marketing_automation.engine.transaction import apart, committed

LIMIT_REACHED = "Attempts used up"
PAGE_SIZE = 1000


def next_attempt(attempts: int, now: datetime) -> datetime | None:
	"""Return when a message that has failed temporarily for the `attempts`-th time is tried again, or None.

	After the settings' delay, then twice as long, four times, and so on, until its attempts are used up.
	"""
	if attempts >= limit("max_attempts"):
		return None
	return now + timedelta(minutes=limit("retry_after_minutes") * 2 ** max(attempts - 1, 0))


def retry(names: Iterable[str]) -> Counter:
	"""Try Failed rows again; return {"Pending": how many, or why the others were left as they are: how many}.

	What belongs to a paused campaign waits for it.
	"""
	rows = _rows(names, [FAILED])
	attempts, active = limit("max_attempts"), set(_active_campaigns())
	left = {
		row.name: Reason.CAMPAIGN_INACTIVE if row.campaign not in active else LIMIT_REACHED
		for row in rows
		if row.campaign not in active or row.attempts >= attempts
	}
	return +(_reopen([row for row in rows if row.name not in left]) + Counter(left.values()))


def retry_due() -> None:
	"""Try again what failed temporarily and whose time has come."""
	# Older versions of get_all take an empty date for a very early one.
	retry(
		frappe.get_all(
			ledger.DOCTYPE,
			filters=[
				[ledger.DOCTYPE, "status", "=", FAILED],
				[ledger.DOCTYPE, "campaign", "in", _active_campaigns()],
				[ledger.DOCTYPE, "next_attempt_at", "is", "set"],
				[ledger.DOCTYPE, "next_attempt_at", "<=", now_datetime()],
			],
			pluck="name",
			order_by="name asc",
		)
	)


def _active_campaigns() -> list[str]:
	return frappe.get_all("Lifecycle Campaign", filters={"is_active": 1}, pluck="name", order_by="name asc")


def send_skipped(names: Iterable[str]) -> Counter:
	"""Send Skipped and Cancelled rows whose reason is gone, to whoever owns the product now; returns as `retry`."""
	rows = _rows(names, [SKIPPED, CANCELLED])
	able, result = [], Counter()
	for row, (status, reason, customer) in zip(rows, deliver.judge(rows, getdate()), strict=True):
		if status == PENDING:
			able.append(frappe._dict(row, customer=customer))
		else:
			result[reason] += 1
	return +(result + _reopen(able))


def _rows(names: Iterable[str], statuses: list[str]) -> list[dict]:
	return frappe.get_all(
		ledger.DOCTYPE,
		filters={"name": ["in", list(names)], "status": ["in", statuses]},
		fields=["*"],
		order_by="name asc",
	)


def _reopen(rows: list[dict]) -> Counter:
	reopened = set()
	for first in range(0, len(rows), PAGE_SIZE):
		for some in apart(ledger.reopen, rows[first : first + PAGE_SIZE]):
			reopened |= some
	# Their customers have been told meanwhile.
	if lost := [row.name for row in rows if row.name not in reopened and row.next_attempt_at]:
		committed(ledger.give_up, lost)
	deliver.enqueue(ledger.pending({"name": ["in", list(reopened)]}))
	committed(ledger.refresh_runs, {row.run for row in rows if row.name in reopened})
	return Counter({PENDING: len(reopened), Reason.ALREADY_TOLD: len(rows) - len(reopened)})
