"""Who a message goes to and how they are reached: events and actions in, recipients out. Only reads.

The source of an event says whose it is, the channel of an action how they are reached.
"""

from collections import defaultdict

import frappe

from marketing_automation.engine import consent, long_lists
from marketing_automation.engine.channel import channel_for, is_served
from marketing_automation.engine.model import DueEvent, Reason, Recipient
from marketing_automation.engine.names import ByName
from marketing_automation.engine.source import source_for


def recipients(messages: list[tuple[DueEvent, dict]]) -> list[Recipient]:
	"""Return the recipient of each (event, action), in the same order; one who cannot be reached has a `reason`.

	An action whose channel no installed app has, has the customer without an address.
	Queries: those of `owners`, and of each channel's `addresses`; 1 where a channel reaches customers.
	"""
	owned = owners([event for event, _action in messages])
	by_type = defaultdict(list)
	for index, (_event, action) in enumerate(messages):
		by_type[action["action_type"]].append(index)
	found = [None] * len(messages)
	for action_type, indexes in by_type.items():
		channel = channel_for(action_type) if is_served(action_type) else None
		customers = {owned[index][0] for index in indexes if owned[index][0]}
		reached = channel.addresses(customers) if channel else customers_as_they_are(customers)
		left = {}
		if channel and channel.REACHES_CUSTOMER:
			left = consent.unsubscribes({one.address for one in reached.values() if one.address})
		for index in indexes:
			campaign = messages[index][0].rule.campaign
			found[index] = _recipient(*owned[index], reached, left, campaign)
	return found


def _recipient(
	customer: str | None, reason: str | None, reached: ByName, left: dict, campaign: dict
) -> Recipient:
	if not customer:
		return Recipient(reason=reason)
	found = reached.get(customer)
	if not found:
		return Recipient(customer=customer, reason=Reason.CUSTOMER_NOT_FOUND)
	reason = found.reason
	if not reason and found.address and consent.has_left(left.get(found.address.lower()), campaign):
		reason = Reason.UNSUBSCRIBED
	return Recipient(found.customer, found.customer_name, found.address, found.language, reason, found.error)


def owners(events: list[DueEvent]) -> list[tuple[str | None, str | None]]:
	"""Return (customer, reason) for each event, in the same order; one of the two is None. Queries: the sources'."""
	by_source = defaultdict(list)
	for index, event in enumerate(events):
		by_source[event.rule.trigger["source"]].append(index)
	found = [None] * len(events)
	for indexes in by_source.values():
		owned = source_for(events[indexes[0]].rule.trigger).owners([events[index] for index in indexes])
		for index, owner in zip(indexes, owned, strict=True):
			found[index] = owner
	return found


def customers_as_they_are(customers: set[str]) -> ByName[Recipient]:
	"""Return each customer that exists, without an address, for what does not reach them. At most 1 query.

	Each is named as their record is, and found however else their name is written.
	"""
	if not customers:
		return ByName()
	customer = frappe.qb.DocType("Customer")
	query = (
		frappe.qb.from_(customer)
		.select(
			customer.name, customer.customer_name, customer.language, customer.disabled, customer.is_frozen
		)
		.where(long_lists.among(customer.name, "customers"))
	)
	return ByName(
		(name, Recipient(name, customer_name, None, language, state_of(disabled, frozen)))
		for name, customer_name, language, disabled, frozen in long_lists.run(query, customers=customers)
	)


def state_of(disabled: int, frozen: int) -> str | None:
	"""Return why nothing goes out about a customer whose record says this, or None."""
	if disabled:
		return Reason.CUSTOMER_DISABLED
	return Reason.CUSTOMER_FROZEN if frozen else None
