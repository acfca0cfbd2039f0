"""The forms: what is tracked, how they lead to each other, and what their fields promise."""

import frappe
from frappe.desk.notifications import get_open_count

from marketing_automation.engine.ledger import STATUSES
from marketing_automation.engine.model import Reason
from marketing_automation.engine.sources import serial_no
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days


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

	def test_a_change_is_kept_with_what_was_there_before(self):
		campaign = factories.campaign(description="Before")
		campaign.reload()
		campaign.description = "After"
		# In test mode Frappe would keep none.
		campaign.save(ignore_version=False)
		(version,) = frappe.get_all(
			"Version", filters={"ref_doctype": campaign.doctype, "docname": campaign.name}, pluck="name"
		)
		changed = frappe.get_doc("Version", version).get_data()["changed"]
		self.assertIn(["description", "Before", "After"], changed)

	def test_the_forms_count_what_belongs_to_them(self):
		factories.pins(factories.customer(), in_days(30), in_days(30))
		campaign = factories.campaign()
		run = self.run_night(campaign.name)
		row = self.ledger()[0]
		for doctype, name, expected in (
			(
				"Lifecycle Campaign",
				campaign.name,
				{
					"Lifecycle Trigger": 1,
					"Lifecycle Action": 1,
					"Lifecycle Execution Log": 2,
					"Lifecycle Run": 1,
				},
			),
			("Lifecycle Trigger", row.trigger, {"Lifecycle Action": 1, "Lifecycle Execution Log": 2}),
			("Lifecycle Action", row.action, {"Lifecycle Execution Log": 2}),
			("Lifecycle Run", run.name, {"Lifecycle Execution Log": 2}),
		):
			with self.subTest(doctype):
				found = get_open_count(doctype, name)["count"]
				# Older versions return the list itself.
				found = found if isinstance(found, list) else found["external_links_found"]
				counts = {link.get("doctype") or link["name"]: link["count"] for link in found}
				self.assertEqual({doctype: counts.get(doctype) for doctype in expected}, expected)

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
