"""Delivery: claimed rows in, messages handed to their channels out. Runs in background jobs.

Each batch, of one campaign, is one transaction: lock its rows and all that go out in one message with them, look again
at the world, send, write down what happened, commit. A crash loses the whole batch and nothing else: its rows are still
Pending and `settle` takes them up again. A batch that fails or takes too long is written down, so that what is wrong in
it stands alone next time. What is taken up again is written down before it begins, in case it kills its worker.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import groupby
from operator import itemgetter

import frappe
from frappe import _
from frappe.utils import cstr, getdate, now_datetime
from rq.timeouts import BaseTimeoutException

from marketing_automation.engine import (
	dispatch,
	faults,
	gate,
	identity,
	ledger,
	once,
	plan,
	profiles,
	protection,
	reached,
	recipients,
	rules,
	schedule,
)
from marketing_automation.engine.channel import Message, Unsendable, by_channel, channel_for
from marketing_automation.engine.faults import Faults
from marketing_automation.engine.gate import At, Verdict
from marketing_automation.engine.language import in_the_sites_language
from marketing_automation.engine.model import (
	CANCELLED,
	FAILED,
	ONCE_PER_CUSTOMER,
	PENDING,
	QUEUED,
	SKIPPED,
	WAITING,
	DueEvent,
	Reason,
	Recipient,
	Rule,
	key_of_all,
	suppression_key,
)
from marketing_automation.engine.settings import limit
from marketing_automation.engine.source import source_for
from marketing_automation.engine.transaction import committed

COMMIT_EVERY = 50
# RQ gives a job of the default queue five minutes. What begins within these seconds, and is ended by RQ all the same,
# has taken more than a minute by itself.
SECONDS_PER_JOB = 200

# Not the message's fault: the batch is given up and its rows stay Pending.
INTERRUPTIONS = (
	frappe.QueryDeadlockError,
	frappe.QueryTimeoutError,
	frappe.OutgoingEmailError,
	BaseTimeoutException,
)


def enqueue(rows: Iterable[dict], again: bool = False) -> int:
	"""Share Pending rows (name, campaign, customer; sorted by the last two) out in jobs; return how many jobs.

	A job has the rows of one campaign, so that what is wrong with it takes its own time and no other's.
	again: their jobs have not got to them, or not to their end: see `deliver`.
	"""
	jobs = 0
	for _campaign, of_campaign in groupby(rows, key=itemgetter("campaign")):
		for chunk in cut(of_campaign, limit("chunk_size")):
			# No deduplicate: to Redis the job of a worker that was killed counts as started for a long time yet.
			frappe.enqueue(
				deliver,
				queue="default",
				names=[row["name"] for row in chunk],
				again=again,
				now=frappe.flags.in_test,
			)
			jobs += 1
	return jobs


def cut(rows: Iterable[dict], size: int) -> Iterator[list[dict]]:
	"""Cut rows into lists of about `size`, never between two rows of the same campaign and customer."""
	chunk = []
	for row in rows:
		if len(chunk) >= size and _recipient_of(chunk[-1]) != _recipient_of(row):
			yield chunk
			chunk = []
		chunk.append(row)
	if chunk:
		yield chunk


def _recipient_of(row: dict) -> tuple:
	return row["campaign"], row["customer"]


@in_the_sites_language
def deliver(names: list[str], again: bool = False) -> None:
	"""Send what is still Pending of these ledger rows. The entry point of the background job.

	again: a job before this one may have been killed by something among them, such as a template that fills the memory.
	So each batch is written down before it begins: what its worker does not survive stands alone next time, and has
	Failed when its attempts are used up. One short transaction more for each batch.

	What a campaign has is left Pending when no Email Account can send it, or the channel takes no more at the moment.
	Whatever goes wrong with one batch is raised when the others are sent.
	"""
	rows = ledger.pending({"name": ["in", names]})
	runs = {row.run for row in rows}
	deadline = time.monotonic() + SECONDS_PER_JOB
	handed_over, errors, left = defaultdict(list), [], []
	try:
		for campaign, of_channel in _by_channel(rows):
			for number, batch in enumerate(batches := list(_batches(of_channel))):
				if number and time.monotonic() > deadline:
					left += [row for rest in batches[number:] for row in rest]
					break
				if again and _is_given_up(batch):
					continue
				try:
					sent, failed_in, touched, is_full = _attempt(batch, campaign, again)
				except frappe.OutgoingEmailError as e:
					# For `settle`, once there is an account.
					errors.append(e)
					break
				except BaseTimeoutException as e:
					_write_down(batch, e)
					left += [row for rest in batches[number + 1 :] for row in rest]
					raise
				except (frappe.QueryDeadlockError, frappe.QueryTimeoutError) as e:
					errors.append(e)
					continue
				except Exception as e:
					_write_down(batch, e)
					errors.append(e)
					continue
				runs |= touched
				for action_type, handles in sent.items():
					handed_over[action_type] += handles
				if failed_in:
					committed(protection.pause_failing, failed_in)
				if is_full:
					break
	finally:
		for action_type, handles in handed_over.items():
			dispatch.enqueue(action_type, handles)
		enqueue(left, again)
	committed(ledger.refresh_soon, runs)
	if errors:
		raise errors[-1]


def _by_channel(rows: list[dict]) -> Iterator[tuple[str, list[dict]]]:
	"""Yield each campaign with the rows of one of its channels after the other: none waits for another to have room."""
	for campaign, of_campaign in groupby(rows, key=itemgetter("campaign")):
		by_type = defaultdict(list)
		for row in of_campaign:
			by_type[row.channel].append(row)
		for of_channel in by_type.values():
			yield campaign, of_channel


def _batches(rows: list[dict]) -> Iterator[list[dict]]:
	"""Cut the rows of a campaign and channel into batches; those of customers with whom something went wrong last, each alone.

	Of these the one that has been tried most comes last: what kills its worker holds up nobody for long.
	"""
	tried = {}
	for row in rows:
		if row.error:
			tried[row.customer] = max(row.attempts, tried.get(row.customer, 0))
	yield from cut([row for row in rows if row.customer not in tried], COMMIT_EVERY)
	suspects = [row for row in rows if row.customer in tried]
	# Sorting keeps the rows of one customer together.
	yield from cut(sorted(suspects, key=lambda row: (tried[row.customer], row.customer or "")), 1)


def _attempt(batch: list[dict], campaign: str, again: bool) -> tuple[dict, set[str], set[str], bool]:
	"""Deliver a batch in one transaction; returns as `_deliver_batch`. again: see `deliver`."""
	names, customers, channel = [row.name for row in batch], {row.customer for row in batch}, batch[0].channel
	if not again:
		return committed(_deliver_batch, names, campaign, channel, customers)
	committed(ledger.interrupted, names, _("The background job that delivers this message has not ended."))
	try:
		result = committed(_deliver_batch, names, campaign, channel, customers, frozenset(names))
	except Exception:
		# The worker is alive, so whatever it was is dealt with as in any other job.
		committed(ledger.put_back, batch)
		raise
	if result[3]:
		committed(ledger.put_back, batch)
	return result


def _is_given_up(batch: list[dict]) -> bool:
	"""Say whether this one message has killed its worker until its attempts were used up. It has Failed then. Commits."""
	if not batch[0].error or max(row.attempts for row in batch) < limit("max_attempts"):
		return False
	text = _(
		"The background worker was killed each time it delivered this message. Simplify the template; if it is simple, look at the memory of the server."
	)
	_give_up(batch, failed(Reason.SENDING_FAILED, text))
	return True


def _write_down(batch: list[dict], error: Exception) -> None:
	"""Keep what went wrong with a whole batch in its rows, which stay Pending. Commits.

	One message that takes too long by itself has Failed, and so has one whose attempts are used up.
	"""
	if isinstance(error, BaseTimeoutException):
		reason = Reason.TEMPLATE_ERROR
		text = _(
			"Filling in the template took longer than a background job may take. Simplify it: look for loops within loops. Then retry."
		)
	else:
		reason, text = Reason.SENDING_FAILED, f"{type(error).__name__}: {cstr(error)}"
	is_alone = len({row.customer for row in batch}) == 1
	ends = is_alone and (
		isinstance(error, BaseTimeoutException) or batch[0].attempts + 1 >= limit("max_attempts")
	)
	if ends:
		_give_up(batch, {**failed(reason, text), "attempts": batch[0].attempts + 1})
	else:
		committed(ledger.interrupted, [row.name for row in batch], text)


def _give_up(batch: list[dict], fields: dict) -> None:
	"""Let the Pending rows of a batch fail. Commits."""
	committed(ledger.update, {row.name: dict(fields) for row in batch}, PENDING)
	committed(protection.pause_failing, {row.run for row in batch})


@once.looked_up_once()
def _deliver_batch(
	names: list[str],
	campaign: str,
	channel: str | None,
	customers: set[str],
	counted: frozenset[str] = frozenset(),
) -> tuple[dict, set[str], set[str], bool]:
	"""Send the rows of one campaign, channel and these customers; return the handles of what was handed over, by channel, the
	runs whose messages have failed, the runs of all rows, and whether rows are left Pending because it takes no more.

	counted: the rows that have this attempt written down already.

	Queries: a fixed number, and what the channel needs for a batch.
	"""
	at = gate.when(getdate(), leaving=True)
	# Before the rows of the batch, and customers in order, so that two batches that count the same wait for each other.
	gate.lock({customer for customer in customers if customer}, campaign, channel, at)
	# Whatever brought a row here, from whichever job, page or hand: the rest of its message comes with it.
	together, claimed = ledger.pending_together(campaign, channel, customers)
	# What a run is claiming at this moment, it delivers itself when it has all, and whatever else there is with it.
	rows = [row for row in ledger.lock_pending([*{*names, *together}]) if row.customer not in claimed]
	if not rows:
		return {}, set(), set(), False
	today, now = at.night, now_datetime()
	changes, sendable, bases = {}, [], {}
	looked = look_again(rows)
	for row, found, judged in zip(rows, looked, _verdicts(rows, looked, at), strict=True):
		rule, action, event, recipient, problem = found
		if judged.status == PENDING:
			sendable.append((row, rule, action, event, recipient))
			bases[row.name] = {**judged.fields, "due_at": row.due_at}
		elif judged.reason == Reason.TRIGGER_BROKEN:
			changes[row.name] = failed(judged.reason, problem)
		else:
			changes[row.name] = {
				**judged.fields,
				"error": recipient.error if judged.status == FAILED else judged.words,
				"executed_at": None if judged.status == WAITING else now,
			}
	had = _keep_once(rows, sendable, now)
	changes |= had
	sendable = [entry for entry in sendable if entry[0].name not in had]
	repeated = _repeated(sendable)
	on_their_way = _recall(sendable)
	changes |= on_their_way
	sendable = [entry for entry in sendable if entry[0].name not in on_their_way]
	sent, handed_over = _send(sendable, repeated, today)
	# By what right, also where it has failed: it may have left all the same.
	changes |= {name: {**bases[name], **fields} for name, fields in sent.items()}
	# What belongs to a customer for whom there is no room, stays with it: it may hold the customer's key.
	no_room = {row.customer for row in rows if row.name not in changes}
	changed = [
		row
		for row in rows
		if row.name in changes and (row.customer not in no_room or changes[row.name]["status"] == QUEUED)
	]
	changes = {
		row.name: {
			"error": None,
			**changes[row.name],
			"attempts": _attempts(row, changes[row.name], counted),
		}
		for row in changed
	}
	ledger.move_on(changed, changes)
	failed_in = {row.run for row in changed if changes[row.name]["status"] == FAILED}
	return handed_over, failed_in, {row.run for row in rows}, bool(no_room)


def _attempts(row: dict, fields: dict, counted: frozenset[str]) -> int:
	"""Return how many attempts a row has had. To be told to wait is none."""
	return row.attempts + (fields["status"] != WAITING) - (row.name in counted)


def _verdicts(rows: list[dict], looked: list[tuple], at: At) -> list[Verdict]:
	"""Return what becomes of ledger rows, as `look_again` has found them: by what each is about, and by the gate's checks."""
	caught_up = at.night - timedelta(days=plan.catch_up()) if any(row.due_at for row in rows) else None
	asked, first = [], []
	for row, (rule, action, event, recipient, problem) in zip(rows, looked, strict=True):
		if event and _is_too_late(row, event, caught_up):
			event = event._replace(missed=True)
		asked.append(gate.Asked(action, event, recipient, row))
		first.append(verdict(row, rule, action, event, recipient, at.night, problem))
	return gate.verdicts(asked, first, at)


