"""Expiring serial numbers: triggers and windows in, due events out. Only reads.

ERPNext's Serial No has no index on its dates and we add none, so the table is read once per date field for all
the triggers together, page by page along its primary key.
"""

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import date
from operator import itemgetter

import frappe
from frappe import _
from frappe.model import optional_fields
from frappe.query_builder.functions import Count
from frappe.utils import getdate
from pypika import Criterion
from pypika.functions import Date

from marketing_automation import erpnext_schema
from marketing_automation.engine import long_lists, schedule
from marketing_automation.engine.model import DueEvent, Rule
from marketing_automation.engine.names import ByName, folded, same
from marketing_automation.engine.schedule import Window
from marketing_automation.engine.visibility import Visibility
from marketing_automation.sources import ownership

REFERENCE_DOCTYPE = erpnext_schema.SERIAL_NO
# A filter on it is judged by who owns the serial number, also where Serial No has no such field.
OWNER = "customer"
# What previews say of a serial number, besides its dates, and what follows from it.
SHOWN = ("name", "item_code", "company", OWNER, "status")
PAGE_SIZE = 5000
# Of so many serial numbers, one is most likely of the company that is looked for.
EXAMPLES = 100


def fields() -> list[str]:
	"""Return the fields of Serial No that events are made of: name, item_code, company and, where there is one, customer."""
	return ["name", "item_code", "company", *([OWNER] if erpnext_schema.has_owner() else [])]


def date_fields() -> list:
	"""Return the Date and Datetime fields (DocFields) that Serial No has on this site, custom ones included."""
	return [df for df in frappe.get_meta(REFERENCE_DOCTYPE).fields if df.fieldtype in ("Date", "Datetime")]


def readable_date_fields() -> list:
	"""Return those of `date_fields` that the session's user may read. No query."""
	fields = date_fields()
	closed = unreadable({df.fieldname for df in fields})
	return [df for df in fields if df.fieldname not in closed]


def validate(trigger) -> None:
	"""Throw when the trigger's offset, date field or filters cannot work."""
	if trigger.days_offset < 0:
		frappe.throw(
			_(
				"Days cannot be negative. Choose {0} or {1} as the trigger type, and give the days as {2}."
			).format(frappe.bold(_(schedule.BEFORE)), frappe.bold(_(schedule.AFTER)), -trigger.days_offset),
			title=_("Negative Days"),
		)
	if trigger.trigger_type == schedule.ON and trigger.days_offset:
		frappe.throw(
			_("{0} means the day itself: set Days to 0, or choose {1} or {2}.").format(
				frappe.bold(_(schedule.ON)), frappe.bold(_(schedule.BEFORE)), frappe.bold(_(schedule.AFTER))
			),
			title=_("Days Without Effect"),
		)
	known = {df.fieldname: df for df in date_fields()}
	if trigger.date_field not in known:
		frappe.throw(
			_("{0} is not a date field of Serial No. Choose one of: {1}.").format(
				frappe.bold(frappe.utils.escape_html(trigger.date_field or "")),
				", ".join(f"{_(df.label)} ({name})" for name, df in known.items()),
			),
			title=_("Unknown Date Field"),
		)
	_validate_filters(trigger)


def _validate_filters(trigger) -> None:
	try:
		filters, of_owner = _apart(parse_filters(trigger.filters))
		if filters:
			# Of one name, so that the database looks at the filters and not at the table.
			frappe.get_all(
				REFERENCE_DOCTYPE,
				filters=[[REFERENCE_DOCTYPE, "name", "=", "-"], *filters],
				limit_page_length=1,
				order_by="name asc",
			)
		_passes(of_owner, None)
	except Exception as e:
		frappe.throw(
			_("The filters cannot be used: {0}. Remove them and choose them again.").format(
				frappe.utils.escape_html(str(e))
			),
			title=_("Invalid Filters"),
		)


