"""Whatever is put together and typed becomes a mail that can be read, or is refused in words."""

import re

import frappe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketing_automation.channels.email import own_frame
from marketing_automation.channels.texts import designed, template_text, templates
from marketing_automation.designs import compile as compiler
from marketing_automation.designs import design
from marketing_automation.designs.block import all_blocks
from marketing_automation.engine.brand import brand_of
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.test_mail_features import read

NAMES = (
	"customer_name",
	"item_name",
	"serial_no",
	"expiry_date",
	"days_left",
	"days_in_words",
	"items_count",
)
PIECES = st.one_of(
	st.sampled_from([f"{{{{ {name} }}}}" for name in NAMES]),
	st.sampled_from(
		[
			"{{ nothing }}",
			"{",
			"}}",
			"{%",
			"{#",
			"**",
			"*",
			"[a](https://b.example)",
			"- ",
			"\n\n",
			"\n",
			"<b>",
			"&amp;",
			"'",
			'"',
			"<!--",
			"-->",
			"]]>",
			"</td>",
		]
	),
	st.text(max_size=12),
)
TEXTS = st.lists(PIECES, min_size=1, max_size=6).map("".join)
LEAVES = ("heading", "text", "button", "picture", "items", "item", "quote", "divider", "space", "logo")
TESTS = st.fixed_dictionaries(
	{
		"name": st.sampled_from(["days_left", "customer_name", "items_count", "expiry_date", "nothing"]),
		"is": st.sampled_from(["under", "equal", "filled", "contains", "sideways"]),
		"value": st.one_of(st.integers(-9, 99).map(str), TEXTS),
	}
)
ONLY = st.fixed_dictionaries(
	{"all": st.integers(0, 1), "if": st.lists(TESTS, max_size=2), "languages": st.just([])}
)


@st.composite
def designs(draw) -> dict:
	"""Draw a design, with texts for all that has any."""
	blocks, texts = [], {"subject": draw(TEXTS), "preheader": draw(TEXTS)}
	kinds = all_blocks()

	def leaf():
		block = {"id": f"b{draw(st.integers(0, 10**6))}", "type": draw(st.sampled_from(LEAVES))}
		for field in kinds[block["type"]].fields():
			if field.of_language:
				texts[f"{block['id']}.{field.name}"] = draw(TEXTS)
			elif field.kind == "choice":
				block[field.name] = draw(st.sampled_from([value for value, _label in field.options]))
			elif field.kind == "number":
				block[field.name] = draw(st.integers(-10, 5000))
			else:
				block[field.name] = draw(st.sampled_from(["/files/a.png", "https://a.example/b.png", ""]))
		if draw(st.booleans()):
			block["only"] = draw(ONLY)
		return block

	for _number in range(draw(st.integers(0, 5))):
		if draw(st.integers(0, 4)):
			blocks.append(leaf())
		else:
			blocks.append({"type": "columns", "columns": [[leaf()], [leaf(), leaf()]]})
	if draw(st.booleans()):
		blocks.append({"type": "foot", "only": draw(ONLY)})
	return {"blocks": blocks, "texts": {"en": texts}}


class TestDesignProperties(MarketingTestCase):
	@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
	@given(designs())
	def test_any_design(self, data):
		try:
			found = design.read(data, all_blocks())
			made = compiler.compiled(found, "en", templates.PINS)
		except design.DesignInvalid as e:
			self.assertTrue(str(e))
			return
		brand = brand_of(None)
		doc = frappe._dict(
			name="Test", subject=made.subject, use_html=1, response_html=designed.branded(made.html, brand)
		)
		# Whatever was typed, it is source that the sandbox takes: there is no tag in it but ours.
		template = templates.compile_template(doc)
		self.assertEqual(made.html.count(designed.WAY_OUT), 1)
		for items in (1, 3):
			values = templates.for_reader(templates.example_context(items, 5), "en")
			subject, html = templates.fill(template, [template.subject, template.body], values)
			plain = own_frame.tidy(
				templates.SUBJECT.from_string(designed.branded_text(made.text, brand)).render(values)
			)
			read(html)
			self.assertNotIn("\ue001", html + plain + subject)
			self.assertIsNone(re.search("[\ue002\ue003]", html + plain))
			self.assertNotIn("\n\n\n", plain)
			seen = "".join(template_text.visible(html).split())
			for node in found.nodes():
				key = f"{node.id}.text"
				if (
					node.type == "text"
					and not node.only
					and "{{ customer_name }}" in found.texts["en"].get(key, "")
				):
					self.assertIn("Ana", seen)
					self.assertIn("Ana", plain)
