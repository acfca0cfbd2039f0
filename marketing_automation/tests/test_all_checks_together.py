"""All checks of the gate at once: what each would do alone is tested beside it, here they meet on the same messages."""

from datetime import date, timedelta
from unittest.mock import patch

import frappe
from frappe.utils import getdate, now_datetime

from marketing_automation.engine import consent, gate, holds, plan, profiles, rules, settle
from marketing_automation.engine.model import Recipient
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, statements
from marketing_automation.tests.factories import in_days

NOT_TO_BE_HAD = "Item out of stock or disabled"
OPEN_ISSUE = "Open Issue"
SOLD_OUT = "TEST-PIN-SOLD-OUT"


class TogetherTestCase(MarketingTestCase):
	def hold_by(self, *keys: str) -> None:
		settings = frappe.get_single(SETTINGS)
		settings.set("holds", [{"hold": key} for key in keys])
		settings.save()

	def later(self, **time):
		return self.at(str(now_datetime() + timedelta(**time))[:19])

	def outcomes(self) -> list[tuple]:
		return [(row.status, row.reason) for row in self.ledger()]


class TestOncePerCustomer(TogetherTestCase):
	"""The parts of one message may have to wait for different moments, and its customer gets it once all the same."""

	def setUp(self):
		super().setUp()
		# A Wednesday at noon: marketing may leave in every country, on the next day too.
		self.enterContext(self.at("2028-03-01 12:00"))
		self.hold_by(NOT_TO_BE_HAD)
		factories.item(SOLD_OUT)
		self.customer = factories.customer()
		frappe.db.commit()

	def pins(self, *item_codes: str) -> list[str]:
		made = [factories.pin(self.customer, in_days(30), item_code=code) for code in item_codes]
		# Where ERPNext is real, what is received and sold moves the stock.
		factories.in_stock(SOLD_OUT, 0)
		factories.in_stock(factories.ITEM, 5)
		return made

	def offer(self, **fields):
		return factories.campaign(
			**{
				"purpose": "Marketing",
				"combine_messages": 1,
				"duplicate_policy": "Once per customer",
				**fields,
			}
		)

	def of(self, reference: str) -> tuple:
		(row,) = self.ledger(reference_name=reference)
		return row.status, row.reason, bool(row.suppression_key)

	def test_what_waits_longer_does_not_leave_after_the_others(self):
		for item_codes in ((factories.ITEM, SOLD_OUT), (SOLD_OUT, factories.ITEM)):
			with self.subTest(item_codes):
				self._reset()
				self.hold_by(NOT_TO_BE_HAD)
				pins = dict(zip(item_codes, self.pins(*item_codes), strict=True))
				self.offer()
				self.run_night()
				self.assertEqual(self.of(pins[factories.ITEM]), ("Queued", None, True))
				self.assertEqual(self.of(pins[SOLD_OUT])[0], "Waiting")
				self.mail_sent()
				factories.in_stock(SOLD_OUT, 5)
				with self.later(days=1, hours=1):
					settle.settle()
				self.assertEqual(self.of(pins[SOLD_OUT]), ("Skipped", "Already sent", False))
				self.assertEqual(len(self.mails()), 1)

	def test_also_where_the_campaign_combines_no_more(self):
		self.pins(SOLD_OUT, SOLD_OUT)
		campaign = self.offer()
		self.run_night()
		self.assertEqual([status for status, _reason in self.outcomes()], ["Waiting"] * 2)
		campaign.reload()
		campaign.update({"combine_messages": 0}).save()
		factories.in_stock(SOLD_OUT, 5)
		# The law of the company's country lets one mail leave on a day, and none on a Sunday.
		for days in range(1, 6):
			with self.at(f"{in_days(days)} 10:00:00"):
				settle.settle()
				self.mail_sent()
		self.assertEqual(sorted(self.outcomes()), [("Completed", None), ("Skipped", "Already sent")])
		self.assertEqual(len(self.mails()), 1)

	def test_when_what_left_first_has_failed_what_waits_may_go(self):
		held, free = self.pins(SOLD_OUT, factories.ITEM)
		self.offer()
		self.run_night()
		self.mail_sent("Error", error="smtplib.SMTPDataError: (550, b'5.7.1 no')")
		self.assertEqual(self.of(free)[0], "Failed")
		factories.in_stock(SOLD_OUT, 5)
		with self.later(days=1, hours=1):
			settle.settle()
		self.assertEqual(self.of(held), ("Queued", None, True))

	def test_what_waits_for_the_same_moment_is_one_mail(self):
		self.pins(SOLD_OUT, SOLD_OUT)
		self.offer()
		self.run_night()
		factories.in_stock(SOLD_OUT, 5)
		with self.later(days=1, hours=1):
			settle.settle()
		self.assertEqual((self.outcomes(), len(self.mails())), ([("Queued", None)] * 2, 1))


