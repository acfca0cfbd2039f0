"""What waits is looked at again before it leaves: for room under a throttle, for sending to be resumed, for a sender."""

from datetime import timedelta
from unittest.mock import patch

import frappe
from frappe.email.doctype.email_queue import email_queue
from frappe.email.queue import get_queue
from frappe.utils import now_datetime

from marketing_automation.channels.email import sender
from marketing_automation.engine import dispatch, settle
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.patches import send_our_own_mails
from marketing_automation.tests import factories, smtp_sink
from marketing_automation.tests.case import MarketingTestCase, outside_test_mode, sending_suspended
from marketing_automation.tests.factories import in_days


class WaitingTestCase(MarketingTestCase):
	def due(self, count: int = 1, **campaign):
		"""Return a campaign with so many customers who are due tonight."""
		for _ in range(count):
			factories.pin(factories.customer(), in_days(30))
		return factories.campaign(**campaign)

	def statuses(self) -> list[str]:
		return [row.status for row in self.ledger()]

	def later(self, **time):
		return self.at(str(now_datetime() + timedelta(**time))[:19])

	def unsubscribe(self, row) -> None:
		factories.make(
			"Email Unsubscribe",
			email=row.recipient,
			reference_doctype="Lifecycle Campaign",
			reference_name=row.campaign,
		)
		frappe.db.commit()


class TestSuspended(WaitingTestCase):
	def test_nothing_is_handed_over_while_sending_is_suspended_or_muted(self):
		self.due()
		with sending_suspended():
			self.run_night()
			settle.settle()
			self.assertEqual((self.statuses(), self.mails()), (["Pending"], []))
		with patch.dict(frappe.conf, {"mute_emails": 1}), self.later(minutes=20):
			settle.settle()
			self.assertEqual((self.statuses(), self.mails()), (["Pending"], []))
		with self.later(minutes=40):
			settle.settle()
		self.assertEqual((self.statuses(), len(self.mails())), (["Queued"], 1))

	def test_what_was_handed_over_before_is_taken_back(self):
		self.due(2, combine_messages=1)
		self.run_night()
		with sending_suspended():
			settle.settle()
			self.assertEqual((self.statuses(), self.mails()), (["Pending"] * 2, []))
		self.assertEqual({(row.handle, row.attempts) for row in self.ledger()}, {(None, 0)})

	def test_sixty_days_later_nobody_is_offered_what_has_expired(self):
		self.due(2)
		self.run_night()
		with sending_suspended():
			settle.settle()
		with self.at(f"{in_days(60)} 09:00"):
			settle.settle()
		self.assertEqual({(row.status, row.reason) for row in self.ledger()}, {("Skipped", "Date passed")})
		self.assertEqual(self.mails(), [])

	def test_a_job_that_was_queued_before_sends_nothing_sixty_days_later(self):
		self.due()
		self.run_night()
		names = [str(mail.name) for mail in self.mails()]
		with self.at(f"{in_days(60)} 09:00"), patch.object(sender._Sender, "send") as send:
			dispatch.send(sender.ACTION_TYPE, names)
		send.assert_not_called()

	def test_what_cannot_go_is_settled_meanwhile(self):
		campaign = self.due()
		with sending_suspended():
			self.run_night()
			campaign.reload()
			campaign.update({"is_active": 0}).save()
			frappe.db.commit()
			with self.later(minutes=20):
				settle.settle()
			self.assertEqual(self.statuses(), ["Cancelled"])


