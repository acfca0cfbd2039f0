"""The warning when no night's run has succeeded for too long."""

from datetime import datetime, timedelta

import frappe
from frappe import _
from frappe.query_builder.functions import Max, Min
from frappe.utils import now_datetime

from marketing_automation.engine import ledger, nights, notify
from marketing_automation.engine.settings import SETTINGS, moment

# A day and a late start.
PATIENCE = timedelta(hours=26)


def overdue() -> tuple[datetime | None, datetime | None]:
	"""Return (last_success, overdue_since). 2 queries.

	last_success: when the last run of all campaigns began that was claimed to its end. overdue_since: when such a run
	should have succeeded at the latest, if it has not.
	"""
	run, campaign = frappe.qb.DocType(ledger.RUN), frappe.qb.DocType("Lifecycle Campaign")
	((last_success,),) = (
		frappe.qb.from_(run)
		.select(Max(run.started_at))
		.where(nights.was_claimed(run))
		.where(run.campaign.isnull() | (run.campaign == ""))
		# One that a clock that was ahead has dated would keep it silent until then.
		.where(run.started_at <= now_datetime())
	).run()
	((active_since,),) = (
		frappe.qb.from_(campaign).select(Min(campaign.active_since)).where(campaign.is_active == 1)
	).run()
	if not active_since:
		return last_success, None
	# A campaign that was switched on just now has not missed anything yet; by a clock that was ahead, nobody knows when.
	if active_since > now_datetime():
		active_since = None
	known = [moment for moment in (last_success, active_since) if moment]
	if not known:
		return None, None
	overdue_since = max(known) + PATIENCE
	return last_success, overdue_since if overdue_since < now_datetime() else None


def warn() -> None:
	"""Warn the Marketing Managers, once an outage, that no run has succeeded. The caller commits."""
	last_success, overdue_since = overdue()
	if not overdue_since:
		return
	# Locked, so that of several workers one warns them.
	warned_at = moment("overdue_told_at", for_update=True)
	if warned_at and warned_at >= overdue_since:
		return
	frappe.db.set_single_value(SETTINGS, "overdue_told_at", now_datetime())
	notify.managers(
		lambda: (
			_("No run has succeeded since {0}, although campaigns are active. No messages are sent.").format(
				frappe.utils.format_datetime(last_success or overdue_since - PATIENCE)
			)
			+ " "
			+ _("Look at the last run, at the background workers and at the scheduler.")
		),
		SETTINGS,
		SETTINGS,
	)
