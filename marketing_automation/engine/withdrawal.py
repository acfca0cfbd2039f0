"""What a paused campaign has handed over and not sent yet is taken back.

The message and its ledger rows go in one transaction: Queued becomes Cancelled, and can be sent by hand once the
campaign is on again. What may be leaving at this moment stays, and ends as it ends.
"""

import frappe

from marketing_automation.engine import ledger
from marketing_automation.engine.channels import by_channel
from marketing_automation.engine.model import CANCELLED, QUEUED, Reason
from marketing_automation.engine.transaction import committed

PAGE_SIZE = 1000
FIELDS = ["name", "action", "email_queue", "run"]


def enqueue() -> None:
	"""Have a background job take back what was just paused, when that is committed; `settle` does it in any case."""
	frappe.enqueue(take_back, queue="short", enqueue_after_commit=True)


def take_back() -> None:
	"""Take back what inactive campaigns have Queued. The entry point of the background job."""
	committed(ledger.refresh_runs, withdraw_paused())


def withdraw_paused() -> set[str]:
	"""Take back what inactive campaigns have Queued; return the runs of the rows. Commits.

	3 queries, and a fixed number more for each PAGE_SIZE rows.
	"""
	types = _actions_of_inactive_campaigns()
	runs, last = set(), ""
	while types:
		rows = frappe.get_all(
			ledger.DOCTYPE,
			filters={"status": QUEUED, "action": ["in", list(types)], "name": [">", last]},
			fields=FIELDS,
			order_by="name asc",
			limit_page_length=PAGE_SIZE,
		)
		runs |= committed(_withdraw, rows, types)
		if len(rows) < PAGE_SIZE:
			break
		last = rows[-1].name
	return runs


def _actions_of_inactive_campaigns() -> dict[str, str]:
	"""Return {name: action type}. 2 queries."""
	inactive = frappe.get_all(
		"Lifecycle Campaign", filters={"is_active": 0}, pluck="name", order_by="name asc"
	)
	return dict(
		frappe.get_all(
			"Lifecycle Action",
			filters={"campaign": ["in", inactive]},
			fields=["name", "action_type"],
			as_list=True,
			order_by="name asc",
		)
	)


def _withdraw(found: list[dict], types: dict[str, str]) -> set[str]:
	rows = {row.name: row for row in found}
	if shared := {row.email_queue for row in found if row.email_queue}:
		# Those of other pages that share a mail with them.
		filters = {"status": QUEUED, "email_queue": ["in", list(shared)]}
		sharing = frappe.get_all(ledger.DOCTYPE, filters=filters, fields=FIELDS, order_by="name asc")
		rows |= {row.name: row for row in sharing}
	withdrawn = set()
	for channel, of_channel in by_channel(rows.values(), types):
		withdrawn |= channel.withdraw(of_channel)
	ledger.update(
		{
			name: {"status": CANCELLED, "reason": Reason.CAMPAIGN_INACTIVE, "email_queue": None}
			for name in withdrawn
		},
		was=QUEUED,
	)
	return {rows[name].run for name in withdrawn}
