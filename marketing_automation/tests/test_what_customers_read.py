"""Dates are dates, nothing is printed for nothing, pictures can be opened, and each script runs in its own direction."""

import unittest
from datetime import date
from unittest.mock import patch

import frappe

from marketing_automation import recipes
from marketing_automation.channels.email import layout
from marketing_automation.channels.texts import designed, templates
from marketing_automation.designs import compile as compiler
from marketing_automation.designs import gallery, store
from marketing_automation.engine.brand import brand_of
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, mail_parts
from marketing_automation.tests.factories import in_days

TODAY = date(2026, 11, 23)
# As words in another order: Agosto, Diciembre, April, ...
DATES = (date(2027, 4, 1), date(2026, 12, 23), date(2027, 8, 9), date(2026, 11, 30), date(2026, 12, 3))


def values(language: str = "en", today: date = TODAY, dates=DATES, **message) -> dict:
	items = [
		{
			"serial_no": f"S-{day:%m%d}",
			"item_code": "PIN",
			"item_name": "Pin",
			"expiry_date": day,
			"date": day,
		}
		for day in dates
	]
	message = {
		"customer": "C-1",
		"customer_name": "Ana",
		"company": "Shop",
		"campaign": "Renewal",
		**message,
	}
	return templates.for_reader(templates.context(message, items, today), language)


def written(body: str, **options) -> str:
	doc = frappe._dict(name="Test", subject="Hi", use_html=1, response_html=body)
	template = templates.compile_template(doc)
	return templates.fill(template, [template.body], values(**options))[0]


class TestDates(unittest.TestCase):
	def test_they_are_sorted_and_compared_as_dates_in_every_language(self):
		in_order = "S-1130 S-1203 S-1223 S-0401 S-0809"
		each = "{% for item in items | sort(attribute='expiry_date') %}{{ item.serial_no }} {% endfor %}"
		for language in ("en", "es", "de", "ja", "ar"):
			with self.subTest(language):
				self.assertEqual(written(each, language=language).strip(), in_order)
				self.assertEqual(
					written(
						"{{ (items | min(attribute='expiry_date')).serial_no }} {{ (items | max(attribute='expiry_date')).serial_no }}",
						language=language,
					),
					"S-1130 S-0809",
				)
				self.assertEqual(
					written(
						"{% for item in items if item.expiry_date < expiry_date %}{{ item.serial_no }} {% endfor %}",
						language=language,
					).strip(),
					"S-1223 S-1130 S-1203",
				)

	def test_they_are_grouped_and_chosen_as_dates(self):
		self.assertEqual(
			written(
				"{% for group in items | groupby('expiry_date') %}{{ group.grouper }};{% endfor %}"
			).count(";"),
			5,
		)
		self.assertEqual(
			written(
				"{{ items | selectattr('expiry_date', '<=', items[1].expiry_date) | map(attribute='serial_no') | join(' ') }}"
			),
			"S-1223 S-1130 S-1203",
		)
		self.assertEqual(written("{{ 'yes' if expiry_date > '2027-03-31' else 'no' }}"), "yes")

	def test_they_are_still_text(self):
		self.assertEqual(
			written("{{ expiry_date | upper }} {{ expiry_date ~ '!' }}"), "APRIL 1, 2027 April 1, 2027!"
		)
		self.assertEqual(
			written("{{ format_date(items | map(attribute='expiry_date') | min, 'short') }}"), "11/30/26"
		)

	def test_equal_ones_are_equal_and_of_one_hash(self):
		one, same, other = (templates.written(day, "es") for day in (DATES[0], DATES[0], DATES[1]))
		self.assertTrue(one == same and one <= same and one >= same and hash(one) == hash(same))
		self.assertTrue(one != other and other < one and not one < other)


class TestNothing(unittest.TestCase):
	def test_what_is_missing_is_printed_as_nothing(self):
		self.assertEqual(
			written("[{{ company }}{{ customer_name }}]", company=None, customer_name=None), "[]"
		)
		self.assertEqual(written("{{ company or 'we' }}", company=None), "we")


