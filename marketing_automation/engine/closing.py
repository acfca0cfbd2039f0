"""What became of what was handed over: Queued rows in, Completed or Failed out, as their channels say.

Each channel by itself: one that raises is logged, and stops no other.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import frappe
from frappe.utils import now_datetime

from marketing_automation.engine import ledger, suppression, withdrawal
from marketing_automation.engine.channel import action_types, by_channel, by_itself
from marketing_automation.engine.model import QUEUED
from marketing_automation.engine.settings import limit
from marketing_automation.engine.transaction import apart

PAGE_SIZE = 1000


def next_attempt(attempts: int, now: datetime, after: int | None = None) -> datetime | None:
	"""Return when a message that has failed temporarily for the `attempts`-th time is tried again, or None.

	After the settings' delay, then twice as long, four times, and so on, until its attempts are used up. after: the
	seconds that whoever refused it has asked us to wait, if that is longer.
	"""
	if attempts >= limit("max_attempts"):
		return None
	delay = timedelta(minutes=limit("retry_after_minutes") * 2 ** max(attempts - 1, 0))
	return now + max(delay, timedelta(seconds=after or 0))


def close_all() -> tuple[set[str], set[str]]:
	"""Close what has ended on every channel, and take back what a sender that has died has left behind.

	Return the runs of those rows, and the names of those that are Pending again: somebody has to deliver them anew.
	Commits. A fixed number of queries for each PAGE_SIZE rows of a channel.
	"""
	runs, left_behind = set(), set()
	for action_type in action_types():
		with by_itself(action_type):
			for ended, left in _pages({"channel": action_type}, takes_back=True):
				runs |= set(ended.values()) | set(left.values())
				left_behind |= set(left)
	return runs, left_behind


def close(action_type: str, handles: list[str]) -> set[str]:
	"""Close what has ended of these messages of a channel; return the runs of their rows. Commits. Queries as `close_all`."""
	runs = set()
	for ended, _left in _pages({"channel": action_type, "handle": ["in", handles]}, takes_back=False):
		runs |= set(ended.values())
	return runs


def _pages(filters: dict, takes_back: bool) -> Iterator[tuple[dict, dict]]:
	"""Yield ({row: run} of what has ended, the same of what is Pending again) of the Queued rows that match."""
	last = ""
	while True:
		names = frappe.get_all(
			ledger.DOCTYPE,
			filters={"status": QUEUED, "name": [">", last], **filters},
			fields=["name"],
			order_by="name asc",
			limit_page_length=PAGE_SIZE,
		)
		yield from apart(_close, names, takes_back) if names else ()
		if len(names) < PAGE_SIZE:
			return
		last = names[-1].name


def _close(found: list[dict], takes_back: bool) -> tuple[dict[str, str], dict[str, str]]:
	# Read here: each attempt at a transaction sees rows and messages as they are at the same moment.
	rows = frappe.get_all(
		ledger.DOCTYPE,
		filters={"status": QUEUED, "name": ["in", [row.name for row in found]]},
		fields=[*withdrawal.FIELDS, "error", "recipient", "message_key"],
		order_by="name asc",
	)
	changes, findings = {}, {}
	for channel, of_channel in by_channel(rows):
		changes |= channel.outcomes(of_channel)
	for row in rows:
		if row.name in changes:
			after = changes[row.name].pop("retry_after", None)
			if changes[row.name].pop("temporary", False):
				changes[row.name]["next_attempt_at"] = next_attempt(row.attempts, now_datetime(), after)
			finding = changes[row.name].pop("finding", None)
			# What is tried again may yet be taken, as by a server that lets strangers wait at first.
			if finding and not changes[row.name].get("next_attempt_at"):
				findings[row.name] = finding
	# In this transaction: what is closed once is counted once.
	for name, entry in zip(findings, suppression.record(list(findings.values())), strict=True):
		if entry:
			changes[name] |= dict(zip(ledger.EVIDENCE, (suppression.DOCTYPE, entry), strict=True))
	ledger.update(changes, was=QUEUED)
	left = withdrawal.left_behind([row for row in rows if row.name not in changes]) if takes_back else {}
	return {row.name: row.run for row in rows if row.name in changes}, left
