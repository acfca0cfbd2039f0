"""Runs as the ledger knows them: the counts of their rows, and when a run has ended."""

from collections import Counter

import frappe
from frappe.query_builder.functions import Count
from frappe.utils import add_to_date, now_datetime

from marketing_automation.engine.ledger.rows import DOCTYPE, RUN, STATUSES
from marketing_automation.engine.model import COMPLETED, PENDING, QUEUED

COUNTED_EVERY_SECONDS = 10
# What a run is when nothing of it is Pending any more.
ENDS_AS = {"Delivering": "Completed", "Failed": "Failed"}


def refresh_runs(runs: set[str]) -> None:
	"""Count the rows of runs again, and end those that have nothing Pending any more. The caller commits.

	A run that Failed for some of its campaigns delivers the others' messages, and ends after them.
	2 queries, and one for each run.
	"""
	table = frappe.qb.DocType(DOCTYPE)
	counts = Counter()
	if runs:
		for run, status, count in (
			frappe.qb.from_(table)
			.select(table.run, table.status, Count(table.name))
			.where(table.run.isin(list(runs)))
			.groupby(table.run, table.status)
		).run():
			counts[run, status] = count
	for run in frappe.get_all(
		RUN,
		filters={"name": ["in", list(runs)]},
		fields=["name", "status", "started_at", "finished_at"],
		order_by="name asc",
	):
		values = {status.lower(): counts[run.name, status] for status in STATUSES}
		if run.status in ENDS_AS and not run.finished_at and not counts[run.name, PENDING]:
			values |= {"status": ENDS_AS[run.status], "finished_at": now_datetime()}
		if finished_at := values.get("finished_at") or run.finished_at:
			values["duration"] = (finished_at - run.started_at).total_seconds()
		frappe.db.set_value(RUN, run.name, values)


def counts_of_run(run: str) -> dict[str, int]:
	"""Return {status: rows} of a run at this moment. 1 query, which needs nothing but an index."""
	table = frappe.qb.DocType(DOCTYPE)
	query = (
		frappe.qb.from_(table).select(table.status, Count("*")).where(table.run == run).groupby(table.status)
	)
	return {**dict.fromkeys(STATUSES, 0), **dict(query.run())}


def units_of_run(run: str) -> dict:
	"""Return {"sends": {action type: how many messages a run has handed over}, "products": {status: how many products its
	rows are about}}. 2 queries; they read the rows."""
	table = frappe.qb.DocType(DOCTYPE)
	of_run = frappe.qb.from_(table).where(table.run == run)
	sends = (
		of_run.select(table.channel, Count(table.handle).distinct())
		.where(table.status.isin([QUEUED, COMPLETED]))
		.groupby(table.channel)
	).run()
	products = of_run.select(table.status, Count(table.reference_name).distinct()).groupby(table.status).run()
	return {"sends": dict(sends), "products": dict(products)}


def refresh_soon(runs: set[str]) -> None:
	"""As `refresh_runs`, for jobs: leaves out a run that was counted just now, unless it ends with this, or nothing of
	it is open any more.

	Counting takes longer the larger the run is, and a large run has as many more jobs. The caller commits.
	"""
	just_now = add_to_date(now_datetime(), seconds=-COUNTED_EVERY_SECONDS)
	counted = frappe.get_all(
		RUN,
		filters={"name": ["in", list(runs)], "modified": [">", just_now]},
		fields=["name", "finished_at"],
		order_by="name asc",
	)
	refresh_runs(
		runs
		- {
			run.name
			for run in counted
			if frappe.db.exists(
				DOCTYPE,
				# A run ends when nothing of it is Pending, however long its Queued rows have to wait.
				{"run": run.name, "status": ["in", [PENDING, QUEUED] if run.finished_at else [PENDING]]},
			)
		}
	)
