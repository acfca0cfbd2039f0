"""Serial numbers and their dates: how their owner is found, which ERPNext does not keep with all of them. Only reads."""

import re
from datetime import date

import frappe
from frappe import _
from frappe.utils import getdate

from marketing_automation import erpnext_schema
from marketing_automation.engine import long_lists, schedule
from marketing_automation.engine.items import item_names
from marketing_automation.engine.model import DueEvent, Rule
from marketing_automation.engine.names import folded, same
from marketing_automation.engine.source import Variable
from marketing_automation.engine.visibility import Visibility
from marketing_automation.sources import ownership
from marketing_automation.sources.date_field import EXAMPLES, DateSource
from marketing_automation.sources.item_groups import ItemGroups
from marketing_automation.sources.spec import COMPANY, OWNER, Spec

REFERENCE_DOCTYPE = erpnext_schema.SERIAL_NO


def _title() -> str:
	return _("When a serial number expires")


def _timing() -> tuple[str, str, str]:
	return _("Before expiration"), _("On expiration"), _("After expiration")


SPEC = Spec(REFERENCE_DOCTYPE, _title, _timing, item="item_code")
# Where Serial No has no customer, the sales say whose it is.
SPEC_WITHOUT_OWNER = Spec(REFERENCE_DOCTYPE, _title, _timing, customer="", item="item_code")


class SerialNumbers(DateSource):
	"""A serial number is whose it was sold to last. A filter on the customer is judged by that, too."""

	def __init__(self):
		super().__init__(SPEC)

	def spec_of(self, trigger=None) -> Spec:
		return SPEC if erpnext_schema.has_owner() else SPEC_WITHOUT_OWNER

	def is_sale(self, event: DueEvent) -> bool:
		"""Say that whose it is has bought it. Asked of each message, so without asking which fields there are."""
		return True

	def sold_on(self, events: list[DueEvent]) -> list[date | None]:
		"""See `Source.sold_on`. The queries of `ownership.last_sales`."""
		found = ownership.last_sales({event.reference_name: event.item_code for event in events})
		return [
			found[event.reference_name].posting_date if event.reference_name in found else None
			for event in events
		]

	def shown(self, spec: Spec) -> set[str]:
		return {*super().shown(spec), OWNER, "status"}

	def fields(self) -> list[str]:
		"""Return the fields of Serial No that events are made of: name, item_code, company and, where there is one, customer."""
		return ["name", *self.spec_of().columns.values()]

	# -- filters on the owner ------------------------------------------------------------------------------------

	def own_filters(self) -> tuple[str, ...]:
		return (OWNER,)

	def validate_own_filters(self, filters: list[list]) -> None:
		_passes(_of_owner(filters), None)

	def passes_own(self, rule: Rule, filters: list[list], rows: list[dict], passed: set[str]) -> set[str]:
		if not (of_owner := _of_owner(filters)):
			return passed
		asked = [row for row in rows if row["name"] in passed]
		return {
			row["name"]
			for row, (owner, _reason) in zip(asked, self.owners_of(self.spec_of(), asked), strict=True)
			if _passes(of_owner, owner)
		}

	# -- owners --------------------------------------------------------------------------------------------------

	def tells_owner(self, spec: Spec) -> bool:
		return erpnext_schema.owner_is_kept()

	def tells_every_owner(self, spec: Spec) -> bool:
		# Where Serial No names nobody, a sale may.
		return False

	def owners(self, events: list[DueEvent]) -> list[tuple[str | None, str | None]]:
		"""Return (customer, reason) for each event, in the same order; see `ownership.owners`."""
		return ownership.owners(events)

	def owned_by(self, trigger, customer: str, visible: Visibility, most: int) -> list[str]:
		"""Return the names of the serial numbers that a customer has today, the first `most` by name.

		Queries: those of `ownership.sold_to` and `ownership.owners`, and 2.
		"""
		spec = self.spec_of(trigger)
		serial = frappe.qb.DocType(REFERENCE_DOCTYPE)
		query = frappe.qb.from_(serial).select(*[serial[field] for field in self.fields()])
		known = [OWNER] if self.tells_owner(spec) else []
		query = visible.restrict(query, serial, [COMPANY, "item_code", *known])
		rows = {}
		if erpnext_schema.has_owner():
			rows = {row.name: row for row in query.where(serial[OWNER] == customer).run(as_dict=True)}
		# Where it does not stand on the serial number, the sales know.
		if sold := [name for name in ownership.sold_to([customer]) if name not in rows]:
			of_sales = query.where(long_lists.among(serial.name, "sold"))
			rows |= {row.name: row for row in long_lists.run(of_sales, as_dict=True, sold=sold)}
		found = [rows[name] for name in sorted(rows)]
		return [
			row.name
			for row, (owner, _reason) in zip(found, self.owners_of(spec, found), strict=True)
			if same(owner, customer)
		][:most]

	# -- an example ----------------------------------------------------------------------------------------------

	def example(self, rule: Rule, visible: Visibility) -> str | None:
		"""Return a serial number that the rule takes, to show a message with: of those with a customer the next to be due,
		else the last that was; else the same of those without one. None when the rule takes none.

		2 to 8 queries, 2 where the rule has an item group, and as often those of `ownership.owners`.
		"""
		items = ItemGroups([rule.trigger.item_group]).items_in(rule.trigger.item_group)
		if items == []:
			return None
		asked = self.parse_filters(rule.trigger)
		filters = self.for_database(self.spec_of(), asked)
		filters.append([REFERENCE_DOCTYPE, rule.trigger.date_field, "is", "set"])
		if items is not None:
			filters.append([REFERENCE_DOCTYPE, "item_code", "in", items])
		for sold in (True, False):
			if found := self._example(rule, visible, filters, _of_owner(asked), sold):
				return found
		return None

	def _example(
		self, rule: Rule, visible: Visibility, filters: list, of_owner: list, sold: bool
	) -> str | None:
		"""Return the next to be due, else the last that was, of those with an owner (`sold`) or without.

		1 to 4 queries, and as often those of `ownership.owners`.
		"""
		field, company = rule.trigger.date_field, rule.campaign.company
		today = schedule.occurrence_for_night(rule.trigger.trigger_type, rule.trigger.days_offset, getdate())
		for operator, order in ((">=", "asc"), ("<", "desc")):
			# Asked for a company, the database goes by its index and looks up each row by itself: the table is read sooner.
			for narrower in ([], self._narrower(company, visible, sold)):
				rows = frappe.get_all(
					REFERENCE_DOCTYPE,
					filters=[[REFERENCE_DOCTYPE, field, operator, str(today)], *filters, *narrower],
					fields=self.fields(),
					order_by=f"{field} {order}, name asc",
					limit_page_length=EXAMPLES,
				)
				ours = [
					row
					for row in rows
					if (not company or same(company, row.company))
					and visible.sees(company=row.company, item_code=row.item_code)
				]
				for row, (owner, _reason) in zip(ours, self.owners_of(self.spec_of(), ours), strict=True):
					if bool(owner) == sold and visible.sees(customer=owner) and _passes(of_owner, owner):
						return row.name
				if len(rows) < EXAMPLES:
					break
		return None

	def _narrower(self, company: str | None, visible: Visibility, sold: bool) -> list[list]:
		"""Return filters on Serial No for what was most likely sold, or not, by a company, and may be seen."""
		ours = [[REFERENCE_DOCTYPE, "status", "=" if sold else "!=", "Delivered"]]
		if company:
			ours.append([REFERENCE_DOCTYPE, COMPANY, "=", company])
		for field, names in visible.allowed.items():
			if field == OWNER:
				field, names = "name", _had_by(names)
			ours.append([REFERENCE_DOCTYPE, field, "in", sorted(names)])
		return ours

	# -- templates -----------------------------------------------------------------------------------------------

	def describe(self, trigger) -> list[Variable]:
		return [
			Variable("item_name", _("Item Name", context="Lifecycle"), "Pin"),
			Variable("expiry_date", _("Expiry Date", context="Lifecycle"), None, "date"),
			Variable("serial_no", _("Serial No"), "PIN-0001"),
			Variable("item_code", _("Item Code", context="Lifecycle"), "PIN"),
			Variable("date", _("The date that the message is about"), None, "date"),
		]

	def values(self, events: list[DueEvent]) -> list[dict]:
		"""Return the values of each event's variables, in the same order. 1 query."""
		items = item_names({event.item_code for event in events})
		return [
			{
				"serial_no": event.reference_name,
				"item_code": event.item_code,
				"item_name": items.get(event.item_code) or event.item_code,
				"expiry_date": event.occurrence,
				"date": event.occurrence,
			}
			for event in events
		]


