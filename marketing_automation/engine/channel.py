"""Channels: how a message leaves. What the engine asks of one, and which there are.

A channel is a module or an object that keeps `Channel`, named by its path in the hook `lifecycle_channels` under its
action type: `{"Send Email": "marketing_automation.channels.email.channel"}`. Another app adds a line to the hook of its
own, and nothing else.
"""

import contextlib
import importlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol, runtime_checkable

import frappe
from frappe import _
from rq.timeouts import BaseTimeoutException

from marketing_automation.engine.customers import as_they_are
from marketing_automation.engine.model import Recipient
from marketing_automation.engine.names import ByName
from marketing_automation.engine.profiles import Profile
from marketing_automation.engine.transaction import log_once


class Unsendable(Exception):
	"""One message cannot be sent. `reason` is one of model.Reason; the text says what to do."""

	def __init__(self, reason: str, text: str):
		super().__init__(text)
		self.reason = reason


@dataclass(frozen=True)
class Message:
	"""One message to one recipient: what a channel sends.

	items: what it is about, dicts of the source's variables (`Source.values`), the most urgent first. key: a text that is the
	same for every attempt at this message and no other: that of its ledger row, or one made of those of all its rows.
	rows: the names of its ledger rows, none while it is only looked at; row_keys: the message keys of these, in the same
	order. repeats: whether an earlier attempt at it may have been taken (`Channel.repeated`). profile: the rules of the
	reader's country for what offers something; None for what offers nothing. about: (DocType, name) of the documents that the items
	are about, in their order.
	"""

	key: str
	campaign: dict
	action: dict
	recipient: Recipient
	company: str | None
	items: list[dict]
	today: date
	rows: tuple[str, ...] = ()
	row_keys: tuple[str, ...] = ()
	repeats: bool = False
	profile: Profile | None = None
	about: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Rendered:
	"""A message as it reads: its subject (one line of text) and its body (HTML)."""

	subject: str
	body: str