def _is_too_late(row: dict, event: DueEvent, caught_up: date | None) -> bool:
	"""Say whether a row has waited, and then for longer than nights are caught up on: its campaign was paused, or nothing
	ran. What is sent before a date can go until that date."""
	waited = row.due_at and event.rule.trigger.trigger_type != schedule.BEFORE
	return bool(waited) and row.due_at.date() < caught_up


def judge(rows: list[dict], today) -> list[tuple[str, str | None, str | None]]:
	"""Return (status, reason, customer) for each ledger row, in the same order: Pending or Waiting when it could be sent today,
	to the customer who owns the product today."""
	looked = look_again(rows)
	owned = [
		frappe._dict(row, customer=recipient.customer)
		for row, (_rule, _action, _event, recipient, _problem) in zip(rows, looked, strict=True)
	]
	return [
		(judged.status, judged.reason, row.customer)
		for row, judged in zip(owned, _verdicts(owned, looked, gate.when(today)), strict=True)
	]


def look_again(
	rows: list[dict],
) -> list[tuple[Rule | None, dict | None, DueEvent | None, Recipient, str | None]]:
	"""Return for each ledger row its rule, its action, the event as it would be planned now, the recipient, and what
	is wrong with its rule or action if one of them is broken."""
	by_action = {
		action.name: (rule, action)
		for rule in rules.load(campaigns={row.campaign for row in rows}, active_only=False)
		for action in rule.actions
	}
	ruled = [by_action.get(row.action, (None, None)) for row in rows]
	events, broken = [None] * len(rows), Faults()
	for entries, found in faults.answers(
		lambda source, some: source.current([(rule, rows[index]) for rule, index in some]),
		[(rule, index) for index, (rule, _action) in enumerate(ruled) if rule],
		broken,
	):
		for (_rule, index), event in zip(entries, found, strict=True):
			events[index] = event
	unserved = {
		action_type: faults.attempted(channel_for, action_type)
		for action_type in {action.action_type for _rule, action in ruled if action}
	}
	alive = [(event, action) for (_rule, action), event in zip(ruled, events, strict=True) if event]
	to = recipients.recipients(alive)
	pairs = [(event, recipient) for (event, _action), recipient in zip(alive, to, strict=True)]
	marked = reached.marked(pairs, getdate(), broken)
	found = iter([(event or asked[0], asked[1]) for event, asked in zip(marked, pairs, strict=True)])
	return [
		(
			rule,
			action,
			*(next(found) if event else (None, Recipient())),
			(
				broken[rule.trigger.name].problem
				if rule.trigger.name in broken
				else unserved[action.action_type]
			)
			if rule
			else None,
		)
		for (rule, action), event in zip(ruled, events, strict=True)
	]


