"""Which night an expiry is due, and which nights a run has to take. Pure date arithmetic, no database.

A *night* is a calendar day in the site's time zone (System Settings), named by its date. All arithmetic is on
dates, never on timestamps, so daylight saving cannot move a night.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

BEFORE = "Before Expiration"
ON = "On Expiration"
AFTER = "After Expiration"

SIGN = {BEFORE: 1, ON: 0, AFTER: -1}


def occurrence_for_night(trigger_type: str, days_offset: int, night: date) -> date:
	"""Return the expiry date whose message is due on `night`.

	>>> occurrence_for_night("Before Expiration", 30, date(2024, 1, 30))
	datetime.date(2024, 2, 29)
	"""
	return night + timedelta(days=SIGN[trigger_type] * (days_offset or 0))


def night_for_occurrence(trigger_type: str, days_offset: int, occurrence: date) -> date:
	"""Return the night on which the message about `occurrence` is due; the inverse of the above."""
	return occurrence - timedelta(days=SIGN[trigger_type] * (days_offset or 0))


def days_after(day: date, days: int) -> date:
	"""Return the date so many days after another (before it, if negative), or the last, or first, that there is."""
	return date.fromordinal(min(max(day.toordinal() + days, 1), date.max.toordinal()))


@dataclass(frozen=True)
class Window:
	"""The nights that a run takes for one rule: `first` to `last`, both included.

	Nights before `catch_up_from` are only written down as missed.
	"""

	first: date
	last: date
	catch_up_from: date

	def nights(self) -> list[date]:
		"""Return every night, oldest first; empty when `first` is after `last`."""
		return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]


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
	last = min(night, end_date) if end_date else night
	return Window(first, last, night - timedelta(days=catch_up_nights))
