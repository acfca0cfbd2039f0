"""Dates of documents: triggers and windows in, due events out. Only reads.

A `Spec` says what is read of a DocType, a `DateSource` reads it. ERPNext has no index on its dates and we add none, so a
table is read once per date field for all the triggers together, page by page along its primary key.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from operator import itemgetter

import frappe
from frappe import _
from frappe.model import optional_fields
from frappe.query_builder.functions import Count
from frappe.utils import flt, fmt_money, getdate
from pypika import Criterion, CustomFunction
from pypika.functions import Date

from marketing_automation import erpnext_schema
from marketing_automation.engine import long_lists, schedule
from marketing_automation.engine.items import item_names
from marketing_automation.engine.model import DueEvent, Reason, Rule
from marketing_automation.engine.names import ByName, same
from marketing_automation.engine.schedule import AFTER, BEFORE, ON, Window
from marketing_automation.engine.source import COMMON, Source, Variable
from marketing_automation.engine.visibility import FIELDS, Visibility, readable_levels

CUSTOMER = "Customer"
# What every row that is read has under these names, whatever its DocType calls them.
OWNER, COMPANY, ITEM, OCCURRENCE = "customer", "company", "item_code", "occurrence"
# The name of the row that has the date, where that is not the document.
ROW_KEY = "row_key"
PAGE_SIZE = 5000
# Of so many references one is most likely what is looked for.
EXAMPLES = 100
DATES = ("Date", "Datetime")
# Years that lie so far from today are not looked at, of what comes each year again.
YEARS_AROUND = 1

MonthOf = CustomFunction("month", ["day"])
DayOf = CustomFunction("dayofmonth", ["day"])
# (field, operator, value); the operators are those of OPERATORS.
Condition = tuple[str, str, object]
OPERATORS: dict[str, Callable] = {
	"=": lambda value, wanted: value == wanted,
	"!=": lambda value, wanted: value != wanted,
	">": lambda value, wanted: flt(value) > wanted,
	"<": lambda value, wanted: flt(value) < wanted,
	"not in": lambda value, wanted: value not in wanted,
}


@dataclass(frozen=True)
class Spec:
	"""What is read of a DocType.

	title: what a marketer calls it, such as "When a quotation runs out". timing: the words of Before, On and After.
	date_fields: those that can be chosen; empty: every Date and Datetime of the DocType. customer: the path to the
	customer, a field, or several with points between them. company, item: fields, or None. lines: the child table whose
	items an item group is looked for in. child: the child table that has the dates, where the DocType itself has none;
	of_child: the fields that are that table's. always: conditions on every row. open: conditions that a filter on the
	same field takes the place of; ahead: the same, before the date and on it. variables: what templates have besides the
	name, the dates and the item: (field, label or None for its own, example, kind). reckoned: fields of the document that
	are not read as they stand: (field, function of the table that returns a term). yearly: whether a date can come each year again.
	is_sale: whether one of a customer shows that they have bought something, see `Source.is_sale`.
	"""

	doctype: str
	title: Callable[[], str]
	timing: Callable[[], tuple[str, str, str]]
	date_fields: tuple[str, ...] = ()
	customer: str = "customer"
	company: str | None = "company"
	item: str | None = None
	lines: str | None = None
	child: str | None = None
	of_child: tuple[str, ...] = ()
	always: tuple[Condition, ...] = ()
	open: tuple[Condition, ...] = ()
	ahead: tuple[Condition, ...] = ()
	variables: Callable[[], tuple[tuple, ...]] = tuple
	reckoned: tuple[tuple[str, Callable], ...] = ()
	yearly: bool = False
	is_sale: bool = False

	@property
	def reference(self) -> str:
		"""What templates call the name of the document."""
		return frappe.scrub(self.doctype)

	@property
	def dated(self) -> str:
		"""The DocType that has the dates."""
		return self.child or self.doctype

	@property
	def hops(self) -> list[str]:
		return self.customer.split(".")

	@property
	def columns(self) -> dict[str, str]:
		"""Return {what a row calls it: field}, of those fields that there are."""
		found = {COMPANY: self.company, ITEM: self.item, OWNER: self.hops[0]}
		return {alias: field for alias, field in found.items() if field}


class Calendar:
	"""Which rules wait for which dates, and since which night."""

	def __init__(self):
		self.days = defaultdict(list)
		self.each_year = defaultdict(list)

	def add(self, rule: Rule, occurrence: date, night: date, missed: bool) -> None:
		"""Note that a rule waits for a date."""
		entry = rule, occurrence, night, missed
		if not rule.trigger.get("yearly"):
			self.days[occurrence].append(entry)
			return
		for key in _each_year(occurrence):
			self.each_year[key].append(entry)

	def of(self, day: date) -> list[tuple[Rule, date, date, bool]]:
		"""Return (rule, occurrence, night, missed) of all that wait for a date that stands in a document."""
		found = self.days.get(day, ())
		if not self.each_year:
			return found
		yearly = self.each_year.get((day.month, day.day), ())
		return [*found, *(entry for entry in yearly if entry[1] >= day)]

	def condition(self, column, is_date: bool) -> Criterion | None:
		"""Return the condition that a column is a date that some rule waits for; None where none does."""
		found = []
		if self.days:
			days = sorted(self.days)
			if is_date:
				found.append(column.isin(days))
			else:
				found += [between(column, day, day) for day in days]
		if self.each_year:
			keys = sorted(month * 100 + day for month, day in self.each_year)
			found.append((MonthOf(column) * 100 + DayOf(column)).isin(keys))
		return Criterion.any(found) if found else None


class _Spans:
	"""A Calendar of whole spans of dates, for counts of months ahead."""

	def __init__(self, entries: list[tuple]):
		# (rule, window, (first date, last date))
		self.entries = entries

	def of(self, day: date) -> list[tuple[Rule, date, date, bool]]:
		return [
			(rule, occurrence, night, False)
			for rule, window, span in self.entries
			for occurrence in _occurrences(rule, day, span)
			if (night := _night(rule, occurrence)) and window.first <= night <= window.last
		]

	def condition(self, column, is_date: bool) -> Criterion:
		if any(rule.trigger.get("yearly") for rule, _window, _span in self.entries):
			return column.isnotnull()
		first, last = (pick(span[end] for *_rule, span in self.entries) for pick, end in ((min, 0), (max, 1)))
		return between(column, first, last)


def _night(rule: Rule, occurrence: date) -> date | None:
	return schedule.night_for_occurrence(rule.trigger.trigger_type, rule.trigger.days_offset, occurrence)


def _each_year(occurrence: date) -> list[tuple[int, int]]:
	"""Return (month, day) of the dates that are met on an occurrence, each year again."""
	keys = [(occurrence.month, occurrence.day)]
	if keys == [(2, 28)] and not _is_leap(occurrence.year):
		keys.append((2, 29))
	return keys


def _is_leap(year: int) -> bool:
	return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def anniversary(day: date, year: int) -> date:
	"""Return the day of a year on which a date comes again: 29 February on the 28th in other years."""
	if (day.month, day.day) == (2, 29) and not _is_leap(year):
		return date(year, 2, 28)
	return day.replace(year=year)


def between(column, first: date, last: date) -> Criterion:
	"""Return the condition that a Date or Datetime column lies between two dates, both included."""
	after = schedule.shifted(last, 1)
	return (column >= first) & (column < after) if after else column >= first


class DateSource(Source):
	"""The source of one Spec, or, where `spec_of` says so, of one for each trigger."""

	def __init__(self, spec: Spec | None):
		self.spec = spec

	# -- what it is about --------------------------------------------------------------------------------------

	def spec_of(self, trigger) -> Spec:
		"""Return the Spec of a trigger."""
		return self.spec

	def is_there(self) -> bool:
		"""Say whether this ERPNext has what the source reads."""
		spec = self.spec
		return all(erpnext_schema.has(doctype) for doctype in (spec.doctype, spec.dated)) and bool(
			self.date_fields(spec)
		)

	def title(self) -> str:
		return self.spec.title()

	def timing(self, trigger) -> dict[str, str]:
		return dict(zip((BEFORE, ON, AFTER), self.spec_of(trigger).timing(), strict=True))

	def reference_doctype(self, trigger) -> str:
		return self.spec_of(trigger).doctype

	def reference_doctypes(self) -> list[str]:
		return [self.spec.doctype]

	def is_sale(self, event: DueEvent) -> bool:
		return self.spec_of(event.rule.trigger).is_sale

	def date_fields(self, spec: Spec) -> list:
		"""Return the DocFields of the dates that triggers can go by, the site's own included where the Spec names none."""
		fields = [df for df in frappe.get_meta(spec.dated).fields if df.fieldtype in DATES]
		if not spec.date_fields:
			return fields
		return [df for df in fields if df.fieldname in spec.date_fields]

	def readable_date_fields(self, trigger=None) -> list:
		"""Return those of `date_fields` that the session's user may read. No query."""
		spec = self.spec_of(trigger)
		fields = self.date_fields(spec)
		closed = self.unreadable({df.fieldname for df in fields}, trigger)
		return [df for df in fields if df.fieldname not in closed]

	def offers(self, trigger=None) -> dict:
		spec = self.spec_of(trigger)
		return {
			"doctype": spec.doctype,
			"timing": self.timing(trigger),
			"date_fields": labelled(self.readable_date_fields(trigger)) if self.is_there() else [],
			"yearly": spec.yearly,
			"has_item": bool(spec.item or spec.lines),
			"customer_fields": [],
		}

	def shown(self, spec: Spec) -> set[str]:
		"""Return the fields that previews show to every marketer, whatever else they may read of the DocType."""
		fixed = {field for field, _operator, _value in (*spec.always, *spec.open, *spec.ahead)}
		return {"name", *spec.columns.values(), *fixed}

	def unreadable(self, fields: set[str], trigger=None) -> set[str]:
		"""Return those of the fields that the session's user may not read, by the permission levels of their roles.

		`shown` and the dates need no role in ERPNext as long as they are at level 0: they are in every preview. No query.
		"""
		if frappe.session.user == "Administrator":
			return set()
		spec = self.spec_of(trigger)
		levels = readable_levels(spec.doctype)
		closed = set()
		for name in fields:
			df = self._field(spec, name)
			level = df.permlevel if df else 0
			is_shown = not level and (name in self.shown(spec) or (df and df.fieldtype in DATES))
			if not (is_shown or level in levels) or (df and df.fieldtype == "Password"):
				closed.add(name)
		return closed

	def _field(self, spec: Spec, name: str):
		return frappe.get_meta(spec.doctype).get_field(name) or frappe.get_meta(spec.dated).get_field(name)

	# -- what is wrong with a trigger ----------------------------------------------------------------------------

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
			if mine := self.for_database(filters):
				# Of one name, so that the database looks at the filters and not at the table.
				frappe.get_all(
					spec.doctype,
					filters=[[spec.doctype, "name", "=", "-"], *mine],
					limit_page_length=1,
					order_by="name asc",
				)
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

	def for_database(self, filters: list[list]) -> list[list]:
		"""Return the filters that the database judges."""
		own = self.own_filters()
		return [row for row in filters if row[1] not in own]

	def validate_own_filters(self, filters: list[list]) -> None:
		"""Raise ValueError when the source cannot judge its own filters."""

	def passes_own(self, rule: Rule, filters: list[list], rows: list[dict], passed: set[str]) -> set[str]:
		"""Return which of the names `passed` pass the source's own filters, too."""
		return passed

	# -- due -----------------------------------------------------------------------------------------------------

	def due(self, windows: list[tuple[Rule, Window]]) -> Iterator[list[DueEvent]]:
		"""Yield the due events of the rules' windows, in lists of those of PAGE_SIZE rows.

		Queries: for each date field and page, one of the table, one of Item where a rule has an item group, one for each
		rule with filters, and those of `completed`; one of Item Group in all.
		"""
		groups = ItemGroups(rule.trigger.item_group for rule, _window in windows)
		for (spec, date_field), of_field in self._by_field(windows):
			calendar = Calendar()
			for rule, window in of_field:
				for night in window.nights():
					occurrence = schedule.occurrence_for_night(
						rule.trigger.trigger_type, rule.trigger.days_offset, night
					)
					if occurrence:
						calendar.add(rule, occurrence, night, night < window.catch_up_from)
			for rows in self._pages(spec, date_field, calendar, [rule for rule, _window in of_field]):
				yield self._events(spec, rows, calendar, groups)

	def _by_field(self, windows: Iterable[tuple]) -> list[tuple]:
		"""Return [((Spec, date field), entries)] of entries that begin with a rule."""
		found = defaultdict(list)
		for entry in windows:
			trigger = entry[0].trigger
			found[self.spec_of(trigger), trigger.date_field].append(entry)
		return list(found.items())

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

	def _pages(
		self, spec: Spec, date_field: str, calendar: Calendar, rules: list[Rule]
	) -> Iterator[list[dict]]:
		"""Yield the rows whose `date_field` some rule waits for, PAGE_SIZE at a time along the primary key."""
		query, tables = self._query(spec, [date_field])
		is_date = self._field(spec, date_field).fieldtype == "Date"
		condition = calendar.condition(tables[date_field], is_date)
		if condition is None:
			return
		# The date first: most rows fail on it, and to compare their names would take the database as long again.
		query = query.where(condition)
		for asked in self._common(spec, rules):
			query = query.where(_in_sql(tables[asked[0]], asked))
		yield from self._paged(spec, query, tables, date_field)

	def _common(self, spec: Spec, rules: list[Rule]) -> list[Condition]:
		"""Return the conditions that all rules have, for the database to look at; those of one alone are judged later."""
		first, *others = [self.conditions(spec, rule.trigger) for rule in rules] or [[]]
		return [condition for condition in first if all(condition in other for other in others)]

	def _paged(self, spec: Spec, query, tables: "_Columns", date_field: str) -> Iterator[list[dict]]:
		"""Yield the rows of a query, each `completed`, and its `occurrence`. One query a page, and those of `completed`."""
		query, last = query.orderby(tables.key).limit(PAGE_SIZE), ""
		key = ROW_KEY if spec.child else "name"
		while rows := query.where(tables.key > last).run(as_dict=True):
			last, is_last = rows[-1][key], len(rows) < PAGE_SIZE
			for row in rows:
				row[OCCURRENCE] = row[date_field]
			yield self.completed(spec, rows)
			if is_last:
				return

	def _query(self, spec: Spec, date_fields: Iterable[str]):
		"""Return a query of the table with all that events are made of, and its columns."""
		tables = _Columns(spec)
		query = frappe.qb.from_(tables.dated)
		if spec.child:
			query = (
				query.join(tables.document)
				.on(tables.dated.parent == tables.document.name)
				.where(tables.dated.parenttype == spec.doctype)
			)
		columns = {alias: tables[field].as_(alias) for alias, field in spec.columns.items()}
		judged = {field for field, _operator, _value in (*spec.always, *spec.open, *spec.ahead)}
		meta = frappe.get_meta(spec.doctype)
		judged |= {"docstatus"} if meta.is_submittable else set()
		judged |= {"is_return"} if meta.has_field("is_return") else set()
		plain = {field: tables[field].as_(field) for field in (*judged, *date_fields) if field not in columns}
		key = [tables.key.as_(ROW_KEY)] if spec.child else []
		return query.select(tables.document.name, *key, *columns.values(), *plain.values()), tables

	def completed(self, spec: Spec, rows: list[dict], keep: bool = False) -> list[dict]:
		"""Return rows with what does not stand in their table: the customer, over several hops. 1 query for each hop more.

		keep: also rows that make no event by themselves, such as a batch that nobody has bought of.
		"""
		doctype = spec.doctype
		for hop, following in zip(spec.hops, spec.hops[1:], strict=False):
			doctype = frappe.get_meta(doctype).get_field(hop).options
			found = _values_of(doctype, following, {row[OWNER] for row in rows if row[OWNER]})
			for row in rows:
				row[OWNER] = found.get(row[OWNER])
		return rows

	def _events(
		self, spec: Spec, rows: list[dict], calendar: Calendar, groups: "ItemGroups"
	) -> list[DueEvent]:
		"""Return an event for each row of a page and each rule that waits for its date and takes it."""
		# The column can be a Datetime.
		days = {moment: getdate(moment) for moment in {row[OCCURRENCE] for row in rows}}
		waiting = {day: calendar.of(day) for day in set(days.values())}
		takes = self._judge(
			spec, [rule for entries in waiting.values() for rule, *_when in entries], rows, groups
		)
		events = [
			self._event(spec, row, rule, occurrence, night, missed)
			for row in rows
			for rule, occurrence, night, missed in waiting[days[row[OCCURRENCE]]]
			if takes(rule, row)
		]
		return _once(events) if spec.child else events

	def _event(
		self,
		spec: Spec,
		row: dict,
		rule: Rule | None,
		occurrence: date | None,
		night: date | None,
		missed: bool = False,
	) -> DueEvent:
		"""Return the event of a rule about a row."""
		return DueEvent(
			rule=rule,
			reference_doctype=spec.doctype,
			reference_name=row["name"],
			item_code=row.get(ITEM),
			company=self.company_of(row, rule),
			customer=row.get(OWNER),
			occurrence=occurrence,
			night=night,
			missed=missed,
		)

	def company_of(self, row: dict, rule: Rule | None) -> str | None:
		return row.get(COMPANY)

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
			if mine := self.for_database(filters):
				found = frappe.get_all(
					spec.doctype,
					filters=[[spec.doctype, "name", "in", names], *mine],
					pluck="name",
					order_by="name asc",
				)
				names = set(found)
			passed[trigger] = self.passes_own(rule, filters, rows, set(names))
		return passed

	# -- owners --------------------------------------------------------------------------------------------------

	def owners(self, events: list[DueEvent]) -> list[tuple[str | None, str | None]]:
		"""Return (customer, reason) for each event, in the same order. No query: the event knows."""
		return [(event.customer, None if event.customer else Reason.NO_CUSTOMER) for event in events]

	def owned_by(self, trigger, customer: str, visible: Visibility, most: int) -> list[str]:
		"""Return the names of the references that are a customer's, the last `most` that were made. 1 query for each hop."""
		spec = self.spec_of(trigger)
		visible = visible.about(spec.doctype)
		names, doctypes = [customer], [spec.doctype]
		for hop in spec.hops[:-1]:
			doctypes.append(frappe.get_meta(doctypes[-1]).get_field(hop).options)
		for doctype, hop in reversed(list(zip(doctypes, spec.hops, strict=True))):
			filters = [[doctype, hop, "in", names]]
			if doctype == spec.doctype:
				filters += [
					[doctype, field, "=", value]
					for field, operator, value in spec.always
					if operator == "=" and field not in spec.of_child
				]
				filters += [
					[doctype, spec.columns[field], "in", sorted(allowed)]
					for field, allowed in visible.allowed.items()
					if visible.strict and field in spec.columns and field != OWNER and not spec.child
				]
			names = frappe.get_all(
				doctype,
				filters=filters,
				pluck="name",
				order_by="creation desc, name asc",
				limit_page_length=most if doctype == spec.doctype else 0,
			)
			if not names:
				return []
		return names

	# -- counts --------------------------------------------------------------------------------------------------

	def counts(self, windows: list[tuple[Rule, Window]], visible: Visibility) -> dict[tuple[str, date], int]:
		"""Return how many fall due: {(trigger, night): count}, whoever owns them and can be reached.

		Counted by the database, so that months ahead cost no more than a day; what the table does not tell by itself
		(filters, owners) is read. Queries: one for each date field, and those of `due` for what is read.
		"""
		groups = ItemGroups(rule.trigger.item_group for rule, _window in windows)
		found, counted, to_read = Counter(), defaultdict(list), []
		for rule, window in windows:
			if not window:
				continue
			spec = self.spec_of(rule.trigger)
			if self._is_counted(spec, rule, visible.about(spec.doctype)):
				asked = tuple(self.conditions(spec, rule.trigger))
				counted[spec, rule.trigger.date_field, asked].append((rule, window))
			else:
				to_read.append((rule, window))
		grouped = {
			key: self._counted(*key, of_field, visible.about(key[0].doctype))
			for key, of_field in sorted(counted.items(), key=lambda entry: str(entry[0][1:]))
		}
		item_groups = groups.of_items(
			{item for rows in grouped.values() for _day, _company, item in rows if item}
		)
		for (spec, *_key), rows in grouped.items():
			for rule, window in counted[(spec, *_key)]:
				for (day, company, item), count in rows.items():
					if spec.company and not self.is_of_company(rule.campaign.company, {COMPANY: company}):
						continue
					if spec.item and not groups.contains(rule.trigger.item_group, item_groups.get(item)):
						continue
					for occurrence in _occurrences(rule, day, self._span(rule, window)):
						due_on = self.night(rule, occurrence)
						if due_on and window.first <= due_on <= window.last:
							found[rule.trigger.name, due_on] += count
		for (spec, date_field), of_field in self._by_field(to_read):
			calendar = _Spans([(rule, window, self._span(rule, window)) for rule, window in of_field])
			for rows in self._pages(spec, date_field, calendar, [rule for rule, _window in of_field]):
				events = self._events(spec, rows, calendar, groups)
				for event in self._seen(events, visible.about(spec.doctype)):
					found[event.rule.trigger.name, event.night] += 1
		return dict(found)

	def _is_counted(self, spec: Spec, rule: Rule, visible: Visibility) -> bool:
		"""Say whether the database can count for a rule: whether its table says it all."""
		return not (
			spec.child
			or len(spec.hops) > 1
			or (spec.lines and (rule.trigger.item_group or ITEM in visible.allowed))
			or self.parse_filters(rule.trigger)
			or (OWNER in visible.allowed and not self.tells_every_owner(spec))
		)

	def tells_owner(self, spec: Spec) -> bool:
		"""Say whether the customer that stands in the table is surely the one of today."""
		return len(spec.hops) == 1

	def tells_every_owner(self, spec: Spec) -> bool:
		"""Say whether one whose table names no customer has none."""
		return self.tells_owner(spec)

	def _span(self, rule: Rule, window: Window) -> tuple[date, date]:
		"""Return the first and the last date for which a rule waits."""
		# Where one end has no such date, the other is looked at with all that lies beyond it.
		days = [
			schedule.occurrence_for_night(rule.trigger.trigger_type, rule.trigger.days_offset, night)
			or beyond
			for night, beyond in ((window.first, date.min), (window.last, date.max))
		]
		return min(days), max(days)

	def _counted(
		self,
		spec: Spec,
		date_field: str,
		asked: tuple[Condition, ...],
		of_field: list[tuple],
		visible: Visibility,
	) -> Counter:
		"""Return {(date, company, item): count} of what rules with the same conditions wait for. 1 query."""
		spans = [self._span(rule, window) for rule, window in of_field if not rule.trigger.get("yearly")]
		_query, tables = self._query(spec, [date_field])
		column = tables[date_field]
		day = Date(column)
		keys = [tables[spec.columns[name]] if name in spec.columns else None for name in (COMPANY, ITEM)]
		there = [key for key in keys if key is not None]
		query = (
			frappe.qb.from_(tables.document)
			.select(day, *there, Count(tables.document.name))
			.groupby(day, *there)
		)
		if len(spans) == len(of_field):
			first, last = min(span[0] for span in spans), max(span[1] for span in spans)
			query = query.where(between(column, first, last))
		else:
			query = query.where(column.isnotnull())
		for condition in asked:
			query = query.where(_in_sql(tables[condition[0]], condition))
		known = {
			field: tables[name]
			for field, name in spec.columns.items()
			if field in FIELDS and (field != OWNER or self.tells_owner(spec))
		}
		found = Counter()
		for day, *values, count in visible.restrict(query, tables.document, known).run():
			values = iter(values)
			company, item = (next(values) if key is not None else None for key in keys)
			if day:
				found[day, company, item] += count
		return found

	def _seen(self, events: list[DueEvent], visible: Visibility) -> Iterator[DueEvent]:
		"""Yield the events that the user may see. The queries of `owners` where they may see some customers only."""
		mine = [event for event in events if visible.sees(company=event.company, item_code=event.item_code)]
		if OWNER not in visible.allowed or not mine:
			yield from mine
			return
		for event, (owner, _reason) in zip(mine, self.owners(mine), strict=True):
			if visible.sees(customer=owner):
				yield event

	# -- a few ---------------------------------------------------------------------------------------------------

	def _by_names(self, spec: Spec, names: Iterable[str], date_fields: Iterable[str]) -> list[dict]:
		"""Return the rows of references by their names, `completed`. 1 query, and those of `completed`."""
		if not (names := list(names)):
			return []
		query, tables = self._query(spec, sorted(date_fields))
		query = query.where(long_lists.among(tables.document.name, "names")).orderby(tables.key)
		return self.completed(spec, long_lists.run(query, as_dict=True, names=names), keep=True)

	def about(self, rules: list[Rule], names: list[str]) -> list[DueEvent]:
		"""Return every event, past and to come, of a few references by the dates that they have now.

		Of what comes each year again, those of about a year around today. A rule that leaves a reference out (company, item
		group, filters, no date) has no event of it. Queries: for each DocType one, and those of `completed` and `_judge`;
		one of Item Group.
		"""
		groups = ItemGroups(rule.trigger.item_group for rule in rules)
		by_spec = defaultdict(list)
		for rule in rules:
			by_spec[self.spec_of(rule.trigger)].append(rule)
		events = []
		for spec, of_spec in by_spec.items():
			rows = self._by_names(spec, names, {rule.trigger.date_field for rule in of_spec})
			takes = self._judge(spec, of_spec, rows, groups)
			for rule in of_spec:
				for row in rows:
					moment = row[rule.trigger.date_field]
					if not moment or not self.makes_event(row) or not takes(rule, row):
						continue
					for occurrence in _around_today(rule, getdate(moment)):
						if on := self.night(rule, occurrence):
							events.append(self._event(spec, row, rule, occurrence, on))
		return _once(events)

	def look_up(self, trigger, name: str) -> list[DueEvent]:
		"""Return what a reference is: an event without a rule for each customer. The queries of `completed`, and 1."""
		spec = self.spec_of(trigger)
		events = [self._event(spec, row, None, None, None) for row in self._by_names(spec, [name], ())]
		return list(dict.fromkeys(events))

	def makes_event(self, row: dict) -> bool:
		"""Say whether a `completed` row is one that somebody can be written to about."""
		return True

	def current(self, claimed: list[tuple[Rule, dict]]) -> list[DueEvent | None]:
		"""Return what each (rule, ledger row) would be today, in the same order; None for a reference that is gone.

		The occurrence is None when the date has been taken away; `left_out` says that the rule takes it no longer.
		Queries: for each DocType one, and those of `completed` and `_judge`; one of Item Group.
		"""
		found: list[DueEvent | None] = [None] * len(claimed)
		groups = ItemGroups(rule.trigger.item_group for rule, _row in claimed)
		by_spec = defaultdict(list)
		for index, (rule, row) in enumerate(claimed):
			by_spec[self.spec_of(rule.trigger)].append((index, rule, row))
		for spec, of_spec in by_spec.items():
			rules = {rule.trigger.name: rule for _index, rule, _row in of_spec}
			rows = self._by_names(
				spec,
				sorted({row.reference_name for _index, _rule, row in of_spec}),
				{rule.trigger.date_field for rule in rules.values()},
			)
			takes = self._judge(spec, list(rules.values()), rows, groups)
			by_name = defaultdict(list)
			for row in rows:
				by_name[row["name"]].append(row)
			by_name = ByName(by_name)
			for index, rule, row in of_spec:
				candidates = by_name.get(row.reference_name)
				if candidates:
					found[index] = self._current(spec, candidates, rule, row, takes)
		return found

	def _current(
		self, spec: Spec, candidates: list[dict], rule: Rule, row: dict, takes: Callable
	) -> DueEvent:
		"""Return the event of a ledger row by the rows that its reference has now: that of its date, if there is one.

		A document can name a date several times, and the rule take one of these rows only.
		"""
		found = self.candidate(candidates, row)
		of_date = [one for one in found if _occurrence_now(rule, one, row) == row.occurrence_date]
		one = next((one for one in of_date if takes(rule, one)), (of_date or found[-1:])[0])
		event = self._event(spec, one, rule, _occurrence_now(rule, one, row), row.due_on)
		return event._replace(left_out=not takes(rule, one))

	def candidate(self, candidates: list[dict], row: dict) -> list[dict]:
		"""Return those of a reference's rows that a ledger row can be about."""
		return candidates

	def night(self, rule: Rule, occurrence: date) -> date | None:
		"""Return when the message of a rule about an occurrence is due, or None if there is no such date."""
		return _night(rule, occurrence)

	def example(self, rule: Rule, visible: Visibility) -> str | None:
		"""Return a reference that the rule takes, to show a message with: of those with a customer the next to be due,
		else the last that was; else the same of those without one. None when the rule takes none.

		At most 4 queries, and as often those of `about` and `owners`.
		"""
		spec, trigger = self.spec_of(rule.trigger), rule.trigger
		visible = visible.about(spec.doctype)
		filters = self.for_database(self.parse_filters(trigger))
		filters += [
			[spec.dated if field in spec.of_child else spec.doctype, field, operator, value]
			for field, operator, value in self.conditions(spec, trigger)
		]
		if rule.campaign.company and spec.company:
			filters.append([spec.doctype, spec.company, "=", rule.campaign.company])
		today = schedule.occurrence_for_night(trigger.trigger_type, trigger.days_offset, getdate())
		coming = [([">=", str(today)], "asc"), (["<", str(today)], "desc")]
		if trigger.get("yearly"):
			coming = [(["is", "set"], "desc")]
		# Only where two tables are read the columns have to say whose they are.
		order_by = f"{trigger.date_field} {{}}, name asc"
		if spec.child:
			order_by = f"`tab{spec.child}`.{trigger.date_field} {{}}, `tab{spec.doctype}`.name asc"
		lonely = None
		for asked, order in coming:
			names = frappe.get_all(
				spec.doctype,
				filters=[[spec.dated, trigger.date_field, *asked], *filters],
				pluck="name",
				order_by=order_by.format(order),
				limit_page_length=EXAMPLES,
			)
			places = {name: place for place, name in reversed(list(enumerate(names)))}
			events = sorted(self.about([rule], list(places)), key=lambda event: places[event.reference_name])
			owners = self.owners(events)
			for event, (owner, _reason) in zip(events, owners, strict=True):
				if not visible.sees(company=event.company, item_code=event.item_code, customer=owner):
					continue
				if owner:
					return event.reference_name
				lonely = lonely or event.reference_name
		return lonely

	# -- what no trigger catches ---------------------------------------------------------------------------------

	def expiring(
		self, trigger, date_field: str, first: date, last: date, visible: Visibility
	) -> Iterator[list[dict]]:
		"""Yield the rows whose date lies between two dates, PAGE_SIZE at a time; each row has `name` and `occurrence`.

		Where the table does not know the owner, also those of customers that the user may not see. One query a page, and
		those of `completed`.
		"""
		spec = self.spec_of(trigger)
		visible = visible.about(spec.doctype)
		query, tables = self._query(spec, [date_field])
		query = query.where(between(tables[date_field], first, last))
		ours = frappe._dict(trigger, trigger_type=AFTER, filters=None)
		for condition in self.conditions(spec, ours):
			query = query.where(_in_sql(tables[condition[0]], condition))
		known = {
			field: tables[name]
			for field, name in spec.columns.items()
			if field in FIELDS and (field != OWNER or self.tells_owner(spec))
		}
		query = visible.restrict(query, tables.document, known)
		for rows in self._paged(spec, query, tables, date_field):
			for row in rows:
				row[OCCURRENCE] = getdate(row[OCCURRENCE])
			yield rows

	def owners_of(self, spec: Spec, rows: list[dict]) -> list[tuple[str | None, str | None]]:
		"""Return (customer, reason) of `completed` rows; see `owners`."""
		return self.owners([self._event(spec, row, None, row.get(OCCURRENCE), None) for row in rows])

	def upcoming(
		self, rules: list[Rule], rows: list[dict], today: date, done: set[tuple]
	) -> dict[tuple, tuple[Rule, date]]:
		"""Return which rule meets each row of `expiring` next, today included, and when: {key: (rule, night)}.

		rules: all on the date field of the rows. The key of a row is (name, customer, occurrence). done: (trigger, *key) of
		what has been handled already. Queries: those of `_judge`, and one of Item Group.
		"""
		if not rules:
			return {}
		spec = self.spec_of(rules[0].trigger)
		takes = self._judge(spec, rules, rows, ItemGroups(rule.trigger.item_group for rule in rules))
		nights = {}
		for day in {row[OCCURRENCE] for row in rows}:
			coming = [(rule, self.night(rule, day)) for rule in rules]
			coming = [(rule, on) for rule, on in coming if on and on >= today and rule.sends_on(on)]
			nights[day] = sorted(coming, key=itemgetter(1))
		found = {}
		for row in rows:
			key = self.key_of(row)
			for rule, on in nights[row[OCCURRENCE]]:
				if (rule.trigger.name, *key) not in done and takes(rule, row):
					found[key] = rule, on
					break
		return found

	def key_of(self, row: dict) -> tuple:
		"""Return what tells the rows of `expiring` apart."""
		return row["name"], row.get(OWNER) if self.is_shared else None, row[OCCURRENCE]

	# Whether one reference can be several customers'.
	is_shared = False

	# -- templates -----------------------------------------------------------------------------------------------

	def describe(self, trigger) -> list[Variable]:
		"""Return the variables of templates, the most telling first."""
		of_all = Variable("date", _("The date that the message is about"), None, "date")
		if not erpnext_schema.has(self.reference_doctype(trigger) or ""):
			# The trigger is broken, and says so itself.
			return [of_all]
		spec = self.spec_of(trigger)
		found = [Variable(spec.reference, _(spec.doctype), f"{spec.doctype.upper().replace(' ', '-')}-0001")]
		for df in self.dates_said(spec, trigger):
			found.append(Variable(df.fieldname, _(df.label), None, "date"))
		found.append(of_all)
		if spec.item:
			found += [
				Variable("item_name", _("Item Name", context="Lifecycle"), "Pin"),
				Variable("item_code", _("Item Code", context="Lifecycle"), "PIN"),
			]
		if spec.yearly:
			found.append(Variable("years", _("How many years ago the date was"), 5, "number"))
		found += [
			Variable(name, label or _(frappe.get_meta(spec.doctype).get_label(name)), example, kind)
			for name, label, example, kind in self.variables_of(spec)
		]
		names = set(COMMON)
		return [v for v in found if not (v.name in names or names.add(v.name))]

	def dates_said(self, spec: Spec, trigger) -> list:
		"""Return the DocFields of the dates that templates can say: those that everybody who reads the DocType may read, and
		the trigger's own."""
		return [
			df
			for df in self.date_fields(spec)
			if not df.permlevel or df.fieldname == trigger.get("date_field")
		]

	def values(self, events: list[DueEvent]) -> list[dict]:
		"""Return the values of each event's variables, in the same order. For each DocType 1 query, and 1 of Item."""
		found: list[dict] = [{}] * len(events)
		by_spec = defaultdict(list)
		for index, event in enumerate(events):
			by_spec[self.spec_of(event.rule.trigger)].append(index)
		items = item_names({event.item_code for event in events if event.item_code})
		for spec, indexes in by_spec.items():
			rows = self._values_of_rows(spec, {events[index].reference_name for index in indexes})
			for index in indexes:
				event = events[index]
				row = rows.get(event.reference_name) or {}
				trigger = event.rule.trigger
				dates = {
					df.fieldname: row.get(df.fieldname)
					for df in self.dates_said(spec, trigger)
					if not spec.child
				}
				name = {} if spec.reference in COMMON else {spec.reference: event.reference_name}
				made = {
					**name,
					**{name: getdate(value) if value else None for name, value in dates.items()},
					**{given[0]: self.value_of(spec, given, row) for given in self.variables_of(spec)},
					"date": event.occurrence,
					trigger.date_field: event.occurrence,
				}
				if spec.item:
					made["item_code"] = event.item_code
					made["item_name"] = items.get(event.item_code) or event.item_code
				if spec.yearly:
					base = dates.get(trigger.date_field)
					made["years"] = (
						event.occurrence.year - getdate(base).year if base and event.occurrence else 0
					)
				found[index] = made
		return found

	def _values_of_rows(self, spec: Spec, names: set[str]) -> ByName:
		"""Return {name: the fields that variables are made of}. 1 query, none where there are none; 1 more where some are
		reckoned."""
		meta = frappe.get_meta(spec.doctype)
		fields = {df.fieldname for df in self.date_fields(spec)} | {
			given[0] for given in self.variables_of(spec)
		}
		fields |= {
			_currency_path(df)[1]
			for df in map(meta.get_field, fields)
			if df and df.fieldtype == "Currency" and _currency_path(df)[1]
		}
		fields = [field for field in sorted(fields) if meta.has_field(field)]
		if not fields:
			return ByName()
		rows = frappe.get_all(
			spec.doctype,
			filters={"name": ["in", sorted(names)]},
			fields=["name", *fields],
			order_by="name asc",
		)
		self._reckon(spec, rows, [field for field, _term in spec.reckoned if field in fields])
		return ByName((row.name, row) for row in rows)

	def _reckon(self, spec: Spec, rows: list[dict], fields: list[str]) -> None:
		"""Put the reckoned values of these fields into rows. 1 query, none where there are none."""
		if not rows or not fields:
			return
		tables = _Columns(spec)
		query = (
			frappe.qb.from_(tables.document)
			.select(tables.document.name, *[tables[field].as_(field) for field in fields])
			.where(long_lists.among(tables.document.name, "names"))
		)
		found = long_lists.run(query, as_dict=True, names={row.name for row in rows})
		reckoned = {row.name: row for row in found}
		for row in rows:
			row.update(reckoned.get(row.name) or {})

	def value_of(self, spec: Spec, given: tuple, row: dict):
		"""Return the value of a variable of a Spec: an amount as it is written with its currency."""
		name = given[0]
		df = frappe.get_meta(spec.doctype).get_field(name)
		value = row.get(name)
		if df and df.fieldtype == "Currency" and value is not None:
			return fmt_money(value, currency=currency_of(df, row))
		if df and df.fieldtype in DATES:
			return getdate(value) if value else None
		return value

	def variables_of(self, spec: Spec) -> tuple[tuple, ...]:
		"""Return (field, label, example, kind) of the variables besides the name, the dates and the item."""
		return spec.variables()

	def wanted(self, rule: Rule) -> str:
		"""Say which references a rule takes."""
		spec = self.spec_of(rule.trigger)
		df = self._field(spec, rule.trigger.date_field)
		wanted = [_("a date in {0}").format(_(df.label) if df else rule.trigger.date_field)]
		if spec.open or (spec.ahead and rule.trigger.trigger_type != AFTER):
			wanted.append(_("that it is open"))
		if frappe.get_meta(spec.doctype).is_submittable:
			wanted.append(_("that it is submitted"))
		if rule.campaign.company and spec.company:
			wanted.append(_("the company {0}").format(rule.campaign.company))
		if rule.trigger.item_group and (spec.item or spec.lines):
			wanted.append(_("an item of {0}").format(rule.trigger.item_group))
		if rule.trigger.filters and rule.trigger.filters != "[]":
			wanted.append(_("what its filters ask for"))
		return ", ".join(wanted)


