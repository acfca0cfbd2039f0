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
from operator import attrgetter

import frappe
from frappe.query_builder.functions import Count
from frappe.utils import create_batch, now_datetime

from marketing_automation import compat
from marketing_automation.engine import long_lists
from marketing_automation.engine.model import (
	CANCELLED,
	COMPLETED,
	FAILED,
	KEY_LENGTH,
	ONCE_PER_CUSTOMER,
	PENDING,
	QUEUED,
	SKIPPED,
	WAITING,
	PlannedMessage,
	Reason,
	message_key,
	suppression_key,
)

DOCTYPE = "Lifecycle Execution Log"
RUN = "Lifecycle Run"
READ_AT_ONCE = 2000
# So many rows, or groups of rows that get the same, are told apart in one UPDATE.
CASES_AT_ONCE = 100
STATUSES = (PENDING, WAITING, QUEUED, COMPLETED, FAILED, SKIPPED, CANCELLED)
# From which status a row may go where. What has been sent stays so; what was not can be tried again (`reopen`). What was
# Queued and is taken out of its queue unsent is Pending again.
TRANSITIONS = {
	PENDING: {WAITING, QUEUED, COMPLETED, FAILED, SKIPPED, CANCELLED},
	# Its time has come: it is judged anew.
	WAITING: {PENDING, SKIPPED},
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
	*("message_key", "suppression_key", "next_attempt_at", "channel", "handle"),
	*("evidence_doctype", "evidence_name", "due_at"),
)
# What each row has for itself, and what many rows have in common.
OWN = ("name", "message_key", "suppression_key", "customer", "reference_name", "recipient")
# What shows why, where a document does.
EVIDENCE = ("evidence_doctype", "evidence_name")
# What few runs have, and each row for itself.
OWN_IF_ANY = (*EVIDENCE, "due_at")
COMMON = (
	"campaign",
	"trigger",
	"action",
	"channel",
	"company",
	"reference_doctype",
	"item_code",
	"occurrence_date",
	"due_on",
	"status",
	"reason",
	"error",
	"basis",
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
	One that loses on its suppression key gets a row too: Skipped (Reason.ALREADY_SENT), or, where the campaign
	combines, a place in the message that the same run is about to send to that customer.
	"""
	known = latest_of_events([message for message in messages if not message.recipient.customer])
	rows = [
		_Row(
			message,
			message.message_key,
			# Only what is going to be sent holds the customer's key.
			message.suppression_key if message.status in (PENDING, WAITING) else None,
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
		shares = combines and winners.get(row.suppression_key) in ((run, PENDING), (run, WAITING))
		row.suppression_key = None
		if not shares:
			row.status, row.reason = SKIPPED, Reason.ALREADY_SENT
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
	parameters = {"now": now_datetime(), "user": frappe.session.user, "run": run}
	parameters |= {"pending": PENDING, "waiting": WAITING}
	values, groups = [], {}
	for number, (row, row.name) in enumerate(zip(rows, _names(len(rows)), strict=True)):
		event, recipient = row.message.event, row.message.recipient
		group = (
			row.message.campaign["name"],
			event.rule.trigger["name"],
			row.message.action["name"],
			row.message.action["action_type"],
			event.company,
			event.reference_doctype,
			event.item_code,
			event.occurrence,
			event.night,
			row.status,
			row.reason,
			row.message.error,
			row.message.basis,
		)
		parameters[f"{number}a"] = recipient.customer
		parameters[f"{number}b"] = event.reference_name
		parameters[f"{number}c"] = (recipient.address or "")[:140] or None
		# Names and keys are hex digits: nothing to quote.
		once = f"'{row.suppression_key}'" if row.suppression_key else "null"
		values.append(
			f"{groups.setdefault(group, len(groups))},'{row.name}','{row.message_key}',{once},"
			f"%({number}a)s,%({number}b)s,%({number}c)s"
		)
	own_columns = OWN
	if any(row.message.evidence or row.message.due_at for row in rows):
		own_columns = (*OWN, *OWN_IF_ANY)
		for number, row in enumerate(rows):
			keys = [f"{number}{column}" for column in OWN_IF_ANY]
			own_values = _own_if_any(row)
			parameters.update(zip(keys, own_values, strict=True))
			values[number] += f",%({')s,%('.join(keys)})s"
	shared = []
	for group, number in groups.items():
		keys = [f"{column}{number}" for column in COMMON]
		parameters.update(zip(keys, group, strict=True))
		shared.append(f"({number},%({')s,%('.join(keys)})s)")
	own, common = (", ".join(f"`{column}`" for column in columns) for columns in (own_columns, COMMON))
	# What rows share goes to the database once for all of them: to read it for each took a sixth of its time.
	frappe.db.sql(
		f"""insert ignore into `tab{DOCTYPE}`
			({own}, {common}, creation, modified, owner, modified_by, run, executed_at)
		with own (number, {own}) as (values ({"),(".join(values)})),
			common (number, {common}) as (values {",".join(shared)})
		select {own}, {common}, %(now)s, %(now)s, %(user)s, %(user)s, %(run)s,
			case when status in (%(pending)s, %(waiting)s) then null else %(now)s end
		from own join common on common.number = own.number
		order by message_key""",
		parameters,
	)
	return compat.changed_rows()


def _own_if_any(row: _Row) -> tuple:
	"""Return the values of OWN_IF_ANY; none for one that has lost on its key, whatever its message was to become."""
	message = row.message
	if (row.status, row.reason) != (message.status, message.reason):
		return (None,) * len(OWN_IF_ANY)
	return (*(message.evidence or (None, None)), message.due_at)


def evidence_fields(evidence: tuple[str, str] | None) -> dict[str, str | None]:
	"""Return the fields of a ledger row that name the document (DocType, name) that shows why, empty where none does."""
	return dict(zip(EVIDENCE, evidence or (None, None), strict=True))


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


def pending_together(campaign: str, channel: str | None, customers: set[str]) -> tuple[list[str], set[str]]:
	"""Return the Pending rows of a campaign that go out by a channel in one message with others of these customers, and
	for which of the customers a run is still claiming: nothing goes out to those until it has all. 1 query.

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
		# None of rows that older code has claimed.
		.where(table.channel == channel if channel else table.channel.isnull())
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
	write_rows(changes, [was])


def write_rows(changes: dict[str, dict], was: Iterable[str], ignore: bool = False) -> None:
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


def lock_keys(keys: Iterable[str]) -> dict[str, dict]:
	"""Return {suppression key: the row that holds it (name, status)}, locked until the caller commits. At most 1 query."""
	names = sorted(set(keys))
	if not names:
		return {}
	rows = frappe.db.sql(
		f"select name, status, suppression_key from `tab{DOCTYPE}` where suppression_key in %(keys)s for update",
		{"keys": names},
		as_dict=True,
	)
	return {row.suppression_key: row for row in rows}


def take_keys(keys: dict[str, str]) -> None:
	"""Give Pending rows, {name: suppression key}, the keys of their customers; who held one has it no more. At most 2 queries, and
	those of `write_rows`. The caller commits."""
	if not keys:
		return
	table = frappe.qb.DocType(DOCTYPE)
	held = table.suppression_key.isin(sorted(keys.values()))
	frappe.qb.update(table).set(table.suppression_key, None).where(held).run()
	write_rows({name: {"suppression_key": key} for name, key in keys.items()}, was=[PENDING])


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
			"message_key": key_of(row),
			"suppression_key": suppression_key(row.action, row.customer)
			if campaigns[row.campaign].duplicate_policy == ONCE_PER_CUSTOMER and row.customer
			else None,
			"reason": None,
			"error": None,
			"executed_at": None,
			"next_attempt_at": None,
			"due_at": None,
			"basis": None,
			**evidence_fields(None),
		}
		for row in rows
	}
	# Whoever holds the customer's key already comes first.
	for holds in (True, False):
		write_rows(
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
		and winners.get(changes[row.name]["suppression_key"]) in ((row.run, PENDING), (row.run, WAITING))
	}
	if sharing:
		write_rows(sharing, was=UNSENT, ignore=True)
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
			"message_key": key_of(row),
			"status": row.status,
			"reason": row.reason,
			**{column: row[column] for column in EVIDENCE},
		}
		for row in rows
	}
	write_rows(changes, was=(SKIPPED, FAILED), ignore=True)


