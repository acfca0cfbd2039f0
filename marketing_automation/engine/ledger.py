"""The ledger: planned messages in, claimed rows out. The only module that writes Lifecycle Execution Log.

Two unique indexes of the database decide what may be sent: `message_key` (this action, this reference, this
occurrence, this customer; no customer while nobody knows one) and, where a campaign sends each customer each message once,
`suppression_key` (this action, this customer). A row is claimed by an INSERT IGNORE that did not lose on either; no
SELECT is asked first.
"""

import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from operator import attrgetter

import frappe
from frappe.query_builder.functions import Count
from frappe.utils import add_to_date, create_batch, now_datetime

from marketing_automation.engine import long_lists
from marketing_automation.engine.model import (
	CANCELLED,
	COMPLETED,
	FAILED,
	KEY_LENGTH,
	ONCE_PER_CUSTOMER,
	ONCE_PER_EXPIRY,
	PENDING,
	QUEUED,
	SKIPPED,
	PlannedMessage,
	Reason,
	message_key,
	suppression_key,
)

DOCTYPE = "Lifecycle Execution Log"
RUN = "Lifecycle Run"
CLEARED_AT_ONCE = 5000
READ_AT_ONCE = 2000
# So many rows, or groups of rows that get the same, are told apart in one UPDATE.
CASES_AT_ONCE = 100
COUNTED_EVERY_SECONDS = 10
STATUSES = (PENDING, QUEUED, COMPLETED, FAILED, SKIPPED, CANCELLED)

# From which status a row may go where. What has been sent stays so; what was not can be tried again (`reopen`). What was
# Queued and is taken out of its queue unsent is Pending again.
TRANSITIONS = {
	PENDING: {QUEUED, FAILED, SKIPPED, CANCELLED},
	QUEUED: {COMPLETED, FAILED, CANCELLED, PENDING},
	FAILED: {PENDING},
	SKIPPED: {PENDING},
	CANCELLED: {PENDING},
}
UNSENT = {FAILED, SKIPPED, CANCELLED}

# model.message_key, in the database.
KEY_IN_SQL = (
	"left(sha2(concat_ws(char(31 using utf8mb4), action, reference_doctype, reference_name,"
	f" cast(occurrence_date as char), ifnull(customer, '')), 256), {KEY_LENGTH})"
)

# What it takes to look at a row again.
FIELDS = (
	*("name", "campaign", "trigger", "action", "company", "run", "due_on", "status", "reason", "attempts"),
	*("customer", "reference_doctype", "reference_name", "item_code", "occurrence_date"),
	*("message_key", "suppression_key", "next_attempt_at", "email_queue"),
)

# What a run is when nothing of it is Pending any more.
ENDS_AS = {"Delivering": "Completed", "Failed": "Failed"}

# What each row has for itself, and what many rows have in common.
OWN = ("name", "message_key", "suppression_key", "customer", "reference_name", "recipient")
COMMON = (
	"campaign",
	"trigger",
	"action",
	"company",
	"reference_doctype",
	"item_code",
	"occurrence_date",
	"due_on",
	"status",
	"reason",
	"error",
)


@dataclass(slots=True)
class _Row:
	"""A message as it is to be written: what is due, and what becomes of it."""

	message: PlannedMessage
	message_key: str
	suppression_key: str | None
	status: str
	reason: str | None
	name: str | None = None


def claim(messages: list[PlannedMessage], run: str) -> int:
	"""Write the messages that no run has written yet; return how many. 1 to 5 queries. The caller commits.

	A message whose customer nobody knows is written only if there is none about the same yet, whoever that was for.
	One that loses on its suppression key gets a row too: Skipped (Reason.ALREADY_TOLD), or, where the campaign
	combines, a place in the message that the same run is about to send to that customer.
	"""
	known = latest_of_events([message for message in messages if not message.recipient.customer])
	rows = [
		_Row(
			message,
			message.message_key,
			# Only what is going to be sent holds the customer's key.
			message.suppression_key if message.status == PENDING else None,
			message.status,
			message.reason,
		)
		for message in messages
		if message.recipient.customer or event_of(message) not in known
	]
	count = _insert(rows, run)
	keyed = [row for row in rows if row.suppression_key]
	if not keyed:
		return count

	written = _written([row.name for row in rows])
	lost = [row for row in keyed if row.name not in written]
	winners = _winners([row.suppression_key for row in lost])
	for row in lost:
		combines = row.message.campaign.combine_messages
		shares = combines and winners.get(row.suppression_key) == (run, PENDING)
		row.suppression_key = None
		if not shares:
			row.status, row.reason = SKIPPED, Reason.ALREADY_TOLD
	return count + _insert(lost, run)