class _Columns:
	"""The columns of a Spec's tables by their fields."""

	def __init__(self, spec: Spec):
		self.document = frappe.qb.DocType(spec.doctype)
		self.dated = frappe.qb.DocType(spec.child) if spec.child else self.document
		self.of_child = spec.of_child
		self.reckoned = dict(spec.reckoned)
		self.key = self.dated.name

	def __getitem__(self, field: str):
		if field in self.reckoned:
			return self.reckoned[field](self.document)
		return self.dated[field] if field in self.of_child else self.document[field]


def currency_of(df, row: dict) -> str | None:
	"""Return the currency of an amount as the Desk finds it: where its field says, else the site's own.

	What is open of an invoice in another currency is kept in that of the customer's account. No query, but for a document
	that Frappe has not in its cache yet.
	"""
	doctype, link, field = _currency_path(df)
	currency = row.get(link)
	if doctype and currency:
		currency = frappe.get_cached_value(doctype, currency, field)
	return currency or frappe.defaults.get_global_default("currency")


def _currency_path(df) -> tuple[str | None, str, str | None]:
	"""Return (DocType, link, field) of an amount's options, such as Company:company:default_currency; of those that name
	a field of the same document (None, field, None)."""
	parts = (df.options or "").split(":")
	return tuple(parts) if len(parts) == 3 else (None, parts[0], None)


