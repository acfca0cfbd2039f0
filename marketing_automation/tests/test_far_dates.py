"""Dates at the ends of the calendar, and days that make no date: nothing raises, and nothing is due that is not."""

import unittest
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import frappe
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from marketing_automation import api
from marketing_automation.desk import forecast, preview
from marketing_automation.engine.model import Rule
from marketing_automation.engine.schedule import (
	AFTER,
	BEFORE,
	MOST_DAYS,
	ON,
	Window,
	night_for_occurrence,
	occurrence_for_night,
	shifted,
	window,
)
from marketing_automation.engine.visibility import Visibility
from marketing_automation.marketing_automation.report.campaign_performance import campaign_performance
from marketing_automation.marketing_automation.report.expiring_pins import expiring_pins
from marketing_automation.sources import serial_no
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days

ANY_SPEED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
TYPES = st.sampled_from([BEFORE, ON, AFTER])
ANY_DATE = st.dates()
FIRST, LAST = date.min, date.max
LEAP_DAYS = st.sampled_from([date(year, 2, 29) for year in range(4, 9999, 4) if year % 100 or not year % 400])
MONTH_ENDS = st.builds(
	lambda year, month: date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1),
	st.integers(2, 9998),
	st.integers(1, 12),
)


class TestAnyDate(unittest.TestCase):
	@ANY_SPEED
	@given(TYPES, st.integers(0, 2147483647), ANY_DATE | LEAP_DAYS | MONTH_ENDS)
	@example(BEFORE, 30, LAST)
	@example(AFTER, 30, FIRST)
	@example(BEFORE, 20261231, date(2026, 1, 1))
	def test_an_expiry_is_due_on_one_night_or_on_none(self, trigger_type, days, day):
		for there, back in (
			(occurrence_for_night, night_for_occurrence),
			(night_for_occurrence, occurrence_for_night),
		):
			found = there(trigger_type, days, day)
			if found is None:
				self.assertNotEqual(trigger_type, ON)
				self.assertGreater(days, min((day - FIRST).days, (LAST - day).days))
			else:
				self.assertEqual(back(trigger_type, days, found), day)

	@ANY_SPEED
	@given(
		night=ANY_DATE,
		covered=st.none() | st.datetimes(),
		active=st.none() | st.datetimes(),
		limit=st.integers(0, 1_000_000),
		start=st.none() | ANY_DATE,
		end=st.none() | ANY_DATE,
	)
	@example(LAST, datetime.min, None, 365, None, None)
	@example(date(2026, 1, 1), None, datetime.min, 1_000_000, FIRST, LAST)
	@example(FIRST, datetime.max, datetime.max, 7, LAST, FIRST)
	def test_a_run_has_no_more_nights_than_ten_years_and_none_after_its_own(
		self, night, covered, active, limit, start, end
	):
		found = window(
			night,
			covered_until=covered and covered.date(),
			covered_at=covered,
			active_since=active,
			catch_up_nights=limit,
			start_date=start,
			end_date=end,
		)
		nights = found.nights()
		self.assertLessEqual(len(nights), MOST_DAYS + 1)
		self.assertEqual(bool(found), bool(nights))
		if nights:
			self.assertLessEqual(nights[-1], night)
			self.assertEqual(nights, sorted(set(nights)))

	def test_the_nights_of_all_time_are_no_list_of_millions(self):
		nights = Window(FIRST, LAST, FIRST).nights()
		self.assertEqual((len(nights), nights[-1]), (MOST_DAYS + 1, LAST))

	@ANY_SPEED
	@given(ANY_DATE, st.integers())
	def test_a_date_is_moved_or_there_is_none(self, day, days):
		found = shifted(day, days)
		inside = FIRST.toordinal() <= day.toordinal() + days <= LAST.toordinal()
		self.assertEqual(found is not None, inside)
		if found:
			self.assertEqual((found - day).days, days)

	@ANY_SPEED
	@given(
		st.sampled_from(
			["America/Bogota", "America/Santiago", "Europe/Madrid", "Pacific/Apia", "Asia/Tehran"]
		),
		st.dates(date(2000, 1, 1), date(2037, 1, 1)),
		st.integers(0, MOST_DAYS),
	)
	@example("Pacific/Apia", date(2011, 12, 31), 1)
	@example("America/Santiago", date(2026, 9, 6), 30)
	def test_days_are_counted_on_the_calendar_whatever_clocks_do(self, zone, day, days):
		# At one o'clock, when the run starts, and at midnight: some of these moments do not exist, or exist twice.
		for hour in (0, 1):
			moment = datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo(zone))
			occurrence = occurrence_for_night(BEFORE, days, moment.date())
			self.assertEqual((occurrence - day).days, days)


