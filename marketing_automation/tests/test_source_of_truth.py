"""ERPNext is read and never written; its schema and Frappe's stay as they are."""

import re

import frappe

from marketing_automation.engine import drain, settle
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, statements
from marketing_automation.tests.factories import in_days

# Ours, and those in which Frappe keeps mail, jobs and logs.
WRITTEN = {
	"tabLifecycle Execution Log",
	"tabLifecycle Run",
	"tabEmail Queue",
	"tabEmail Queue Recipient",
	"tabError Log",
	"tabScheduled Job Log",
	"tabVersion",
	"tabComment",
	# Counters of names: Lifecycle Run's and, where they have one, Email Queue's.
	"tabSeries",
	"email_queue_id_seq",
}
WRITE = re.compile(r"^(insert|update|delete|replace|alter|create|drop|truncate)\b", re.IGNORECASE)
LOCK = re.compile(r"\bfor update\b|\block in share mode\b", re.IGNORECASE)
FROM_SELECT = re.compile(r"\bselect\b.*\bfrom `tab(?!Lifecycle|Email Queue)", re.IGNORECASE)
TABLE = re.compile(r"`([^`]+)`")


class TestSourceOfTruth(MarketingTestCase):
	def test_a_whole_run_writes_to_no_table_but_ours_and_frappes_mail_jobs_and_logs(self):
		for _ in range(3):
			factories.pin(factories.customer(), in_days(30))
		factories.pin(factories.customer(email=None), in_days(30))
		factories.campaign()
		with statements() as seen:
			self.run_night()
			self.mail_sent()
			settle.settle()
			self.run_night()
		writes = [query for query in seen if WRITE.match(query)]
		tables = {TABLE.search(query).group(1) for query in writes}
		self.assertIn("tabLifecycle Execution Log", tables)
		self.assertLessEqual(tables, WRITTEN)

	def test_a_whole_run_locks_nothing_of_erpnexts(self):
		factories.pins(factories.customer(), in_days(30), in_days(30))
		factories.campaign()
		with statements() as seen:
			self.run_night()
			drain.drain([str(mail.name) for mail in self.mails()])
			settle.settle()
		locking = [query for query in seen if LOCK.search(query)]
		self.assertTrue(locking)
		locked = {table for query in locking for table in TABLE.findall(query) if table.startswith("tab")}
		self.assertLessEqual(locked, WRITTEN | {"tabSingles"})
		# A read that writes its result would lock what it reads.
		self.assertEqual([query for query in seen if WRITE.match(query) and FROM_SELECT.search(query)], [])

	def test_nothing_is_added_to_doctypes_of_others(self):
		module = frappe.get_module("marketing_automation.hooks")
		self.assertFalse(hasattr(module, "fixtures"))
		for doctype in ("Custom Field", "Property Setter"):
			self.assertEqual(frappe.get_all(doctype, filters={"module": "Marketing Automation"}), [])

	def test_the_ledger_has_keys_and_results_and_no_copy_of_master_data(self):
		fields = {df.fieldname for df in frappe.get_meta("Lifecycle Execution Log").fields}
		for copied in (
			"customer_name",
			"item_name",
			"serial_no",
			"phone",
			"mobile_no",
			"language",
			"message",
		):
			self.assertNotIn(copied, fields)