class TestAfterTheDate(MarketingTestCase):
	def test_so_many_days_since(self):
		self.assertEqual(
			written("ended {{ days_since }} days ago", dates=(date(2026, 11, 8),)), "ended 15 days ago"
		)

	def test_a_number_of_days_below_zero_is_pointed_out_where_the_trigger_comes_after(self):
		after = {"trigger_type": "After", "days_offset": 15}
		frappe.clear_messages()
		factories.campaign(after, email_template=factories.template())
		self.assertIn("days_since", str(frappe.get_message_log()))
		for response in (
			"<p>It ended {{ days_since }} days ago.</p>",
			"<p>It ended on {{ expiry_date }}.</p>",
		):
			frappe.clear_messages()
			factories.campaign(after, email_template=factories.template(response=response))
			self.assertEqual(frappe.get_message_log(), [])

	def template(self, recipe: dict, message: dict, language: str, words):
		"""Return the Email Template of a recipe's message, with its fields."""
		if not message.get("design"):
			name = recipes.email_template(recipe, message, language, factories.unique("Test"))
			return frappe.get_doc("Email Template", name)
		design = store.read(gallery.named(message["design"])["design"])
		made = compiler.compiled(design, language, words)
		html = designed.branded(made.html, brand_of(None))
		return frappe._dict(name=message["design"], subject=made.subject, use_html=1, response_html=html)

	def test_the_recipes_read_right_on_each_day(self):
		for recipe in recipes.all_recipes().values():
			words = templates.words_of_trigger(frappe._dict(source=recipe["source"]))
			for message in recipe["messages"]:
				days_left = (-365, -7, -1) if message["timing"] == "After" else (-365, -7, -1, 0, 1, 2, 30)
				for language in recipes.languages(recipe):
					name = f"{recipe['title']}: {message['name']} ({language})"
					doc = self.template(recipe, message, language, words)
					combines = "combine_messages" in recipe["asks"]
					self.assertEqual(templates.validate(doc, combines, after=True, words=words), [])
					template = templates.compile_template(doc, words)
					for days in days_left:
						with self.subTest(name, days=days):
							read = templates.render(
								template, templates.example_context(2, days, words=words), language
							)
							text = f"{read.subject} {frappe.utils.strip_html(read.body)}"
							for wrong in ("None", f"{days} days", f"{days} días"):
								if days < 2 or wrong == "None":
									self.assertNotIn(wrong, text)


class TestPictures(MarketingTestCase):
	PRIVATE = (
		'<img src="/private/files/logo.png">',
		"<img src='/private/files/logo.png'>",
		"<img src=/private/files/logo.png>",
		'<img src="private/files/logo.png">',
		'<img src="../private/files/logo.png">',
		'<img src="/private//files/logo.png">',
		'<img src="/private%2Ffiles/logo.png">',
		'<img src="&#47;private/files/logo.png">',
		'<img src="{site}/private/files/logo.png">',
		'<img src="https://shop.example/private/files/logo.png">',
		'<img src="{{ \'/private/files/\' ~ item_code }}">',
		'<img srcset="/files/a.png 1x, /private/files/a.png 2x">',
		'<table background="/private/files/a.png"></table>',
		"<div style=\"background: url('/private/files/a.png')\"></div>",
		"<style>p { background: url(/private/files/a.png) }</style>",
		'<a href="/private/files/offer.pdf">Offer</a>',
		'<a href="/api/method/frappe.core.doctype.file.file.download_file?file_url=/private/files/a.pdf">x</a>',
		'<img src="file:///C:/logo.png">',
		'<img src="blob:https://shop.example/1234">',
	)  # fmt: skip
	PUBLIC = (
		'<img src="/files/logo.png">',
		'<img src="https://shop.example/logo.png">',
		"<p>A private file, or private files</p>",
	)

	def test_one_that_customers_cannot_open_is_refused(self):
		for html in self.PRIVATE:
			doc = frappe._dict(
				name="Test",
				subject="Hi",
				use_html=1,
				response_html=f"Hello {html.replace('{site}', frappe.utils.get_url())}",
			)
			with self.subTest(html), self.assertRaises(templates.TemplateInvalid) as caught:
				templates.validate(doc)
			self.assertIn("Is Private", str(caught.exception))

	def test_others_are_fine(self):
		for html in self.PUBLIC:
			doc = frappe._dict(name="Test", subject="Hi", use_html=1, response_html=f"Hello {html}")
			with self.subTest(html):
				self.assertEqual(templates.validate(doc), [])

	def test_when_it_is_put_into_a_message_in_use(self):
		name = factories.template()
		factories.campaign(email_template=name)
		doc = frappe.get_doc("Email Template", name)
		doc.response = f"<p>Hello {self.PRIVATE[0]}</p>"
		with self.refused(name, "cannot open"):
			doc.save()


