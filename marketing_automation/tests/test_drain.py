"""Our mails leave as soon as they are committed, each by one sender, and by nobody but us."""

import smtplib
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from unittest.mock import patch

import frappe
from frappe.email.doctype.email_account.email_account import EmailAccount
from frappe.email.doctype.email_queue.email_queue import EmailQueue
from frappe.email.queue import get_queue
from frappe.utils import now_datetime
from rq.timeouts import JobTimeoutException

from marketing_automation.channels.email import channel as email
from marketing_automation.channels.email import mime, sender
from marketing_automation.engine import deliver, dispatch, settle
from marketing_automation.tests import factories, smtp_sink
from marketing_automation.tests.case import (
	MarketingTestCase,
	outside_test_mode,
	sending_suspended,
	statements,
)
from marketing_automation.tests.factories import in_days

# The tests' own set-up replaces it.
ENQUEUE = dispatch.enqueue
REFUSED = "550 5.1.1 no such user"
# One of two senders of the same rows.
SENDER = """
import sys
import frappe
from marketing_automation.channels.email import sender
from marketing_automation.engine import dispatch

frappe.init(site=sys.argv[1], sites_path=".")
frappe.connect()
frappe.conf.update(mail_server="127.0.0.1", mail_port=int(sys.argv[2]), auto_email_id="shop@company.example")
sys.stdin.readline()
dispatch.send(sender.ACTION_TYPE, sys.argv[3:])
"""


