"""No template keeps a server busy, whoever writes it: it is refused before anything compiles it, or it is small work."""

import contextlib
import time
from datetime import date, timedelta
from unittest.mock import patch

import frappe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketing_automation.channels.texts import template_syntax, templates
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days

TODAY = date(2026, 11, 23)
# In seconds, of a machine that does other things as well. What it is about takes minutes, or all of the memory.
SOON = 5

# Ten thousand times.
LOOPS = "{{% for a in [1,2,3,4,5,6,7,8,9,0] %}}" * 4 + "{}" + "{{% endfor %}}" * 4

FOR_EVER = {
	"a filter that fills up": "{{ 'a' | slice(3000000000) | list }}",
	"a method of numbers": "{{ days_left.to_bytes(3000000000, 'big') }}",
	"a text that doubles": "{% set a = customer_name %}" + "{% set a = a ~ a %}" * 40 + "{{ a }}",
	"a text that doubles by +": "{% set a = 'aa' %}" + "{% set a = a + a %}" * 40 + "{{ a }}",
	"by join": "{% set a = 'aa' %}" + "{% set a = [a, a] | join %}" * 40 + "{{ a }}",
	"by replace": "{% set a = customer_name %}" + "{% set a = a | replace('', a) %}" * 9 + "{{ a }}",
	"by the method replace": "{% set a = customer_name %}" + "{% set a = a.replace('', a) %}" * 9 + "{{ a }}",
	"by format": "{% set a = 'aa' %}" + "{% set a = '{0}{0}{0}{0}'.format(a) %}" * 30 + "{{ a }}",
	"by a block": "{% set a %}aa{% endset %}" + "{% set a %}{{ a }}{{ a }}{% endset %}" * 40 + "{{ a }}",
	"by a condition": "{% set a = 'aa' %}"
	+ "{% if days_left %}{% set a = a ~ a %}{% endif %}" * 40
	+ "{{ a }}",
	"by with": "{% with a = 'aa' %}" * 1 + "{% set a = a ~ a %}" * 40 + "{{ a }}{% endwith %}",
	"a list that doubles": "{% set a = items %}" + "{% set a = a + a %}" * 30 + "{{ a | length }}",
	"loops in loops": "{% for a in items %}" * 10 + "x" + "{% endfor %}" * 10,
	"two loops": "{% for a in items %}{% for b in items %}x{% endfor %}{% endfor %}",
	"loops over what is written": "{% for a in [1, 2, 3, 4, 5, 6, 7, 8, 9, 0] %}" * 9
	+ "x"
	+ "{% endfor %}" * 9,
	"a list in a loop": "{% for a in items %}{{ items | map(attribute='item_name') | join }}{% endfor %}",
	"a list looked through in a loop": "{% for a in items %}{{ a in items }}{% endfor %}",
	"a group in a group": (
		"{% for g in items | groupby('item_name') %}{% for a in g.list %}{% for b in g.list %}x{% endfor %}{% endfor %}{% endfor %}"
	),
	"a group's text": (
		"{% for g in items | groupby('item_name') %}{% set t = g.list | map(attribute='serial_no') | join %}"
		"{% for a in g.list %}{{ t }}{% endfor %}{% endfor %}"
	),
	"a group's block": (
		"{% for g in items | groupby('item_name') %}{% set t %}{% for a in g.list %}{{ a.serial_no }}{% endfor %}{% endset %}"
		"{% for a in g.list %}{{ t }}{% endfor %}{% endfor %}"
	),
	"a macro": "{% macro m(a) %}{{ a }}{{ a }}{% endmacro %}{{ m(m(m('x'))) }}",
	"a macro that calls itself": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
	"a call": "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}x{% endcall %}",
	"a loop that calls itself": "{% for a in items recursive %}{{ loop(items) }}{% endfor %}",
	"a filter over a block": "{% filter center(999999999) %}x{% endfilter %}",
	"a filter on what is set": "{% set a | center(999999999) %}x{% endset %}",
	"a power": "{{ 9 ** 9 ** 9 }}",
	"a product": "{% set a = 999999999999 %}" + "{% set a = a * a %}" * 40 + "{{ a }}",
	"a repeated text": "{{ 'a' * 3000000000 }}",
	"a repeated list": "{{ [1] * 300000000 }}",
	"a repeated tuple": "{{ (1, 2) * 300000000 }}",
	"a number of many digits": f"{{{{ {'9' * 100000} }}}}",
	"a width": "{{ '{:>99999}'.format(days_left) }}",
	"a width that is filled in": "{{ '{:>{}}'.format(days_left, 999999999) }}",
	"a width by %": "{{ '%999999999d' % days_left }}",
	"the filter format": "{{ '%999999999d' | format(days_left) }}",
	"wordwrap": "{{ customer_name | wordwrap(1, true, 'x' * 99999) }}",
	"indent": "{{ 'x' | indent(999999999) }}",
	"batch": "{{ items | batch(999999999, 'x') | list }}",
	"round": "{{ days_left | round(999999999) }}",
	"a namespace": "{% set n = namespace(a='x') %}" + "{% set n.a = n.a ~ n.a %}" * 40 + "{{ n.a }}",
	"range": "{% for i in range(99999999) %}x{% endfor %}",
	"lipsum": "{{ lipsum(99999999) }}",
	"a whole list": "{% for a in items %}{{ items }}{% endfor %}",
	"a list or a text": "{% for a in items %}{{ company and items }}{% endfor %}",
	"brackets": "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
	"lists": "{{ " + "[" * 3000 + "]" * 3000 + " }}",
	"not": "{{ " + "not " * 3000 + "1 }}",
	"minus": "{{ " + "- " * 3000 + "1 }}",
	"dots": "{{ company" + ".a" * 3000 + " }}",
	"a sum": "{{ 1" + " + 1" * 5000 + " }}",
	"conditions in conditions": "{% if days_left %}" * 400 + "x" + "{% endif %}" * 400,
	"elif": "{% if 1 %}" + "{% elif 2 %}" * 900 + "{% endif %}",
	"many conditions": "{% if days_left %}x{% endif %}" * 10000,
	"many sets": "{% set a = 1 %}" * 10000 + "x",
	"braces": "{{" * 60000,
	"braces in pairs": "{{}}" * 60000,
	"blocks": "{%" * 60000,
	"comments": "{#" * 60000,
	"a long tag": "{{ " + " " * 100000 + "customer_name }}",
	"a long text": "x" * 1000000,
}