class TestQueries(TogetherTestCase):
	"""What all checks together cost a page of the plan, with everything that they can be about."""

	AIM = 15
	LIST = "Test All Checks"

	def setUp(self):
		super().setUp()
		self.addCleanup(self.tidy_up)
		self.company_before = frappe.db.get_value("Company", factories.company(), "default_holiday_list")
		self.group = factories.make("Email Group", title=factories.unique("Test")).name
		self.topic = factories.make(
			"Lifecycle Topic",
			topic_name=factories.unique("Test"),
			consent_text="Yes, by telephone.",
			email_groups=[{"email_group": self.group, "members_agreed": 1}],
		).name
		factories.make(profiles.DOCTYPE, country="Spain", per_week=3)
		factories.make(
			"Holiday List",
			holiday_list_name=self.LIST,
			from_date="2026-01-01",
			to_date="2027-12-31",
			holidays=[{"holiday_date": "2026-12-25", "description": "Test"}],
		)
		frappe.db.set_value("Company", factories.company(), "default_holiday_list", self.LIST)
		settings = frappe.get_single(SETTINGS)
		settings.update(
			{
				"cap_messages": 5,
				"mails_per_minute": 100,
				"warmup_start": in_days(-1),
				"warmup_domain": "company.example",
			}
		)
		settings.save()

	def tidy_up(self):
		frappe.db.rollback()
		frappe.db.set_value("Company", factories.company(), "default_holiday_list", self.company_before)
		frappe.db.delete("Lifecycle Topic", {"name": self.topic})
		frappe.db.delete("Lifecycle Topic Group", {"parent": self.topic})
		frappe.db.delete("Email Group Member", {"email_group": self.group})
		frappe.db.delete("Email Group", {"name": self.group})
		frappe.db.delete(profiles.DOCTYPE)
		frappe.db.delete("Holiday", {"parent": self.LIST})
		frappe.db.delete("Holiday List", {"name": self.LIST})
		frappe.db.commit()

	def person(self, number: int) -> str:
		"""Return a customer to whom a quotation was made: of a group of items of which they have bought, or who has agreed."""
		customer = factories.customer()
		if number % 2:
			factories.make(
				"Address",
				address_title=customer,
				address_type="Billing",
				address_line1="Test",
				city="Test",
				country="Spain",
				links=[{"link_doctype": "Customer", "link_name": customer}],
			)
		if number % 3:
			factories.sold(customer, factories.received(1))
		else:
			factories.make(
				"Email Group Member",
				email_group=self.group,
				email=factories.address(customer),
				unsubscribed=0,
			)
		factories.quotation(customer, in_days(30), factories.service())
		return customer

	def offer(self, **fields):
		text = "Hello {{ customer_name }}"
		return factories.campaign(
			{"source": "Quotation", "date_field": "valid_till", "days_offset": 30},
			email_template=factories.template(text, f"<p>{text}</p>"),
			**{
				"purpose": "Marketing",
				"send_window": "As in the settings",
				"topic": self.topic,
				"item_group": factories.ITEM_GROUP,
				**fields,
			},
		)

	def queries(self, *without: str) -> list[str]:
		"""Return the statements of a plan of one page, by all checks but some."""
		frappe.db.commit()
		known = gate.checks()
		asked = {key: check for key, check in known.items() if key not in without}
		windows = plan.windows_for_run(rules.load(campaigns=[self.campaign.name]), getdate())
		with patch.object(gate, "checks", lambda: asked), statements() as seen:
			(page,) = plan.plan(windows, getdate())
		self.bases = {message.basis for message in page}
		return seen

	def test_a_page_costs_so_many_queries(self):
		customers = [self.person(number) for number in range(12)]
		# Other campaigns have written to them.
		for customer in customers[:3]:
			factories.pin(customer, in_days(30))
		factories.campaign(purpose="Marketing")
		self.run_night()
		self.campaign = self.offer()
		self.queries()
		found, nothing = self.queries(), self.queries(*gate.checks())
		self.assertEqual(self.bases, {None})
		self.queries()
		self.assertEqual(self.bases, {"Existing customer", "Opt-in"})
		self.assertLessEqual(len(found) - len(nothing), self.AIM, "\n".join(found))
		for number in range(12, 18):
			self.person(number)
		self.assertEqual(len(self.queries()), len(found), "whatever their number")
		on = list(holds.offered())
		self.hold_by(*on)
		self.queries()
		with_holds = len(self.queries())
		self.assertLessEqual(with_holds - len(found), 2 * len(on))


