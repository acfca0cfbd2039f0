"""Renewed, for what runs from a day to a day by agreement: a later one of the same kind renews it. No query.

Those of a customer are paired one to one (pairing.py). The day on which one begins stands for its purchase: a renewal is
signed long before or a little late, and begins where the old one ends.
"""

from collections import defaultdict
from datetime import date, timedelta
from typing import NamedTuple

from marketing_automation.engine.goals import Asked
from marketing_automation.engine.model import Reached
from marketing_automation.engine.names import folded
from marketing_automation.goals.pairing import WINDOW_BEYOND, Held, Purchase, default_window, paired


class Agreement(NamedTuple):
	"""A contract or a subscription. kinds: what it is made by (its template, its plans). known: when it was made."""

	name: str
	customer: str
	kinds: frozenset[str]
	start: date | None
	end: date | None
	known: date


def renewed(
	asked: list[Asked], doctype: str, agreements: list[Agreement], night: date, today: date
) -> dict[int, Reached]:
	"""Return {index: the agreement that renews it}.

	agreements: all of the customers, those that are asked about among them. night: of one that is past, only what was made
	by then counts.
	"""
	by_customer, groups = defaultdict(list), defaultdict(list)
	for agreement in agreements:
		if agreement.start and (night >= today or agreement.known <= night):
			by_customer[folded(agreement.customer)].append(agreement)
	for index, one in enumerate(asked):
		groups[one.rule.campaign.name, one.rule.trigger.date_field, folded(one.customer)].append(index)
	found = {}
	for (_campaign, _date_field, customer), indexes in groups.items():
		pairs = _paired([asked[index] for index in indexes], by_customer[customer])
		for index in indexes:
			if purchase := pairs.get(folded(asked[index].event.reference_name)):
				found[index] = Reached(doctype, purchase.document, purchase.on)
	return found


def _paired(asked: list[Asked], agreements: list[Agreement]) -> dict[str, Purchase]:
	rule = asked[0].rule
	late = timedelta(days=max(rule.days_of_campaign[1], 0) + WINDOW_BEYOND)
	own = {folded(one.event.reference_name): one.event.occurrence for one in asked}
	held, purchases = [], []
	for agreement in agreements:
		name = folded(agreement.name)
		until = own.get(name) or agreement.end
		purchases.append(Purchase(name, agreement.start, agreement.end, agreement.name, agreement.kinds))
		if until:
			window = rule.campaign.get("renewal_window") or default_window(
				rule.longest_before, agreement.start, until
			)
			latest = None if name in own else until + late
			held.append(Held(name, agreement.start, until, window, latest, agreement.kinds))
	return paired(held, purchases, lambda one, other: bool(one & other))
