"""A campaign can be for a purchase, an order, a payment: who has got there is left in peace, and a broken goal is named."""

from datetime import date
from unittest.mock import patch

import frappe

from marketing_automation.api import goals as goals_of_form
from marketing_automation.desk import health
from marketing_automation.engine import deliver, ledger, reached
from marketing_automation.engine.goals import Asked, Goal, all_goals
from marketing_automation.engine.model import Reached
from marketing_automation.patches import goal_of_renewals
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, replaced_hooks, statements

SKIPPED = ("Skipped", "Goal reached")
SENT = ("Queued", None)


class Loyal:
	"""A goal of another app: reached by some customers."""

	label = "Loyal"
	fields = ()
	asked: list = []
	customers: set = set()

	def fits(self, source: str) -> bool:
		return source == "Serial No"

	def validate(self, campaign) -> None:
		pass

	def reached(self, asked: list[Asked], night: date) -> dict[int, Reached]:
		self.asked.append(len(asked))
		return {
			index: Reached("Customer", one.customer, night)
			for index, one in enumerate(asked)
			if one.customer in self.customers
		}


class Broken(Loyal):
	def reached(self, asked: list[Asked], night: date) -> dict[int, Reached]:
		frappe.db.sql("select no_such_column from `tabCustomer`")


LOYAL, BROKEN = Loyal(), Broken()


