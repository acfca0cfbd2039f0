"""Channels: how a message leaves. One module each, named in the hook `lifecycle_channels` by its action type:
`{"Send Email": "marketing_automation.channels.email.channel"}`.

A channel module has:

- `REACHES_CUSTOMER`: whether what leaves is read by the customer. Only then do address and consent matter.
- `addresses(customers)` returns how each customer that exists is reached (`names.ByName` of model.Recipient), and with
  `reason` why one is not, without regard to unsubscribes; at most 1 query.
- `check(campaign)` throws a translated error when the campaign (document or dict) could not send now.
- `validate(action, campaign)` throws a translated error when an action (document) of a campaign (document or dict)
  cannot work.
- `problems(actions)`, if it has one, takes enabled actions, dicts of campaign, combine_messages, email_template and the one
  of a translation; returns (campaign, a translated text) for each that cannot work any more, in 1 query.
- `prepare(actions)` loads what composing needs, once for a batch; its result is handed to `compose`.
- `compose(prepared, message)` makes what leaves out of one Message and sends nothing; raises Unsendable for what is
  wrong with this one message.
- `render(prepared, message)` returns a message as it reads (`templates.Rendered`) and its language, to be looked at;
  raises Unsendable.
- `room(campaign)` returns how many messages of a campaign it takes now: None for any number, 0 while nothing leaves. The
  others stay Pending. Asked inside the transaction of `hand_over`, so what it locks is locked until that is committed.
- `is_throttled()` says whether `room` is a number that grows again within a minute.
- `hand_over(composed)` sends a batch inside the caller's transaction; returns the fields of each ledger row, in the same
  order. If it raises, all that it wrote is undone, and it is called again for one at a time.
- `dispatch(handed_over)` takes such fields when they are committed; what has to happen only then, happens.
- `recall(rows)` takes ledger rows that are about to be sent again; removes what their last attempt has left, so that
  it cannot leave any more; returns {name: fields} of those that have left, or still may.
- `withdraw(rows, only_left_behind=False)` takes ledger rows that are Queued and are not to be sent any more; removes what
  has not left and cannot be leaving, inside the caller's transaction; returns the names of those rows. only_left_behind:
  only what nobody is about to send any more: its job has died, or nothing leaves at the moment.
- `asked_again()` returns the handles of messages that have failed and that somebody has told whatever is behind the
  channel to send again.
- `outcomes(rows)` takes ledger rows that are Queued, returns {name: fields} of those that have ended. `temporary: True`
  among the fields of one that failed has it tried again.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from types import ModuleType

import frappe
from frappe import _

from marketing_automation.engine.model import Recipient


class Unsendable(Exception):
	"""One message cannot be sent. `reason` is one of model.Reason; the text says what to do."""

	def __init__(self, reason: str, text: str):
		super().__init__(text)
		self.reason = reason


@dataclass(frozen=True)
class Message:
	"""One message to one recipient: what a channel sends.

	items: what it is about, dicts of serial_no, item_code, item_name, expiry_date, the most urgent first. key: a text that
	is the same for every attempt at this message and no other.
	"""

	key: str
	campaign: dict
	action: dict
	recipient: Recipient
	company: str | None
	items: list[dict]
	today: date


def channel_for(action_type: str) -> ModuleType:
	"""Return the channel module of an action type; throws when no installed app has one."""
	paths = _served().get(action_type)
	if not paths:
		frappe.throw(
			_(
				"No installed app serves the action type {0}. Install the app again, or choose another action type."
			).format(frappe.bold(frappe.utils.escape_html(_(action_type)))),
			title=_("Unknown Action Type"),
		)
	return frappe.get_module(paths[-1])


def is_served(action_type: str) -> bool:
	"""Say whether an installed app has the channel of an action type."""
	return action_type in _served()


def channels() -> list[ModuleType]:
	"""Return the channel modules of all installed apps."""
	return [frappe.get_module(path) for path in {paths[-1]: None for paths in _served().values()}]


def _served() -> dict[str, list[str]]:
	return frappe.get_hooks("lifecycle_channels", {})


def by_channel(rows: Iterable[dict], types: dict[str, str]) -> Iterator[tuple[ModuleType, list[dict]]]:
	"""Yield each channel with its ledger rows. types: {action: action type}.

	What an app that is gone has sent is left out, and so is what an action that is gone has: it stays as it was, and
	stops nothing.
	"""
	by_type = defaultdict(list)
	for row in rows:
		by_type[types.get(row.action)].append(row)
	served = _served()
	for action_type, of_type in by_type.items():
		if action_type in served:
			yield channel_for(action_type), of_type
