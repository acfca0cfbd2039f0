"""The night on which an expiry is due is plain date arithmetic: months, leap days and clocks cannot move it."""

import unittest
from datetime import date, datetime, time, timedelta

import frappe
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from marketing_automation.engine.model import Rule
from marketing_automation.engine.schedule import (
	AFTER,
	BEFORE,
	ON,
	Window,
	night_for_occurrence,
	occurrence_for_night,
	window,
)

DAYS = st.dates(min_value=date(2000, 1, 1), max_value=date(2100, 1, 1))
# A machine that is busy with something else is no failure.
ANY_SPEED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
OFFSETS = st.integers(min_value=0, max_value=3650)


def days(first: str, last: str, catch_up_from: str) -> Window:
	return Window(date.fromisoformat(first), date.fromisoformat(last), date.fromisoformat(catch_up_from))


def run_on(night: str, **given) -> Window:
	facts = {"covered_until": None, "covered_at": None, "active_since": None, "catch_up_nights": 7} | given
	return window(date.fromisoformat(night), **facts)


class TestTheNightOfAnExpiry(unittest.TestCase):
	def test_before_on_and_after_count_calendar_days(self):
		night = date(2026, 6, 15)
		self.assertEqual(occurrence_for_night(BEFORE, 30, night), date(2026, 7, 15))
		self.assertEqual(occurrence_for_night(ON, 0, night), night)
		self.assertEqual(occurrence_for_night(AFTER, 7, night), date(2026, 6, 8))

	def test_month_ends_and_leap_days(self):
		for trigger_type, offset, night, expiry in (
			(BEFORE, 30, "2024-01-30", "2024-02-29"),
			(BEFORE, 30, "2023-01-30", "2023-03-01"),
			(BEFORE, 1, "2024-02-28", "2024-02-29"),
			(BEFORE, 1, "2023-02-28", "2023-03-01"),
			(BEFORE, 365, "2023-03-01", "2024-02-29"),
			(AFTER, 1, "2024-03-01", "2024-02-29"),
			(AFTER, 31, "2026-03-31", "2026-02-28"),
			(BEFORE, 30, "2025-12-02", "2026-01-01"),
		):
			with self.subTest(f"{offset} days {trigger_type} on {night}"):
				found = occurrence_for_night(trigger_type, offset, date.fromisoformat(night))
				self.assertEqual(found, date.fromisoformat(expiry))

	@settings(ANY_SPEED)
	@given(st.sampled_from([BEFORE, AFTER]), OFFSETS, DAYS)
	def test_each_expiry_is_due_on_exactly_one_night(self, trigger_type, offset, expiry):
		night = night_for_occurrence(trigger_type, offset, expiry)
		self.assertEqual(abs((expiry - night).days), offset)
		self.assertEqual(occurrence_for_night(trigger_type, offset, night), expiry)
		self.assertNotEqual(occurrence_for_night(trigger_type, offset, night + timedelta(days=1)), expiry)


class TestTheDatesOfACampaign(unittest.TestCase):
	def test_the_first_and_the_last_day_are_days_on_which_it_sends(self):
		first, last = date(2026, 3, 8), date(2026, 3, 9)
		for start, end, nights in (
			(first, last, [8, 9]),
			(first, None, [8, 9, 10]),
			(None, last, [7, 8, 9]),
			(None, None, [7, 8, 9, 10]),
		):
			rule = Rule(frappe._dict(start_date=start, end_date=end), frappe._dict(), ())
			with self.subTest(start=start, end=end):
				self.assertEqual([n for n in range(7, 11) if rule.sends_on(date(2026, 3, n))], nights)


class TestTheNightsOfARun(unittest.TestCase):
	def test_the_first_run_takes_its_own_night(self):
		self.assertEqual(run_on("2026-03-10"), days("2026-03-10", "2026-03-10", "2026-03-03"))

	def test_missed_nights_are_caught_up_and_the_last_is_taken_once_more(self):
		found = run_on("2026-03-10", covered_until=date(2026, 3, 7), covered_at=datetime(2026, 3, 7, 1))
		self.assertEqual(found, days("2026-03-07", "2026-03-10", "2026-03-03"))

	def test_a_second_run_takes_the_same_night_again(self):
		found = run_on("2026-03-10", covered_until=date(2026, 3, 10), covered_at=datetime(2026, 3, 10, 1))
		self.assertEqual(found.nights(), [date(2026, 3, 10)])

	def test_what_fell_due_before_the_campaign_was_active_is_not_made_up_for(self):
		found = run_on(
			"2026-03-10",
			covered_until=date(2026, 3, 4),
			covered_at=datetime(2026, 3, 4, 1),
			active_since=datetime(2026, 3, 9, 15),
		)
		self.assertEqual(found.nights(), [date(2026, 3, 9), date(2026, 3, 10)])

	def test_the_day_of_activation_counts_although_its_run_had_passed(self):
		found = run_on(
			"2026-03-10",
			covered_until=date(2026, 3, 9),
			covered_at=datetime(2026, 3, 9, 1),
			active_since=datetime(2026, 3, 9, 15),
		)
		self.assertEqual(found.nights(), [date(2026, 3, 9), date(2026, 3, 10)])

	def test_start_and_end_of_the_campaign_bound_it(self):
		covered = {"covered_until": date(2026, 3, 5), "covered_at": datetime(2026, 3, 5, 1)}
		found = run_on("2026-03-10", **covered, start_date=date(2026, 3, 8), end_date=date(2026, 3, 9))
		self.assertEqual(found.nights(), [date(2026, 3, 8), date(2026, 3, 9)])
		self.assertEqual(run_on("2026-03-10", **covered, start_date=date(2026, 3, 11)).nights(), [])

	@settings(ANY_SPEED)
	@given(DAYS, st.integers(0, 400), st.integers(0, 60))
	def test_a_run_takes_every_night_since_the_last_however_many_were_missed(self, first, gap, limit):
		later = first + timedelta(days=gap)
		found = window(
			later,
			covered_until=first,
			covered_at=datetime(1999, 1, 1),
			active_since=None,
			catch_up_nights=limit,
		)
		self.assertEqual(found.nights(), [first + timedelta(days=n) for n in range(gap + 1)])
		self.assertEqual(found.catch_up_from, later - timedelta(days=limit))


