"""Messages leave in the hours of the shop and of the law, by the customer's clock; what would come too late leaves earlier."""

from datetime import date, datetime, timedelta
from unittest.mock import patch

import frappe
from frappe.utils import getdate
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing_automation.checks import window
from marketing_automation.checks.window import CHECK
from marketing_automation.desk import health, insight, preview
from marketing_automation.engine import advance, plan, profiles, rules
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.engine.visibility import Visibility
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, statements

# A Friday; nothing is closed on it, nor on the Thursday before it.
FRIDAY = date(2026, 11, 27)
THURSDAY, SATURDAY, SUNDAY, MONDAY = (FRIDAY + timedelta(days=days) for days in (-1, 1, 2, 3))
USUAL = "As in the settings"
LISTS = ("Test Holidays", "Test Week")


class WindowTestCase(MarketingTestCase):
	"""A shop in Berlin, whose customers are where their address says, and else in Germany."""

	def setUp(self):
		super().setUp()
		self.live_in("Europe/Berlin")
		self.forget_lists()
		frappe.db.set_value(
			"Company", factories.company(), {"country": "Germany", "default_holiday_list": None}
		)
		frappe.db.commit()
		self.addCleanup(self._put_back, frappe.db.get_value("Company", factories.company(), "country"))

	def _put_back(self, _country):
		frappe.db.rollback()
		self.forget_lists()
		frappe.db.set_value(
			"Company", factories.company(), {"country": "Colombia", "default_holiday_list": None}
		)
		frappe.db.delete("Lifecycle Country Profile")
		frappe.db.commit()

	def forget_lists(self):
		for name in LISTS:
			frappe.db.delete("Holiday", {"parent": name})
			frappe.db.delete("Holiday List", {"name": name})

	def holiday_list(self, name: str, *days: date, weekly: tuple[date, ...] = ()) -> str:
		rows = [{"holiday_date": day, "description": "Test"} for day in days]
		rows += [{"holiday_date": day, "description": "Test", "weekly_off": 1} for day in weekly]
		factories.make(
			"Holiday List",
			holiday_list_name=name,
			from_date="2026-01-01",
			to_date="2027-12-31",
			holidays=rows,
		)
		return name

	def customer_in(self, country: str | None = None) -> str:
		customer = factories.customer()
		if country:
			factories.make(
				"Address",
				address_title=customer,
				address_type="Billing",
				address_line1="Test",
				city="Test",
				country=country,
				links=[{"link_doctype": "Customer", "link_name": customer}],
			)
		return customer

	def told_before(self, days: int, expires: date, customer: str | None = None, **campaign) -> str:
		"""Return the pin of a customer of a campaign that writes so many days before it expires."""
		customer = customer or self.customer_in()
		pin = factories.pin(customer, expires, posting_date=THURSDAY - timedelta(days=60))
		factories.campaign(
			{"trigger_type": "Before", "days_offset": days}, **{"send_window": USUAL, **campaign}
		)
		return pin

	def only(self):
		(row,) = self.ledger()
		return row

	def due_at(
		self, night: str, days: int, expires: date, country: str | None = None, **campaign
	) -> datetime | None:
		"""Return until when the message of a night waits."""
		with self.at(f"{night} 01:00:00"):
			self.told_before(days, expires, self.customer_in(country), **campaign)
			self.run_night()
			return self.only().due_at