def event_of(message: PlannedMessage) -> tuple:
	"""Return what a message is about, whoever it is for."""
	event = message.event
	return message.action["name"], event.reference_doctype, event.reference_name, event.occurrence


def latest_of_events(messages: list[PlannedMessage], columns: Iterable[str] = ()) -> dict[tuple, dict]:
	"""Return {`event_of`: the latest row about the same event, of any customer or of none}. At most 1 query."""
	if not messages:
		return {}
	table = frappe.qb.DocType(DOCTYPE)
	keys = ("action", "reference_doctype", "reference_name", "occurrence_date")
	query = (
		frappe.qb.from_(table)
		.select(*[table[column] for column in {*keys, *columns}])
		.where(long_lists.among(table.reference_name, "names"))
		.where(long_lists.among(table.occurrence_date, "days"))
		.orderby(table.name)
	)
	names = {message.event.reference_name for message in messages}
	days = {message.event.occurrence for message in messages}
	rows = long_lists.run(query, as_dict=True, names=names, days=days)
	return {tuple(row[key] for key in keys): row for row in rows}


def _names(count: int) -> list[str]:
	"""Return new names that sort by time, so that rows are appended to the table instead of scattered over it.

	The lists and the settling read along them, too. Those of one call differ by their number, those of two calls in
	the same millisecond by chance.
	"""
	stem = f"{time.time_ns() // 1_000_000:011x}{os.urandom(4).hex()}"
	return [f"{stem}{number:04x}" for number in range(count)]


def _insert(rows: list[_Row], run: str) -> int:
	"""Insert the rows that lose on no unique index, and give them their names; return how many. 1 query."""
	if not rows:
		return 0
	# In the order of the unique index, so that runs side by side wait for each other instead of deadlocking.
	rows = sorted(rows, key=attrgetter("message_key"))
	parameters = {"now": now_datetime(), "user": frappe.session.user, "run": run, "pending": PENDING}
	values, groups = [], {}
	for number, (row, row.name) in enumerate(zip(rows, _names(len(rows)), strict=True)):
		event, recipient = row.message.event, row.message.recipient
		group = (
			row.message.campaign["name"],
			event.rule.trigger["name"],
			row.message.action["name"],
			event.company,
			event.reference_doctype,
			event.item_code,
			event.occurrence,
			event.night,
			row.status,
			row.reason,
			row.message.error,
		)
		parameters[f"{number}a"] = recipient.customer
		parameters[f"{number}b"] = event.reference_name
		parameters[f"{number}c"] = (recipient.email or "")[:140] or None
		# Names and keys are hex digits: nothing to quote.
		once = f"'{row.suppression_key}'" if row.suppression_key else "null"
		values.append(
			f"({groups.setdefault(group, len(groups))},'{row.name}','{row.message_key}',{once},"
			f"%({number}a)s,%({number}b)s,%({number}c)s)"
		)
	shared = []
	for group, number in groups.items():
		keys = [f"{column}{number}" for column in COMMON]
		parameters.update(zip(keys, group, strict=True))
		shared.append(f"({number},%({')s,%('.join(keys)})s)")
	own, common = (", ".join(f"`{column}`" for column in columns) for columns in (OWN, COMMON))
	# What rows share goes to the database once for all of them: to read it for each took a sixth of its time.
	frappe.db.sql(
		f"""insert ignore into `tab{DOCTYPE}`
			({own}, {common}, creation, modified, owner, modified_by, run, executed_at)
		with own (number, {own}) as (values {",".join(values)}),
			common (number, {common}) as (values {",".join(shared)})
		select {own}, {common}, %(now)s, %(now)s, %(user)s, %(user)s, %(run)s,
			case when status = %(pending)s then null else %(now)s end
		from own join common on common.number = own.number
		order by message_key""",
		parameters,
	)
	return frappe.db._cursor.rowcount


