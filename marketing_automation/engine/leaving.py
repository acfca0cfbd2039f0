"""Somebody has said that they want no more: what is queued for them and has not left is taken back, and judged anew.

Right after it is said, in a job. Where that job is lost, the sender leaves such mails alone and `settle` takes them back.
"""

import frappe

from marketing_automation.engine import consent, deliver, ledger, rules, withdrawal
from marketing_automation.engine.model import Recipient
from marketing_automation.engine.transaction import committed


def take_back(address: str | None, contact: str | None) -> None:
	"""Take back what is Queued for them and may not go any more; delivery writes down why. The entry point of the job.

	A fixed number of queries, and those of delivery.
	"""
	addresses = {one for one in (address, *_addresses_of(contact)) if one}
	rows = ledger.queued_for(addresses)
	known = consent.Known([Recipient(address=row.recipient, contact=contact) for row in rows])
	campaigns = rules.campaigns({row.campaign for row in rows})
	refused = [
		row
		for row in rows
		if row.campaign in campaigns
		and known.refusal(Recipient(address=row.recipient, contact=contact), campaigns[row.campaign])
	]
	if refused:
		taken = committed(withdrawal.back, refused)
		deliver.enqueue(ledger.pending({"name": ["in", list(taken)]}))


def _addresses_of(contact: str | None) -> list[str]:
	"""Return the addresses of a Contact. 1 query."""
	if not contact:
		return []
	return frappe.get_all(
		"Contact Email",
		filters={"parent": contact, "parenttype": "Contact"},
		pluck="email_id",
		order_by="idx asc",
	)