def key_of(row: dict) -> str:
	return message_key(
		row.action, row.reference_doctype, row.reference_name, row.occurrence_date, row.customer
	)


def give_up(names: list[str]) -> None:
	"""Try these Failed rows no more by themselves; they stay as they are. 1 query. The caller commits."""
	table = frappe.qb.DocType(DOCTYPE)
	frappe.qb.update(table).set(table.next_attempt_at, None).where(table.name.isin(names)).where(
		table.status == FAILED
	).run()


def touch(names: list[str]) -> None:
	"""Write down that Pending rows were taken up just now. 1 query. The caller commits."""
	table = frappe.qb.DocType(DOCTYPE)
	frappe.qb.update(table).set(table.modified, now_datetime()).where(table.name.isin(names)).where(
		table.status == PENDING
	).run()


def due_now(reasons: tuple[str, ...], customers: Iterable[str] | None = None) -> None:
	"""Let Waiting rows with one of these reasons be due now, of some customers or of all. 1 query. The caller commits."""
	table, now = frappe.qb.DocType(DOCTYPE), now_datetime()
	query = (
		frappe.qb.update(table)
		.set(table.due_at, now)
		.set(table.modified, now)
		.where((table.status == WAITING) & (table.due_at > now))
		.where(table.reason.isin(list(reasons)))
	)
	if customers is not None:
		query = query.where(table.customer.isin(sorted(customers)))
	query.run()


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
	write_rows({row.name: {"attempts": row.attempts, "error": row.error} for row in rows}, was=[PENDING])


def pending(filters: dict) -> list[dict]:
	"""Return name, campaign, channel, customer, run, attempts and error of the Pending rows, those of one customer together. 1 query.

	The campaign with the fewest rows comes first, so that it need not wait for the others.
	"""
	rows = frappe.get_all(
		DOCTYPE,
		filters={"status": PENDING, **filters},
		fields=["name", "campaign", "channel", "customer", "run", "attempts", "error"],
		order_by="campaign asc, customer asc, name asc",
	)
	sizes = Counter(row.campaign for row in rows)
	return sorted(rows, key=lambda row: (sizes[row.campaign], row.campaign))


def queued_for(addresses: set[str]) -> list[dict]:
	"""Return the Queued rows to these addresses, with what it takes to take them back. 1 query, none without addresses."""
	if not addresses:
		return []
	return frappe.get_all(
		DOCTYPE,
		filters={"status": QUEUED, "recipient": ["in", list(addresses)]},
		fields=["name", "campaign", "action", "channel", "handle", "run", "attempts", "recipient"],
		order_by="name asc",
	)


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