def _in_sql(column, condition: Condition) -> Criterion:
	_field, operator, value = condition
	if operator == "=":
		return column == value
	if operator == "!=":
		return column.isnull() | (column != value)
	if operator == ">":
		return column > value
	if operator == "<":
		return column.isnull() | (column < value)
	return column.isnull() | column.notin(value)


def _values_of(doctype: str, field: str, names: set[str]) -> ByName:
	"""Return {name: the value of a field} of documents; of a Dynamic Link only what leads to a customer. 1 query."""
	if not names:
		return ByName()
	df = frappe.get_meta(doctype).get_field(field)
	filters = {"name": ["in", sorted(names)]}
	if df and df.fieldtype == "Dynamic Link":
		filters[df.options] = CUSTOMER
	rows = frappe.get_all(doctype, filters=filters, fields=["name", field], order_by="name asc")
	return ByName((row.name, row[field]) for row in rows)


def _occurrences(rule: Rule, day: date, span: tuple[date, date]) -> list[date]:
	"""Return when a date that stands in a document comes, between two dates: once, or each year again."""
	first, last = span
	if not rule.trigger.get("yearly"):
		return [day] if first <= day <= last else []
	years = range(max(first.year, day.year), last.year + 1)
	return [found for year in years if first <= (found := anniversary(day, year)) <= last]


