"""May it go? The gate asks its checks about each message, at night and again right before it leaves."""

from datetime import date, datetime, timedelta
from types import SimpleNamespace
from unittest.mock import patch

import frappe
from frappe.utils import getdate, now_datetime

from marketing_automation import api
from marketing_automation.desk import health, insight, preview
from marketing_automation.engine import gate, ledger, retry, settle
from marketing_automation.engine.gate import At, Send, Skip, Wait
from marketing_automation.engine.model import Basis, Reason
from marketing_automation.engine.visibility import Visibility
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days

REASON = Reason.ON_HOLD


class FakeCheck:
	"""A check that answers what it is told, and remembers what it was asked. answer: of one message, by `Asked`."""

	label = "Fake"

	def __init__(self, answer=None, order: int = 400):
		self.answer = answer or (lambda one, at: None)
		self.order = order
		self.asked, self.locked = [], []

	def judge(self, asked, at):
		self.asked.append((len(asked), at.leaving))
		found = {index: self.answer(one, at) for index, one in enumerate(asked)}
		return {index: answer for index, answer in found.items() if answer}

	def lock(self, customers, purpose, at):
		self.locked.append(customers)

	def parts(self):
		return {}


def always(answer):
	return lambda one, at: answer


class GateTestCase(MarketingTestCase):
	def checked_by(self, *checks):
		"""Have the gate ask these and no others; for as long as the test runs, or as a `with` lasts."""
		named = {f"fake {number}": check for number, check in enumerate(checks)}
		return patch.object(gate, "checks", lambda: dict(sorted(named.items(), key=lambda e: e[1].order)))

	def due(self, **campaign):
		"""Return a campaign, and the customer who is due tonight."""
		customer = factories.customer()
		factories.pin(customer, in_days(30))
		return factories.campaign(**campaign), customer

	def only(self):
		(row,) = self.ledger()
		return row

	def later(self, **time):
		return self.at(str(now_datetime() + timedelta(**time))[:19])


class TestAnswers(GateTestCase):
	"""Which answer counts, of several."""

	def answers(self, *checks, leaving: bool = False, reaches: bool = True):
		asked = [SimpleNamespace(action={"action_type": "Send Email"})]
		with self.checked_by(*checks), patch.object(gate, "_reaches", lambda action_type: reaches):
			return gate.judge(asked, At(datetime(2026, 2, 28, 1), date(2026, 2, 28), leaving))[0]

	def test_a_message_that_no_check_minds_may_go(self):
		self.assertEqual(self.answers(FakeCheck()), Send())
		self.assertEqual(self.answers(), Send())

	def test_the_first_skip_in_the_order_wins(self):
		last, first = Skip(Reason.NO_BASIS), Skip(Reason.SUPPRESSED)
		self.assertEqual(
			self.answers(FakeCheck(always(last), 300), FakeCheck(always(first), 100)),
			first,
		)

	def test_a_skip_wins_over_a_wait_that_comes_first(self):
		wait, skip = Wait(datetime(2026, 3, 1), REASON), Skip(Reason.UNSUBSCRIBED)
		self.assertEqual(self.answers(FakeCheck(always(wait), 100), FakeCheck(always(skip), 200)), skip)

	def test_of_two_waits_the_later_one_counts(self):
		sooner = Wait(datetime(2026, 3, 1, 9), Reason.OUTSIDE_WINDOW)
		later = Wait(datetime(2026, 3, 4), REASON, ("Issue", "ISS-1"))
		for first, second in ((sooner, later), (later, sooner)):
			self.assertEqual(
				self.answers(FakeCheck(always(first), 100), FakeCheck(always(second), 200)), later
			)

	def test_the_basis_is_kept_while_it_waits_for_nothing(self):
		send = Send(Basis.OPT_IN, ("Lifecycle Consent", "1"))
		self.assertEqual(self.answers(FakeCheck(always(send), 300), FakeCheck(order=400)), send)

	def test_what_is_rationed_is_not_given_to_what_waits_when_it_leaves(self):
		wait = FakeCheck(always(Wait(datetime(2026, 3, 1), REASON)), 400)
		for leaving, times in ((False, 1), (True, 0)):
			cap = FakeCheck(order=gate.RATIONING)
			self.answers(wait, cap, leaving=leaving)
			self.assertEqual(len(cap.asked), times)

	def test_what_reaches_no_customer_is_not_asked_about(self):
		check = FakeCheck(always(Skip(Reason.UNSUBSCRIBED)))
		self.assertEqual(self.answers(check, reaches=False), Send())
		self.assertEqual(check.asked, [])

	def test_a_check_that_raises_has_its_messages_wait_and_the_others_judge(self):
		def broken(one, at):
			raise ValueError("no such table")

		answer = self.answers(FakeCheck(broken, 400))
		self.assertEqual(answer, Wait(datetime(2026, 2, 28, 2), Reason.CHECK_FAILED, words="Fake"))
		skip = Skip(Reason.SUPPRESSED)
		self.assertEqual(self.answers(FakeCheck(broken, 100), FakeCheck(always(skip), 500)), skip)

	def test_an_interruption_is_no_fault_of_the_check(self):
		def interrupted(one, at):
			raise frappe.QueryDeadlockError

		with self.assertRaises(frappe.QueryDeadlockError):
			self.answers(FakeCheck(interrupted))


