"""Our mails leave as soon as they are committed, each by one sender; what cannot leave is Frappe's, at once."""

import itertools
import smtplib
from datetime import timedelta
from unittest.mock import patch

import frappe
from frappe.email.doctype.email_queue.email_queue import EmailQueue
from frappe.email.queue import get_queue
from frappe.utils import get_datetime, now_datetime

from marketing_automation.engine import deliver, drain, run
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days

# The tests' own set-up replaces it.
ENQUEUE = drain.enqueue


class TestDrain(MarketingTestCase):
	def queued(self, count: int = 3) -> list[str]:
		"""Return the names of so many mails that wait in Email Queue."""
		factories.pins(factories.customer(), *[in_days(30)] * count)
		factories.campaign()
		self.run_night()
		return [str(mail.name) for mail in self.mails()]

	def waiting_for_frappe(self) -> set[str]:
		return {str(row.name) for row in get_queue()}

	def failing(self, *errors):
		"""Return a context in which the mails end with these errors, one after the other; None is sent."""
		send, left = EmailQueue.send, list(errors)

		def sometimes(mail, **options):
			if error := left.pop(0):
				# As `send` leaves it.
				mail.update_db(status="Not Sent", retry=1, commit=True)
				raise error
			return send(mail, **options)

		return patch.object(EmailQueue, "send", sometimes)

	def test_a_batch_is_sent_when_it_is_committed_and_the_ledger_closed(self):
		names = self.queued()
		self.assertEqual(drain.enqueue.call_args.args, (names,))
		self.assertEqual({row.status for row in self.ledger()}, {"Queued"})
		drain.drain(names)
		self.assertEqual({mail.status for mail in self.mails()}, {"Sent"})
		self.assertEqual({row.status for row in self.ledger()}, {"Completed"})
		(night,) = frappe.get_all("Lifecycle Run", fields=["queued", "completed", "status"])
		self.assertEqual((night.queued, night.completed, night.status), (0, 3, "Completed"))

	def test_nothing_is_dispatched_of_a_batch_that_was_not_committed(self):
		factories.pin(factories.customer(), in_days(30))
		factories.campaign()
		with patch.object(deliver, "enqueue"):
			self.run_night()
		with (
			patch.object(frappe.db, "commit", side_effect=RuntimeError("no more")),
			self.assertRaises(RuntimeError),
		):
			deliver.deliver([row.name for row in self.ledger()])
		drain.enqueue.assert_not_called()

	def test_frappe_leaves_our_mails_alone_until_the_lease_ends(self):
		names = self.queued()
		self.assertEqual(self.waiting_for_frappe(), set())
		with self.at(str(now_datetime() + drain.LEASE + timedelta(minutes=1))[:16]):
			self.assertEqual(self.waiting_for_frappe(), set(names))
			# Then they are no longer ours.
			drain.drain(names)
		self.assertEqual({mail.status for mail in self.mails()}, {"Not Sent"})

	def test_two_drains_of_the_same_rows_send_each_once(self):
		names = self.queued()
		sent = []
		send = EmailQueue.send

		def other_one_first(mail, **options):
			sent.append(mail.name)
			send(mail, **options)
			if len(sent) == 1:
				drain.drain(names)

		with patch.object(EmailQueue, "send", other_one_first):
			drain.drain(names)
		self.assertEqual(sorted(map(str, sent)), sorted(names))

	def test_a_row_that_is_being_sent_is_left_alone(self):
		names = self.queued()
		frappe.db.set_value("Email Queue", names[0], "status", "Sending")
		frappe.db.commit()
		drain.drain(names)
		self.assertEqual(sorted(mail.status for mail in self.mails()), ["Sending", "Sent", "Sent"])

	def test_what_a_mail_is_refused_for_is_kept_and_frappe_tries_it_again(self):
		names = self.queued()
		refusal = smtplib.SMTPRecipientsRefused({"a@b.c": (550, b"5.1.1 no such user")})
		with self.failing(None, refusal, None):
			drain.drain(names)
		self.assertEqual([mail.status for mail in self.mails()], ["Sent", "Not Sent", "Sent"])
		self.assertEqual(self.waiting_for_frappe(), {names[1]})
		(row,) = self.ledger(status="Queued")
		self.assertIn("550", row.error)

	def test_a_server_that_is_not_there_is_not_asked_for_every_mail(self):
		names = self.queued(6)
		with self.failing(*[ConnectionRefusedError(111, "Connection refused")] * drain.GIVE_UP_AFTER):
			drain.drain(names)
		self.assertEqual({mail.status for mail in self.mails()}, {"Not Sent"})
		self.assertEqual(self.waiting_for_frappe(), set(names))

	def test_refusals_do_not_mean_that_the_server_is_not_there(self):
		names = self.queued(6)
		refusal = smtplib.SMTPRecipientsRefused({"a@b.c": (550, b"5.1.1 no such user")})
		with self.failing(*[refusal] * 5, None):
			drain.drain(names)
		self.assertEqual([mail.status for mail in self.mails()], ["Not Sent"] * 5 + ["Sent"])

	def test_a_job_that_runs_out_of_time_leaves_the_rest_to_frappe(self):
		from rq.timeouts import JobTimeoutException

		names = self.queued()
		with self.failing(None, JobTimeoutException("time")), self.assertRaises(JobTimeoutException):
			drain.drain(names)
		self.assertEqual(self.waiting_for_frappe(), set(names[1:]))

	def test_muted_or_suspended_mail_stays_where_it_is(self):
		names = self.queued()
		frappe.db.set_default("suspend_email_queue", 1)
		try:
			drain.drain(names)
		finally:
			frappe.db.set_default("suspend_email_queue", 0)
		with patch.dict(frappe.conf, {"mute_emails": 1}):
			drain.drain(names)
		self.assertEqual({mail.status for mail in self.mails()}, {"Not Sent"})
		self.assertEqual(self.waiting_for_frappe(), set())