class TestHours(WindowTestCase):
	def test_what_is_due_at_night_leaves_in_the_morning(self):
		with self.at("2026-11-27 01:00:00"):
			self.told_before(30, FRIDAY + timedelta(days=30))
			self.run_night()
			row = self.only()
			self.assertEqual((row.status, row.reason), ("Waiting", "Outside send window"))
			self.assertEqual(row.due_at, datetime(2026, 11, 27, 9))
			self.assertEqual(self.mails(), [])
			advance.advance()
			self.assertEqual(self.only().status, "Waiting")
		with self.at("2026-11-27 09:00:01"):
			advance.advance()
			self.assertEqual(self.only().status, "Queued")
			self.assertEqual(len(self.mails()), 1)

	def test_within_the_hours_it_leaves_at_once(self):
		with self.at("2026-11-27 10:30:00"):
			self.told_before(30, FRIDAY + timedelta(days=30))
			self.run_night()
			self.assertEqual(self.only().status, "Queued")

	def test_what_a_missed_tick_leaves_over_waits_for_the_next_morning(self):
		with self.at("2026-11-26 01:00:00"):
			self.told_before(30, THURSDAY + timedelta(days=30))
			self.run_night()
		with self.at("2026-11-26 18:00:01"):
			advance.advance()
			row = self.only()
			self.assertEqual((row.status, row.due_at), ("Waiting", datetime(2026, 11, 27, 9)))
		with self.at("2026-11-27 12:00:00"):
			advance.advance()
			self.assertEqual(self.only().status, "Queued")

	def test_on_a_saturday_it_waits_for_monday(self):
		self.assertEqual(
			self.due_at("2026-11-28", 30, SATURDAY + timedelta(days=30)), datetime(2026, 11, 30, 9)
		)

	def test_hours_of_the_settings(self):
		frappe.get_single(SETTINGS).update(
			{"send_from": "10:00:00", "send_until": "11:00:00", "send_on": "Every day"}
		).save()
		self.assertEqual(
			self.due_at("2026-11-28", 30, SATURDAY + timedelta(days=30)), datetime(2026, 11, 28, 10)
		)

	def test_hours_of_the_campaign(self):
		own = {
			"send_window": "Own hours",
			"send_from": "20:00:00",
			"send_until": "02:00:00",
			"send_on": "Working days",
		}
		# At one on Saturday it still is Friday's evening.
		self.assertIsNone(self.due_at("2026-11-28", 30, SATURDAY + timedelta(days=30), **own))
		self.assertEqual(self.only().status, "Queued")

	def test_any_time_is_at_once_for_what_offers_nothing(self):
		self.assertIsNone(
			self.due_at("2026-11-28", 30, SATURDAY + timedelta(days=30), send_window="Any time")
		)
		self.assertEqual(self.only().status, "Queued")

	def test_any_time_is_not_the_laws_word(self):
		"""Colombia allows Saturdays from 8 to 15; Bogota is six hours behind Berlin."""
		self.assertEqual(
			self.due_at(
				"2026-11-28",
				30,
				SATURDAY + timedelta(days=30),
				"Colombia",
				send_window="Any time",
				purpose="Marketing",
			),
			datetime(2026, 11, 28, 14),
		)

	def test_refused_hours(self):
		for hours in ({}, {"send_from": "09:00:00"}, {"send_from": "09:00:00", "send_until": "09:00:00"}):
			doc = {
				"doctype": "Lifecycle Campaign",
				"campaign_name": factories.unique("Test"),
				"send_window": "Own hours",
			}
			with self.refused("Send From"):
				frappe.get_doc({**doc, **hours}).insert()