class TestWaiting(GateTestCase):
	"""What waits is a row of the ledger, and goes on when its time has come."""

	def setUp(self):
		super().setUp()
		self.until = now_datetime().replace(microsecond=0) + timedelta(hours=3)
		self.check = FakeCheck(
			lambda one, at: (
				Wait(self.until, REASON, ("Customer", one.recipient.customer))
				if at.now < self.until
				else None
			)
		)
		self.enterContext(self.checked_by(self.check))

	def test_a_night_writes_down_what_waits_and_until_when(self):
		campaign, customer = self.due()
		night = self.run_night()
		row = self.only()
		self.assertEqual(
			(row.status, row.reason, row.due_at, row.evidence_name, row.attempts, row.executed_at),
			("Waiting", REASON, self.until, customer, 0, None),
		)
		self.assertEqual(self.mails(), [])
		self.assertEqual((night.status, night.waiting, night.pending), ("Completed", 1, 0))
		counts = insight.journey(campaign.name, Visibility())[0]["actions"][0]["counts"]
		self.assertEqual(counts["Waiting"], 1)

	def test_it_leaves_when_its_time_has_come_and_not_before(self):
		self.due()
		self.run_night()
		settle.settle()
		self.assertEqual(self.only().status, "Waiting")
		with self.later(hours=4):
			settle.settle()
		row = self.only()
		self.assertEqual((row.status, row.reason, row.evidence_name), ("Queued", None, None))
		self.assertEqual(len(self.mails()), 1)
		self.assertEqual(row.attempts, 1)

	def test_a_tick_that_was_missed_for_days_loses_nothing(self):
		self.due()
		self.run_night()
		with self.later(days=3):
			settle.settle()
		self.assertEqual(self.only().status, "Queued")

	def test_it_is_asked_again_right_before_it_leaves(self):
		self.due()
		self.run_night()
		self.check.answer = always(Skip(Reason.UNSUBSCRIBED))
		with self.later(hours=4):
			settle.settle()
		row = self.only()
		self.assertEqual((row.status, row.reason), ("Skipped", Reason.UNSUBSCRIBED))
		self.assertEqual(self.check.asked[-1], (1, True))
		self.assertEqual(self.mails(), [])

	def test_it_can_be_told_to_wait_again(self):
		self.due()
		self.run_night()
		self.until += timedelta(hours=20)
		with self.later(hours=4):
			settle.settle()
			row = self.only()
		self.assertEqual((row.status, row.due_at, row.attempts), ("Waiting", self.until, 0))

	def test_what_the_customers_are_counted_by_is_locked_before_the_rows_are(self):
		_campaign, customer = self.due()
		self.run_night()
		self.assertEqual(self.check.locked, [])
		with self.later(hours=4):
			settle.settle()
		self.assertEqual(self.check.locked, [{customer}])

	def test_a_second_night_does_not_write_it_again(self):
		self.due()
		self.run_night()
		self.run_night()
		self.assertEqual(self.only().status, "Waiting")

	def test_a_paused_campaign_goes_on_where_it_was(self):
		campaign, _customer = self.due()
		self.run_night()
		campaign.reload()
		campaign.is_active = 0
		campaign.save()
		with self.later(hours=4):
			settle.settle()
			self.assertEqual(self.only().status, "Waiting")
			campaign.is_active = 1
			campaign.save()
			settle.settle()
		self.assertEqual(self.only().status, "Queued")

	def test_what_is_too_late_when_the_campaign_goes_on_is_skipped(self):
		campaign, _customer = self.due()
		self.run_night()
		frappe.db.set_value("Lifecycle Campaign", campaign.name, "is_active", 0)
		with self.at(f"{in_days(40)} 09:00"):
			settle.settle()
			frappe.db.set_value("Lifecycle Campaign", campaign.name, "is_active", 1)
			settle.settle()
		row = self.only()
		self.assertEqual((row.status, row.reason), ("Skipped", "Date passed"))

	def test_weeks_after_its_moment_a_message_about_today_is_missed(self):
		customer = factories.customer()
		factories.pin(customer, in_days(0))
		factories.campaign({"trigger_type": "On", "days_offset": 0})
		self.run_night()
		self.assertEqual(self.only().status, "Waiting")
		for days, status in ((6, "Queued"), (9, "Skipped")):
			with self.subTest(days), self.at(f"{in_days(days)} 09:00"):
				frappe.db.set_value(
					ledger.DOCTYPE, {}, {"status": "Waiting", "due_at": self.until, "handle": None}
				)
				settle.settle()
				self.assertEqual(self.only().status, status)
		self.assertEqual(self.only().reason, "Missed")

	def test_what_returns_while_it_waits_is_skipped(self):
		_campaign, customer = self.due()
		self.run_night()
		frappe.db.set_value("Customer", customer, "disabled", 1)
		with self.later(hours=4):
			settle.settle()
		self.assertEqual(self.only().reason, Reason.CUSTOMER_DISABLED)

	def test_the_customers_key_is_held_while_it_waits(self):
		customer = factories.customer()
		factories.pin(customer, in_days(30))
		factories.pin(customer, in_days(30))
		factories.campaign(duplicate_policy="Once per customer")
		self.run_night()
		self.assertEqual(
			sorted((row.status, row.reason) for row in self.ledger()),
			[("Skipped", "Already sent"), ("Waiting", REASON)],
		)

	def test_those_of_one_message_wait_and_leave_together(self):
		customer = factories.customer()
		for _ in range(3):
			factories.pin(customer, in_days(30))
		factories.campaign(duplicate_policy="Once per customer", combine_messages=1)
		self.run_night()
		self.assertEqual([row.status for row in self.ledger()], ["Waiting"] * 3)
		with self.later(hours=4):
			settle.settle()
		self.assertEqual({row.status for row in self.ledger()}, {"Queued"})
		self.assertEqual(len(self.mails()), 1)

	def test_the_preview_says_that_it_is_sent_and_when(self):
		campaign, _customer = self.due()
		found = preview.of_day([campaign.name], getdate(), Visibility())
		self.assertEqual((found["counts"]["send"], found["counts"]["wait"]), (1, 1))
		(row,) = found["rows"]
		self.assertEqual((row["outcome"], row["due_at"], row["reason"]), ("send", self.until, REASON))

	def test_the_forecast_counts_it_by_the_day_on_which_it_may_leave(self):
		campaign, _customer = self.due()
		today = str(getdate())
		found = api.forecast(campaign.name, 3)
		self.assertEqual((found["days"], found["waiting"]), ({today: 1}, {}))
		self.run_night()
		found = api.forecast(campaign.name, 3)
		self.assertEqual((found["days"], found["waiting"]), ({}, {str(self.until.date()): 1}))
		self.until = now_datetime() - timedelta(days=2)
		frappe.db.set_value(ledger.DOCTYPE, self.only().name, "due_at", self.until)
		found = api.forecast(campaign.name, 3)
		self.assertEqual(found["waiting"], {today: 1}, "what is late leaves next")

	def test_why_says_until_when(self):
		campaign, customer = self.due()
		(step,) = insight.why_customer(customer, [campaign.name], Visibility())["coming"]
		self.assertEqual(step["state"], insight.COMING)
		self.assertIn("On hold", step["why"])
		self.run_night()
		(row,) = insight.why_customer(customer, [campaign.name], Visibility())["history"]
		self.assertEqual((row.status, row.due_at), ("Waiting", self.until))


