"""Coverage: which of what has a date soon some trigger catches, and which slip through and why. Only reads."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date

import frappe
from frappe import _
from frappe.utils import getdate, now_datetime

from marketing_automation.channels.email.reach import reach
from marketing_automation.engine import again, consent, faults, ledger, rules, suppression, words
from marketing_automation.engine.faults import Faults
from marketing_automation.engine.items import item_names
from marketing_automation.engine.model import COMPLETED, OPEN, Reason
from marketing_automation.engine.names import folded, same
from marketing_automation.engine.settings import limit
from marketing_automation.engine.source import source_for
from marketing_automation.engine.visibility import Visibility

# A report that is longer is no list of things to do.
MOST_ROWS = 20000
# What is the same for a trigger and for what a report looks at.
KIND = ("source", "reference_doctype", "customer_field", "date_field")
# What is sent, or on its way.
HANDLED = {*OPEN, COMPLETED}


def expiring(first: date, last: date, of: dict, campaigns: list[str], visible: Visibility) -> Iterator[dict]:
	"""Yield one dict for each reference whose date lies between two dates, the first MOST_ROWS by name.

	of: which ones, as a trigger says it: source, date_field, and reference_doctype and customer_field where it needs them.

	Its `handled` is what became of the latest message in the ledger about this expiry to whoever owns it now (in words),
	`next_on`, `campaign` and `trigger_name` say which trigger of an active campaign meets it next, or looks at it again, and
	`problem` why its owner will get no message (in words; None when all is well). A broken trigger catches nothing.
	Queries: 10, one for each trigger with filters, and about 15 for each 5,000 serial numbers.
	"""
	loaded = [
		rule
		for rule in faults.sound(rules.load(campaigns), Faults())
		if all((rule.trigger[field] or None) == (of.get(field) or None) for field in KIND)
		and not rule.trigger.yearly
	]
	source = source_for(of)
	today, seen, broken = getdate(), 0, Faults()
	spans, max_attempts = again.spans(loaded, today), limit("max_attempts")
	for rows in source.expiring(of, of.date_field, first, last, visible):
		yield from _page(source, of, rows, loaded, spans, max_attempts, today, visible, broken)
		seen += len(rows)
		if seen >= MOST_ROWS:
			return


def _page(
	source,
	of: dict,
	rows: list[dict],
	loaded: list,
	spans: dict,
	max_attempts: int,
	today: date,
	visible: Visibility,
	broken: Faults,
) -> Iterator[dict]:
	doctype = source.reference_doctype(of)
	known = _known(doctype, rows)
	items = item_names({row.get("item_code") for row in rows} - {None})
	owners = source.owners_of(source.spec_of(of), rows)
	# Without an owner it is whoever had it.
	own_rows = {
		source.key_of(row): [
			log
			for log in known.get((folded(row.name), row.occurrence), [])
			if not customer or not log.customer or same(log.customer, customer)
		]
		for row, (customer, _reason) in zip(rows, owners, strict=True)
	}
	done = {
		(log.trigger, *key)
		for key, logs in own_rows.items()
		for log in logs
		if not again.can_pass(log, max_attempts)
	}
	coming = {}
	for _entries, found in faults.answers(
		lambda _source, some: source.upcoming([rule for (rule,) in some], rows, today, done),
		# Rules that have raised before are not asked again.
		[(rule,) for rule in loaded if rule.trigger.name not in broken],
		broken,
	):
		coming |= found
	reached = reach({customer for customer, _reason in owners if customer})
	said = consent.Known(reached.values())
	held = suppression.suppressed({one.address for one in reached.values() if one.address}, now_datetime())
	for row, (customer, reason) in zip(rows, owners, strict=True):
		# The serial number was seen; its owner may be known from a sale only.
		if not visible.about(doctype).sees(customer=customer):
			continue
		found = reached.get(customer)
		if customer and not found:
			reason = Reason.CUSTOMER_NOT_FOUND
		elif found:
			reason = found.reason
			if not reason and found.address in held:
				reason = Reason.SUPPRESSED
			if not reason and said.has_left_all(found):
				reason = Reason.UNSUBSCRIBED
		about = known.get((folded(row.name), row.occurrence), [])
		own = own_rows[source.key_of(row)]
		rule, next_on = coming.get(source.key_of(row), (None, None))
		if not rule and not reason and (span := _comes_again(about, own, spans, max_attempts, today)):
			rule, next_on = span.rule, today
		handled = any(
			log.status in HANDLED or log.next_attempt_at or log.reason == Reason.ALREADY_SENT for log in own
		)
		yield {
			"reference_doctype": doctype,
			"reference_name": row.name,
			"item_code": row.get("item_code"),
			"item_name": items.get(row.get("item_code")) or row.get("item_code"),
			"company": row.get("company"),
			"customer": found.customer if found else customer,
			"customer_name": found.customer_name if found else None,
			"recipient": found.address if found else None,
			"expiry_date": row.occurrence,
			"handled": words.of_status(own[-1].status) if own else None,
			"campaign": rule.campaign.name if rule else None,
			"trigger_name": rule.trigger.trigger_name if rule else None,
			"next_on": next_on,
			"problem": words.of_reason(reason) if reason else None if rule or handled else _missing(own),
			"reachable": not reason,
			"covered": bool(rule or handled),
		}


def _comes_again(about: list[dict], own: list[dict], spans: dict, max_attempts: int, today: date):
	"""Return the Span of the action by which the next run sends after all what the ledger has already; or None.

	about: the rows about one serial number and expiry. own: those of its owner, who can be reached.
	"""
	tried = {log.action for log in own}
	for log in about:
		span = spans.get(log.action)
		if not span or not max(span.first, span.catch_up_from) <= log.due_on <= today:
			continue
		if log not in own and log.action in tried:
			continue
		if log.reason == Reason.NO_LONGER_MATCHES:
			continue
		if log not in own or again.can_pass(log, max_attempts):
			return span
	return None


def _missing(own: list[dict]) -> str:
	"""Return why somebody who can be reached gets nothing."""
	if not own:
		return _("No trigger catches it")
	last = own[-1]
	why = words.of_reason(last.reason) if last.reason else words.of_status(last.status)
	return _("Was not sent: {0}").format(why)


def _known(doctype: str, rows: list[dict]) -> dict[tuple, list[dict]]:
	"""Return {(folded name, expiry): what the ledger has about the serial number, the latest last}. 1 query."""
	known = defaultdict(list)
	for row in frappe.get_all(
		ledger.DOCTYPE,
		filters={
			"reference_doctype": doctype,
			"reference_name": ["in", [row.name for row in rows]],
			# A pin that is renewed every year has its past years in the ledger too.
			"occurrence_date": ["in", sorted({row.occurrence for row in rows})],
		},
		fields=[
			*("reference_name", "occurrence_date", "customer", "trigger", "action", "due_on"),
			*("status", "reason", "attempts", "next_attempt_at"),
		],
		order_by="name asc",
	):
		known[folded(row.reference_name), row.occurrence_date].append(row)
	return known
