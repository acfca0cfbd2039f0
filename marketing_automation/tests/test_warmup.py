"""A domain that has not sent before begins with few mails a day, however many workers there are."""

from datetime import date, timedelta
from unittest.mock import patch

import frappe
from frappe.utils import getdate

from marketing_automation import api
from marketing_automation.channels.email import channel as email
from marketing_automation.engine import deliver, settle, warmup
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.engine.warmup import Plan, allowed
from marketing_automation.tests import factories, test_frequency_cap
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days


class TestPlan(MarketingTestCase):
	def numbers(self, plan: Plan, days: int) -> list[int | None]:
		return [allowed(plan, plan.start + timedelta(days=day)) for day in range(days)]

	def test_it_grows_each_day_until_a_day_may_have_enough(self):
		self.assertEqual(
			self.numbers(Plan("", date(2028, 2, 27), 50, 100, 300), 5), [50, 100, 200, None, None]
		)
		self.assertEqual(self.numbers(Plan("", date(2028, 2, 27), 300, 100, 300), 2), [None, None])

	def test_nothing_leaves_before_it_begins(self):
		plan = Plan("", date(2028, 3, 1), 50, 30, 1000)
		self.assertEqual(allowed(plan, date(2028, 2, 29)), 0)
		self.assertEqual(allowed(plan, date.min), 0)

	def test_without_growth_it_stays_and_however_long_it_is_worked_out_at_once(self):
		self.assertEqual(allowed(Plan("", date.min, 50, 0, 1000), date.max), 50)
		self.assertIsNone(allowed(Plan("", date.min, 50, 1, 10_000_000), date.max))

	def test_whose_mails_are_counted(self):
		self.assertTrue(warmup.is_of(Plan("", getdate(), 1, 1, 2), None))
		self.assertTrue(warmup.is_of(Plan("shop.example", getdate(), 1, 1, 2), "Shop.example"))
		self.assertFalse(warmup.is_of(Plan("shop.example", getdate(), 1, 1, 2), "another.example"))


class WarmupTestCase(MarketingTestCase):
	def campaign(self, *triggers, **fields):
		return factories.campaign(*triggers, **fields)

	def tick(self) -> None:
		frappe.db.commit()
		settle.settle()

	def warm_up(self, first: int, growth: int = 100, most: int = 1000, start: date | None = None, **fields):
		frappe.get_single(SETTINGS).update(
			{
				"warmup_start": start or in_days(0),
				"warmup_first": first,
				"warmup_growth": growth,
				"warmup_most": most,
				**fields,
			}
		).save()
		frappe.db.commit()

	def due(self, count: int) -> None:
		for _ in range(count):
			factories.pin(factories.customer(), in_days(30))

	def statuses(self) -> list[tuple]:
		return sorted((row.status, row.reason) for row in self.ledger())

	def counted(self) -> int:
		return warmup._counted(frappe.db.get_singles_dict(SETTINGS), getdate())


