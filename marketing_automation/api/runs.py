"""Runs by hand, how far they are, and what the workspace says of the nights."""

import frappe
from frappe import _
from frappe.utils import format_datetime, getdate, pretty_date

from marketing_automation.api.access import campaigns_of, require, require_run
from marketing_automation.api.site import health
from marketing_automation.desk import forecast as forecasts
from marketing_automation.desk import insight
from marketing_automation.desk import preview as previews
from marketing_automation.desk.health import EMAIL
from marketing_automation.engine import ledger, run, watchdog
from marketing_automation.engine.visibility import Visibility


@frappe.whitelist(methods=["POST"])
def run_now(campaign: str | None = None) -> str:
	"""Start a run, of one campaign (needs write permission on it) or of all (on the settings); return its name."""
	require_run(campaign)
	return run.start("Manual", campaign)


@frappe.whitelist(methods=["GET", "POST"])
def run_preview(campaign: str | None = None) -> dict:
	"""Return what `run_now` would do at this moment: engine.preview's counts, reasons and overlaps, and health's
	problems."""
	require_run(campaign)
	require(ledger.DOCTYPE, "read")
	# The run is not bound to what its user may see, so neither is the number that they confirm.
	found = previews.of_run(campaign, Visibility("Administrator"))
	return {
		"counts": found["counts"],
		"reasons": found["reasons"],
		"overlaps": found["overlaps"],
		"problems": health(campaign),
	}


@frappe.whitelist(methods=["GET", "POST"])
def run_progress(run: str) -> dict:
	"""Return {"status", "partly", "due", "known", "reopened", "error", "counts": {status: rows}, "done", "total", "mails",
	"others", "products"} of a run. 3 queries, and 2 when nothing of it waits any more.

	partly: it left out some triggers, and all else goes on. error: of a run of all campaigns only for who may see them all.
	mails: how many were handed over, None before that; others: {action type: how many} of what has left otherwise; products: {status: how many products its rows are about}.
	"""
	doc = frappe.get_doc(ledger.RUN, run)
	doc.check_permission("read")
	sees_error = doc.campaign or doc.has_permlevel_access_to("error", permission_type="read")
	counts = ledger.counts_of_run(run)
	total = sum(counts.values())
	of_run = {"mails": None, "others": {}, "products": None}
	if not counts["Pending"] and doc.status not in ("Running", "Interrupted"):
		units = ledger.units_of_run(run)
		mails = units["sends"].pop(EMAIL, 0)
		of_run = {"mails": mails, "others": units["sends"], "products": units["products"]}
	return {
		**of_run,
		"status": doc.status,
		"partly": bool(doc.left_out),
		"due": doc.due,
		"known": doc.known,
		"reopened": doc.reopened,
		"error": doc.error if sees_error else None,
		"counts": counts,
		"done": total - counts["Pending"],
		"total": total,
	}


@frappe.whitelist(methods=["GET", "POST"])
def due_next_week(filters: str | dict | list | None = None) -> int:
	"""Return how many messages fall due in the next 7 days, for the number card. Counted by the database: who of them
	cannot be reached is seen on each campaign."""
	found = forecasts.of_campaigns(campaigns_of(None), getdate(), insight.DAYS_AHEAD, Visibility())
	return found["total"]


@frappe.whitelist(methods=["GET", "POST"])
def last_run(filters: str | dict | list | None = None) -> str:
	"""Return when the last run was, or how it ended if not well, in words, for the number card. 3 queries.

	When no night's run has succeeded for too long it says that, whatever else has run since.
	"""
	require(ledger.RUN, "read")
	_last_success, overdue_since = watchdog.overdue()
	if overdue_since:
		return _("Overdue since {0}").format(format_datetime(overdue_since, "d MMM HH:mm"))
	last = frappe.db.get_value(
		ledger.RUN, {}, ["status", "started_at"], as_dict=True, order_by="creation desc"
	)
	if not last:
		return _("None yet")
	return _(last.status) if last.status in ("Failed", "Interrupted") else pretty_date(last.started_at)