class TestThrottle(MarketingTestCase):
	def throttled(self, rate: int, count: int, **campaign) -> None:
		frappe.db.set_single_value(run.SETTINGS, "mails_per_minute", rate)
		factories.pins(factories.customer(), *[in_days(30)] * count)
		factories.campaign(**campaign)

	def moments(self, **filters) -> list:
		rows = frappe.get_all("Email Queue", filters=filters, pluck="send_after", order_by="send_after asc")
		return [get_datetime(moment) for moment in rows]

	def test_each_account_sends_so_many_a_minute(self):
		account = self.email_account("offers@company.example").name
		self.throttled(6, 3)
		self.run_night()
		self.throttled(6, 3, sender="offers@company.example")
		self.run_night()
		for of_account, mails in ((["is", "not set"], 6), (account, 6)):
			moments = self.moments(email_account=of_account)
			gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
			self.assertEqual(gaps, [timedelta(seconds=10)] * (mails - 1))
			self.assertLess(moments[0] - now_datetime(), timedelta(minutes=1))

	def test_frappe_sends_them_when_their_time_has_come(self):
		self.throttled(6, 3)
		self.run_night()
		names = {str(mail.name) for mail in self.mails()}
		with patch.object(frappe, "enqueue") as enqueue:
			ENQUEUE(sorted(names))
		enqueue.assert_not_called()
		with self.at(str(now_datetime() + timedelta(minutes=2))[:16]):
			self.assertEqual({str(row.name) for row in get_queue()}, names)

	def test_without_a_throttle_nothing_waits(self):
		factories.pins(factories.customer(), in_days(30), in_days(30))
		factories.campaign()
		self.run_night()
		self.assertEqual(len(set(self.moments())), 1)
		with patch.object(frappe, "enqueue") as enqueue:
			ENQUEUE(["1"] * (drain.MAILS_PER_JOB + 1))
		self.assertEqual([len(call.kwargs["names"]) for call in enqueue.mock_calls], [drain.MAILS_PER_JOB, 1])
