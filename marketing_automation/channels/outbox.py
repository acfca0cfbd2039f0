"""The outbox: messages that leave by a call of ours, each written down before it leaves and when it is known what came of it.

A message is a row of Lifecycle Outbox, inserted in the transaction that moves its ledger rows to Queued. A job marks it
as being sent, commits, transmits it outside any transaction or lock, and writes down what came of it. A channel that
leaves so inherits from `Outbox` and says how to transmit one.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import frappe
from frappe import _
from frappe.utils import add_to_date, cint, now_datetime
from rq.timeouts import BaseTimeoutException

from marketing_automation import compat
from marketing_automation.engine import identity
from marketing_automation.engine.channel import Channel, Message
from marketing_automation.engine.model import COMPLETED, FAILED, QUEUED, Reason
from marketing_automation.engine.transaction import committed

DOCTYPE = "Lifecycle Outbox"
WAITING = "Waiting"
SENDING = "Sending"
SENT = "Sent"
NOT_SENT = "Failed"
# A message that is older was looked at too long ago to be sent.
FRESH_FOR = timedelta(minutes=15)
# More than the five minutes that RQ gives a job that sends.
SENDING_MINUTES = timedelta(minutes=10)
# RQ gives a job of the short queue five minutes; what begins within these seconds ends before that.
SECONDS_PER_JOB = 150
READ_AT_ONCE = 50
# So many calls in a row without an answer, and who is called is not there.
GIVE_UP_AFTER = 3
LONGEST_RESPONSE = 1000
CLEARED_AT_ONCE = 1000


@dataclass(frozen=True)
class Result:
	"""What came of a call. error: empty when it was taken; else what went wrong, and what to do about it.

	temporary: whether it may go well later; retry_after: the seconds that we were asked to wait. answered: whether there
	was any answer. provider_id: what the other side knows the message by, if it says.
	"""

	error: str | None = None
	temporary: bool = False
	retry_after: int | None = None
	answered: bool = True
	code: int | None = None
	response: str | None = None
	provider_id: str | None = None


class Outbox(Channel):
	"""A channel whose messages are rows of Lifecycle Outbox. `composed` messages are dicts of its fields: see `entry`."""

	REACHES_CUSTOMER = False
	HANDLE_DOCTYPE = DOCTYPE
	PER_JOB = 100
	# Whether who is called takes the same message once, however often it is sent: then what was interrupted is sent again.
	SAFE_TO_REPEAT = False

	def endpoint(self, action: str) -> Any:
		"""Return what it takes to call for an action, read once in a job; None where the action cannot call any more."""
		raise NotImplementedError

	def transmit(self, endpoint: Any, row: dict) -> Result:
		"""Send one message (a row of Lifecycle Outbox) and return what came of it. Outside any transaction; ends in time."""
		raise NotImplementedError

	# -- the contract ----------------------------------------------------------------------------------------------

	def room(self, campaign: Any) -> int | None:
		return 0 if identity.is_copy() else None

	def entry(self, message: Message, payload: str) -> dict:
		"""Return what `compose` makes of a message: its row of the outbox, with the payload that `transmit` is to send."""
		return {
			"channel": message.action.action_type,
			"campaign": message.campaign.name,
			"action": message.action.name,
			"message_key": message.key,
			"row_keys": " ".join(message.row_keys),
			"repeats": cint(message.repeats),
			"payload": payload,
		}

	def hand_over(self, composed: list[dict]) -> list[dict]:
		"""Write the rows of a batch. 1 query."""
		now, user = now_datetime(), frappe.session.user
		rows = [
			{
				"name": name,
				**entry,
				"status": WAITING,
				"creation": now,
				"modified": now,
				"owner": user,
				"modified_by": user,
			}
			for name, entry in zip(_names(len(composed)), composed, strict=True)
		]
		columns = ", ".join(f"`{column}`" for column in rows[0])
		place = "(" + ", ".join(["%s"] * len(rows[0])) + ")"
		frappe.db.sql(
			f"insert into `tab{DOCTYPE}` ({columns}) values {', '.join([place] * len(rows))}",
			[value for row in rows for value in row.values()],
		)
		return [{"handle": row["name"]} for row in rows]

	def dispatch(self, handles: list[str]) -> list[str]:
		"""Send those of the messages that wait. Two commits for the first, one for each other. See `Channel.dispatch`."""
		if identity.is_copy():
			return []
		deadline, left = time.monotonic() + SECONDS_PER_JOB, []
		done: tuple[str, Result] | None = None
		endpoints, unanswered = {}, {}
		try:
			for number, row in enumerate(_waiting(handles)):
				if number and time.monotonic() >= deadline:
					left = [handle for handle in handles if handle >= row.name]
					break
				if unanswered.get(row.action, 0) >= GIVE_UP_AFTER:
					# Nobody is there: delivery looks at it anew later.
					continue
				if row.action not in endpoints:
					endpoints[row.action] = self.endpoint(row.action)
				taken = committed(_step, done, row)
				done = None
				if not taken:
					continue
				done = row.name, self._transmitted(endpoints[row.action], row)
				unanswered[row.action] = 0 if done[1].answered else unanswered.get(row.action, 0) + 1
		finally:
			frappe.db.rollback()
			committed(_step, done, None)
		return left

	def _transmitted(self, endpoint: Any, row: dict) -> Result:
		"""Transmit one; whatever raises is what came of it."""
		if endpoint is None:
			return Result(_("The action of this message cannot send any more. Correct it, then retry."))
		try:
			return self.transmit(endpoint, row)
		except BaseTimeoutException:
			# The job is ended. Nobody knows what came of this one.
			raise
		except Exception as e:
			return Result(f"{type(e).__name__}: {e}")

	def outcomes(self, rows: list[dict]) -> dict[str, dict]:
		"""See `Channel.outcomes`. 1 query, and one for those whose sender has died."""
		found = _by_handle(rows, for_update=True)
		now, changes, dead = now_datetime(), {}, set()
		for row in rows:
			sent = found.get(row.handle)
			if not sent:
				changes[row.name] = {
					"status": FAILED,
					"reason": Reason.OUTCOME_UNKNOWN,
					"error": _(
						"The message was deleted from the outbox before its outcome was written down, so nobody knows whether it left. Retry if it has not."
					),
				}
			elif sent.status == SENT:
				changes[row.name] = {
					"status": COMPLETED,
					"error": None,
					"provider_id": sent.provider_id,
					"executed_at": sent.modified,
				}
			elif sent.status == NOT_SENT:
				changes[row.name] = {
					"status": FAILED,
					"reason": Reason.SENDING_FAILED,
					"error": sent.error,
					"temporary": bool(sent.temporary),
					"retry_after": sent.retry_after,
					"executed_at": sent.modified,
				}
			elif sent.status == SENDING and abs(now - sent.modified) > SENDING_MINUTES:
				dead.add(sent.name)
				changes[row.name] = {
					"status": FAILED,
					"reason": Reason.OUTCOME_UNKNOWN,
					"error": self.unknown(),
					"temporary": self.SAFE_TO_REPEAT,
					"executed_at": sent.modified,
				}
		if dead:
			frappe.db.set_value(
				DOCTYPE, {"name": ["in", list(dead)]}, {"status": NOT_SENT, "error": self.unknown()}
			)
		return changes

	def unknown(self) -> str:
		"""Return what to do about a message of which nobody knows whether it left."""
		if self.SAFE_TO_REPEAT:
			return _(
				"The worker was killed while it sent this message. It is sent again with the same key, which the receiver takes once."
			)
		return _(
			"The worker was killed while it sent this message, which may have left or not. Ask the receiver, and retry if it has not."
		)

	def repeated(self, rows: list[dict]) -> dict[str, str]:
		"""See `Channel.repeated`. 1 query. What has another key by now is for another customer, or about another thing."""
		if not self.SAFE_TO_REPEAT:
			return {}
		found = _by_handle(rows)
		return {
			row.name: found[row.handle].message_key
			for row in rows
			if row.handle in found
			and (found[row.handle].status != WAITING or found[row.handle].repeats)
			and row.message_key in (found[row.handle].row_keys or found[row.handle].message_key).split()
		}

	def recall(self, rows: list[dict]) -> dict[str, dict]:
		"""Delete what has not left; return the rows whose message has, or still may. 1 or 2 queries."""
		found = _by_handle(rows, for_update=True)
		alive = {
			name
			for name, sent in found.items()
			if sent.status == SENT
			or (sent.status == SENDING and not self.SAFE_TO_REPEAT)
			# A job may be at it: what came of it is known in a few minutes.
			or (sent.status == SENDING and abs(now_datetime() - sent.modified) <= SENDING_MINUTES)
		}
		_delete(set(found) - alive)
		return {row.name: {"status": QUEUED} for row in rows if row.handle in alive}

	def withdraw(self, rows: list[dict], only_left_behind: bool = False) -> set[str]:
		"""Delete the messages that nobody has begun to send; return the names of their rows. At most 3 queries.

		One that repeats an attempt is kept as failed: its key says what may have been taken.
		"""
		now, everything = now_datetime(), identity.is_copy() or not only_left_behind
		unsent = {
			name: sent
			for name, sent in _by_handle(rows, for_update=True).items()
			if sent.status == WAITING and (everything or abs(now - sent.modified) > FRESH_FOR)
		}
		repeats = {name for name, sent in unsent.items() if sent.repeats}
		if repeats:
			frappe.db.set_value(DOCTYPE, {"name": ["in", list(repeats)]}, "status", NOT_SENT)
		_delete(set(unsent) - repeats)
		return {row.name for row in rows if row.handle in unsent}


def _names(count: int) -> list[str]:
	"""Return new names that sort by time."""
	stem = f"{time.time_ns() // 1_000_000:011x}{os.urandom(4).hex()}"
	return [f"{stem}{number:04x}" for number in range(count)]


def _waiting(handles: list[str]) -> Iterator[dict]:
	"""Yield the rows that wait and are to be sent, in the order of their names: none of a campaign that is paused, and
	none that was looked at too long ago. `settle` takes those back. 1 query for READ_AT_ONCE of them."""
	handles = sorted(handles)
	row, campaign = frappe.qb.DocType(DOCTYPE), frappe.qb.DocType("Lifecycle Campaign")
	for first in range(0, len(handles), READ_AT_ONCE):
		now = now_datetime()
		yield from (
			frappe.qb.from_(row)
			.join(campaign)
			.on((campaign.name == row.campaign) & (campaign.is_active == 1))
			.select(row.name, row.action, row.message_key, row.payload)
			.where(row.name.isin(handles[first : first + READ_AT_ONCE]))
			.where(row.status == WAITING)
			.where((row.modified > now - FRESH_FOR) & (row.modified < now + FRESH_FOR))
			.orderby(row.name)
		).run(as_dict=True)


def _step(done: tuple[str, Result] | None, next_row: dict | None) -> bool:
	"""Write down what came of one message and, in the same transaction, that the next is being sent; return whether that
	is ours: two jobs that see the same row wait for each other here, and one of them gets it. At most 2 queries."""
	if done:
		name, result = done
		values = {
			"status": NOT_SENT if result.error else SENT,
			"error": result.error and result.error[:2000],
			"temporary": cint(result.temporary),
			"retry_after": cint(result.retry_after),
			"response_code": cint(result.code),
			"response": result.response and result.response[:LONGEST_RESPONSE],
			"provider_id": result.provider_id and result.provider_id[:140],
			# What was said about the customer is not kept.
			**({} if result.error else {"payload": None}),
		}
		frappe.db.set_value(DOCTYPE, {"name": name, "status": SENDING}, values)
	if not next_row:
		return False
	frappe.db.sql(
		f"update `tab{DOCTYPE}` set status = %s, modified = %s where name = %s and status = %s",
		(SENDING, now_datetime(), next_row.name, WAITING),
	)
	return bool(compat.changed_rows())


def clear(days: int) -> None:
	"""Delete what was sent or given up more than `days` ago. Commits."""
	until = add_to_date(now_datetime(), days=-days)
	while names := frappe.get_all(
		DOCTYPE,
		filters={"status": ["in", [SENT, NOT_SENT]], "modified": ["<", until]},
		pluck="name",
		order_by="name asc",
		limit_page_length=CLEARED_AT_ONCE,
	):
		frappe.db.delete(DOCTYPE, {"name": ["in", names]})
		frappe.db.commit()


def _by_handle(rows: list[dict], for_update: bool = False) -> dict[str, dict]:
	"""Return the outbox's rows by name, locked until the caller commits. 1 query."""
	handles = sorted({row.handle for row in rows if row.handle})
	if not handles:
		return {}
	return {
		row.name: row
		for row in frappe.db.sql(
			"select name, status, modified, error, `temporary`, retry_after, provider_id, message_key, row_keys, repeats"
			f" from `tab{DOCTYPE}`"
			f" where name in %s order by name{' for update' if for_update else ''}",
			(handles,),
			as_dict=True,
		)
	}


def _delete(names: set[str]) -> None:
	if names:
		frappe.db.delete(DOCTYPE, {"name": ["in", list(names)]})
