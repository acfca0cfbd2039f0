"""Renewed: the customer has the next one already. What that means for each source stands in a file of its own."""

from collections import defaultdict
from collections.abc import Callable
from datetime import date

import frappe
from frappe import _

from marketing_automation.engine.goals import Asked
from marketing_automation.engine.model import Reached
from marketing_automation.engine.schedule import MOST_DAYS
from marketing_automation.goals import contracts, pins, subscriptions

# {source: which of those who are asked about have the next one}.
SOURCES: dict[str, Callable[[list[Asked], date], dict[int, Reached]]] = {
	"Serial No": pins.renewed,
	"Contract": contracts.renewed,
	"Subscription": subscriptions.renewed,
}


class Renewed:
	"""The goal of a campaign that offers a renewal."""

	fields = ("renewal_window", "renews_in_group")

	@property
	def label(self) -> str:
		"""What the form calls it."""
		return _("Renewed", context="Lifecycle Goal")

	def fits(self, source: str) -> bool:
		"""Say whether what a source finds can be renewed."""
		return source in SOURCES

	def validate(self, campaign) -> None:
		"""Throw when the window is no number of days."""
		if not 0 <= (campaign.get("renewal_window") or 0) <= MOST_DAYS:
			frappe.throw(
				_("The renewal window can have 0 to {0} days, not {1}. Correct it.").format(
					MOST_DAYS, campaign.renewal_window
				),
				title=_("Too Many Days"),
			)

	def reached(self, asked: list[Asked], night: date) -> dict[int, Reached]:
		"""Return {index: the sale, contract or subscription that renews it}. The queries of each source's file."""
		by_source, found = defaultdict(list), {}
		for index, one in enumerate(asked):
			by_source[one.rule.source].append(index)
		for source, indexes in by_source.items():
			answer = SOURCES[source]([asked[index] for index in indexes], night)
			found |= {indexes[place]: reached for place, reached in answer.items()}
		return found


GOAL = Renewed()
