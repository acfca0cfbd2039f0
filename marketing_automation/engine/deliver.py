"""Delivery: claimed rows in, messages handed to their channels out. Runs in background jobs.

Each batch, of one campaign, is one transaction: lock its rows and all that go out in one message with them, look again
at the world, send, write down what happened, commit. A crash loses the whole batch and nothing else: its rows are still
Pending and `settle` takes them up again.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter

import frappe
from frappe.utils import cstr, getdate, now_datetime
from rq.timeouts import BaseTimeoutException

from marketing_automation.engine import audience, faults, ledger, plan, protection, rules
from marketing_automation.engine.channels import Message, Unsendable, channel_for
from marketing_automation.engine.faults import Faults
from marketing_automation.engine.items import item_names
from marketing_automation.engine.language import in_the_sites_language
from marketing_automation.engine.model import (
	CANCELLED,
	FAILED,
	PENDING,
	QUEUED,
	SKIPPED,
	DueEvent,
	Reason,
	Recipient,
	Rule,
)
from marketing_automation.engine.settings import limit
from marketing_automation.engine.transaction import committed

COMMIT_EVERY = 50

# Not the message's fault: the batch is given up and its rows stay Pending.
INTERRUPTIONS = (
	frappe.QueryDeadlockError,
	frappe.QueryTimeoutError,
	frappe.OutgoingEmailError,
	BaseTimeoutException,
)


def enqueue(rows: Iterable[dict]) -> int:
	"""Share Pending rows (name, campaign, customer; sorted by the last two) out in jobs; return how many jobs."""
	jobs = 0
	for chunk in cut(rows, limit("chunk_size")):
		# No deduplicate: to Redis the job of a worker that was killed counts as started for a long time yet.
		frappe.enqueue(
			deliver,
			queue="default",
			names=[row["name"] for row in chunk],
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
def deliver(names: list[str]) -> None:
	"""Send what is still Pending of these ledger rows. The entry point of the background job.

	What a campaign has is left Pending when no Email Account can send it; that is raised once the others are sent.
	"""
	rows = ledger.pending({"name": ["in", names]})
	runs = {row.run for row in rows}
	handed_over, without_account = defaultdict(list), None
	for campaign, of_campaign in groupby(rows, key=attrgetter("campaign")):
		try:
			for batch in cut(of_campaign, COMMIT_EVERY):
				customers = {row.customer for row in batch}
				sent, failed_in, touched = committed(
					_deliver_batch, [row.name for row in batch], campaign, customers
				)
				runs |= touched
				for channel, fields in sent.items():
					handed_over[channel] += fields
				if failed_in:
					committed(protection.pause_failing, failed_in)
		except frappe.OutgoingEmailError as e:
			without_account = e
	for channel, fields in handed_over.items():
		channel.dispatch(fields)
	committed(ledger.refresh_soon, runs)
	if without_account:
		raise without_account


def _deliver_batch(names: list[str], campaign: str, customers: set[str]) -> tuple[dict, set[str], set[str]]:
	"""Send the rows of one campaign and these customers; return what was handed over, by channel, the runs whose
	messages have failed, and the runs of all rows.

	Queries: a fixed number, and what the channel needs for a batch.
	"""
	# Whatever brought a row here, from whichever job, page or hand: the rest of its message comes with it.
	rows = ledger.lock_pending(list({*names, *ledger.pending_together(campaign, customers)}))
	if not rows:
		return {}, set(), set()
	today, now = getdate(), now_datetime()
	changes, sendable = {}, []
	for row, (rule, action, event, recipient, problem) in zip(rows, look_again(rows), strict=True):
		status, reason = verdict(row, rule, action, event, recipient, today, problem)
		if status == PENDING:
			sendable.append((row, rule, action, event, recipient))
		elif reason == Reason.TRIGGER_BROKEN:
			changes[row.name] = failed(reason, problem)
		else:
			error = recipient.error if status == FAILED else None
			changes[row.name] = {"status": status, "reason": reason, "error": error, "executed_at": now}
	on_their_way = _recall(sendable)
	changes |= on_their_way
	sent, handed_over = _send([entry for entry in sendable if entry[0].name not in on_their_way], today)
	changes |= sent
	for row in rows:
		changes[row.name]["attempts"] = row.attempts + 1
	ledger.move_on(rows, changes)
	failed_in = {row.run for row in rows if changes[row.name]["status"] == FAILED}
	return handed_over, failed_in, {row.run for row in rows}


def judge(rows: list[dict], today) -> list[tuple[str, str | None, str | None]]:
	"""Return (status, reason, customer) for each ledger row, in the same order: Pending when it could be sent today,
	to the customer who owns the product today."""
	return [
		(
			*verdict(
				frappe._dict(row, customer=recipient.customer), rule, action, event, recipient, today, problem
			),
			recipient.customer,
		)
		for row, (rule, action, event, recipient, problem) in zip(rows, look_again(rows), strict=True)
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
	alive = [event for event in events if event]
	found = iter(audience.recipients(alive))
	return [
		(
			rule,
			action,
			event,
			next(found) if event else Recipient(),
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
		return SKIPPED, Reason.EXPIRY_CHANGED
	if recipient.customer != row.customer:
		return SKIPPED, recipient.reason or Reason.OWNER_CHANGED
	return plan.verdict(event, recipient, today)


def _recall(sendable: list[tuple]) -> dict[str, dict]:
	"""Take back what earlier attempts have left; return the changes of the rows for which it is too late."""
	by_channel = defaultdict(list)
	for row, _rule, action, _event, _recipient in sendable:
		if row.email_queue:
			by_channel[channel_for(action.action_type)].append(row)
	changes = {}
	for channel, rows in by_channel.items():
		changes |= channel.recall(rows)
	return changes


def _send(sendable: list[tuple], today) -> tuple[dict[str, dict], dict]:
	"""Hand the messages to their channels; return the changes of their ledger rows, and what each channel has."""
	items = item_names({event.item_code for _row, _rule, _action, event, _recipient in sendable})
	by_channel = defaultdict(list)
	for message, names in _messages(sendable, items, today):
		by_channel[channel_for(message.action.action_type)].append((message, names))
	changes, handed_over = {}, defaultdict(list)
	for channel, messages in by_channel.items():
		prepared = channel.prepare([message.action for message, _names in messages])
		composed = []
		for message, names in messages:
			try:
				composed.append((_composed(channel, prepared, message), message, names))
			except Unsendable as e:
				fields = failed(e.reason, str(e))
				changes |= {name: dict(fields) for name in names}
		results = _handed_over(channel, [mail for mail, _message, _names in composed])
		for fields, (_mail, message, names) in zip(results, composed, strict=True):
			if "status" not in fields:
				handed_over[channel].append(fields)
				fields = {"status": QUEUED, "recipient": message.recipient.email, **fields}
			changes |= {name: dict(fields) for name in names}
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


def _messages(sendable: list[tuple], items: dict[str, str], today) -> Iterator[tuple[Message, list[str]]]:
	"""Yield each message with the names of its ledger rows: one row, or where a campaign combines, those that one
	action has for a customer. What another action says is another message."""
	groups = defaultdict(list)
	for entry in sendable:
		row, rule, action = entry[:3]
		combined = rule.campaign.combine_messages
		key = (action.name, row.customer) if combined else row.name
		groups[key].append(entry)
	for entries in groups.values():
		# By what they are about, so that the message is the same one on a site that was restored from a backup.
		entries.sort(key=lambda entry: (entry[3].occurrence, entry[3].reference_name))
		row, rule, action, event, recipient = entries[0]
		pins = {
			(event.reference_name, event.occurrence): {
				"serial_no": event.reference_name,
				"item_code": event.item_code,
				"item_name": items.get(event.item_code) or event.item_code,
				"expiry_date": event.occurrence,
			}
			for _row, _rule, _action, event, _recipient in entries
		}
		message = Message(
			key=row.message_key,
			campaign=rule.campaign,
			action=action,
			recipient=recipient,
			company=event.company,
			pins=list(pins.values()),
			today=today,
		)
		yield message, [entry[0].name for entry in entries]