class TestClocks(WindowTestCase):
	def test_by_the_customers_clock(self):
		for country, clock in (
			("Colombia", "15:00"),
			("India", "04:30"),
			("Spain", "10:00"),
			(None, "09:00"),
		):
			# Nine in Bogota, in Kolkata and, where it is ten in Madrid, on the Canaries.
			with self.subTest(country):
				self._reset()
				found = self.due_at("2026-11-27", 30, FRIDAY + timedelta(days=30), country)
				self.assertEqual(f"{found:%H:%M}", clock)

	def test_where_zones_are_too_far_apart_the_capitals_counts(self):
		"""Nine in Moscow is seven in Berlin; nine in Toronto is three in the afternoon."""
		narrow = {"send_window": "Own hours", "send_from": "09:00:00", "send_until": "11:00:00"}
		for country, hour, campaign in (("Russian Federation", 7, {}), ("Canada", 15, narrow)):
			with self.subTest(country):
				self._reset()
				found = self.due_at("2026-11-27", 30, FRIDAY + timedelta(days=30), country, **campaign)
				self.assertEqual(found, datetime(2026, 11, 27, hour))

	def test_the_hours_of_the_law_hold_in_all_zones_all_the_same(self):
		"""Where nothing is known of the law it begins at seven: in Vancouver that is ten in Toronto, and four in the
		afternoon in Berlin."""
		factories.make(profiles.DOCTYPE, country="Canada", existing_customer="Any sale")
		narrow = {"send_window": "Own hours", "send_from": "09:00:00", "send_until": "11:00:00"}
		day = FRIDAY + timedelta(days=30)
		found = self.due_at("2026-11-27", 30, day, "Canada", purpose="Marketing", **narrow)
		self.assertEqual(found, datetime(2026, 11, 27, 16))
		self._reset()
		early = {**narrow, "send_until": "10:00:00"}
		self.assertIsNone(self.due_at("2026-11-27", 30, day, "Canada", purpose="Marketing", **early))
		row = self.only()
		self.assertEqual((row.status, row.reason), ("Skipped", "Outside send window"))

	def test_the_bar_says_where_the_laws_hours_never_meet_the_shops(self):
		frappe.db.set_value("Company", factories.company(), "country", "Canada")
		names = [
			factories.campaign(
				purpose="Marketing",
				company=factories.company(),
				send_window="Own hours",
				send_from="09:00:00",
				send_until=until,
			).name
			for until in ("10:00:00", "11:00:00")
		]
		campaigns = frappe.get_all("Lifecycle Campaign", {"name": ["in", names]}, [*window.FIELDS])
		self.assertEqual(window.never_open(campaigns), {names[0]: "Canada"})

	def test_that_nobody_knows_is_the_sites(self):
		frappe.db.set_value("Company", factories.company(), "country", None)
		with (
			patch.object(profiles, "_of_companies", lambda _companies: {}),
			patch.object(profiles, "_of_site", lambda: profiles.NOWHERE),
		):
			self.assertEqual(
				self.due_at("2026-11-27", 30, FRIDAY + timedelta(days=30)), datetime(2026, 11, 27, 9)
			)

	def test_on_the_day_on_which_the_clocks_change(self):
		"""On Monday after the change in Germany it is nine in Bogota at three in Berlin, an hour earlier than before."""
		self.assertEqual(
			self.due_at("2026-10-23", 30, date(2026, 10, 23) + timedelta(days=30), "Colombia"),
			datetime(2026, 10, 23, 16),
		)
		self._reset()
		self.assertEqual(
			self.due_at("2026-10-26", 30, date(2026, 10, 26) + timedelta(days=30), "Colombia"),
			datetime(2026, 10, 26, 15),
		)


