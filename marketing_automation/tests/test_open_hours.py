"""Hours are open by the wall clock of the customer, whatever daylight saving does to it."""

import unittest
from datetime import date, datetime, time, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st

from marketing_automation.engine import windows
from marketing_automation.engine.windows import Hours, Span, Window, daily

# With their weekends of daylight saving: in the north, in the south, at midnight, of half an hour, and those without.
ZONES = (
	"Europe/Madrid",
	"America/New_York",
	"America/Santiago",
	"America/Asuncion",
	"America/Havana",
	"Australia/Lord_Howe",
	"America/St_Johns",
	"Africa/Casablanca",
	"Asia/Kolkata",
	"America/Bogota",
)
YEAR = 2025
OFFICE = daily(9 * 60, 18 * 60, range(5))
MINUTE = timedelta(minutes=1)


def wall(moment: datetime, zone: str) -> datetime:
	return moment.replace(tzinfo=timezone.utc).astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def changes(zone: str) -> list[datetime]:
	"""Return the moments (UTC, to the minute) of a year at which the clocks of a zone change."""
	found, moment = [], datetime(YEAR, 1, 1)
	hour = timedelta(hours=1)
	while moment.year == YEAR:
		if wall(moment, zone) - moment != wall(moment + hour, zone) - (moment + hour):
			at = next(
				moment + MINUTE * n
				for n in range(1, 61)
				if wall(moment + MINUTE * n, zone) - (moment + MINUTE * n) != wall(moment, zone) - moment
			)
			found.append(at)
		moment += hour
	return found


CHANGES = {zone: changes(zone) for zone in ZONES}
hours_of_a_day = st.tuples(st.integers(0, 1439), st.integers(0, 1439)).filter(lambda ends: ends[0] != ends[1])


def is_open(hours: Hours, moment: datetime, zone: str) -> bool:
	"""Say by the wall clock alone whether hours are open at a moment: the rule, without any arithmetic on moments."""
	clock = wall(moment, zone)
	minute = clock.hour * 60 + clock.minute + clock.second / 60
	today, before = hours.on(clock.date()), hours.on(clock.date() - timedelta(days=1))
	return bool(today and today[0] <= minute < today[1]) or bool(
		before and before[0] <= minute + 1440 < before[1]
	)


def is_twice(moment: datetime, zone: str) -> bool:
	"""Say whether the wall clock shows at a moment what it shows at another one, too."""
	clock = wall(moment, zone)
	there = ZoneInfo(zone)
	return clock.replace(tzinfo=there, fold=0).utcoffset() > clock.replace(tzinfo=there, fold=1).utcoffset()


