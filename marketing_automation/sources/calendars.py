"""Which rules wait for which dates, and when a date comes again. Pure."""

from collections import defaultdict
from datetime import date

from frappe.utils import getdate
from pypika import Criterion, CustomFunction

from marketing_automation.engine import schedule
from marketing_automation.engine.model import Rule

# Years that lie so far from today are not looked at, of what comes each year again.
YEARS_AROUND = 1

MonthOf = CustomFunction("month", ["day"])
DayOf = CustomFunction("dayofmonth", ["day"])


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


class Spans:
	"""A Calendar of whole spans of dates, for counts of months ahead."""

	def __init__(self, entries: list[tuple]):
		# (rule, window, (first date, last date))
		self.entries = entries

	def of(self, day: date) -> list[tuple[Rule, date, date, bool]]:
		return [
			(rule, occurrence, night, False)
			for rule, window, span in self.entries
			for occurrence in occurrences_of(rule, day, span)
			if (night := night_of(rule, occurrence)) and window.first <= night <= window.last
		]

	def condition(self, column, is_date: bool) -> Criterion:
		if any(rule.trigger.get("yearly") for rule, _window, _span in self.entries):
			return column.isnotnull()
		first, last = (pick(span[end] for *_rule, span in self.entries) for pick, end in ((min, 0), (max, 1)))
		return between(column, first, last)


def night_of(rule: Rule, occurrence: date) -> date | None:
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


def occurrences_of(rule: Rule, day: date, span: tuple[date, date]) -> list[date]:
	"""Return when a date that stands in a document comes, between two dates: once, or each year again."""
	first, last = span
	if not rule.trigger.get("yearly"):
		return [day] if first <= day <= last else []
	years = range(max(first.year, day.year), last.year + 1)
	return [found for year in years if first <= (found := anniversary(day, year)) <= last]


def around_today(rule: Rule, day: date) -> list[date]:
	"""Return the date itself, or what comes of it each year again, of the years around this one."""
	if not rule.trigger.get("yearly"):
		return [day]
	offset = schedule.SIGN.get(rule.trigger.trigger_type, 0) * (rule.trigger.days_offset or 0)
	year = (schedule.shifted(getdate(), offset) or getdate()).year
	years = range(max(year - YEARS_AROUND, day.year, 1), min(year + YEARS_AROUND, 9999) + 1)
	return [anniversary(day, one) for one in years]


def occurrence_now(rule: Rule, row: dict, of_ledger: dict) -> date | None:
	"""Return the occurrence that a row stands for now, of a message that the ledger has."""
	moment = row[rule.trigger.date_field]
	if not moment:
		return None
	day = getdate(moment)
	if not rule.trigger.get("yearly"):
		return day
	was = of_ledger.occurrence_date
	return anniversary(day, was.year) if was and was.year >= day.year else day