class GoalTestCase(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.customer = factories.customer()

	def hooked(self, **goals: str) -> None:
		"""Have an app with these goals, {key: name in this module}, beside our own, until the test ends."""
		ours = frappe.get_hooks("lifecycle_goals")
		added = {key: [f"{__name__}.{name}"] for key, name in goals.items()}
		self.enterContext(patch("frappe.get_hooks", replaced_hooks(lifecycle_goals={**ours, **added})))

	def posted(self, sale, days_ago: int):
		sale.db_set("posting_date", factories.in_days(-days_ago), update_modified=False)
		return sale


class TestEachGoal(GoalTestCase):
	def test_each_keeps_the_contract(self):
		for key, goal in all_goals().items():
			with self.subTest(key):
				self.assertIsInstance(goal, Goal)
				self.assertTrue(goal.label)
				meta = frappe.get_meta("Lifecycle Campaign")
				self.assertEqual([field for field in goal.fields if not meta.has_field(field)], [])
				sources = ("Serial No", "Contract", "Subscription", "Quotation", "Sales Invoice")
				self.assertTrue(any(goal.fits(source) for source in sources))
				goal.validate(frappe._dict(name="Test", goal=key))

	def test_the_form_offers_them(self):
		self.assertEqual(
			{row["value"]: row["fields"] for row in goals_of_form()},
			{
				"Renewed": ["renewal_window", "renews_in_group"],
				"Bought": ["goal_item", "goal_item_group"],
				"Ordered": [],
				"Paid": [],
			},
		)

	def test_another_app_adds_one_by_a_line(self):
		self.hooked(Loyal="LOYAL")
		loyal, other = factories.customer(), self.customer
		LOYAL.customers.add(loyal)
		pins = [factories.pin(customer, factories.in_days(30)) for customer in (loyal, other)]
		factories.campaign(goal="Loyal")

		self.run_night()

		self.assertEqual([self.outcome_of(pin) for pin in pins], [SKIPPED, SENT])
		(row,) = self.ledger(status="Skipped")
		self.assertEqual((row.evidence_doctype, row.evidence_name), ("Customer", loyal))

	def test_it_is_asked_once_about_what_several_actions_are_about(self):
		self.hooked(Loyal="LOYAL")
		factories.pin(self.customer, factories.in_days(30))
		campaign = factories.campaign(goal="Loyal", active=False)
		factories.action(frappe.db.get_value("Lifecycle Trigger", {"campaign": campaign.name}))
		campaign.is_active = 1
		campaign.save()
		LOYAL.asked.clear()

		with patch.object(deliver, "enqueue", return_value=0):
			self.run_night()

		self.assertEqual(LOYAL.asked, [1])
		self.assertEqual(len(self.ledger()), 2)

	def test_it_is_not_asked_about_a_source_that_it_does_not_fit(self):
		with patch.object(Loyal, "fits", return_value=False):
			self.hooked(Loyal="LOYAL")
			LOYAL.customers.add(self.customer)
			pin = factories.pin(self.customer, factories.in_days(30))
			campaign = factories.campaign()
			campaign.db_set("goal", "Loyal")

			self.run_night()

		self.assertEqual(self.outcome_of(pin), SENT)


class TestABrokenGoal(GoalTestCase):
	def test_its_campaign_is_left_out_and_named_and_the_others_go_on(self):
		self.hooked(Broken="BROKEN")
		pin = factories.pin(self.customer, factories.in_days(30))
		sound, broken = factories.campaign(), factories.campaign(goal="Broken")

		run = self.run_night()

		self.assertEqual([(row.campaign, row.status) for row in self.ledger()], [(sound.name, "Queued")])
		self.assertEqual(run.status, "Failed")
		self.assertIn(broken.name, run.error)
		self.assertIn("The goal Loyal cannot be worked out", run.error)
		self.assertEqual(self.ledger()[0].reference_name, pin)
		self.assertIn(frappe.db.get_value("Lifecycle Trigger", {"campaign": broken.name}), run.left_out)

	def test_once_it_works_again_the_next_run_makes_up_for_it(self):
		pin = factories.pin(self.customer, factories.in_days(30))
		broken = factories.campaign()
		broken.db_set("goal", "Broken")
		self.hooked(Broken="BROKEN")
		self.run_night()
		self.assertEqual(self.ledger(), [])

		broken.db_set("goal", "")
		self.run_night()

		self.assertEqual(self.outcome_of(pin), SENT)

	def test_one_whose_app_is_gone_is_named(self):
		factories.pin(self.customer, factories.in_days(30))
		campaign = factories.campaign()
		campaign.db_set("goal", "Of An App")

		run = self.run_night()

		self.assertIn("No installed app has the goal Of An App", run.error)
		problems = [problem["text"] for problem in health.problems([campaign])]
		self.assertTrue([text for text in problems if "No installed app has the goal" in text], problems)
		self.assertEqual(self.ledger(), [])

	def test_an_item_that_is_gone_is_named(self):
		campaign = factories.campaign()
		campaign.db_set({"goal": "Bought", "goal_item": "TEST-GONE"})
		factories.pin(self.customer, factories.in_days(30))

		run = self.run_night()

		self.assertIn("The item TEST-GONE does not exist any more", run.error)

	def test_a_campaign_that_it_breaks_can_be_paused(self):
		campaign = factories.campaign()
		campaign.db_set("goal", "Of An App")
		campaign.reload()

		campaign.is_active = 0
		campaign.save()

		self.assertFalse(campaign.is_active)

	def test_what_was_claimed_before_it_broke_has_failed_and_says_why(self):
		pin = factories.pin(self.customer, factories.in_days(30))
		campaign = factories.campaign()
		with patch.object(deliver, "enqueue", return_value=0):
			self.run_night()
		campaign.db_set("goal", "Of An App")

		deliver.enqueue(ledger.pending({}))

		self.assertEqual(self.outcome_of(pin), ("Failed", "Trigger broken"))
		self.assertIn("No installed app has the goal", self.ledger()[0].error)

	def test_what_interrupts_a_worker_is_no_fault_of_a_goal(self):
		from marketing_automation.engine.faults import Faults

		self.hooked(Loyal="LOYAL")
		factories.pin(self.customer, factories.in_days(30))
		factories.campaign(goal="Loyal")
		with patch.object(Loyal, "reached", side_effect=frappe.QueryDeadlockError):
			with self.assertRaises(frappe.QueryDeadlockError):
				self.run_night()
		self.assertEqual(reached.marked([], date(2024, 1, 1), Faults()), [])


class TestWhatIsRefused(GoalTestCase):
	def test_a_goal_that_no_app_has(self):
		with self.refused("No installed app has the goal Nirvana"):
			factories.campaign(goal="Nirvana")

	def test_a_goal_that_the_triggers_cannot_reach(self):
		campaign = factories.campaign(active=False)
		campaign.goal = "Paid"
		with self.refused("The goal Paid cannot be reached", "Serial No"):
			campaign.save()

	def test_an_item_and_a_group(self):
		with self.refused("not both"):
			factories.campaign(
				goal="Bought", goal_item=factories.item(), goal_item_group=factories.item_group()
			)

	def test_a_window_longer_than_any(self):
		with self.refused("0 to 3650 days"):
			factories.campaign(goal="Renewed", renewal_window=3651)

	def test_a_copy_has_the_goal_too(self):
		campaign = factories.campaign(goal="Renewed", renewal_window=90, active=False)
		copy = campaign.duplicate(factories.unique("Test"))

		self.assertEqual((copy.goal, copy.renewal_window), ("Renewed", 90))


class TestBought(GoalTestCase):
	def campaign(self, **fields):
		return factories.campaign({"days_offset": 30}, {"days_offset": 7}, goal="Bought", **fields)

	def pin(self, **options) -> str:
		name = factories.pin(self.customer, factories.in_days(7), **options)
		self.posted(factories.sale_of(name), 300)
		return name

	def buys(
		self, item_code: str | None = None, days_ago: int = 3, doctype: str = "Sales Invoice", **options
	):
		item_code = item_code or factories.item("TEST-OTHER-PIN")
		sale = factories.sold(self.customer, factories.received(1, item_code), doctype, **options)
		return self.posted(sale, days_ago)

	def assert_outcome(self, outcome: tuple, **fields) -> None:
		pin = self.pin()
		self.campaign(**fields)
		self.run_night()
		self.assertEqual(self.outcome_of(pin), outcome)

	def test_any_purchase_since_the_campaigns_first_day_for_the_occurrence_reaches_it(self):
		sale = self.buys(days_ago=23)
		self.assert_outcome(SKIPPED)
		self.assertEqual(self.ledger()[0].evidence_name, sale.name)

	def test_one_from_before_does_not(self):
		self.buys(days_ago=24)
		self.assert_outcome(SENT)

	def test_the_pins_own_sale_does_not(self):
		pin = self.pin()
		self.posted(factories.sale_of(pin), 5)
		self.campaign()

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SENT)

	def test_a_delivery_note_does(self):
		self.buys(doctype="Delivery Note")
		self.assert_outcome(SKIPPED)

	def test_what_has_come_back_does_not(self):
		factories.returned(self.buys())
		self.assert_outcome(SENT)

	def test_what_has_been_cancelled_does_not(self):
		sale = self.buys()
		sale.reload()
		sale.cancel()
		self.assert_outcome(SENT)

	def test_what_somebody_else_has_bought_does_not(self):
		mine, self.customer = self.customer, factories.customer()
		self.buys()
		self.customer = mine
		self.assert_outcome(SENT)

	def test_where_it_is_an_item_that_item_does_and_no_other(self):
		wanted = factories.item("TEST-THIRD-PIN")
		self.buys()
		self.assert_outcome(SENT, goal_item=wanted)
		frappe.db.delete("Lifecycle Execution Log")
		frappe.db.delete("Lifecycle Campaign")
		self.buys(wanted)
		self.assert_outcome(SKIPPED, goal_item=wanted)

	def test_where_it_is_a_group_an_item_of_a_group_below_does(self):
		above = factories.item_group("Test Above", is_group=1)
		factories.item_group("Test Below", parent=above)
		self.buys(factories.item("TEST-BELOW-PIN", "Test Below"))
		self.assert_outcome(SKIPPED, goal_item_group=above)

	def test_where_it_is_a_group_an_item_of_another_does_not(self):
		other = factories.item_group("Test Elsewhere")
		self.buys()
		self.assert_outcome(SENT, goal_item_group=other)

	def test_the_queries_are_as_many_for_one_as_for_many(self):
		self.pin()
		self.buys()
		self.campaign()
		counts = []
		for _ in range(2):
			with statements() as seen:
				from marketing_automation.engine import plan, rules

				windows = plan.windows_for_day(rules.load(), frappe.utils.getdate())
				sum(len(page) for page in plan.plan(windows, frappe.utils.getdate()))
			counts.append(len(seen))
			for _ in range(3):
				self.pin()
				self.buys()

		self.assertEqual(counts[0], counts[1])


