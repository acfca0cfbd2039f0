"""What was handed over and has not left is taken back: from a paused campaign, and from a sender that has died.

The message and its ledger rows go in one transaction. Of a paused campaign, Queued becomes Cancelled, and can be sent by
hand once it is on again; else Queued becomes Pending, and delivery looks at the world anew. What may be leaving at
this moment stays, and ends as it ends.
"""

from collections.abc import Iterator

import frappe

from marketing_automation.engine import ledger
from marketing_automation.engine.channel import action_types, by_channel, by_itself
from marketing_automation.engine.model import CANCELLED, PENDING, QUEUED, Reason
from marketing_automation.engine.transaction import apart, committed

PAGE_SIZE = 1000
FIELDS = ["name", "action", "channel", "handle", "run", "attempts", "message_key"]


def enqueue() -> None:
	"""Have a background job take back what was just paused, when that is committed; `settle` does it in any case."""
	frappe.enqueue(take_back, queue="short", enqueue_after_commit=True)


def take_back() -> None:
	"""Take back what inactive campaigns have Queued. The entry point of the background job."""
	committed(ledger.refresh_runs, withdraw_paused())


def withdraw_paused() -> set[str]:
	"""Take back what inactive campaigns have Queued; return the runs of the rows. Commits.

	Each channel by itself. 2 queries, and a fixed number more for each PAGE_SIZE rows of one.
	"""
	runs, actions = set(), _actions_of_inactive_campaigns()
	if actions:
		for action_type in action_types():
			with by_itself(action_type):
				for touched in _withdrawn(action_type, actions):
					runs |= touched
	return runs


def _withdrawn(action_type: str, actions: list[str]) -> Iterator[set[str]]:
	"""Take back what a channel has Queued of these actions; yield the runs of the rows."""
	last = ""
	while True:
		rows = frappe.get_all(
			ledger.DOCTYPE,
			filters={
				**{"status": QUEUED, "channel": action_type},
				**{"action": ["in", actions], "name": [">", last]},
			},
			fields=FIELDS,
			order_by="name asc",
			limit_page_length=PAGE_SIZE,
		)
		yield from apart(_withdraw, rows) if rows else ()
		if len(rows) < PAGE_SIZE:
			return
		last = rows[-1].name


def _actions_of_inactive_campaigns() -> list[str]:
	"""Return their names. 2 queries."""
	inactive = frappe.get_all(
		"Lifecycle Campaign", filters={"is_active": 0}, pluck="name", order_by="name asc"
	)
	return frappe.get_all(
		"Lifecycle Action", filters={"campaign": ["in", inactive]}, pluck="name", order_by="name asc"
	)


def _withdraw(rows: list[dict]) -> set[str]:
	withdrawn = take_out(rows)
	ledger.update(
		{
			row.name: {"status": CANCELLED, "reason": Reason.CAMPAIGN_INACTIVE, "handle": row.handle}
			for row in withdrawn
		},
		was=QUEUED,
	)
	return {row.run for row in withdrawn}


def left_behind(rows: list[dict]) -> dict[str, str]:
	"""Make those of the Queued rows (with FIELDS) Pending again that nobody is about to send; return {name: run}.

	Such a handing over was no attempt. The caller commits.
	"""
	return _pending_again(take_out(rows, only_left_behind=True))


def back(rows: list[dict]) -> dict[str, str]:
	"""Make those of the Queued rows (with FIELDS) Pending again that have not begun to leave; return {name: run}.

	For those of people who want no more: delivery judges them anew. The caller commits.
	"""
	return _pending_again(take_out(rows))


def _pending_again(withdrawn: list[dict]) -> dict[str, str]:
	ledger.update(
		{
			row.name: {"status": PENDING, "handle": row.handle, "attempts": max(row.attempts - 1, 0)}
			for row in withdrawn
		},
		was=QUEUED,
	)
	return {row.name: row.run for row in withdrawn}


def take_out(found: list[dict], **options) -> list[dict]:
	"""Have the channels remove the messages of these Queued rows; return those whose message is gone, and the others
	that shared it. 1 query, and those of the channels.

	Their `handle` is None then, but for those of whom an earlier attempt may have been taken: the handle leads to its key.
	"""
	rows = {row.name: row for row in found}
	if shared := {row.handle for row in found if row.handle}:
		# Rows of other pages can share a message with these rows.
		filters = {"status": QUEUED, "handle": ["in", list(shared)]}
		sharing = frappe.get_all(ledger.DOCTYPE, filters=filters, fields=FIELDS, order_by="name asc")
		rows |= {row.name: row for row in sharing}
	withdrawn = []
	for channel, of_channel in by_channel(rows.values()):
		names = channel.withdraw(of_channel, **options)
		gone = [row for row in of_channel if row.name in names]
		repeated = channel.repeated(gone) if gone else {}
		withdrawn += [row if row.name in repeated else frappe._dict(row, handle=None) for row in gone]
	return withdrawn
