"""Whatever belongs into one message is delivered together or not, wherever its rows come from."""

from unittest.mock import patch

import frappe

from marketing_automation import api
from marketing_automation.engine import deliver, ledger, retry, run, settle
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.sources import date_field
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days

# What is held against no address: one that does not exist is suppressed, and a retry is skipped.
REFUSED = "smtplib.SMTPRecipientsRefused: {'ana@customers.example': (552, b'5.3.4 message too big')}"
GREYLISTED = "smtplib.SMTPRecipientsRefused: {'ana@customers.example': (451, b'4.7.1 try again later')}"


class TogetherTestCase(MarketingTestCase):
	POLICY = "Once per date"

	def setUp(self):
		super().setUp()
		self.customer = factories.customer()
		self.pins = factories.pins(self.customer, in_days(30), in_days(30), in_days(30))
		# Of another customer, and of a campaign that does not combine: they go their own way.
		self.other = factories.pin(factories.customer(), in_days(30))
		self.campaign = factories.campaign(combine_messages=1, duplicate_policy=self.POLICY)

	def claimed(self) -> list[dict]:
		"""Claim the night in pages of one pin, lose the jobs, and return the customer's rows."""
		with patch.object(date_field, "PAGE_SIZE", 1), patch.object(deliver, "enqueue"):
			self.run_night()
		return self.ledger(reference_name=["in", self.pins])

	def assert_together(self, rows: int = 3):
		sent = self.ledger(status="Queued", reference_name=["in", self.pins])
		self.assertEqual((len(sent), len({row.handle for row in sent})), (rows, 1))


class TestWhateverBringsThem(TogetherTestCase):
	def test_one_tick_finds_one_page_and_the_next_another(self):
		first, *others = self.claimed()
		long_ago = frappe.utils.add_to_date(None, minutes=-20)
		frappe.db.set_value(ledger.DOCTYPE, first.name, "modified", long_ago, update_modified=False)
		settle.settle()
		self.assert_together()
		for row in others:
			frappe.db.set_value(ledger.DOCTYPE, row.name, "modified", long_ago, update_modified=False)
		settle.settle()
		self.assert_together()

	def test_a_job_that_has_one_of_them(self):
		rows = self.claimed()
		deliver.deliver([rows[1].name])
		self.assert_together()
		self.assertEqual(self.outcome_of(self.other)[0], "Pending")
		deliver.deliver([row.name for row in self.ledger()])
		self.assertEqual(len(self.mails()), 2)

	def test_two_jobs_that_both_bring_the_rest(self):
		first, second, third = self.claimed()
		deliver._deliver_batch([first.name], first.campaign, first.channel, {first.customer})
		frappe.db.commit()
		deliver._deliver_batch([second.name, third.name], first.campaign, first.channel, {first.customer})
		frappe.db.commit()
		self.assert_together()

	def test_chunks_and_batches_that_are_small(self):
		self.claimed()
		frappe.db.set_single_value(SETTINGS, "chunk_size", 1)
		with patch.object(deliver, "COMMIT_EVERY", 1):
			deliver.enqueue(ledger.pending({}))
		self.assert_together()

	def test_a_campaign_that_does_not_combine_is_left_as_it_is(self):
		frappe.db.set_value("Lifecycle Campaign", self.campaign.name, "combine_messages", 0)
		rows = self.claimed()
		deliver.deliver([rows[0].name])
		self.assertEqual(len(self.ledger(status="Queued")), 1)

	def test_two_retries_by_hand_of_one_pin_each(self):
		self.claimed()
		deliver.deliver([row.name for row in self.ledger()])
		self.mail_sent("Error", error=REFUSED)
		rows = self.ledger(reference_name=["in", self.pins])
		self.assertEqual(api.retry([rows[0].name]), {"Pending": 3})
		self.assert_together()
		self.assertEqual(api.retry([rows[1].name]), {})
		self.assert_together()

	def test_what_is_tried_again_by_itself(self):
		self.claimed()
		deliver.deliver([row.name for row in self.ledger()])
		self.mail_sent("Error", error=GREYLISTED)
		with self.at(f"{in_days(1)} 12:00"), patch.object(retry, "PAGE_SIZE", 1):
			settle.settle()
		self.assert_together()

	def test_a_message_of_which_nobody_knows_whether_it_left_is_not_brought_along(self):
		self.claimed()
		deliver.deliver([row.name for row in self.ledger()])
		self.mail_sent("Error", error=GREYLISTED)
		first, *others = self.ledger(reference_name=["in", self.pins])
		frappe.db.set_value(ledger.DOCTYPE, first.name, "reason", "Outcome unknown")
		api.retry([others[0].name])
		self.assertEqual(self.outcome_of(first.reference_name), ("Failed", "Outcome unknown"))

	def test_two_that_were_skipped_and_are_sent_by_hand(self):
		frappe.db.set_value("Customer", self.customer, "disabled", 1)
		self.claimed()
		rows = self.ledger(reference_name=["in", self.pins])
		self.assertEqual({row.reason for row in rows}, {"Customer disabled"})
		frappe.db.set_value("Customer", self.customer, "disabled", 0)
		api.send_skipped([rows[0].name])
		self.assert_together()


class TestOncePerCustomer(TestWhateverBringsThem):
	POLICY = "Once per customer"