def verdict(
	row: dict,
	rule: Rule | None,
	action: dict | None,
	event: DueEvent | None,
	recipient: Recipient,
	today,
	problem: str | None = None,
) -> tuple[str, str | None]:
	"""Return (status, reason) of a claimed row now that it is about to be sent: Pending when it may go.

	problem: what is wrong with its rule. Failed then, not Pending: it is seen, and can be retried by hand.
	"""
	if not (rule and rule.campaign.is_active and rule.trigger.enabled and action.enabled):
		return CANCELLED, Reason.CAMPAIGN_INACTIVE
	if problem:
		return FAILED, Reason.TRIGGER_BROKEN
	if row.due_on > today:
		# Written by a clock that was ahead: it goes out on its day, when the run of that day looks again.
		return SKIPPED, Reason.MISSED
	if not event:
		return SKIPPED, Reason.NOT_FOUND
	if event.occurrence != row.occurrence_date:
		return SKIPPED, Reason.DATE_CHANGED
	if recipient.reason == Reason.TRIGGER_BROKEN:
		return FAILED, recipient.reason
	if recipient.customer != row.customer:
		return SKIPPED, recipient.reason or Reason.OWNER_CHANGED
	return plan.verdict(event, recipient, today)


def _keep_once(rows: list[dict], sendable: list[tuple], now) -> dict[str, dict]:
	"""Return the changes of the rows whose customer has had the message already, where a campaign sends it once.

	The parts of a combined message share the customer's key, which one of them holds, and can have to wait for different
	moments: one item is not to be had, another one is. What leaves first takes the key, and nothing leaves after it. At most 4
	queries, none where all have their keys.
	"""
	keys = {
		row.name: suppression_key(action.name, row.customer)
		for row, rule, action, *_rest in sendable
		if rule.campaign.duplicate_policy == ONCE_PER_CUSTOMER and row.customer and not row.suppression_key
	}
	holders = ledger.lock_keys(keys.values())
	leaving, changes, taken = {row.name for row, *_rest in sendable}, {}, {}
	for row, rule, *_rest in sendable:
		if not (key := keys.get(row.name)):
			continue
		holder = holders.get(key)
		leaves = key in taken or bool(holder and holder.name in leaving)
		if not leaves and (not holder or holder.status in (PENDING, WAITING)):
			taken[key] = row.name
		elif not (leaves and rule.campaign.combine_messages):
			changes[row.name] = {"status": SKIPPED, "reason": Reason.ALREADY_SENT, "executed_at": now}
	if taken:
		ledger.take_keys({name: key for key, name in taken.items()})
		own = {name: key for key, name in taken.items()}
		for row in rows:
			if row.suppression_key in taken or row.name in own:
				row.suppression_key = own.get(row.name)
	return changes