def parse_filters(text: str | None) -> list[list]:
	"""Return the filter builder's JSON as a list of [doctype, field, operator, value].

	Raises ValueError when it is no list of filters on Serial No.
	"""
	# Nothing is written in several ways.
	filters = (frappe.parse_json(text) if text else None) or []
	if not isinstance(filters, list):
		raise ValueError(_("a list is expected"))
	if not filters:
		return []
	# get_all takes an expression for a field.
	columns = {*frappe.get_meta(REFERENCE_DOCTYPE).get_valid_columns(), *optional_fields, OWNER}
	for row in filters:
		if not isinstance(row, list) or len(row) < 4 or row[0] != REFERENCE_DOCTYPE:
			raise ValueError(_("each filter is [{0}, field, operator, value]").format(REFERENCE_DOCTYPE))
		if row[1] not in columns:
			raise ValueError(_("{0} has no field {1}").format(_(REFERENCE_DOCTYPE), row[1]))
	# The filter builder adds a fifth element (hidden) that not every version of get_all takes.
	return [row[:4] for row in filters]


def unreadable(fields: set[str]) -> set[str]:
	"""Return those of the fields that the session's user may not read, by the permission levels of their roles.

	SHOWN and the dates need no role in ERPNext as long as they are at level 0: they are in every preview. No query.
	"""
	if frappe.session.user == "Administrator":
		return set()
	meta, roles = frappe.get_meta(REFERENCE_DOCTYPE), {*frappe.get_roles()}
	levels = {
		permission.permlevel
		for permission in meta.permissions
		if permission.read and not permission.get("if_owner") and permission.role in roles
	}
	closed = set()
	for name in fields:
		df = meta.get_field(name)
		level = df.permlevel if df else 0
		is_shown = not level and (name in SHOWN or (df and df.fieldtype in ("Date", "Datetime")))
		if not (is_shown or level in levels) or (df and df.fieldtype == "Password"):
			closed.add(name)
	return closed


def _apart(filters: list[list]) -> tuple[list[list], list[list]]:
	"""Return the filters that are the database's to judge, and those on the owner, who need not stand on Serial No."""
	return [row for row in filters if row[1] != OWNER], [row for row in filters if row[1] == OWNER]


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


def due(windows: list[tuple[Rule, Window]]) -> Iterator[list[DueEvent]]:
	"""Yield the due events of the rules' windows, in lists of at most PAGE_SIZE serial numbers.

	Queries: for each date field and page, one of Serial No, one of Item where a rule has an item group, and one
	for each rule with filters; one of Item Group in all.
	"""
	groups = _ItemGroups(rule.trigger.item_group for rule, _window in windows)
	by_field = defaultdict(list)
	for rule, window in windows:
		by_field[rule.trigger.date_field].append((rule, window))
	for date_field, of_field in by_field.items():
		due_on = defaultdict(list)
		for rule, window in of_field:
			for night in window.nights():
				occurrence = schedule.occurrence_for_night(
					rule.trigger.trigger_type, rule.trigger.days_offset, night
				)
				if occurrence:
					due_on[occurrence].append((rule, night, night < window.catch_up_from))
		for rows in _pages(date_field, sorted(due_on)):
			yield _events(rows, due_on, groups)


def counts(windows: list[tuple[Rule, Window]], visible: Visibility) -> dict[tuple[str, date], int]:
	"""Return how many serial numbers fall due: {(trigger, night): count}, whoever owns them and can be reached.

	Counted by the database, so that months ahead cost no more than a day. visible: only what this user may see.
	Queries: one for each date field, one for each rule with filters; one of Item and one of Item Group in all.
	"""
	groups = _ItemGroups(rule.trigger.item_group for rule, _window in windows)
	by_field = defaultdict(list)
	for rule, window in windows:
		if window:
			filters = parse_filters(rule.trigger.filters)
			by_field[rule.trigger.date_field, frappe.as_json(filters)].append((rule, window, filters))
	counted = {key: _counted(key[0], of_field, visible) for key, of_field in sorted(by_field.items())}
	item_groups = groups.of_items({item for rows in counted.values() for _day, _company, item in rows})
	found = Counter()
	for key, rows in counted.items():
		for rule, window, _filters in by_field[key]:
			for (day, company, item), count in rows.items():
				due_on = night(rule, day)
				if (
					due_on
					and window.first <= due_on <= window.last
					and (not rule.campaign.company or same(rule.campaign.company, company))
					and groups.contains(rule.trigger.item_group, item_groups.get(item))
				):
					found[rule.trigger.name, due_on] += count
	return dict(found)


