"""Designs: what is put together becomes one mail, and nothing that somebody typed becomes code."""

import re

from marketing_automation.channels.texts import designed, templates
from marketing_automation.designs import compile as compiler
from marketing_automation.designs.block import all_blocks
from marketing_automation.designs.design import read
from marketing_automation.engine.brand import brand_of
from marketing_automation.tests.case import MarketingTestCase

DESIGN = {
	"blocks": [
		{"id": "a", "type": "logo"},
		{"id": "b", "type": "heading", "look": "band"},
		{"id": "c", "type": "text", "only": {"if": [{"name": "days_left", "is": "under", "value": 7}]}},
		{"id": "d", "type": "items"},
		{"id": "e", "type": "button", "to": "address"},
		{"id": "f", "type": "columns", "columns": [[{"id": "g", "type": "text"}], [{"id": "h", "type": "button"}]]},
		{"id": "i", "type": "divider"},
		{"id": "j", "type": "quote"},
		{"id": "k", "type": "item"},
		{"id": "l", "type": "picture", "file": "/files/x.png"},
		{"id": "m", "type": "space"},
	],
	"texts": {
		"en": {
			"subject": "{{ item_name }} {{ days_in_words }}",
			"preheader": "Before {{ expiry_date }}",
			"b.text": "Time to renew",
			"c.text": "Dear {{ customer_name }},\n\n**soon** <b>it</b> ends {{ days_in_words }}. [See](https://a.example/?n={{ serial_no }})\n\n- one\n- two",
			"d.title": "{{ item_name }}",
			"d.value": "{{ expiry_date }}",
			"d.label": "Ends on",
			"e.text": "Renew",
			"e.address": "https://a.example/{{ serial_no }}",
			"g.text": "Left",
			"h.text": "Visit us",
			"j.text": "Very good",
			"j.who": "Ana",
			"k.title": "{{ item_name }}",
			"l.alt": "A lamp",
			"foot1.text": "You are our customer.",
		}
	},
}


class TestDesigns(MarketingTestCase):
	def test_look(self):
		design = read(DESIGN, all_blocks())
		made = compiler.compiled(design, "en", templates.PINS)
		html = designed.branded(made.html, brand_of(None))
		open("/tmp/x.html", "w").write(html)
		doc = type("D", (), {"name": "T", "subject": made.subject, "use_html": 1, "response_html": html, "response": ""})()
		import frappe
		doc = frappe._dict(name="T", subject=made.subject, use_html=1, response_html=html)
		print(templates.validate(doc))
		t = templates.compile_template(doc)
		vals = templates.for_reader(templates.example_context(2, 5), "en")
		s, b = templates.fill(t, [t.subject, t.body], vals)
		open("/tmp/y.html", "w").write(b)
		print(s, len(b), t.says, t.steps)
		text = templates.SUBJECT.from_string(designed.branded_text(made.text, brand_of(None))).render(vals)
		print(text)
		import time
		from email.quoprimime import body_encode
		a = time.perf_counter()
		for i in range(50): body_encode(b.encode().decode("latin-1"))
		print("qp ms", (time.perf_counter()-a)*20)
		a = time.perf_counter()
		for i in range(50): t.body(vals)
		print("fill ms", (time.perf_counter()-a)*20)
		a = time.perf_counter()
		for i in range(10): compiler.compiled(design, "en", templates.PINS)
		print("compile ms", (time.perf_counter()-a)*100)
