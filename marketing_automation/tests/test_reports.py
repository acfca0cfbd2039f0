"""The reports' numbers are the ledger's, and what nobody will hear about is found before it expires."""

import time
from collections import Counter
from datetime import date

import frappe
from frappe.utils import formatdate

from marketing_automation.marketing_automation.dashboard_chart_source.lifecycle_messages_by_day import (
	lifecycle_messages_by_day,
)
from marketing_automation.marketing_automation.report.campaign_performance import campaign_performance
from marketing_automation.marketing_automation.report.expiring_pins import expiring_pins
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, statements
from marketing_automation.tests.factories import in_days


class TestCampaignPerformance(MarketingTestCase):
	def setUp(self):
		super().setUp()
		factories.pins(factories.customer(), in_days(30), in_days(30), in_days(7))
		factories.pin(factories.customer(email=None), in_days(30))
		self.campaign = factories.campaign({"days_offset": 30}, {"days_offset": 7})
		self.other = factories.campaign(company=factories.second_company())
		self.run_night()
		self.mail_sent()

	def report(self, **filters):
		_columns, rows, _message, chart, summary = campaign_performance.execute(filters)
		return rows, chart, {entry["label"]: entry["value"] for entry in summary}

	def test_it_counts_by_action_trigger_and_campaign(self):
		rows, chart, summary = self.report()
		self.assertEqual(
			sorted((row["due"], row["sent"], row["skipped"]) for row in rows), [(1, 1, 0), (3, 2, 1)]
		)
		self.assertEqual({row["sent_percent"] for row in rows}, {100})
		(row,) = self.report(group_by="Campaign")[0]
		self.assertEqual((row["campaign"], row["due"], row["sent"]), (self.campaign.name, 4, 3))
		self.assertEqual(len(self.report(group_by="Trigger")[0]), 2)
		self.assertEqual(len(chart["data"]["labels"]), 5)
		self.assertEqual([sum(d["values"]) for d in chart["data"]["datasets"]], [3, 0, 0, 1, 0, 0])
		self.assertEqual((summary["Sent"], summary["Skipped"]), (3, 1))

	def test_what_was_cancelled_has_not_failed_and_the_share_is_of_all(self):
		failed, *others = self.ledger(status="Completed")
		frappe.db.set_value("Lifecycle Execution Log", failed.name, "status", "Failed")
		frappe.db.set_value("Lifecycle Execution Log", others[0].name, "status", "Cancelled")
		_rows, chart, summary = self.report()
		self.assertEqual([sum(d["values"]) for d in chart["data"]["datasets"]], [1, 0, 0, 1, 1, 1])
		self.assertEqual(
			(summary["Failed"], summary["Cancelled"], summary["Accepted by the Server (%)"]), (1, 1, 50)
		)

	def test_only_what_has_happened_has_a_colour(self):
		*_rest, summary = campaign_performance.execute({})
		colours = {entry["label"]: entry["indicator"] for entry in summary}
		self.assertEqual((colours["Sent"], colours["Failed"]), ("Green", "Grey"))

	def test_its_chart_has_bars_for_days_weeks_or_months(self):
		for back, bars in ((13, 14), (14, 3), (97, 14), (364, 13)):
			chart = self.report(from_date=str(in_days(-back)))[1]
			self.assertAlmostEqual(len(chart["data"]["labels"]), bars, delta=back > 98)
			self.assertEqual(chart["data"]["datasets"][0]["values"][-1], 3)

	def test_a_mistyped_year_is_answered_at_once_with_the_days_that_have_messages(self):
		today = str(in_days(0))
		for first, last in (
			("0202-01-01", today),
			("0001-01-02", "9999-12-31"),
			(str(in_days(-90)), "9999-12-31"),
			("2000-01-01", today),
		):
			with self.subTest(first=first, last=last):
				began = time.process_time()
				rows, chart, summary = self.report(from_date=first, to_date=last)
				self.assertLess(time.process_time() - began, 0.5)
				self.assertEqual((len(rows), summary["Sent"]), (2, 3))
				self.assertEqual([sum(d["values"]) for d in chart["data"]["datasets"]], [3, 0, 0, 1, 0, 0])
				self.assertLessEqual(len(chart["data"]["labels"]), 14)
		for first, last in (("0202-01-01", "0203-01-01"), ("9999-12-01", "9999-12-31"), (None, "0001-01-02")):
			rows, chart, _summary = self.report(from_date=first, to_date=last)
			self.assertEqual((rows, sum(map(sum, (d["values"] for d in chart["data"]["datasets"])))), ([], 0))

	def test_a_chart_of_many_years_has_a_bar_for_each(self):
		first, last = date(2010, 3, 1), date(2024, 6, 30)
		chart = campaign_performance.chart(
			Counter({(first, "Completed"): 2, (last, "Completed"): 1}), date(1990, 1, 1), last
		)
		self.assertEqual(chart["data"]["labels"], [str(year) for year in range(2010, 2025)])
		self.assertEqual(chart["data"]["datasets"][0]["values"], [2, *[0] * 13, 1])

	def test_the_dashboards_chart_has_one_for_each_day(self):
		data = lifecycle_messages_by_day.get()
		self.assertEqual(data["labels"][-1], formatdate(in_days(0), "d MMM"))
		self.assertEqual([d["values"][-1] for d in data["datasets"]], [3, 0, 0, 1, 0, 0])
		self.assertEqual({len(d["values"]) for d in data["datasets"]}, {31})

	def test_period_campaign_and_company(self):
		self.assertEqual(self.report(from_date=str(in_days(-9)), to_date=str(in_days(-1)))[0], [])
		self.assertEqual(self.report(campaign=self.other.name)[0], [])
		self.assertEqual(self.report(company=factories.second_company())[0], [])
		with self.refused("ends before it starts"):
			self.report(from_date=str(in_days(1)), to_date=str(in_days(0)))

	def test_a_user_sees_only_their_company(self):
		frappe.set_user(factories.user("Marketing User", sees={"Company": factories.second_company()}))
		self.assertEqual(self.report()[0], [])
		self.assertEqual({sum(d["values"]) for d in lifecycle_messages_by_day.get()["datasets"]}, {0})

	def test_when_it_is_empty_it_says_what_to_do(self):
		_columns, rows, message, *_rest = campaign_performance.execute(
			{"from_date": str(in_days(-400)), "to_date": str(in_days(-390))}
		)
		self.assertEqual(rows, [])
		self.assertIn("Choose another period", message)

	def test_the_chart_is_for_those_who_may_read_the_ledger(self):
		self.assertEqual(len(lifecycle_messages_by_day.get()["datasets"]), 6)
		frappe.set_user(factories.user("Sales User"))
		with self.assertRaises(frappe.PermissionError):
			lifecycle_messages_by_day.get()

	def test_it_asks_the_ledger_once(self):
		# What Frappe knows of DocTypes and permissions it reads once, and other tests make it forget.
		self.report()
		with statements() as seen:
			self.report()
		self.assertEqual(len([query for query in seen if "tabLifecycle Execution Log" in query]), 1)
		self.assertLessEqual(len(seen), 5)