def _counted(date_field: str, of_field: list[tuple], visible: Visibility) -> dict[tuple, int]:
	"""Return {(expiry, company, item): count} of the serial numbers that rules with the same filters wait for."""
	days = [
		# Where one end has no such date, the other is looked at with all that lies beyond it.
		schedule.occurrence_for_night(rule.trigger.trigger_type, rule.trigger.days_offset, night) or beyond
		for rule, window, _filters in of_field
		for night, beyond in ((window.first, date.min), (window.last, date.max))
	]
	first, last = min(days), max(days)
	filters, of_owner = _apart(of_field[0][2])
	if not (filters or of_owner or OWNER in visible.allowed):
		serial = frappe.qb.DocType(REFERENCE_DOCTYPE)
		day = Date(serial[date_field])
		query = (
			frappe.qb.from_(serial)
			.select(day, serial.company, serial.item_code, Count(serial.name))
			.where(_between(serial[date_field], first, last))
			.groupby(day, serial.company, serial.item_code)
		)
		return {tuple(key): count for *key, count in _visible(query, serial, visible).run()}
	# The filter builder's filters are for get_all, and not every version of it can count.
	rows = frappe.get_all(
		REFERENCE_DOCTYPE,
		filters=[
			[REFERENCE_DOCTYPE, date_field, "is", "set"],
			*_from(date_field, first),
			*_before(date_field, schedule.shifted(last, 1)),
			*filters,
		],
		fields=[*fields(), f"{date_field} as occurrence"],
		order_by="name asc",
	)
	return Counter(
		(getdate(row.occurrence), row.company, row.item_code)
		for row in _whose_owner(rows, lambda owner: _passes(of_owner, owner), visible, bool(of_owner))
	)


def _visible(query, serial, visible: Visibility):
	"""Return a query of Serial No that leaves out what the user may not see, as far as the table can tell."""
	known = [OWNER] if erpnext_schema.owner_is_kept() else []
	return visible.restrict(query, serial, ["company", "item_code", *known])


def _whose_owner(
	rows: list[dict], passes: Callable[[str | None], bool], visible: Visibility, asked: bool
) -> Iterator[dict]:
	"""Yield the rows (with `fields`) that the user may see and whose owner passes.

	asked: whether it matters who owns them. Queries: those of `ownership.owners` for each PAGE_SIZE rows where it does, or
	where the user may see some customers only; else none.
	"""
	seen = [row for row in rows if visible.sees(company=row.company, item_code=row.item_code)]
	if not asked and OWNER not in visible.allowed:
		yield from seen
		return
	for start in range(0, len(seen), PAGE_SIZE):
		some = seen[start : start + PAGE_SIZE]
		for row, (owner, _reason) in zip(some, owners_of(some), strict=True):
			if visible.sees(customer=owner) and passes(owner):
				yield row


def owners(events: list[DueEvent]) -> list[tuple[str | None, str | None]]:
	"""Return (customer, reason) for each event, in the same order; see `ownership.owners`."""
	return ownership.owners(events)


def owners_of(rows: list[dict]) -> list[tuple[str | None, str | None]]:
	"""Return (customer, reason) of serial numbers (rows with `fields`); see `ownership.owners`."""
	return ownership.owners([_event(row, None, None, None) for row in rows])


def owned_by(customer: str, visible: Visibility, most: int) -> list[str]:
	"""Return the names of the serial numbers that a customer has today, the first `most` by name.

	Queries: those of `ownership.sold_to` and `ownership.owners`, and 2.
	"""
	serial = frappe.qb.DocType(REFERENCE_DOCTYPE)
	query = _visible(frappe.qb.from_(serial).select(*[serial[field] for field in fields()]), serial, visible)
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
		for row, (owner, _reason) in zip(found, owners_of(found), strict=True)
		if same(owner, customer)
	][:most]


def about(rules: list[Rule], names: list[str]) -> list[DueEvent]:
	"""Return every event, past and to come, of a few serial numbers by the dates that they have now.

	A rule that leaves a serial number out (company, item group, filters, no date) has no event of it.
	Queries: one for each date field, one for each rule with filters; one of Item for each date field where a rule
	has an item group, and one of Item Group.
	"""
	groups = _ItemGroups(rule.trigger.item_group for rule in rules)
	by_field = defaultdict(list)
	for rule in rules:
		by_field[rule.trigger.date_field].append(rule)
	events = []
	for date_field, of_field in by_field.items():
		rows = frappe.get_all(
			REFERENCE_DOCTYPE,
			fields=[*fields(), f"{date_field} as occurrence"],
			filters=[[REFERENCE_DOCTYPE, "name", "in", names], [REFERENCE_DOCTYPE, date_field, "is", "set"]],
			order_by="name asc",
		)
		due_on = {
			day: [(rule, on, False) for rule in of_field if (on := night(rule, day))]
			for day in map(getdate, {row.occurrence for row in rows})
		}
		events += _events(rows, due_on, groups)
	return events