class TestHolidays(WindowTestCase):
	def test_of_the_campaign(self):
		of = self.holiday_list("Test Holidays", FRIDAY, MONDAY)
		self.assertEqual(
			self.due_at("2026-11-27", 30, FRIDAY + timedelta(days=30), holiday_list=of),
			datetime(2026, 12, 1, 9),
		)

	def test_of_the_campaign_on_every_day_as_well(self):
		"""Its weekends are days as all others, its holidays are not; those of the company's list are."""
		frappe.get_single(SETTINGS).update({"send_on": "Every day"}).save()
		of = self.holiday_list("Test Holidays", FRIDAY, weekly=(SATURDAY,))
		self.assertEqual(
			self.due_at("2026-11-27", 30, FRIDAY + timedelta(days=30), holiday_list=of),
			datetime(2026, 11, 28, 9),
		)
		self._reset()
		frappe.get_single(SETTINGS).update({"send_on": "Every day"}).save()
		frappe.db.set_value("Company", factories.company(), "default_holiday_list", of)
		self.assertEqual(
			self.due_at("2026-11-27", 30, FRIDAY + timedelta(days=30)), datetime(2026, 11, 27, 9)
		)

	def test_of_the_company(self):
		of = self.holiday_list("Test Holidays", FRIDAY)
		frappe.db.set_value("Company", factories.company(), "default_holiday_list", of)
		self.assertEqual(
			self.due_at("2026-11-27", 30, FRIDAY + timedelta(days=30)), datetime(2026, 11, 30, 9)
		)

	def test_its_weekly_days_are_the_weekend(self):
		of = self.holiday_list("Test Week", weekly=(FRIDAY, SATURDAY))
		self.assertEqual(
			self.due_at("2026-11-27", 30, FRIDAY + timedelta(days=30), holiday_list=of),
			datetime(2026, 11, 29, 9),
		)

	def test_public_holidays_of_a_country_whose_law_says_so(self):
		"""8 December is a holiday in Colombia and in Spain, whose law says nothing of it."""
		day = date(2026, 12, 8)
		found = self.due_at("2026-12-08", 30, day + timedelta(days=30), "Colombia", purpose="Marketing")
		self.assertEqual(found, datetime(2026, 12, 9, 15))
		self._reset()
		found = self.due_at("2026-12-08", 30, day + timedelta(days=30), "Spain", purpose="Marketing")
		self.assertEqual(found.date(), day)