@runtime_checkable
class Channel(Protocol):
	"""How a message leaves. Who inherits from it writes what has no default here.

	Ledger rows are dicts with at least name, channel, handle, run and attempts. A handle is what the channel knows a
	message by; the ledger keeps it.
	"""

	# Whether what leaves is read by the customer. Only then do address and consent matter.
	REACHES_CUSTOMER: bool = True
	# The DocType of the handles, where they are names of documents.
	HANDLE_DOCTYPE: str | None = None
	# So many messages are sent by one job.
	PER_JOB: int = 1000

	def addresses(self, customers: set[str]) -> ByName[Recipient]:
		"""Return how each customer that exists is reached, and with `reason` why one is not, without regard to
		unsubscribes. At most 1 query. Default: without an address, for what reaches no customer."""
		return as_they_are(customers)

	def refusal(self, action: dict, recipient: Recipient) -> str | None:
		"""Return why an action's message cannot go to a recipient of `addresses`, by what the action says; one of
		model.Reason, or None. No query. Default: it can."""
		return None

	def check(self, campaign: Any) -> None:
		"""Throw a translated error when a campaign (document or dict) could not send now. Default: it can."""

	def validate(self, action: Any, campaign: Any) -> None:
		"""Throw a translated error when an action (document) of a campaign (document or dict) cannot work. Default: it can."""

	def problems(self, actions: list[dict]) -> list[tuple[str, str]]:
		"""Return (campaign, a translated text) for each enabled action that cannot work any more, in 1 query.

		actions: dicts of name, campaign, combine_messages, email_template and translation, the template of one other
		language, with a row for each. Default: none.
		"""
		return []

	def prepare(self, actions: list[dict]) -> Any:
		"""Load what composing needs, once for a batch; `compose` and `render` are handed it. Default: nothing."""

	def compose(self, prepared: Any, message: Message) -> Any:
		"""Make what leaves out of one message and send nothing; raise Unsendable for what is wrong with this one."""
		...

	def render(self, prepared: Any, message: Message) -> tuple[Rendered, str]:
		"""Return a message as it reads, to be looked at, and the code of its language; raise Unsendable."""
		...

	def is_throttled(self) -> bool:
		"""Say whether `room` is a number that grows again within a minute. Default: it is not."""
		return False

	def room(self, campaign: Any) -> int | None:
		"""Return how many messages of a campaign it takes now: None for any number, 0 while nothing leaves.

		The others stay Pending. Asked inside the transaction of `hand_over`, so what it locks is locked until that is
		committed. Default: any number.
		"""
		return None

	def hand_over(self, composed: list) -> list[dict]:
		"""Take a batch inside the caller's transaction; return the fields of each one's ledger rows, in the same order.

		{"handle": ...} of what leaves by `dispatch` once that is committed; with {"status": "Completed", "executed_at":
		...} of what is done by the transaction itself. If it raises, all that it wrote is undone, and it is called again
		for one at a time. Makes no network call.
		"""
		...

	def dispatch(self, handles: list[str]) -> list[str]:
		"""Send what was handed over and is committed; return the handles that it has had no time for.

		Called by a job of its own, outside any transaction. Sends nothing twice, whoever else calls it at the same time.
		Does not raise for what is wrong with one message: `outcomes` says it. Default: nothing is to be done.
		"""
		return []

	def outcomes(self, rows: list[dict]) -> dict[str, dict]:
		"""Return {name: fields} of the Queued rows that have ended.

		`temporary: True` among the fields of one that failed has it tried again, after `retry_after` seconds if that is
		longer than the engine would wait. `finding`, a suppression.Finding, is what a final failure says of the address.
		Default: none has.
		"""
		return {}

	def repeated(self, rows: list[dict]) -> dict[str, str]:
		"""Return {name: key} of the rows whose last attempt may have been taken, by a receiver that takes a key once.

		rows: with message_key too, about to be sent again. Those with the same key go again as one message, by that key and
		with nothing new in it: so what was taken is not taken twice, and what is new is not taken for known. Asked before
		`recall`. Default: none.
		"""
		return {}

	def recall(self, rows: list[dict]) -> dict[str, dict]:
		"""Remove what the last attempt of rows that are about to be sent again has left, so that it cannot leave any more.

		Return {name: fields} of those that have left, or still may. Inside the caller's transaction. Default: nothing.
		"""
		return {}

	def withdraw(self, rows: list[dict], only_left_behind: bool = False) -> set[str]:
		"""Remove what has not left of Queued rows, and cannot be leaving; return the names of those rows.

		only_left_behind: only what nobody is about to send any more: its job has died, or nothing leaves at the moment.
		Inside the caller's transaction. Default: none.
		"""
		return set()

	def asked_again(self) -> set[str]:
		"""Return the handles of messages that have failed and that somebody has told whatever is behind the channel to
		send again. Default: none."""
		return set()


def channel_for(action_type: str) -> Channel:
	"""Return the channel of an action type; throws when no installed app has one."""
	paths = _served().get(action_type)
	if not paths:
		frappe.throw(
			_(
				"No installed app serves the action type {0}. Install the app again, or choose another action type."
			).format(frappe.bold(frappe.utils.escape_html(_(action_type)))),
			title=_("Unknown Action Type"),
		)
	return _at(paths[-1])


def is_served(action_type: str | None) -> bool:
	"""Say whether an installed app has the channel of an action type."""
	return action_type in _served()


def action_types() -> list[str]:
	"""Return the action types that installed apps have channels of, without asking for these: one may not even load."""
	return list(_served())


def _served() -> dict[str, list[str]]:
	return frappe.get_hooks("lifecycle_channels", {})


def _at(path: str) -> Channel:
	"""Return the module or the object of a module at a dotted path."""
	try:
		return importlib.import_module(path)
	except ModuleNotFoundError as e:
		if e.name != path:
			raise
	return frappe.get_attr(path)


def by_channel(rows: Iterable[dict]) -> Iterator[tuple[Channel, list[dict]]]:
	"""Yield each channel with its ledger rows (`channel` and what it needs of them).

	What an app that is gone has sent is left out: it stays as it was, and stops nothing.
	"""
	by_type = defaultdict(list)
	for row in rows:
		by_type[row.channel].append(row)
	served = _served()
	for action_type, of_type in by_type.items():
		if action_type in served:
			yield channel_for(action_type), of_type


@contextlib.contextmanager
def by_itself(action_type: str) -> Iterator[None]:
	"""Have what is asked of a channel stop no other: what it raises is rolled back and logged, once a day."""
	try:
		yield
	except BaseTimeoutException:
		raise
	except Exception:
		frappe.db.rollback()
		log_once(
			f"The channel {action_type} failed. Its messages wait, others went on; correct it or ask its developer"
		)