def upcoming(
	rules: list[Rule], rows: list[dict], today: date, done: set[tuple[str, str]]
) -> dict[str, tuple[Rule, date]]:
	"""Return which rule meets each serial number next, today included, and when: {name: (rule, night)}.

	rules: all on one date field. rows: a page of `expiring` by that field. done: (trigger, serial number) of what has been
	handled already.
	Queries: one for each rule with filters; one of Item and one of Item Group where a rule has an item group.
	"""
	due_on = {}
	for day in map(getdate, {row.occurrence for row in rows}):
		nights = [(rule, night(rule, day)) for rule in rules]
		coming = [(rule, on) for rule, on in nights if on and on >= today and rule.sends_on(on)]
		due_on[day] = sorted(coming, key=itemgetter(1))
	takes = _judge(rules, rows, _ItemGroups(rule.trigger.item_group for rule in rules))
	found = {}
	for row in rows:
		first = next(
			(
				(rule, on)
				for rule, on in due_on[getdate(row.occurrence)]
				if (rule.trigger.name, row.name) not in done and takes(rule, row)
			),
			None,
		)
		if first:
			found[row.name] = first
	return found


def expiring(date_field: str, first: date, last: date, visible: Visibility) -> Iterator[list[dict]]:
	"""Yield the serial numbers that expire between two dates: `fields` and `occurrence`, PAGE_SIZE at a time by name.

	Where the table does not know the owner, also those of customers that the user may not see. One query a page.
	"""
	serial = frappe.qb.DocType(REFERENCE_DOCTYPE)
	query = (
		frappe.qb.from_(serial)
		.select(*[serial[field] for field in fields()], serial[date_field].as_("occurrence"))
		.where(_between(serial[date_field], first, last))
		.orderby(serial.name)
		.limit(PAGE_SIZE)
	)
	query, after = _visible(query, serial, visible), ""
	while rows := query.where(serial.name > after).run(as_dict=True):
		yield rows
		if len(rows) < PAGE_SIZE:
			return
		after = rows[-1].name


def night(rule: Rule, occurrence: date) -> date | None:
	"""Return when the message of a rule about an occurrence is due, or None if there is no such date."""
	return schedule.night_for_occurrence(rule.trigger.trigger_type, rule.trigger.days_offset, occurrence)


def example(rule: Rule, visible: Visibility) -> str | None:
	"""Return a serial number that the rule takes, to show a message with: of those with a customer the next to be due,
	else the last that was; else the same of those without one. None when the rule takes none.

	2 to 8 queries, 2 where the rule has an item group, and as often those of `ownership.owners`.
	"""
	items = _ItemGroups([rule.trigger.item_group]).items_in(rule.trigger.item_group)
	if items == []:
		return None
	filters, of_owner = _apart(parse_filters(rule.trigger.filters))
	filters.append([REFERENCE_DOCTYPE, rule.trigger.date_field, "is", "set"])
	if items is not None:
		filters.append([REFERENCE_DOCTYPE, "item_code", "in", items])
	for sold in (True, False):
		if found := _example(rule, visible, filters, of_owner, sold):
			return found
	return None


def _example(rule: Rule, visible: Visibility, filters: list, of_owner: list, sold: bool) -> str | None:
	"""Return the next to be due, else the last that was, of those with an owner (`sold`) or without.

	filters, of_owner: see `_apart`. 1 to 4 queries, and as often those of `ownership.owners`.
	"""
	date_field, company = rule.trigger.date_field, rule.campaign.company
	today = schedule.occurrence_for_night(rule.trigger.trigger_type, rule.trigger.days_offset, getdate())
	for operator, order in ((">=", "asc"), ("<", "desc")):
		# Asked for a company, the database goes by its index and looks up each row by itself: the table is read sooner.
		for narrower in ([], _narrower(company, visible, sold)):
			rows = frappe.get_all(
				REFERENCE_DOCTYPE,
				filters=[[REFERENCE_DOCTYPE, date_field, operator, str(today)], *filters, *narrower],
				fields=fields(),
				order_by=f"{date_field} {order}, name asc",
				limit_page_length=EXAMPLES,
			)
			ours = [row for row in rows if not company or same(company, row.company)]
			found = _whose_owner(
				ours, lambda owner: bool(owner) == sold and _passes(of_owner, owner), visible, True
			)
			if example := next(found, None):
				return example.name
			if len(rows) < EXAMPLES:
				break
	return None


