"""Customers' mail is rendered strictly: no hole, no mark-up from data, no way out of the sandbox."""

import contextlib
import os
import unittest
from datetime import date
from email import message_from_string

import frappe

from marketing_automation import api
from marketing_automation.channels.texts import templates
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days

TODAY = date(2026, 11, 23)
ANA = {"customer": "C-1", "customer_name": "Ana", "company": "Shop", "campaign": "Renewal"}


def written(body: str = "", subject: str = "", language: str = "en", rich_text: bool = False, **message):
	"""Render a template about two pins; return (subject, body)."""
	doc = frappe._dict(name="T", subject=subject, use_html=not rich_text, response=body, response_html=body)
	pins = [
		{
			"serial_no": "S-1",
			"item_code": "PIN",
			"item_name": "Pin",
			"expiry_date": date(2026, 11, 30),
			"date": date(2026, 11, 30),
		},
		{
			"serial_no": "S-2",
			"item_code": "PIN",
			"item_name": "Pin & more",
			"expiry_date": date(2026, 12, 23),
			"date": date(2026, 12, 23),
		},
	]
	values = templates.context(ANA | message, pins, TODAY)
	rendered = templates.render(templates.compile_template(doc), values, language)
	return rendered.subject, rendered.body


def body(source: str, **options) -> str:
	return written(source, **options)[1]


class TestWhatATemplateSees(unittest.TestCase):
	def test_all_the_variables(self):
		source = " ".join(
			f"{{{{ {name} }}}}" for name in templates.VARIABLES if name not in ("items", "pins")
		)
		self.assertEqual(body(source), "Ana Pin November 30, 2026 7 -7 S-1 PIN C-1 Shop Renewal")

	def test_the_list_of_items_which_was_called_pins_first(self):
		for name in ("items", "pins"):
			source = f"{{% for one in {name} %}}{{{{ one.serial_no }}}} {{{{ one.item_name }}}} {{{{ one.days_left }}}};{{% endfor %}}"
			self.assertEqual(body(source), "S-1 Pin 7;S-2 Pin &amp; more 30;")

	def test_dates_are_written_in_the_readers_language(self):
		for language, expected in (
			("es", "30 de noviembre de 2026"),
			("es-MX", "30 de noviembre de 2026"),
			("en", "November 30, 2026"),
			("de", "30. November 2026"),
			("xx", "November 30, 2026"),
		):
			self.assertEqual(body("{{ expiry_date }}", language=language), expected, language)

	def test_a_date_in_another_style(self):
		self.assertEqual(body("{{ format_date(expiry_date, 'short') }}"), "11/30/26")
		self.assertEqual(
			body("{{ format_date(pins[1].expiry_date, 'medium') }}", language="es"), "23 dic 2026"
		)


class TestStrict(unittest.TestCase):
	def assertRefused(self, source: str, *texts: str, **options):
		with self.assertRaises(templates.TemplateInvalid) as caught:
			written(source, **options)
		for text in texts:
			self.assertIn(text, str(caught.exception))

	def test_an_unknown_variable_is_named_with_the_known_ones(self):
		self.assertRefused("{{ costumer_name }}", "costumer_name", "customer_name", "expiry_date")
		self.assertRefused("", "costumer_name", subject="{{ costumer_name }}")

	def test_an_unknown_field_of_a_pin_is_an_error(self):
		self.assertRefused("{% for pin in pins %}{{ pin.expiry }}{% endfor %}", "expiry", "days_left")

	def test_a_syntax_error_is_told_with_its_line(self):
		self.assertRefused("Hello\n{{ customer_name", "line 2")

	def test_data_is_escaped_and_never_rendered(self):
		name = "<b>{{ 7*7 }}</b>"
		self.assertEqual(body("{{ customer_name }}", customer_name=name), "&lt;b&gt;{{ 7*7 }}&lt;/b&gt;")

	def test_a_subject_is_plain_text_on_one_line(self):
		subject, _body = written(
			subject="For\n{{ customer_name }}", customer_name="A & B\r\nBcc: c@x.example"
		)
		self.assertEqual(subject, "For A & B Bcc: c@x.example")

	def test_a_subject_cannot_carry_email_queues_placeholders(self):
		subject, _body = written(subject="{{ customer_name }}", customer_name="<!--recipient-->")
		self.assertNotIn("<!--recipient-->", subject)

	def test_no_way_out_of_the_sandbox(self):
		for attack in (
			"{{ ''.__class__.__mro__ }}",
			"{{ _.__globals__ }}",
			"{{ format_date.__globals__ }}",
			"{{ pins.append(1) }}",
			"{{ pins.__class__ }}",
			"{{ expiry_date.__init__ }}",
			"{{ '{0.__class__}'.format(pins) }}",
			"{% set x = pins.clear() %}",
		):
			with self.subTest(attack):
				self.assertRefused(attack)

	def test_nothing_makes_much_out_of_little(self):
		for attack in (
			"{{ 7 ** (days_left * 1000000) }}",
			"{{ 'x' * 1000000000 }}",
			"{{ pins * 1000000000 }}",
			"{{ '%1000000000d' % days_left }}",
			"{{ '%1000000000d' | format(days_left) }}",
			"{{ '{:>1000000000}'.format(days_left) }}",
			"{{ '{:>{}}'.format(days_left, 1000000000) }}",
			"{{ 'x'.ljust(1000000000) }}",
			"{{ 'x' | center(1000000000) }}",
		):
			with self.subTest(attack):
				self.assertRefused(attack)
		self.assertEqual(
			body("{{ days_left * 2 % 5 }} {{ _('Dear {0}').format(customer_name) }}"), "4 Dear Ana"
		)

	def test_nothing_of_frappe_can_be_reached(self):
		for name in ("frappe", "range", "lipsum", "cycler", "joiner", "namespace", "dict", "config"):
			with self.subTest(name):
				self.assertRefused(f"{{{{ {name} }}}}", name)

	def test_files_cannot_be_included(self):
		for source in ("{% include 'x.html' %}", "{% extends 'x.html' %}", "{% import 'x.html' as x %}"):
			with self.subTest(source):
				self.assertRefused(source)

	def test_what_the_rich_text_editor_writes_inside_a_tag_is_read_as_typed(self):
		self.assertEqual(
			body("<p>{%&nbsp;if days_left &lt; 9 and days_left &gt; 1 %}soon{% endif %}</p>", rich_text=True),
			"<p>soon</p>",
		)
		self.assertEqual(body("<p>a &lt; b</p>", rich_text=True), "<p>a &lt; b</p>")


