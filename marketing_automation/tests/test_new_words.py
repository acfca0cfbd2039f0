"""A site of before, whose triggers and messages speak of expiries, has the new words after the migration."""

import frappe

from marketing_automation.engine import ledger
from marketing_automation.patches import any_date
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, statements
from marketing_automation.tests.factories import in_days


class TestNewWords(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.campaign = factories.campaign()
		self.pin = factories.pin(factories.customer(), in_days(30))
		self.run_night()

	def rewritten(self, doctype: str, field: str, value: str) -> str:
		(name,) = frappe.get_all(doctype, pluck="name")
		frappe.db.set_value(doctype, name, field, value)
		any_date.execute()
		return frappe.db.get_value(doctype, name, field)

	def test_each_old_word_becomes_the_new_one(self):
		for doctype, field, words in (
			("Lifecycle Trigger", "trigger_type", any_date.TRIGGER_TYPES),
			("Lifecycle Campaign", "duplicate_policy", any_date.POLICIES),
			(ledger.DOCTYPE, "reason", any_date.REASONS),
		):
			options = frappe.get_meta(doctype).get_field(field).options.split("\n")
			for old, new in words.items():
				with self.subTest(old):
					self.assertIn(new, options)
					self.assertNotIn(old, options)
					self.assertEqual(self.rewritten(doctype, field, old), new)

	def test_a_trigger_of_before_is_about_serial_numbers_and_sends_as_it_did(self):
		self.assertEqual(frappe.get_all("Lifecycle Trigger", pluck="source"), ["Serial No"])
		self.rewritten("Lifecycle Trigger", "trigger_type", "Before Expiration")
		self.assertEqual(self.run_night().known, 1)

	def test_what_is_rewritten_already_costs_a_look_at_the_index(self):
		any_date.execute()
		with statements() as seen:
			any_date.execute()
		self.assertEqual(len(seen), 8)
		self.assertFalse([query for query in seen if not query.startswith("select name")])

	def test_a_long_log_is_rewritten_in_several_transactions(self):
		factories.pins(factories.customer(), *[in_days(30)] * 4)
		self.run_night()
		frappe.db.set_value(ledger.DOCTYPE, {"status": "Queued"}, "reason", "Expiry changed")
		before, any_date.ROWS_AT_ONCE = any_date.ROWS_AT_ONCE, 2
		self.addCleanup(setattr, any_date, "ROWS_AT_ONCE", before)
		with statements() as seen:
			any_date.execute()
		self.assertEqual(sum(query.startswith("update") for query in seen), 3)
		self.assertEqual({row.reason for row in self.ledger()}, {"Date changed"})
