"""The plain data that the stages hand to each other."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import NamedTuple

from marketing_automation.engine import schedule

# Statuses of a ledger row; the arrows are in ledger.TRANSITIONS.
PENDING = "Pending"
WAITING = "Waiting"
QUEUED = "Queued"
COMPLETED = "Completed"
FAILED = "Failed"
SKIPPED = "Skipped"
CANCELLED = "Cancelled"
# It has not left, and still may.
OPEN = (PENDING, WAITING, QUEUED)

KEY_LENGTH = 32

ONCE_PER_DATE = "Once per date"
ONCE_PER_CUSTOMER = "Once per customer"


class Reason:
	"""Why a message was not sent. The words are the options of Lifecycle Execution Log.reason."""

	NO_CUSTOMER = "No customer"
	RETURNED = "Returned"
	CUSTOMER_NOT_FOUND = "Customer not found"
	CUSTOMER_DISABLED = "Customer disabled"
	CUSTOMER_FROZEN = "Customer frozen"
	NO_ADDRESS = "No e-mail address"
	INVALID_ADDRESS = "Invalid e-mail address"
	NO_ACCOUNT_MANAGER = "No account manager"
	UNSUBSCRIBED = "Unsubscribed"
	ALREADY_SENT = "Already sent"
	MISSED = "Missed"
	DATE_PASSED = "Date passed"
	DATE_CHANGED = "Date changed"
	OWNER_CHANGED = "Owner changed"
	NOT_FOUND = "Not found"
	CAMPAIGN_INACTIVE = "Campaign inactive"
	TEMPLATE_ERROR = "Template error"
	SENDING_FAILED = "Sending failed"
	ATTACHMENT_FAILED = "Attachment failed"
	OUTCOME_UNKNOWN = "Outcome unknown"
	TRIGGER_BROKEN = "Trigger broken"
	OUTSIDE_DATES = "Outside campaign dates"
	NO_LONGER_MATCHES = "No longer matches"
	GOAL_REACHED = "Goal reached"
	# What the gate's checks say, of what waits as of what is skipped.
	SUPPRESSED = "Suppressed"
	NO_BASIS = "No basis"
	FREQUENCY_CAP = "Frequency cap"
	OUTSIDE_WINDOW = "Outside send window"
	ON_HOLD = "On hold"
	PAUSED = "Paused by recipient"
	WARM_UP = "Warm-up"
	CHECK_FAILED = "Check failed"
	# What came back of a message that had left: it stays Completed.
	BOUNCED = "Bounced"
	COMPLAINED = "Complained"
	SENDER_REFUSED = "Sender refused"


class Basis:
	"""By what right a customer is written to. The words are the options of Lifecycle Execution Log.basis."""

	EXISTING_CUSTOMER = "Existing customer"
	OPT_IN = "Opt-in"
	SERVICE = "Service"


# What passes as soon as somebody mends the data, the clock or the campaign: each run looks again (engine/again.py).
CAN_PASS = (
	Reason.NO_CUSTOMER,
	Reason.RETURNED,
	Reason.CUSTOMER_NOT_FOUND,
	Reason.CUSTOMER_DISABLED,
	Reason.CUSTOMER_FROZEN,
	Reason.NO_ADDRESS,
	Reason.INVALID_ADDRESS,
	Reason.NO_ACCOUNT_MANAGER,
	Reason.ALREADY_SENT,
	Reason.MISSED,
	Reason.DATE_CHANGED,
	Reason.OWNER_CHANGED,
	Reason.NOT_FOUND,
	Reason.OUTSIDE_DATES,
	Reason.NO_LONGER_MATCHES,
	Reason.TRIGGER_BROKEN,
	# The purchase is cancelled, or comes back.
	Reason.GOAL_REACHED,
	# An administrator lifts it; somebody buys, or agrees.
	Reason.SUPPRESSED,
	Reason.NO_BASIS,
)


@dataclass(frozen=True)
class Rule:
	"""One trigger with its campaign and its actions, as read from the database (dicts of their fields)."""

	campaign: dict
	trigger: dict
	actions: tuple[dict, ...]

	@property
	def active_since(self):
		"""Since when campaign and trigger are both on (datetime), or None."""
		return max(filter(None, (self.campaign.active_since, self.trigger.active_since)), default=None)

	def sends_on(self, night: date) -> bool:
		"""Say whether a night lies between the dates of the campaign, both included."""
		first, last = self.campaign.start_date, self.campaign.end_date
		return (not first or first <= night) and (not last or night <= last)

	@property
	def source(self) -> str:
		"""The key of its trigger's source."""
		return self.trigger.get("source")

	@property
	def days_of_campaign(self) -> tuple[int, int]:
		"""The first and the last day on which any trigger of its campaign sends about what its source finds, counted from the
		occurrence: (-30, 7) is 30 days before to 7 days after it."""
		days = self.campaign.get("days_of_sources", {}).get(self.source)
		return days or (days_from_occurrence(self.trigger),) * 2

	@property
	def longest_before(self) -> int:
		"""How many days before an occurrence its campaign writes first; 0 where it begins on the day or after."""
		return max(0, -self.days_of_campaign[0])