def _written(names: list[str]) -> set[str]:
	table = frappe.qb.DocType(DOCTYPE)
	query = frappe.qb.from_(table).select(table.name).where(long_lists.among(table.name, "names"))
	return {name for (name,) in long_lists.run(query, names=names)}


def _winners(keys: list[str]) -> dict[str, tuple[str, str]]:
	"""Return (run, status) of the rows that hold these suppression keys. At most 1 query."""
	if not keys:
		return {}
	table = frappe.qb.DocType(DOCTYPE)
	query = (
		frappe.qb.from_(table)
		.select(table.suppression_key, table.run, table.status)
		.where(long_lists.among(table.suppression_key, "keys"))
	)
	return {key: (run, status) for key, run, status in long_lists.run(query, keys=keys)}


def held(keys: set[str]) -> set[str]:
	"""Return which of these suppression keys some row holds: their customers have the message, or are to get it. At most 1 query."""
	return set(_winners(list(keys)))


def pending_together(campaign: str, customers: set[str]) -> tuple[list[str], set[str]]:
	"""Return the Pending rows of a campaign that go out in one message with others of these customers, and for which of
	the customers a run is still claiming: nothing goes out to those until it has all. 1 query.

	Neither where the campaign does not combine.
	"""
	table, doc, run = (
		frappe.qb.DocType(DOCTYPE),
		frappe.qb.DocType("Lifecycle Campaign"),
		frappe.qb.DocType(RUN),
	)
	query = (
		frappe.qb.from_(doc)
		.join(table)
		.on(table.campaign == doc.name)
		.left_join(run)
		.on(run.name == table.run)
		.select(table.name, table.customer, run.status)
		.where(long_lists.among(doc.name, "campaigns") & (doc.combine_messages == 1))
		.where(long_lists.among(table.customer, "customers"))
		.where(table.status == PENDING)
	)
	rows = long_lists.run(query, campaigns=[campaign], customers=customers)
	claimed = {customer for _name, customer, status in rows if status == "Running"}
	return [name for name, customer, _status in rows if customer not in claimed], claimed


def lock_pending(names: list[str]) -> list[dict]:
	"""Return those of the rows that are still Pending (FIELDS), locked until the caller commits. 1 query.

	A second worker on the same rows waits here, and then finds that they are not Pending any more.
	"""
	return frappe.db.sql(
		f"select {', '.join(f'`{field}`' for field in FIELDS)} from `tab{DOCTYPE}`"
		" where name in %(names)s and status = %(status)s order by name for update",
		{"names": names, "status": PENDING},
		as_dict=True,
	)


def update(changes: dict[str, dict], was: str) -> None:
	"""Move rows on from status `was`: {name: {"status": ..., field: value}}. The caller commits.

	Rows that have left `was` meanwhile stay as they are. A row that is not going to be sent gives its suppression
	key back, so that the message can go out for the customer's next product; not one that may have been sent. Raises ValueError on a
	step that does not exist. Queries: one for all the rows that get the same, or for CASES_AT_ONCE that do not.
	"""
	for values in changes.values():
		if values["status"] not in TRANSITIONS[was]:
			raise ValueError(f"no step from {was} to {values['status']}")
		if values["status"] in UNSENT and values.get("reason") != Reason.OUTCOME_UNKNOWN:
			values["suppression_key"] = None
	_write(changes, [was])


def _write(changes: dict[str, dict], was: Iterable[str], ignore: bool = False) -> None:
	"""Write {name: {field: value}} into the rows that have one of these statuses; queries as `update`.

	ignore: what loses on a unique index stays as it is, instead of raising.
	"""
	groups = defaultdict(list)
	for name, values in changes.items():
		groups[tuple(sorted(values.items()))].append(name)
	# Many rows that get the same are written by themselves: no row is held against each of many others.
	large = [[entry] for entry in groups.items() if len(entry[1]) > CASES_AT_ONCE]
	small = [entry for entry in groups.items() if len(entry[1]) <= CASES_AT_ONCE]
	for some in (*large, *create_batch(small, CASES_AT_ONCE)):
		_write_groups([(dict(values), names) for values, names in some], list(was), ignore)


