"""Whatever stands in a record, it is one mail that reads as it should, or one Failed row; never anything else."""

from email import message_from_bytes, message_from_string, policy
from unittest.mock import patch

import frappe
from frappe.email.doctype.email_queue.email_queue import SendMailContext

from marketing_automation.channels.email import reach
from marketing_automation.engine import links
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days

SUBJECT = "For {{ customer_name }}"
BODY = "<p title='{{ customer_name }}'>Dear {{ customer_name }}</p>"


class TestBadRecords(MarketingTestCase):
	def mail_for(self, name: str, body: str = BODY, subject: str = SUBJECT):
		"""Return the parsed mail to a customer of this name, after asserting that a good customer got one too."""
		customer, good = factories.customer(), factories.customer()
		frappe.db.set_value("Customer", customer, "customer_name", name[:140])
		for one in (customer, good):
			factories.pin(one, in_days(30))
		factories.campaign(email_template=factories.template(subject=subject, response=body))
		found = reach.reach

		def with_the_whole_name(customers):
			# Longer than the field can hold, as a source of another app might give it.
			reached = found(customers)
			reached[customer].customer_name = name
			return reached

		with patch.object(reach, "reach", with_the_whole_name):
			self.run_night()
		mails = {mail.recipient: mail for mail in self.mails()}
		self.assertEqual(set(mails), {factories.address(customer), factories.address(good)})
		return message_from_string(mails[factories.address(customer)].message, policy=policy.default)

	def html(self, mail) -> str:
		return mail.get_body(("html",)).get_content()

	def test_quotes_emoji_and_right_to_left_text_arrive_as_they_are(self):
		for name, html in (
			('Ana "La Reina" O\'Neill', "Ana &#34;La Reina&#34; O&#39;Neill"),
			("Zoë 🎉 Ñandú", "Zoë 🎉 Ñandú"),
			("שלום עולם مرحبا", "שלום עולם مرحبا"),
			("a\u202egnp.exe", "a\u202egnp.exe"),
			("李小龍", "李小龍"),
		):
			with self.subTest(name):
				self._reset()
				mail = self.mail_for(name)
				self.assertEqual(mail["Subject"], f"For {name}")
				self.assertIn(f"Dear {name.split()[0]}", self.html(mail).replace("&quot;", '"'))
				self.assertTrue(html.split()[0] in self.html(mail))

	def test_a_line_break_in_a_name_is_no_header(self):
		for injection in (
			"Ana\r\nBcc: thief@evil.example",
			"Ana\nBcc: thief@evil.example",
			"Ana\u2028Bcc: thief@evil.example",
			"Ana\x00\x0bBcc: thief@evil.example",
		):
			with self.subTest(injection):
				self._reset()
				mail = self.mail_for(injection)
				self.assertIsNone(mail["Bcc"])
				self.assertIn("Bcc: thief@evil.example", mail["Subject"], "it is text of the subject")
				self.assertEqual(len(mail.get_all("Subject")), 1)
				self.assertEqual(
					frappe.get_all(
						"Email Queue Recipient",
						filters={"recipient": ["like", "%evil%"]},
						order_by="name asc",
					),
					[],
				)

	def test_html_in_a_name_is_text(self):
		mail = self.mail_for("<script>alert(1)</script><img src=x onerror=alert(1)>'\"><b>")
		self.assertNotIn("<script>", self.html(mail))
		self.assertNotIn("<img src=x", self.html(mail))
		self.assertIn("&lt;script&gt;", self.html(mail))

	def test_the_placeholders_of_email_queue_in_a_name_are_text(self):
		for way in (
			"Dear {{ customer_name }}",
			'<p title="{{ customer_name }}">Dear {{ customer_name }}</p>',
			# This one Frappe builds.
			'<p class="{{ customer_name }}" title="{{ customer_name }}">Dear {{ customer_name }}</p>',
		):
			with self.subTest(way):
				self._reset()
				mail = self.mail_for("<!--unsubscribe_url--><!--recipient-->", body=way)
				row = frappe.get_doc("Email Queue", {"message_id": mail["Message-Id"].strip("<>")})
				address = row.recipients[0].recipient
				sent = SendMailContext(row, object()).build_message(address)
				html = self.html(message_from_bytes(sent, policy=policy.default))
				self.assertEqual(html.count(links.PAGE), 1, "The link in the foot")
				self.assertNotIn(address, html)
				self.assertNotIn("<!--", mail["Subject"])

	def test_a_hundred_thousand_characters(self):
		long = "ñandú " * 16_667
		mail = self.mail_for(long, subject="Your pin")
		self.assertIn(long[:90_000].split()[-1], self.html(mail))
		self.assertGreater(len(self.html(mail)), 200_000)
		self._reset()
		self.assertEqual(self.mail_for("Ana", body=f"<p>{'x' * 100_000}</p>")["Subject"], "For Ana")

	def test_an_address_that_is_none_is_one_failed_row(self):
		for email in ("ana", "ana@", "@example.com", "ana@example.com\nBcc: x@y.z", "a@b.c, d@e.f"):
			with self.subTest(email):
				self._reset()
				customer, good = factories.customer(), factories.customer()
				frappe.db.set_value(
					"Contact Email", {"email_id": factories.address(customer)}, "email_id", email
				)
				bad_pin, good_pin = factories.pin(customer, in_days(30)), factories.pin(good, in_days(30))
				factories.campaign()
				self.run_night()
				self.assertEqual(self.outcome_of(bad_pin), ("Failed", "Invalid e-mail address"))
				self.assertEqual(self.outcome_of(good_pin), ("Queued", None))

	def test_an_address_with_capital_letters_is_good(self):
		customer = factories.customer(email="Ana.Lopez@Customers.Example")
		factories.pin(customer, in_days(30))
		factories.campaign()
		self.run_night()
		(mail,) = self.mails()
		self.assertEqual(mail.recipient.lower(), "ana.lopez@customers.example")

	def test_a_customer_that_is_gone_is_one_row(self):
		customer = factories.customer()
		pin, good = factories.pin(customer, in_days(30)), factories.pin(factories.customer(), in_days(30))
		frappe.db.delete("Customer", {"name": customer})
		factories.campaign()
		self.run_night()
		self.assertEqual(self.outcome_of(pin), ("Skipped", "Customer not found"))
		self.assertEqual(self.outcome_of(good), ("Queued", None))
