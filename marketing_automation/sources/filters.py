"""Which rows a rule takes, and what is wrong with a trigger. Only reads."""

from collections.abc import Callable

import frappe
from frappe import _
from frappe.model import optional_fields
from frappe.utils import cstr, flt

from marketing_automation.engine.model import Rule
from marketing_automation.engine.names import same
from marketing_automation.engine.schedule import AFTER, BEFORE, ON
from marketing_automation.sources.item_groups import ItemGroups
from marketing_automation.sources.of_spec import OfSpec
from marketing_automation.sources.spec import COMPANY, OPERATORS, Condition, Spec


class Filtered(OfSpec):
	"""What a rule asks of rows: conditions of the Spec, the trigger's filters, company and item group."""

	def validate(self, trigger) -> None:
		"""Throw when the trigger's offset, date field or filters cannot work."""
		self.validate_spec(trigger)
		words = self.timing(trigger)
		if trigger.days_offset < 0:
			frappe.throw(
				_("Days cannot be negative. Choose {0} or {1}, and give the days as {2}.").format(
					frappe.bold(words[BEFORE]), frappe.bold(words[AFTER]), -trigger.days_offset
				),
				title=_("Negative Days"),
			)
		if trigger.trigger_type == ON and trigger.days_offset:
			frappe.throw(
				_("{0} means the day itself: set Days to 0, or choose {1} or {2}.").format(
					*[frappe.bold(words[timing]) for timing in (ON, BEFORE, AFTER)]
				),
				title=_("Days Without Effect"),
			)
		spec = self.spec_of(trigger)
		known = {df.fieldname: df for df in self.date_fields(spec)}
		if trigger.date_field not in known:
			readable = self.readable_date_fields(trigger)
			frappe.throw(
				_("{0} is not a date field of {1}. Choose one of: {2}.").format(
					frappe.bold(frappe.utils.escape_html(trigger.date_field or "")),
					frappe.utils.escape_html(_(spec.dated)),
					", ".join(f"{_(df.label)} ({df.fieldname})" for df in readable) or "–",
				),
				title=_("Unknown Date Field"),
			)
		if trigger.get("yearly") and not spec.yearly:
			frappe.throw(
				_("{0} does not come each year again. Switch {1} off.").format(
					frappe.utils.escape_html(_(spec.doctype)), frappe.bold(_("Each Year Again"))
				),
				title=_("Not Each Year"),
			)
		self._validate_filters(trigger)

	def validate_spec(self, trigger) -> None:
		"""Throw when this ERPNext lacks what the source reads."""
		if not self.is_there():
			frappe.throw(
				_("This ERPNext has no {0} with a date. Choose something else.").format(
					frappe.utils.escape_html(_(self.reference_doctype(trigger)))
				),
				title=_("Not In This ERPNext"),
			)

	def _validate_filters(self, trigger) -> None:
		spec = self.spec_of(trigger)
		try:
			filters = self.parse_filters(trigger)
			if mine := self.for_database(spec, filters):
				# Of one name, so that the database looks at the filters and not at the table.
				frappe.get_all(
					spec.doctype,
					filters=[[spec.doctype, "name", "=", "-"], *mine],
					limit_page_length=1,
					order_by="name asc",
				)
			pass_reckoned(_of_reckoned(spec, filters), dict.fromkeys(dict(spec.reckoned), 0))
			self.validate_own_filters(filters)
		except Exception as e:
			frappe.throw(
				_("The filters cannot be used: {0}. Remove them and choose them again.").format(
					frappe.utils.escape_html(str(e))
				),
				title=_("Invalid Filters"),
			)

	def parse_filters(self, trigger) -> list[list]:
		"""Return the filter builder's JSON as a list of [doctype, field, operator, value].

		Raises ValueError when it is no list of filters on the trigger's DocType.
		"""
		text, doctype = trigger.filters, self.spec_of(trigger).doctype
		# Nothing is written in several ways.
		filters = (frappe.parse_json(text) if text else None) or []
		if not isinstance(filters, list):
			raise ValueError(_("a list is expected"))
		if not filters:
			return []
		# get_all takes an expression for a field.
		columns = {*frappe.get_meta(doctype).get_valid_columns(), *optional_fields, *self.own_filters()}
		for row in filters:
			if not isinstance(row, list) or len(row) < 4 or row[0] != doctype:
				raise ValueError(_("each filter is [{0}, field, operator, value]").format(doctype))
			if row[1] not in columns:
				raise ValueError(_("{0} has no field {1}").format(_(doctype), row[1]))
		# The filter builder adds a fifth element (hidden) that not every version of get_all takes.
		return [row[:4] for row in filters]

	def own_filters(self) -> tuple[str, ...]:
		"""Return the fields on which filters are for the source to judge, and not for the database."""
		return ()

	def for_database(self, spec: Spec, filters: list[list]) -> list[list]:
		"""Return the filters that the database judges."""
		own = {*self.own_filters(), *dict(spec.reckoned)}
		return [row for row in filters if row[1] not in own]

	def validate_own_filters(self, filters: list[list]) -> None:
		"""Raise ValueError when the source cannot judge its own filters."""

	def passes_own(self, rule: Rule, filters: list[list], rows: list[dict], passed: set[str]) -> set[str]:
		"""Return which of the names `passed` pass the source's own filters, too."""
		return passed

	def conditions(self, spec: Spec, trigger) -> list[Condition]:
		"""Return what a rule asks of every row, besides its own filters: that it is open, submitted and no return."""
		named = {row[1] for row in self.parse_filters(trigger)}
		found = [*spec.always]
		usual = spec.open if trigger.trigger_type == AFTER else (*spec.open, *spec.ahead)
		found += [condition for condition in usual if condition[0] not in named]
		meta = frappe.get_meta(spec.doctype)
		if meta.is_submittable and "docstatus" not in named:
			found.append(("docstatus", "=", 1))
		if meta.has_field("is_return"):
			found.append(("is_return", "=", 0))
		return found

	def _judge(
		self, spec: Spec, rules: list[Rule], rows: list[dict], groups: "ItemGroups"
	) -> Callable[[Rule, dict], bool]:
		"""Return a function that says whether a rule takes a row, whatever its date, for these rules and rows.

		Queries: one of Item where a rule has an item group, and one of the lines where those have the items; one for each
		rule with filters.
		"""
		by_trigger = {rule.trigger.name: rule for rule in rules}
		grouped = groups.of_rows(spec, rows)
		passed = self._names_that_pass(spec, by_trigger, rows)
		asked = {
			name: [
				(OPERATORS[operator], field, value)
				for field, operator, value in self.conditions(spec, rule.trigger)
			]
			for name, rule in by_trigger.items()
		}
		has_item = bool(spec.item or spec.lines)

		# Asked of every row and rule of a night.
		def takes(rule: Rule, row: dict) -> bool:
			trigger, company = rule.trigger, rule.campaign["company"]
			name, group = trigger["name"], trigger["item_group"]
			if company and not self.is_of_company(company, row):
				return False
			if group and has_item and not grouped(group, row):
				return False
			for holds, field, value in asked[name]:
				if not holds(row[field], value):
					return False
			return name not in passed or row["name"] in passed[name]

		return takes

	def is_of_company(self, company: str | None, row: dict) -> bool:
		"""Say whether a campaign of a company is for a row. What belongs to no company is for all of them."""
		return not company or COMPANY not in row or same(company, row[COMPANY])

	def _names_that_pass(self, spec: Spec, rules: dict[str, Rule], rows: list[dict]) -> dict[str, set[str]]:
		"""Return, for each rule with filters, which of the rows pass them. The database judges, as in any list."""
		passed = {}
		for trigger, rule in rules.items():
			if not (filters := self.parse_filters(rule.trigger)):
				continue
			names = list(dict.fromkeys(row["name"] for row in rows))
			if mine := self.for_database(spec, filters):
				found = frappe.get_all(
					spec.doctype,
					filters=[[spec.doctype, "name", "in", names], *mine],
					pluck="name",
					order_by="name asc",
				)
				names = set(found)
			if reckoned := _of_reckoned(spec, filters):
				known = set(names)
				names = [row["name"] for row in rows if row["name"] in known and pass_reckoned(reckoned, row)]
			passed[trigger] = self.passes_own(rule, filters, rows, set(names))
		return passed