class TestTheSenderHasDied(WaitingTestCase):
	def test_its_mails_are_made_anew_for_who_may_still_be_told(self):
		self.due(2)
		self.run_night()
		before = {str(mail.name) for mail in self.mails()}
		_ana, ben = self.ledger()
		self.unsubscribe(ben)
		settle.settle()
		self.assertEqual({str(mail.name) for mail in self.mails()}, before, "a job may be about to send them")
		with self.later(minutes=16):
			settle.settle()
		self.assertEqual(
			[(row.status, row.reason) for row in self.ledger()],
			[("Queued", None), ("Skipped", "Unsubscribed")],
		)
		(mail,) = self.mails()
		self.assertNotIn(str(mail.name), before)
		self.assertEqual([row.attempts for row in self.ledger()][:1], [1], "that was no attempt")

	def test_also_where_the_clock_was_set_back_since(self):
		self.due()
		with self.later(hours=3):
			self.run_night()
		before = self.mails()[0].name
		settle.settle()
		self.assertEqual((self.statuses(), len(self.mails())), (["Queued"], 1))
		self.assertNotEqual(self.mails()[0].name, before)

	def test_a_combined_message_is_made_anew_as_a_whole(self):
		factories.pins(factories.customer(), in_days(30), in_days(30), in_days(30))
		factories.campaign(combine_messages=1, duplicate_policy="Once per customer")
		self.run_night()
		# Its rows are on two pages.
		with self.later(minutes=16), patch.object(settle, "PAGE_SIZE", 2):
			settle.settle()
		self.assertEqual((self.statuses(), len(self.mails())), (["Queued"] * 3, 1))

	def test_one_that_frappe_has_taken_from_a_dead_sender_is_not_sent_again(self):
		# Our job took it and died, or a person's request; newer versions make it "Not Sent" after a quarter of an hour.
		for taken in (sender.TAKEN, sender.OUT_OF_REACH):
			with self.subTest(taken):
				self._reset()
				self.due()
				self.run_night()
				frappe.db.set_value(
					"Email Queue", {}, {"status": "Not Sent", "send_after": taken, "retry": 1}
				)
				frappe.db.commit()
				self.assertEqual(get_queue(), [])
				with self.later(minutes=16):
					settle.settle()
				self.assertEqual(
					[(row.status, row.reason) for row in self.ledger()], [("Failed", "Outcome unknown")]
				)
				self.assertEqual([mail.status for mail in self.mails()], ["Error"])


class TestEmailQueuesButtons(WaitingTestCase):
	def test_retry_sending_has_the_message_delivered_anew_and_once(self):
		self.due()
		self.run_night()
		self.mail_sent("Error", error="smtplib.SMTPDataError: (550, b'no')")
		(mail,) = self.mails()
		# Newer versions call it otherwise.
		retry_sending = getattr(email_queue, "retry_sending", None) or email_queue.bulk_retry
		retry_sending(frappe.as_json([mail.name]))
		frappe.db.commit()
		frappe.clear_messages()
		# Older versions compare wrongly there.
		frappe.db.set_value(
			"Email Queue", mail.name, {"status": "Not Sent", "send_after": sender.OUT_OF_REACH}
		)
		frappe.db.commit()
		self.assertEqual(get_queue(), [])
		settle.settle()
		self.assertEqual(self.statuses(), ["Queued"])
		with self.later(minutes=20):
			settle.settle()
		(again,) = self.mails()
		self.assertEqual((self.statuses(), again.status), (["Queued"], "Not Sent"))
		self.assertNotEqual(again.name, mail.name)

	def test_send_now_sends_it_and_our_job_does_not(self):
		self.due()
		self.run_night()
		(mail,) = self.mails()
		sink = smtp_sink.Sink()
		with smtp_sink.listening(sink) as port, patch.dict(frappe.local.conf, {"mail_port": port}):
			frappe.local.outgoing_email_account = {}
			with outside_test_mode():
				email_queue.send_now(mail.name)
				dispatch.send(sender.ACTION_TYPE, [str(mail.name)])
		self.assertEqual((len(sink.mails), self.statuses()), (1, ["Completed"]))