class TestBeforeADate(WindowTestCase):
	def nights(self, first: date, count: int, missed: tuple[int, ...] = (), after: str = "10:00:00"):
		"""Run so many nights and the morning after each, without those that are missed."""
		for number in range(count):
			if number in missed:
				continue
			day = first + timedelta(days=number)
			with self.at(f"{day} 01:00:00"):
				self.run_night()
			for clock in (after, "17:30:00"):
				with self.at(f"{day} {clock}"):
					advance.advance()

	def test_one_day_before_a_sunday_it_goes_on_friday(self):
		with self.at("2026-11-26 00:30:00"):
			pin = self.told_before(1, SUNDAY)
		self.nights(THURSDAY, 1)
		self.assertEqual(self.ledger(), [])
		self.nights(FRIDAY, 4)
		row = self.only()
		self.assertEqual((row.reference_name, row.status, row.due_on), (pin, "Queued", FRIDAY))
		self.assertEqual(len(self.mails()), 1)

	def test_where_it_opens_on_the_date_itself_it_goes_then(self):
		with self.at("2026-11-26 00:30:00"):
			self.told_before(1, MONDAY)
		self.nights(THURSDAY, 5)
		row = self.only()
		self.assertEqual((row.status, row.due_on, row.due_at), ("Queued", SUNDAY, datetime(2026, 11, 30, 9)))

	def test_in_the_hours_of_the_day_before_it_is_closed(self):
		with self.at("2026-11-27 01:00:00"):
			self.told_before(0, SATURDAY)
			self.run_night()
			row = self.only()
		self.assertEqual((row.status, row.due_at), ("Waiting", datetime(2026, 11, 27, 9)))

	def test_too_late_for_it_the_log_says_why(self):
		with self.at("2026-11-27 19:00:00"):
			self.told_before(1, SUNDAY)
			self.run_night()
		self.assertEqual(self.ledger(), [])
		self.nights(SATURDAY, 3)
		row = self.only()
		self.assertEqual((row.status, row.reason), ("Skipped", "Outside send window"))

	def test_what_cannot_go_anyway_is_left_to_its_own_night(self):
		with self.at("2026-11-26 00:30:00"):
			self.told_before(1, SUNDAY, factories.customer(email=None))
		self.nights(FRIDAY, 1)
		self.assertEqual(self.ledger(), [])
		self.nights(SATURDAY, 1)
		self.assertEqual((self.only().status, self.only().due_on), ("Skipped", SATURDAY))

	def test_a_campaign_that_begins_on_that_day_is_not_early(self):
		with self.at("2026-11-26 00:30:00"):
			self.told_before(1, SUNDAY, start_date=SATURDAY)
		self.nights(FRIDAY, 1)
		self.assertEqual(self.ledger(), [])

	def test_by_a_holiday_of_the_customers_country(self):
		"""8 December is a Tuesday: a message for the day itself goes on Monday to Colombia, and on its day to Germany."""
		day = date(2026, 12, 8)
		there, here = self.customer_in("Colombia"), self.customer_in("Germany")
		with self.at("2026-12-04 00:30:00"):
			for customer in (there, here):
				factories.pin(customer, day, posting_date=date(2026, 10, 1))
			factories.campaign(
				{"trigger_type": "Before", "days_offset": 0}, send_window=USUAL, purpose="Marketing"
			)
		self.nights(date(2026, 12, 4), 6, after="16:00:00")
		on = {row.customer: (row.due_on, row.status) for row in self.ledger()}
		self.assertEqual(on, {there: (date(2026, 12, 7), "Queued"), here: (day, "Queued")})

	def test_a_preview_of_that_day_says_that_it_goes_before(self):
		with self.at("2026-11-26 10:00:00"):
			self.told_before(1, SUNDAY)
			(campaign,) = frappe.get_all("Lifecycle Campaign", pluck="name")
			found = preview.of_day([campaign], SATURDAY, Visibility())
			(row,) = found["rows"]
		self.assertEqual((row["outcome"], getdate(row["due_at"])), ("send", FRIDAY))

	def test_the_preview_of_the_run_has_it_too(self):
		with self.at("2026-11-27 00:30:00"):
			pin = self.told_before(1, SUNDAY)
			frappe.db.commit()
			(row,) = preview.of_run(None, Visibility())["rows"]
		self.assertEqual((row["reference_name"], row["outcome"]), (pin, "send"))

	def test_why_says_that_it_goes_before_its_day(self):
		with self.at("2026-11-26 10:00:00"):
			customer = self.customer_in()
			self.told_before(1, SUNDAY, customer)
			campaigns = frappe.get_all("Lifecycle Campaign", pluck="name")
			(step,) = insight.why_customer(customer, campaigns, Visibility())["coming"]
		self.assertIn("already", step["why"])

	def test_the_bar_names_hours_that_never_meet_the_laws(self):
		own = {"send_window": "Own hours", "send_from": "20:00:00", "send_until": "22:00:00"}
		frappe.db.set_value("Company", factories.company(), "country", "Colombia")
		campaign = factories.campaign(**own, purpose="Marketing")
		self.assertIn("never meet", " ".join(problem["text"] for problem in health.problems([campaign])))
		campaign = factories.campaign(**own)
		self.assertNotIn("never meet", " ".join(problem["text"] for problem in health.problems([campaign])))

	def test_on_other_days_nobody_looks_ahead(self):
		with self.at("2026-11-25 01:00:00"):
			self.told_before(1, SUNDAY)
			self.assertEqual(CHECK.nights_ahead(rules.load(), date(2026, 11, 25)), {})
			self.assertEqual(list(CHECK.nights_ahead(rules.load(), FRIDAY).values()), [SATURDAY])
			# Thirty days before, nothing is closed for so long.
			frappe.db.set_value("Lifecycle Trigger", {"name": ["is", "set"]}, "days_offset", 30)
			self.assertEqual(CHECK.nights_ahead(rules.load(), FRIDAY), {})


