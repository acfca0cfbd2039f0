"""A large night takes more pages, not more queries a page, and no more memory."""

import contextlib
import gc
import tracemalloc
from collections import defaultdict
from datetime import date, timedelta
from unittest.mock import patch

import frappe
from frappe.utils import now_datetime

from marketing_automation.checks import cap
from marketing_automation.desk import insight
from marketing_automation.engine import again, closing, deliver, ledger, plan, retry, rules, run, settle
from marketing_automation.engine.channel import action_types
from marketing_automation.engine.faults import Faults
from marketing_automation.engine.gate import At
from marketing_automation.engine.model import (
	COMPLETED,
	PENDING,
	SKIPPED,
	DueEvent,
	PlannedMessage,
	Reason,
	Recipient,
)
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.engine.visibility import Visibility
from marketing_automation.marketing_automation.report.campaign_performance import campaign_performance
from marketing_automation.patches import slim_ledger
from marketing_automation.sources import batch, date_field
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, statements
from marketing_automation.tests.factories import in_days


@contextlib.contextmanager
def explained(doctype: str):
	"""How the database reads a table in the block: a list of [query, explanation] that fills up."""
	sql, found = frappe.db.sql, []

	def explaining(query, *values, **options):
		if f"from `tab{doctype}`" in str(query).replace("FROM", "from"):
			# That of the table itself comes before what is joined to it.
			row, *_joined = sql(f"explain {query}", *values, as_dict=True)
			found.append([query, row])
		return sql(query, *values, **options)

	with patch.object(frappe.db, "sql", explaining):
		yield found


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
		with patch.object(date_field, "PAGE_SIZE", 3):
			windows = plan.windows_for_day(rules.load(), in_days(0))
			sizes = [len(page) for page in plan.plan(windows, in_days(0))]
		self.assertEqual(sizes, [3, 3, 1])

	def test_the_database_reads_each_page_in_order_without_sorting(self):
		factories.campaign()
		factories.pins(factories.customer(), *[in_days(30)] * 2)
		with explained("Serial No") as found:
			self.planned()
		((_query, explanation),) = found
		self.assertEqual(explanation.key, "PRIMARY")
		self.assertNotIn("filesort", explanation.Extra)
		self.assertNotIn("temporary", explanation.Extra)


class TestSparseIndex(MarketingTestCase):
	SALES = ("Sales Invoice", "Sales Invoice Item")

	def setUp(self):
		super().setUp()
		self.addCleanup(self.forget)
		name = "concat('SPARSE-', seq)"
		for doctype, columns, values in (
			(self.SALES[0], "update_stock", "1"),
			(self.SALES[1], "parent, parenttype", f"{name}, 'Sales Invoice'"),
		):
			frappe.db.sql(
				f"""insert into `tab{doctype}` (name, docstatus, creation, modified, {columns})
				select {name}, 1, now(), now(), {values} from seq_1_to_20000"""
			)
			# Commits what was written.
			frappe.db.sql(f"analyze table `tab{doctype}`")

	def forget(self):
		for doctype in self.SALES:
			frappe.db.delete(doctype, {"name": ["like", "SPARSE-%"]})
		frappe.db.commit()

	@staticmethod
	def read_in_a_row() -> int:
		"""Return how many rows this connection has read one after the other, without an index."""
		return int(frappe.db.sql("show session status like 'Handler_read_rnd_next'")[0][1])

	def test_the_buyers_of_many_batches_are_found_in_the_index_where_most_lines_name_no_batch(self):
		batches = [f"SPARSE-{number}" for number in range(300)]
		batch.buyers(batches)
		before = self.read_in_a_row()
		batch.buyers(batches)
		self.assertLess(self.read_in_a_row() - before, 10_000)


class TestShareOut(MarketingTestCase):
	def test_every_row_is_in_one_job_and_a_customers_rows_are_together(self):
		customers = [factories.customer() for _ in range(4)]
		for customer in customers:
			factories.pins(customer, *[in_days(30)] * 3)
		factories.campaign()
		factories.campaign(combine_messages=1)
		jobs = []
		with (
			patch.object(ledger.rows, "READ_AT_ONCE", 5),
			patch.object(deliver, "deliver", lambda names: jobs.append(names)),
		):
			frappe.db.set_single_value(SETTINGS, "chunk_size", 4)
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

		with patch.object(frappe.db, "sql", explaining), patch.object(ledger.rows, "READ_AT_ONCE", 1):
			self.assertEqual(len(list(ledger.pending_of_run(name))), 2)
		self.assertEqual(len(plans), 3)
		for of_page in plans:
			self.assertEqual(of_page.key, "run_status_campaign_customer_index")
			self.assertNotIn("filesort", of_page.Extra)