class TestOpenHours(unittest.TestCase):
	def test_the_zones_change_their_clocks(self):
		self.assertEqual(
			[len(CHANGES[zone]) for zone in ZONES if zone not in ("Asia/Kolkata", "America/Bogota")][:3],
			[2] * 3,
		)
		self.assertEqual(CHANGES["Asia/Kolkata"], [])

	@settings(max_examples=60, deadline=None)
	@given(
		st.sampled_from([zone for zone in ZONES if CHANGES[zone]]),
		st.integers(0, 1),
		hours_of_a_day,
		st.sets(st.integers(0, 6), min_size=1),
	)
	@example("America/Santiago", 1, (0, 1439), set(range(7)))
	@example("America/Havana", 0, (0, 60), set(range(7)))
	@example("Europe/Madrid", 0, (150, 300), set(range(7)))
	@example("Europe/Madrid", 1, (90, 150), set(range(7)))
	@example("Australia/Lord_Howe", 1, (1320, 105), set(range(7)))
	def test_on_the_weekends_on_which_clocks_change(self, zone, which, ends, weekdays):
		"""Minute by minute, for two days round the change: what is open is open by the wall clock, and the other way round."""
		at = CHANGES[zone][which % len(CHANGES[zone])]
		hours = daily(*ends, weekdays)
		opened = windows.spans(Window((hours,), (zone,)), (at - timedelta(days=2)).date(), 6)
		self.assert_sorted(opened)
		for number in range(-24 * 60, 24 * 60, 7):
			moment = at + MINUTE * number
			says = any(span.start <= moment < span.until for span in opened)
			if is_twice(moment, zone):
				# An hour that comes twice may be over after the first time. It is never open when it should not be.
				self.assertTrue(not says or is_open(hours, moment, zone), (zone, moment))
			else:
				self.assertEqual(says, is_open(hours, moment, zone), (zone, moment, wall(moment, zone)))

	def assert_sorted(self, opened):
		for one, following in pairwise(opened):
			self.assertLess(one.until, following.start)
		for span in opened:
			self.assertLess(span.start, span.until)

	@settings(max_examples=60, deadline=None)
	@given(
		st.lists(st.sampled_from(ZONES), min_size=1, max_size=3, unique=True),
		st.datetimes(datetime(YEAR, 1, 1), datetime(YEAR, 12, 31)),
		st.lists(st.tuples(hours_of_a_day, st.sets(st.integers(0, 6), min_size=1)), min_size=1, max_size=2),
		st.sets(st.dates(date(YEAR, 1, 1), date(YEAR, 12, 31)), max_size=40),
	)
	def test_what_is_open_next_is_open_in_every_zone_by_every_rule(self, zones, moment, rules, closed):
		window = Window(tuple(daily(*ends, days, closed) for ends, days in rules), tuple(zones))
		span = windows.next_open(window, moment)
		if not span:
			return
		self.assertLess(moment, span.until)
		for at in (max(span.start, moment), span.until - timedelta(seconds=1)):
			for zone in zones:
				for hours in window.hours:
					self.assertTrue(is_open(hours, at, zone), (zone, at))
		# Nothing before it was open, an hour that comes twice aside.
		for number in range(1, 60):
			earlier = moment + (max(span.start, moment) - moment) * number / 60
			if earlier < span.start and not any(is_twice(earlier, zone) for zone in zones):
				self.assertFalse(all(is_open(h, earlier, z) for z in zones for h in window.hours), earlier)

	def test_over_midnight_the_hours_belong_to_the_day_on_which_they_begin(self):
		window = Window((daily(20 * 60, 2 * 60, [4]),), ("UTC",))
		friday = datetime(2026, 11, 27)
		self.assertEqual(
			windows.next_open(window, friday),
			Span(friday + timedelta(hours=20), friday + timedelta(hours=26)),
		)
		# At one on Saturday it still is Friday's.
		self.assertEqual(
			windows.next_open(window, friday + timedelta(hours=25)).start, friday + timedelta(hours=20)
		)

	def test_in_several_zones_it_is_open_in_all(self):
		window = Window((OFFICE,), ("America/New_York", "Pacific/Honolulu"))
		span = windows.next_open(window, datetime(2026, 1, 12))
		self.assertEqual(wall(span.start, "Pacific/Honolulu").time(), time(9))
		self.assertEqual(wall(span.until, "America/New_York").time(), time(18))

	def test_without_hours_it_is_always_open(self):
		moment = datetime(2026, 11, 27, 3)
		span = windows.next_open(Window((), ("Europe/Madrid",)), moment)
		self.assertTrue(span.start <= moment < span.until)

	def test_what_is_always_closed_opens_never(self):
		closed = Window((daily(540, 1080, [0]), daily(540, 1080, [1])), ("UTC",))
		self.assertIsNone(windows.next_open(closed, datetime(2026, 11, 27)))

	def test_the_last_hours_before_a_moment(self):
		window, monday = Window((OFFICE,), ("UTC",)), datetime(2026, 11, 30)
		friday = datetime(2026, 11, 27)
		found = windows.last_open(window, friday, monday)
		self.assertEqual(found, Span(friday.replace(hour=9), friday.replace(hour=18)))
		self.assertEqual(windows.last_open(window, friday.replace(hour=12), monday).start.hour, 12)
		self.assertIsNone(windows.last_open(window, friday.replace(hour=18), monday))

	def test_what_is_spread_is_spread_over_the_hours_and_each_has_its_moment(self):
		span = Span(datetime(2026, 11, 27, 9), datetime(2026, 11, 27, 18))
		night = datetime(2026, 11, 27, 1)
		moments = [windows.moment_in(span, night, f"key {number}") for number in range(1000)]
		self.assertEqual(moments, [windows.moment_in(span, night, f"key {number}") for number in range(1000)])
		self.assertTrue(all(span.start <= moment < span.until for moment in moments))
		by_hour = [sum(moment.hour == hour for moment in moments) for hour in range(9, 17)]
		self.assertTrue(all(80 < count < 170 for count in by_hour), by_hour)
		# Asked again at its moment, it goes.
		self.assertEqual(windows.moment_in(span, moments[0], "key 0"), moments[0])

	def test_without_a_key_it_leaves_as_soon_as_it_opens(self):
		span = Span(datetime(2026, 11, 27, 9), datetime(2026, 11, 27, 18))
		self.assertEqual(windows.moment_in(span, datetime(2026, 11, 27, 1)), span.start)
		self.assertEqual(windows.moment_in(span, datetime(2026, 11, 27, 12)), datetime(2026, 11, 27, 12))

	def test_at_the_ends_of_the_calendar(self):
		for zone in ZONES:
			window = Window((OFFICE,), (zone,))
			self.assertTrue(windows.next_open(window, datetime(1, 1, 1)))
			windows.next_open(window, datetime(9999, 12, 31, 23))
			windows.spans(window, date(9999, 12, 30))
			windows.last_open(window, datetime(1, 1, 1), datetime(1, 1, 3))
			windows.to_utc(datetime(1, 1, 1), zone)
			windows.to_utc(datetime(9999, 12, 31, 23, 59), zone)

	@given(st.sampled_from(ZONES), st.datetimes(datetime(YEAR, 1, 1), datetime(YEAR, 12, 31)))
	def test_there_and_back(self, zone, moment):
		moment = moment.replace(microsecond=0)
		self.assertEqual(windows.from_utc(moment, zone), wall(moment, zone))
		if not is_twice(moment, zone):
			self.assertEqual(windows.to_utc(windows.from_utc(moment, zone), zone), moment)

	def test_a_moment_that_the_clock_leaves_out_is_the_one_at_which_it_jumps(self):
		left_out = datetime(2025, 3, 30, 2, 30)
		self.assertEqual(windows.to_utc(left_out, "Europe/Madrid"), datetime(2025, 3, 30, 1))
