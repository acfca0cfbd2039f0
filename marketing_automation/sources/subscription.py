"""Subscriptions of ERPNext: the end of the trial, of what is paid for, and of the subscription itself. Only reads."""

import frappe
from frappe import _

from marketing_automation.engine.model import DueEvent
from marketing_automation.engine.names import ByName
from marketing_automation.engine.source import Variable
from marketing_automation.sources.date_field import DateSource
from marketing_automation.sources.spec import Spec

PLAN = "Subscription Plan"

SPEC = Spec(
	"Subscription",
	title=lambda: _("When a subscription or its trial ends"),
	timing=lambda: (_("Before that end"), _("On that day"), _("After that end")),
	date_fields=("trial_period_end", "current_invoice_end", "end_date"),
	customer="party",
	always=(("party_type", "=", "Customer"),),
	open=(("status", "!=", "Cancelled"),),
	# It ends when its end date has come.
	ahead=(("status", "!=", "Completed"),),
	is_sale=True,
)


class Subscriptions(DateSource):
	"""A subscription is called by its first plan."""

	def describe(self, trigger) -> list[Variable]:
		return [*super().describe(trigger), Variable("plan", _(PLAN), "Monthly")]

	def values(self, events: list[DueEvent]) -> list[dict]:
		"""Return the values of each event's variables, in the same order. 2 queries."""
		rows = frappe.get_all(
			"Subscription Plan Detail",
			filters={
				"parenttype": SPEC.doctype,
				"parent": ["in", sorted({event.reference_name for event in events})],
			},
			fields=["parent", "plan"],
			order_by="idx desc",
		)
		plans = ByName((row.parent, row.plan) for row in rows)
		return [
			{**made, "plan": plans.get(event.reference_name)}
			for event, made in zip(events, super().values(events), strict=True)
		]


SOURCE = Subscriptions(SPEC)