class TestDirection(MarketingTestCase):
	ARABIC = "<p>مرحبا {{ customer_name }}</p><p>{{ item_name }} ({{ serial_no }})</p>"

	def mail_to(self, language: str, **templates_of) -> tuple[str, str]:
		"""Return text and HTML of a mail to a customer of a language."""
		if not frappe.db.exists("Language", language):
			factories.make("Language", language_code=language, language_name=f"Test {language}")
		factories.pin(factories.customer(language=language), in_days(30))
		default = templates_of.pop("default", None) or factories.template()
		campaign = factories.campaign(active=False, email_template=default)
		action = frappe.get_doc("Lifecycle Action", {"campaign": campaign.name})
		for code, response in templates_of.items():
			action.append(
				"translations",
				{"language": code, "email_template": factories.template(response=response)},
			)
		action.save()
		campaign.is_active = 1
		campaign.save()
		self.run_night(campaign.name)
		return mail_parts(self.mails()[-1])

	def test_what_is_written_from_right_to_left_says_so(self):
		for language in ("ar", "he", "fa", "ur"):
			with self.subTest(language):
				self._reset()
				_text, html = self.mail_to(language, **{language: self.ARABIC})
				self.assertIn('dir="rtl"', html)
				self.assertIn(f'lang="{language}"', html)

	def test_each_mail_by_itself_too(self):
		# What a layout cannot be made of.
		response = "{% set x %}<b>{{ item_name }}</b>{% endset %}<p>مرحبا {{ x }}</p>"
		_text, html = self.mail_to("ar", ar=response)
		self.assertIn('dir="rtl"', html)
		# In the frame, and once more for mail programs that take the frame away.
		self.assertEqual(html.count('dir="rtl"'), 2)

	def test_the_others_are_read_from_the_left_in_their_language(self):
		for language in ("en", "es"):
			self._reset()
			spanish = factories.template(response="<p>Hola, {{ customer_name }}</p>")
			_text, html = self.mail_to(language, es=spanish)
			self.assertEqual(html.count(f'lang="{language}" dir="ltr"'), 2)
			self.assertNotIn("rtl", html)

	def test_who_gets_the_template_of_another_language_gets_its_direction(self):
		_text, html = self.mail_to("ar")
		self.assertEqual(html.count('lang="en" dir="ltr"'), 2)
		self._reset()
		_text, html = self.mail_to("ar", default=factories.template(response=self.ARABIC))
		self.assertIn('dir="rtl"', html)

	def test_it_is_made_once_as_the_others_are(self):
		made = []
		make = layout.make

		def remembered(*arguments):
			made.append(make(*arguments))
			return made[-1]

		with patch.object(layout, "make", remembered):
			text, html = self.mail_to("ar", ar=self.ARABIC)
		self.assertEqual(len(made), 1)
		self.assertIsNotNone(made[0])
		self.assertIn("مرحبا", text)
		self.assertNotIn("rtl", text)
		self.assertIn('dir="rtl"', html)

	def test_which_languages(self):
		for code in (
			"ar",
			"ar-EG",
			"AR_sa",
			"he",
			"iw",
			"fa",
			"fa-AF",
			"ur",
			"ps",
			"dv",
			"yi",
			"sd",
			"ug",
			"ckb",
			"az-Arab",
		):
			self.assertTrue(templates.is_right_to_left(code), code)
		for code in ("en", "es", "ku-Latn", "az", "ja", "", None, "arn"):
			self.assertFalse(templates.is_right_to_left(code), code)
