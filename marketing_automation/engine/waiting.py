"""What a message waits for can end before its time: those that wait by it are due now, and the next tick asks the gate again.

Somebody comes back from a pause, or wants more again; the settings let go of a hold, a cap, a warm-up. Runs in jobs, after
what was said is committed. Where such a job is lost its messages wait as long as they would have.
"""

from collections.abc import Iterable

import frappe

from marketing_automation.engine import ledger
from marketing_automation.engine.model import Reason
from marketing_automation.engine.transaction import committed

# What waits by what its customer has said.
SAID = (Reason.PAUSED, Reason.FREQUENCY_CAP)


def end_for(customer: str | None, address: str | None, contact: str | None) -> None:
	"""Have what waits by what somebody has said asked about again. The entry point of a job. At most 3 queries. Commits."""
	customers = {customer} if customer else set()
	customers |= _customers_of(address, contact)
	if customers:
		committed(ledger.due_now, SAID, customers)


def end(reasons: Iterable[str]) -> None:
	"""Have all that waits for one of these reasons asked about again. The entry point of a job. 1 query. Commits."""
	committed(ledger.due_now, tuple(reasons))


def end_soon(reasons: Iterable[str]) -> None:
	"""Have a job do `end`, when what the caller has written is committed."""
	frappe.enqueue(
		"marketing_automation.engine.waiting.end",
		queue="short",
		enqueue_after_commit=True,
		reasons=sorted(reasons),
	)


def _customers_of(address: str | None, contact: str | None) -> set[str]:
	"""Return the customers of a Contact, and of those that have an address. At most 2 queries."""
	contacts = {contact} if contact else set()
	if address:
		contacts |= set(
			frappe.get_all(
				"Contact Email",
				filters={"email_id": address, "parenttype": "Contact"},
				pluck="parent",
				order_by="parent asc",
			)
		)
	if not contacts:
		return set()
	return set(
		frappe.get_all(
			"Dynamic Link",
			filters={
				**{"parenttype": "Contact", "parent": ["in", sorted(contacts)]},
				"link_doctype": "Customer",
			},
			pluck="link_name",
			order_by="link_name asc",
		)
	)