def _narrower(company: str | None, visible: Visibility, sold: bool) -> list[list]:
	"""Return filters on Serial No for what was most likely sold, or not, by a company, and may be seen."""
	ours = [[REFERENCE_DOCTYPE, "status", "=" if sold else "!=", "Delivered"]]
	if company:
		ours.append([REFERENCE_DOCTYPE, "company", "=", company])
	for field, names in visible.allowed.items():
		if field == OWNER:
			field, names = "name", _had_by(names)
		ours.append([REFERENCE_DOCTYPE, field, "in", sorted(names)])
	return ours


def _had_by(customers: set[str]) -> set[str]:
	"""Return the names of serial numbers that these customers have, or have had."""
	names = set(ownership.sold_to(customers))
	if erpnext_schema.has_owner():
		noted = [[REFERENCE_DOCTYPE, OWNER, "in", sorted(customers)]]
		names.update(frappe.get_all(REFERENCE_DOCTYPE, filters=noted, pluck="name", order_by="name asc"))
	return names


def _pages(date_field: str, dates: list[date]) -> Iterator[list[dict]]:
	"""Yield the serial numbers whose `date_field` is one of `dates`, PAGE_SIZE at a time, ordered by name."""
	if not dates:
		return
	serial = frappe.qb.DocType(REFERENCE_DOCTYPE)
	query = (
		frappe.qb.from_(serial)
		.select(*[serial[field] for field in fields()], serial[date_field].as_("occurrence"))
		# The date first: most rows fail on it, and to compare their names would take the database as long again.
		.where(_on_dates(serial[date_field], date_field, dates))
		.orderby(serial.name)
		.limit(PAGE_SIZE)
	)
	last = ""
	while rows := query.where(serial.name > last).run(as_dict=True):
		yield rows
		if len(rows) < PAGE_SIZE:
			return
		last = rows[-1].name


def _on_dates(column, date_field: str, dates: list[date]) -> Criterion:
	"""Return the condition that a Date or Datetime column is on any of `dates`."""
	if frappe.get_meta(REFERENCE_DOCTYPE).get_field(date_field).fieldtype == "Date":
		return column.isin(dates)
	return Criterion.any(_between(column, day, day) for day in dates)


def _between(column, first: date, last: date) -> Criterion:
	"""Return the condition that a Date or Datetime column lies between two dates, both included."""
	after = schedule.shifted(last, 1)
	return (column >= first) & (column < after) if after else column >= first


def _from(date_field: str, first: date) -> list[list]:
	"""Return the filter for get_all that leaves out what lies before a date."""
	# It does not know the year 1, where nothing lies before.
	return [[REFERENCE_DOCTYPE, date_field, ">=", str(first)]] if first.year > 1 else []


def _before(date_field: str, after: date | None) -> list[list]:
	"""Return the filter for get_all that leaves out a date and what lies after it; None: nothing lies after."""
	return [[REFERENCE_DOCTYPE, date_field, "<", str(max(after, date(2, 1, 1)))]] if after else []


def _events(rows: list[dict], due_on: dict, groups: "_ItemGroups") -> list[DueEvent]:
	"""Return an event for each serial number of a page and each rule that waits for its date and takes it.

	due_on: {occurrence: [(rule, night, missed)]}, the rules that wait for that date.
	"""
	# The column can be a Datetime.
	days = {moment: getdate(moment) for moment in {row.occurrence for row in rows}}
	takes = _judge(
		[rule for day in set(days.values()) for rule, _night, _missed in due_on[day]], rows, groups
	)
	return [
		_event(row, rule, days[row.occurrence], night, missed)
		for row in rows
		for rule, night, missed in due_on[days[row.occurrence]]
		if takes(rule, row)
	]