class TestThrottle(WaitingTestCase):
	def throttled(self, rate: int, count: int, **campaign):
		frappe.db.set_single_value(SETTINGS, "mails_per_minute", rate)
		return self.due(count, **campaign)

	def tick(self, minutes: float) -> int:
		"""Look for what has room, so much later; return how many mails there are."""
		with self.later(minutes=minutes):
			settle.send_what_waits()
		return len(self.mails())

	def test_each_account_sends_so_many_a_minute_and_the_rest_waits(self):
		self.email_account("offers@company.example")
		self.throttled(2, 5)
		self.run_night()
		self.assertEqual((len(self.mails()), self.statuses().count("Pending")), (2, 3))
		factories.campaign(sender="offers@company.example")
		self.run_night()
		self.assertEqual(len(self.mails()), 4, "another account has room of its own")
		self.assertEqual(self.tick(0.5), 4)
		self.assertEqual(self.tick(1.1), 8)
		self.assertEqual(self.tick(2.2), 10)
		self.assertEqual(self.tick(3.3), 10)

	def test_a_missed_minute_loses_nothing(self):
		self.throttled(2, 3)
		self.run_night()
		self.assertEqual(self.tick(600), 3)

	def test_whoever_unsubscribes_while_waiting_gets_nothing(self):
		self.throttled(1, 3)
		self.run_night()
		waiting = self.ledger(status="Pending")
		for row in waiting:
			row.recipient = factories.address(row.customer)
			self.unsubscribe(row)
		for minute in range(1, 4):
			self.tick(minute * 1.1)
		self.assertEqual({row.reason for row in self.ledger(status="Skipped")}, {"Unsubscribed"})
		self.assertEqual((len(self.mails()), len(self.ledger(status="Skipped"))), (1, 2))

	def test_a_combined_message_is_one_mail(self):
		frappe.db.set_single_value(SETTINGS, "mails_per_minute", 2)
		for _ in range(2):
			factories.pins(factories.customer(), in_days(30), in_days(30))
		factories.campaign(combine_messages=1)
		self.run_night()
		self.assertEqual((self.statuses(), len(self.mails())), (["Queued"] * 4, 2))

	def test_two_jobs_at_once_do_not_share_the_same_room(self):
		self.throttled(3, 4)
		self.run_night()
		room = []
		with self.later(minutes=2):
			self.assertEqual(sender.room(""), 3)
			sender.take_room([""] * 2)
			room.append(sender.room(""))
			frappe.db.rollback()
		self.assertEqual(room, [1])

	def test_campaigns_that_share_an_account_take_turns(self):
		self.throttled(1, 6)
		factories.campaign()
		self.run_night()
		for minute in range(1, 12):
			self.tick(minute * 1.1)
		self.assertEqual((len(self.mails()), self.statuses().count("Pending")), (12, 0))

	def test_it_goes_on_between_the_schedulers_calls_as_long_as_something_waits(self):
		self.throttled(1, 2)
		self.run_night()
		until = now_datetime() + timedelta(minutes=4)
		with patch.object(frappe, "enqueue") as enqueue, patch.object(settle.time, "sleep") as sleep:
			settle.pour()
			(call,) = enqueue.mock_calls
			self.assertEqual((call.args, call.kwargs["queue"]), ((settle.poured,), "long"))
			settle.poured(until)
			self.assertEqual(len(enqueue.mock_calls), 2)
			# The scheduler has called again by then.
			settle.poured(now_datetime())
			self.assertEqual(len(enqueue.mock_calls), 2)
		self.assertLess(max(call.args[0] for call in sleep.mock_calls), 30)
		self.tick(1.1)
		with patch.object(frappe, "enqueue") as enqueue, patch.object(settle.time, "sleep"):
			settle.pour()
			settle.poured(until)
		enqueue.assert_not_called()

	def test_without_a_throttle_nothing_is_looked_for(self):
		self.due()
		with patch.object(settle.deliver, "enqueue"):
			self.run_night()
		with patch.object(frappe, "enqueue") as enqueue:
			settle.pour()
		enqueue.assert_not_called()


class TestMailsOfTheFirstVersion(WaitingTestCase):
	def test_they_are_taken_out_of_frappes_reach_and_looked_at_again(self):
		self.due(3)
		self.run_night()
		leased, paced, sent = self.mails()
		frappe.db.set_value("Email Queue", leased.name, "send_after", now_datetime() + timedelta(minutes=3))
		frappe.db.set_value("Email Queue", paced.name, "send_after", now_datetime() + timedelta(hours=9))
		frappe.db.set_value("Email Queue", sent.name, {"send_after": None, "status": "Sent"})
		others = factories.make("Email Queue", sender="x@company.example", status="Not Sent", message="x")
		for _ in range(2):
			send_our_own_mails.execute()
		self.assertEqual(
			{str(row.name): row.send_after for row in self.mails()},
			{
				str(leased.name): sender.OUT_OF_REACH,
				str(paced.name): sender.OUT_OF_REACH,
				str(sent.name): None,
				str(others.name): None,
			},
		)
		with self.later(minutes=20):
			settle.settle()
		self.assertEqual(sorted(self.statuses()), ["Completed", "Queued", "Queued"])