class TestAMovedCampaign(TogetherTestCase):
	"""Whoever has left a campaign by one click has left it for good, whatever topic it belongs to later."""

	def reason(self, campaign: str, customer: str) -> str | None:
		one = Recipient(customer, customer, factories.address(customer))
		no = consent.Known([one]).refusal(one, rules.campaigns({campaign})[campaign])
		return no.reason if no else None

	def test_who_has_left_by_one_click_does_not_come_back_by_another_topic(self):
		customer = factories.customer()
		person = consent.Person(factories.address(customer), customer=customer)
		campaign = factories.campaign(purpose="Marketing", topic="Offers")
		other = factories.campaign(purpose="Marketing", topic="News")
		consent.withdraw(person._replace(campaign=campaign.name), "Offers", "one-click", "x")
		campaign.reload()
		campaign.update({"topic": "News"}).save()
		self.assertEqual(self.reason(campaign.name, customer), "Unsubscribed")
		self.assertIsNone(self.reason(other.name, customer))
		# It is not about all marketing, so leaving another topic is still written down.
		self.assertTrue(consent.withdraw(person, "News", "page", "x"))
		consent.record(consent.GIVEN, person, "News", "page", "x")
		self.assertIsNone(self.reason(campaign.name, customer), "asked for by its topic, later")

	def test_what_is_chosen_on_the_page_is_about_topics_alone(self):
		customer = factories.customer()
		campaign = factories.campaign(purpose="Marketing", topic="Offers")
		person = consent.Person(factories.address(customer), customer=customer, campaign=campaign.name)
		consent.record(consent.WITHDRAWN, person, "News", "page", "x")
		self.assertIsNone(self.reason(campaign.name, customer))