class TestExpiringPins(MarketingTestCase):
	def report(self, **filters):
		_columns, rows, _message, _chart, summary = expiring_pins.execute({"show_all": 1, **filters})
		return {row["reference_name"]: row for row in rows}, {
			entry["label"]: entry["value"] for entry in summary
		}

	def test_its_sums_count_each_pin_once(self):
		factories.campaign({"days_offset": 14})
		factories.pin(factories.customer(), in_days(20))
		# Neither caught nor to be reached.
		factories.pin(factories.customer(email=None), in_days(3))
		_rows, summary = self.report()
		self.assertEqual(list(summary.values()), [2, 1, 0, 1])

	def test_each_pin_says_who_will_hear_of_it_or_why_nobody_will(self):
		ana = factories.customer()
		caught, too_late = factories.pins(ana, in_days(20), in_days(3))
		mute = factories.pin(factories.customer(email=None), in_days(20))
		factories.pin(ana, in_days(31))
		campaign = factories.campaign({"days_offset": 14, "trigger_name": "Two weeks"})
		rows, summary = self.report()
		self.assertEqual(
			{name: row["problem"] for name, row in rows.items()},
			{caught: None, too_late: "No trigger catches it", mute: "No e-mail address"},
		)
		self.assertEqual(
			(rows[caught]["campaign"], rows[caught]["trigger_name"], rows[caught]["next_on"]),
			(campaign.name, "Two weeks", in_days(6)),
		)
		self.assertEqual(
			(summary["Expiring"], summary["No Trigger Catches It"], summary["Cannot Be Reached"]), (3, 1, 1)
		)
		problems, _summary = self.report(show_all=0)
		self.assertEqual(set(problems), {too_late, mute})

	def test_when_it_is_empty_it_says_what_to_do(self):
		self.assertIn("Choose a longer one", expiring_pins.execute({})[2])
		factories.pin(factories.customer(), in_days(7))
		factories.campaign({"days_offset": 7})
		self.assertIn("Nothing to do", expiring_pins.execute({})[2])
		self.assertIsNone(expiring_pins.execute({"show_all": 1})[2])

	def test_who_has_a_message_already_is_no_problem(self):
		pin = factories.pin(factories.customer(), in_days(7))
		factories.campaign({"days_offset": 7})
		self.run_night()
		row = self.report()[0][pin]
		self.assertEqual((row["handled"], row["problem"]), ("Queued", None))

	def test_a_user_sees_only_their_company(self):
		factories.pin(factories.customer(), in_days(7))
		ours = factories.pin(factories.customer(), in_days(7))
		frappe.db.set_value("Serial No", ours, "company", factories.second_company())
		frappe.set_user(factories.user("Marketing User", sees={"Company": factories.second_company()}))
		self.assertEqual(set(self.report()[0]), {ours})

	def test_a_user_sees_only_their_customer_also_where_only_the_sale_knows_the_owner(self):
		ours, theirs = factories.customer(), factories.customer()
		ours_pin, theirs_pin = factories.pin(ours, in_days(7)), factories.pin(theirs, in_days(7))
		factories.forget_owner(ours_pin, theirs_pin)
		frappe.set_user(factories.user("Marketing User", sees={"Customer": ours}))
		self.assertEqual(set(self.report()[0]), {ours_pin})

	def test_it_costs_the_same_for_any_number(self):
		factories.campaign({"item_group": factories.ITEM_GROUP})
		factories.pin(factories.customer(), in_days(7))
		self.report()
		with statements() as few:
			self.report()
		for _ in range(4):
			factories.pins(factories.customer(), *[in_days(9)] * 3)
		with statements() as many:
			self.assertEqual(len(self.report()[0]), 13)
		self.assertEqual(len(few), len(many))
		self.assertLessEqual(len(many), 21)

	def test_a_mistyped_year_is_answered_at_once(self):
		pin = factories.pin(factories.customer(), date(9999, 12, 31))
		with statements() as seen, self.refused("longer than 10 years", "year of From Date"):
			self.report(from_date="0202-01-01", to_date=str(in_days(30)))
		self.assertEqual([query for query in seen if "tabSerial No" in query], [])
		with self.refused("longer than 10 years"):
			self.report(from_date=str(in_days(0)), to_date="9999-12-31")
		for first, last, found in (
			("0202-01-01", None, set()),
			("0202-01-01", "0203-01-01", set()),
			("9999-12-20", None, {pin}),
			("9999-12-31", "9999-12-31", {pin}),
		):
			self.assertEqual(set(self.report(from_date=first, to_date=last)[0]), found)

	def test_a_date_field_that_is_none_is_refused(self):
		with self.refused("not a date field", "Choose one of", "Warranty Expiry Date"):
			self.report(date_field="modified; drop table")
