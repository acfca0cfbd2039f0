"""A large night takes more pages, not more queries a page, and no more memory."""

import gc
import tracemalloc
from collections import defaultdict
from datetime import date, timedelta
from unittest.mock import patch

import frappe

from marketing_automation.engine import deliver, ledger, plan, rules, run
from marketing_automation.engine.model import PENDING, DueEvent, PlannedMessage, Recipient
from marketing_automation.engine.sources import serial_no
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, statements
from marketing_automation.tests.factories import in_days


class TestPlan(MarketingTestCase):
	def planned(self) -> tuple[int, list[str]]:
		"""Plan today; return how many messages, and the queries."""
		windows = plan.windows_for_day(rules.load(), in_days(0))
		with statements() as seen:
			return sum(len(page) for page in plan.plan(windows, in_days(0))), seen

	def test_the_queries_of_a_page_do_not_depend_on_what_is_in_it(self):
		factories.campaign()
		factories.pins(factories.customer(), *[in_days(30)] * 2)
		few, seen = self.planned()
		for _ in range(3):
			factories.pins(factories.customer(), *[in_days(30)] * 5)
		many, seen_of_many = self.planned()
		self.assertEqual((few, many), (2, 17))
		self.assertEqual(len(seen_of_many), len(seen))
		self.assertLess(len(seen), 20)

	def test_serial_numbers_are_read_once_for_all_triggers_on_a_date(self):
		for _ in range(3):
			factories.campaign(*[{"days_offset": days} for days in (30, 14, 7, 1)])
		factories.pins(factories.customer(), in_days(30), in_days(7))
		due, seen = self.planned()
		self.assertEqual(due, 6)
		reads = [
			query
			for query in seen
			if "from `tabSerial No`" in query.lower().replace("tabserial no", "tabSerial No")
		]
		self.assertEqual(len(reads), 1)

	def test_it_goes_page_by_page_along_the_primary_key(self):
		factories.campaign()
		factories.pins(factories.customer(), *[in_days(30)] * 7)
		with patch.object(serial_no, "PAGE_SIZE", 3):
			windows = plan.windows_for_day(rules.load(), in_days(0))
			sizes = [len(page) for page in plan.plan(windows, in_days(0))]
		self.assertEqual(sizes, [3, 3, 1])

	def test_the_database_reads_each_page_in_order_without_sorting(self):
		factories.campaign()
		factories.pins(factories.customer(), *[in_days(30)] * 2)
		_due, seen = self.planned()
		(read,) = [query for query in seen if "`tabSerial No`" in query and "limit" in query.lower()]
		(explained,) = frappe.db.sql(f"explain {read}", as_dict=True)
		self.assertEqual(explained.key, "PRIMARY")
		self.assertNotIn("filesort", explained.Extra)
		self.assertNotIn("temporary", explained.Extra)


class TestShareOut(MarketingTestCase):
	def test_every_row_is_in_one_job_and_a_customers_rows_are_together(self):
		customers = [factories.customer() for _ in range(4)]
		for customer in customers:
			factories.pins(customer, *[in_days(30)] * 3)
		factories.campaign()
		factories.campaign(combine_messages=1)
		jobs = []
		with (
			patch.object(ledger, "READ_AT_ONCE", 5),
			patch.object(deliver, "deliver", lambda names: jobs.append(names)),
		):
			frappe.db.set_single_value(run.SETTINGS, "chunk_size", 4)
			self.run_night()
		self.assertEqual(
			sorted(name for names in jobs for name in names), sorted(row.name for row in self.ledger())
		)
		by_job = {name: index for index, names in enumerate(jobs) for name in names}
		of_customer = defaultdict(set)
		for row in self.ledger():
			of_customer[row.campaign, row.customer].add(by_job[row.name])
		self.assertEqual({len(found) for found in of_customer.values()}, {1})

	def test_the_rows_of_a_run_are_read_along_an_index(self):
		factories.pins(factories.customer(), in_days(30), in_days(30))
		factories.campaign()
		with patch.object(deliver, "enqueue"):
			name = self.run_night().name
		sql, plans = frappe.db.sql, []

		def explaining(query, *values, **options):
			if "ORDER BY `customer`" in query:
				plans.extend(sql(f"explain {query}", *values, as_dict=True))
			return sql(query, *values, **options)

		with patch.object(frappe.db, "sql", explaining), patch.object(ledger, "READ_AT_ONCE", 1):
			self.assertEqual(len(list(ledger.pending_of_run(name))), 2)
		self.assertEqual(len(plans), 3)
		for of_page in plans:
			self.assertEqual(of_page.key, "run_status_campaign_customer_index")
			self.assertNotIn("filesort", of_page.Extra)


class TestClaim(MarketingTestCase):
	def messages(self, count: int, first: int = 0) -> list[PlannedMessage]:
		(rule,) = rules.load()
		return [
			PlannedMessage(
				rule.actions[0],
				DueEvent(
					rule,
					"Serial No",
					f"TEST-{number}",
					factories.ITEM,
					None,
					f"Ana {number}",
					date(2028, 1, 1) + timedelta(days=number),
					in_days(0),
				),
				Recipient(f"Ana {number}", "Ana", "ana@customers.example", "es"),
				PENDING,
			)
			for number in range(first, first + count)
		]

	def test_a_page_is_one_query_new_or_known(self):
		factories.campaign()
		for messages, new in ((self.messages(50), 50), (self.messages(50), 0), (self.messages(50, 25), 25)):
			with statements() as seen:
				self.assertEqual(ledger.claim(messages, "RUN"), new)
			self.assertEqual(len(seen), 1)
		self.assertEqual(len(self.ledger()), 75)

	def test_a_value_is_text_whatever_is_in_it(self):
		factories.campaign()
		(message,) = self.messages(1)
		evil = "%(p0)s %s '); drop table `tabItem` -- \\"
		message.recipient.customer = evil
		ledger.claim([message], "RUN")
		self.assertEqual(self.ledger()[0].customer, evil)

	def test_memory_does_not_grow_with_the_night(self):
		"""Ten times as many pages, and not twice the memory."""
		factories.campaign()

		def peak(pages: int) -> int:
			frappe.db.delete(ledger.DOCTYPE)
			planned = (self.messages(200, first=200 * number) for number in range(pages))
			gc.collect()
			tracemalloc.start()
			sizes = []
			with (
				patch.object(plan, "plan", return_value=planned),
				patch.object(run.deliver, "deliver", lambda names: sizes.append(len(names))),
				patch.object(ledger, "READ_AT_ONCE", 200),
			):
				self.run_night()
			_now, highest = tracemalloc.get_traced_memory()
			tracemalloc.stop()
			self.assertEqual(sum(sizes), 200 * pages)
			return highest

		peak(1)
		self.assertLess(peak(20), 2 * peak(2))
