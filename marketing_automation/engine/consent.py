"""Who does not want our messages: addresses in, what each has left out. Only reads."""

from collections import defaultdict

import frappe

from marketing_automation.engine import long_lists
from marketing_automation.engine.names import same


def unsubscribes(emails: set[str]) -> dict[str, set[str | None]]:
	"""Return, for each address (lower case), the campaigns that it has left; None stands for all mail. 1 query."""
	if not emails:
		return {}
	table = frappe.qb.DocType("Email Unsubscribe")
	query = (
		frappe.qb.from_(table)
		.select(table.email, table.reference_name, table.global_unsubscribe)
		.where(long_lists.among(table.email, "emails"))
		.where((table.global_unsubscribe == 1) | (table.reference_doctype == "Lifecycle Campaign"))
	)
	left = defaultdict(set)
	for email, campaign, everything in long_lists.run(query, emails=emails):
		left[email.strip().lower()].add(None if everything else campaign)
	return left


def has_left(left: set[str | None] | None, campaign: dict) -> bool:
	"""Say whether an address that has left these (`unsubscribes`) has left a campaign, its originals included."""
	if not left:
		return False
	# Who has left a campaign has left its copies, too.
	own = (campaign.name, *campaign.get("originals", ()))
	return any(one is None or any(same(one, name) for name in own) for one in left)