class TestSkipping(GateTestCase):
	def test_why_names_the_reason_of_a_check_and_its_document(self):
		campaign, customer = self.due()
		with self.checked_by(FakeCheck(always(Skip(Reason.NO_BASIS, ("Customer", customer))))):
			(step,) = insight.why_customer(customer, [campaign.name], Visibility())["coming"]
			self.assertEqual((step["state"], step["evidence_name"]), (insight.STOPPED, customer))
			self.run_night()
		row = self.only()
		self.assertEqual((row.status, row.reason, row.evidence_name), ("Skipped", "No basis", customer))

	def test_it_is_sent_after_all_when_its_reason_has_passed(self):
		self.due()
		with self.checked_by(FakeCheck(always(Skip(Reason.NO_BASIS)))):
			self.run_night()
			before = self.only()
			self.run_night()
			# Looked at again, and as it was.
			self.assertEqual(self.only(), before)
		with self.checked_by():
			self.run_night()
		self.assertEqual((self.only().status, self.only().reason), ("Queued", None))

	def test_by_hand_it_goes_or_waits_as_the_checks_say(self):
		self.due()
		with self.checked_by(FakeCheck(always(Skip(Reason.UNSUBSCRIBED)))):
			self.run_night()
			name = self.only().name
			self.assertEqual(retry.send_skipped([name]), {Reason.UNSUBSCRIBED: 1})
		until = now_datetime() + timedelta(hours=2)
		with self.checked_by(FakeCheck(always(Wait(until, REASON)))):
			self.assertEqual(retry.send_skipped([name]), {"Pending": 1})
		self.assertEqual(self.only().status, "Waiting")

	def test_the_basis_of_what_was_sent_is_kept(self):
		_campaign, customer = self.due()
		send = Send(Basis.EXISTING_CUSTOMER, ("Customer", customer))
		with self.checked_by(FakeCheck(always(send))):
			self.run_night()
		row = self.only()
		self.assertEqual(
			(row.status, row.basis, row.evidence_doctype, row.evidence_name),
			("Queued", "Existing customer", "Customer", customer),
		)


class TestAFailingCheck(GateTestCase):
	def setUp(self):
		super().setUp()
		self.addCleanup(self.forget)
		self.forget()

	def forget(self):
		frappe.cache().delete_value(gate._FAILURE + "fake 0")

	def test_it_is_named_and_what_it_judges_waits_an_hour(self):
		def broken(one, at):
			raise ValueError("no such column")

		self.due()
		with self.checked_by(FakeCheck(broken)):
			self.run_night()
			row = self.only()
			self.assertEqual((row.status, row.reason), ("Waiting", Reason.CHECK_FAILED))
			self.assertTrue(timedelta(minutes=55) < row.due_at - now_datetime() <= timedelta(hours=1))
			texts = [problem["text"] for problem in health.problems([])]
			self.assertTrue(any("The check Fake cannot" in text for text in texts), texts)
			self.assertEqual(row.error, "Fake")
			settle.settle()
			self.assertTrue(frappe.db.exists("Error Log", {"method": ["like", "%The check fake 0 failed%"]}))
		with self.checked_by(), self.later(hours=2):
			settle.settle()
		self.assertEqual((self.only().status, self.only().error), ("Queued", None))
