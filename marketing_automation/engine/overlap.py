"""Overlaps: customers who hear from one campaign, and from another within a few days. Only warns: nothing is held back.

What others have sent is read from the ledger, what they are about to send is planned as a run would. A run notes on its
own record who heard from two; nothing else here writes.
"""

import heapq
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import date

import frappe
from frappe import _
from frappe.utils import getdate

from marketing_automation.engine import faults, ledger, long_lists, plan, recipients, rules, schedule
from marketing_automation.engine.channel import action_types, channel_for
from marketing_automation.engine.faults import Faults
from marketing_automation.engine.language import in_the_sites_language
from marketing_automation.engine.model import COMPLETED, OPEN, DueEvent, Rule
from marketing_automation.engine.schedule import Window
from marketing_automation.engine.transaction import committed

CAMPAIGN = "Lifecycle Campaign"
# Before and after: a week without a second mail.
DAYS = 7
# Named, of all customers who hear from both.
EXAMPLES = 3
HEARD = (*OPEN, COMPLETED)


def reaching() -> set[str]:
	"""Return the action types whose messages customers read: a ToDo about a customer is no message to them. No query."""
	return {
		action_type
		for action_type in action_types()
		# One that does not load sends nothing.
		if not faults.attempted(channel_for, action_type) and channel_for(action_type).REACHES_CUSTOMER
	}


def find(
	written_to: dict[str, set[str]], day: date, until: float = float("inf"), last: date | None = None
) -> tuple[list[dict], bool]:
	"""Return who hears from another active campaign within DAYS before or after, and whether that is all of it.

	written_to: {customer: the campaigns that write to them on `day`, or from then to `last`}; by channels that are `reaching`.
	until: the moment (time.monotonic) after which no more is looked at.
	Returns [{"campaign", "customers", "examples"}], most customers first: the other campaign, of those that the
	session's user may see; how many hear from it; the names of some. Queries: at most 12, and for each 5,000 serial
	numbers that are about to be due by another campaign, at most 6, and one for each rule with filters.
	"""
	if not written_to:
		return [], True
	names = frappe.get_list(CAMPAIGN, filters={"is_active": 1}, pluck="name", order_by="name asc")
	others = set(names)
	if len(campaigns := set.union(*written_to.values())) == 1:
		others -= campaigns
	if not others:
		return [], True
	first = schedule.shifted(day, -DAYS) or date.min
	last = schedule.shifted(last or day, DAYS) or date.max
	heard, complete, today, read = defaultdict(set), True, getdate(), reaching()
	for campaign, customer in _heard(others, set(written_to), first, min(last, today), read):
		heard[campaign].add(customer)
	for events in _to_come(others, first, last):
		if time.monotonic() > until:
			complete = False
			break
		owned = zip(events, recipients.owners(events), strict=True)
		due = [
			(event, customer)
			for event, (customer, _reason) in owned
			if customer in written_to and customer not in heard[event.rule.campaign.name]
		]
		written = _written([event for event, _customer in due if event.night <= today])
		for event, customer in due:
			actions = [action for action in event.rule.actions if action.action_type in read]
			if any(_key(action.name, event) not in written for action in actions):
				heard[event.rule.campaign.name].add(customer)
	twice = {
		campaign: {customer for customer in customers if written_to[customer] - {campaign}}
		for campaign, customers in heard.items()
	}
	return _described({campaign: customers for campaign, customers in twice.items() if customers}), complete


def of_campaign(campaign: str) -> list[dict]:
	"""Return as `find` who of those that a campaign would write to in the next DAYS days hears from another too."""
	today = getdate()
	last = schedule.shifted(today, DAYS) or date.max
	written_to, read = defaultdict(set), reaching()
	loaded = rules.load([campaign], active_only=False)
	loaded = [
		rule
		for rule in loaded
		if rule.trigger.enabled
		and any(action.enabled and action.action_type in read for action in rule.actions)
	]
	windows = [(rule, plan.within(rule, today, last)) for rule in faults.sound(loaded, Faults())]
	for events in faults.stream([(rule, window) for rule, window in windows if window], Faults()):
		for customer, _reason in recipients.owners(events):
			if customer:
				written_to[customer].add(campaign)
	found, _complete = find(written_to, today, last=last)
	return found


def texts(overlaps: list[dict]) -> list[str]:
	"""Return what to say of overlaps, one plain text for each other campaign."""
	return [
		(
			_("1 customer also hears from the campaign {0} within {1} days: {2}.")
			if overlap["customers"] == 1
			else _("{3} customers also hear from the campaign {0} within {1} days, among them {2}.")
		).format(overlap["campaign"], DAYS, ", ".join(overlap["examples"]), overlap["customers"])
		for overlap in overlaps
	]


def enqueue(run: str) -> None:
	"""Have a background job note the overlaps of a run. A note only: nothing else waits for it, or fails with it."""
	frappe.enqueue(note, queue="long", run=run, now=frappe.flags.in_test)


