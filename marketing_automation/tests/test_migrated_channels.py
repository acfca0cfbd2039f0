"""What was sent by e-mail before there were other channels stays what it was: rows get channel and handle, all of them."""

import time
from unittest.mock import patch

import frappe

from marketing_automation.engine import ledger, settle
from marketing_automation.patches import any_channel
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days
from marketing_automation.tests.test_migrated_ledger import interrupted

TABLE = "tabLifecycle Execution Log"
SMALL = 20_000


class TestMigratedChannels(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.addCleanup(self.today_again)

	def today_again(self) -> None:
		"""Give the table its columns back, whatever a test has left."""
		frappe.db.rollback()
		frappe.db.delete(ledger.DOCTYPE)
		any_channel.execute()

	def before(self) -> None:
		"""Make the table what it was: a link to Email Queue, and no channel."""
		frappe.db.sql_ddl(
			f"alter table `{TABLE}` change column handle email_queue varchar(140), drop column channel,"
			" drop column provider_id, rename index handle to email_queue"
		)

	def rows(self, count: int) -> None:
		"""Write rows of an action that sends e-mail, each with a mail."""
		campaign = factories.campaign()
		action = frappe.db.get_value("Lifecycle Action", {"campaign": campaign.name})
		frappe.db.sql(
			f"""insert into `{TABLE}` (name, action, campaign, status, message_key, channel, handle)
			select lpad(seq, 20, '0'), %s, %s, 'Completed', left(sha2(seq, 256), 32), 'Send Email',
				concat('mail ', seq)
			from seq_1_to_{count}""",
			(action, campaign.name),
		)
		frappe.db.commit()

	def assert_of_today(self, count: int) -> None:
		self.assertEqual(
			[(row.channel, row.handle) for row in self.ledger()],
			[("Send Email", f"mail {number}") for number in range(1, count + 1)],
		)
		self.assertNotIn("email_queue", any_channel._columns())
		indexes = [row.Column_name for row in frappe.db.sql(f"show index from `{TABLE}`", as_dict=True)]
		self.assertEqual(indexes.count("handle"), 1)

	def test_twice_is_once_and_so_is_what_was_interrupted_anywhere(self):
		"""At each of its statements, one after the other."""
		stop_at = 0
		while True:
			stop_at += 1
			self._reset()
			self.rows(6)
			self.before()
			with patch.object(any_channel, "ROWS_AT_ONCE", 2), interrupted(stop_at) as seen:
				try:
					any_channel.execute()
				except KeyboardInterrupt:
					frappe.db.rollback()
			any_channel.execute()
			any_channel.execute()
			self.assert_of_today(6)
			if len(seen) < stop_at:
				break
		self.assertGreater(stop_at, 8)

	def test_where_the_doctype_was_synchronised_first(self):
		self.rows(3)
		self.before()
		frappe.db.sql_ddl(
			f"alter table `{TABLE}` add column handle varchar(140), add index handle (handle),"
			" add column channel varchar(140), add column provider_id varchar(140)"
		)
		any_channel.execute()
		self.assert_of_today(3)

	def test_a_mail_that_was_under_way_is_closed_and_not_sent_again(self):
		serial_no = factories.pin(factories.customer(), in_days(30))
		factories.campaign()
		self.run_night()
		self.before()
		any_channel.execute()
		self.mail_sent()
		again = self.run_night()
		self.assertEqual((again.due, again.known, len(self.mails())), (1, 1, 1))
		self.assertEqual(self.outcome_of(serial_no), ("Completed", None))

	def test_a_row_that_old_code_has_claimed_meanwhile_gets_its_channel_when_it_is_sent(self):
		serial_no = factories.pin(factories.customer(), in_days(30))
		factories.campaign()
		with patch("marketing_automation.engine.deliver.enqueue"):
			self.run_night()
		frappe.db.sql(f"update `{TABLE}` set channel = null, modified = '2001-01-01'")
		frappe.db.commit()
		settle.settle()
		self.mail_sent()
		self.assertEqual(self.outcome_of(serial_no), ("Completed", None))

	def test_a_worker_on_old_code_fails_instead_of_sending(self):
		self.before()
		any_channel.execute()
		with self.assertRaises(frappe.db.OperationalError):
			frappe.db.sql(f"select email_queue from `{TABLE}` for update")

	def test_many_rows_take_seconds(self):
		self.rows(SMALL)
		self.before()
		began = time.monotonic()
		any_channel.execute()
		self.assertLess(time.monotonic() - began, 10)
		self.assertEqual(frappe.db.count(ledger.DOCTYPE, {"channel": "Send Email"}), SMALL)
