"""Triggers of another app's source live beside those of serial numbers, and are asked of their own source."""

from datetime import timedelta
from unittest.mock import patch

import frappe

from marketing_automation.engine import retention
from marketing_automation.engine.source import Source
from marketing_automation.marketing_automation.report.expiring_pins import expiring_pins
from marketing_automation.sources import serial_no
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, replaced_hooks
from marketing_automation.tests.factories import in_days


class WeeksAfter(Source):
	"""A source whose messages are due so many weeks, not days, after what they are about."""

	def validate(self, trigger):
		pass

	def due(self, windows):
		return iter(())

	def describe(self, trigger):
		return serial_no.SOURCE.describe(trigger)

	def night(self, rule, occurrence):
		return occurrence + timedelta(weeks=rule.trigger.days_offset)


SOURCE = WeeksAfter()


class TestAnotherAppsSource(MarketingTestCase):
	def setUp(self):
		super().setUp()
		sources = {**frappe.get_hooks("lifecycle_sources"), "Weeks After": [f"{__name__}.SOURCE"]}
		self.enterContext(patch.object(frappe, "get_hooks", replaced_hooks(lifecycle_sources=sources)))
		factories.campaign({"source": "Weeks After", "trigger_type": "After", "days_offset": 2})

	def test_its_triggers_catch_no_pin_that_expires(self):
		lonely, caught = factories.pins(factories.customer(), in_days(10), in_days(20))
		factories.campaign({"days_offset": 15})
		rows = {row["reference_name"]: row["problem"] for row in expiring_pins.execute({"show_all": 1})[1]}
		self.assertEqual(rows, {lonely: "No trigger catches it", caught: None})

	def test_what_the_ledger_has_forgotten_is_reckoned_by_its_nights(self):
		trigger = frappe.get_doc("Lifecycle Trigger", {"source": "Weeks After"})
		with self.at(f"{in_days(400)} 02:00"):
			self.run_night()
			retention.clear(365)
			trigger.days_offset = 53
			with self.refused("Add a new trigger"):
				trigger.save()
			trigger.reload()
			trigger.days_offset = 51
			trigger.save()
