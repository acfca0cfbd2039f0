"""Dates of documents: triggers and windows in, due events out. Only reads.

A `Spec` says what is read of a DocType, a `DateSource` reads it. ERPNext has no index on its dates and we add none, so a
table is read once per date field for all the triggers together, page by page along its primary key.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from operator import itemgetter

import frappe
from frappe.query_builder.functions import Count
from frappe.utils import getdate
from pypika.functions import Date

from marketing_automation.engine import long_lists, schedule
from marketing_automation.engine.model import DueEvent, Reason, Rule
from marketing_automation.engine.names import ByName
from marketing_automation.engine.schedule import AFTER, Window
from marketing_automation.engine.visibility import FIELDS, Visibility
from marketing_automation.sources.calendars import (
	Calendar,
	Spans,
	around_today,
	between,
	night_of,
	occurrence_now,
	occurrences_of,
)
from marketing_automation.sources.filters import Filtered
from marketing_automation.sources.item_groups import ItemGroups
from marketing_automation.sources.spec import (
	COMPANY,
	CUSTOMER,
	ITEM,
	OCCURRENCE,
	OWNER,
	ROW_KEY,
	Columns,
	Condition,
	Spec,
	in_sql,
)
from marketing_automation.sources.variables import Worded

PAGE_SIZE = 5000
# Of so many references one is most likely what is looked for.
EXAMPLES = 100


class DateSource(Filtered, Worded):
	"""The source of one Spec, or, where `spec_of` says so, of one for each trigger."""

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

	def _pages(
		self, spec: Spec, date_field: str, calendar: Calendar, rules: list[Rule]
	) -> Iterator[list[dict]]:
		"""Yield the rows whose `date_field` some rule waits for, PAGE_SIZE at a time along the primary key."""
		query, tables = self._query(spec, [date_field])
		is_date = self.field(spec, date_field).fieldtype == "Date"
		condition = calendar.condition(tables[date_field], is_date)
		if condition is None:
			return
		# The date first: most rows fail on it, and to compare their names would take the database as long again.
		query = query.where(condition)
		for asked in self._common(spec, rules):
			query = query.where(in_sql(tables[asked[0]], asked))
		yield from self._paged(spec, query, tables, date_field)

	def _common(self, spec: Spec, rules: list[Rule]) -> list[Condition]:
		"""Return the conditions that all rules have, for the database to look at; those of one alone are judged later."""
		first, *others = [self.conditions(spec, rule.trigger) for rule in rules] or [[]]
		return [condition for condition in first if all(condition in other for other in others)]

	def _paged(self, spec: Spec, query, tables: "Columns", date_field: str) -> Iterator[list[dict]]:
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
		tables = Columns(spec)
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
		judged |= {field for field, _term in spec.reckoned}
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
					for occurrence in occurrences_of(rule, day, self._span(rule, window)):
						due_on = self.night(rule, occurrence)
						if due_on and window.first <= due_on <= window.last:
							found[rule.trigger.name, due_on] += count
		for (spec, date_field), of_field in self._by_field(to_read):
			calendar = Spans([(rule, window, self._span(rule, window)) for rule, window in of_field])
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
			query = query.where(in_sql(tables[condition[0]], condition))
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
					for occurrence in around_today(rule, getdate(moment)):
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
		of_date = [one for one in found if occurrence_now(rule, one, row) == row.occurrence_date]
		one = next((one for one in of_date if takes(rule, one)), (of_date or found[-1:])[0])
		event = self._event(spec, one, rule, occurrence_now(rule, one, row), row.due_on)
		return event._replace(left_out=not takes(rule, one))

	def candidate(self, candidates: list[dict], row: dict) -> list[dict]:
		"""Return those of a reference's rows that a ledger row can be about."""
		return candidates

	def night(self, rule: Rule, occurrence: date) -> date | None:
		"""Return when the message of a rule about an occurrence is due, or None if there is no such date."""
		return night_of(rule, occurrence)

	def example(self, rule: Rule, visible: Visibility) -> str | None:
		"""Return a reference that the rule takes, to show a message with: of those with a customer the next to be due,
		else the last that was; else the same of those without one. None when the rule takes none.

		At most 4 queries, and as often those of `about` and `owners`.
		"""
		spec, trigger = self.spec_of(rule.trigger), rule.trigger
		visible = visible.about(spec.doctype)
		filters = self.for_database(spec, self.parse_filters(trigger))
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
			query = query.where(in_sql(tables[condition[0]], condition))
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
