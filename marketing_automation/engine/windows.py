"""When it is open: hours, closed days and time zones in, open spans out. Pure, no database.

Moments are naive datetimes in UTC, so that neither daylight saving nor the order of time zones can confuse them; what
comes in from a site or goes back to it passes `to_utc` and `from_utc`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta, timezone
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from marketing_automation.engine.schedule import shifted

DAY = 24 * 60
WEEK = 7
# So many days ahead an open hour is looked for. What is closed for longer is closed for good.
MOST_DAYS = 62
# Of an open span the last part is left free, for what comes late; of one that is open for days, all but the first hours.
SPREAD_OVER = 0.9
MOST_SPREAD = timedelta(hours=12)


class Hours(NamedTuple):
	"""Hours of the day by the clock on the customer's wall.

	days: for each weekday, Monday first, (from, until) in minutes since its midnight, or None where it is closed; `until`
	is beyond 1440 where the hours go on after midnight, and they belong to the day on which they begin. closed: dates
	on which no hours begin.
	"""

	days: tuple[tuple[int, int] | None, ...]
	closed: frozenset[date] = frozenset()

	def on(self, day: date) -> tuple[int, int] | None:
		"""Return the hours that begin on a day, or None."""
		return None if day in self.closed else self.days[day.weekday()]


class Span(NamedTuple):
	"""From when until when it is open, `until` excluded."""

	start: datetime
	until: datetime


class Window(NamedTuple):
	"""What is open when all of these hours are open, in all of these time zones (names). Without hours it is always open.

	in_first: hours that have to be open in the first of the zones alone.
	"""

	hours: tuple[Hours, ...]
	zones: tuple[str, ...]
	in_first: tuple[Hours, ...] = ()


def minutes(clock: time | timedelta | str | None) -> int | None:
	"""Return the minutes since midnight of a time of the day, however Frappe hands it over; None for none.

	>>> minutes("09:30:00"), minutes(timedelta(hours=18)), minutes(time(7, 15))
	(570, 1080, 435)
	"""
	if clock in (None, ""):
		return None
	if isinstance(clock, timedelta):
		return int(clock.total_seconds()) // 60
	if isinstance(clock, time):
		return clock.hour * 60 + clock.minute
	hour, minute, *_seconds = str(clock).split(":")
	return int(hour) * 60 + int(minute)


def daily(
	first: int, until: int, weekdays: Iterable[int] = range(WEEK), closed: Iterable[date] = ()
) -> Hours:
	"""Return the same hours on some weekdays (0 is Monday). Where `until` is not after `first`, they end the next day.

	>>> daily(9 * 60, 18 * 60, range(5)).on(date(2026, 11, 28))
	>>> daily(20 * 60, 2 * 60).on(date(2026, 11, 28))
	(1200, 1560)
	"""
	span = first, until if until > first else until + DAY
	open_days = set(weekdays)
	return Hours(tuple(span if day in open_days else None for day in range(WEEK)), frozenset(closed))


@lru_cache(maxsize=512)
def zone_of(name: str) -> ZoneInfo | None:
	"""Return a time zone by its name, or None where this machine does not know it."""
	try:
		return ZoneInfo(name)
	except (ZoneInfoNotFoundError, ValueError, OSError):
		return None


def to_utc(moment: datetime, zone: str) -> datetime:
	"""Return a moment on the wall clock of a time zone in UTC. An hour that comes twice is the first one; one that
	daylight saving leaves out is the moment at which the clock jumps."""
	there = zone_of(zone) or timezone.utc
	return _instant(moment, there)


def start_of_twice(moment: datetime, zone: str) -> datetime:
	"""Return when on the wall clock the time begins that comes twice, for a moment in it; any other moment as it is."""
	there = zone_of(zone) or timezone.utc
	first, second = _instant(moment, there), _instant(moment, there, fold=1)
	if first == second:
		return moment
	# It ends with the clock's jump back, and is as long as that.
	jump = _jump(first, second, there)
	return _wall(jump, there)


def from_utc(moment: datetime, zone: str) -> datetime:
	"""Return what the wall clock of a time zone shows at a moment in UTC."""
	there = zone_of(zone) or timezone.utc
	return moment.replace(tzinfo=timezone.utc).astimezone(there).replace(tzinfo=None, fold=0)


def _instant(wall: datetime, zone, fold: int = 0) -> datetime:
	"""Return the moment at which a clock shows this, the first or (fold 1) the second; that of the jump where it never does."""
	try:
		found = _utc(wall, zone, fold)
		if _wall(found, zone) == wall:
			return found
		# Of what the clock jumps over the one reading is as many minutes too early as the other is too late.
		early, late = sorted(_utc(wall, zone, reading) for reading in (0, 1))
		return _jump(early, late, zone)
	except (OverflowError, ValueError):
		# At the ends of the calendar.
		return datetime.min if wall.year == 1 else datetime.max


def _utc(wall: datetime, zone, fold: int) -> datetime:
	return wall.replace(tzinfo=zone, fold=fold).astimezone(timezone.utc).replace(tzinfo=None)


def _wall(moment: datetime, zone) -> datetime:
	return moment.replace(tzinfo=timezone.utc).astimezone(zone).replace(tzinfo=None, fold=0)


def _jump(early: datetime, late: datetime, zone) -> datetime:
	"""Return the moment between two at which the offset of a time zone changes, to the second."""
	before = _wall(early, zone) - early
	seconds = int((late - early).total_seconds())
	first, last = 0, seconds
	while first < last:
		middle = (first + last) // 2
		moment = early + timedelta(seconds=middle)
		if _wall(moment, zone) - moment == before:
			first = middle + 1
		else:
			last = middle
	return early + timedelta(seconds=first)


@lru_cache(maxsize=4096)
def _span_on(span: tuple[int, int], day: date, zone: str) -> Span | None:
	"""Return hours that begin on a day in a time zone, or None where nothing of them is left."""
	there = zone_of(zone) or timezone.utc
	midnight = datetime.combine(day, time.min)
	try:
		start, until = (midnight + timedelta(minutes=minute) for minute in span)
	except OverflowError:
		return None
	# Of an hour that comes twice they begin in the second and end in the first, so that by the clock they are never open when
	# they are not; what lies within such an hour is open the first time.
	ends = _instant(until, there)
	for begins in (_instant(start, there, fold=1), _instant(start, there)):
		if begins < ends:
			return Span(begins, ends)
	return None


def _spans(hours: Hours, zone: str, first: date, days: int) -> list[Span]:
	"""Return what is open of hours that begin on so many days, in order, what touches joined."""
	found: list[Span] = []
	for number in range(days):
		day = shifted(first, number)
		span = day and hours.on(day)
		opened = span and _span_on(span, day, zone)
		if not opened:
			continue
		if found and opened.start <= found[-1].until:
			found[-1] = Span(found[-1].start, max(found[-1].until, opened.until))
		else:
			found.append(opened)
	return found


def _both(some: list[Span], others: list[Span]) -> list[Span]:
	"""Return what is open in both of two lists."""
	found, place = [], 0
	for span in some:
		while place < len(others) and others[place].until <= span.start:
			place += 1
		at = place
		while at < len(others) and others[at].start < span.until:
			start, until = max(span.start, others[at].start), min(span.until, others[at].until)
			if start < until:
				found.append(Span(start, until))
			at += 1
	return found


@lru_cache(maxsize=1024)
def spans(window: Window, first: date, days: int = MOST_DAYS) -> tuple[Span, ...]:
	"""Return when a window is open, in order: of hours that begin from a date on, for so many days, by the customer's clocks.

	What has begun on the day before `first` is among it as far as it goes on.
	"""
	day = shifted(first, -2) or date.min
	found: list[Span] | None = None
	zones = window.zones or ("UTC",)
	pairs = [(hours, zone) for hours in window.hours for zone in zones]
	pairs += [(hours, zones[0]) for hours in window.in_first]
	for hours, zone in pairs:
		# The clocks of the world are at most 26 hours apart.
		opened = _spans(hours, zone, day, days + 4)
		found = opened if found is None else _both(found, opened)
	if found is None:
		start = datetime.combine(day, time.min)
		try:
			return (Span(start, start + timedelta(days=days + 4)),)
		except OverflowError:
			return (Span(start, datetime.max),)
	return tuple(found)


def next_open(window: Window, at: datetime) -> Span | None:
	"""Return the span that is open at a moment, or else the next one; None where none comes within MOST_DAYS."""
	found = spans(window, at.date())
	place = bisect_right(found, at, key=lambda span: span.until)
	return found[place] if place < len(found) else None


def last_open(window: Window, since: datetime, before: datetime) -> Span | None:
	"""Return the last span that is open between two moments, cut at them; None where it is not open between them."""
	if before - since > timedelta(days=MOST_DAYS):
		since = before - timedelta(days=MOST_DAYS)
	found = spans(window, since.date())
	place = bisect_left(found, before, key=lambda span: span.start) - 1
	if place < 0 or found[place].until <= since:
		return None
	return Span(max(found[place].start, since), min(found[place].until, before))


def moment_in(span: Span, at: datetime, key: str | None = None) -> datetime:
	"""Return when in a span something leaves that has come at a moment: at once; with a key at the moment of that key, so
	that what has many keys is spread over the span, each at the same moment whenever it is asked for."""
	if key is None:
		return max(at, span.start)
	share = int(sha256(key.encode()).hexdigest()[:8], 16) / 0x1_0000_0000
	return max(at, span.start + min(span.until - span.start, MOST_SPREAD) * share * SPREAD_OVER)
