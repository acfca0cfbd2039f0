"""What version 0.1 has sent stays sent: its rows get the keys of today, all of them, whatever interrupts it."""

import time
from unittest.mock import patch

import frappe

from marketing_automation.engine import ledger
from marketing_automation.engine.model import message_key
from marketing_automation.patches import key_by_customer
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days

TABLE = "tabLifecycle Execution Log"
NAMES = (
	"Ana",
	"Ñandú 日本 🙂",
	'O\'Brien "quoted" \\ back',
	"100% & %s {0}",
	"a\tb",
	"trailing ",
	"",
	"İıßẞ",
)
SMALL = 20_000


class TestMigratedLedger(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.addCleanup(self.today_again)

	def today_again(self) -> None:
		"""Give the table its column back, whatever a test has left."""
		frappe.db.rollback()
		frappe.db.delete(ledger.DOCTYPE)
		key_by_customer.execute()

	def columns(self) -> set[str]:
		return key_by_customer._columns()

	def as_of_0_1(self) -> None:
		"""Make the table what it was: another column, whose key knows no customer."""
		frappe.db.sql_ddl(
			f"alter table `{TABLE}` change column message_key idempotency_key varchar(140),"
			" drop index if exists message_key, add unique index if not exists idempotency_key (idempotency_key)"
		)
		frappe.db.sql(
			f"""update `{TABLE}` set idempotency_key = left(sha2(concat_ws(char(31), action,
				reference_doctype, reference_name, cast(occurrence_date as char)), 256), 32)"""
		)
		frappe.db.commit()

	def insert(self, **fields) -> str:
		row = {
			"name": frappe.generate_hash(length=20),
			"action": "an action",
			"reference_doctype": "Serial No",
			"reference_name": "a pin",
			"occurrence_date": "2027-02-28",
			"status": "Completed",
			"message_key": frappe.generate_hash(length=32),
			**fields,
		}
		columns = ", ".join(f"`{column}`" for column in row)
		values = ", ".join(["%s"] * len(row))
		frappe.db.sql(f"insert into `{TABLE}` ({columns}) values ({values})", list(row.values()))
		return row["name"]

	def assert_keys(self, count: int) -> None:
		rows = self.ledger()
		self.assertEqual(len(rows), count)
		for row in rows:
			self.assertEqual(row.message_key, ledger.key_of(row), row)
		self.assertNotIn("idempotency_key", self.columns())
		self.assertNotIn(key_by_customer.IN_THE_MAKING, self.columns())
		unique = {
			row.Column_name
			for row in frappe.db.sql(f"show index from `{TABLE}`", as_dict=True)
			if not row.Non_unique
		}
		self.assertIn("message_key", unique)

	def test_the_database_makes_exactly_the_keys_that_python_makes_whatever_the_names_are(self):
		for number, name in enumerate(NAMES):
			self.insert(reference_name=f"{name} {number}", customer=name or None)
			self.insert(action=f"{name} {number}", customer=name)
			self.insert(reference_doctype=f"{name} {number}", occurrence_date="0202-01-01")
		self.as_of_0_1()
		key_by_customer.execute()
		self.assert_keys(3 * len(NAMES))

	def test_nobody_is_told_again_and_a_new_owner_is(self):
		ana, eva = factories.customer(), factories.customer()
		told = factories.pin(ana, in_days(30))
		(resold,) = factories.received()
		sale = factories.sold(ana, [resold])
		factories.expire(resold, in_days(30))
		stock = factories.received()[0]
		factories.expire(stock, in_days(30))
		factories.campaign()
		self.run_night()
		self.mail_sent()
		before = {row.name: row.status for row in self.ledger()}
		self.as_of_0_1()
		key_by_customer.execute()
		factories.handed_over(sale, eva)
		again = self.run_night()
		self.assertEqual((again.due, again.known), (3, 2))
		rows = {row.name: row for row in self.ledger()}
		self.assertEqual({name: rows[name].status for name in before}, before)
		(new,) = [row for name, row in rows.items() if name not in before]
		self.assertEqual((new.customer, new.reference_name, new.status), (eva, resold, "Queued"))
		self.assertEqual(self.outcome_of(told), ("Completed", None))

	def test_twice_is_once_and_so_is_what_was_interrupted_anywhere(self):
		"""At each of its statements, one after the other."""
		stop_at = 0
		while True:
			stop_at += 1
			self._reset()
			for number in range(6):
				self.insert(reference_name=f"pin {number}", customer=f"Customer {number}")
			self.as_of_0_1()
			with patch.object(key_by_customer, "ROWS_AT_ONCE", 2), interrupted(stop_at) as seen:
				try:
					key_by_customer.execute()
				except KeyboardInterrupt:
					frappe.db.rollback()
			self.assertEqual(frappe.db.count(ledger.DOCTYPE), 6)
			# Either the old column is there, for old code, or all the keys of today.
			if "message_key" in self.columns() and "idempotency_key" not in self.columns():
				self.assert_keys(6)
			key_by_customer.execute()
			key_by_customer.execute()
			self.assert_keys(6)
			if len(seen) < stop_at:
				break
		self.assertGreater(stop_at, 8)

	def test_where_the_doctype_was_synchronised_first(self):
		for number in range(3):
			self.insert(reference_name=f"pin {number}", customer="Ana")
		self.as_of_0_1()
		frappe.db.sql_ddl(
			f"alter table `{TABLE}` add column message_key varchar(140), add unique index message_key (message_key)"
		)
		key_by_customer.execute()
		self.assert_keys(3)

	def test_two_rows_about_the_same_are_parted_and_what_was_sent_has_the_key(self):
		"""Version 0.1 left the keys of two serial numbers that were merged as they were."""
		waits = self.insert(status="Pending", customer="Ana")
		sent = self.insert(status="Completed", customer="Ana")
		frappe.db.sql_ddl(
			f"alter table `{TABLE}` change column message_key idempotency_key varchar(140),"
			" drop index if exists message_key, add unique index if not exists idempotency_key (idempotency_key)"
		)
		key_by_customer.execute()
		key_by_customer.execute()
		keys = {row.name: (row.status, row.message_key) for row in self.ledger()}
		self.assertEqual(keys[waits], ("Skipped", None))
		self.assertEqual(
			keys[sent], ("Completed", message_key("an action", "Serial No", "a pin", in_2027(), "Ana"))
		)

	def test_a_worker_on_old_code_fails_instead_of_claiming(self):
		self.insert()
		self.as_of_0_1()
		key_by_customer.execute()
		with self.assertRaises(frappe.db.OperationalError):
			frappe.db.sql(f"insert ignore into `{TABLE}` (name, idempotency_key) values ('x', 'y')")

	def test_many_rows_take_seconds(self):
		frappe.db.sql(
			f"""insert into `{TABLE}` (name, action, reference_doctype, reference_name, occurrence_date,
				customer, status, message_key)
			select lpad(seq, 20, '0'), 'an action', 'Serial No', concat('PIN-', seq), '2027-02-28',
				concat('Customer ', seq % 1000), 'Completed', left(sha2(seq, 256), 32)
			from seq_1_to_{SMALL}"""
		)
		frappe.db.commit()
		self.as_of_0_1()
		began = time.monotonic()
		key_by_customer.execute()
		# 100,000 take some five seconds on two cores.
		self.assertLess(time.monotonic() - began, 10)
		(wrong,) = frappe.db.sql(
			f"select count(*) from `{TABLE}` where not (message_key <=> {ledger.KEY_IN_SQL})", pluck=True
		)
		self.assertEqual((frappe.db.count(ledger.DOCTYPE), wrong), (SMALL, 0))


def in_2027():
	return frappe.utils.getdate("2027-02-28")


class interrupted:
	"""Has the process killed before the statement of this number; remembers the statements."""

	def __init__(self, at: int):
		self.at, self.seen = at, []

	def __enter__(self) -> list:
		sql = frappe.db.sql

		def counting(query, *values, **options):
			if len(self.seen) + 1 == self.at:
				self.seen.append(query)
				raise KeyboardInterrupt
			self.seen.append(query)
			return sql(query, *values, **options)

		self.patch = patch.object(frappe.db, "sql", counting)
		self.patch.start()
		return self.seen

	def __exit__(self, *_error) -> None:
		self.patch.stop()