def _of_owner(filters: list[list]) -> list[list]:
	return [row for row in filters if row[1] == OWNER]


def _had_by(customers: set[str]) -> set[str]:
	"""Return the names of serial numbers that these customers have, or have had."""
	names = set(ownership.sold_to(customers))
	if erpnext_schema.has_owner():
		noted = [[REFERENCE_DOCTYPE, OWNER, "in", sorted(customers)]]
		names.update(frappe.get_all(REFERENCE_DOCTYPE, filters=noted, pluck="name", order_by="name asc"))
	return names


def _passes(filters: list[list], owner: str | None) -> bool:
	"""Say whether an owner passes filters as the name in a column would in any list; None is nobody, as an empty column.

	Raises ValueError for an operator that names are not compared by.
	"""
	return all(
		_passes_one(operator.lower(), value, owner or "") for _doctype, _field, operator, value in filters
	)


def _passes_one(operator: str, value, owner: str) -> bool:
	if operator == "is":
		return bool(owner) == (value == "set")
	positive = operator.removeprefix("not ").replace("!=", "=")
	if positive == "=":
		met = same(owner, value)
	elif positive == "in":
		listed = value.split(",") if isinstance(value, str) else value
		met = any(same(owner, str(one or "").strip()) for one in listed)
	elif positive == "like":
		pattern = re.escape(folded(value or "")).replace("%", ".*").replace("_", ".")
		met = bool(re.fullmatch(pattern, folded(owner), re.DOTALL))
	else:
		raise ValueError(_("Customer cannot be compared by {0}").format(operator))
	return met == (positive == operator)


SOURCE = SerialNumbers()