class TestChoice(unittest.TestCase):
	ACTION = {"email_template": "Default", "templates": {"es": "Spanish", "pt-BR": "Brazilian"}}

	def test_the_language_then_its_base_then_the_default(self):
		for language, expected in (
			("es", "Spanish"),
			("es-MX", "Spanish"),
			("ES_co", "Spanish"),
			("pt-BR", "Brazilian"),
			("pt", "Default"),
			("en", "Default"),
			(None, "Default"),
			("", "Default"),
		):
			self.assertEqual(templates.template_for(self.ACTION, language), expected, language)


class TestFiles(MarketingTestCase):
	"""Frappe attaches whatever file an `embed` in a mail's HTML names. In our mails it finds none."""

	def setUp(self):
		super().setUp()
		self.file = os.path.relpath(frappe.get_site_path("site_config.json"))

	def assertNothingAttached(self):
		for mail in self.mails():
			kinds = {part.get_content_type() for part in message_from_string(mail.message).walk()}
			self.assertLessEqual(
				kinds,
				{"multipart/mixed", "multipart/alternative", "multipart/related", "text/plain", "text/html"},
			)
			self.assertNotIn(
				"db_password",
				str([part.get_payload(decode=True) for part in message_from_string(mail.message).walk()]),
			)

	def test_a_customers_name_attaches_none(self):
		for source in (
			"<p>Dear {{ customer_name }}</p>",
			"<p>Dear {{ customer_name | e }}</p>",
			'<p>{{ customer_name }} <a href="https://shop.example/?name={{ customer_name | urlencode }}">Renew</a></p>',
		):
			for name in (f"Bob embed='{self.file}'", "Bob embed='a+'"):
				with self.subTest(source=source, name=name):
					customer = factories.customer()
					frappe.db.set_value("Customer", customer, "customer_name", name)
					factories.pin(customer, in_days(30))
					campaign = factories.campaign(email_template=factories.template(response=source))
					self.run_night(campaign.name)
					self.assertNothingAttached()
		# Each campaign writes to all who were there before it, too.
		self.assertEqual(len(self.mails()), 1 + 2 + 3 + 4 + 5 + 6)

	def test_a_template_attaches_none(self):
		for source in (
			f"""<p>Hi</p><img embed="{self.file}">""",
			f"<p>Hi &#101;mbed='{self.file}'</p>",
			f"<p>Hi em<style>p {{}}</style>bed='{self.file}'</p>",
		):
			with self.subTest(source):
				template = factories.template(response="<p>Hi</p>")
				pin = factories.pin(factories.customer(), in_days(30))
				campaign = factories.campaign(email_template=template)
				frappe.db.set_value("Email Template", template, {"use_html": 1, "response_html": source})
				self.run_night(campaign.name)
				action = frappe.db.get_value("Lifecycle Action", {"campaign": campaign.name})
				with contextlib.suppress(templates.TemplateInvalid):
					api.send_test(action, pin)
				self.assertNothingAttached()

	def test_one_that_would_is_refused(self):
		name = factories.template()
		factories.campaign(email_template=name)
		doc = frappe.get_doc("Email Template", name)
		doc.update({"use_html": 1, "response_html": '<p>Hi</p><img embed="files/logo.png">'})
		with self.refused("embeds a file", "src="):
			doc.save()


class TestOnSaving(MarketingTestCase):
	def test_a_template_in_use_cannot_be_broken(self):
		name = factories.template()
		factories.campaign(email_template=name)
		doc = frappe.get_doc("Email Template", name)
		doc.response = "{{ costumer_name }}"
		with self.refused("costumer_name", "customer_name"):
			doc.save()

	def test_a_template_that_nobody_uses_is_free(self):
		doc = frappe.get_doc("Email Template", factories.template())
		doc.response = "{{ doc.name }}"
		doc.save()
