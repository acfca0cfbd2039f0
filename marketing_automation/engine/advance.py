"""What waited and whose time has come: Waiting rows in, Pending rows out, their delivery under way.

Nothing is judged here: delivery asks the gate about each before it leaves, and it may have to wait again. A tick that is
missed loses nothing, for the next one finds what has been due since.
"""

import frappe
from frappe.utils import now_datetime

from marketing_automation.engine import deliver, ledger
from marketing_automation.engine.model import PENDING, WAITING
from marketing_automation.engine.transaction import committed

PAGE_SIZE = 1000


def advance() -> None:
	"""Make the Waiting rows of active campaigns Pending whose time has come, and have them delivered. Commits.

	Those of a paused campaign go on waiting. So do those of a campaign of which a run is claiming more: they go out in one
	message with what is claimed, when that is all there. 2 queries, and 2 for each PAGE_SIZE rows.
	"""
	campaigns, runs = _campaigns(), set()
	moved = []
	last = ""
	while rows := _due(campaigns, last):
		committed(
			ledger.update,
			{row.name: {"status": PENDING, "reason": None, "error": None} for row in rows},
			WAITING,
		)
		moved += [row.name for row in rows]
		runs |= {row.run for row in rows}
		last = rows[-1].name
	for first in range(0, len(moved), PAGE_SIZE):
		deliver.enqueue(ledger.pending({"name": ["in", moved[first : first + PAGE_SIZE]]}))
	committed(ledger.refresh_soon, runs)


def _campaigns() -> list[str]:
	"""Return the active campaigns of which no run is claiming anything at this moment. 2 queries."""
	claiming = {
		campaign or None
		for campaign in frappe.get_all(
			ledger.RUN, {"status": "Running"}, pluck="campaign", order_by="name asc"
		)
	}
	if None in claiming:
		return []
	active = frappe.get_all("Lifecycle Campaign", {"is_active": 1}, pluck="name", order_by="name asc")
	return [name for name in active if name not in claiming]


def _due(campaigns: list[str], after: str) -> list[dict]:
	"""Return name and run of the next rows that have waited long enough. 1 query."""
	if not campaigns:
		return []
	return frappe.get_all(
		ledger.DOCTYPE,
		filters=[
			["status", "=", WAITING],
			["due_at", "<=", now_datetime()],
			["campaign", "in", campaigns],
			["name", ">", after],
		],
		fields=["name", "run"],
		order_by="name asc",
		limit_page_length=PAGE_SIZE,
	)