class TestNothingIsLostOrTwice(WindowTestCase):
	@settings(max_examples=12, deadline=None)
	@given(
		days=st.integers(0, 3),
		expires=st.integers(0, 9),
		closed=st.sets(st.integers(0, 11), max_size=5),
		missed=st.sets(st.integers(0, 11), max_size=3),
		hours=st.sampled_from([("09:00:00", "18:00:00"), ("22:00:00", "03:00:00"), ("12:00:00", "12:30:00")]),
		country=st.sampled_from([None, "Colombia", "India"]),
	)
	def test_with_any_window_closed_days_and_missed_nights(
		self, days, expires, closed, missed, hours, country
	):
		"""Each event has one row in the end, and one mail unless the row says why not; none later than its date."""
		self._reset()
		self.forget_lists()
		first = date(2026, 11, 23)
		of = self.holiday_list(
			"Test Holidays", *(first + timedelta(days=number) for number in sorted(closed))
		)
		occurrence = first + timedelta(days=4 + expires)
		with self.at(f"{first - timedelta(days=1)} 12:00:00"):
			self.told_before(
				days,
				occurrence,
				self.customer_in(country),
				send_window="Own hours",
				send_from=hours[0],
				send_until=hours[1],
				send_on="Working days",
				holiday_list=of,
			)
		sent = {}
		for number in range(17):
			day = first + timedelta(days=number)
			if number not in missed:
				with self.at(f"{day} 01:00:00"):
					self.run_night()
			for clock in ("02:00:00", "06:00:00", "09:30:00", "12:15:00", "18:15:00", "22:30:00"):
				with self.at(f"{day} {clock}"):
					advance.advance()
				for mail in self.mails():
					sent.setdefault(mail.name, day)
		row = self.only()
		self.assertIn(row.status, ("Queued", "Skipped"))
		self.assertEqual(len(sent), int(row.status == "Queued"))
		for day in sent.values():
			self.assertLessEqual(day, occurrence)
		if row.status == "Skipped":
			self.assertIn(row.reason, ("Outside send window", "Date passed"))
		if not missed and not closed and hours[0] == "09:00:00":
			self.assertEqual(row.status, "Queued")


class TestSpread(WindowTestCase):
	def test_with_a_throttle_messages_are_spread_over_the_hours(self):
		frappe.get_single(SETTINGS).update({"mails_per_minute": 10}).save()
		with self.at("2026-11-27 01:00:00"):
			for _number in range(12):
				factories.pin(self.customer_in(), FRIDAY + timedelta(days=30))
			factories.campaign(send_window=USUAL)
			self.run_night()
			moments = sorted(row.due_at for row in self.ledger())
		self.assertGreaterEqual(moments[0], datetime(2026, 11, 27, 9))
		self.assertLess(moments[-1], datetime(2026, 11, 27, 18))
		self.assertGreater(moments[-1] - moments[0], timedelta(hours=2))
		self.assertEqual(len(set(moments)), 12)

	def test_what_is_one_mail_leaves_at_one_moment(self):
		frappe.get_single(SETTINGS).update({"mails_per_minute": 10}).save()
		with self.at("2026-11-27 01:00:00"):
			factories.pins(self.customer_in(), *[FRIDAY + timedelta(days=30)] * 3)
			factories.campaign(send_window=USUAL, combine_messages=1)
			self.run_night()
			self.assertEqual(len({row.due_at for row in self.ledger()}), 1)


class TestQueries(WindowTestCase):
	def test_as_many_queries_for_many_as_for_one(self):
		def queries(count: int) -> int:
			self._reset()
			with self.at("2026-11-27 01:00:00"):
				for number in range(count):
					factories.pin(
						self.customer_in(("Spain", "Colombia")[number % 2]), FRIDAY + timedelta(days=30)
					)
				factories.campaign(send_window=USUAL, purpose="Marketing")
				frappe.db.commit()
				windows = plan.windows_for_run(rules.load(), getdate())
				with statements() as seen:
					self.assertEqual(sum(map(len, plan.plan(windows, getdate()))), count)
				return len(seen)

		queries(2)
		self.assertEqual(queries(2), queries(12))