def _write_groups(groups: list[tuple[dict, list[str]]], was: list[str], ignore: bool) -> None:
	"""Write the values of each group into its rows. 1 query."""
	parameters = {
		"now": now_datetime(),
		"user": frappe.session.user,
		"was": was,
		"names": [name for _values, names in groups for name in names],
	}
	parameters |= {f"names{number}": names for number, (_values, names) in enumerate(groups)}
	assignments = ["modified = %(now)s", "modified_by = %(user)s"]
	for column in sorted({column for values, _names in groups for column in values}):
		having = [
			(number, values[column]) for number, (values, _names) in enumerate(groups) if column in values
		]
		if len(having) == len(groups) and len({value for _number, value in having}) == 1:
			parameters[column] = having[0][1]
			assignments.append(f"`{column}` = %({column})s")
			continue
		cases = []
		for number, value in having:
			parameters[f"{column}{number}"] = value
			cases.append(f"when name in %(names{number})s then %({column}{number})s")
		assignments.append(f"`{column}` = case {' '.join(cases)} else `{column}` end")
	frappe.db.sql(
		f"update {'ignore ' if ignore else ''}`tab{DOCTYPE}` set {', '.join(assignments)}"
		" where name in %(names)s and status in %(was)s",
		parameters,
	)


def move_on(rows: list[dict], changes: dict[str, dict]) -> None:
	"""Move rows on from Pending as `update` does; a combined message keeps its customer's key as long as it is sent.

	rows: from `lock_pending`, each with its change. A key that one of them gives back goes to another of the same
	action and customer that is sent. Queries: twice those of `update`. The caller commits.
	"""
	unsent = {name: values for name, values in changes.items() if values["status"] in UNSENT}
	freed = {
		(row.action, row.customer): row.suppression_key
		for row in rows
		if row.suppression_key and row.name in unsent
	}
	for row in rows:
		if row.name not in unsent and (key := freed.pop((row.action, row.customer), None)):
			changes[row.name]["suppression_key"] = key
	# Each row is held against the unique index by itself: keys are given back before they are taken.
	update(unsent, was=PENDING)
	update({name: values for name, values in changes.items() if name not in unsent}, was=PENDING)


def reopen(rows: list[dict]) -> set[str]:
	"""Make Failed, Skipped or Cancelled rows Pending again; return the names of those that now are.

	rows: all their fields, with the customer who it goes to now. What the customer has been sent meanwhile loses on
	one of the two keys, as it would have when it was claimed, and stays as it is. Queries: 3, and one for each
	CASES_AT_ONCE rows, or twice that where customers get a message once. The caller commits.
	"""
	campaigns = {
		row.name: row
		for row in frappe.get_all(
			"Lifecycle Campaign",
			filters={"name": ["in", list({row.campaign for row in rows})]},
			fields=["name", "duplicate_policy", "combine_messages"],
			order_by="name asc",
		)
	}
	changes = {
		row.name: {
			"status": PENDING,
			"customer": row.customer,
			"message_key": _message_key(row),
			"suppression_key": suppression_key(row.action, row.customer)
			if campaigns[row.campaign].duplicate_policy == ONCE_PER_CUSTOMER and row.customer
			else None,
			"reason": None,
			"error": None,
			"executed_at": None,
			"next_attempt_at": None,
		}
		for row in rows
	}
	# Whoever holds the customer's key already comes first.
	for holds in (True, False):
		_write(
			{row.name: changes[row.name] for row in rows if bool(row.suppression_key) == holds},
			was=UNSENT,
			ignore=True,
		)
	pending = _pending_of(list(changes))
	# Those who share the message that holds it come after it.
	lost = [row for row in rows if row.name not in pending and changes[row.name]["suppression_key"]]
	winners = _winners([changes[row.name]["suppression_key"] for row in lost])
	sharing = {
		row.name: {**changes[row.name], "suppression_key": None}
		for row in lost
		if campaigns[row.campaign].combine_messages
		and winners.get(changes[row.name]["suppression_key"]) == (row.run, PENDING)
	}
	if sharing:
		_write(sharing, was=UNSENT, ignore=True)
		pending |= _pending_of(list(sharing))
	return pending


