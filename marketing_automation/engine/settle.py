"""What became of it: Queued rows are closed with their result, and what was interrupted is taken up again.

Called every few minutes. Finds all that there is to do in the database: nothing depends on a job having survived.
"""

import random
import time
from datetime import datetime, timedelta

import frappe
from frappe.utils import add_to_date, create_batch, now_datetime
from rq.timeouts import BaseTimeoutException

from marketing_automation.engine import (
	advance,
	closing,
	deliver,
	gate,
	ledger,
	protection,
	retry,
	run,
	watchdog,
	withdrawal,
)
from marketing_automation.engine.channel import Channel, action_types, by_itself, channel_for
from marketing_automation.engine.language import in_the_sites_language
from marketing_automation.engine.model import FAILED, PENDING
from marketing_automation.engine.settings import limit
from marketing_automation.engine.transaction import committed, log_once

PAGE_SIZE = 1000
# For so many runs of their campaign that are killed, one after the other, rows wait.
GIVE_RUNS = 4
# Of the runs that were killed so many are looked at, the last ones.
KILLED_AT_MOST = 500
# How often the scheduler calls, and how often what waits for a throttle is looked at in between.
A_TICK = timedelta(minutes=4)
POUR_EVERY = 5


@in_the_sites_language
def settle(steps: list[str] | None = None) -> None:
	"""Do the STEPS, or some of them, each by itself: one that fails is logged and stops none of the others.

	One that takes longer than the job may leaves those after it to a job of their own.
	"""
	steps = steps or [step.__name__ for step in STEPS]
	for number, step in enumerate(steps):
		try:
			globals()[step]()
		except BaseTimeoutException:
			frappe.db.rollback()
			if rest := steps[number + 1 :]:
				frappe.enqueue(settle, queue="default", steps=rest)
			raise
		except Exception:
			frappe.db.rollback()
			log_once(
				f"settle: {step} failed. The other steps went on, and it is tried again in a few minutes"
			)


def close_what_ended() -> None:
	"""Close what has ended, pause what fails too often, and bring the runs' counts up to date."""
	touched, left_behind = closing.close_all()
	for names in create_batch(sorted(left_behind), PAGE_SIZE):
		deliver.enqueue(ledger.pending({"name": ["in", names]}))
	committed(protection.pause_failing, touched)
	committed(ledger.refresh_runs, touched)


def take_back_paused() -> None:
	"""Take back what was paused."""
	committed(ledger.refresh_runs, withdrawal.withdraw_paused())


def end_runs() -> None:
	"""End the runs that have nothing Pending any more."""
	open_runs = frappe.get_all(
		ledger.RUN,
		filters={"status": ["in", list(ledger.ENDS_AS)], "finished_at": ["is", "not set"]},
		pluck="name",
		order_by="name asc",
	)
	committed(ledger.refresh_runs, set(open_runs))


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
		_resume_rows(ledger.pending({"modified": modified}))


def _resume_rows(rows: list[dict]) -> None:
	"""Queue Pending rows again, but for those of campaigns of which a run is claiming more at this moment.

	They go out in one message with what is claimed, when that is all there, however long it takes: a run that works
	gives signs of life. Runs that are killed again and again hold up no rows that have waited for GIVE_RUNS of them.
	"""
	if claiming := _claiming():
		tired = _tired({row.campaign for row in rows})
		rows = [row for row in rows if row.name in tired or not _is_claimed(row.campaign, claiming)]
	for first in range(0, len(rows), PAGE_SIZE):
		# Their patience begins anew, so that what merely waits for a worker is not queued again every few minutes.
		committed(ledger.touch, [row.name for row in rows[first : first + PAGE_SIZE]])
	deliver.enqueue(rows, again=True)


def _tired(campaigns: set[str]) -> set[str]:
	"""Return the Pending rows of these campaigns that GIVE_RUNS runs were killed over. 1 query, and one a campaign."""
	killed = frappe.get_all(
		ledger.RUN,
		{"status": "Interrupted"},
		["campaign", "finished_at"],
		order_by="finished_at desc",
		limit_page_length=KILLED_AT_MOST,
	)
	tired = set()
	for campaign in campaigns:
		ends = [run.finished_at for run in killed if run.campaign in (None, "", campaign)]
		if len(ends) >= GIVE_RUNS:
			rows = ledger.pending({"campaign": campaign, "modified": ["<", ends[GIVE_RUNS - 1]]})
			tired |= {row.name for row in rows}
	return tired