class TestOneCustomerWithManyPins(MarketingTestCase):
	LIST = "{% for pin in pins %}<p>{{ pin.serial_no }}</p>{% endfor %}"

	def of(self, count: int) -> None:
		"""Claim the night of a customer who has so many pins that are due."""
		self._reset()
		factories.pins(factories.customer(), *[in_days(30)] * count)
		factories.campaign(combine_messages=1, email_template=factories.template(response=self.LIST))
		with patch.object(deliver, "enqueue"):
			self.run_night()

	def test_one_message_takes_as_many_statements_and_grows_no_faster_than_its_pins(self):
		taken = []
		for count in (150, 600):
			self.of(count)
			names = [row.name for row in self.ledger()]
			with statements() as seen:
				deliver.deliver(names)
			self.assertEqual((len(self.ledger(status="Queued")), len(self.mails())), (count, 1))
			ledgers = [query for query in seen if query.startswith(f"update `tab{ledger.DOCTYPE}`")]
			taken.append((len(seen), sum(map(len, seen))))
			# What is the same for all is said once, not row by row.
			self.assertTrue(ledgers)
			for query in ledgers:
				self.assertLess(query.count(" when "), 10)
		(few, length_of_few), (many, length_of_many) = taken
		self.assertLessEqual(many, few)
		self.assertLess(length_of_many, 5 * length_of_few)

	def test_its_failure_and_its_retry_are_no_slower(self):
		self.of(350)
		deliver.deliver([row.name for row in self.ledger()])
		with statements() as seen:
			self.mail_sent("Error", error="smtplib.SMTPDataError: (451, b'later')")
		for query in seen:
			self.assertLess(query.count(" when "), 20 * ledger.CASES_AT_ONCE)
		with self.at(f"{in_days(1)} 12:00"):
			settle.settle()
		self.assertEqual((len(self.ledger(status="Queued")), len(self.mails())), (350, 1))


class TestRetryDue(MarketingTestCase):
	def test_what_is_tried_again_is_read_page_by_page(self):
		factories.pins(factories.customer(), *[in_days(30)] * 7)
		factories.campaign()
		self.run_night()
		self.mail_sent("Error", error="smtplib.SMTPDataError: (451, b'later')")
		pages, reopen = [], ledger.reopen

		def reopening(rows):
			pages.append(len(rows))
			return reopen(rows)

		with (
			self.at(f"{in_days(1)} 12:00"),
			patch.object(retry, "PAGE_SIZE", 3),
			patch.object(ledger, "reopen", reopening),
		):
			retry.retry_due()
		self.assertEqual((pages, len(self.ledger(status="Queued"))), ([3, 3, 1], 7))


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
		evil = "%(c0a)s %s ifnull(1) '); drop table `tabItem` -- \\"
		message.recipient.customer = message.recipient.address = evil
		ledger.claim([message], evil)
		(row,) = self.ledger()
		self.assertEqual([row.customer, row.recipient, row.run], [evil] * 3)

	def test_names_are_in_the_order_of_the_claims(self):
		factories.campaign()
		names = []
		for number in range(3):
			ledger.claim(self.messages(50, 50 * number), "RUN")
			names += sorted({row.name for row in self.ledger()} - set(names))
		self.assertEqual(len(names), 150)
		self.assertEqual(names, sorted(names))

	def test_memory_does_not_grow_with_the_night(self):
		"""Ten times as many pages, and not twice the memory."""
		factories.campaign()

		def peak(pages: int) -> int:
			frappe.db.delete(ledger.DOCTYPE)
			planned = (self.messages(100, first=100 * number) for number in range(pages))
			gc.collect()
			tracemalloc.start()
			sizes = []
			with (
				patch.object(plan, "plan", return_value=planned),
				patch.object(run.deliver, "deliver", lambda names: sizes.append(len(names))),
				patch.object(ledger.rows, "READ_AT_ONCE", 100),
			):
				self.run_night()
			_now, highest = tracemalloc.get_traced_memory()
			tracemalloc.stop()
			self.assertEqual(sum(sizes), 100 * pages)
			return highest

		peak(1)
		self.assertLess(peak(20), 2 * peak(2))