def _around_today(rule: Rule, day: date) -> list[date]:
	"""Return the date itself, or what comes of it each year again, of the years around this one."""
	if not rule.trigger.get("yearly"):
		return [day]
	offset = schedule.SIGN.get(rule.trigger.trigger_type, 0) * (rule.trigger.days_offset or 0)
	year = (schedule.shifted(getdate(), offset) or getdate()).year
	years = range(max(year - YEARS_AROUND, day.year, 1), min(year + YEARS_AROUND, 9999) + 1)
	return [anniversary(day, one) for one in years]


def _occurrence_now(rule: Rule, row: dict, of_ledger: dict) -> date | None:
	"""Return the occurrence that a row stands for now, of a message that the ledger has."""
	moment = row[rule.trigger.date_field]
	if not moment:
		return None
	day = getdate(moment)
	if not rule.trigger.get("yearly"):
		return day
	was = of_ledger.occurrence_date
	return anniversary(day, was.year) if was and was.year >= day.year else day


def _once(events: list[DueEvent]) -> list[DueEvent]:
	"""Return events without those that are the same message: a document can name a date twice."""
	seen = set()
	return [
		event
		for event in events
		if not (
			(key := (event.rule.trigger.name, event.reference_name, event.occurrence, event.customer)) in seen
			or seen.add(key)
		)
	]