def _claiming() -> set[str | None]:
	"""Return the campaigns of which a run is claiming at this moment; None stands for all. 1 query."""
	runs = frappe.get_all(ledger.RUN, {"status": "Running"}, pluck="campaign", order_by="name asc")
	return {campaign or None for campaign in runs}


def _is_claimed(campaign: str, claiming: set[str | None]) -> bool:
	return None in claiming or campaign in claiming


def advance_what_waits() -> None:
	"""Deliver what has waited for its moment, such as the first hour of the send window."""
	advance.advance()


def report_failed_checks() -> None:
	"""Write checks of the gate that have raised to the Error Log, once a day each."""
	for failure in gate.failures():
		name = f"{failure.key} ({failure.part})" if failure.part else failure.key
		log_once(
			f"The check {name} failed. The messages that it judges wait; correct it or ask its developer",
			failure.trace,
		)


def retry_failed() -> None:
	"""Retry what failed temporarily, and what somebody has let whatever is behind a channel send again."""
	retry.retry_due()
	for action_type in action_types():
		with by_itself(action_type):
			if handles := channel_for(action_type).asked_again():
				retry.retry(
					frappe.get_all(
						ledger.DOCTYPE,
						filters={"status": FAILED, "channel": action_type, "handle": ["in", list(handles)]},
						pluck="name",
						order_by="name asc",
					)
				)


def warn() -> None:
	"""Warn the managers when no night succeeds."""
	committed(watchdog.warn)


def send_what_waits() -> bool:
	"""With a throttle, deliver what has room by now; return whether anything waits, then or now.

	The campaigns in any order, so that each of those that share an account has its turn. 2 queries, and some for each
	campaign that has something to send.
	"""
	waits = False
	for action_type in action_types():
		with by_itself(action_type):
			channel = channel_for(action_type)
			if channel.is_throttled():
				waits = _send_what_waits(action_type, channel) or waits
	return waits


def _send_what_waits(action_type: str, channel: Channel) -> bool:
	pending = {"status": PENDING, "channel": action_type}
	campaigns = frappe.get_all(
		ledger.DOCTYPE, filters=pending, pluck="campaign", distinct=True, order_by="campaign asc"
	)
	# Rows of a campaign that is being claimed go out in one message with the rest, once all of it is there.
	claiming = _claiming()
	campaigns = [name for name in campaigns if not _is_claimed(name, claiming)]
	for name in random.sample(campaigns, len(campaigns)):
		campaign = frappe.get_cached_doc("Lifecycle Campaign", name)
		room = channel.room(campaign)
		# `room` has locked the settings, which the jobs need.
		frappe.db.rollback()
		if room:
			customers = frappe.get_all(
				ledger.DOCTYPE,
				filters={**pending, "campaign": name},
				pluck="customer",
				order_by="name asc",
				limit_page_length=room,
			)
			deliver.enqueue(
				ledger.pending({**pending, "campaign": name, "customer": ["in", list(set(customers))]})
			)
	return bool(campaigns)


def pour() -> None:
	"""Deliver what a throttle has room for, now and in jobs that go on until this is called again."""
	if send_what_waits():
		pour_on(now_datetime() + A_TICK)


def pour_on(until: datetime) -> None:
	"""Have a job look again for what has room."""
	frappe.enqueue(poured, queue="long", until=until)


@in_the_sites_language
def poured(until: datetime) -> None:
	"""Wait some seconds for room, deliver what has it, and go on. The entry point of the job.

	So mails leave every minute, where the scheduler calls every few; and no worker is kept for more than some seconds.
	"""
	time.sleep(POUR_EVERY)
	if send_what_waits() and now_datetime() < until:
		pour_on(until)


STEPS = (
	close_what_ended,
	take_back_paused,
	end_runs,
	resume,
	advance_what_waits,
	retry_failed,
	pour,
	report_failed_checks,
	warn,
)
