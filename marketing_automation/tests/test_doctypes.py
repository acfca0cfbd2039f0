"""The forms: what is tracked, how they lead to each other, and what their fields promise."""

import json
from pathlib import Path

import frappe
from frappe.desk.notifications import get_open_count

import marketing_automation
from marketing_automation import api, compat
from marketing_automation.engine.ledger import STATUSES
from marketing_automation.engine.model import Reason
from marketing_automation.engine.schedule import SIGN
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, caches_kept
from marketing_automation.tests.factories import in_days

APP = Path(marketing_automation.__file__).parent


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
			# On to its messages by its actions: the ledger has no index on triggers.
			("Lifecycle Trigger", row.trigger, {"Lifecycle Action": 1}),
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
			"Lifecycle Trigger": {"Lifecycle Action"},
			"Lifecycle Action": {"Lifecycle Execution Log"},
			"Lifecycle Run": {"Lifecycle Execution Log"},
		}.items():
			self.assertLessEqual(
				linked, {link.link_doctype for link in frappe.get_meta(doctype).links}, doctype
			)

	def test_triggers_and_actions_are_shown_by_their_titles(self):
		for doctype, title in (("Lifecycle Trigger", "trigger_name"), ("Lifecycle Action", "action_name")):
			meta = frappe.get_meta(doctype)
			self.assertEqual((meta.title_field, meta.show_title_field_in_link), (title, 1))

	def test_an_english_desk_says_campaign_and_not_lifecycle_campaign(self):
		frappe.local.lang = "en"
		bootinfo = {"__messages": {}}
		compat.extend_bootinfo(bootinfo)
		words = {**bootinfo["__messages"], **frappe.translate.get_all_translations("en")}
		self.assertEqual(words["Lifecycle Campaign"], "Campaign")
		plain = [
			words.get(name, name)
			for name in frappe.get_all("DocType", {"module": "Marketing Automation"}, pluck="name")
		]
		self.assertEqual([name for name in plain if "Lifecycle" in name], [])

	def test_a_new_campaign_is_of_all_companies_also_where_there_is_a_default(self):
		self.enterContext(caches_kept())
		frappe.db.set_default("company", factories.company())
		self.addCleanup(frappe.defaults.clear_default, "company", parent="__default")
		doc = frappe.get_doc({"doctype": "Lifecycle Campaign", "campaign_name": factories.unique("Test")})
		doc.insert()
		self.assertFalse(frappe.db.get_value(doc.doctype, doc.name, "company"))
		cooked = api.make_from_recipe("subscription_renewal", factories.unique("Test"), "30", "en")
		self.assertFalse(frappe.db.get_value(doc.doctype, cooked, "company"))

	def test_a_copy_has_the_triggers_and_actions_and_sends_nothing(self):
		campaign = factories.campaign({"days_offset": 30}, {"days_offset": 7}, combine_messages=1)
		copy = frappe.get_doc(campaign.doctype, api.duplicate(campaign.name, factories.unique("Test")))
		self.assertEqual((copy.is_active, copy.active_since, copy.combine_messages), (0, None, 1))

		def told(name):
			return [
				(step["day"], [(a["action_name"], a["languages"]) for a in step["actions"]])
				for step in api.journey(name)
			]

		self.assertEqual(told(copy.name), told(campaign.name))
		self.assertEqual(len(told(copy.name)), 2)
		copy.is_active = 1
		copy.save()

	def test_the_sidebars_of_all_versions_lead_to_the_same(self):
		def items(path):
			return [
				(item["label"], item["link_type"], item["link_to"], item["icon"])
				for item in json.loads((APP / path).read_text())["items"]
			]

		self.assertEqual(
			items("workspace_sidebar/marketing_automation.json"),
			items("marketing_automation/sidebar/marketing_automation/marketing_automation.json"),
		)

	def test_the_options_are_those_that_the_engine_knows(self):
		self.assertEqual(set(self.options("Lifecycle Execution Log", "status")), set(STATUSES))
		reasons = {value for name, value in vars(Reason).items() if name.isupper()}
		self.assertEqual(set(self.options("Lifecycle Execution Log", "reason")), reasons)
		self.assertEqual(set(self.options("Lifecycle Trigger", "trigger_type")), set(SIGN))
		for action_type in self.options("Lifecycle Action", "action_type"):
			self.assertIn(action_type, frappe.get_hooks("lifecycle_channels"))

	def test_a_run_counts_each_status(self):
		fields = {df.fieldname for df in frappe.get_meta("Lifecycle Run").fields}
		self.assertLessEqual({status.lower() for status in STATUSES}, fields)