class TestTheUpgrade(GoalTestCase):
	def upgraded(self, *triggers: dict, **fields):
		campaign = factories.campaign(*triggers, **fields)
		frappe.db.sql("update `tabLifecycle Campaign` set goal = null where name = %s", campaign.name)
		goal_of_renewals.execute()
		return campaign.reload() or campaign

	def test_a_campaign_that_offers_renewals_has_the_goal_then_and_says_so(self):
		campaign = self.upgraded({"days_offset": 30}, {"days_offset": 0, "trigger_type": "On"})

		self.assertEqual(campaign.goal, "Renewed")
		comments = frappe.get_all(
			"Comment",
			filters={
				"reference_doctype": "Lifecycle Campaign",
				"reference_name": campaign.name,
				"comment_type": "Info",
			},
			pluck="content",
		)
		self.assertEqual(len([text for text in comments if "Renewed" in text]), 1)

	def test_one_that_writes_after_the_date_too_has_none(self):
		campaign = self.upgraded({"days_offset": 30}, {"days_offset": 3, "trigger_type": "After"})
		self.assertFalse(campaign.goal)

	def test_one_without_triggers_has_none(self):
		campaign = factories.make("Lifecycle Campaign", campaign_name=factories.unique("Test"))
		frappe.db.sql("update `tabLifecycle Campaign` set goal = null where name = %s", campaign.name)
		goal_of_renewals.execute()
		self.assertFalse(frappe.db.get_value("Lifecycle Campaign", campaign.name, "goal"))

	def test_run_again_it_changes_nothing_that_was_answered(self):
		campaign = self.upgraded()
		campaign.goal = ""
		campaign.save()

		goal_of_renewals.execute()

		self.assertFalse(frappe.db.get_value("Lifecycle Campaign", campaign.name, "goal"))