@in_the_sites_language
def note(run: str) -> None:
	"""Write on a run who of its customers hears from another campaign that night or has in the DAYS before. The entry
	point of the background job.

	What others send later is noted by their own runs. 3 queries, and 3 where there is more than one campaign.
	"""
	night = frappe.db.get_value(ledger.RUN, run, "night")
	first = schedule.shifted(night, -DAYS) or date.min
	if len(_campaigns_since(first)) < 2:
		return
	rows = frappe.db.sql(
		f"""with mine as (
			select distinct customer, campaign from `tab{ledger.DOCTYPE}`
			where run = %(run)s and status in %(heard)s and customer is not null and customer != ''
				and channel in %(reaching)s
		)
		select other.campaign, count(distinct other.customer),
			group_concat(distinct other.customer order by other.customer separator '\\n' limit {EXAMPLES})
		from mine join `tab{ledger.DOCTYPE}` other
			on other.customer = mine.customer and other.campaign != mine.campaign
		where other.due_on between %(first)s and %(night)s and other.status in %(heard)s
			and other.channel in %(reaching)s
		group by other.campaign
		order by 2 desc, 1""",
		{"run": run, "heard": HEARD, "first": first, "night": night, "reaching": tuple(reaching()) or ("",)},
	)
	examples = {campaign: some.split("\n") for campaign, _count, some in rows}
	names = _names({customer for some in examples.values() for customer in some})
	found = [
		{
			"campaign": campaign,
			"customers": count,
			"examples": [names.get(customer) or customer for customer in examples[campaign]],
		}
		for campaign, count, _some in rows
	]
	if found:
		committed(_write, run, "\n".join(texts(found)))


def _write(run: str, text: str) -> None:
	# Of a run that is under way `modified` is the sign of life.
	frappe.db.set_value(ledger.RUN, run, "overlaps", text, update_modified=False)


def _campaigns_since(first: date) -> set[str]:
	"""Return the campaigns of which something was due since a date. 2 queries, the first of an index alone."""
	log = frappe.qb.DocType(ledger.DOCTYPE)
	actions = frappe.qb.from_(log).select(log.action).distinct().where(log.due_on >= first).run()
	return set(
		frappe.get_all(
			"Lifecycle Action",
			filters={"name": ["in", [action for (action,) in actions]]},
			pluck="campaign",
			distinct=True,
			order_by="campaign asc",
		)
	)


def _heard(
	campaigns: set[str], customers: set[str], first: date, last: date, read: set[str]
) -> list[tuple[str, str]]:
	"""Return (campaign, customer) of what the ledger has of these between two nights, by the channels `read`. 1 query, by
	the customers."""
	if first > last:
		return []
	log = frappe.qb.DocType(ledger.DOCTYPE)
	query = (
		frappe.qb.from_(log)
		.select(log.campaign, log.customer)
		.distinct()
		.where(long_lists.among(log.customer, "customers"))
		.where(long_lists.among(log.campaign, "campaigns"))
		.where(log.due_on >= first)
		.where(log.due_on <= last)
		.where(log.status.isin(HEARD))
		.where(log.channel.isin(sorted(read) or [""]))
	)
	return long_lists.run(query, customers=sorted(customers), campaigns=sorted(campaigns))


def _key(action: str, event: DueEvent) -> tuple:
	return action, event.reference_doctype, event.reference_name, event.occurrence


def _written(events: list[DueEvent]) -> set[tuple]:
	"""Return the keys of what the ledger has of these events: it knows what became of them. 1 query.

	A run takes its last night once more, so what is to come is not all new.
	"""
	if not events:
		return set()
	log = frappe.qb.DocType(ledger.DOCTYPE)
	query = (
		frappe.qb.from_(log)
		.select(log.action, log.reference_doctype, log.reference_name, log.occurrence_date)
		.where(long_lists.among(log.reference_name, "names"))
		.where(long_lists.among(log.action, "actions"))
	)
	return set(
		long_lists.run(
			query,
			names=sorted({event.reference_name for event in events}),
			actions=sorted({action.name for event in events for action in event.rule.actions}),
		)
	)


def _to_come(campaigns: set[str], first: date, last: date) -> Iterator[list]:
	"""Yield the due events of active campaigns that no run has taken yet, up to a night."""
	loaded = faults.sound(rules.load(campaigns), Faults())
	next_run = {rule.trigger.name: window for rule, window in plan.windows_for_run(loaded, getdate())}
	yield from faults.stream(
		[(rule, window) for rule in loaded if (window := _window(rule, next_run, first, last))], Faults()
	)


def _window(rule: Rule, next_run: dict[str, Window], first: date, last: date) -> Window:
	taken_by_next = next_run.get(rule.trigger.name)
	return plan.within(rule, max(first, taken_by_next.first if taken_by_next else getdate()), last)


def _described(twice: dict[str, set[str]]) -> list[dict]:
	"""Return what is said of {campaign: customers}. 1 query."""
	examples = {campaign: heapq.nsmallest(EXAMPLES, customers) for campaign, customers in twice.items()}
	names = _names({customer for some in examples.values() for customer in some})
	return [
		{
			"campaign": campaign,
			"customers": len(customers),
			"examples": [names.get(customer) or customer for customer in examples[campaign]],
		}
		for campaign, customers in sorted(twice.items(), key=lambda entry: (-len(entry[1]), entry[0]))
	]


def _names(customers: set[str]) -> dict[str, str]:
	return dict(
		frappe.get_all(
			"Customer",
			filters={"name": ["in", sorted(customers)]},
			fields=["name", "customer_name"],
			as_list=True,
			order_by="name asc",
		)
	)