def labelled(fields: list) -> list[dict]:
	"""Return fields (DocFields) to choose from: [{"value", "label"}], with the name where two have the same label."""
	uses = Counter(_(df.label) for df in fields)
	return [
		{
			"value": df.fieldname,
			"label": _(df.label) if uses[_(df.label)] == 1 else f"{_(df.label)} ({df.fieldname})",
		}
		for df in fields
	]


class ItemGroups:
	"""The tree of item groups, for "this group or one below it"."""

	def __init__(self, wanted: Iterable[str | None]):
		self.needed = any(wanted)
		self.bounds = ByName()
		if self.needed:
			rows = frappe.get_all("Item Group", fields=["name", "lft", "rgt"], order_by="name asc")
			self.bounds = ByName((row.name, (row.lft, row.rgt)) for row in rows)

	def of_rows(self, spec: Spec, rows: list[dict]) -> Callable[[str, dict], bool]:
		"""Return a function that says whether a row is of a group: its item, or an item of its lines. At most 2 queries."""
		if not self.needed or not (spec.item or spec.lines):
			return lambda group, row: not group
		if spec.item:
			found = self.of_items({row[ITEM] for row in rows if row[ITEM]})
			return lambda group, row: self.contains(group, found.get(row[ITEM]))
		lines = frappe.qb.DocType(spec.lines)
		query = (
			frappe.qb.from_(lines)
			.select(lines.parent, lines.item_code)
			.distinct()
			.where(long_lists.among(lines.parent, "names"))
			.where(lines.parenttype == spec.doctype)
		)
		names = {row["name"] for row in rows}
		items = defaultdict(set)
		for parent, item in long_lists.run(query, names=names) if names else ():
			items[parent].add(item)
		found = self.of_items(set().union(*items.values()))
		return lambda group, row: any(
			self.contains(group, found.get(item)) for item in items.get(row["name"], ())
		)

	def of_items(self, items: set[str]) -> ByName[str]:
		"""Return each item's group. From Item: the copy elsewhere is usually empty."""
		if not self.needed:
			return ByName()
		rows = frappe.get_all(
			"Item",
			filters={"name": ["in", list(items)]},
			fields=["name", "item_group"],
			order_by="name asc",
		)
		return ByName((row.name, row.item_group) for row in rows)

	def items_in(self, group: str | None) -> list[str] | None:
		"""Return the items of a group and of those below it; None without a group. 1 query."""
		if not group:
			return None
		below = [name for name in self.bounds if self.contains(group, name)]
		return frappe.get_all(
			"Item", filters={"item_group": ["in", below]}, pluck="name", order_by="name asc"
		)

	def contains(self, ancestor: str | None, group: str | None) -> bool:
		"""Say whether `group` is `ancestor` or below it. Without an ancestor everything is in."""
		if not ancestor:
			return True
		outer, inner = self.bounds.get(ancestor), self.bounds.get(group)
		return bool(outer and inner) and outer[0] <= inner[0] and inner[1] <= outer[1]
