"""Frequency cap: at most so many messages in so many days to one customer, over all campaigns and channels. Only reads.

What counts is what has left, or is about to: rows of the ledger that are Queued or Completed, or Failed with its outcome
unknown. Such a row is the reservation; one that fails otherwise gives it back by that. What leaves together counts once, and
service messages do not count. Days are calendar days in the site's time zone.

Of what is due at one moment the campaign with the higher priority comes first, and of equal ones the name that sorts
first. So a message also counts what is about to leave by those before it, and waits a moment instead of taking their place.

Besides the site's own cap, the profile of the customer's country can have one, and so can the customer, who has asked for less.

Right before messages leave the rows of their customers are locked. Two workers that write to one customer by two campaigns wait
for each other there, and the second reads what the first has committed: a plain read would show both the same past.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

import frappe
from frappe import _
from frappe.utils import cint

from marketing_automation.engine import consent, ledger, profiles, schedule, settings
from marketing_automation.engine.channel import channel_for, is_served
from marketing_automation.engine.gate import Answer, Asked, At, Check, Skip, Wait
from marketing_automation.engine.model import (
	COMPLETED,
	FAILED,
	PENDING,
	QUEUED,
	WAITING,
	Basis,
	Reason,
	message_key,
)
from marketing_automation.engine.names import folded

SERVICE = "Service"
SKIP = "Skip"
NORMAL = "Normal"
PRIORITIES = ("High", NORMAL, "Low")
# On a site whose settings are older than the cap.
DAYS = 7
# A message that gives way to another one looks again after this time: by then that one has left, or has not.
A_MOMENT = timedelta(minutes=15)
# So many days after its night a message has lost its meaning. Without an end those of a customer who wants one in three months
# would pile up, and each leave later than the one before.
MOST_WAIT = 31
# What is Pending for longer than this is stuck, and nobody gives way to it any more.
STUCK_AFTER = timedelta(days=1)


COLUMNS = (
	*("name", "customer", "campaign", "action", "channel", "handle", "status", "reason", "basis"),
	*("executed_at", "due_at", "modified", "message_key"),
)
# What has to be known of a campaign, besides its name.
OF_CAMPAIGN = ("is_active", "purpose", "priority", "combine_messages")


class Limit(NamedTuple):
	"""At most so many messages in so many days, that of the message included."""

	messages: int
	days: int


class Turn(NamedTuple):
	"""Whose turn it is: what is lower comes first. Of one campaign what is in the ledger comes before what is only planned."""

	rank: int
	campaign: str
	planned: bool
	name: str


class Sent(NamedTuple):
	"""A send that counts, on its day. name: that of a row of the ledger."""

	day: date
	name: str


class Ahead(NamedTuple):
	"""A send that is about to leave, and whose turn it is. unit: what leaves together has the same. name: a row, or None."""

	turn: Turn
	unit: tuple
	name: str | None


class Past(NamedTuple):
	"""What counts of one customer: what has left, by its day, and what is about to."""

	sent: list[Sent]
	ahead: list[Ahead]


class Cap(Check):
	"""Counts what customers get."""

	order = 600

	@property
	def label(self) -> str:
		"""What the gate calls it."""
		return _("Frequency cap", context="Lifecycle Check")

	def lock(self, customers: set[str], purpose: str | None, at: At) -> None:
		"""Lock what counts of these customers, in the order of their names, until the caller commits. At most 1 query.

		Also on a site that has set no cap: a country can have one, and a customer. Older rows than today's do not change.
		Service messages are neither counted nor held back, so they wait for nobody.
		"""
		if customers and purpose != SERVICE:
			_rows(customers, datetime.combine(at.night, time()), at, lock=True)

	def judge(self, asked: list[Asked], at: At) -> dict[int, Answer]:
		"""Return {index: Wait, or Skip where its campaign says so} of the messages whose customer has had enough.

		While it is only planned nothing is skipped that its campaign would skip: by the hour at which it may leave there can be
		room again. What would wait for longer than MOST_WAIT is skipped in any case. Queries: at
		most 2, and those of `_limits`.
		"""
		counted = [index for index, one in enumerate(asked) if _counts(one)]
		limited = _limits([asked[index] for index in counted])
		by_customer, limits = defaultdict(list), {}
		for index, of_one in zip(counted, limited, strict=True):
			if of_one:
				by_customer[folded(asked[index].recipient.customer)].append(index)
				limits[index] = of_one
		if not limits:
			return {}
		# A plan takes the last night once more: what became of its messages is known.
		keys = {_key(asked[index]): index for index in limits if not asked[index].row}
		customers = {asked[index].recipient.customer for index in limits}
		rows = _rows(customers, _since(limits.values(), at.night), at, lock=at.leaving, keys=keys)
		written = {keys.get(row.message_key) for row in rows}
		known = {one.event.rule.campaign.name: one.event.rule.campaign for one in asked}
		others = [row for row in rows if row.campaign not in known and row.get("is_active", 0) is not None]
		# Where rows are locked their campaigns are not.
		known |= (
			_campaigns({row.campaign for row in others})
			if at.leaving
			else {row.campaign: row for row in others}
		)
		pasts = _pasts(rows, known, at)
		found: dict[int, Answer] = {}
		for customer, indexes in by_customer.items():
			past = pasts.get(customer) or Past([], [])
			new = {index: asked[index] for index in indexes if index not in written}
			found |= _judged(new, limits, past, at)
		return found


def _judged(
	asked: dict[int, Asked], limits: dict[int, tuple[Limit, ...]], past: Past, at: At
) -> dict[int, Answer]:
	"""Return the answers to the messages of one customer, {index: answer}. No query."""
	units = defaultdict(list)
	for index, one in asked.items():
		units[_unit_of(one, index)].append(index)
	own, ahead, found = set(units), [one for one in past.ahead if one.unit not in units], {}
	turns = {unit: min(_turn_of(asked[index], index) for index in indexes) for unit, indexes in units.items()}
	for unit in sorted(own, key=turns.get):
		first = asked[units[unit][0]]
		answer = verdict(
			[limit for index in units[unit] for limit in limits[index]],
			past.sent,
			sorted(one for one in ahead if one.turn < turns[unit]),
			at,
			skips=first.event.rule.campaign.when_capped == SKIP,
		)
		if answer:
			found |= {index: _within_patience(answer, asked[index]) for index in units[unit]}
		else:
			# It takes a place, from those after it.
			row = first.row["name"] if first.row else None
			ahead.append(Ahead(turns[unit], unit, row))
	return found


def _within_patience(answer: Answer, one: Asked) -> Answer:
	"""Return Skip in place of a Wait that would end too long after the night of a message."""
	due_on = one.row["due_on"] if one.row else one.event.night
	if isinstance(answer, Wait) and (answer.until.date() - due_on).days > MOST_WAIT:
		return Skip(answer.reason, answer.evidence)
	return answer


def verdict(
	limits: Iterable[Limit], sent: list[Sent], ahead: list[Ahead], at: At, skips: bool
) -> Answer | None:
	"""Return Wait or Skip for a message of a customer who has had enough by any of the limits, else None. Pure.

	sent: in the order of their days. ahead: what is about to leave before it. skips: it would rather be skipped than wait.
	"""
	until, by, gives_way = None, None, False
	for limit in limits:
		first = schedule.shifted(at.night, 1 - limit.days) or date.min
		counted = [one for one in sent if first <= one.day <= at.night]
		if len(counted) >= limit.messages:
			# When this one leaves the period, fewer are left in it than may be.
			leaves = counted[len(counted) - limit.messages] if limit.messages else counted[-1]
			free = schedule.shifted(leaves.day, limit.days) or date.max
			if until is None or free > until:
				until, by = free, leaves
		elif len(counted) + len(ahead) >= limit.messages:
			gives_way = True
	if until is None and not gives_way:
		return None
	if until is None:
		name = next((one.name for one in ahead if one.name), None)
		return Wait(at.now + A_MOMENT, Reason.FREQUENCY_CAP, _evidence(name))
	if skips and at.leaving:
		return Skip(Reason.FREQUENCY_CAP, _evidence(by.name))
	return Wait(datetime.combine(until, time()), Reason.FREQUENCY_CAP, _evidence(by.name))


def _evidence(name: str | None) -> tuple[str, str] | None:
	return (ledger.DOCTYPE, name) if name else None


def _counts(one: Asked) -> bool:
	return bool(one.recipient.customer) and one.event.rule.campaign.purpose != SERVICE


def _unit_of(one: Asked, index: int) -> tuple:
	"""Return what is the same for the messages that leave as one."""
	if one.event.rule.campaign.combine_messages:
		return _combined(one.action["name"], one.recipient.customer)
	return ("row", one.row["name"]) if one.row else ("planned", index)


def _combined(action: str, customer: str) -> tuple:
	return "combined", action, folded(customer)


def _turn_of(one: Asked, index: int) -> Turn:
	campaign = one.event.rule.campaign
	name = one.row["name"] if one.row else f"{one.event.occurrence} {one.event.reference_name} {index:09}"
	return Turn(_rank(campaign.priority), campaign.name, not one.row, name)


def _rank(priority: str | None) -> int:
	return PRIORITIES.index(priority) if priority in PRIORITIES else PRIORITIES.index(NORMAL)


# -- how much a customer may get -----------------------------------------------------------------------------------


def site_limit() -> Limit | None:
	"""Return the limit of the settings; None where none is set. At most 1 query."""
	kept = settings.stored()
	messages, days = cint(kept.get("cap_messages")), cint(kept.get("cap_days")) or DAYS
	return Limit(messages, days) if messages > 0 else None


def _limits(asked: list[Asked]) -> list[tuple[Limit, ...]]:
	"""Return the limits that hold for each message: the site's, the law's in the customer's country, and the customer's own
	wish. At most 2 queries, and those of `profiles.profiles` and `consent.less_often`."""
	if not asked:
		return []
	everybody = site_limit()
	of_country = profiles.profiles([(one.recipient.customer, one.event.company) for one in asked])
	wishes = consent.less_often({id(one.recipient): one.recipient for one in asked}.values())
	found = []
	for one, profile in zip(asked, of_country, strict=True):
		wish = wishes.get(consent.normal(one.recipient.address)) or wishes.get(one.recipient.contact)
		limits = (
			everybody,
			profile.per_day and Limit(profile.per_day, 1),
			profile.per_week and Limit(profile.per_week, 7),
			wish and Limit(*wish),
		)
		found.append(tuple(filter(None, limits)))
	return found


def _since(limits: Iterable[tuple[Limit, ...]], night: date) -> datetime:
	"""Return the first moment of the longest period that ends with a day."""
	days = max(limit.days for some in limits for limit in some)
	return datetime.combine(schedule.shifted(night, 1 - days) or date.min, time())


# -- what they got -------------------------------------------------------------------------------------------------


def _pasts(rows: list[dict], campaigns: dict[str, dict], at: At) -> dict[str, Past]:
	"""Return {folded customer: what counts of them} of ledger rows and their campaigns. No query."""
	reaching = {action_type for action_type in {row.channel for row in rows} if _reaches(action_type)}
	sent, ahead = defaultdict(dict), defaultdict(list)
	for row in rows:
		campaign = campaigns.get(row.campaign)
		if not campaign or row.channel not in reaching:
			continue
		if row.basis == Basis.SERVICE or (not row.basis and campaign.purpose == SERVICE):
			continue
		customer = folded(row.customer)
		if row.status in (COMPLETED, QUEUED) or row.reason == Reason.OUTCOME_UNKNOWN:
			# What is on its way leaves today.
			day = at.night if row.status == QUEUED else (row.executed_at or row.modified).date()
			key = (row.channel, row.handle) if row.handle else row.name
			known = sent[customer].get(key)
			if not known or known.day < day:
				sent[customer][key] = Sent(day, row.name)
		elif row.status in (PENDING, WAITING) and campaign.is_active and _is_awake(row, at.now):
			ahead[customer].append(_ahead(row, campaign))
	return {
		customer: Past(sorted(sent[customer].values()), _once(ahead[customer]))
		for customer in {*sent, *ahead}
	}


def _is_awake(row: dict, now: datetime) -> bool:
	"""Say whether a row is about to leave, and not stuck, or waiting for a later moment."""
	since = max(row.due_at or row.modified, row.modified)
	return (row.status == PENDING or row.due_at <= now) and since > now - STUCK_AFTER


def _ahead(row: dict, campaign: dict) -> Ahead:
	unit = _combined(row.action, row.customer) if campaign.combine_messages else ("row", row.name)
	return Ahead(Turn(_rank(campaign.priority), campaign.name, False, row.name), unit, row.name)


def _once(ahead: list[Ahead]) -> list[Ahead]:
	"""Return the first of those that leave together, of each, in the order of their turns."""
	found = {}
	for one in sorted(ahead):
		found.setdefault(one.unit, one)
	return list(found.values())


def _rows(customers: set[str], since: datetime, at: At, lock: bool, keys: Iterable[str] = ()) -> list[dict]:
	"""Return the ledger's rows of customers that may count, on any day from a moment on, and those with one of the message
	keys, whatever became of them; with what has to be known of their campaigns (OF_CAMPAIGN) where nothing is locked. 1 query.

	lock: until the caller commits; what others have committed meanwhile is read then, also by a transaction that began before.
	The index on the customer leads there, so rows are locked in the order of the customers.
	"""
	table, campaign = f"`tab{ledger.DOCTYPE}` log", "`tabLifecycle Campaign` campaign"
	columns = [f"log.{column}" for column in COLUMNS]
	if not lock:
		columns += [f"campaign.{column}" for column in OF_CAMPAIGN]
		table = f"{table} left join {campaign} on campaign.name = log.campaign"
	select = f"select {', '.join(columns)} from {table}"
	written = f" union all {select} where log.message_key in %(keys)s" if keys else ""
	executed = "ifnull(log.executed_at, log.modified) >= %(since)s"
	return frappe.db.sql(
		f"""{select}
		where log.customer in %(customers)s and (
			log.status in ('{PENDING}', '{QUEUED}')
			or (log.status = '{WAITING}' and log.due_at <= %(now)s)
			or (log.status = '{COMPLETED}' and {executed})
			or (log.status = '{FAILED}' and log.reason = '{Reason.OUTCOME_UNKNOWN}' and {executed})
		){written}{" for update" if lock else ""}""",
		{"customers": tuple(sorted(customers)), "now": at.now, "since": since, "keys": tuple(keys)},
		as_dict=True,
	)


def _key(one: Asked) -> str:
	"""Return the key of a planned message in the ledger."""
	event = one.event
	return message_key(
		one.action["name"],
		event.reference_doctype,
		event.reference_name,
		event.occurrence,
		one.recipient.customer,
	)


def _campaigns(names: set[str]) -> dict[str, dict]:
	"""Return what has to be known of campaigns. At most 1 query."""
	if not names:
		return {}
	rows = frappe.get_all(
		"Lifecycle Campaign",
		filters={"name": ["in", sorted(names)]},
		fields=["name", *OF_CAMPAIGN],
		order_by="name asc",
	)
	return {row.name: row for row in rows}


def _reaches(action_type: str | None) -> bool:
	return is_served(action_type) and channel_for(action_type).REACHES_CUSTOMER


CHECK = Cap()