class DrainTestCase(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.sink = smtp_sink.Sink()
		self.port = self.enterContext(smtp_sink.listening(self.sink))
		self.enterContext(patch.dict(frappe.local.conf, {"mail_port": self.port}))

	def queued(self, count: int = 3) -> list[str]:
		"""Return the names of so many mails that wait in Email Queue."""
		factories.pins(factories.customer(), *[in_days(30)] * count)
		factories.campaign()
		self.run_night()
		return [str(mail.name) for mail in self.mails()]

	def drain(self, names: list[str]) -> None:
		# As in a job of its own.
		frappe.local.outgoing_email_account = {}
		with outside_test_mode():
			dispatch.send(sender.ACTION_TYPE, names)

	def statuses(self) -> list[str]:
		return [mail.status for mail in self.mails()]

	def waiting_for_frappe(self) -> set[str]:
		return {str(row.name) for row in get_queue()}

	def refuse(self, *replies: str | None) -> None:
		"""Let the server give these replies to one mail after the other; None takes it."""
		left = list(replies)
		self.sink.answer = lambda _address: left.pop(0)


class TestDrain(DrainTestCase):
	"""With mails that are finished when they are made; below the same with mails that Frappe builds."""

	def test_a_batch_is_sent_when_it_is_committed_and_the_ledger_closed(self):
		names = self.queued()
		self.assertEqual(dispatch.enqueue.call_args.args, (sender.ACTION_TYPE, names))
		self.assertEqual({row.status for row in self.ledger()}, {"Queued"})
		self.drain(names)
		self.assertEqual(set(self.statuses()), {"Sent"})
		recipients = frappe.get_all("Email Queue Recipient", pluck="status", order_by="name asc")
		self.assertEqual(recipients, ["Sent"] * 3)
		self.assertEqual({row.status for row in self.ledger()}, {"Completed"})
		(night,) = frappe.get_all("Lifecycle Run", fields=["queued", "completed", "status"])
		self.assertEqual((night.queued, night.completed, night.status), (0, 3, "Completed"))
		ids = [message["Message-Id"] for message in self.sink.messages()]
		self.assertEqual(
			sorted(ids), sorted(f"<{row.message_key}@{frappe.local.site}>" for row in self.ledger())
		)

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
		dispatch.enqueue.assert_not_called()

	def test_frappe_never_sends_them_by_itself(self):
		names = self.queued()
		with self.at(f"{in_days(3650)} 12:00"):
			self.assertEqual(self.waiting_for_frappe(), set())
		self.refuse(*[REFUSED] * 3)
		self.drain(names)
		self.assertEqual(self.waiting_for_frappe(), set())

	def test_a_job_that_comes_too_late_sends_nothing(self):
		names = self.queued()
		for minutes in (20, -20):
			with self.at(str(now_datetime() + timedelta(minutes=minutes))[:16]), outside_test_mode():
				dispatch.send(sender.ACTION_TYPE, names)
			self.assertEqual((self.sink.mails, self.waiting_for_frappe()), ([], set()))

	def test_two_drains_of_the_same_rows_send_each_once(self):
		names = self.queued()
		sendmail = smtplib.SMTP.sendmail

		def other_one_first(session, *arguments, **options):
			result = sendmail(session, *arguments, **options)
			if len(self.sink.mails) == 1:
				dispatch.send(sender.ACTION_TYPE, names)
			return result

		with patch.object(smtplib.SMTP, "sendmail", other_one_first):
			self.drain(names)
		self.assertEqual(len({message["Message-Id"] for message in self.sink.messages()}), 3)
		self.assertEqual((len(self.sink.mails), set(self.statuses())), (3, {"Sent"}))

	def test_a_row_that_is_being_sent_is_left_alone(self):
		names = self.queued()
		frappe.db.set_value("Email Queue", names[0], "status", "Sending")
		frappe.db.commit()
		self.drain(names)
		self.assertEqual(self.statuses(), ["Sending", "Sent", "Sent"])

	def test_what_a_mail_is_refused_for_stands_in_the_ledger(self):
		names = self.queued()
		self.refuse(None, REFUSED, "451 4.7.1 try again later")
		self.drain(names)
		self.assertEqual(self.statuses(), ["Sent", "Error", "Error"])
		sent, refused, later = self.ledger()
		self.assertEqual((sent.status, refused.status, later.status), ("Completed", "Failed", "Failed"))
		self.assertTrue(refused.error.startswith(REFUSED), refused.error)
		self.assertTrue(later.error.startswith("451 4.7.1 try again later"), later.error)
		self.assertEqual((refused.next_attempt_at, bool(later.next_attempt_at)), (None, True))

	def test_before_the_next_attempt_the_world_is_looked_at_again(self):
		names = self.queued(1)
		self.refuse("451 4.7.1 try again later")
		self.drain(names)
		(row,) = self.ledger()
		factories.make(
			"Email Unsubscribe",
			email=row.recipient,
			reference_doctype="Lifecycle Campaign",
			reference_name=row.campaign,
		)
		with self.at(str(row.next_attempt_at + timedelta(minutes=1))[:16]):
			settle.settle()
		(row,) = self.ledger()
		self.assertEqual((row.status, row.reason), ("Skipped", "Unsubscribed"))
		self.assertEqual((self.statuses(), self.sink.mails), (["Error"], []))

	def test_a_server_that_is_not_there_is_not_asked_for_every_mail(self):
		names = self.queued(6)
		with patch.dict(frappe.local.conf, {"mail_port": 9}):
			self.drain(names)
		self.assertEqual(self.statuses(), ["Error"] * sender.GIVE_UP_AFTER + ["Not Sent"] * 3)
		self.assertEqual(Counter(row.status for row in self.ledger()), {"Failed": 3, "Queued": 3})
		self.assertTrue(all(row.next_attempt_at for row in self.ledger(status="Failed")))
		self.assertEqual(self.waiting_for_frappe(), set())

	def test_a_server_that_hangs_is_not_waited_for_twice(self):
		names = self.queued()
		with patch.object(sender, "PATIENCE", -1), patch.dict(frappe.local.conf, {"mail_port": 9}):
			self.drain(names)
		self.assertEqual(self.statuses(), ["Error", "Not Sent", "Not Sent"])

	def test_an_account_that_cannot_send_holds_no_other_up(self):
		names = self.queued(4)
		account = self.email_account("offers@company.example").name
		for name in names[::2]:
			frappe.db.set_value("Email Queue", name, "email_account", account, update_modified=False)
		frappe.db.commit()
		get_smtp_server = EmailAccount.get_smtp_server

		def without_token(email_account):
			if email_account.name == account:
				raise frappe.ValidationError("no token")
			return get_smtp_server(email_account)

		with (
			patch.object(EmailAccount, "get_smtp_server", without_token),
			patch.object(sender, "GIVE_UP_AFTER", 1),
		):
			self.drain(names)
		self.assertEqual(self.statuses(), ["Error", "Sent", "Not Sent", "Sent"])
		self.assertIn("no token", self.ledger()[0].error)

	def test_refusals_do_not_mean_that_the_server_is_not_there(self):
		names = self.queued(6)
		self.refuse(*[REFUSED] * 5, None)
		self.drain(names)
		self.assertEqual(self.statuses(), ["Error"] * 5 + ["Sent"])

	def test_a_line_that_breaks_is_taken_up_again(self):
		names = self.queued()
		# The first mail is lost with the line; the others go over a new one.
		drops = iter([smtp_sink.DROP, None, None])
		self.sink.reply = lambda *_mail: next(drops)
		self.drain(names)
		self.assertEqual(self.statuses(), ["Error", "Sent", "Sent"])
		self.assertTrue(self.ledger()[0].next_attempt_at)

	def test_what_a_job_has_no_time_for_another_job_of_ours_sends(self):
		names = self.queued()
		dispatch.enqueue.reset_mock()
		with patch.object(sender, "SECONDS_PER_JOB", 0):
			self.drain(names)
		dispatch.enqueue.assert_called_once_with(sender.ACTION_TYPE, names)
		self.assertEqual((set(self.statuses()), self.waiting_for_frappe()), ({"Not Sent"}, set()))
		self.drain(names)
		self.assertEqual(set(self.statuses()), {"Sent"})

	def test_a_job_that_is_ended_leaves_the_rest_to_the_next(self):
		names = self.queued()
		sendmail = smtplib.SMTP.sendmail

		def too_long(session, *arguments, **options):
			if self.sink.mails:
				raise JobTimeoutException("time")
			return sendmail(session, *arguments, **options)

		with patch.object(smtplib.SMTP, "sendmail", too_long), self.assertRaises(JobTimeoutException):
			self.drain(names)
		self.assertEqual(self.statuses(), ["Sent", "Error", "Not Sent"])
		self.assertEqual(self.waiting_for_frappe(), set())
		with self.at(str(now_datetime() + timedelta(minutes=20))[:16]):
			settle.settle()
		self.assertEqual([row.status for row in self.ledger()], ["Completed", "Failed", "Queued"])
		self.assertEqual([row.attempts for row in self.ledger()], [1, 1, 1])
		self.assertNotIn(names[2], [str(mail.name) for mail in self.mails()])

	def test_a_batch_that_was_under_way_when_its_campaign_was_paused_is_taken_back(self):
		names = self.queued()
		(campaign,) = frappe.get_all("Lifecycle Campaign", pluck="name")
		# Whatever takes back what is Queued was there before it.
		frappe.db.set_value("Lifecycle Campaign", campaign, "is_active", 0)
		frappe.db.commit()
		self.drain(names)
		self.assertEqual((set(self.statuses()), self.sink.mails), ({"Not Sent"}, []))
		self.assertEqual(self.waiting_for_frappe(), set())
		settle.settle()
		self.assertEqual((self.mails(), {row.status for row in self.ledger()}), ([], {"Cancelled"}))

	def test_whoever_unsubscribes_before_the_job_begins_gets_nothing(self):
		names = self.queued()
		(campaign,) = frappe.get_all("Lifecycle Campaign", pluck="name")
		factories.make(
			"Email Unsubscribe",
			email=self.mails()[0].recipient,
			reference_doctype="Lifecycle Campaign",
			reference_name=campaign,
		)
		frappe.db.commit()
		self.drain(names)
		self.assertEqual((set(self.statuses()), self.sink.mails), ({"Not Sent"}, []))
		with self.at(str(now_datetime() + timedelta(minutes=20))[:16]):
			settle.settle()
		self.assertEqual({row.reason for row in self.ledger()}, {"Unsubscribed"})
		self.assertEqual(self.mails(), [])

	def test_muted_or_suspended_mail_stays_where_it_is(self):
		names = self.queued()
		with sending_suspended():
			self.drain(names)
		with patch.dict(frappe.conf, {"mute_emails": 1}):
			self.drain(names)
		self.assertEqual((set(self.statuses()), self.sink.mails), ({"Not Sent"}, []))
		self.assertEqual(self.waiting_for_frappe(), set())


class TestDrainFrappesWay(TestDrain):
	def setUp(self):
		super().setUp()
		self.enterContext(patch.object(mime, "make", return_value=None))
		# What was made before, and then what is made here.
		self.enterContext(patch.object(frappe.local, "lifecycle_made", {}, create=True))

	def test_they_go_by_email_queues_own_send(self):
		names, sent = self.queued(), []
		send = EmailQueue.send

		def recording(mail, **options):
			sent.append(str(mail.name))
			return send(mail, **options)

		with patch.object(EmailQueue, "send", recording):
			self.drain(names)
		self.assertEqual(sent, names)


class TestFinished(DrainTestCase):
	"""One commit for a mail: what a crash between two of them leaves."""

	def test_a_mail_is_three_updates_and_a_commit(self):
		def of(count: int) -> int:
			self._reset()
			names = self.queued(count)
			with statements() as seen:
				self.drain(names)
			self.assertEqual(set(self.statuses()), {"Sent"})
			return len(seen)

		# The commit begins the next transaction, with a statement of its own.
		self.assertEqual((of(9) - of(3)) / 6, 5)

	def test_a_crash_leaves_one_mail_of_which_nobody_knows(self):
		class Crash(BaseException):
			pass

		names = self.queued(5)
		sendmail = smtplib.SMTP.sendmail

		def crashing(session, *arguments, **options):
			result = sendmail(session, *arguments, **options)
			if len(self.sink.mails) == 3:
				# As SIGKILL: nothing more is written down.
				self.enterContext(patch.object(frappe.db, "sql", side_effect=Crash))
				raise Crash
			return result

		sql = frappe.db.sql
		with patch.object(smtplib.SMTP, "sendmail", crashing), self.assertRaises(Crash):
			self.drain(names)
		frappe.db.sql = sql
		frappe.db.rollback()
		self.assertEqual(self.statuses(), ["Sent", "Sent", "Sending", "Not Sent", "Not Sent"])
		# Not before nobody can be sending it any more.
		settle.settle()
		self.assertEqual([row.status for row in self.ledger()], ["Completed"] * 2 + ["Queued"] * 3)
		frappe.db.set_value("Email Queue", names[2], "modified", "2026-01-01", update_modified=False)
		settle.settle()
		self.assertEqual(
			[(row.status, row.reason) for row in self.ledger()],
			[("Completed", None)] * 2 + [("Failed", "Outcome unknown")] + [("Queued", None)] * 2,
		)

	def test_the_victim_of_a_deadlock_sends_no_mail_twice(self):
		names = self.queued()
		write, victims = sender._Sender._write, []

		def deadlocked(sender, mail):
			result = write(sender, mail)
			if len(victims) < 3:
				victims.append(mail)
				raise frappe.QueryDeadlockError
			return result

		with patch.object(sender._Sender, "_write", deadlocked):
			self.drain(names)
		self.assertEqual((len(self.sink.mails), set(self.statuses())), (3, {"Sent"}))

	def test_two_processes_send_each_row_once(self):
		names = self.queued(40)
		frappe.db.commit()
		command = [sys.executable, "-c", SENDER, frappe.local.site, str(self.port), *names]
		senders = [
			subprocess.Popen(
				command, cwd=frappe.local.sites_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
			)
			for _ in range(2)
		]
		for process in senders:
			process.stdin.write("go\n")
			process.stdin.flush()
		self.assertEqual([process.wait(timeout=300) for process in senders], [0, 0])
		for process in senders:
			process.communicate()
		frappe.db.rollback()
		ids = [message["Message-Id"] for message in self.sink.messages()]
		self.assertEqual((len(ids), len(set(ids))), (40, 40))
		self.assertEqual(set(self.statuses()), {"Sent"})

	def test_whoever_replaces_sending_is_asked(self):
		names, handed_over = self.queued(), []

		def provider(mail, sender, recipient, message):
			handed_over.append((str(mail.name), recipient, message))

		with (
			patch.object(sender, "get_hook_method", return_value=provider),
			patch("frappe.email.doctype.email_queue.email_queue.get_hook_method", return_value=provider),
		):
			self.drain(names)
		self.assertEqual([name for name, _recipient, _message in handed_over], names)
		self.assertEqual((self.sink.mails, set(self.statuses())), ([], {"Sent"}))

	def test_a_row_with_more_to_do_is_not_finished(self):
		(name,) = self.queued(1)
		mail = sender._ours([name])[name]
		account = sender._Sender()._account(mail)
		self.assertTrue(sender._is_finished(mail, account))
		for change in (
			{"attachments": '[{"fid": "x"}]'},
			{"communication": "x"},
			{"message": f"{mail.message}{mime.RECIPIENT}"},
			{"recipients": mail.recipients * 2},
			{"recipients": [{**mail.recipients[0], "status": "Sent"}]},
		):
			with self.subTest(change):
				recipients = [frappe._dict(row) for row in change.pop("recipients", mail.recipients)]
				self.assertFalse(
					sender._is_finished(frappe._dict(mail, recipients=recipients, **change), account)
				)
		for change in ({"append_emails_to_sent_folder": 1}, {"service": "Frappe Mail"}):
			with self.subTest(change):
				self.assertFalse(sender._is_finished(mail, frappe._dict(change)))


class TestEnqueue(MarketingTestCase):
	def test_a_job_has_so_many_mails(self):
		with patch.object(frappe, "enqueue") as enqueue:
			ENQUEUE(sender.ACTION_TYPE, ["1"] * (email.PER_JOB + 1))
		self.assertEqual([len(call.kwargs["handles"]) for call in enqueue.mock_calls], [email.PER_JOB, 1])
