"""ERPNext is read and never written; its schema and Frappe's stay as they are."""

import re

import frappe

from marketing_automation import api, erpnext_schema
from marketing_automation.channels.email import sender
from marketing_automation.engine import dispatch, settle
from marketing_automation.marketing_automation.report.expiring_pins import expiring_pins
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


QUALIFIED = re.compile(r"`tab([^`]+)`\.`([^`]+)`")
TEXT = re.compile(r"'(?:[^'\\]|\\.|'')*'")
# The query builder writes aliases with and without AS.
ALIAS = re.compile(r"(?<=[`)])(?: as)? `[^`]+`(?!\.)", re.IGNORECASE)
FRAPPES_COLUMNS = ("name", "creation", "modified", "owner", "docstatus", "idx", "parent", "parenttype")


def columns(query: str) -> set[tuple[str, str]]:
	"""Return (DocType, column) of what a query reads."""
	query = ALIAS.sub("", TEXT.sub("", query))
	tables = {table[3:] for table in TABLE.findall(query) if table.startswith("tab")}
	found = set(QUALIFIED.findall(query))
	if len(tables) == 1:
		(table,) = tables
		plain = TABLE.findall(QUALIFIED.sub("", query))
		found |= {(table, column) for column in plain if not column.startswith("tab")}
	return found


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
			dispatch.send(sender.ACTION_TYPE, [str(mail.name) for mail in self.mails()])
			settle.settle()
		locking = [query for query in seen if LOCK.search(query)]
		self.assertTrue(locking)
		locked = {table for query in locking for table in TABLE.findall(query) if table.startswith("tab")}
		self.assertLessEqual(locked, WRITTEN | {"tabSingles"})
		# A read that writes its result would lock what it reads.
		self.assertEqual([query for query in seen if WRITE.match(query) and FROM_SELECT.search(query)], [])

	def test_no_field_of_erpnexts_is_read_that_is_not_declared(self):
		"""What is declared is compared with ERPNext 15 and 16, and asked for at installation: see erpnext_schema.py."""
		ana = factories.customer()
		_known, by_sale, old, _later = pins = factories.pins(ana, *[in_days(30)] * 3, in_days(33))
		factories.forget_owner(by_sale, old)
		factories.forget_bundles(old)
		factories.expire(factories.received(), in_days(30))
		mine = [["Serial No", "customer", "=", ana], ["Serial No", "status", "=", "Delivered"]]
		campaign = factories.campaign(
			{"item_group": factories.ITEM_GROUP}, {"filters": frappe.as_json(mine)}, combine_messages=1
		)
		action = frappe.db.get_value("Lifecycle Action", {"campaign": campaign.name})
		bound = factories.user("Marketing User", sees={"Customer": ana})
		frappe.db.commit()
		with statements() as seen:
			api.preview(campaign.name)
			self.run_night()
			self.mail_sent()
			api.forecast(campaign.name)
			api.journey(campaign.name)
			api.coming(campaign.name)
			api.health()
			api.mail(action)
			api.why_customer(ana)
			for pin in pins:
				api.why_reference("Serial No", pin)
			expiring_pins.execute({"show_all": 1})
			frappe.set_user(bound)
			self.assertEqual(api.preview(campaign.name)["counts"]["due"], 7)
			self.assertIn(api.mail(action)["reference_name"], pins)
		frappe.set_user("Administrator")
		self.assertEqual(len(self.ledger(status="Completed")), 6)
		read = {found for query in seen if query.lower().startswith("select") for found in columns(query)}
		of_erpnext = set(
			frappe.get_all("Module Def", filters={"app_name": "erpnext"}, pluck="name", order_by="name asc")
		)
		doctypes = {
			doctype
			for doctype, _column in read
			if frappe.db.get_value("DocType", doctype, "module") in of_erpnext
			# ERPNext itself looks at more than we do.
			and (doctype in erpnext_schema.NEEDED or not factories.real_erpnext())
		}
		declared = {
			(doctype, field)
			for listed in (erpnext_schema.NEEDED, erpnext_schema.OPTIONAL)
			for doctype, fields in listed.items()
			for field in (*fields, *FRAPPES_COLUMNS)
		}
		self.assertLessEqual({"Serial No", "Serial and Batch Entry", "Customer", "Sales Invoice"}, doctypes)
		self.assertEqual(
			{
				(doctype, column)
				for doctype, column in read - declared
				if doctype in doctypes and column != "warranty_expiry_date"
			},
			set(),
		)

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