def _pending_of(names: list[str]) -> set[str]:
	return set(
		frappe.get_all(
			DOCTYPE, filters={"name": ["in", names], "status": PENDING}, pluck="name", order_by="name asc"
		)
	)


def assign(rows: list[dict]) -> None:
	"""Put its first owner into each row that had none, with its key and with what keeps it from being sent now.

	rows: all their fields, with the new customer, status and reason. Where that customer has a row of their own by now,
	it stays as it is. One query for each CASES_AT_ONCE rows. The caller commits.
	"""
	changes = {
		row.name: {
			"customer": row.customer,
			"message_key": _message_key(row),
			"status": row.status,
			"reason": row.reason,
		}
		for row in rows
	}
	_write(changes, was=(SKIPPED, FAILED), ignore=True)


def _message_key(row: dict) -> str:
	return message_key(
		row.action, row.reference_doctype, row.reference_name, row.occurrence_date, row.customer
	)


def give_up(names: list[str]) -> None:
	"""Try these Failed rows no more by themselves; they stay as they are. 1 query. The caller commits."""
	table = frappe.qb.DocType(DOCTYPE)
	frappe.qb.update(table).set(table.next_attempt_at, None).where(table.name.isin(names)).where(
		table.status == FAILED
	).run()


def mails_of_paused(mails: list[str]) -> set[str]:
	"""Return those of these Email Queue rows whose campaign is not active. 1 query."""
	table, campaign = frappe.qb.DocType(DOCTYPE), frappe.qb.DocType("Lifecycle Campaign")
	rows = (
		frappe.qb.from_(table)
		.join(campaign)
		.on(campaign.name == table.campaign)
		.select(table.email_queue)
		.where(table.email_queue.isin(mails))
		.where(campaign.is_active == 0)
	).run()
	return {name for (name,) in rows}


def touch(names: list[str]) -> None:
	"""Write down that Pending rows were taken up just now. 1 query. The caller commits."""
	table = frappe.qb.DocType(DOCTYPE)
	frappe.qb.update(table).set(table.modified, now_datetime()).where(table.name.isin(names)).where(
		table.status == PENDING
	).run()


def interrupted(names: list[str], error: str) -> None:
	"""Write down that Pending rows could not be delivered, and why; they stay Pending. 1 query. The caller commits.

	So they are delivered after the others next time, and each by itself (`deliver`).
	"""
	table = frappe.qb.DocType(DOCTYPE)
	frappe.qb.update(table).set(table.attempts, table.attempts + 1).set(table.error, error[:2000]).set(
		table.modified, now_datetime()
	).where(table.name.isin(names)).where(table.status == PENDING).run()


def put_back(rows: list[dict]) -> None:
	"""Give Pending rows the attempts and the error that they had when they were read; queries as `update`.

	Takes back `interrupted`. The caller commits.
	"""
	_write({row.name: {"attempts": row.attempts, "error": row.error} for row in rows}, was=[PENDING])


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
	"""Return {"mails": how many mails a run has handed over, "products": {status: how many products its rows are
	about}}. 1 query; it reads the rows."""
	table = frappe.qb.DocType(DOCTYPE)
	rows = (
		frappe.qb.from_(table)
		.select(
			table.status,
			Count(table.email_queue).distinct(),
			Count(table.reference_name).distinct(),
		)
		.where(table.run == run)
		.groupby(table.status)
	).run()
	return {
		"mails": sum(mails for status, mails, _products in rows if status in (QUEUED, COMPLETED)),
		"products": {status: products for status, _mails, products in rows},
	}


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
				# It ends when nothing is Pending, however long what is Queued has to wait.
				{"run": run.name, "status": ["in", [PENDING, QUEUED] if run.finished_at else [PENDING]]},
			)
		}
	)


