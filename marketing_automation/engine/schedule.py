"""Which night an expiry is due, and which nights a run has to take. Pure date arithmetic, no database.

A *night* is a calendar day in the site's time zone (System Settings), named by its date. All arithmetic is on
dates, never on timestamps, so daylight saving cannot move a night. Dates end with the years 1 and 9999: what would lie
beyond has no night and is never due.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

BEFORE = "Before"
ON = "On"
AFTER = "After"

SIGN = {BEFORE: 1, ON: 0, AFTER: -1}

# Ten years. More is a date typed into the field of the days.
MOST_DAYS = 3650


def shifted(day: date, days: int) -> date | None:
	"""Return the date so many days later (earlier where negative), or None where there is no such date."""
	try:
		return day + timedelta(days=days)
	except OverflowError:
		return None


def occurrence_for_night(trigger_type: str, days_offset: int, night: date) -> date | None:
	"""Return the expiry date whose message is due on `night`, or None where there is no such date.

	>>> occurrence_for_night("Before", 30, date(2024, 1, 30))
	datetime.date(2024, 2, 29)
	"""
	return shifted(night, SIGN[trigger_type] * (days_offset or 0))


def night_for_occurrence(trigger_type: str, days_offset: int, occurrence: date) -> date | None:
	"""Return the night on which the message about `occurrence` is due, or None; the inverse of the above."""
	return shifted(occurrence, -SIGN[trigger_type] * (days_offset or 0))


@dataclass(frozen=True)
class Window:
	"""The nights that a run takes for one rule: `first` to `last`, both included.

	Nights before `catch_up_from` are only written down as missed.
	"""

	first: date
	last: date
	catch_up_from: date

	def __bool__(self) -> bool:
		"""Say whether it has a night at all."""
		return self.first <= self.last

	def nights(self) -> list[date]:
		"""Return every night, oldest first; empty when `first` is after `last`. Of more than MOST_DAYS those at the end."""
		first = max(self.first, shifted(self.last, -MOST_DAYS) or date.min)
		return [first + timedelta(days=n) for n in range((self.last - first).days + 1)]


def window(
	night: date,
	*,
	covered_until: date | None,
	covered_at: datetime | None,
	active_since: datetime | None,
	catch_up_nights: int,
	start_date: date | None = None,
	end_date: date | None = None,
) -> Window:
	"""Return the nights that a run on `night` takes for a rule.

	covered_until, covered_at: the last night that a successful run took, and when that run started. That day was not
	over then, and what has got its date since is due on it: it is taken once more, and the ledger knows the rest.
	active_since: since when campaign, trigger and action are all switched on. What fell due before is not made
	up for; the day itself is, also when that day's run had passed already.
	catch_up_nights: nights before `night` that are still sent, not just written down.
	start_date, end_date: the campaign's.
	What fell due more than MOST_DAYS ago is not even written down as missed.
	"""
	if active_since and (covered_at is None or covered_at < active_since):
		first = active_since.date()
	elif covered_until:
		first = min(night, covered_until)
	else:
		first = night
	if active_since:
		first = max(first, active_since.date())
	if start_date:
		first = max(first, start_date)
	first = max(first, shifted(night, -MOST_DAYS) or date.min)
	last = min(night, end_date) if end_date else night
	return Window(first, last, shifted(night, -catch_up_nights) or date.min)
