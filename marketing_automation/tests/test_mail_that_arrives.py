"""What arrives at a mail server: its headers, signed by the provider, its parts, its language, its brand.

The mail goes by our own sender over SMTP to a server that signs it as a provider does (DKIM). What is looked at is what
has arrived there.
"""

import re
from contextlib import contextmanager
from email import message_from_bytes, policy
from unittest.mock import patch

import dkim
import frappe
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from marketing_automation.channels.email import channel as email
from marketing_automation.channels.email import mime
from marketing_automation.engine import brand, deliver, retry, settle
from marketing_automation.tests import factories
from marketing_automation.tests.factories import in_days
from marketing_automation.tests.test_drain import DrainTestCase

DOMAIN, SELECTOR = "company.example", "shop"
SIGNED = (
	*(b"from", b"to", b"subject", b"date", b"message-id", b"reply-to"),
	*(b"feedback-id", b"auto-submitted", b"list-unsubscribe", b"list-unsubscribe-post"),
)


class Provider:
	"""Signs the mails of a domain as a mail provider does, and publishes the key in the DNS."""

	def __init__(self):
		key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
		self.private = key.private_bytes(
			serialization.Encoding.PEM,
			serialization.PrivateFormat.TraditionalOpenSSL,
			serialization.NoEncryption(),
		)
		public = key.public_key().public_bytes(
			serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
		)
		text = b"".join(line for line in public.splitlines() if not line.startswith(b"--"))
		self.record = b"v=DKIM1; k=rsa; p=" + text

	def signed(self, raw: bytes) -> bytes:
		there = {name.lower().encode() for name in message_from_bytes(raw).keys()}
		signature = dkim.sign(
			raw,
			SELECTOR.encode(),
			DOMAIN.encode(),
			self.private,
			include_headers=[name for name in SIGNED if name in there],
		)
		return signature + raw

	def verified(self, raw: bytes) -> set[str]:
		"""Return the headers that a good signature covers; none if it is not good."""
		asked = []

		def dns(name, timeout=5):
			asked.append(name.decode().rstrip("."))
			return self.record

		if not dkim.verify(raw, dnsfunc=dns):
			return set()
		assert asked == [f"{SELECTOR}._domainkey.{DOMAIN}"], asked
		covered = re.search(r"\bh=([^;]+);", message_from_bytes(raw)["DKIM-Signature"]).group(1)
		return {name.strip().lower() for name in covered.split(":")}


class ArrivalTestCase(DrainTestCase):
	@classmethod
	def setUpClass(cls):
		super().setUpClass()
		cls.provider = Provider()

	def arrived(self, **campaign):
		"""Send what is due tonight, and return the mails that arrived, parsed, signed by the provider."""
		factories.campaign(**campaign)
		self.run_night()
		self.assertEqual({row.reason for row in self.ledger()}, {None})
		self.drain([str(mail.name) for mail in self.mails()])
		self.raw = [self.provider.signed(raw) for _recipients, raw in self.sink.mails]
		return [message_from_bytes(raw, policy=policy.default) for raw in self.raw]

	def one(self, customer: str | None = None, **campaign):
		factories.pin(customer or factories.customer(), in_days(30))
		(mail,) = self.arrived(**campaign)
		return mail

	@contextmanager
	def branded(self, **fields):
		doc = factories.brand(**fields)
		frappe.db.commit()
		try:
			yield doc
		finally:
			frappe.db.rollback()
			frappe.delete_doc("Lifecycle Brand", doc.name, force=True)
			frappe.db.commit()
			brand.forget()