# What is short, or within the limits, and makes so much of an example, or is so odd, that looking it through took minutes.
LARGE = {
	"a loop of tags": LOOPS.format("<img width=1 height=1 src='{{ days_left }}'>" * 6),
	"a loop of what is hidden": LOOPS.format("<i hidden>{{ days_left }}</i>" * 6),
	"a loop of marks": LOOPS.format("{a {{ days_left }}" * 10),
	"pictures of no size": "<img src=a width=1 height=1>" * 6000,
	"letters that Unicode makes long": "\ufdfa" * 199_000,
	"other tools' marks": "{a}[name] :name $name %s " * 7000,
	"marks that do not end": "{name, [name <name %name #name :name|name " * 4500,
}

FINE = {
	"the list": "{% for item in items %}{{ loop.index }} of {{ loop.length }}: {{ item.item_name }}, {{ item.expiry_date }}{% if not loop.last %}; {% endif %}{% endfor %}",
	"a joined list": "{{ items | map(attribute='serial_no') | join(', ') }}",
	"the first ones": "{% for item in items[:10] %}{{ item.serial_no }}{% endfor %} and {{ items | length - 10 }} more",
	"groups": "{% for group in items | groupby('item_name') %}{{ group.list | length }} {{ group.grouper }}: {% for item in group.list %}{{ item.serial_no }} {% endfor %}{% endfor %}",
	"groups in halves": "{% for name, of_name in items | groupby('item_name') %}{{ name }}: {{ of_name | map(attribute='serial_no') | join(', ') }}{% endfor %}",
	"chosen ones": "{% for item in items | selectattr('days_left', '<', 99) | sort(attribute='expiry_date') %}{{ item.serial_no }}{% else %}none{% endfor %}",
	"a condition on the list": "{% set late = items | selectattr('days_left', 'lt', 0) | list %}{% if late %}{{ late | length }}{% else %}none{% endif %}",
	"turns": "{% for item in items %}{{ loop.cycle('odd', 'even') }}{{ loop.previtem.serial_no if not loop.first else '' }}{% endfor %}",
	"texts": "{{ customer_name.split(' ')[0] | title }} {{ item_name | upper | truncate(20) }} {{ company or 'we' }} {{ 'day' if days_left == 1 else 'days' }} {{ item_name.replace('a', 'b') }}",
	"numbers": "{{ days_left // 7 }} {{ (days_left / 30) | round | int }} {{ days_left * 2 % 5 }} {{ [days_left, 0] | max }} {{ -days_left | abs }}",
	"dates": "{{ format_date(expiry_date, 'd MMMM') }} {{ (items | min(attribute='expiry_date')).expiry_date }}",
	"words": "{{ _('Dear {0}').format(customer_name) }} {{ 'Dear ' ~ customer_name }}",
	"a block": "{% set who %}<b>{{ customer_name }}</b>{% endset %}{{ who }}{% with a = 1 %}{{ a }}{% endwith %}{% raw %}x{% endraw %}",
	"a comment": "{# not seen #}x",
}