def _repeated(sendable: list[tuple]) -> dict[str, str]:
	"""Return {name: key} of the rows that may have been taken, as `Channel.repeated`, where the same channel sends them again."""
	again = [
		row for row, _rule, action, *_rest in sendable if row.handle and row.channel == action.action_type
	]
	return {name: key for channel, rows in by_channel(again) for name, key in channel.repeated(rows).items()}


def _recall(sendable: list[tuple]) -> dict[str, dict]:
	"""Take back what earlier attempts have left; return the changes of the rows for which it is too late."""
	changes = {}
	# By the channel that has them, which need not be the one that the action has now.
	for channel, rows in by_channel(entry[0] for entry in sendable if entry[0].handle):
		changes |= channel.recall(rows)
	return changes


def _send(
	sendable: list[tuple], repeated: dict[str, str], today
) -> tuple[dict[str, dict], dict[str, list[str]]]:
	"""Hand the messages to their channels; return the changes of their ledger rows, and {action type: handles}.

	repeated: from `_repeated`.
	Of what a channel does not take at the moment there is no change. On a copy of a site none takes anything.
	"""
	by_type = defaultdict(list)
	for message in _messages(sendable, repeated, today):
		by_type[message.action.action_type].append(message)
	changes, handed_over = {}, defaultdict(list)
	is_copy = identity.is_copy()
	for action_type, messages in by_type.items():
		channel = channel_for(action_type)
		messages = messages[: 0 if is_copy else channel.room(messages[0].campaign)]
		if not messages:
			continue
		prepared = channel.prepare([message.action for message in messages])
		composed = []
		for message in messages:
			try:
				composed.append((_composed(channel, prepared, message), message))
			except Unsendable as e:
				fields = failed(e.reason, str(e))
				changes |= {name: dict(fields) for name in message.rows}
		results = _handed_over(channel, [one for one, _message in composed])
		for fields, (_one, message) in zip(results, composed, strict=True):
			if fields.get("status") != FAILED:
				if "status" not in fields:
					handed_over[action_type].append(fields["handle"])
				fields = {
					"status": QUEUED,
					"channel": action_type,
					"recipient": message.recipient.address,
					**fields,
				}
			changes |= {name: dict(fields) for name in message.rows}
	return changes, handed_over


