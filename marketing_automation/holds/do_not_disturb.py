"""Do not disturb: the customer, or their customer group, is on the site's own list in the settings. Only reads."""

from datetime import date

import frappe
from frappe import _

from marketing_automation.engine import long_lists
from marketing_automation.engine.holds import Held
from marketing_automation.engine.names import folded
from marketing_automation.engine.settings import SETTINGS

LIST = "Lifecycle Do Not Disturb"
CUSTOMER = "Customer"
GROUP = "Customer Group"


class DoNotDisturb:
	"""The hold of those whom the shop has put on its list, each until a day or for good."""

	days = None
	needs = {CUSTOMER: ("customer_group",), GROUP: ("lft", "rgt")}

	@property
	def label(self) -> str:
		"""What the settings call it."""
		return _('On the list "Do not disturb"')

	def held(self, asked: list[Held], days: int, today: date) -> dict[int, tuple[str, str]]:
		"""Return {index: the customer, or the group on the list that theirs is or lies in}. At most 2 queries."""
		listed = _listed(today)
		if not listed:
			return {}
		names = {folded(name): name for kind, name in listed if kind == CUSTOMER}
		groups = [name for kind, name in listed if kind == GROUP]
		of_group = _in_groups({one.customer for one in asked}, groups) if groups else {}
		found = {}
		for index, one in enumerate(asked):
			customer = folded(one.customer)
			if customer in names:
				found[index] = (CUSTOMER, names[customer])
			elif customer in of_group:
				found[index] = (GROUP, of_group[customer])
		return found


def _listed(today: date) -> list[tuple[str, str]]:
	"""Return (DocType, name) of who is on the list on a day, the last day included. 1 query."""
	rows = frappe.get_all(
		LIST,
		filters={"parenttype": SETTINGS},
		fields=["party_type", "party", "until"],
		order_by="idx asc",
	)
	return [(row.party_type, row.party) for row in rows if not row.until or row.until >= today]


def _in_groups(customers: set[str], groups: list[str]) -> dict[str, str]:
	"""Return {folded customer: the nearest of these groups that theirs is or lies in}. 1 query."""
	customer, own, outer = (
		frappe.qb.DocType(CUSTOMER),
		frappe.qb.DocType(GROUP),
		frappe.qb.DocType(GROUP).as_("outer_group"),
	)
	query = (
		frappe.qb.from_(customer)
		.join(own)
		.on(own.name == customer.customer_group)
		.join(outer)
		.on((outer.lft <= own.lft) & (outer.rgt >= own.rgt))
		.select(customer.name, outer.name)
		.where(long_lists.among(customer.name, "customers"))
		.where(long_lists.among(outer.name, "groups"))
		.orderby(outer.lft)
	)
	# The nearest begins last.
	return {folded(name): group for name, group in long_lists.run(query, customers=customers, groups=groups)}


HOLD = DoNotDisturb()
