"""Self-protection: a campaign whose messages keep failing pauses itself, and the managers are warned once."""

from collections import Counter
from collections.abc import Callable

import frappe
from frappe import _
from frappe.query_builder.functions import Count, Sum
from frappe.utils import add_to_date, now_datetime
from pypika import Case

from marketing_automation.engine import ledger, notify
from marketing_automation.engine.model import COMPLETED, FAILED, QUEUED, Reason
from marketing_automation.engine.settings import limit

CAMPAIGN = "Lifecycle Campaign"
# So far back what came back is counted: servers may take days to say so.
REFUSED_DAYS = 7
# What speaks against the campaign. An invalid address speaks against one customer.
COUNTED = (Reason.TEMPLATE_ERROR, Reason.SENDING_FAILED, Reason.ATTACHMENT_FAILED)


def exceeded(failed: int, tried: int, share: int, count: int) -> bool:
	"""Say whether so many failures are too many: at least `count`, and at least `share` percent of what was tried."""
	return failed >= count and failed * 100 >= share * tried


def pause_failing(runs: set[str]) -> None:
	"""Pause the active campaigns that fail too often in one of these runs. The caller commits.

	A failure counts when it is final and came after the campaign was last switched on: one that is tried again by
	itself does not, nor one that the marketer has seen and switched the campaign on after. 4 queries, and some for
	each campaign that pauses.
	"""
	if not runs:
		return
	failed, tried = _counts(runs)
	share, count = limit("pause_share"), limit("pause_count")
	for (run, campaign), failures in sorted(failed.items()):
		if exceeded(failures, tried[run, campaign], share, count):
			_pause(
				campaign,
				lambda failures=failures, tried=tried[run, campaign], run=run: _failure(failures, tried, run),
			)


def _counts(runs: set[str]) -> tuple[Counter, Counter]:
	"""Return what failed, and what was tried, by (run, campaign)."""
	row, campaign = frappe.qb.DocType(ledger.DOCTYPE), frappe.qb.DocType(CAMPAIGN)
	of_runs = (
		frappe.qb.from_(row)
		.join(campaign)
		.on(row.campaign == campaign.name)
		.select(row.run, row.campaign, Count(row.name))
		.where(campaign.is_active == 1)
		.where(row.run.isin(list(runs)))
		.groupby(row.run, row.campaign)
	)
	is_counted = (row.status == FAILED) & row.reason.isin(COUNTED)
	failed = of_runs.where(
		is_counted
		& row.next_attempt_at.isnull()
		& (campaign.active_since.isnull() | (row.executed_at >= campaign.active_since))
	)
	tried = of_runs.where(row.status.isin([QUEUED, COMPLETED]) | is_counted)
	return tuple(
		Counter({(run, name): number for run, name, number in query.run()}) for query in (failed, tried)
	)


def pause_refused(campaigns: set[str]) -> None:
	"""Pause the active campaigns of which too many messages came back because of the sender or of what they say. The caller
	commits.

	Counted are those of the last REFUSED_DAYS that left since the campaign was last switched on. 1 query, and some for each
	campaign that pauses.
	"""
	if not campaigns:
		return
	row, campaign = frappe.qb.DocType(ledger.DOCTYPE), frappe.qb.DocType(CAMPAIGN)
	is_refused = Case().when(row.reason == Reason.SENDER_REFUSED, 1).else_(0)
	counts = (
		frappe.qb.from_(row)
		.join(campaign)
		.on(row.campaign == campaign.name)
		.select(row.campaign, Sum(is_refused), Count(row.name))
		.where(campaign.is_active == 1)
		.where(row.campaign.isin(sorted(campaigns)))
		.where(row.status == COMPLETED)
		.where(row.executed_at >= add_to_date(now_datetime(), days=-REFUSED_DAYS))
		.where(campaign.active_since.isnull() | (row.executed_at >= campaign.active_since))
		.groupby(row.campaign)
		.orderby(row.campaign)
	).run()
	share, count = limit("pause_share"), limit("pause_count")
	for name, refused, sent in counts:
		if exceeded(int(refused), sent, share, count):
			_pause(name, lambda refused=refused, sent=sent: _refusal(int(refused), sent))


def _refusal(refused: int, sent: int) -> str:
	return _(
		"{0} of {1} messages of the last days came back because of their sender or their content (policy, spam, authentication), not because of their addresses. See what the servers say in the message log, put SPF, DKIM, DMARC or the text right, and switch the campaign on again."
	).format(refused, sent)


def _failure(failed: int, tried: int, run: str) -> str:
	return _(
		"{0} of {1} messages failed in the run {2}. See why in the message log, correct it, switch the campaign on again and retry what failed."
	).format(failed, tried, run)


def _pause(campaign: str, reason: Callable[[], str]) -> None:
	"""Pause a campaign and tell the managers. reason: the text, in whoever's language it is asked for."""
	# Locked, so that of several workers one pauses it and warns of it.
	if not frappe.db.get_value(CAMPAIGN, campaign, "is_active", for_update=True):
		return

	frappe.db.set_value(
		CAMPAIGN,
		campaign,
		{"is_active": 0, "active_since": None, "paused_at": now_datetime(), "pause_reason": reason()},
	)
	notify.managers(
		lambda: _("The campaign {0} has paused itself: {1}").format(
			frappe.bold(frappe.utils.escape_html(campaign)), reason()
		),
		CAMPAIGN,
		campaign,
	)
