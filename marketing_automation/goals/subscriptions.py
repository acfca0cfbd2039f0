"""Renewed, for subscriptions: another one with the same plan that begins later and ends later, or never. Only reads."""

from collections import defaultdict
from datetime import date

import frappe
from frappe.utils import getdate

from marketing_automation.engine import long_lists
from marketing_automation.engine.goals import Asked
from marketing_automation.engine.model import Reached
from marketing_automation.goals import agreements

DOCTYPE = "Subscription"
CANCELLED = "Cancelled"


def renewed(asked: list[Asked], night: date) -> dict[int, Reached]:
	"""Return {index: the subscription that renews it}. 1 query."""
	subscription = frappe.qb.DocType(DOCTYPE)
	plan = frappe.qb.DocType("Subscription Plan Detail")
	query = (
		frappe.qb.from_(subscription)
		.join(plan)
		.on((plan.parent == subscription.name) & (plan.parenttype == DOCTYPE))
		.select(
			subscription.name,
			subscription.party,
			subscription.start_date,
			subscription.end_date,
			subscription.creation,
			plan.plan,
		)
		.where(subscription.party_type == "Customer")
		.where(long_lists.among(subscription.party, "customers"))
		.where((subscription.status != CANCELLED) & (subscription.docstatus < 2))
	)
	plans = defaultdict(set)
	for *of_subscription, plan_name in long_lists.run(query, customers={one.customer for one in asked}):
		plans[tuple(of_subscription)].add(plan_name)
	found = [
		agreements.Agreement(name, customer, frozenset(of_one), start, end, getdate(creation))
		for (name, customer, start, end, creation), of_one in plans.items()
	]
	return agreements.renewed(asked, DOCTYPE, found, night, getdate())