def _event(serial: dict, rule: Rule, occurrence: date | None, night: date, missed: bool = False) -> DueEvent:
	"""Return the event of a rule about a serial number (FIELDS)."""
	return DueEvent(
		rule=rule,
		reference_doctype=REFERENCE_DOCTYPE,
		reference_name=serial["name"],
		item_code=serial["item_code"],
		company=serial["company"],
		customer=serial.get(OWNER),
		occurrence=occurrence,
		night=night,
		missed=missed,
	)


def _judge(rules: list[Rule], rows: list[dict], groups: "_ItemGroups") -> Callable[[Rule, dict], bool]:
	"""Return a function that says whether a rule takes a serial number, whatever its date, for these rules and rows.

	Queries: one of Item where a rule has an item group, one for each rule with filters.
	"""
	item_groups = groups.of_items({row.item_code for row in rows})
	passed = _names_that_pass({rule.trigger.name: rule for rule in rules}, rows)

	def takes(rule: Rule, row: dict) -> bool:
		company, trigger = rule.campaign["company"], rule.trigger
		return (
			(not company or same(company, row["company"]))
			and groups.contains(trigger["item_group"], item_groups.get(row["item_code"]))
			and (trigger["name"] not in passed or row["name"] in passed[trigger["name"]])
		)

	return takes


def _names_that_pass(rules: dict[str, Rule], rows: list[dict]) -> dict[str, set[str]]:
	"""Return, for each rule with filters, which of the rows pass them.

	The database judges, as in any list; but who owns a serial number is for `ownership.owners` to say.
	"""
	passed, owned = {}, None
	for trigger, rule in rules.items():
		filters, of_owner = _apart(parse_filters(rule.trigger.filters))
		if filters:
			found = frappe.get_all(
				REFERENCE_DOCTYPE,
				filters=[[REFERENCE_DOCTYPE, "name", "in", [row.name for row in rows]], *filters],
				pluck="name",
				order_by="name asc",
			)
			passed[trigger] = set(found)
		if of_owner:
			owned = owned or {
				row.name: owner for row, (owner, _reason) in zip(rows, owners_of(rows), strict=True)
			}
			passed[trigger] = {name for name in passed.get(trigger, owned) if _passes(of_owner, owned[name])}
	return passed


class _ItemGroups:
	"""The tree of item groups, for "this group or one below it"."""

	def __init__(self, wanted):
		self.needed = any(wanted)
		self.bounds = ByName()
		if self.needed:
			rows = frappe.get_all("Item Group", fields=["name", "lft", "rgt"], order_by="name asc")
			self.bounds = ByName((row.name, (row.lft, row.rgt)) for row in rows)

	def of_items(self, items: set[str]) -> ByName[str]:
		"""Return each item's group. From Item: the copy on Serial No is usually empty."""
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


def current(claimed: list[tuple[Rule, dict]]) -> list[DueEvent | None]:
	"""Return what each (rule, ledger row) would be today, in the same order; None for a serial number that is gone.

	The occurrence is None when the date has been taken away; `left_out` says that the rule takes it no longer.
	Queries: one; one of Item and one of Item Group where a rule has an item group, and one for each rule with filters.
	"""
	rules = {rule.trigger.name: rule for rule, _row in claimed}
	date_fields = sorted({rule.trigger.date_field for rule in rules.values()})
	serials = frappe.get_all(
		REFERENCE_DOCTYPE,
		filters={"name": ["in", sorted({row.reference_name for _rule, row in claimed})]},
		fields=[*fields(), *date_fields],
		order_by="name asc",
	)
	by_name = ByName((serial.name, serial) for serial in serials)
	takes = _judge(
		list(rules.values()), serials, _ItemGroups(rule.trigger.item_group for rule in rules.values())
	)
	return [_current(by_name.get(row.reference_name), rule, row, takes) for rule, row in claimed]


def _current(serial: dict | None, rule: Rule, row: dict, takes: Callable) -> DueEvent | None:
	if not serial:
		return None
	occurrence = serial[rule.trigger.date_field]
	event = _event(serial, rule, getdate(occurrence) if occurrence else None, row.due_on)
	return event._replace(left_out=not takes(rule, serial))


SOURCE = sys.modules[__name__]