OK, ONE_CAMPAIGN, CRASHED = "a run of all", "a run of this campaign", "a run that crashed half way"
SWITCH = "the campaign is switched off or on"
DAY = timedelta(days=1)
FIRST = date(2028, 2, 1)


@st.composite
def histories(draw):
	"""Draw what happened in a row of days: for each the events (time of day, what), in their order."""
	happenings = st.sampled_from([OK, OK, ONE_CAMPAIGN, CRASHED, SWITCH])
	return draw(st.lists(st.lists(happenings, max_size=3), min_size=1, max_size=45))


class TestAnyHistory(unittest.TestCase):
	"""Whatever nights ran, crashed or were missed: what is due is sent on the first run that can, and once."""

	@settings(ANY_SPEED, max_examples=300)
	@given(
		trigger_type=st.sampled_from([BEFORE, ON, AFTER]),
		offset=st.integers(0, 12),
		expiries=st.lists(st.tuples(st.integers(-15, 60), st.integers(0, 4)), min_size=1, max_size=8),
		history=histories(),
		limit=st.integers(0, 8),
		bounds=st.tuples(st.none() | st.integers(0, 40), st.none() | st.integers(0, 40)),
	)
	@example(
		BEFORE,
		3,
		[(5, 0), (6, 0), (7, 0), (8, 0)],
		[[SWITCH, OK], [], [], [CRASHED], [OK], [OK]],
		2,
		(None, None),
	)
	@example(AFTER, 0, [(1, 0)], [[OK], [SWITCH], [OK]], 0, (None, None))
	@example(BEFORE, 30, [(30, 2)], [[SWITCH, OK], [OK]], 7, (None, None))
	def test_each_pin_is_told_exactly_once_if_it_should_be(
		self, trigger_type, offset, expiries, history, limit, bounds
	):
		offset = 0 if trigger_type == ON else offset
		pins = []
		for days_ahead, hour in expiries:
			expiry = FIRST + DAY * days_ahead
			# On the day that its message is due, before or after its runs.
			got_its_date = datetime.combine(
				night_for_occurrence(trigger_type, offset, expiry), time(hour, 30)
			)
			pins.append((expiry, got_its_date))
		start, end = (FIRST + DAY * days if days is not None else None for days in bounds)
		ledger, told, should = {}, [], {}
		covered = {}
		active_since = None
		for number, happenings in enumerate(history):
			today = FIRST + DAY * number
			for hour, what in enumerate(happenings, start=1):
				now = datetime(today.year, today.month, today.day, hour)
				if what == SWITCH:
					active_since = None if active_since else now
					continue
				if active_since:
					until, at = max(covered.values(), default=(None, None))
					found = window(
						today,
						covered_until=until,
						covered_at=at,
						active_since=active_since,
						catch_up_nights=limit,
						start_date=start,
						end_date=end,
					)
					due = {
						occurrence_for_night(trigger_type, offset, night): night < found.catch_up_from
						for night in found.nights()
					}
					for pin, (expiry, got_its_date) in enumerate(pins):
						if now < got_its_date or (what == CRASHED and pin % 2):
							continue
						self.expect(
							should, pin, trigger_type, offset, expiry, today, active_since, limit, start, end
						)
						if expiry in due and pin not in ledger:
							expired = trigger_type == BEFORE and expiry < today
							ledger[pin] = not due[expiry] and not expired
							told += [pin] if ledger[pin] else []
				if what != CRASHED:
					covered[what] = (today, now)
		self.assertEqual(ledger, should)
		self.assertEqual(sorted(told), sorted(pin for pin, is_told in should.items() if is_told))

	@staticmethod
	def expect(should, pin, trigger_type, offset, expiry, today, active_since, limit, start, end):
		"""Write into `should` what the first run on or after the pin's night owes it: True to tell, False a reason.

		Said without windows: the night has come, the campaign was on by then, and its own dates hold it.
		"""
		night = night_for_occurrence(trigger_type, offset, expiry)
		if pin in should or not active_since.date() <= night <= today:
			return
		if (start and night < start) or (end and night > end):
			return
		should[pin] = (today - night).days <= limit and not (trigger_type == BEFORE and expiry < today)
