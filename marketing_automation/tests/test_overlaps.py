"""Who hears from one campaign and from another within a week is named before anything leaves, and on the run's record."""

import frappe

from marketing_automation import api
from marketing_automation.engine import overlap
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, statements
from marketing_automation.tests.factories import in_days


class TestOverlaps(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.ana, self.luis, self.mia = (
			factories.customer(factories.unique(f"Test {name}")) for name in ("Ana", "Luis", "Mia")
		)
		self.names = {
			customer: frappe.db.get_value("Customer", customer, "customer_name")
			for customer in (self.ana, self.luis, self.mia)
		}
		self.renewal = factories.campaign(campaign_name=factories.unique("Test Renewal"))

	def other(self, *triggers: dict, **fields):
		"""Return another campaign, on the other date of a pin: what is due by it is known apart."""
		return factories.campaign(
			*(
				{"date_field": "amc_expiry_date", "days_offset": 0, "trigger_type": "On", **one}
				for one in triggers or ({},)
			),
			campaign_name=factories.unique("Test Upgrade"),
			**fields,
		)

	def due(self, customer: str, renewal: int | None = None, other: int | None = None) -> None:
		"""Make a pin of which the renewal is due in so many days, and one of the other campaign."""
		if renewal is not None:
			factories.pin(customer, in_days(30 + renewal))
		if other is not None:
			factories.pin(customer, in_days(other), date_field="amc_expiry_date")

	def found(self, *names, campaign=None) -> list[dict]:
		return [
			{"campaign": campaign, "customers": len(names), "examples": [self.names[name] for name in names]}
		]

	def test_a_preview_names_who_hears_from_another_campaign_within_a_week(self):
		other = self.other()
		for customer, days in ((self.ana, 0), (self.luis, 7), (self.mia, 8)):
			self.due(customer, 0, days)
		both = sorted([self.ana, self.luis])
		found = api.preview(self.renewal.name)["overlaps"]
		self.assertEqual(found, self.found(*both, campaign=other.name))
		self.assertEqual(api.run_preview(self.renewal.name)["overlaps"], found)
		# From the other side: at the end of a week only Luis, who is due then.
		self.assertEqual(
			api.preview(other.name, str(in_days(7)))["overlaps"],
			self.found(self.luis, campaign=self.renewal.name),
		)
		self.assertEqual(api.preview(other.name, str(in_days(8)))["overlaps"], [])

	def test_days_to_come_are_looked_at_in_both_directions(self):
		other = self.other()
		self.due(self.ana, 30, 23)
		self.due(self.luis, 30, 37)
		self.due(self.mia, 30, 22)
		found = api.preview(self.renewal.name, str(in_days(30)))["overlaps"]
		self.assertEqual(found, self.found(*sorted([self.ana, self.luis]), campaign=other.name))

	def test_what_another_campaign_has_sent_counts_for_a_week(self):
		other = self.other()
		self.due(self.ana, 7, 0)
		self.due(self.luis, 8, 0)
		self.run_night(other.name)
		# Renewed since: nothing is due by the other one any more.
		frappe.db.set_value("Serial No", {"amc_expiry_date": in_days(0)}, "amc_expiry_date", in_days(400))
		self.assertEqual(len(self.ledger(status="Queued")), 2)
		for days, customers in ((7, [self.ana]), (8, [])):
			with self.at(f"{in_days(days)} 09:00"):
				found = api.run_preview(self.renewal.name)["overlaps"]
				self.assertEqual(found, self.found(*customers, campaign=other.name) if customers else [])

	def test_what_it_has_not_sent_does_not(self):
		other = self.other()
		self.due(self.ana, 3, 0)
		self.run_night(other.name)
		frappe.db.set_value("Lifecycle Execution Log", {"campaign": other.name}, "status", "Skipped")
		with self.at(f"{in_days(3)} 09:00"):
			self.assertEqual(api.run_preview(self.renewal.name)["overlaps"], [])

	def test_what_colleagues_are_to_do_is_nothing_that_a_customer_hears(self):
		other = self.other()
		trigger = frappe.db.get_value("Lifecycle Trigger", {"campaign": other.name})
		template = factories.usual_template()
		call = {"action_type": "Create ToDo", "assign_to": "User", "user": "Administrator"}
		factories.action(trigger, template, **call)
		for mail in frappe.get_all("Lifecycle Action", {"trigger": trigger, "action_type": "Send Email"}):
			frappe.db.set_value("Lifecycle Action", mail.name, "enabled", 0)
		frappe.db.commit()
		self.due(self.ana, 0, 0)
		for campaign in (self.renewal.name, other.name):
			self.assertEqual(api.preview(campaign)["overlaps"], [])
			self.assertEqual(overlap.of_campaign(campaign), [])
		self.run_night()
		self.assertEqual(
			sorted((row.channel, row.status) for row in self.ledger()),
			[("Create ToDo", "Completed"), ("Send Email", "Queued")],
		)
		self.assertEqual(frappe.get_all("Lifecycle Run", pluck="overlaps"), [None])

	def test_campaigns_that_do_not_send_are_not_named(self):
		self.due(self.ana, 0, 0)
		self.other(active=False)
		self.other(start_date=in_days(8))
		self.other(end_date=in_days(-1))
		frappe.db.set_value("Lifecycle Trigger", {"campaign": self.other().name}, "enabled", 0)
		broken = self.other()
		frappe.db.set_value("Lifecycle Trigger", {"campaign": broken.name}, "date_field", "x_gone")
		self.assertEqual(api.preview(self.renewal.name)["overlaps"], [])

	def test_two_triggers_of_one_campaign_are_no_overlap(self):
		trigger = factories.trigger(self.renewal.name, days_offset=29)
		factories.action(trigger.name)
		frappe.db.set_value("Lifecycle Trigger", trigger.name, "enabled", 1)
		self.due(self.ana, 0)
		self.assertEqual(api.preview(self.renewal.name)["overlaps"], [])
		self.assertEqual(overlap.of_campaign(self.renewal.name), [])

	def test_of_all_campaigns_each_one_is_named(self):
		other = self.other()
		self.due(self.ana, 0, 3)
		self.due(self.luis, 0, 0)
		found = {row["campaign"]: row["customers"] for row in api.preview()["overlaps"]}
		# The other one writes to Luis today and to Ana in three days; of those whom it writes to today, the first to one.
		self.assertEqual(found, {other.name: 2, self.renewal.name: 1})
		found = {row["campaign"]: row["customers"] for row in api.run_preview()["overlaps"]}
		self.assertEqual(found, {other.name: 2, self.renewal.name: 1})

	def test_those_who_are_not_told_are_not_counted(self):
		self.other()
		mute = factories.customer(email=None)
		self.due(mute, 0, 0)
		self.assertEqual(api.preview(self.renewal.name)["overlaps"], [])

	def test_activation_says_it(self):
		other = self.other()
		frappe.db.set_value("Lifecycle Campaign", self.renewal.name, "is_active", 0)
		self.due(self.ana, 5, 12)
		self.due(self.luis, 5, 13)
		self.due(self.mia, 9, 9)
		frappe.clear_messages()
		doc = frappe.get_doc("Lifecycle Campaign", self.renewal.name)
		doc.is_active = 1
		doc.save()
		text = str(frappe.message_log)
		self.assertIn(other.name, text)
		self.assertIn(self.names[self.ana], text)
		self.assertNotIn(self.names[self.mia], text)
		frappe.clear_messages()
		doc.save()
		self.assertEqual(frappe.message_log, [], "only what is switched on is asked about")

	def test_who_is_asked_before_activating_reads_it_in_the_question_and_only_there(self):
		other = self.other()
		frappe.db.set_value("Lifecycle Campaign", self.renewal.name, "is_active", 0)
		self.due(self.ana, 5, 12)
		self.due(self.mia, 9, 9)
		found = api.activation(self.renewal.name)["overlaps"]
		self.assertEqual(
			found, [{"campaign": other.name, "customers": 1, "examples": [self.names[self.ana]]}]
		)
		frappe.clear_messages()
		modified = frappe.db.get_value("Lifecycle Campaign", self.renewal.name, "modified")
		self.assertTrue(api.activate(self.renewal.name, str(modified))["activated"])
		self.assertEqual(frappe.message_log, [])

	def test_a_run_notes_whom_others_write_to_that_night_or_have_in_the_week_before(self):
		other = self.other()
		self.due(self.ana, 3, 0)
		self.due(self.luis, 0, 0)
		self.due(self.mia, 8, 0)
		run = self.run_night()
		self.assertIn(f"1 customer also hears from the campaign {other.name} within 7 days", run.overlaps)
		self.assertIn(self.names[self.luis], run.overlaps)
		self.assertIn(self.renewal.name, run.overlaps)
		for days, name in ((3, self.names[self.ana]), (8, None)):
			with self.at(f"{in_days(days)} 01:00"):
				run = self.run_night()
				if name:
					self.assertIn(name, run.overlaps)
				else:
					self.assertIsNone(run.overlaps)

	def test_a_site_with_one_campaign_pays_nothing_for_it(self):
		self.due(self.ana, 0)
		with statements() as seen:
			run = self.run_night()
		self.assertIsNone(run.overlaps)
		self.assertFalse([text for text in seen if "with mine as" in text])

	def test_it_costs_the_same_for_any_number_of_customers(self):
		self.other()
		self.other()
		counts = []
		for more in (1, 9):
			for _ in range(more):
				self.due(factories.customer(), 0, 1)
			# What is read once and kept is none of it.
			api.preview(self.renewal.name)
			with statements() as seen:
				found = api.preview(self.renewal.name)["overlaps"]
			counts.append(len(seen))
		self.assertEqual([row["customers"] for row in found], [10, 10])
		self.assertEqual([len(row["examples"]) for row in found], [overlap.EXAMPLES] * 2)
		self.assertEqual(counts[0], counts[1])

	def test_a_user_reads_only_of_campaigns_that_they_may_see(self):
		hidden = self.other(company=factories.company())
		self.due(self.ana, 0, 0)
		self.assertEqual(len(api.preview(self.renewal.name)["overlaps"]), 1)
		frappe.db.set_value("Lifecycle Campaign", hidden.name, "company", factories.second_company())
		frappe.set_user(factories.user("Marketing User", sees={"Company": factories.company()}))
		self.assertNotIn(hidden.name, str(api.preview(self.renewal.name)))
		self.assertNotIn(hidden.name, str(overlap.of_campaign(self.renewal.name)))
