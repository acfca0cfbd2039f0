"""What failed can be tried again, by itself or by hand, and is still sent once."""

from datetime import datetime, timedelta
from unittest.mock import patch

import frappe

from marketing_automation import api
from marketing_automation.channels.email import kept_errors, smtp_errors
from marketing_automation.engine import deliver, ledger, retry, settle
from marketing_automation.engine.model import suppression_key
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days

# What is held against no address: one that does not exist is suppressed, and a retry is skipped.
REFUSED = "smtplib.SMTPRecipientsRefused: {'ana@customers.example': (552, b'5.3.4 message too big')}"
GREYLISTED = "smtplib.SMTPRecipientsRefused: {'ana@customers.example': (451, b'4.7.1 try again later')}"
DOWN = "ConnectionRefusedError: [Errno 111] Connection refused"


class TestWhatAnErrorMeans(MarketingTestCase):
	def test_the_server_decides_by_its_code(self):
		for error, temporary in (
			(REFUSED, False),
			(GREYLISTED, True),
			("smtplib.SMTPDataError: (452, b'mailbox full')", True),
			('smtplib.SMTPDataError: (554, b"it\'s spam")', False),
			("smtplib.SMTPSenderRefused: (550, b'no', 'shop@company.example')", False),
			("SMTPRecipientsRefused: {'a': (451, b'later'), 'b': (550, b'never')}", False),
			("smtplib.SMTPAuthenticationError: (535, b'5.7.8 credentials')", False),
		):
			with self.subTest(error):
				self.assertEqual(smtp_errors.is_temporary(error), temporary)

	def test_nobody_answering_is_temporary_and_anything_else_is_not(self):
		for error, temporary in (
			(DOWN, True),
			("smtplib.SMTPServerDisconnected: Connection unexpectedly closed", True),
			("frappe.exceptions.ValidationError: Invalid Outgoing Mail Server or Port", True),
			("socket.gaierror: [Errno -3] Temporary failure in name resolution", True),
			("rq.timeouts.JobTimeoutException: Task exceeded maximum timeout value", True),
			("UnicodeEncodeError: 'ascii' codec can't encode", False),
			("", False),
		):
			with self.subTest(error):
				self.assertEqual(smtp_errors.is_temporary(error), temporary)

	def test_the_words_of_the_server_come_first(self):
		self.assertTrue(
			smtp_errors.summary(f"Traceback\n  line\n{REFUSED}").startswith("552 5.3.4 message too big\n")
		)
		self.assertTrue(smtp_errors.summary(f"Traceback\n  line\n{DOWN}\n").startswith(f"{DOWN}\n"))


