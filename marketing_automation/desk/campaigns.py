"""The list of campaigns: campaigns in, the state of each and its numbers out. Only reads; nothing of it is stored."""

from collections import Counter, defaultdict
from datetime import date, timedelta

import frappe
from frappe.query_builder.functions import Count
from frappe.utils import getdate

from marketing_automation.desk import forecast, health
from marketing_automation.engine import ledger, protection
from marketing_automation.engine.model import COMPLETED, FAILED, QUEUED, SKIPPED
from marketing_automation.engine.settings import limit
from marketing_automation.engine.visibility import Visibility

ACTIVE = "Active"
FAILING = "Failing"
ENDED = "Ended"
PAUSED = "Paused"
DRAFT = "Draft"

FIELDS = ("name", "is_active", "active_since", "paused_at", "pause_reason", "end_date", "sender")
# How far the next message is looked for, and how far back failures speak against a campaign.
DAYS_AHEAD = 90
DAYS_BACK = 7


def state_of(campaign, today: date, failing: bool = False) -> str:
	"""Return the state of a campaign (document or dict of FIELDS).

	Draft: it was never active. Paused: it was, or it paused itself. Ended: active, past its End Date. Failing: active,
	and it cannot send, or too many of its messages fail (`failing`).
	"""
	if not campaign.is_active:
		return PAUSED if campaign.paused_at or campaign.pause_reason else DRAFT
	if campaign.end_date and getdate(campaign.end_date) < today:
		return ENDED
	return FAILING if failing else ACTIVE


def overview(campaigns: list, visible: Visibility) -> dict[str, dict]:
	"""Return {name: {"state", "next_on", "next", "sent", "on_its_way", "skipped", "failed"}} of campaigns (FIELDS).

	next_on: the next day on which something falls due, of those that send, within DAYS_AHEAD days; next: how many
	products then, before it is known who can be reached. The others: how many messages, ever.
	Queries: 9, those of the source's `counts`, and for each sender those of the channels' checks.
	"""
	today, names = getdate(), [campaign.name for campaign in campaigns]
	failing = _failing([campaign for campaign in campaigns if campaign.is_active], today)
	states = {campaign.name: state_of(campaign, today, campaign.name in failing) for campaign in campaigns}
	sending = [name for name in names if states[name] in (ACTIVE, FAILING)]
	next_days = _next_days(sending, today, visible)
	counts = _counts(names, visible)
	return {
		name: {
			"state": states[name],
			"next_on": min(next_days[name], default=None),
			"next": next_days[name][min(next_days[name])] if next_days[name] else 0,
			"sent": counts[name, COMPLETED],
			"on_its_way": counts[name, QUEUED],
			"skipped": counts[name, SKIPPED],
			"failed": counts[name, FAILED],
		}
		for name in names
	}


def state_of_document(campaign) -> str:
	"""Return the state of one campaign (document), as the list has it. Queries: 2, and those of the channels' checks."""
	today = getdate()
	return state_of(campaign, today, bool(campaign.is_active and _failing([campaign], today)))


def _next_days(campaigns: list[str], today: date, visible: Visibility) -> dict[str, Counter]:
	"""Return {campaign: {day: how many messages fall due}} of the days to come."""
	found = defaultdict(Counter)
	if campaigns:
		for action in forecast.of_campaigns(campaigns, today, DAYS_AHEAD, visible)["actions"]:
			found[action["campaign"]].update(action["days"])
	return found


def _counts(campaigns: list[str], visible: Visibility) -> Counter:
	"""Return {(campaign, status): messages}. 2 queries; that of the ledger needs nothing but an index."""
	campaign_of = dict(
		frappe.get_all(
			"Lifecycle Action",
			filters={"campaign": ["in", campaigns]},
			fields=["name", "campaign"],
			as_list=True,
			order_by="name asc",
		)
	)
	counts = Counter()
	if campaign_of:
		log = frappe.qb.DocType(ledger.DOCTYPE)
		query = (
			frappe.qb.from_(log)
			.select(log.action, log.status, Count("*"))
			.where(log.action.isin(list(campaign_of)))
			.groupby(log.action, log.status)
		)
		for action, status, count in visible.restrict_ledger(query, log).run():
			counts[campaign_of[action], status] += count
	return counts


def _failing(campaigns: list, today: date) -> set[str]:
	"""Return those of active campaigns that cannot send, or of whose messages of the last days as large a share failed
	for good as makes a campaign pause itself, however few they are. 2 queries, and those of the channels' checks."""
	if not campaigns:
		return set()
	found = set(health.refusals(campaigns))
	log, campaign = frappe.qb.DocType(ledger.DOCTYPE), frappe.qb.DocType("Lifecycle Campaign")
	counted = (log.status == FAILED) & log.reason.isin(protection.COUNTED) & log.next_attempt_at.isnull()
	rows = (
		frappe.qb.from_(log)
		.join(campaign)
		.on(log.campaign == campaign.name)
		.select(log.campaign, log.status, Count("*"))
		.where(log.due_on >= today - timedelta(days=DAYS_BACK))
		.where(log.campaign.isin([campaign.name for campaign in campaigns]))
		.where(
			# What failed before it was last switched on, its marketer has seen.
			(counted & (campaign.active_since.isnull() | (log.executed_at >= campaign.active_since)))
			| log.status.isin([QUEUED, COMPLETED])
		)
		.groupby(log.campaign, log.status)
	).run()
	tried, failed = Counter(), Counter()
	for name, status, count in rows:
		tried[name] += count
		if status == FAILED:
			failed[name] += count
	share = limit("pause_share")
	return found | {name for name in failed if protection.exceeded(failed[name], tried[name], share, 1)}