class TestWarmup(WarmupTestCase):
	WAITS = ("Waiting", "Warm-up")

	def test_without_a_plan_all_leave_and_nothing_is_counted(self):
		self.due(3)
		self.campaign()
		self.run_night()
		self.assertEqual(self.statuses(), [("Queued", None)] * 3)
		self.assertEqual(self.counted(), 0)

	def test_what_finds_no_room_waits_until_the_next_day_and_says_why(self):
		self.warm_up(2)
		self.due(5)
		self.campaign()
		self.run_night()
		self.assertEqual(self.statuses(), [("Queued", None)] * 2 + [self.WAITS] * 3)
		self.assertEqual({row.due_at.date() for row in self.ledger(status="Waiting")}, {in_days(1)})
		self.assertEqual((self.counted(), len(self.mails())), (2, 2))

	def test_the_next_day_has_more_room(self):
		self.warm_up(1, growth=200)
		self.due(5)
		self.campaign()
		self.run_night()
		# What has not left by then is taken back, and handed over once more.
		self.mail_sent()
		with self.at(f"{in_days(1)} 00:10"):
			self.tick()
			self.assertEqual(self.statuses(), [("Completed", None), *[("Queued", None)] * 3, self.WAITS])
			self.mail_sent()
		with self.at(f"{in_days(2)} 00:10"):
			self.tick()
			self.assertNotIn("Waiting", [row.status for row in self.ledger()])

	def test_nothing_leaves_before_the_first_day(self):
		self.warm_up(5, start=in_days(3))
		self.due(2)
		self.campaign()
		self.run_night()
		self.assertEqual(self.statuses(), [self.WAITS] * 2)
		self.assertEqual({row.due_at.date() for row in self.ledger()}, {in_days(3)})

	def test_what_leaves_together_counts_once(self):
		self.warm_up(1)
		factories.pins(factories.customer(), in_days(30), in_days(30))
		self.campaign(combine_messages=1)
		self.run_night()
		self.assertEqual(self.statuses(), [("Queued", None)] * 2)
		self.assertEqual(self.counted(), 1)

	def test_mails_of_another_domain_are_not_counted(self):
		self.email_account("news@new.example")
		self.warm_up(1, warmup_domain="new.example")
		self.due(2)
		usual, new = self.campaign(), self.campaign(sender="news@new.example")
		self.run_night()
		by_campaign = {
			name: sorted(row.status for row in self.ledger(campaign=name)) for name in (usual.name, new.name)
		}
		self.assertEqual(by_campaign, {usual.name: ["Queued"] * 2, new.name: ["Queued", "Waiting"]})
		self.assertEqual(self.counted(), 1)

	def test_what_reaches_no_customer_is_not_counted(self):
		self.warm_up(1)
		self.due(2)
		campaign = self.campaign(active=False)
		action = frappe.get_doc("Lifecycle Action", {"campaign": campaign.name})
		action.update({"action_type": "Create ToDo", "assign_to": "User", "user": "Administrator"}).save()
		campaign.update({"is_active": 1}).save()
		self.run_night()
		self.assertEqual({row.status for row in self.ledger()}, {"Completed"})

	def test_a_batch_that_fails_gives_its_room_back(self):
		self.warm_up(2)
		self.due(2)
		self.campaign()
		insert = email.email_queue.insert
		broken = patch.object(
			email.email_queue, "insert", side_effect=[RuntimeError("x"), *[RuntimeError("x")] * 4]
		)
		with broken:
			try:
				self.run_night()
			except RuntimeError:
				frappe.db.rollback()
		self.assertEqual(self.counted(), 0)
		self.assertIs(email.email_queue.insert, insert)

	def test_the_preview_says_what_would_wait(self):
		self.warm_up(1)
		self.due(3)
		campaign = self.campaign()
		frappe.db.commit()
		preview = api.preview(campaign.name)
		self.assertIn("Warm-up", frappe.as_json(preview))
		self.assertEqual(self.counted(), 0)

	def test_the_count_is_not_for_forms_to_change(self):
		self.warm_up(1)
		settings = frappe.get_single(SETTINGS)
		settings.update({"warmup_counted": '{"2028-01-01": 0}'}).save()
		self.assertFalse(frappe.db.get_singles_dict(SETTINGS).get("warmup_counted"))

	def test_numbers_and_names_that_make_no_sense_are_refused(self):
		for values in (
			{"warmup_first": 0},
			{"warmup_growth": -1},
			{"warmup_most": 0},
			{"warmup_domain": "no domain"},
			{"dkim_selectors": "a b/c"},
		):
			with self.subTest(values), self.assertRaises(frappe.ValidationError):
				frappe.get_single(SETTINGS).update({"warmup_start": in_days(0), **values}).save()


class TestTwoWorkers(WarmupTestCase):
	deliver_at_once = test_frequency_cap.TestTwoWorkers._deliver_at_once

	def test_together_they_take_no_more_than_there_is(self):
		self.warm_up(5)
		self.due(8)
		names = [self.campaign().name for _ in range(2)]
		with patch.object(deliver, "enqueue"):
			self.run_night()
		frappe.db.set_value(
			"Lifecycle Execution Log", {"status": "Waiting"}, {"status": "Pending", "reason": None}
		)
		jobs = [[row.name for row in self.ledger(campaign=name)] for name in names]
		self.assertEqual([len(job) for job in jobs], [8, 8])
		self.deliver_at_once(*jobs)
		statuses = [row.status for row in self.ledger()]
		self.assertEqual((statuses.count("Queued"), statuses.count("Waiting")), (5, 11))
		self.assertEqual((len(self.mails()), self.counted()), (5, 5))
