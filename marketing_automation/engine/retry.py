"""Once more: rows that failed or were skipped become Pending again, and delivery looks at them anew.

By itself what failed temporarily, after growing delays; by hand whatever somebody asks for.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

import frappe
from frappe.utils import create_batch, getdate, now_datetime

from marketing_automation.engine import deliver, ledger
from marketing_automation.engine.model import CANCELLED, FAILED, PENDING, SKIPPED, WAITING, Reason
from marketing_automation.engine.settings import limit
from marketing_automation.engine.transaction import apart, committed

LIMIT_REACHED = "Attempts used up"
PAGE_SIZE = 1000


def retry(names: Iterable[str]) -> Counter:
	"""Try Failed rows again; return {"Pending": how many, or why the others were left as they are: how many}.

	Where a campaign combines, the whole message that has failed: see `_rows`. What belongs to a paused campaign waits for
	it.
	"""
	names, result, runs = sorted(names), Counter(), set()
	for some in create_batch(names, PAGE_SIZE):
		of_some, touched = _retry(some)
		result += of_some
		runs |= touched
	committed(ledger.refresh_runs, runs)
	return result


def _retry(names: Iterable[str]) -> tuple[Counter, set[str]]:
	"""As `retry`, for PAGE_SIZE rows or a few more; return the runs of the rows, too."""
	rows = _rows(names, [FAILED])
	attempts, active = limit("max_attempts"), set(_active_campaigns())
	left = {
		row.name: Reason.CAMPAIGN_INACTIVE if row.campaign not in active else LIMIT_REACHED
		for row in rows
		if row.campaign not in active or row.attempts >= attempts
	}
	result, runs = _reopen([row for row in rows if row.name not in left])
	return +(result + Counter(left.values())), runs


def _longest_delay() -> timedelta:
	return timedelta(minutes=limit("retry_after_minutes") * 2 ** limit("max_attempts"))


def retry_due() -> None:
	"""Try again what failed temporarily and whose time has come, PAGE_SIZE rows at a time.

	So has that of what should wait longer than anything does: a clock that was ahead has written it.
	"""
	now, last, runs = now_datetime(), "", set()
	while names := frappe.get_all(
		ledger.DOCTYPE,
		# Older versions of get_all take an empty date for a very early one.
		filters=[
			[ledger.DOCTYPE, "status", "=", FAILED],
			[ledger.DOCTYPE, "campaign", "in", _active_campaigns()],
			[ledger.DOCTYPE, "next_attempt_at", "is", "set"],
			[ledger.DOCTYPE, "name", ">", last],
		],
		or_filters=[
			[ledger.DOCTYPE, "next_attempt_at", "<=", now],
			[ledger.DOCTYPE, "next_attempt_at", ">", now + _longest_delay()],
		],
		pluck="name",
		order_by="name asc",
		limit_page_length=PAGE_SIZE,
	):
		_result, of_page = _retry(names)
		runs |= of_page
		last = names[-1]
	committed(ledger.refresh_runs, runs)


def _active_campaigns() -> list[str]:
	return frappe.get_all("Lifecycle Campaign", filters={"is_active": 1}, pluck="name", order_by="name asc")


def send_skipped(names: Iterable[str]) -> Counter:
	"""Send Skipped and Cancelled rows whose reason is gone, to whoever owns the product now; returns as `retry`."""
	result, runs = Counter(), set()
	for some in create_batch(sorted(names), PAGE_SIZE):
		rows, able = _rows(some, [SKIPPED, CANCELLED]), []
		for row, (status, reason, customer) in zip(rows, deliver.judge(rows, getdate()), strict=True):
			if status in (PENDING, WAITING):
				able.append(frappe._dict(row, customer=customer))
			else:
				result[reason] += 1
		reopened, touched = _reopen(able)
		result += reopened
		runs |= touched
	committed(ledger.refresh_runs, runs)
	return +result


def _rows(names: Iterable[str], statuses: list[str]) -> list[dict]:
	"""Return those of the rows that have one of these statuses, with what belongs into one message with them. 3 queries.

	That is, in campaigns that combine: what was in the same mail, or was kept from being in one by the same reason.
	"""
	chosen = _read({"name": ["in", list(names)], "status": ["in", statuses]})
	combining = set(
		frappe.get_all(
			"Lifecycle Campaign",
			filters={"name": ["in", list({row.campaign for row in chosen})], "combine_messages": 1},
			pluck="name",
			order_by="name asc",
		)
	)
	parts = [row for row in chosen if row.campaign in combining and row.customer]
	if not parts:
		return chosen
	rows = {row.name: row for row in chosen}
	messages = {_message(row) for row in parts}
	candidates = {
		"action": ["in", list({row.action for row in parts})],
		"customer": ["in", list({row.customer for row in parts})],
		"status": ["in", statuses],
	}
	rows |= {row.name: row for row in _read(candidates) if _message(row) in messages}
	return [rows[name] for name in sorted(rows)]


def _message(row: dict) -> tuple:
	return row.action, row.customer, row.status, row.reason, row.handle or row.run


def _read(filters: dict) -> list[dict]:
	return frappe.get_all(ledger.DOCTYPE, filters=filters, fields=list(ledger.FIELDS), order_by="name asc")


def _reopen(rows: list[dict]) -> tuple[Counter, set[str]]:
	"""Make rows Pending and have them delivered; return how many are and are not, and the runs of those that are."""
	reopened = set()
	for first in range(0, len(rows), PAGE_SIZE):
		for some in apart(ledger.reopen, rows[first : first + PAGE_SIZE]):
			reopened |= some
	# Their customers have got the message meanwhile.
	if lost := [row.name for row in rows if row.name not in reopened and row.next_attempt_at]:
		committed(ledger.give_up, lost)
	deliver.enqueue(ledger.pending({"name": ["in", list(reopened)]}))
	result = Counter({PENDING: len(reopened), Reason.ALREADY_SENT: len(rows) - len(reopened)})
	return result, {row.run for row in rows if row.name in reopened}
