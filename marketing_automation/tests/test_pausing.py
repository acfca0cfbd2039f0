"""A campaign is paused at once, whatever has changed meanwhile; it is activated only as its marketer has seen it."""

import frappe

from marketing_automation import api
from marketing_automation.desk import preview as previews
from marketing_automation.engine.model import Reason
from marketing_automation.engine.visibility import Visibility
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days


def change_elsewhere(campaign) -> None:
	other = frappe.get_doc(campaign.doctype, campaign.name)
	other.description = factories.unique("Changed elsewhere")
	other.save()


def is_active(campaign) -> int:
	return frappe.db.get_value(campaign.doctype, campaign.name, "is_active")


class TestPausing(MarketingTestCase):
	def test_it_is_paused_also_by_who_has_not_seen_the_last_change(self):
		campaign = factories.campaign()
		change_elsewhere(campaign)
		frappe.set_user(factories.user("Marketing User"))
		self.assertEqual(api.pause(campaign.name)["on_its_way"], 0)
		self.assertEqual(is_active(campaign), 0)

	def test_it_says_how_many_were_on_their_way(self):
		campaign = factories.campaign()
		for _twice in range(2):
			factories.pin(factories.customer(), in_days(30))
		self.run_night()
		self.assertEqual(api.pause(campaign.name)["on_its_way"], 2)

	def test_what_stands_in_the_way_of_a_change_does_not_stand_in_the_way_of_a_pause(self):
		campaign = factories.campaign()
		campaign.db_set("company", "A company that is gone")
		api.pause(campaign.name)
		self.assertEqual(is_active(campaign), 0)

	def test_who_may_only_read_it_cannot_pause_it(self):
		campaign = factories.campaign(company=factories.second_company())
		frappe.set_user(factories.user("Marketing User", sees={"Company": factories.company()}))
		with self.refused(error=frappe.PermissionError):
			api.pause(campaign.name)
		self.assertEqual(is_active(campaign), 1)


class TestActivating(MarketingTestCase):
	def test_it_says_first_what_the_night_will_bring(self):
		campaign = factories.campaign({}, {"days_offset": 7}, active=False, combine_messages=1)
		# One mail for each trigger: what has its own words is not put together.
		ana = factories.customer()
		factories.pins(ana, in_days(30), in_days(30), in_days(7))
		factories.pin(factories.customer(email=None), in_days(30))
		found = api.activation(campaign.name)
		self.assertEqual(
			{key: found["counts"][key] for key in ("send", "mails", "products", "skip")},
			{"send": 3, "mails": 2, "products": 3, "skip": 1},
		)
		self.assertEqual(found["reasons"], {Reason.NO_ADDRESS: 1})
		self.assertEqual((is_active(campaign), self.ledger()), (0, []))

	def test_it_is_the_night_that_comes_next_and_what_is_due_until_then(self):
		campaign = factories.campaign(active=False)
		# In 30, 31 and 32 days from then. They are sold today: ERPNext's books are not open for days so far ahead.
		today, tomorrow, _later = (
			factories.pin(factories.customer(), day) for day in ("2027-04-09", "2027-04-10", "2027-04-11")
		)
		with self.at("2027-03-10 12:00:00"):
			found = previews.of_activation(campaign.name, Visibility())
			self.assertEqual(str(found["night"]), "2027-03-11")
			self.assertEqual({row["reference_name"] for row in found["rows"]}, {today, tomorrow})
		with self.at("2027-03-10 00:30:00"):
			self.assertEqual(str(previews.of_activation(campaign.name, Visibility())["night"]), "2027-03-10")

	def test_the_night_then_does_what_was_said(self):
		campaign = factories.campaign(active=False, combine_messages=1)
		factories.pins(factories.customer(), in_days(30), in_days(30))
		said = api.activation(campaign.name)["counts"]
		api.activate(campaign.name, str(campaign.modified))
		run = self.run_night()
		progress = api.run_progress(run.name)
		self.assertEqual(
			(progress["mails"], progress["products"]), (said["mails"], {"Queued": said["products"]})
		)
		self.assertEqual((progress["mails"], progress["products"]), (1, {"Queued": 2}))

	def test_one_that_would_send_nothing_is_refused_before_anyone_is_asked(self):
		campaign = factories.make("Lifecycle Campaign", campaign_name=factories.unique("Test"))
		with self.refused("no enabled trigger"):
			api.activation(campaign.name)

	def test_one_that_was_changed_since_it_was_seen_is_not_activated(self):
		campaign = factories.campaign(active=False)
		seen = str(campaign.modified)
		change_elsewhere(campaign)
		found = api.activate(campaign.name, seen)
		self.assertEqual((found["activated"], found["changed_by"]), (False, "Administrator"))
		self.assertEqual(is_active(campaign), 0)
		campaign.reload()
		self.assertTrue(api.activate(campaign.name, str(campaign.modified))["activated"])
		self.assertEqual(is_active(campaign), 1)