def _of_reckoned(spec: Spec, filters: list[list]) -> list[list]:
	"""Return the filters on fields that are not read as they stand: what the table says is another figure."""
	reckoned = dict(spec.reckoned)
	return [row for row in filters if row[1] in reckoned]


def pass_reckoned(filters: list[list], row: dict) -> bool:
	"""Say whether a row passes filters on reckoned fields, which are amounts. Pure.

	Raises ValueError for an operator that says nothing of an amount.
	"""
	for _doctype, field, operator, wanted in filters:
		holds = OF_AMOUNTS.get(cstr(operator).lower())
		if not holds:
			raise ValueError(_("{0} cannot be asked of an amount").format(operator))
		if not holds(flt(row[field]), wanted):
			return False
	return True


def _amounts(wanted) -> list[float]:
	"""Return amounts as the filter builder writes them: one, a list, or a text with commas."""
	some = wanted if isinstance(wanted, list | tuple) else cstr(wanted).split(",")
	return [flt(one) for one in some]


# The database keeps amounts to nine digits after the point.
def _is_one_of(value: float, wanted) -> bool:
	return any(abs(value - one) < 1e-9 for one in _amounts(wanted))


OF_AMOUNTS: dict[str, Callable] = {
	"=": lambda value, wanted: _is_one_of(value, [wanted]),
	"!=": lambda value, wanted: not _is_one_of(value, [wanted]),
	">": lambda value, wanted: value > flt(wanted),
	">=": lambda value, wanted: value >= flt(wanted),
	"<": lambda value, wanted: value < flt(wanted),
	"<=": lambda value, wanted: value <= flt(wanted),
	"in": _is_one_of,
	"not in": lambda value, wanted: not _is_one_of(value, wanted),
	"between": lambda value, wanted: _amounts(wanted)[0] <= value <= _amounts(wanted)[-1],
	# There is always one.
	"is": lambda value, wanted: wanted == "set",
}