class TestByItself(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.pin = factories.pin(factories.customer(), in_days(30))
		self.campaign = factories.campaign()
		self.run_night()

	def row(self):
		(row,) = self.ledger()
		return row

	def test_a_temporary_failure_is_tried_again_with_growing_delays_until_its_attempts_are_used_up(self):
		frappe.db.set_single_value(SETTINGS, "max_attempts", 3)
		at = datetime.fromisoformat(f"{in_days(0)} 12:00:00.000001")
		delays = []
		for _attempt in range(3):
			with self.at(str(at)):
				self.mail_sent("Error", error=GREYLISTED)
				row = self.row()
				self.assertEqual((row.status, row.reason), ("Failed", "Sending failed"))
				self.assertIn("451 4.7.1 try again later", row.error)
				if row.next_attempt_at:
					delays.append(round((row.next_attempt_at - at).total_seconds() / 60))
			if row.next_attempt_at:
				at = row.next_attempt_at
				with self.at(str(at - timedelta(minutes=1))):
					settle.settle()
					self.assertEqual(self.row().status, "Failed", "too early")
				at = frappe.utils.add_to_date(at, seconds=5)
				with self.at(str(at)):
					settle.settle()
					self.assertEqual((self.row().status, self.row().next_attempt_at), ("Queued", None))
		self.assertEqual(delays, [30, 60])
		self.assertEqual((self.row().attempts, self.row().next_attempt_at), (3, None))

	def test_what_a_clock_that_was_ahead_put_off_for_a_year_is_tried_now(self):
		self.mail_sent("Error", error=GREYLISTED)
		frappe.db.set_value(ledger.DOCTYPE, self.row().name, "next_attempt_at", in_days(365))
		frappe.db.commit()
		settle.settle()
		self.assertEqual((self.row().status, self.row().next_attempt_at), ("Queued", None))

	def test_a_permanent_failure_is_not(self):
		self.mail_sent("Error", error=REFUSED)
		self.assertEqual(self.row().next_attempt_at, None)

	def test_what_belongs_to_a_paused_campaign_waits_for_it(self):
		self.mail_sent("Error", error=DOWN)
		self.campaign.update({"is_active": 0}).save()
		with self.at(f"{in_days(1)} 12:00"):
			settle.settle()
			self.assertEqual(self.row().status, "Failed")
			self.campaign.update({"is_active": 1}).save()
			frappe.db.commit()
			settle.settle()
			self.assertEqual(self.row().status, "Queued")

	def test_the_words_of_the_server_where_email_queue_keeps_only_lines_of_code(self):
		mail = self.mails()[0]
		try:
			try:
				raise ConnectionRefusedError(111, "Connection refused")
			except OSError:
				frappe.throw("Invalid Outgoing Mail Server or Port")
		except frappe.ValidationError:
			kept_errors.remember_mail_error("send_mail", {"email_queue_name": mail.name})
		self.assertEqual(self.row().status, "Queued")
		self.mail_sent("Error", error='File "smtplib.py", line 1, in connect')
		self.assertIn("Connection refused", self.row().error)
		self.assertTrue(self.row().next_attempt_at)

	def test_other_jobs_leave_no_trace(self):
		kept_errors.remember_mail_error("other", None)
		kept_errors.remember_mail_error("send_mail", {"email_queue_name": self.mails()[0].name})
		self.assertEqual(self.row().error, None)


class TestByHand(MarketingTestCase):
	def failed(self, error: str = REFUSED, **campaign):
		"""Return a customer whose mail was refused."""
		customer = factories.customer()
		self.pin = factories.pin(customer, in_days(30))
		self.campaign = factories.campaign(**campaign)
		self.run = self.run_night()
		self.mail_sent("Error", error=error)
		return customer

	def names(self) -> list[str]:
		return [row.name for row in self.ledger()]

	def test_a_corrected_address_gets_the_mail_and_the_ledger_keeps_its_key(self):
		customer = self.failed()
		before = self.ledger()[0]
		NEW = "right@customers.example"
		frappe.db.set_value("Contact Email", {"email_id": factories.address(customer)}, "email_id", NEW)
		self.assertEqual(api.retry(self.names()), {"Pending": 1})
		(row,), (mail,) = self.ledger(), self.mails()
		self.assertEqual((row.status, row.reason, row.error, row.recipient), ("Queued", None, None, NEW))
		self.assertEqual((row.message_key, row.attempts), (before.message_key, 2))
		self.assertEqual((mail.recipient, mail.status, str(mail.name)), (NEW, "Not Sent", row.handle))
		self.mail_sent()
		self.assertEqual(self.outcome_of(self.pin), ("Completed", None))

	def test_all_of_a_run(self):
		self.failed()
		self.assertEqual(api.retry_run(self.run.name), {"Pending": 1})
		self.run.reload()
		self.assertEqual((self.run.queued, self.run.failed), (1, 0))

	def test_twice_is_once(self):
		self.failed()
		api.retry(self.names())
		self.assertEqual(api.retry(self.names()), {})
		self.assertEqual(len(self.mails()), 1)

	def test_not_more_often_than_the_settings_allow(self):
		frappe.db.set_single_value(SETTINGS, "max_attempts", 1)
		self.failed()
		self.assertEqual(api.retry(self.names()), {retry.LIMIT_REACHED: 1})
		self.assertEqual(self.outcome_of(self.pin), ("Failed", "Sending failed"))

	def test_not_while_the_campaign_is_paused(self):
		self.failed()
		self.campaign.update({"is_active": 0}).save()
		frappe.db.commit()
		self.assertEqual(api.retry(self.names()), {"Campaign inactive": 1})
		self.assertEqual(self.outcome_of(self.pin), ("Failed", "Sending failed"))

	def test_the_world_is_looked_at_again(self):
		self.failed()
		factories.expire(self.pin, in_days(395))
		api.retry(self.names())
		self.assertEqual(self.outcome_of(self.pin), ("Skipped", "Date changed"))

	def test_a_mail_that_was_sent_again_from_email_queue_is_not_sent_once_more(self):
		for status in ("Not Sent", "Sending", "Sent"):
			self._reset()
			self.failed()
			frappe.db.set_value("Email Queue", {}, "status", status)
			before = self.mails()
			api.retry(self.names())
			self.assertEqual([mail.name for mail in self.mails()], [mail.name for mail in before])
			self.assertEqual(self.ledger()[0].status, "Queued")

	def test_a_mail_that_the_server_took_although_email_queue_says_error_is_completed(self):
		factories.pin(factories.customer(), in_days(30))
		factories.campaign()
		self.run_night()
		frappe.db.set_value("Email Queue Recipient", {}, "status", "Sent")
		self.mail_sent("Error", error="imaplib.error: no Sent folder")
		self.assertEqual(self.ledger()[0].status, "Completed")

	def test_a_template_that_was_corrected(self):
		pin = factories.pin(factories.customer(), in_days(30))
		template = factories.template()
		factories.campaign(email_template=template)
		frappe.db.set_value("Email Template", template, "response", "{% if %}")
		self.run_night()
		self.assertEqual(self.outcome_of(pin), ("Failed", "Template error"))
		frappe.db.set_value("Email Template", template, "response", "Hello")
		api.retry(self.names())
		self.assertEqual(self.outcome_of(pin), ("Queued", None))

	def test_once_per_customer_takes_the_customers_key_again(self):
		self.failed(duplicate_policy="Once per customer")
		api.retry(self.names())
		(row,) = self.ledger()
		self.assertEqual(row.suppression_key, suppression_key(row.action, row.customer))

	def test_once_per_customer_told_by_another_pin_meanwhile_is_not_told_again(self):
		customer = self.failed(duplicate_policy="Once per customer")
		(first,) = self.names()
		factories.pin(customer, in_days(30))
		self.run_night()
		self.assertEqual(api.retry([first]), {"Already sent": 1})
		self.assertEqual(len([mail for mail in self.mails() if mail.status != "Error"]), 1)
		self.assertEqual(frappe.db.get_value(ledger.DOCTYPE, first, "status"), "Failed")

	def test_once_per_customer_told_by_another_pin_meanwhile_is_tried_no_more_by_itself(self):
		customer = factories.customer()
		factories.pin(customer, in_days(30))
		factories.campaign(duplicate_policy="Once per customer")
		self.run_night()
		self.mail_sent("Error", error=GREYLISTED)
		(failed,) = self.ledger()
		self.assertTrue(failed.next_attempt_at)
		factories.pin(customer, in_days(30))
		self.run_night()
		with self.at(str(failed.next_attempt_at + timedelta(minutes=1))[:16]):
			settle.settle()
		row = frappe.get_doc(ledger.DOCTYPE, failed.name)
		self.assertEqual((row.status, row.next_attempt_at), ("Failed", None))

	def test_once_per_customer_combined_shares_the_mail_again(self):
		factories.pins(factories.customer(), in_days(30), in_days(30))
		factories.campaign(duplicate_policy="Once per customer", combine_messages=1)
		self.run_night()
		self.mail_sent("Error", error=REFUSED)
		self.assertEqual(api.retry(self.names()), {"Pending": 2})
		self.assertEqual((len(self.ledger(status="Queued")), len(self.mails())), (2, 1))


class TestSkipped(MarketingTestCase):
	def names(self) -> list[str]:
		return [row.name for row in self.ledger()]

	def test_a_customer_who_has_an_address_by_now(self):
		customer = factories.customer(email=None)
		pin = factories.pin(customer, in_days(30))
		factories.campaign()
		self.run_night()
		self.assertEqual(api.send_skipped(self.names()), {"No e-mail address": 1})
		factories.contact(customer, "ana@customers.example", is_primary_contact=1)
		self.assertEqual(api.send_skipped(self.names()), {"Pending": 1})
		self.assertEqual(self.outcome_of(pin), ("Queued", None))

	def test_a_pin_that_was_sold_by_now_goes_to_its_owner(self):
		(pin,) = factories.received()
		factories.expire(pin, in_days(30))
		factories.campaign()
		self.run_night()
		self.assertEqual(self.outcome_of(pin), ("Skipped", "No customer"))
		customer = factories.customer()
		factories.sold(customer, [pin])
		factories.expire(pin, in_days(30))
		api.send_skipped(self.names())
		(row,) = self.ledger()
		self.assertEqual((row.status, row.customer), ("Queued", customer))

	def test_a_night_beyond_the_catch_up_limit(self):
		pin = factories.pin(factories.customer(), in_days(40))
		factories.campaign()
		frappe.db.set_single_value(SETTINGS, "catch_up_nights", 2)
		self.run_night()
		with self.at(f"{in_days(15)} 01:00"):
			self.run_night()
			self.assertEqual(self.outcome_of(pin), ("Skipped", "Missed"))
			api.send_skipped(self.names())
			self.assertEqual(self.outcome_of(pin), ("Queued", None))

	def test_what_a_pause_cancelled(self):
		pin = factories.pin(factories.customer(), in_days(30))
		campaign = factories.campaign()
		with patch.object(deliver, "enqueue"):
			self.run_night()
		campaign.update({"is_active": 0}).save()
		frappe.db.commit()
		deliver.deliver(self.names())
		self.assertEqual(api.send_skipped(self.names()), {"Campaign inactive": 1})
		campaign.update({"is_active": 1}).save()
		frappe.db.commit()
		api.send_skipped(self.names())
		self.assertEqual(self.outcome_of(pin), ("Queued", None))

	def test_already_told_stays_so(self):
		factories.pins(factories.customer(), in_days(30), in_days(30))
		factories.campaign(duplicate_policy="Once per customer")
		self.run_night()
		self.assertEqual(api.send_skipped(self.names()), {"Already sent": 1})
		self.assertEqual(len(self.mails()), 1)


class TestOutcomeUnknown(MarketingTestCase):
	def stuck(self, minutes: int, **campaign) -> str:
		"""Return the customer of two pins whose mail has been Sending for so long."""
		customer = factories.customer()
		factories.pins(customer, in_days(30), in_days(30))
		factories.campaign(combine_messages=1, **campaign)
		self.run_night()
		frappe.db.set_value(
			"Email Queue",
			{},
			{"status": "Sending", "modified": frappe.utils.add_to_date(None, minutes=-minutes)},
			update_modified=False,
		)
		return customer

	def test_a_mail_whose_worker_was_killed_is_failed_and_not_sent_again_by_anyone(self):
		self.stuck(11)
		settle.settle()
		self.assertEqual(
			{(row.status, row.reason, row.next_attempt_at) for row in self.ledger()},
			{("Failed", "Outcome unknown", None)},
		)
		self.assertIn("Message-ID", self.ledger()[0].error)
		self.assertEqual([mail.status for mail in self.mails()], ["Error"])

	def test_by_hand_it_goes_out_again(self):
		self.stuck(11)
		settle.settle()
		(before,) = self.mails()
		api.retry([row.name for row in self.ledger()])
		(mail,) = self.mails()
		self.assertEqual((mail.status, mail.message_id), ("Not Sent", before.message_id))

	def test_once_per_customer_it_counts_as_told_and_can_be_sent_by_hand_as_it_was(self):
		customer = self.stuck(11, duplicate_policy="Once per customer")
		settle.settle()
		first, second = self.ledger()
		# Whichever of the rows holds the customer's key.
		for row, key in ((first, None), (second, first.suppression_key)):
			frappe.db.set_value(ledger.DOCTYPE, row.name, "suppression_key", key)
		late = factories.pin(customer, in_days(31))
		with self.at(f"{in_days(1)} 01:00"):
			self.run_night()
			self.assertEqual(self.outcome_of(late), ("Skipped", "Already sent"))
			self.assertEqual([mail.status for mail in self.mails()], ["Error"])
			self.assertEqual(api.retry([first.name, second.name]), {"Pending": 2})
		self.assertEqual([mail.status for mail in self.mails()], ["Not Sent"])
		self.assertEqual(len(self.ledger(status="Queued")), 2)

	def test_a_mail_that_the_server_is_known_to_have_taken_is_completed(self):
		self.stuck(11)
		frappe.db.set_value("Email Queue Recipient", {}, "status", "Sent")
		settle.settle()
		self.assertEqual({row.status for row in self.ledger()}, {"Completed"})

	def test_a_mail_that_is_being_sent_is_left_alone(self):
		self.stuck(9)
		settle.settle()
		self.assertEqual({row.status for row in self.ledger()}, {"Queued"})