def pending(filters: dict) -> list[dict]:
	"""Return name, campaign, customer, run, attempts and error of the Pending rows, those of one customer together. 1 query.

	The campaign with the fewest rows comes first, so that it need not wait for the others.
	"""
	rows = frappe.get_all(
		DOCTYPE,
		filters={"status": PENDING, **filters},
		fields=["name", "campaign", "customer", "run", "attempts", "error"],
		order_by="campaign asc, customer asc, name asc",
	)
	sizes = Counter(row.campaign for row in rows)
	return sorted(rows, key=lambda row: (sizes[row.campaign], row.campaign))


def pending_of_run(run: str) -> Iterator[dict]:
	"""Yield name, campaign, customer and run of what is Pending of a run of any size, in the order of `pending`.

	A query for each READ_AT_ONCE rows and campaign, along the index on run, status, campaign and customer, so that
	nothing is sorted.
	"""
	table = frappe.qb.DocType(DOCTYPE)
	sizes = (
		frappe.qb.from_(table)
		.select(table.campaign, Count("*"))
		.where((table.run == run) & (table.status == PENDING))
		.groupby(table.campaign)
	).run()
	for campaign, _size in sorted(sizes, key=lambda row: (row[1], row[0])):
		page = (
			frappe.qb.from_(table)
			.select(table.name, table.campaign, table.customer, table.run)
			.where((table.run == run) & (table.status == PENDING) & (table.campaign == campaign))
			.orderby(table.customer)
			.orderby(table.name)
			.limit(READ_AT_ONCE)
		)
		rows = page.run(as_dict=True)
		while rows:
			yield from rows
			last = rows[-1]
			rows = (
				page.where(table.customer >= last.customer)
				.where((table.customer > last.customer) | (table.name > last.name))
				.run(as_dict=True)
			)


def clear(until: date) -> None:
	"""Delete the rows that guard nothing any more, of expiries and nights before `until`. Commits.

	Never rows of campaigns that send each customer each message once: those guard for ever.
	"""
	campaigns = frappe.get_all(
		"Lifecycle Campaign",
		filters={"duplicate_policy": ONCE_PER_EXPIRY},
		pluck="name",
		order_by="name asc",
	)
	while names := frappe.get_all(
		DOCTYPE,
		filters={
			"campaign": ["in", campaigns],
			"status": ["not in", [PENDING, QUEUED]],
			"occurrence_date": ["<", until],
			"due_on": ["<", until],
			"suppression_key": ["is", "not set"],
		},
		pluck="name",
		order_by="name asc",
		limit_page_length=CLEARED_AT_ONCE,
	):
		frappe.db.delete(DOCTYPE, {"name": ["in", names]})
		frappe.db.commit()


def forget(email: str) -> int:
	"""Erase an address from the ledger and return from how many rows; their keys stay. 2 queries.

	Not from messages that are still on their way: they end first. The caller commits.
	"""
	# Found first, and then locked: the table is read to its end for this, and nobody should wait for that.
	names = frappe.get_all(
		DOCTYPE,
		filters={"recipient": email, "status": ["not in", [PENDING, QUEUED]]},
		pluck="name",
		order_by="name asc",
	)
	if names:
		# The server's words quote the address.
		frappe.db.set_value(
			DOCTYPE,
			{"name": ["in", names], "recipient": email},
			{"recipient": None, "error": None},
			update_modified=False,
		)
	return len(names)


def refers_to(field: str, name: str) -> bool:
	"""Say whether any row's `field` (campaign, trigger, action, run) is `name`. 1 or 2 queries."""
	filters = {field: name}
	if field == "trigger":
		# The ledger is found by its actions, each of which has one trigger.
		actions = frappe.get_all("Lifecycle Action", {"trigger": name}, pluck="name", order_by="name asc")
		filters["action"] = ["in", actions]
	return bool(frappe.db.exists(DOCTYPE, filters))


def drop_indexes(names: Iterable[str]) -> None:
	"""Drop those of the ledger's indexes that are there. Commits where it drops one. 1 query for each."""
	for name in names:
		if frappe.db.has_index(f"tab{DOCTYPE}", name):
			frappe.db.sql_ddl(f"alter table `tab{DOCTYPE}` drop index `{name}`")


