"""The forms: what is tracked, how they lead to each other, and what their fields promise."""

import frappe

from marketing_automation.engine.ledger import STATUSES
from marketing_automation.engine.model import Reason
from marketing_automation.engine.sources import serial_no
from marketing_automation.tests.case import MarketingTestCase


class TestDocTypes(MarketingTestCase):
	def options(self, doctype: str, field: str) -> list[str]:
		return [option for option in frappe.get_meta(doctype).get_field(field).options.split("\n") if option]

	def test_changes_are_tracked(self):
		for doctype in (
			"Lifecycle Campaign",
			"Lifecycle Trigger",
			"Lifecycle Action",
			"Marketing Automation Settings",
		):
			self.assertTrue(frappe.get_meta(doctype).track_changes, doctype)

	def test_the_forms_lead_to_what_belongs_to_them(self):
		for doctype, linked in {
			"Lifecycle Campaign": {
				"Lifecycle Trigger",
				"Lifecycle Action",
				"Lifecycle Execution Log",
				"Lifecycle Run",
			},
			"Lifecycle Trigger": {"Lifecycle Action", "Lifecycle Execution Log"},
			"Lifecycle Action": {"Lifecycle Execution Log"},
			"Lifecycle Run": {"Lifecycle Execution Log"},
		}.items():
			self.assertLessEqual(
				linked, {link.link_doctype for link in frappe.get_meta(doctype).links}, doctype
			)

	def test_the_options_are_those_that_the_engine_knows(self):
		self.assertEqual(set(self.options("Lifecycle Execution Log", "status")), set(STATUSES))
		reasons = {value for name, value in vars(Reason).items() if name.isupper()}
		self.assertEqual(set(self.options("Lifecycle Execution Log", "reason")), reasons)
		self.assertEqual(set(self.options("Lifecycle Trigger", "trigger_type")), set(serial_no.TRIGGER_TYPES))
		for action_type in self.options("Lifecycle Action", "action_type"):
			self.assertIn(action_type, frappe.get_hooks("lifecycle_channels"))

	def test_a_run_counts_each_status(self):
		fields = {df.fieldname for df in frappe.get_meta("Lifecycle Run").fields}
		self.assertLessEqual({status.lower() for status in STATUSES}, fields)
