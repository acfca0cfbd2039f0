"""Triggers of another app's source live beside those of serial numbers, and are asked of their own source."""

import sys
from datetime import timedelta
from types import ModuleType
from unittest.mock import patch

import frappe
from frappe.model.base_document import BaseDocument

from marketing_automation import hooks
from marketing_automation.engine import retention
from marketing_automation.marketing_automation.report.expiring_pins import expiring_pins
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, replaced_hooks
from marketing_automation.tests.factories import in_days


def weeks_after() -> ModuleType:
	"""Return a source whose messages are due so many weeks, not days, after what they are about."""
	source = ModuleType("test_weeks_after")
	source.TRIGGER_TYPES = ("Weeks After",)
	source.validate = lambda trigger: None
	source.due = lambda windows: iter(())
	source.night = lambda rule, occurrence: occurrence + timedelta(weeks=rule.trigger.days_offset)
	return source


class TestAnotherAppsSource(MarketingTestCase):
	def setUp(self):
		super().setUp()
		source = weeks_after()
		sys.modules[source.__name__] = source
		self.addCleanup(sys.modules.pop, source.__name__)
		sources = [*hooks.lifecycle_sources, source.__name__]
		self.enterContext(patch.object(frappe, "get_hooks", replaced_hooks(lifecycle_sources=sources)))
		# The app would have made its type an option of the field.
		self.enterContext(patch.object(BaseDocument, "_validate_selects"))
		factories.campaign({"trigger_type": "Weeks After", "days_offset": 2})

	def test_its_triggers_catch_no_pin_that_expires(self):
		lonely, caught = factories.pins(factories.customer(), in_days(10), in_days(20))
		factories.campaign({"days_offset": 15})
		rows = {row["serial_no"]: row["problem"] for row in expiring_pins.execute({"show_all": 1})[1]}
		self.assertEqual(rows, {lonely: "No trigger catches it", caught: None})

	def test_what_the_ledger_has_forgotten_is_reckoned_by_its_nights(self):
		trigger = frappe.get_doc("Lifecycle Trigger", {"trigger_type": "Weeks After"})
		with self.at(f"{in_days(400)} 02:00"):
			self.run_night()
			retention.clear(365)
			trigger.days_offset = 53
			with self.refused("Add a new trigger"):
				trigger.save()
			trigger.reload()
			trigger.days_offset = 51
			trigger.save()