def rename_reference(doctype: str, old: str, new: str) -> set[str]:
	"""Keep the keys true after a serial number or another reference was renamed, or merged; returns as `rekey`."""
	# Frappe renames what a Dynamic Link points to, but not where it has looked for such links before they were there.
	frappe.db.set_value(
		DOCTYPE,
		{"reference_doctype": doctype, "reference_name": old},
		"reference_name",
		new,
		update_modified=False,
	)
	return rekey({"reference_doctype": doctype, "reference_name": new})


def rename_customer(old: str, new: str) -> set[str]:
	"""Keep the keys true after a customer was renamed, or merged into another; returns as `rekey`."""
	frappe.db.set_value(DOCTYPE, {"customer": old}, "customer", new, update_modified=False)
	return rekey({"customer": new})


def rekey(filters: dict) -> set[str]:
	"""Give the rows that match the keys that they should have; return which Queued ones nobody should get any more.

	After a merge two rows can have a claim to one key. It goes to what has been sent, then to what is on its way, and so
	on; the other keeps none, so that it can never be sent, and is Skipped if it was about to be. 2 queries, and three for
	each CASES_AT_ONCE rows. The caller commits.
	"""
	# Locked: what a worker is about to send has been sent when this goes on.
	rows = frappe.db.sql(
		f"""select name, campaign, action, run, reference_doctype, reference_name, occurrence_date, customer,
			status, reason, message_key, suppression_key
		from `tab{DOCTYPE}` where {" and ".join(f"{field} = %({field})s" for field in filters)}
		order by name for update""",
		filters,
		as_dict=True,
	)
	once = set(
		frappe.get_all(
			"Lifecycle Campaign",
			filters={"duplicate_policy": ONCE_PER_CUSTOMER},
			pluck="name",
			order_by="name asc",
		)
	)
	keys = {
		row.name: {"message_key": row.message_key, "suppression_key": row.suppression_key} for row in rows
	}
	beaten = {}
	for key, claimants in _grouped(rows, _message_key):
		best = claimants[0]
		for row in claimants:
			keys[row.name]["message_key"] = key if row is best else None
			if row is not best:
				beaten[row.name] = row
	for (action, customer, campaign), of_customer in _grouped(
		rows, lambda row: (row.action, row.customer, row.campaign)
	):
		holders = [row for row in of_customer if row.suppression_key]
		if campaign not in once or not holders:
			continue
		best = next((row for row in of_customer if row.name not in beaten), of_customer[0])
		both = len({_has_moved(row) for row in holders}) > 1
		for row in of_customer:
			keys[row.name]["suppression_key"] = suppression_key(action, customer) if row is best else None
			# Each of the two has a message of their own, of one row or more: one of them goes out.
			if both and _has_moved(row) != _has_moved(best):
				beaten[row.name] = row
	changed = {
		row.name: keys[row.name]
		for row in rows
		if (row.message_key, row.suppression_key) != tuple(keys[row.name].values())
	}
	# Keys are given back before they are taken.
	_write({name: {"message_key": None, "suppression_key": None} for name in changed}, was=STATUSES)
	_write(changed, was=STATUSES)
	update(
		{
			name: {"status": SKIPPED, "reason": Reason.ALREADY_TOLD, "executed_at": now_datetime()}
			for name, row in beaten.items()
			if row.status == PENDING
		},
		was=PENDING,
	)
	return {name for name, row in beaten.items() if row.status == QUEUED}


def _grouped(rows: list[dict], key) -> Iterator[tuple]:
	"""Yield (key, rows) of the rows that have it in common, those that are nearest to the customer first."""
	groups = defaultdict(list)
	for row in rows:
		groups[key(row)].append(row)
	for key, found in groups.items():
		yield key, sorted(found, key=_rank)


def _has_moved(row: dict) -> bool:
	"""Say whether a row was about somebody, or something, of another name when it was written."""
	return row.message_key != _message_key(row)


def _rank(row: dict) -> tuple:
	"""Return what is lowest for the row that is nearest to the customer."""
	if row.status in UNSENT and row.reason != Reason.OUTCOME_UNKNOWN:
		rank = 4
	else:
		rank = [COMPLETED, QUEUED, FAILED, PENDING].index(row.status)
	return rank, not row.suppression_key, row.name