class TestFarPins(MarketingTestCase):
	"""Pins of the first and the last day that there is, as some write "never" or "unknown"."""

	def setUp(self):
		super().setUp()
		self.customer = factories.customer()
		# What others leave is reset from the year 1900 on.
		self.addCleanup(lambda: (factories.expire([self.first], None), frappe.db.commit()))
		self.first, self.last, self.due = factories.pins(self.customer, FIRST, LAST, in_days(30))
		self.campaign = factories.campaign(
			{"days_offset": 30},
			{"days_offset": MOST_DAYS},
			{"trigger_type": ON, "days_offset": 0},
			{"trigger_type": AFTER, "days_offset": 30},
			{
				"trigger_type": AFTER,
				"days_offset": MOST_DAYS,
				"filters": '[["Serial No", "name", "!=", "-"]]',
			},
		)

	def test_no_screen_raises_and_nothing_of_them_is_due(self):
		run = self.run_night()
		self.assertEqual((run.status, run.due), ("Completed", 1))
		coming = {
			pin: {
				str(step["due_on"])
				for step in api.why_reference("Serial No", pin)["steps"]
				if step["state"] == "Coming"
			}
			for pin in (self.first, self.last)
		}
		self.assertEqual(coming[self.first], set())
		# Before it and on it; after it there is no day.
		self.assertEqual(coming[self.last], {"9990-01-02", "9999-12-01", "9999-12-31"})
		api.why_customer(self.customer)
		self.assertEqual(api.forecast(self.campaign.name, 366)["broken"], [])
		rows = {
			row["reference_name"]
			for row in expiring_pins.execute({"from_date": LAST, "to_date": LAST, "show_all": 1})[1]
		}
		self.assertEqual(rows, {self.last})
		rows = {
			row["reference_name"]
			for row in expiring_pins.execute({"from_date": FIRST, "to_date": date(1, 2, 1), "show_all": 1})[1]
		}
		self.assertEqual(rows, {self.first})

	def test_each_of_their_days_can_be_looked_at(self):
		visible = Visibility()
		for day in (FIRST, date(1, 1, 31), date(2, 1, 1), date(9999, 12, 1), date(9999, 12, 2), LAST):
			with self.subTest(day):
				found = preview.of_day([self.campaign.name], day, visible)
				self.assertEqual(found["broken"], [])
				due = {(row["reference_name"], str(row["expiry_date"])) for row in found["rows"]}
				counted = forecast.of_campaigns([self.campaign.name], day, 1, visible)
				self.assertEqual(counted["broken"], [])
				self.assertEqual(
					counted["total"], found["counts"]["due"], "the forecast is the preview's sum"
				)
				expected = {
					FIRST: {(self.first, "0001-01-01")},
					date(1, 1, 31): {(self.first, "0001-01-01")},
					date(9999, 12, 1): {(self.last, "9999-12-31")},
					LAST: {(self.last, "9999-12-31")},
				}
				self.assertEqual(due, expected.get(day, set()))

	def test_the_days_that_can_be_asked_for(self):
		for day in ("9999-12-31", "0001-01-02", None, ""):
			self.assertEqual(api.preview(self.campaign.name, day)["broken"], [])
		for day in ("0001-01-01", "0000-00-00", "soon"):
			with self.subTest(day), self.refused(""):
				api.preview(self.campaign.name, day)

	def test_reports_of_any_period(self):
		for first, last in (
			(None, None),
			(FIRST, FIRST),
			(FIRST, date(1, 2, 1)),
			(LAST, LAST),
			("9999-12-20", "9999-12-31"),
			("0001-01-02", "0001-02-01"),
		):
			for report in (expiring_pins, campaign_performance):
				with self.subTest(report.__name__, first=first, last=last):
					report.execute({"from_date": first, "to_date": last})
		self.assertEqual(
			[
				row["reference_name"]
				for row in expiring_pins.execute({"from_date": "9999-12-20", "show_all": 1})[1]
			],
			[self.last],
		)
		for last in ("9999-12-31", "0001-01-02"):
			campaign_performance.execute({"to_date": last})
		with self.refused("no date to look at"):
			expiring_pins.execute({"from_date": "0001-01-01"})

	def test_a_mail_about_them_reads_as_on_its_day_or_today(self):
		for action in frappe.get_all("Lifecycle Action", {"campaign": self.campaign.name}, pluck="name"):
			for pin in (self.first, self.last):
				self.assertTrue(api.mail(action, pin)["subject"])

	def test_pins_without_a_date_are_not_taken_for_today_s(self):
		mute = factories.pin(self.customer, None)
		rule = Rule(
			self.campaign.as_dict(), frappe.get_doc("Lifecycle Trigger", {"days_offset": 0}).as_dict(), ()
		)
		found = serial_no.SOURCE.counts([(rule, Window(FIRST, LAST, FIRST))], Visibility())
		self.assertEqual(sum(found.values()), 3)
		rule.trigger.filters = '[["Serial No", "name", "!=", "-"]]'
		self.assertEqual(serial_no.SOURCE.counts([(rule, Window(FIRST, LAST, FIRST))], Visibility()), found)
		self.assertEqual(serial_no.SOURCE.about([rule], [mute]), [])
		self.run_night()
		self.assertEqual(self.ledger(reference_name=mute), [])


class TestTheLimitOfDays(MarketingTestCase):
	def test_a_trigger_has_0_to_3650_days(self):
		campaign = factories.campaign(active=False)
		for days in (0, 1, MOST_DAYS):
			self.assertEqual(factories.trigger(campaign.name, days_offset=days).days_offset, days)
		for days in (MOST_DAYS + 1, 20261231, 3000000, 2**31 - 1, 2**40):
			with self.subTest(days), self.refused("0 to 3650", str(days)):
				factories.trigger(campaign.name, days_offset=days)
		for days in (-1, -3650):
			with self.subTest(days), self.refused("cannot be negative"):
				factories.trigger(campaign.name, days_offset=days)
		with self.refused("0 to 3650"):
			factories.trigger(campaign.name, days_offset=-3000000)

	def test_an_import_is_held_to_it_too(self):
		frappe.flags.in_import = True
		try:
			with self.refused("0 to 3650"):
				factories.trigger(factories.campaign(active=False).name, days_offset=20261231)
		finally:
			frappe.flags.in_import = False

	def test_so_is_a_recipe(self):
		for days in ("30, 20261231", "3000000", "3651", "9" * 40):
			with self.subTest(days), self.refused("0 to 3650"):
				api.make_from_recipe("subscription_renewal", factories.unique("Test"), days, "en")
		self.assertFalse(frappe.db.exists("Lifecycle Trigger", {"days_offset": [">", MOST_DAYS]}))
