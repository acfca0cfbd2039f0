"""A trigger that nobody names is named by what it waits for, in the language of its marketer."""

import frappe

from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase


def name_of(trigger) -> str:
	return frappe.db.get_value(trigger.doctype, trigger.name, "trigger_name")


class TestTriggerNames(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.campaign = factories.campaign(active=False).name

	def made(self, **fields):
		return factories.trigger(self.campaign, **{"trigger_name": None, **fields})

	def test_it_says_when(self):
		for fields, name in (
			({"days_offset": 30}, "30 days before"),
			({"days_offset": 1}, "1 day before"),
			({"days_offset": 0}, "On the day"),
			({"trigger_type": "On", "days_offset": 0}, "On the day (2)"),
			({"trigger_type": "After", "days_offset": 1}, "1 day after"),
			({"trigger_type": "After", "days_offset": 14}, "14 days after"),
			({"days_offset": 5, "trigger_name": "  "}, "5 days before"),
		):
			with self.subTest(fields):
				self.assertEqual(name_of(self.made(**fields)), name)

	def test_each_of_a_campaign_has_its_own(self):
		names = [name_of(self.made()) for _thrice in range(3)]
		self.assertEqual(names, ["30 days before", "30 days before (2)", "30 days before (3)"])
		other = factories.trigger(factories.campaign(active=False).name, trigger_name="")
		self.assertEqual(name_of(other), "30 days before", "another campaign's do not count")

	def test_it_follows_the_days(self):
		first, second = self.made(), self.made()
		for trigger, name in ((first, "25 days before"), (second, "25 days before (2)")):
			trigger.days_offset = 25
			trigger.save()
			self.assertEqual(name_of(trigger), name)

	def test_a_name_that_was_given_stays(self):
		trigger = self.made(trigger_name="In good time")
		trigger.days_offset = 25
		trigger.save()
		self.assertEqual(name_of(trigger), "In good time")
		trigger.days_offset, trigger.trigger_name = 20, "Rather late"
		trigger.save()
		self.assertEqual(name_of(trigger), "Rather late")
		trigger.trigger_name = ""
		trigger.save()
		self.assertEqual(name_of(trigger), "20 days before")

	def test_it_is_in_the_language_of_who_made_it_and_follows_in_that_of_who_changes_it(self):
		self.addCleanup(setattr, frappe.local, "lang", frappe.local.lang)
		frappe.local.lang = "es"
		trigger = self.made()
		self.assertEqual(name_of(trigger), "30 días antes")
		frappe.local.lang = "en"
		trigger.days_offset = 1
		trigger.save()
		self.assertEqual(name_of(trigger), "1 day before")
		frappe.local.lang = "es"
		trigger.days_offset = 25
		trigger.save()
		self.assertEqual(name_of(trigger), "25 días antes")
