"""A mail server that takes nothing is named above the journey, in its own words, with what to do about it."""

import socket
import unittest
from unittest.mock import patch

import frappe
from frappe.utils import add_to_date, now_datetime

from marketing_automation import api
from marketing_automation.channels.email import sender
from marketing_automation.channels.email.smtp_errors import fault_of_server
from marketing_automation.engine import closing, dispatch
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, outside_test_mode, statements
from marketing_automation.tests.factories import in_days

CLOSED = "ConnectionRefusedError: [Errno 111] Connection refused"
NO_LOGIN = "smtplib.SMTPAuthenticationError: (535, b'5.7.8 Error: authentication failed')"
NO_SUCH_USER = "smtplib.SMTPRecipientsRefused: {'a@b.example': (550, b'5.1.1 no such user')}"


class TestWhoseFaultItIs(unittest.TestCase):
	def test_the_servers_or_the_mails(self):
		for error, fault in (
			(CLOSED, "connection"),
			("socket.gaierror: [Errno -2] Name or service not known", "connection"),
			("TimeoutError: timed out", "connection"),
			("smtplib.SMTPServerDisconnected: Connection unexpectedly closed", "connection"),
			("smtplib.SMTPConnectError: (421, b'Too many connections')", "connection"),
			(
				"ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired",
				"connection",
			),
			(
				"frappe.exceptions.OutgoingEmailError: Could not connect to outgoing email server",
				"connection",
			),
			(NO_LOGIN, "login"),
			("smtplib.SMTPSenderRefused: (530, b'5.7.0 Authentication Required', 'a@b.example')", "login"),
			(
				"InvalidEmailCredentials: Incorrect email or password. Please check your login credentials.",
				"login",
			),
			(NO_SUCH_USER, None),
			("smtplib.SMTPDataError: (554, b'5.7.1 looks like spam')", None),
			("smtplib.SMTPRecipientsRefused: {'a@b.example': (450, b'4.2.0 greylisted')}", None),
			("ValueError: something of ours", None),
			("", None),
		):
			with self.subTest(error=error):
				found = fault_of_server(
					f"Traceback (most recent call last):\n  line\n{error}" if error else ""
				)
				self.assertEqual(found and found[0], fault)
		self.assertEqual(fault_of_server(NO_LOGIN), ("login", "535 5.7.8 Error: authentication failed"))
		self.assertEqual(fault_of_server(CLOSED), ("connection", CLOSED))


class TestTheBar(MarketingTestCase):
	def queued(self, pins: int = 2):
		factories.pins(factories.customer(), *[in_days(30)] * pins)
		campaign = factories.campaign()
		self.run_night()
		return campaign

	def texts(self, campaign) -> list[str]:
		return [problem["text"] for problem in api.health(campaign.name) if "mail server" in problem["text"]]

	def closed_port(self) -> int:
		with socket.socket() as free:
			free.bind(("127.0.0.1", 0))
			return free.getsockname()[1]

	def test_a_closed_server_is_named_with_its_words_while_the_mails_are_on_their_way(self):
		campaign = self.queued()
		self.assertEqual(self.texts(campaign), [], "nothing has failed yet")
		with patch.dict(frappe.local.conf, {"mail_port": self.closed_port()}), outside_test_mode():
			dispatch.send(sender.ACTION_TYPE, [str(mail.name) for mail in self.mails()])
		self.assertNotIn("Completed", {row.status for row in self.ledger()})
		(text,) = self.texts(campaign)
		self.assertIn("cannot be reached", text)
		self.assertIn("Email Account", text)
		self.assertIn("Messages that have not left: 2.", text)

	def test_the_words_are_read_from_the_ledger_and_from_email_queue(self):
		campaign = self.queued()
		for doctype, filters in (
			("Lifecycle Execution Log", {"campaign": campaign.name}),
			("Email Queue", {"reference_name": campaign.name}),
		):
			with self.subTest(doctype=doctype):
				frappe.db.set_value(doctype, filters, "error", NO_LOGIN)
				(text,) = self.texts(campaign)
				self.assertIn("does not let us in: “535 5.7.8 Error: authentication failed”", text)
				frappe.db.set_value(doctype, filters, "error", None)
				self.assertEqual(self.texts(campaign), [])

	def test_what_is_wrong_with_one_mail_is_no_fault_of_the_server(self):
		campaign = self.queued()
		frappe.db.set_value("Lifecycle Execution Log", {"campaign": campaign.name}, "error", NO_SUCH_USER)
		self.assertEqual(self.texts(campaign), [])

	def test_it_goes_when_the_mails_have_left_or_the_day_is_over_and_is_not_shown_on_others(self):
		campaign, other = self.queued(), factories.campaign({}, {"days_offset": 7})
		rows = {"campaign": campaign.name}
		frappe.db.set_value("Lifecycle Execution Log", rows, "error", CLOSED)
		self.assertEqual(len(self.texts(campaign)), 1)
		self.assertEqual(self.texts(other), [])
		frappe.db.set_value("Email Queue", {"reference_name": campaign.name}, "status", "Sent")
		closing.close_all()
		self.assertEqual({row.status for row in self.ledger()}, {"Completed"})
		self.assertEqual(self.texts(campaign), [])

		failed = {"status": "Failed", "reason": "Sending failed", "error": CLOSED}
		frappe.db.set_value("Lifecycle Execution Log", rows, failed)
		self.assertEqual(len(self.texts(campaign)), 1)
		long_ago = add_to_date(now_datetime(), hours=-25)
		frappe.db.set_value("Lifecycle Execution Log", rows, "modified", long_ago, update_modified=False)
		self.assertEqual(self.texts(campaign), [])

	def test_it_costs_two_queries_where_all_is_well(self):
		campaign = self.queued()
		with statements() as found:
			api.health(campaign.name)
		self.assertEqual(len([query for query in found if "`error`" in query]), 2)
