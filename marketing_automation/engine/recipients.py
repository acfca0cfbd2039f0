"""Who a message goes to and how they are reached: events and actions in, recipients out. Only reads.

The source of an event says whose it is, the channel of an action how they are reached.
"""

from collections import defaultdict
from dataclasses import replace

from marketing_automation.engine import faults
from marketing_automation.engine.channel import channel_for, is_served
from marketing_automation.engine.customers import as_they_are
from marketing_automation.engine.faults import Faults
from marketing_automation.engine.model import DueEvent, Reason, Recipient
from marketing_automation.engine.names import ByName


def recipients(messages: list[tuple[DueEvent, dict]]) -> list[Recipient]:
	"""Return the recipient of each (event, action), in the same order; one who cannot be reached has a `reason`.

	An action whose channel no installed app has, has the customer without an address.
	What they have said about our messages is the gate's (checks/consent.py). Queries: those of `owners`, and of each channel's
	`addresses`.
	"""
	owned = _owners([event for event, _action in messages])
	by_type = defaultdict(list)
	for index, (_event, action) in enumerate(messages):
		by_type[action["action_type"]].append(index)
	found = [None] * len(messages)
	for action_type, indexes in by_type.items():
		channel = channel_for(action_type) if is_served(action_type) else None
		customers = {owned[index][0] for index in indexes if owned[index][0]}
		reached = channel.addresses(customers) if channel else as_they_are(customers)
		for index in indexes:
			_event, action = messages[index]
			recipient = _recipient(*owned[index], reached)
			if channel and not recipient.reason:
				recipient.reason = channel.refusal(action, recipient)
			found[index] = recipient
	return found


def _recipient(
	customer: str | None,
	reason: str | None,
	error: str | None,
	reached: ByName,
) -> Recipient:
	if not customer:
		return Recipient(reason=reason, error=error)
	found = reached.get(customer)
	if not found:
		return Recipient(customer=customer, reason=Reason.CUSTOMER_NOT_FOUND)
	# One of its own: the channel may refuse this action and not the next.
	return replace(found)


def owners(events: list[DueEvent]) -> list[tuple[str | None, str | None]]:
	"""Return (customer, reason) for each event, in the same order; one of the two is None. Queries: the sources'."""
	return [(customer, reason) for customer, reason, _error in _owners(events)]


def _owners(events: list[DueEvent]) -> list[tuple[str | None, str | None, str | None]]:
	"""Return (customer, reason, error) for each event. Where a source raises: nobody, and what is to be done."""
	found, broken = [None] * len(events), Faults()
	entries = [(event.rule, index) for index, event in enumerate(events)]
	for some, owned in faults.answers(
		lambda source, some: source.owners([events[index] for _rule, index in some]), entries, broken
	):
		for (_rule, index), owner in zip(some, owned, strict=True):
			found[index] = (*owner, None)
	return [
		owner or (None, Reason.TRIGGER_BROKEN, broken[event.rule.trigger.name].problem)
		for event, owner in zip(events, found, strict=True)
	]