def document(body: str, subject: str = "Hi") -> dict:
	return frappe._dict(name="Test", subject=subject, use_html=1, response_html=body)


def values(items: int) -> dict:
	pin = {
		"item_code": "PIN",
		"item_name": "Pin's",
		"expiry_date": TODAY + timedelta(days=9),
		"date": TODAY + timedelta(days=9),
	}
	message = {"customer": "C-1", "customer_name": "Ana López", "company": None, "campaign": "Renewal"}
	pins = [{**pin, "serial_no": f"PIN-{number}"} for number in range(items)]
	return templates.for_reader(templates.context(message, pins, TODAY), "en")


class TestTemplateLimits(MarketingTestCase):
	def soon(self, doing) -> None:
		began = time.monotonic()
		doing()
		self.assertLess(time.monotonic() - began, SOON)

	def refuses(self, body: str) -> None:
		with self.assertRaises(templates.TemplateInvalid):
			templates.compile_template(document(body))

	def test_what_would_take_for_ever_is_refused_at_once(self):
		for name, body in FOR_EVER.items():
			with self.subTest(name):
				self.soon(lambda body=body: self.refuses(body))

	def test_what_makes_too_much_of_an_example_is_refused_and_the_rest_is_looked_through_soon(self):
		def looked_at(body: str) -> None:
			with contextlib.suppress(templates.TemplateInvalid):
				templates.validate(document(f"<p>Hello</p>{body}"), combines=True)

		for name, body in LARGE.items():
			with self.subTest(name):
				self.soon(lambda body=body: looked_at(body))
		with self.assertRaises(templates.TemplateInvalid) as caught:
			templates.validate(document(LARGE["a loop of tags"]))
		self.assertIn("a few items", str(caught.exception))

	def test_and_before_frappe_compiles_it_whoever_saves_it(self):
		name = factories.template()
		factories.campaign(email_template=name)
		marketer = factories.user("Marketing User")
		frappe.db.commit()
		for what in (
			"a filter that fills up",
			"a text that doubles",
			"a repeated text",
			"braces",
			"conditions in conditions",
		):
			for user, fields in (
				("Administrator", {"name": name}),
				(marketer, {"use_html": 0, "response": f"<p>{FOR_EVER[what]}</p>"}),
				(marketer, {"use_html": 1, "response_html": FOR_EVER[what]}),
				(marketer, {"use_html": 1, "response_html": "Hi", "subject": FOR_EVER[what][:5000]}),
			):
				with self.subTest(what, user=user, **fields):
					frappe.set_user(user)
					if "name" in fields:
						doc = frappe.get_doc("Email Template", name)
						doc.update({"use_html": 1, "response_html": FOR_EVER[what]})
					else:
						doc = frappe.new_doc("Email Template")
						doc.update({"name": factories.unique("Test"), "subject": "Hi", **fields})

					def save(doc=doc):
						with self.assertRaises(templates.TemplateInvalid):
							doc.save()

					self.soon(save)
					frappe.db.rollback()
					frappe.clear_messages()
		frappe.set_user("Administrator")

	def test_what_a_system_manager_writes_for_other_purposes_is_free(self):
		doc = frappe.get_doc("Email Template", factories.template())
		doc.response = "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(doc.name) }}" + "{{ doc.name }}" * 1500
		doc.save()

	def test_what_a_message_needs_is_there(self):
		for name, body in FINE.items():
			with self.subTest(name):
				template = templates.compile_template(document(body))
				for items in (1, 3):
					(text,) = templates.fill(template, [template.body], values(items))
					self.assertTrue(text)

	def test_a_message_about_sixteen_thousand_items_is_fine(self):
		row = "<tr><td>{{ item.item_name }}</td><td>{{ item.serial_no }}</td><td>{{ item.expiry_date }}</td></tr>"
		template = templates.compile_template(document(f"{{% for item in items %}}{row}{{% endfor %}}"))
		many = values(16000)
		self.soon(lambda: templates.fill(template, [template.body], many))

	def test_one_that_would_get_too_long_fails_by_itself(self):
		row = "{{ item.item_name }}" * 80
		template = templates.compile_template(document(f"{{% for item in items %}}{row}{{% endfor %}}"))
		templates.fill(template, [template.body], values(100))
		with self.assertRaises(templates.TemplateInvalid) as caught:
			templates.fill(template, [template.body], values(16000))
		self.assertIn("16000 items", str(caught.exception))

	def test_what_a_template_makes_has_an_end_even_if_its_values_have_none(self):
		template = templates.compile_template(document("{{ customer_name }}"))
		with self.assertRaises(templates.TemplateInvalid) as caught:
			templates.fill(template, [template.body], values(1) | {"customer_name": "x" * 30_000_000})
		self.assertIn("20000000 characters", str(caught.exception))

	def test_a_translation_that_fills_up_is_no_way_round(self):
		for translation in ("{:>99999}", "x" * 100000):
			with self.subTest(translation[:9]):
				template = templates.compile_template(document("{{ _('Dear {}').format(days_left) }}"))
				made = values(1)
				with (
					self.translated("Dear {}", translation),
					self.assertRaises(templates.TemplateInvalid),
				):
					templates.fill(template, [template.body], made)

	def translated(self, text: str, translation: str):
		return patch.object(frappe, "_", lambda said, *_more: translation if said == text else said)

	def test_in_a_campaign_the_message_fails_and_says_why(self):
		name = factories.template()
		pin = factories.pin(factories.customer(), in_days(30))
		campaign = factories.campaign(email_template=name)
		# As another app could write it.
		frappe.db.set_value("Email Template", name, "response", FOR_EVER["a text that doubles"])
		self.soon(lambda: self.run_night(campaign.name))
		self.assertEqual(self.outcome_of(pin), ("Failed", "Template error"))
		(row,) = self.ledger()
		self.assertIn("takes too long", row.error)

	def test_whatever_is_written_is_refused_or_soon_done(self):
		kept = 0

		@settings(
			max_examples=400,
			deadline=None,
			database=None,
			derandomize=True,
			suppress_health_check=list(HealthCheck),
		)
		@given(SOURCES)
		def check(body):
			nonlocal kept
			began = time.monotonic()
			try:
				template = templates.compile_template(document(body))
				few = len(templates.fill(template, [template.body], values(2))[0])
				many = len(templates.fill(template, [template.body], values(300))[0])
			except templates.TemplateInvalid:
				few = many = 0
			else:
				kept += 1
				steps = template.steps
				# Escaped, a character is six.
				self.assertLessEqual(few, 6 * (steps.fixed + steps.each * 2))
				self.assertLessEqual(many, 6 * (steps.fixed + steps.each * 300))
			self.assertLess(time.monotonic() - began, SOON)

		check()
		self.assertGreater(kept, 40)

	def test_html_that_nothing_closes_is_read_as_soon_as_any_other(self):
		for piece in (
			"<!--[if",
			"<![if ",
			"<b></i>",
			"<div>",
			"<",
			"<a ",
			"b ",
			"&#123;",
			"\ufdfa",
			"{ ",
			"[ your ",
		):
			text = piece * (template_syntax.MOST_SOURCE // len(piece))
			for body in (text, f"<a {text}", piece * 9_000):
				began = time.monotonic()
				with self.subTest(piece, size=len(body)):
					with contextlib.suppress(templates.TemplateInvalid):
						templates.validate(document(body))
					self.assertLess(time.monotonic() - began, 2 * SOON)

	def test_a_message_of_too_many_elements_is_refused(self):
		templates.validate(document("<p>Hello</p>" * (template_syntax.MOST_ELEMENTS // 2)))
		with self.assertRaisesRegex(templates.TemplateInvalid, "10002 tags"):
			templates.validate(document("<p>Hello</p>" * (template_syntax.MOST_ELEMENTS // 2 + 1)))

	def test_and_so_is_what_is_no_template_at_all(self):
		pieces = st.sampled_from(
			[
				*(
					"{{",
					"}}",
					"{%",
					"%}",
					"{#",
					"#}",
					"(",
					")",
					"[",
					"]",
					"'",
					'"',
					"|",
					".",
					",",
					"-",
					"~",
					"*",
				),
				*(
					"if ",
					"for ",
					"in ",
					"endfor ",
					"endif ",
					"items",
					"9" * 50,
					" ",
					"\n",
					"not ",
					"raw ",
					"\u200b",
				),
			]
		)

		@settings(max_examples=300, deadline=None, database=None, derandomize=True)
		@given(st.lists(pieces, max_size=60), st.integers(1, 200))
		def check(parts, times):
			def compiled():
				try:
					templates.compile_template(document("".join(parts) * times))
				except templates.TemplateInvalid as e:
					self.assertTrue(str(e))

			self.soon(compiled)

		check()


# What is written as it should be, so that most of it is let pass ...
LISTS = st.sampled_from(
	[
		*(
			"items",
			"items[:2]",
			"items | sort(attribute='expiry_date')",
			"items | reverse | list",
			"one.list",
		),
		*("items | selectattr('days_left', '>', 2) | list", "items | groupby('item_name')", "[1, 2, 3]"),
		"items | groupby('serial_no')",
	]
)


def _longer(texts):
	pairs = st.tuples(texts, texts)
	return st.one_of(
		pairs.map(lambda made: f"({made[0]} ~ {made[1]})"),
		pairs.map(lambda made: f"({made[0]} + {made[1]})"),
		pairs.map(lambda made: f"([{made[0]}, {made[1]}, 'x'] | join({made[1]}))"),
		pairs.map(lambda made: f"({made[0]} | replace('', {made[1]}))"),
		pairs.map(lambda made: f"{made[0]}.replace('a', {made[1]})"),
		pairs.map(lambda made: f"({made[0]} if days_left > 2 else {made[1]})"),
		pairs.map(lambda made: f"'{{0}}{{0}}{{1:>99}}'.format({made[0]}, {made[1]})"),
		pairs.map(lambda made: f"({made[0]}.split('a') | join({made[1]}))"),
		pairs.map(lambda made: f"({made[0]} or {made[1]})"),
		texts.map(lambda made: f"({made} | urlencode | upper | e)"),
		texts.map(lambda made: f"({made} | truncate(5) | title)"),
		st.tuples(LISTS, texts).map(
			lambda made: f"({made[0]} | map(attribute='item_name') | join({made[1]}))"
		),
	)


TEXTS = st.recursive(
	st.sampled_from(["customer_name", "'ab'", "''", "item_name", "a", "b", "one.item_name", "days_left"]),
	_longer,
	max_leaves=4,
)

# ... and what is not.
CONSTANTS = st.sampled_from(["'ab'", "''", "3", "1.5", "-1", "true", "none", "[1, 2, 3]", "999999"])
NAMES = st.sampled_from(
	[
		"items",
		"customer_name",
		"days_left",
		"expiry_date",
		"company",
		"a",
		"b",
		"one",
		"one.item_name",
		"a.list",
	]
)
FILTERS = st.sampled_from(
	[
		*sorted(template_syntax.FILTERS),
		*("map(attribute='item_name')", "groupby('item_name')", "sort(attribute='days_left')", "join('xx')"),
		*("join(', ', attribute='serial_no')", "replace('', 'xyz')", "selectattr('days_left')", "tojson"),
		*("replace('a', customer_name)", "center(99)", "slice(99)", "batch(9)", "wordwrap(1)"),
	]
)
TAILS = st.sampled_from(
	[
		*(".upper()", ".split('')", ".split('a')", ".replace('', 'abc')", "[0]", "[:2]", ".list", ".grouper"),
		*(
			".format(a)",
			".serial_no",
			".join(items)",
			"['days_left']",
			".to_bytes(9)",
			".index",
			".__class__",
		),
	]
)
OPERATORS = st.sampled_from(["~", "+", "*", "-", "/", "//", "%", "**", "and", "or", "<", "==", "in"])


def _bigger(expressions):
	pairs = st.tuples(expressions, expressions)
	return st.one_of(
		st.tuples(expressions, OPERATORS, expressions).map(lambda made: f"({' '.join(made)})"),
		st.tuples(expressions, FILTERS).map(lambda made: f"({made[0]} | {made[1]})"),
		st.tuples(expressions, TAILS).map("".join),
		pairs.map(lambda made: f"[{made[0]}, {made[1]}]"),
		pairs.map(lambda made: f"({made[0]} if {made[1]} else {made[0]})"),
	)


ANYTHING = st.recursive(NAMES | CONSTANTS, _bigger, max_leaves=6)
EXPRESSIONS = st.one_of(TEXTS, TEXTS, TEXTS, ANYTHING)


def _blocks(statements):
	body = st.lists(statements, min_size=1, max_size=3).map("".join)
	return st.one_of(
		st.tuples(LISTS, body).map(lambda made: f"{{% for one in {made[0]} %}}{made[1]}{{% endfor %}}"),
		st.tuples(ANYTHING, body).map(lambda made: f"{{% for a, b in {made[0]} %}}{made[1]}{{% endfor %}}"),
		st.tuples(EXPRESSIONS, body, body).map(
			lambda made: f"{{% if {made[0]} %}}{made[1]}{{% else %}}{made[2]}{{% endif %}}"
		),
		body.map(lambda made: f"{{% set a %}}{made}{{% endset %}}"),
		st.tuples(EXPRESSIONS, body).map(lambda made: f"{{% with b = {made[0]} %}}{made[1]}{{% endwith %}}"),
	)


STATEMENTS = st.recursive(
	st.one_of(
		EXPRESSIONS.map(lambda made: f"{{{{ {made} }}}}"),
		st.tuples(st.sampled_from("ab"), EXPRESSIONS).map(lambda made: f"{{% set {made[0]} = {made[1]} %}}"),
		st.sampled_from(["{% set a = a ~ a %}", "{% set b = b ~ a %}{{ b }}", "x", "{{ one.item_name }}"]),
	),
	_blocks,
	max_leaves=6,
)
SOURCES = st.lists(STATEMENTS, min_size=1, max_size=5).map(
	lambda made: "{% set a = customer_name %}{% set b = 'b' %}{% set one = items[0] %}" + "".join(made)
)
