"""Coverage: which expiring serial numbers some trigger catches, and which slip through and why. Only reads."""

from collections.abc import Iterator
from datetime import date

import frappe
from frappe import _
from frappe.utils import getdate

from marketing_automation.engine import audience, ledger, rules
from marketing_automation.engine.items import item_names
from marketing_automation.engine.model import Reason
from marketing_automation.engine.names import folded
from marketing_automation.engine.sources import serial_no as serial_nos
from marketing_automation.engine.visibility import Visibility

# A report that is longer is no list of things to do.
MOST_ROWS = 20000


def expiring(
	first: date, last: date, date_field: str, campaigns: list[str], visible: Visibility
) -> Iterator[dict]:
	"""Yield one dict for each serial number whose `date_field` lies between two dates, the first MOST_ROWS by name.

	Its `told` is the status of its latest row in the ledger about this expiry, `next_on`, `campaign` and `trigger_name`
	say which trigger of an active campaign meets it next, and `problem` why nobody will be told (None when all is well).
	Queries: 4, and about 14 for each 5,000 serial numbers.
	"""
	loaded = [
		rule
		for rule in rules.load(campaigns)
		if rule.trigger.trigger_type in serial_nos.TRIGGER_TYPES and rule.trigger.date_field == date_field
	]
	today, seen = getdate(), 0
	for rows in serial_nos.expiring(date_field, first, last, visible):
		for row in rows:
			row.occurrence = getdate(row.occurrence)
		yield from _page(rows, loaded, today, visible)
		seen += len(rows)
		if seen >= MOST_ROWS:
			return


def _page(rows: list[dict], loaded: list, today: date, visible: Visibility) -> Iterator[dict]:
	coming = serial_nos.upcoming(loaded, rows, today)
	told = _told(rows)
	items = item_names({row.item_code for row in rows})
	owners = serial_nos.owners(rows)
	reached = audience.reach({customer for customer, _reason in owners if customer})
	left = audience.unsubscribes({found.email for found in reached.values() if found.email})
	for row, (customer, reason) in zip(rows, owners, strict=True):
		# The serial number was seen; its owner may be known from a sale only.
		if not visible.sees(customer=customer):
			continue
		found = reached.get(customer)
		if customer and not found:
			reason = Reason.CUSTOMER_NOT_FOUND
		elif found:
			reason = found.reason
			if not reason and None in left.get(found.email.lower(), ()):
				reason = Reason.UNSUBSCRIBED
		rule, next_on = coming.get(row.name, (None, None))
		status = told.get((folded(row.name), row.occurrence))
		yield {
			"serial_no": row.name,
			"item_code": row.item_code,
			"item_name": items.get(row.item_code) or row.item_code,
			"company": row.company,
			"customer": found.customer if found else customer,
			"customer_name": found.customer_name if found else None,
			"recipient": found.email if found else None,
			"expiry_date": row.occurrence,
			"told": status,
			"campaign": rule.campaign.name if rule else None,
			"trigger_name": rule.trigger.trigger_name if rule else None,
			"next_on": next_on,
			"problem": reason or (None if rule or status else _("No trigger catches it")),
			"reachable": not reason,
			"covered": bool(rule or status),
		}


def _told(rows: list[dict]) -> dict[tuple, str]:
	"""Return {(folded name, expiry): status} of the latest row of each serial number in the ledger. 1 query."""
	known = frappe.get_all(
		ledger.DOCTYPE,
		filters={
			"reference_doctype": serial_nos.REFERENCE_DOCTYPE,
			"reference_name": ["in", [row.name for row in rows]],
			# A pin that is renewed every year has its past years in the ledger too.
			"occurrence_date": ["in", sorted({row.occurrence for row in rows})],
		},
		fields=["reference_name", "occurrence_date", "status"],
		order_by="name asc",
	)
	return {(folded(row.reference_name), row.occurrence_date): row.status for row in known}