class TestHeaders(ArrivalTestCase):
	def test_the_provider_signs_what_we_write_and_the_signature_holds(self):
		mail = self.one()
		covered = self.provider.verified(self.raw[0])
		self.assertLessEqual({"from", "subject", "message-id", "feedback-id", "auto-submitted"}, covered)
		self.assertEqual(mail["Auto-Submitted"], "auto-generated")

	def test_a_changed_header_breaks_the_signature(self):
		self.one()
		changed = self.raw[0].replace(b"auto-generated", b"auto-replied")
		self.assertEqual(self.provider.verified(changed), set())

	def test_addresses_longer_than_a_line_arrive_as_they_were_written_and_are_signed(self):
		for way, frame in (("filled in", mime.make), ("built by Frappe", lambda _build, _ways=0: None)):
			with (
				self.subTest(way),
				patch.dict(frappe.local.conf, {"host_name": f"https://{'x' * 60}.{'y' * 60}.example"}),
				patch.object(mime, "make", frame),
				# A Wednesday at noon: marketing may leave in every country.
				self.at("2028-03-01 12:00"),
			):
				self._reset()
				self.sink.mails.clear()
				frappe.local.lifecycle_made = {}
				mail = self.one(purpose="Marketing")
				self.assertRegex(
					str(mail["List-Unsubscribe"]), rf"^<https://{'x' * 60}\.{'y' * 60}\.example/[^>\s]+>"
				)
				self.assertIn(b"<https://" + b"x" * 60, self.raw[0])
				covered = self.provider.verified(self.raw[0])
				self.assertLessEqual({"list-unsubscribe", "list-unsubscribe-post", "feedback-id"}, covered)
				self.assertEqual(mail["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click")
				self.assertEqual(mail["Auto-Submitted"], "auto-generated")
				self.assertEqual(str(mail["Feedback-ID"]).count(":"), 3)
		frappe.local.lifecycle_made = {}

	def test_feedback_id_tells_campaigns_apart_and_names_no_customer(self):
		customer = factories.customer("Test José Núñez")
		mail = self.one(customer, campaign_name="Test Oferta: ¡última!")
		campaign, action, purpose, sender = str(mail["Feedback-ID"]).split(":")
		self.assertRegex(campaign, r"^test-oferta-ulti-[0-9a-f]{6}$")
		self.assertTrue(5 <= len(sender) <= 15)
		self.assertTrue(purpose in ("marketing", "service"))
		for part in (campaign, action, purpose, sender):
			self.assertRegex(part, r"^[a-z0-9-]+$")
		self.assertNotIn(customer.lower(), str(mail["Feedback-ID"]).lower())

	def test_the_message_id_is_the_same_for_each_attempt_at_a_message(self):
		self.refuse("451 4.7.1 try again", None)
		factories.pin(factories.customer(), in_days(30))
		factories.campaign()
		self.run_night()
		(first,) = self.mails()
		self.drain([str(first.name)])
		self.assertEqual(self.sink.mails, [])
		settle.settle()
		(row,) = self.ledger()
		retry.retry([row.name])
		frappe.db.commit()
		deliver.deliver([row.name])
		(second,) = self.mails()
		self.drain([str(second.name)])
		((_recipients, raw),) = self.sink.mails
		self.assertIn(first.message_id, str(message_from_bytes(raw)["Message-Id"]))
		self.assertEqual(first.message_id, second.message_id)
		self.assertIn(row.message_key, first.message_id)


class TestParts(ArrivalTestCase):
	def parts(self, mail) -> tuple[str, str]:
		return tuple(mail.get_body((kind,)).get_content() for kind in ("plain", "html"))

	def test_language_and_direction_stand_in_the_frame(self):
		for language, response, direction in (
			("es", "<p>Hola, {{ customer_name }}</p>", "ltr"),
			*((code, "<p>مرحبا {{ customer_name }}</p>", "rtl") for code in ("ar", "fa", "ur")),
			("he", "<p>שלום {{ customer_name }}</p>", "rtl"),
		):
			with self.subTest(language):
				self._reset()
				self.sink.mails.clear()
				if not frappe.db.exists("Language", language):
					factories.make("Language", language_code=language, language_name=f"Test {language}")
				factories.pin(factories.customer(language=language), in_days(30))
				campaign = factories.campaign(active=False)
				action = frappe.get_doc("Lifecycle Action", {"campaign": campaign.name})
				action.append(
					"translations",
					{"language": language, "email_template": factories.template(response=response)},
				)
				action.save()
				campaign.update({"is_active": 1}).save()
				self.run_night()
				self.drain([str(mail.name) for mail in self.mails()])
				(mail,) = self.sink.messages()
				_text, html = self.parts(mail)
				self.assertRegex(html, rf'<html lang="{language}" dir="{direction}"')
				self.assertIn(f'<div class="lifecycle-mail" lang="{language}" dir="{direction}"', html)

	def test_the_preview_text_comes_first_is_hidden_and_is_not_in_the_text(self):
		customer = factories.customer()
		# Where customers are named by their names, a new one cannot have these signs.
		frappe.db.set_value("Customer", customer, "customer_name", "Test <Ñ> & Co")
		factories.pin(customer, in_days(30))
		campaign = factories.campaign(active=False)
		action = frappe.get_doc("Lifecycle Action", {"campaign": campaign.name})
		action.update({"preview_text": "{{ customer_name }}: {{ days_left }} days left"}).save()
		campaign.update({"is_active": 1}).save()
		with patch.object(email.layout, "make", side_effect=email.layout.make) as make:
			frappe.local.lifecycle_made = {}
			self.run_night()
		self.assertEqual(make.call_count, 1)
		self.drain([str(mail.name) for mail in self.mails()])
		(mail,) = self.sink.messages()
		text, html = self.parts(mail)
		hidden = re.search(
			r'<body[^>]*>.*?<div class="lifecycle-preview" style="[^"]*display:none[^"]*">([^<]*)',
			html,
			re.DOTALL,
		)
		self.assertIn("Test &lt;Ñ&gt; &amp; Co: 30 days left", hidden.group(1))
		self.assertNotIn("30 days left", text)

	def test_each_language_has_a_preview_text_of_its_own(self):
		factories.pin(factories.customer(language="es"), in_days(30))
		campaign = factories.campaign(active=False)
		action = frappe.get_doc("Lifecycle Action", {"campaign": campaign.name})
		action.preview_text = "In English"
		spanish = factories.template(response="<p>Hola, {{ customer_name }}</p>")
		action.append(
			"translations", {"language": "es", "email_template": spanish, "preview_text": "En español"}
		)
		action.save()
		campaign.update({"is_active": 1}).save()
		self.run_night()
		self.drain([str(mail.name) for mail in self.mails()])
		_text, html = self.parts(self.sink.messages()[0])
		self.assertIn("En español", html)
		self.assertNotIn("In English", html)

	def test_a_preview_text_with_a_mistake_is_refused(self):
		campaign = factories.campaign(active=False)
		action = frappe.get_doc("Lifecycle Action", {"campaign": campaign.name})
		for text in ("{{ costumer_name }}", "{{ customer_name", "{% for x in range(9) %}x{% endfor %}"):
			with self.subTest(text), self.assertRaises(frappe.ValidationError):
				action.update({"preview_text": text}).save()

	def test_dark_mode_only_where_every_colour_is_ours(self):
		for response, schemes in (
			("<p>Dear {{ customer_name }}</p>", "light dark"),
			('<p class="lifecycle-note" style="color:#60707a">Dear {{ customer_name }}</p>', "light dark"),
			('<p style="color:#ff0000">Dear {{ customer_name }}</p>', "light only"),
			('<table bgcolor="#ffffff"><tr><td>Dear {{ customer_name }}</td></tr></table>', "light only"),
		):
			with self.subTest(response):
				self._reset()
				self.sink.mails.clear()
				template = factories.template(use_html=1, response_html=response, response="")
				_text, html = self.parts(self.one(email_template=template))
				self.assertIn(f'<meta name="color-scheme" content="{schemes}">', html)
				self.assertEqual("prefers-color-scheme:dark" in html, schemes == "light dark")
				self.assertIn('name="viewport"', html)
				self.assertIn("@media (max-width:640px)", html)

	def test_the_brand_is_in_the_head_in_the_colours_and_in_the_foot(self):
		template = factories.template(
			use_html=1,
			response="",
			response_html='<p>Dear {{ customer_name }}</p><a class="lifecycle-button" '
			'href="https://shop.example/renew" style="background-color:#1b4d5c;color:#ffffff">Renew</a>',
		)
		with self.branded(
			sender_name="Pins <& Co>",
			logo="/files/logo.png",
			color="#ffcc00",
			website="https://pins.example",
			postal_address="1 Main Street\nSpringfield",
			foot_text="Registered in Springfield",
			links=[{"label": "Help", "url": "https://pins.example/help"}],
		):
			text, html = self.parts(self.one(email_template=template))
		logo = re.search(r"<img [^>]*>", html).group()
		self.assertRegex(logo, r'src="https?://[^"]+/files/logo\.png"')
		self.assertIn('alt="Pins &lt;&amp; Co&gt;"', logo)
		(button,) = re.findall(r'<a [^>]*class="lifecycle-button"[^>]*>', html)
		self.assertIn("background-color:#fc0", button)
		self.assertRegex(button, r"[\"; ]color:#000[;\"]")
		self.assertNotIn("#1b4d5c", html)
		self.assertIn("Pins &lt;&amp; Co&gt;, 1 Main Street, Springfield", html)
		self.assertIn("Registered in Springfield", html)
		for line in ("Pins <& Co>", "1 Main Street", "Help: https://pins.example/help"):
			self.assertIn(line, text)

	def test_the_text_part_reads_well(self):
		with self.branded(postal_address="1 Main Street\nSpringfield"):
			text, _html = self.parts(self.one())
		self.assertNotRegex(text, r"\|| {3,}|-{3,}|\n{4,}|&\w+;|<\w")
		self.assertRegex(text.strip(), r"(?si)^Dear .*Main Street.*unsubscribe")