def _composed(channel, prepared, message: Message):
	"""Compose one message; whatever goes wrong with it alone is raised as Unsendable."""
	try:
		return channel.compose(prepared, message)
	except (*INTERRUPTIONS, Unsendable):
		raise
	except Exception as e:
		raise Unsendable(Reason.SENDING_FAILED, f"{type(e).__name__}: {cstr(e)}") from e


def _handed_over(channel, composed: list) -> list[dict]:
	"""Hand a batch over; return the fields of each ledger row. If it fails, one by one, so that one bad one is alone."""
	if not composed:
		return []
	frappe.db.savepoint("lifecycle_batch")
	try:
		return channel.hand_over(composed)
	except INTERRUPTIONS:
		raise
	except Exception as e:
		# Fails too, and ends the batch, when it is the connection or the transaction that is gone.
		frappe.db.rollback(save_point="lifecycle_batch")
		if len(composed) == 1:
			return [failed(Reason.SENDING_FAILED, f"{type(e).__name__}: {cstr(e)}")]
		return [fields for one in composed for fields in _handed_over(channel, [one])]


def failed(reason: str, error: str) -> dict:
	"""Return the fields of a ledger row that failed."""
	return {"status": FAILED, "reason": reason, "error": error[:2000], "executed_at": now_datetime()}


