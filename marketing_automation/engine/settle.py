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
	"""Queue again the rows and start again the runs that nothing has moved for longer than the settings' patience."""
	stale = add_to_date(now_datetime(), minutes=-limit("resume_after_minutes"))
	rows = ledger.pending({"modified": ["<", stale]})
	for first in range(0, len(rows), PAGE_SIZE):
		# Their patience begins anew, so that what merely waits for a worker is not queued again every few minutes.
		committed(ledger.touch, [row.name for row in rows[first : first + PAGE_SIZE]])
	deliver.enqueue(rows)
	for interrupted in frappe.get_all(
		ledger.RUN,
		filters={"status": "Running", "modified": ["<", stale]},
		fields=["name", "run_type", "campaign"],
		order_by="name asc",
	):
		frappe.db.set_value(
			ledger.RUN, interrupted.name, {"status": "Interrupted", "finished_at": now_datetime()}
		)
		committed(ledger.refresh_runs, {interrupted.name})
		run.start(interrupted.run_type, interrupted.campaign)