class TestADayWithEverything(TogetherTestCase):
	"""Holds, hours and caps on the same messages, hour by hour, whatever day it is today."""

	USUAL = "As in the settings"

	def walk(self, first: date, days: int, then: dict | None = None) -> None:
		"""Let the clock run from a day on: a run each night, what is due in the hours, and what a test does at (day, hour)."""
		for number in range(days):
			for hour in (1, 9, 10, 12, 14, 17):
				with self.at(f"{first + timedelta(days=number)} {hour:02}:07:00"):
					if act := (then or {}).get((number, hour)):
						act()
						frappe.db.commit()
					if hour == 1:
						self.run_night()
					settle.settle()
					self.mail_sent()

	def held_customer(self) -> tuple[str, str]:
		customer = factories.customer()
		self.hold_by(OPEN_ISSUE)
		return customer, factories.issue(customer)

	def close(self, issue: str):
		return lambda: frappe.db.set_value("Issue", issue, "status", "Closed")

	def test_on_hold_outside_its_hours_and_capped_it_leaves_once_when_all_let_it(self):
		friday = date(2026, 11, 27)
		with self.at(f"{friday} 00:30:00"):
			customer, issue = self.held_customer()
			settings = frappe.get_single(SETTINGS)
			settings.update({"cap_messages": 1, "cap_days": 7}).save()
			factories.pin(customer, friday + timedelta(days=30))
			held = factories.campaign(purpose="Marketing", send_window=self.USUAL)
			other = factories.campaign(
				purpose="Marketing", send_window=self.USUAL, priority="Low", heeds_holds=0
			)
			# Closed on Tuesday: the cap lets it go a week after the other, on Friday.
			self.walk(friday, 9, {(4, 12): self.close(issue)})
		left = {row.campaign: str(row.executed_at)[:13] for row in self.ledger(status="Completed")}
		self.assertEqual(left, {other.name: "2026-11-27 09", held.name: "2026-12-04 09"})
		self.assertEqual((len(self.ledger()), len(self.mails())), (2, 2))

	def test_before_a_sunday_it_still_goes_when_its_hold_ends_on_friday(self):
		thursday = date(2026, 11, 26)
		with self.at(f"{thursday} 00:30:00"):
			customer, issue = self.held_customer()
			factories.pin(customer, date(2026, 11, 29))
			factories.campaign({"days_offset": 1}, purpose="Marketing", send_window=self.USUAL)
			self.walk(thursday, 4, {(1, 14): self.close(issue)})
		(row,) = self.ledger()
		self.assertEqual((row.status, str(row.executed_at)[:10]), ("Completed", "2026-11-27"))

	def test_what_had_no_hour_left_because_of_a_hold_says_so(self):
		thursday = date(2026, 11, 26)
		with self.at(f"{thursday} 00:30:00"):
			customer, issue = self.held_customer()
			factories.pin(customer, date(2026, 11, 29))
			factories.campaign({"days_offset": 1}, purpose="Marketing", send_window=self.USUAL)
			self.walk(thursday, 4)
		(row,) = self.ledger()
		self.assertEqual(
			(row.status, row.reason, row.evidence_doctype, row.evidence_name),
			("Skipped", "On hold", "Issue", issue),
		)

	def test_of_five_campaigns_of_one_night_the_important_ones_leave_first(self):
		friday = date(2026, 11, 27)
		priorities = ("Low", "Normal", "High", "Normal", "High")
		with self.at(f"{friday} 00:30:00"):
			customer = factories.customer()
			settings = frappe.get_single(SETTINGS)
			settings.update({"cap_messages": 2, "cap_days": 7}).save()
			factories.pin(customer, friday + timedelta(days=30))
			names = {
				factories.campaign(
					purpose="Marketing", send_window=self.USUAL, priority=priority
				).name: priority
				for priority in priorities
			}
			self.walk(friday, 18)
		rows = sorted(self.ledger(status="Completed"), key=lambda row: row.executed_at)
		self.assertEqual([names[row.campaign] for row in rows], ["High"] * 2 + ["Normal"] * 2 + ["Low"])
		days = [row.executed_at.date() for row in rows]
		# Two in seven days, and by the law of the company's country one a day and none on a Sunday.
		self.assertTrue(
			all((later - day).days >= 7 for day, later in zip(days[:-2], days[2:], strict=True)), days
		)
		self.assertEqual(len(set(days)), 5)
		self.assertFalse([day for day in days if day.weekday() > 4])

	def test_what_would_have_to_wait_for_months_is_skipped(self):
		monday = date(2026, 11, 30)
		with self.at(f"{monday} 00:30:00"):
			customer = factories.customer()
			person = consent.Person(factories.address(customer), customer=customer)
			consent.record(consent.LESS_OFTEN, person, None, "page", "x", messages=1, days=90)
			factories.pin(customer, monday + timedelta(days=30))
			for priority in ("High", "Low"):
				factories.campaign(purpose="Marketing", send_window=self.USUAL, priority=priority)
			self.walk(monday, 1)
		self.assertEqual(
			sorted((row.status, row.reason) for row in self.ledger()),
			[("Completed", None), ("Skipped", "Frequency cap")],
		)