def _messages(sendable: list[tuple], repeated: dict[str, str], today) -> Iterator[Message]:
	"""Yield each message: of one row, or where a campaign combines, of those that one action has for a customer. What
	another action says is another message, and so is what goes again by a key of its own (`repeated`)."""
	groups = defaultdict(list)
	for entry in sendable:
		row, rule, action = entry[:3]
		combined = rule.campaign.combine_messages
		key = (action.name, row.customer) if combined else row.name
		groups[repeated.get(row.name) or key].append(entry)
	described = _described([entry[3] for entry in sendable])
	of_country = profiles.of_advertisements(
		(rule.campaign, recipient.customer, event.company)
		for _row, rule, _action, event, recipient in sendable
	)
	for entries in groups.values():
		# By what they are about, so that the message is the same one on a site that was restored from a backup.
		entries.sort(key=lambda entry: (entry[3].occurrence, entry[3].reference_name))
		row, rule, action, event, recipient = entries[0]
		about = {
			(event.reference_name, event.occurrence): described[id(event)]
			for _row, _rule, _action, event, _recipient in entries
		}
		row_keys = tuple(entry[0].message_key for entry in entries)
		yield Message(
			key=repeated.get(row.name) or key_of_all(row_keys),
			campaign=rule.campaign,
			action=action,
			recipient=recipient,
			company=event.company,
			items=list(about.values()),
			today=today,
			rows=tuple(entry[0].name for entry in entries),
			row_keys=row_keys,
			repeats=row.name in repeated,
			about=tuple(
				dict.fromkeys((entry[3].reference_doctype, entry[3].reference_name) for entry in entries)
			),
			profile=of_country.get((recipient.customer, event.company))
			if profiles.offers(rule.campaign)
			else None,
		)


def _described(events: list[DueEvent]) -> dict[int, dict]:
	"""Return what templates can say of each event, by the event's id(). The queries of each source's `values`."""
	by_source = defaultdict(list)
	for event in events:
		by_source[event.rule.trigger.source].append(event)
	return {
		id(event): values
		for of_source in by_source.values()
		for event, values in zip(
			of_source, source_for(of_source[0].rule.trigger).values(of_source), strict=True
		)
	}
