"""Fix the data, and they get their message: what could not be sent is looked at again by each run, for its owner."""

from unittest.mock import patch

import frappe

from marketing_automation import api
from marketing_automation.engine import deliver, ledger, plan, rules, watchdog
from marketing_automation.engine.model import message_key
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.marketing_automation.report.expiring_pins import expiring_pins
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, statements
from marketing_automation.tests.factories import in_days


class AgainTestCase(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.today = in_days(0)

	def night(self, days: int):
		"""Run the night in so many days; return the Lifecycle Run."""
		with self.on(days):
			return self.run_night()

	def on(self, days: int, hour: int = 1):
		return self.at(f"{frappe.utils.add_days(self.today, days)} {hour:02}:00")

	def statuses(self, **filters) -> list[tuple]:
		return sorted((row.customer or "", row.status, row.reason) for row in self.ledger(**filters))

	def assert_sums(self):
		"""Whatever was looked at again: each run's sums add up, and what was due counts once."""
		runs = frappe.get_all("Lifecycle Run", fields=["*"], order_by="creation asc")
		for doc in runs:
			of_statuses = sum(doc[status.lower()] for status in ledger.STATUSES)
			self.assertEqual(doc.due, doc.known + of_statuses, doc)
		self.assertEqual(sum(doc.due - doc.known for doc in runs), len(self.ledger()))


class TestAReasonThatPasses(AgainTestCase):
	def test_a_customer_who_gets_an_address_days_later_gets_the_message(self):
		ana = factories.customer(email=None)
		pin = factories.pin(ana, in_days(30))
		factories.campaign()
		first = self.night(0)
		self.assertEqual(self.outcome_of(pin), ("Skipped", "No e-mail address"))
		self.night(2)
		factories.contact(ana, "ana@customers.example", is_primary_contact=1)
		again = self.night(3)
		self.assertEqual(self.outcome_of(pin), ("Queued", None))
		first.reload()
		self.assertEqual((first.due, first.skipped, first.queued), (1, 0, 1))
		self.assertEqual((again.due, again.reopened), (0, 1))
		self.assert_sums()
		self.night(4)
		self.assertEqual(len(self.mails()), 1)

	def test_not_beyond_the_catch_up(self):
		ana = factories.customer(email=None)
		pin = factories.pin(ana, in_days(30))
		factories.campaign()
		self.night(0)
		factories.contact(ana, "ana@customers.example", is_primary_contact=1)
		self.night(8)
		self.assertEqual(self.outcome_of(pin), ("Skipped", "No e-mail address"))
		frappe.db.set_single_value(SETTINGS, "catch_up_nights", 0)
		eva = factories.customer(email=None)
		other = factories.pin(eva, in_days(60))
		self.night(30)
		factories.contact(eva, "eva@customers.example", is_primary_contact=1)
		self.night(30)
		self.assertEqual(self.outcome_of(other), ("Queued", None), "tonight is no night before")

	def test_each_reason_that_can_pass(self):
		def unsold():
			(pin,) = factories.received()
			factories.expire(pin, in_days(30))
			return pin, lambda: factories.sold(factories.customer(), [pin])

		def returned():
			customer = factories.customer()
			(pin,) = factories.received()
			factories.returned(factories.sold(customer, [pin]))
			factories.expire(pin, in_days(30))
			return pin, lambda: factories.sold(customer, [pin])

		def flagged(field):
			def make():
				customer = factories.customer()
				pin = factories.pin(customer, in_days(30))
				frappe.db.set_value("Customer", customer, field, 1)
				return pin, lambda: frappe.db.set_value("Customer", customer, field, 0)

			return make

		def wrong_address():
			customer = factories.customer(email=None)
			pin = factories.pin(customer, in_days(30))
			contact = factories.contact(customer, "eva@home.example", is_primary_contact=1)
			frappe.db.set_value("Contact Email", {"parent": contact}, "email_id", "eva at home")
			right = ("Contact Email", {"parent": contact}, "email_id", "eva@home.example")
			return pin, lambda: frappe.db.set_value(*right)

		for reason, make in (
			("No customer", unsold),
			("Returned", returned),
			("Customer disabled", flagged("disabled")),
			("Customer frozen", flagged("is_frozen")),
			("Invalid e-mail address", wrong_address),
		):
			with self.subTest(reason):
				self._reset()
				pin, mend = make()
				factories.campaign()
				self.night(0)
				self.assertEqual(self.outcome_of(pin)[1], reason)
				mend()
				self.night(2)
				self.assertEqual(self.outcome_of(pin), ("Queued", None))
				self.assert_sums()
				self.night(3)
				self.assertEqual(len(self.mails()), 1)

	def test_what_is_moved_and_moved_back_before_it_leaves(self):
		pin = factories.pin(factories.customer(), in_days(30))
		factories.campaign()
		with not_delivered():
			self.night(0)
		factories.expire(pin, in_days(90))
		deliver.deliver([row.name for row in self.ledger()])
		self.assertEqual(self.outcome_of(pin), ("Skipped", "Date changed"))
		factories.expire(pin, in_days(30))
		self.night(1)
		self.assertEqual(self.outcome_of(pin), ("Queued", None))

	def test_what_a_filter_left_out_for_a_while(self):
		pin = factories.pin(factories.customer(), in_days(30))
		filters = frappe.as_json([["Serial No", "status", "!=", "Inactive"]])
		factories.campaign({"filters": filters})
		with not_delivered():
			self.night(0)
		status = frappe.db.get_value("Serial No", pin, "status")
		frappe.db.set_value("Serial No", pin, "status", "Inactive")
		deliver.deliver([row.name for row in self.ledger()])
		self.assertEqual(self.outcome_of(pin), ("Skipped", "No longer matches"))
		self.night(1)
		self.assertEqual(self.outcome_of(pin), ("Skipped", "No longer matches"))
		frappe.db.set_value("Serial No", pin, "status", status)
		self.night(2)
		self.assertEqual(self.outcome_of(pin), ("Queued", None))

	def test_who_has_unsubscribed_is_left_alone(self):
		ana = factories.customer()
		pin = factories.pin(ana, in_days(30))
		factories.campaign()
		factories.make("Email Unsubscribe", email=factories.address(ana), global_unsubscribe=1)
		self.night(0)
		frappe.db.delete("Email Unsubscribe")
		self.night(1)
		self.assertEqual(self.outcome_of(pin), ("Skipped", "Unsubscribed"))

	def test_who_was_told_by_a_message_that_was_not_sent_after_all(self):
		"""Once per customer: the pin that held the customer's key is not told, so the other one is."""
		ana = factories.customer()
		factories.pins(ana, in_days(30), in_days(30))
		factories.campaign(duplicate_policy="Once per customer")
		with not_delivered():
			self.night(0)
		(holder,) = self.ledger(status="Pending")
		factories.expire(holder.reference_name, in_days(400))
		deliver.deliver([holder.name])
		self.night(1)
		self.assertEqual(
			self.statuses(), sorted([(ana, "Queued", None), (ana, "Skipped", "Date changed")], key=str)
		)
		self.night(2)
		self.assertEqual(len(self.mails()), 1)

	def test_it_is_each_run_and_not_each_tick_that_looks_and_the_queries_do_not_grow(self):
		ana = factories.customer(email=None)
		factories.campaign()
		factories.pin(ana, in_days(30))
		self.night(0)
		counts = []
		for more in (0, 12):
			if more:
				factories.pins(ana, *[in_days(30)] * more)
				self.night(1)
			with self.on(1), statements() as seen:
				self.run_night()
			counts.append(len(seen))
		self.assertLessEqual(counts[1] - counts[0], 1, counts)

	def test_a_run_of_one_campaign_looks_at_its_own(self):
		ana = factories.customer(email=None)
		factories.pin(ana, in_days(30))
		one, other = factories.campaign(), factories.campaign()
		self.night(0)
		factories.contact(ana, "ana@customers.example", is_primary_contact=1)
		self.run_night(one.name)
		self.assertEqual([row.campaign for row in self.ledger(status="Queued")], [one.name])
		self.assertEqual([row.campaign for row in self.ledger(status="Skipped")], [other.name])

	def test_together_with_what_is_due_tonight(self):
		ana = factories.customer(email=None)
		factories.pins(ana, in_days(30), in_days(31))
		factories.campaign(combine_messages=1)
		self.night(0)
		factories.contact(ana, "ana@customers.example", is_primary_contact=1)
		self.night(1)
		self.assertEqual((len(self.ledger(status="Queued")), len(self.mails())), (2, 1))


class TestANewOwner(AgainTestCase):
	def sold_pin(self, customer: str) -> tuple:
		(pin,) = factories.received()
		sale = factories.sold(customer, [pin])
		factories.expire(pin, in_days(30))
		return pin, sale

	def test_is_told_although_the_one_before_was(self):
		for days in (0, 1, 5):
			with self.subTest(days):
				self._reset()
				ana, eva = factories.customer(), factories.customer()
				_pin, sale = self.sold_pin(ana)
				factories.campaign()
				self.night(0)
				self.mail_sent()
				factories.handed_over(sale, eva)
				self.night(days)
				self.assertEqual(
					self.statuses(), sorted([(ana, "Completed", None), (eva, "Queued", None)], key=str)
				)
				self.assert_sums()
				self.night(days + 1)
				self.assertEqual(len(self.mails()), 2)

	def test_not_long_after_the_day(self):
		ana, eva = factories.customer(), factories.customer()
		_pin, sale = self.sold_pin(ana)
		factories.campaign()
		self.night(0)
		factories.handed_over(sale, eva)
		self.night(8)
		self.assertEqual(
			self.statuses(), sorted([(ana, "Queued", None), (eva, "Skipped", "Missed")], key=str)
		)

	def test_the_one_before_is_not_told_again_when_it_comes_back(self):
		ana, eva = factories.customer(), factories.customer()
		_pin, sale = self.sold_pin(ana)
		factories.campaign()
		self.night(0)
		resale = factories.handed_over(sale, eva)
		self.night(1)
		factories.handed_over(resale, ana)
		self.night(2)
		self.night(3)
		self.assertEqual(sorted(row.customer for row in self.ledger(status="Queued")), sorted([ana, eva]))

	def test_the_first_owner_is_put_into_the_row_also_when_they_cannot_be_told(self):
		(pin,) = factories.received()
		factories.expire(pin, in_days(30))
		factories.campaign()
		self.night(0)
		ana = factories.customer(email=None)
		factories.sold(ana, [pin])
		factories.expire(pin, in_days(30))
		self.night(1)
		(row,) = self.ledger()
		self.assertEqual((row.customer, row.status, row.reason), (ana, "Skipped", "No e-mail address"))
		self.assertEqual(
			row.message_key,
			message_key(row.action, "Serial No", pin, row.occurrence_date, ana),
		)
		self.assert_sums()

	def test_a_pin_that_was_told_and_then_returned_counts_once(self):
		ana = factories.customer()
		pin, sale = self.sold_pin(ana)
		factories.campaign()
		self.night(0)
		factories.returned(sale)
		factories.expire(pin, in_days(30))
		self.night(1)
		self.assertEqual(self.statuses(), [(ana, "Queued", None)])
		self.assert_sums()

	def test_where_the_index_refuses_the_row_stays_as_it_is(self):
		"""Somebody else has claimed the owner's message meanwhile."""
		(pin,) = factories.received()
		factories.expire(pin, in_days(30))
		factories.campaign()
		self.night(0)
		ana = factories.customer()
		factories.sold(ana, [pin])
		factories.expire(pin, in_days(30))
		(messages,) = plan.plan(plan.windows_for_day(rules.load(), in_days(0)), in_days(0))
		self.assertEqual(ledger.claim(messages, "RUN-OTHER"), 1)
		frappe.db.commit()
		self.night(1)
		self.assertEqual(
			sorted((row.customer or "", row.status) for row in self.ledger()),
			sorted([("", "Skipped"), (ana, "Pending")]),
		)


class TestWhatTheScreensSay(AgainTestCase):
	def report(self, pin: str) -> dict:
		return {row["reference_name"]: row for row in expiring_pins.execute({"show_all": 1})[1]}[pin]

	def step(self, found: dict) -> tuple:
		return [(step["state"], step["why"]) for step in found["steps"]]

	def test_a_reason_that_has_passed_is_caught_as_long_as_a_run_looks(self):
		ana = factories.customer(email=None)
		pin = factories.pin(ana, in_days(30))
		campaign = factories.campaign()
		self.night(0)
		factories.contact(ana, "ana@customers.example", is_primary_contact=1)
		with self.on(3):
			row = self.report(pin)
			self.assertEqual(
				(row["problem"], row["handled"], row["next_on"], row["campaign"]),
				(None, "Skipped", in_days(0), campaign.name),
			)
			self.assertEqual(
				self.step(api.why_reference("Serial No", pin)), [("Coming", "Goes out with the next run.")]
			)
			counts = api.run_preview()["counts"]
			self.assertEqual((counts["send"], counts["known"], counts["mails"]), (1, 0, 1))
			self.run_night()
			self.assertEqual(self.outcome_of(pin), ("Queued", None))
			self.assertEqual(api.run_preview()["counts"]["send"], 0)
			self.assertEqual(self.step(api.why_reference("Serial No", pin)), [])

	def test_beyond_the_catch_up_it_is_not_caught(self):
		ana = factories.customer(email=None)
		pin = factories.pin(ana, in_days(30))
		factories.campaign()
		self.night(0)
		factories.contact(ana, "ana@customers.example", is_primary_contact=1)
		with self.on(9):
			row = self.report(pin)
			self.assertEqual((row["problem"], row["covered"]), ("Was not sent: No e-mail address", False))
			self.assertEqual(self.step(api.why_reference("Serial No", pin)), [])
			self.assertEqual(api.run_preview()["counts"]["send"], 0)

	def test_a_new_owner_is_not_told_because_the_one_before_was(self):
		ana, eva = factories.customer(), factories.customer()
		(pin,) = factories.received()
		sale = factories.sold(ana, [pin])
		factories.expire(pin, in_days(30))
		factories.campaign()
		self.night(0)
		self.mail_sent()
		resale = factories.handed_over(sale, eva)
		with self.on(2):
			row = self.report(pin)
			self.assertEqual((row["handled"], row["problem"], row["next_on"]), (None, None, in_days(0)))
			self.assertEqual(
				[(step["state"], step["why"]) for step in api.why_customer(eva)["coming"]],
				[("Coming", "Goes out with the next run.")],
			)
			self.assertEqual(api.run_preview()["counts"]["send"], 1)
			self.run_night()
			self.assertEqual([row.customer for row in self.ledger(status="Queued")], [eva])
		factories.handed_over(resale, factories.customer())
		with self.on(12):
			row = self.report(pin)
			self.assertEqual((row["handled"], row["problem"]), (None, "No trigger catches it"))
			self.assertEqual(
				self.step(api.why_reference("Serial No", pin)),
				[("Withheld", "Its day had passed before the trigger took it.")],
			)

	def test_one_in_stock_that_is_sold_by_now(self):
		(pin,) = factories.received()
		factories.expire(pin, in_days(30))
		factories.campaign()
		self.night(0)
		self.assertEqual(self.report(pin)["problem"], "No customer")
		ana = factories.customer()
		factories.sold(ana, [pin])
		factories.expire(pin, in_days(30))
		with self.on(1):
			self.assertIsNone(self.report(pin)["problem"])
			self.assertEqual(len(api.why_customer(ana)["coming"]), 1)
			self.assertEqual(api.run_preview()["counts"]["send"], 1)

	def test_who_is_told_once_and_has_been_is_not_promised_anything(self):
		ana = factories.customer()
		factories.pins(ana, in_days(30), in_days(30))
		factories.campaign(duplicate_policy="Once per customer")
		self.night(0)
		(skipped,) = self.ledger(status="Skipped")
		with self.on(1):
			self.assertEqual(self.step(api.why_reference("Serial No", skipped.reference_name)), [])
			self.assertEqual(api.run_preview()["counts"]["send"], 0)
			self.assertIsNone(self.report(skipped.reference_name)["problem"])

	def test_a_message_that_failed_for_good_is_a_problem(self):
		pin = factories.pin(factories.customer(), in_days(30))
		factories.campaign()
		self.night(0)
		self.mail_sent("Error", error="smtplib.SMTPDataError: (554, b'no')")
		self.assertEqual(self.report(pin)["problem"], "Was not sent: Sending failed")


class TestAClockThatWasAhead(AgainTestCase):
	def test_the_pins_of_the_month_are_told_each_on_its_day(self):
		factories.campaign()
		self.night(0)
		soon, later = factories.pins(factories.customer(), in_days(32), in_days(40))
		self.night(30)
		self.assertEqual({self.outcome_of(pin) for pin in (soon, later)}, {("Skipped", "Missed")})
		for days, told in ((1, []), (2, [soon]), (9, [soon]), (10, [soon, later])):
			self.night(days)
			self.assertEqual(
				sorted(row.reference_name for row in self.ledger(status="Queued")), sorted(told), days
			)
		self.night(11)
		self.assertEqual(len(self.mails()), 2)

	def test_the_nights_between_do_not_count_as_covered(self):
		factories.campaign()
		self.night(0)
		self.night(30)
		late = factories.pin(factories.customer(), in_days(33))
		self.night(5)
		self.assertEqual(self.outcome_of(late), ("Queued", None), "a night that nobody ran is made up for")

	def test_what_was_claimed_for_days_to_come_does_not_leave_before_them(self):
		factories.campaign()
		pin = factories.pin(factories.customer(), in_days(35))
		with not_delivered():
			self.night(5)
		with self.on(0):
			deliver.deliver([row.name for row in self.ledger()])
			self.assertEqual((self.outcome_of(pin), self.mails()), (("Skipped", "Missed"), []))
		self.night(4)
		self.assertEqual(self.outcome_of(pin), ("Skipped", "Missed"))
		self.night(5)
		self.assertEqual(self.outcome_of(pin), ("Queued", None))

	def test_a_run_of_the_future_does_not_keep_the_alarm_silent(self):
		factories.campaign()
		self.night(0)
		self.night(30)
		with self.on(3):
			self.assertIsNotNone(watchdog.overdue()[1])

	def test_nor_does_a_campaign_that_was_switched_on_in_the_future(self):
		campaign = factories.campaign()
		self.night(0)
		campaign.db_set("active_since", in_days(300))
		with self.on(3):
			self.assertIsNotNone(watchdog.overdue()[1])

	def test_what_was_switched_on_meanwhile_is_on(self):
		pin = factories.pin(factories.customer(), in_days(30))
		with self.on(30):
			factories.campaign()
		self.night(0)
		self.assertEqual(self.outcome_of(pin), ("Queued", None))


class TestAskedAgainAtDelivery(AgainTestCase):
	def claimed(self, *triggers: dict, **fields):
		self.pin = factories.pin(factories.customer(), in_days(30))
		campaign = factories.campaign(*triggers, **fields)
		with not_delivered():
			self.night(0)
		return campaign

	def delivered(self) -> tuple:
		deliver.deliver([row.name for row in self.ledger()])
		return self.outcome_of(self.pin)

	def test_the_end_of_the_campaign(self):
		self.claimed(end_date=in_days(0))
		with self.on(2):
			self.assertEqual(self.delivered(), ("Skipped", "Outside campaign dates"))

	def test_an_end_or_a_start_that_was_moved(self):
		for dates in ({"end_date": in_days(-1)}, {"start_date": in_days(1)}):
			with self.subTest(dates):
				self._reset()
				campaign = self.claimed()
				frappe.db.set_value("Lifecycle Campaign", campaign.name, dates)
				self.assertEqual(self.delivered(), ("Skipped", "Outside campaign dates"))
				frappe.db.set_value("Lifecycle Campaign", campaign.name, dict.fromkeys(dates))
				self.night(1)
				self.assertEqual(self.outcome_of(self.pin), ("Queued", None))

	def test_on_the_last_day_it_is_sent(self):
		self.claimed(end_date=in_days(0))
		self.assertEqual(self.delivered(), ("Queued", None))

	def test_what_a_run_takes_after_the_end_is_not_sent(self):
		"""The night before is taken once more, and missed nights are made up for: but not after the campaign's end."""
		factories.campaign(end_date=in_days(1))
		self.night(0)
		pin = factories.pin(factories.customer(), in_days(31))
		self.night(2)
		self.assertEqual(self.outcome_of(pin), ("Skipped", "Outside campaign dates"))

	def test_company_item_group_and_filters_of_the_trigger(self):
		other = factories.item_group("Test Other")
		filters = frappe.as_json([["Serial No", "item_code", "!=", factories.ITEM]])
		for doctype, change in (
			("Lifecycle Campaign", {"company": factories.second_company()}),
			("Lifecycle Trigger", {"item_group": other}),
			("Lifecycle Trigger", {"filters": filters}),
		):
			with self.subTest(change):
				self._reset()
				campaign = self.claimed()
				field = "name" if doctype == "Lifecycle Campaign" else "campaign"
				frappe.db.set_value(doctype, {field: campaign.name}, change)
				self.assertEqual(self.delivered(), ("Skipped", "No longer matches"))


def not_delivered():
	"""What is claimed in the block waits for its job."""
	return patch.object(deliver, "enqueue")