class TestARunThatIsClaiming(TogetherTestCase):
	def half_claimed(self) -> str:
		"""Let a run die after its first page; return its name."""
		claim, pages = run._claim, []

		def dies(messages, name):
			if messages and pages:
				raise KeyboardInterrupt
			new = claim(messages, name)
			pages.extend(messages[:1])
			return new

		name = run.begin("Scheduled", None)
		with (
			patch.object(date_field, "PAGE_SIZE", 2),
			patch.object(run, "_claim", dies),
			patch.object(ledger, "refresh_runs"),
			self.assertRaises(KeyboardInterrupt),
		):
			run.execute(name)
		frappe.db.set_value("Lifecycle Run", name, {"status": "Running", "finished_at": None, "error": None})
		frappe.db.commit()
		return name

	def age(self, minutes: int, doctype: str) -> None:
		moment = frappe.utils.add_to_date(None, minutes=-minutes)
		frappe.db.set_value(doctype, {"name": ["is", "set"]}, "modified", moment, update_modified=False)
		frappe.db.commit()

	def test_its_rows_wait_until_it_has_all(self):
		self.half_claimed()
		self.age(20, ledger.DOCTYPE)
		settle.settle()
		self.assertEqual((len(self.ledger(status="Pending")), self.mails()), (2, []))

	def test_one_that_was_killed_is_taken_up_by_another_before_its_rows_are(self):
		self.half_claimed()
		self.age(20, ledger.DOCTYPE)
		self.age(20, "Lifecycle Run")
		settle.settle()
		self.assert_together()
		self.assertEqual(len(self.mails()), 2)

	def test_while_a_run_gives_signs_of_life_they_wait_however_long_it_takes(self):
		name = self.half_claimed()
		self.age(600, ledger.DOCTYPE)
		settle.settle()
		self.assertEqual((len(self.ledger(status="Pending")), self.mails()), (2, []))
		frappe.db.set_value("Lifecycle Run", name, "status", "Interrupted")
		self.run_night()
		self.assert_together()

	def test_while_their_successors_are_killed_they_wait_but_not_for_ever(self):
		self.half_claimed()
		waiting = self.ledger(status="Pending")
		with patch.object(frappe, "enqueue"):
			for _run in range(settle.GIVE_RUNS):
				self.age(20, ledger.DOCTYPE)
				self.age(20, "Lifecycle Run")
				self.assertEqual(len(self.ledger(status="Pending")), len(waiting))
				settle.settle()
		self.age(20, ledger.DOCTYPE)
		settle.settle()
		self.assertEqual(
			sorted(frappe.get_all("Lifecycle Run", pluck="status")),
			["Interrupted"] * settle.GIVE_RUNS + ["Running"],
		)
		self.assertEqual(self.ledger(status="Pending"), [])

	def test_of_two_runs_side_by_side_the_last_one_brings_what_both_have(self):
		with patch.object(deliver, "enqueue"):
			self.run_night()
		(row, *_others) = self.ledger(reference_name=["in", self.pins])
		other = run.begin("Manual", None)
		frappe.db.set_value(ledger.DOCTYPE, row.name, "run", other)
		# The one that has ended, by whatever job, and by a hand that has one of them.
		deliver.deliver([r.name for r in self.ledger() if r.name != row.name])
		deliver.deliver([row.name])
		self.assertEqual(len(self.ledger(status="Pending")), len(self.pins))
		frappe.db.set_value("Lifecycle Run", other, "status", "Delivering")
		deliver.enqueue(ledger.pending_of_run(other))
		self.assert_together()

	def test_rows_of_other_campaigns_do_not_wait(self):
		with patch.object(deliver, "enqueue"):
			self.run_night()
		run.begin("Manual", factories.campaign().name)
		self.age(20, ledger.DOCTYPE)
		settle.settle()
		self.assert_together()

	def test_another_job_does_not_take_what_it_has_claimed_so_far(self):
		with patch.object(deliver, "enqueue"):
			self.run_night()
		(row, *_others) = self.ledger(reference_name=["in", self.pins])
		frappe.db.set_value(ledger.DOCTYPE, row.name, "run", run.begin("Scheduled", None))
		deliver.deliver([r.name for r in self.ledger() if r.name != row.name])
		self.assertEqual(self.outcome_of(row.reference_name), ("Pending", None))


class TestTheMessageId(MarketingTestCase):
	def sent_id(self) -> str:
		(mail,) = self.mails()
		return mail.message_id

	def test_is_the_same_on_a_site_that_was_restored_from_yesterdays_backup(self):
		for combine in (0, 1):
			with self.subTest(combine=combine):
				self._reset()
				count = 4 if combine else 1
				names = factories.received(count)
				customer = factories.customer()
				factories.sold(customer, names)
				factories.expire(names, in_days(30))
				factories.campaign(combine_messages=combine)
				self.run_night()
				before = self.sent_id()
				for doctype in (ledger.DOCTYPE, "Lifecycle Run", "Email Queue", "Email Queue Recipient"):
					frappe.db.delete(doctype)
				self.run_night()
				self.assertEqual(self.sent_id(), before)
				self.assertTrue(before.endswith(f"@{frappe.local.site}"))

	def test_is_another_one_for_another_expiry_and_another_customer(self):
		ana, eva = factories.customer(), factories.customer()
		(pin,) = factories.received()
		sale = factories.sold(ana, [pin])
		factories.expire(pin, in_days(30))
		factories.campaign({"days_offset": 30}, {"days_offset": 31})
		self.run_night()
		self.mail_sent()
		factories.expire(pin, in_days(31))
		self.run_night()
		self.mail_sent()
		factories.handed_over(sale, eva)
		self.run_night()
		ids = [mail.message_id for mail in self.mails()]
		self.assertEqual((len(ids), len(set(ids))), (3, 3))
