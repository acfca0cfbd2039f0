"""The ledger over the years: what is cleared, forgotten, renamed and merged."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date

import frappe
from frappe.utils import now_datetime

from marketing_automation.engine.ledger.rows import (
	DOCTYPE,
	STATUSES,
	UNSENT,
	key_of,
	update,
	write_rows,
)
from marketing_automation.engine.model import (
	COMPLETED,
	FAILED,
	ONCE_PER_CUSTOMER,
	ONCE_PER_DATE,
	OPEN,
	PENDING,
	QUEUED,
	SKIPPED,
	WAITING,
	Reason,
	suppression_key,
)

CLEARED_AT_ONCE = 5000


def clear(until: date) -> None:
	"""Delete the rows that guard nothing any more, of dates and nights before `until`. Commits.

	Never rows of campaigns that send each customer each message once: those guard for ever.
	"""
	campaigns = frappe.get_all(
		"Lifecycle Campaign",
		filters={"duplicate_policy": ONCE_PER_DATE},
		pluck="name",
		order_by="name asc",
	)
	while names := frappe.get_all(
		DOCTYPE,
		filters={
			"campaign": ["in", campaigns],
			"status": ["not in", list(OPEN)],
			"occurrence_date": ["<", until],
			"due_on": ["<", until],
			"suppression_key": ["is", "not set"],
		},
		pluck="name",
		order_by="name asc",
		limit_page_length=CLEARED_AT_ONCE,
	):
		frappe.db.delete(DOCTYPE, {"name": ["in", names]})
		frappe.db.commit()


def forget(email: str) -> int:
	"""Erase an address from the ledger and return from how many rows; their keys stay. 2 queries.

	Not from messages that are still on their way: they end first. The caller commits.
	"""
	# Found first, and then locked: the table is read to its end for this, and nobody should wait for that.
	names = frappe.get_all(
		DOCTYPE,
		filters={"recipient": email, "status": ["not in", list(OPEN)]},
		pluck="name",
		order_by="name asc",
	)
	if names:
		# The server's words quote the address.
		frappe.db.set_value(
			DOCTYPE,
			{"name": ["in", names], "recipient": email},
			{"recipient": None, "error": None},
			update_modified=False,
		)
	return len(names)


def refers_to(field: str, name: str) -> bool:
	"""Say whether any row's `field` (campaign, trigger, action, run) is `name`. 1 or 2 queries."""
	filters = {field: name}
	if field == "trigger":
		# The ledger is found by its actions, each of which has one trigger.
		actions = frappe.get_all("Lifecycle Action", {"trigger": name}, pluck="name", order_by="name asc")
		filters["action"] = ["in", actions]
	return bool(frappe.db.exists(DOCTYPE, filters))


def drop_indexes(names: Iterable[str]) -> None:
	"""Drop those of the ledger's indexes that are there. Commits where it drops one. 1 query for each."""
	for name in names:
		if frappe.db.has_index(f"tab{DOCTYPE}", name):
			frappe.db.sql_ddl(f"alter table `tab{DOCTYPE}` drop index `{name}`")


def rename_reference(doctype: str, old: str, new: str) -> set[str]:
	"""Keep the keys true after a serial number or another reference was renamed, or merged; returns as `rekey`."""
	# Frappe renames what a Dynamic Link points to, but not where it has looked for such links before they were there.
	frappe.db.set_value(
		DOCTYPE,
		{"reference_doctype": doctype, "reference_name": old},
		"reference_name",
		new,
		update_modified=False,
	)
	return rekey({"reference_doctype": doctype, "reference_name": new})


def rename_customer(old: str, new: str) -> set[str]:
	"""Keep the keys true after a customer was renamed, or merged into another; returns as `rekey`."""
	frappe.db.set_value(DOCTYPE, {"customer": old}, "customer", new, update_modified=False)
	return rekey({"customer": new})


def rekey(filters: dict) -> set[str]:
	"""Give the rows that match the keys that they should have; return which Queued ones nobody should get any more.

	After a merge two rows can have a claim to one key. It goes to what has been sent, then to what is on its way, and so
	on; the other keeps none, so that it can never be sent, and is Skipped if it was about to be. 2 queries, and three for
	each CASES_AT_ONCE rows. The caller commits.
	"""
	# Locked: what a worker is about to send has been sent when this goes on.
	rows = frappe.db.sql(
		f"""select name, campaign, action, run, reference_doctype, reference_name, occurrence_date, customer,
			status, reason, message_key, suppression_key
		from `tab{DOCTYPE}` where {" and ".join(f"{field} = %({field})s" for field in filters)}
		order by name for update""",
		filters,
		as_dict=True,
	)
	once = set(
		frappe.get_all(
			"Lifecycle Campaign",
			filters={"duplicate_policy": ONCE_PER_CUSTOMER},
			pluck="name",
			order_by="name asc",
		)
	)
	keys = {
		row.name: {"message_key": row.message_key, "suppression_key": row.suppression_key} for row in rows
	}
	beaten = {}
	for key, claimants in _grouped(rows, key_of):
		best = claimants[0]
		for row in claimants:
			keys[row.name]["message_key"] = key if row is best else None
			if row is not best:
				beaten[row.name] = row
	for (action, customer, campaign), of_customer in _grouped(
		rows, lambda row: (row.action, row.customer, row.campaign)
	):
		holders = [row for row in of_customer if row.suppression_key]
		if campaign not in once or not holders:
			continue
		best = next((row for row in of_customer if row.name not in beaten), of_customer[0])
		both = len({_has_moved(row) for row in holders}) > 1
		for row in of_customer:
			keys[row.name]["suppression_key"] = suppression_key(action, customer) if row is best else None
			# Each of the two has a message of their own, of one row or more: one of them goes out.
			if both and _has_moved(row) != _has_moved(best):
				beaten[row.name] = row
	changed = {
		row.name: keys[row.name]
		for row in rows
		if (row.message_key, row.suppression_key) != tuple(keys[row.name].values())
	}
	# Keys are given back before they are taken.
	write_rows({name: {"message_key": None, "suppression_key": None} for name in changed}, was=STATUSES)
	write_rows(changed, was=STATUSES)
	for was in (PENDING, WAITING):
		update(
			{
				name: {"status": SKIPPED, "reason": Reason.ALREADY_SENT, "executed_at": now_datetime()}
				for name, row in beaten.items()
				if row.status == was
			},
			was=was,
		)
	return {name for name, row in beaten.items() if row.status == QUEUED}


def _grouped(rows: list[dict], key) -> Iterator[tuple]:
	"""Yield (key, rows) of the rows that have it in common, those that are nearest to the customer first."""
	groups = defaultdict(list)
	for row in rows:
		groups[key(row)].append(row)
	for key, found in groups.items():
		yield key, sorted(found, key=_rank)


def _has_moved(row: dict) -> bool:
	"""Say whether a row was about somebody, or something, of another name when it was written."""
	return row.message_key != key_of(row)


def _rank(row: dict) -> tuple:
	"""Return what is lowest for the row that is nearest to the customer."""
	if row.status in UNSENT and row.reason != Reason.OUTCOME_UNKNOWN:
		rank = 4
	else:
		rank = [COMPLETED, QUEUED, FAILED, PENDING, WAITING].index(row.status)
	return rank, not row.suppression_key, row.name
