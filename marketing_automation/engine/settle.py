"""What became of it: Queued rows are closed with their result, and what was interrupted is taken up again.

Called every few minutes. Finds all that there is to do in the database: nothing depends on a job having survived.
"""

import frappe
from frappe.utils import add_to_date, now_datetime

from marketing_automation.engine import deliver, ledger, protection, retry, run, watchdog, withdrawal
from marketing_automation.engine.channels import by_channel
from marketing_automation.engine.language import in_the_sites_language
from marketing_automation.engine.model import QUEUED
from marketing_automation.engine.settings import limit
from marketing_automation.engine.transaction import committed

PAGE_SIZE = 1000
# How many times the settings' patience rows wait for a run of their campaign that is killed again and again.
GIVE_RUNS = 4


@in_the_sites_language
def settle() -> None:
	"""Close what has ended, take back what was paused, bring the runs' counts up to date, resume what was interrupted,
	retry what can be."""
	touched = close()
	committed(protection.pause_failing, touched)
	touched |= withdrawal.withdraw_paused()
	touched |= set(
		frappe.get_all(
			ledger.RUN,
			filters={"status": ["in", list(ledger.ENDS_AS)], "finished_at": ["is", "not set"]},
			pluck="name",
			order_by="name asc",
		)
	)
	committed(ledger.refresh_runs, touched)
	resume()
	retry.retry_due()
	committed(watchdog.warn)


def close(filters: dict | None = None) -> set[str]:
	"""Move Queued rows, or those of them that match, to Completed or Failed as their channels say; return their runs.

	A fixed number of queries for each PAGE_SIZE rows.
	"""
	runs, last = set(), ""
	while True:
		rows = frappe.get_all(
			ledger.DOCTYPE,
			filters={"status": QUEUED, "name": [">", last], **(filters or {})},
			fields=["name", "action", "email_queue", "run", "error", "attempts"],
			order_by="name asc",
			limit_page_length=PAGE_SIZE,
		)
		closed = committed(_close, rows)
		runs |= {row.run for row in rows if row.name in closed}
		if len(rows) < PAGE_SIZE:
			return runs
		last = rows[-1].name


def _close(rows: list[dict]) -> set[str]:
	types = dict(
		frappe.get_all(
			"Lifecycle Action",
			filters={"name": ["in", list({row.action for row in rows})]},
			fields=["name", "action_type"],
			as_list=True,
			order_by="name asc",
		)
	)
	changes = {}
	for channel, of_channel in by_channel(rows, types):
		changes |= channel.outcomes(of_channel)
	for row in rows:
		if row.name in changes and changes[row.name].pop("temporary", False):
			changes[row.name]["next_attempt_at"] = retry.next_attempt(row.attempts, now_datetime())
	ledger.update(changes, was=QUEUED)
	return set(changes)


def resume() -> None:
	"""Start again the runs and queue again the rows that nothing has moved for longer than the settings' patience."""
	now, patience = now_datetime(), limit("resume_after_minutes")
	# What was written by a clock that was ahead would be left alone until that time has come.
	unmoved = (
		["<", add_to_date(now, minutes=-patience)],
		[">", add_to_date(now, minutes=patience)],
	)
	for modified in unmoved:
		for interrupted in frappe.get_all(
			ledger.RUN,
			filters={"status": "Running", "modified": modified},
			fields=["name", "run_type", "campaign"],
			order_by="name asc",
		):
			frappe.db.set_value(
				ledger.RUN, interrupted.name, {"status": "Interrupted", "finished_at": now_datetime()}
			)
			committed(ledger.refresh_runs, {interrupted.name})
			run.start(interrupted.run_type, interrupted.campaign)
	for modified in unmoved:
		_resume_rows(ledger.pending({"modified": modified}), add_to_date(now, minutes=-patience * GIVE_RUNS))


def _resume_rows(rows: list[dict], overdue) -> None:
	"""Queue Pending rows again, but for those of campaigns of which a run is claiming more at this moment.

	They go out in one message with what is claimed, when that is all there. Runs that are killed again and again hold
	up nothing that has not been moved since `overdue`.
	"""
	claiming = set(frappe.get_all(ledger.RUN, {"status": "Running"}, pluck="campaign", order_by="name asc"))
	if claiming:
		every = not {None, ""}.isdisjoint(claiming)
		tired = {row.name for row in ledger.pending({"modified": ["<", overdue]})}
		rows = [row for row in rows if row.name in tired or not (every or row.campaign in claiming)]
	for first in range(0, len(rows), PAGE_SIZE):
		# Their patience begins anew, so that what merely waits for a worker is not queued again every few minutes.
		committed(ledger.touch, [row.name for row in rows[first : first + PAGE_SIZE]])
	deliver.enqueue(rows)