class TestIndexes(MarketingTestCase):
	"""What is asked of a ledger of millions is answered from an index. Without one it is a minute's work."""

	def filled(self) -> dict:
		"""Fill the ledger with some thousand rows, in two campaigns and many runs; return one of its rows."""
		# The database counts rows that other tests have deleted until it has purged them.
		frappe.db.sql_ddl(f"truncate table `tab{ledger.DOCTYPE}`")
		campaign = factories.campaign({"days_offset": 30}, {"days_offset": 7})
		other = factories.campaign()
		loaded = rules.load([campaign.name, other.name])
		for night in range(40):
			messages = [
				PlannedMessage(
					rule.actions[0],
					DueEvent(
						rule,
						"Serial No",
						f"TEST-{night}-{number}",
						factories.ITEM,
						None,
						None,
						in_days(30 - night),
						in_days(-night),
					),
					Recipient(f"Ana {number}", "Ana", "ana@customers.example", "es"),
					*outcome,
				)
				for rule in loaded
				for number, outcome in enumerate(
					[
						# So few are open that their index is worth more than reading a small table whole.
						(COMPLETED if night else PENDING, None),
						*[(COMPLETED, None)] * 8,
						(SKIPPED, Reason.NO_ADDRESS),
					]
				)
			]
			ledger.claim(messages, f"RUN-{night}")
		frappe.db.commit()
		frappe.db.sql(f"analyze table `tab{ledger.DOCTYPE}`")
		return self.ledger(status=SKIPPED)[0]

	def test_the_list_is_read_in_its_order_by_each_of_its_filters(self):
		row = self.filled()
		meta = frappe.get_meta(ledger.DOCTYPE)
		self.assertEqual((meta.sort_field, meta.sort_order), ("name", "DESC"))
		filters = [df.fieldname for df in meta.fields if df.in_standard_filter]
		self.assertIn("status", filters)
		for fields in ([], ["action", "status"], *([field] for field in filters)):
			with self.subTest(fields), explained(ledger.DOCTYPE) as found:
				frappe.get_list(
					ledger.DOCTYPE,
					filters={field: row[field] for field in fields},
					fields=["name", *filters],
					order_by="name desc",
					limit_page_length=20,
				)
			((_query, explanation),) = found
			self.assertNotEqual(explanation.type, "ALL")
			self.assertNotIn("filesort", explanation.Extra)
			# To go through all the names until twenty fit takes seconds for a run of long ago.
			if fields == ["run"]:
				self.assertIn(explanation.key, ("run", "run_index"))

	def test_each_index_that_there_is_has_been_thought_about(self):
		"""Another one costs every message of every night: see lifecycle_execution_log.py."""
		indexes = defaultdict(list)
		for row in frappe.db.sql(f"show index from `tab{ledger.DOCTYPE}`", as_dict=True):
			indexes[row.Key_name].append(row.Column_name)
		self.assertEqual(
			sorted(map(tuple, indexes.values())),
			sorted(
				[
					("name",),
					("message_key",),
					("suppression_key",),
					("status",),
					("reason",),
					("campaign",),
					("customer",),
					("handle",),
					("run",),
					("run", "status", "campaign", "customer"),
					("action", "status"),
					("due_on", "action", "status"),
					("reference_name", "occurrence_date"),
				]
			),
		)

	def test_what_customers_got_is_counted_along_their_index(self):
		"""A locking read of the whole table would have every worker wait for every other."""
		row = self.filled()
		for lock in (True, False):
			with explained(ledger.DOCTYPE) as found:
				cap._rows({row.customer}, now_datetime(), At(now_datetime(), in_days(0)), lock=lock)
			self.assertTrue(found)
			for _query, explanation in found:
				self.assertIn(explanation.key, ("customer", "customer_index"))
				self.assertIn(explanation.type, ("ref", "range"))

	def test_the_patch_drops_what_older_versions_had(self):
		row = self.filled()
		frappe.db.set_value(ledger.DOCTYPE, row.name, "suppression_key", row.message_key + "f" * 32)
		frappe.db.add_index(ledger.DOCTYPE, ["recipient"], "recipient_index")
		frappe.db.add_index(ledger.DOCTYPE, ["status", "modified"], "status_modified_index")
		for _ in range(2):
			slim_ledger.execute()
			self.assertEqual(
				frappe.db.get_value(ledger.DOCTYPE, row.name, "suppression_key"), row.message_key
			)
			self.test_each_index_that_there_is_has_been_thought_about()

	def test_numbers_come_out_of_an_index_alone(self):
		row = self.filled()
		with explained(ledger.DOCTYPE) as found:
			insight.journey(row.campaign, Visibility())
			campaign_performance.execute({"from_date": str(in_days(-90))})
			ledger.counts_of_run(row.run)
		self.assertEqual(len(found), 4)
		for query, explanation in found:
			with self.subTest(query):
				self.assertIn("Using index", explanation.Extra)

	def test_what_a_run_looks_at_again_is_found_by_its_night(self):
		self.filled()
		for doctype in ("Lifecycle Campaign", "Lifecycle Trigger", "Lifecycle Action"):
			frappe.db.set_value(doctype, {"name": ["is", "set"]}, "active_since", in_days(-30))
		with explained(ledger.DOCTYPE) as found:
			list(again.pages(rules.load(), in_days(0), Faults()))
		self.assertGreaterEqual(len(found), 8)
		for query, explanation in found:
			with self.subTest(query):
				self.assertNotEqual(explanation.type, "ALL")

	def test_what_runs_every_few_minutes_looks_only_at_what_is_open(self):
		self.filled()
		with explained(ledger.DOCTYPE) as found:
			closing.close_all()
			ledger.pending({"modified": ["<", in_days(-1)]})
		# One for each channel, and what waits.
		self.assertEqual(len(found), len(action_types()) + 1)
		for query, explanation in found:
			with self.subTest(query):
				self.assertIn(explanation.key, ("status", "status_index"))
