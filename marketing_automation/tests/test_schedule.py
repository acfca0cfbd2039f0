"""The night on which an expiry is due is plain date arithmetic: months, leap days and clocks cannot move it."""

import unittest
from datetime import date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

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

	@given(st.sampled_from([BEFORE, AFTER]), OFFSETS, DAYS)
	def test_each_expiry_is_due_on_exactly_one_night(self, trigger_type, offset, expiry):
		night = night_for_occurrence(trigger_type, offset, expiry)
		self.assertEqual(abs((expiry - night).days), offset)
		self.assertEqual(occurrence_for_night(trigger_type, offset, night), expiry)
		self.assertNotEqual(occurrence_for_night(trigger_type, offset, night + timedelta(days=1)), expiry)


class TestTheNightsOfARun(unittest.TestCase):
	def test_the_first_run_takes_its_own_night(self):
		self.assertEqual(run_on("2026-03-10"), days("2026-03-10", "2026-03-10", "2026-03-03"))

	def test_missed_nights_are_caught_up(self):
		found = run_on("2026-03-10", covered_until=date(2026, 3, 7), covered_at=datetime(2026, 3, 7, 1))
		self.assertEqual(found, days("2026-03-08", "2026-03-10", "2026-03-03"))

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

	@given(DAYS, st.integers(0, 400), st.integers(0, 60))
	def test_a_daily_run_takes_every_night_once_however_many_were_missed(self, first, gap, limit):
		later = first + timedelta(days=gap)
		found = window(
			later,
			covered_until=first - timedelta(days=1),
			covered_at=datetime(1999, 1, 1),
			active_since=None,
			catch_up_nights=limit,
		)
		self.assertEqual(found.nights(), [first + timedelta(days=n) for n in range(gap + 1)])
		self.assertEqual(found.catch_up_from, later - timedelta(days=limit))