class Reached(NamedTuple):
	"""The document that shows that a customer has reached a campaign's goal, and its day."""

	doctype: str
	name: str
	on: date


class DueEvent(NamedTuple):
	"""Something that is due by a rule: what it is about (`reference_*`) and when it happens (`occurrence`)."""

	rule: Rule
	reference_doctype: str
	reference_name: str
	item_code: str | None
	company: str | None
	customer: str | None
	occurrence: date
	night: date
	missed: bool = False
	# The trigger has been changed since, or what it asks of a serial number, and now leaves it out.
	left_out: bool = False
	# What shows that its customer has reached the campaign's goal. Nobody has asked where it is None.
	reached: Reached | None = None


@dataclass(slots=True)
class Recipient:
	"""Who a message goes to. `reason` is empty when it can go to the customer; `error` says more of it, if there is more."""

	customer: str | None = None
	customer_name: str | None = None
	address: str | None = None
	language: str | None = None
	reason: str | None = None
	error: str | None = None
	# The Contact whose address it is, where it is a Contact's.
	contact: str | None = None


@dataclass(slots=True)
class PlannedMessage:
	"""One message of one action about one event: what becomes a row of the ledger.

	due_at: until when one that is Waiting waits, in the site's time zone. basis: one of `Basis`. evidence: (DocType, name) of the
	document that shows why. words: what more there is to say of why it waits.
	"""

	action: dict
	event: DueEvent
	recipient: Recipient
	status: str = PENDING
	reason: str | None = None
	due_at: datetime | None = None
	basis: str | None = None
	evidence: tuple[str, str] | None = None
	words: str | None = None

	@property
	def campaign(self) -> dict:
		return self.event.rule.campaign

	@property
	def message_key(self) -> str:
		return self._key(self.recipient.customer)

	@property
	def ownerless_key(self) -> str:
		"""The key that this message has in the ledger as long as nobody knows its customer."""
		return self._key(None)

	def _key(self, customer: str | None) -> str:
		event = self.event
		return message_key(
			self.action["name"], event.reference_doctype, event.reference_name, event.occurrence, customer
		)

	@property
	def error(self) -> str | None:
		"""What is to be mended where the message has failed before it was written, or waits for something that has."""
		return self.recipient.error if self.status == FAILED else self.words

	@property
	def suppression_key(self) -> str | None:
		"""The customer's key where the campaign sends each customer each message once; None where it does not."""
		if self.campaign["duplicate_policy"] == ONCE_PER_CUSTOMER and self.recipient.customer:
			return suppression_key(self.action["name"], self.recipient.customer)
		return None


def days_from_occurrence(trigger: dict) -> int:
	"""Return on which day a trigger sends, counted from the occurrence: negative before it."""
	return -schedule.SIGN.get(trigger.get("trigger_type"), 0) * (trigger.get("days_offset") or 0)


def message_key(
	action: str, reference_doctype: str, reference_name: str, occurrence: date, customer: str | None
) -> str:
	"""Return the identity of a message: hex digits of its action, what it is about, the occurrence, and for whom.

	customer: None while nobody knows. `ledger.KEY_IN_SQL` makes the same in the database.
	"""
	return _digest(action, reference_doctype, reference_name, occurrence.isoformat(), customer or "")


def key_of_all(keys: Iterable[str]) -> str:
	"""Return the identity of a message that is made of several rows, from the message keys of these; of one row it is that one's."""
	first, *others = sorted(keys)
	return _digest("together", first, *others) if others else first


def suppression_key(action: str, customer: str) -> str:
	"""Return the key that lets an action reach a customer once, ever."""
	return _digest(action, "Customer", customer)


def _digest(*parts: str) -> str:
	# The separator cannot be part of a name, so no two lists of parts make the same text.
	# Half of it is enough that no two are ever the same, and each row has it in the table and in an index.
	return sha256("\x1f".join(parts).encode()).hexdigest()[:KEY_LENGTH]
