"""What is put together of blocks becomes one mail, and nothing that somebody typed becomes code."""

import re
import time

import frappe

from marketing_automation.channels.texts import designed, template_text, templates
from marketing_automation.designs import checks, conditions, design, text
from marketing_automation.designs import compile as compiler
from marketing_automation.designs.block import all_blocks
from marketing_automation.engine.brand import brand_of
from marketing_automation.tests import designs as examples
from marketing_automation.tests.case import MarketingTestCase

ATTACKS = (
	"{{ frappe.db }}",
	"{% for x in items %}{% endfor %}",
	"{{ ''.__class__ }}",
	"{# gone #}",
	"<script>alert(1)</script>",
	'"><img src=x onerror=alert(1)>',
	"</mj-text></mj-column><mj-raw>{{ 7*7 }}</mj-raw>",
	"]]> &amp; <!-- x",
	"{{ '{' }}",
	"{ { customer_name } }",
	"\ue001color\ue001 \ue002x\ue002",
)


class TestDesigns(MarketingTestCase):
	def made(self, data: dict, language: str = "en") -> compiler.Made:
		return compiler.compiled(design.read(data, all_blocks()), language, templates.PINS)

	def filled(self, data: dict, items: int = 2, days: int = 5, language: str = "en") -> tuple[str, str, str]:
		"""Return subject, HTML and text of an example."""
		made, brand = self.made(data, language), brand_of(None)
		values = templates.for_reader(templates.example_context(items, days), language)
		doc = frappe._dict(
			name="Test", subject=made.subject, use_html=1, response_html=designed.branded(made.html, brand)
		)
		template = templates.compile_template(doc)
		subject, html = templates.fill(template, [template.subject, template.body], values)
		plain = templates.SUBJECT.from_string(designed.branded_text(made.text, brand)).render(values)
		return subject, html, plain

	def test_every_block_is_in_the_mail_and_in_its_text_part(self):
		subject, html, plain = self.filled(examples.everything())
		self.assertEqual(subject, "Pin ends in 5 days")
		seen = template_text.visible(html)
		for words in (
			"Time to renew",
			"Dear Ana,",
			"soon it ends in 5 days",
			"Ends on",
			"Renew",
			"Very good",
		):
			self.assertIn(words, seen)
			self.assertIn(words, plain)
		for name in ("PIN-0001", "PIN-0002"):
			self.assertIn(name, seen)
			self.assertIn(name, plain)
		self.assertIn('alt="A lamp"', html)
		self.assertIn("See: https://a.example/?n=PIN-0001", plain)
		self.assertIn("Renew: https://a.example/PIN-0001", plain)
		self.assertNotIn("\ue001", html + plain)
		self.assertNotIn("<", plain)

	def test_it_is_a_template_that_campaigns_can_send(self):
		made = self.made(examples.everything())
		html = designed.branded(made.html, brand_of(None))
		doc = frappe._dict(name="Test", subject=made.subject, use_html=1, response_html=html)
		self.assertEqual(templates.validate(doc, combines=True), [])
		self.assertTrue(templates.is_designed(doc))

	def test_what_is_typed_is_read_as_it_was_typed(self):
		for attack in ATTACKS[:-1]:
			with self.subTest(attack):
				_subject, html, plain = self.filled(examples.small(f"A {attack} Z"))
				self.assertIn(f"A {attack} Z", plain)
				self.assertIn(f"A {attack} Z".replace(" ", ""), template_text.visible(html).replace(" ", ""))
				self.assertNotIn("<script", html)
				self.assertNotIn("<img src=x", html)

	def test_nobody_can_type_a_mark_of_the_brand(self):
		_subject, html, plain = self.filled(examples.small(f"A {ATTACKS[-1]} Z"))
		self.assertIn("A color x Z", plain)
		self.assertIn("A color x Z", template_text.visible(html))

	def test_attacks_in_lines_addresses_and_alternative_texts(self):
		for attack in ATTACKS[:-1]:
			data = examples.everything()
			for key in (
				"preheader",
				"b.text",
				"d.title",
				"e.text",
				"e.address",
				"l.alt",
				"j.who",
				"foot1.text",
			):
				data["texts"]["en"][key] += f" {attack}"
			with self.subTest(attack):
				_subject, html, plain = self.filled(data)
				self.assertNotIn("<script", html)
				self.assertNotIn("<img src=x", html)
				self.assertEqual(plain.count(attack), plain.count(attack))
				self.assertNotIn("49", template_text.visible(html))

	def test_an_address_that_is_none_leads_nowhere(self):
		for address in (
			"javascript:alert(1)",
			"data:text/html,x",
			"//evil.example",
			"{{ serial_no }}",
			"x y",
		):
			self.assertEqual(text.as_address(address, compiler.names_of(templates.PINS)), "", address)

	def test_a_condition_decides_for_each_reader(self):
		data = examples.small("Only soon", **{"u.text": "Always"})
		data["blocks"].insert(1, {"id": "u", "type": "text"})
		data["blocks"][0]["only"] = {"if": [{"name": "days_left", "is": "under", "value": 7}]}
		for days, shown in ((6, True), (7, False), (-3, True)):
			_subject, html, plain = self.filled(data, days=days)
			self.assertEqual("Only soon" in template_text.visible(html), shown, days)
			self.assertEqual("Only soon" in plain, shown, days)
			self.assertIn("Always", plain)

	def test_the_edges_of_the_card_are_those_of_what_is_shown(self):
		soon = {"if": [{"name": "days_left", "is": "under", "value": 7}]}
		late = {"if": [{"name": "days_left", "is": "at_least", "value": 20}]}
		band, words = {"type": "heading", "look": "band"}, {"type": "text"}
		for blocks, expected in (
			([{**band, "only": soon}, words], {5: ["band", "card"], 10: ["card", "card"]}),
			([words, {**band, "only": soon}], {5: ["card", "band"], 10: ["card", "card"]}),
			([{**words, "only": soon}, words], {5: ["card", "card"], 10: ["card", "card"]}),
			([{**band, "only": soon}], {5: ["band", "band"], 10: []}),
			(
				[{**band, "only": soon}, {**band, "only": late}, {**words, "only": late}, words],
				{5: ["band", "card"], 10: ["card", "card"], 20: ["band", "card"]},
			),
		):
			blocks = [{"id": f"b{position}", **block} for position, block in enumerate(blocks)]
			data = {
				"blocks": [*blocks, {"id": "foot1", "type": "foot"}],
				"texts": {"en": {"subject": "x", **{f"{one['id']}.text": "Words" for one in blocks}}},
			}
			for days, edges in expected.items():
				with self.subTest(blocks, days=days):
					html = self.filled(data, days=days)[1]
					found = re.findall(r'class="ma-(card|band)"(?=[^>]*border-radius)', html)
					self.assertEqual(found, edges)

	def test_a_condition_within_columns(self):
		data = examples.everything()
		data["blocks"][5]["columns"][0][0]["only"] = {
			"if": [{"name": "items_count", "is": "over", "value": 1}]
		}
		for items, shown in ((1, False), (2, True)):
			_subject, html, plain = self.filled(data, items)
			self.assertEqual("Left" in template_text.visible(html), shown)
			self.assertEqual("Left" in plain, shown)

	def test_a_heading_in_a_column_is_in_ink_that_is_seen_there(self):
		data = examples.everything()
		heading = {"id": "n1", "type": "heading", "look": "band"}
		data["texts"]["en"] |= {"n1.text": "In a column", "n1.above": "Small"}
		data["blocks"][5]["columns"][0] = [heading]
		white = re.compile(rf"color:\s*{brand_of(None).on_color}", re.IGNORECASE)
		for look in ("band", "large", "small"):
			heading["look"] = look
			_subject, html, _plain = self.filled(data)
			self.assertEqual(self.styles_round(html, "In a column", white), [], look)
			self.assertEqual(self.styles_round(html, "Small", white), [], look)
		# On the band it is in the brand's: the test sees such an ink.
		self.assertTrue(self.styles_round(html, "Time to renew", white))

	def styles_round(self, html: str, words: str, ink) -> list[str]:
		"""Return the tags with an ink that stand right round these words."""
		before = html[: html.index(f">{words}<") + 1]
		return [tag for tag in re.findall(r"<[a-z][^>]*>", before)[-2:] if ink.search(tag)]

	def test_a_condition_on_a_text_is_a_constant_whatever_is_in_it(self):
		for value in ("Ana", 'a"b', "%}{{ 7*7 }}", "\\", "'", "é – 50 %"):
			test = {"if": [{"name": "customer_name", "is": "equal", "value": value}]}
			source = f"{{% if {conditions.jinja(test, {'customer_name': 'text'})} %}}yes{{% endif %}}"
			rendered = templates.BODY.from_string(source)
			self.assertEqual(rendered.render(customer_name=value), "yes", value)
			self.assertEqual(rendered.render(customer_name=f"{value}."), "", value)

	def test_a_condition_that_cannot_be_asked_is_refused_in_words(self):
		for test, words in (
			({"name": "nobody", "is": "under", "value": 1}, "nobody, which does not exist"),
			({"name": "days_left", "is": "under", "value": "soon"}, "no whole number"),
			({"name": "days_left", "is": "contains", "value": 1}, "how to compare days_left"),
			({"name": "customer_name", "is": "equal", "value": " "}, "what to compare customer_name"),
		):
			data = examples.small("x")
			data["blocks"][0]["only"] = {"if": [test]}
			with self.assertRaisesRegex(design.DesignInvalid, words):
				self.made(data)

	def test_only_for_a_language(self):
		data = examples.everything("en", "es")
		data["blocks"][7]["only"] = {"languages": ["es"]}
		self.assertNotIn("Very good", self.filled(data)[1])
		self.assertIn("Muy bueno", self.filled(data, language="es")[1])
		self.assertEqual(design.missing(design.read(data, all_blocks()), "en"), [])

	def test_days_in_words_are_the_same_without_this_app(self):
		source, plain = "{{ in_words( item.days_left ) }}", frappe.utils.jinja.get_jenv()
		for language in ("en", "es", "de"):
			for most, is_past, days in (
				(None, False, range(-4, 5)),
				(100, False, range(0, 5)),
				(100, True, range(-4, 1)),
			):
				written_out = templates.words_written_out(source, language, most, is_past)
				self.assertLessEqual(len(written_out), most or 1000)
				for number in days:
					with self.subTest(language, most=most, days=number):
						said = plain.from_string(written_out).render(item={"days_left": number})
						self.assertEqual(said, templates.days_in_words(number, language))
		self.assertEqual(templates.words_written_out(source, "en", 40), "{{ item.days_left }}")
		self.assertEqual(templates.words_written_out("Hi {{ item_name }}", "en", 5), "Hi {{ item_name }}")

	def test_days_in_words(self):
		for days, english, spanish in (
			(0, "today", "hoy"),
			(1, "tomorrow", "mañana"),
			(5, "in 5 days", "dentro de 5 días"),
			(-1, "yesterday", "ayer"),
			(-9, "9 days ago", "hace 9 días"),
		):
			for language, expected in (("en", english), ("es", spanish)):
				self.assertEqual(templates.days_in_words(days, language), expected)
				subject = self.filled(examples.everything("en", "es"), days=days, language=language)[0]
				self.assertTrue(subject.endswith(expected), subject)

	def test_a_language_that_is_read_from_the_right(self):
		data = examples.small("שלום")
		data["texts"]["he"] = data["texts"].pop("en")
		html = self.made(data, "he").html
		self.assertIn('dir="rtl"', html)
		self.assertIn('lang="he"', html)
		self.assertIn("text-align:right", html)

	def test_the_foot_and_the_way_out_are_always_there(self):
		for data in (
			{"blocks": [], "texts": {"en": {}}},
			examples.small("x"),
			{"blocks": [{"type": "foot"}, {"type": "foot"}], "texts": {"en": {}}},
		):
			read = design.read(data, all_blocks())
			self.assertEqual([node.type for node in read.blocks].count("foot"), 1)
			self.assertEqual(read.blocks[-1].type, "foot")
			made = compiler.compiled(read, "en", templates.PINS)
			self.assertEqual(made.html.count(designed.WAY_OUT), 1)

	def test_the_foot_is_in_every_mail_whatever_condition_it_was_given(self):
		for only in ({"if": [{"name": "days_left", "is": "under", "value": "-999"}]}, {"languages": ["fr"]}):
			data = examples.small("Made")
			data["blocks"] = [one for one in data["blocks"] if one["type"] != "foot"]
			data["blocks"].append({"id": "foot1", "type": "foot", "only": only})
			made = self.made(data)
			self.assertIn(designed.WAY_OUT, self.filled(data)[1])
			self.assertIn(designed.mark("foot"), made.text)

	def test_the_foot_is_not_inside_of_columns(self):
		data = examples.everything()
		data["blocks"][5]["columns"][0].append({"type": "foot"})
		with self.assertRaisesRegex(design.DesignInvalid, "cannot stand inside of columns"):
			design.read(data, all_blocks())

	def test_what_is_no_design_is_refused_in_words(self):
		for data, words in (
			("{", "no JSON"),
			("[" * 100_000, "no JSON"),
			("[]", "no list of blocks"),
			({"blocks": [{"type": "nothing"}]}, "nothing"),
			({"blocks": [], "texts": {"../x": {}}}, "not the code of a language"),
			({"blocks": [{"type": "text"}] * 500}, "Shorten it"),
			(
				{"blocks": [{"id": "t", "type": "text"}], "texts": {"en": {"t.text": "x" * 10_001}}},
				"Shorten it",
			),
		):
			with self.assertRaisesRegex(design.DesignInvalid, words):
				design.read(data, all_blocks())

	def test_stars_without_an_end_are_read_as_fast_as_words(self):
		names = compiler.names_of(templates.PINS)

		def seconds(typed: str) -> float:
			times = []
			for _attempt in range(5):
				began = time.process_time()
				text.as_html(typed, names)
				times.append(time.process_time() - began)
			return min(times)

		self.assertLess(seconds("**b " * 2500), 20 * seconds("bbb " * 2500))
		self.assertIn("<strong>so *be it</strong>", text.as_html("**so *be it**", names))

	def test_it_is_stored_as_it_was_read(self):
		read = design.read(examples.everything("en", "es"), all_blocks())
		again = design.read(compiler.as_json(read), all_blocks())
		self.assertEqual(compiler.as_json(again), compiler.as_json(read))
		self.assertEqual(list(again.nodes()), list(read.nodes()))

	def test_missing_texts_are_known(self):
		data = examples.everything("en", "es")
		del data["texts"]["es"]["b.text"], data["texts"]["es"]["d.label"]
		data["texts"]["en"].pop("foot1.text")
		read = design.read(data, all_blocks())
		self.assertEqual(design.missing(read, "es"), ["b.text", "d.label"])
		self.assertEqual(design.missing(read, "en"), ["foot1.text"])

	def test_an_address_that_nobody_is_asked_for_is_not_missing(self):
		data = examples.everything("en", "es")
		del data["texts"]["es"]["e.address"]
		self.assertEqual(design.missing(design.read(data, all_blocks()), "es"), ["e.address"])
		# Nor is it looked at: this one would lead nowhere.
		data["texts"]["en"]["e.address"] = "nowhere"
		data["blocks"][4]["to"] = "website"
		read = design.read(data, all_blocks())
		self.assertEqual(design.missing(read, "es"), [])
		self.assertEqual(
			read.texts["en"]["e.address"], "nowhere", "it is kept for when it is asked for again"
		)
		found = checks.problems(read, "en", templates.PINS, brand_of(None), None)
		self.assertNotIn("e.address", [problem.key for problem in found])

	def test_a_button_to_a_website_that_there_is_not_is_left_out(self):
		brand = brand_of(None)
		made = self.made(examples.everything())
		for website, shown in (("https://shop.example", True), (None, False)):
			from dataclasses import replace

			html = designed.branded(made.html, replace(brand, website=website))
			plain = designed.branded_text(made.text, replace(brand, website=website))
			self.assertEqual("Visit us" in html, shown)
			self.assertEqual("Visit us" in plain, shown)
			self.assertEqual("shop.example" in html, shown)

	def test_the_brand_is_text_whatever_is_in_it(self):
		from dataclasses import replace

		brand = replace(
			brand_of(None),
			title='<b>{{ 7*7 }}"',
			foot="{% for %}",
			address=("<i>",),
			links=(("{{ x }}", "https://a.example/?a={{ 1 }}&b"),),
			logo=None,
		)
		made = self.made(examples.small("x"))
		html = templates.BODY.from_string(designed.branded(made.html, brand)).render(
			templates.for_reader(templates.example_context(1), "en")
		)
		self.assertNotIn("<b>", html)
		seen = template_text.visible(html)
		for words in ('<b>{{ 7*7 }}"', "{% for %}", "<i>", "{{ x }}"):
			self.assertIn(words, seen)
