"""Each design of the gallery is a mail that a shop can send as it is, in English and in Spanish."""

import re

import frappe

from marketing_automation.channels.texts import designed, template_text, templates
from marketing_automation.designs import compile as compiler
from marketing_automation.designs import gallery, store
from marketing_automation.engine.brand import brand_of
from marketing_automation.engine.source import all_sources
from marketing_automation.tests.case import MarketingTestCase

# In a mail that long Gmail shows only its beginning.
MOST_BYTES = 102_000


def words(source: str):
	return templates.words_of_trigger(frappe._dict(source=source))


class TestGallery(MarketingTestCase):
	def each(self):
		for name, design in gallery.all_designs().items():
			for language in ("en", "es"):
				with self.subTest(f"{name}, {language}"):
					made = compiler.compiled(store.read(design["design"]), language, words(design["source"]))
					yield design, language, made

	def test_there_are_designs_for_all_that_is_sold(self):
		found = gallery.all_designs()
		self.assertGreaterEqual(len(found), 10)
		for design in found.values():
			self.assertEqual(gallery.languages(design), ["en", "es"], design["name"])
			self.assertIn(design["source"], all_sources())

	def test_each_can_be_sent(self):
		for design, _language, made in self.each():
			html = designed.branded(made.html, brand_of(None))
			doc = frappe._dict(name=design["name"], subject=made.subject, use_html=1, response_html=html)
			self.assertEqual(
				templates.validate(
					doc,
					combines=design["name"] != "birthday" and "items" in made.text,
					words=words(design["source"]),
				),
				[],
			)
			self.assertLessEqual(len(made.subject), 140)

	def test_each_is_small_and_says_the_same_in_text(self):
		for design, language, made in self.each():
			brand, of_source = brand_of(None), words(design["source"])
			values = templates.for_reader(templates.example_context(1, 5, words=of_source), language)
			html = templates.BODY.from_string(designed.branded(made.html, brand)).render(values)
			plain = templates.SUBJECT.from_string(designed.branded_text(made.text, brand)).render(values)
			self.assertLess(len(html.encode()), MOST_BYTES / 2)
			self.assertNotRegex(plain, r"<\w|\{\{|\*\*|\ue001")
			seen = set(re.findall(r"\w{4,}", template_text.visible(html)))
			told = set(re.findall(r"\w{4,}", plain))
			# Frappe writes the link to unsubscribe below the text part.
			out = set(re.findall(r"\w{4,}", frappe._("Unsubscribe", language)))
			self.assertEqual(seen - told - out, set())
			self.assertIn(f'lang="{language}"', html)

	def test_none_has_words_of_the_other_language(self):
		for _design, language, made in self.each():
			self.assertNotRegex(made.text, r"\bHola\b" if language == "en" else r"\bDear\b")
