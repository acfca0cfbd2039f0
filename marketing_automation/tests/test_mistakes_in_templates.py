"""What is wrong with a template is said in the user's own language, and what to do about it."""

import frappe

from marketing_automation.channels.texts import templates
from marketing_automation.tests.case import MarketingTestCase

# {what is written: what the refusal says, in English and in Spanish}
MISTAKES = {
	"{% if days_left %}x": ("{% endif %} where it is to end", "Escriba {% endif %}"),
	"{% for i in items %}x": ("{% endfor %} where it is to end", "Escriba {% endfor %}"),
	"{% raw %}x": ("{% endraw %} where it is to end", "Escriba {% endraw %}"),
	"{% if days_left %}x{% endfor %}": ("{% if %} is still open", "{% if %} sigue abierto"),
	"x{% endif %}": ("there is no {% if %} before it", "antes no hay ningún {% if %}"),
	"{% frobnicate %}": ("There is no {% frobnicate %}. Available: if", "No existe {% frobnicate %}"),
	"{{ customer_name": ("Write }} behind it", "Escriba }} al final"),
	"{% if days_left": ("Write %} behind it", "Escriba %} al final"),
	"{{ customer_name }": ("A tag ends with }} or %}", "termina con }} o %}"),
	"{{ company name }}": ("a name cannot stand there", "un nombre no puede estar ahí"),
	"{{ }}": ("Something is missing before }}", "Falta algo antes de }}"),
	"{{ days_left == }}": ("Something is missing before }}", "Falta algo antes de }}"),
	"{{ 'abc }}": ("A text begins with '", "Un texto empieza con '"),
	"{{ (days_left }}": ("Before } there has to be )", "Antes de } tiene que haber )"),
	"{% if days_left = 3 %}x{% endif %}": ("compared has ==", "Para comparar se escribe =="),
	"{% if company == “x” %}y{% endif %}": ("Write ' or \"", "Escriba ' o \""),
	"{% if days_left && 1 %}x{% endif %}": ("Write and", "Escriba and"),
	"{% for in items %}x{% endfor %}": ("there has to be in", "tiene que haber in"),
	"{%%}": ("Something is missing before %}", "Falta algo antes de %}"),
	"{{ items[9].serial_no }}": ("more of a list", "más de una lista"),
	"{{ customer_name[999] }}": ("more of a list", "más de una lista"),
	"{{ 1 / (days_left - 30) }}": ("It divides by zero", "Divide por cero"),
	"{{ expiry_date < 'soon' }}": ("'soon' is no date", "'soon' no es una fecha"),
	"{{ customer_name < 3 }}": ("compared with a number", "compara un texto con un número"),
	"{{ '{1}'.format(days_left) }}": ("fewer values", "menos valores"),
	"{{ '{x}'.format(days_left) }}": ("fewer values", "menos valores"),
	"{{ '{:d}'.format(customer_name) }}": ("Write {0}", "Escriba {0}"),
	"{{ (items | selectattr('days_left', '>', 9999) | first).serial_no }}": (
		"a list that is empty",
		"está vacía",
	),
	"{% for i in items %}{{ loop.previtem.serial_no }}{% endfor %}": ("loop.first", "loop.first"),
	"{{ format_date(expiry_date, 'QQQQQQ') }}": ("no way to write a date", "no es una forma"),
	"{{ customer_name.replace('a', 3) }}": ("where a text belongs", "donde va un texto"),
}


class TestMistakes(MarketingTestCase):
	def refusal(self, body: str) -> str:
		doc = frappe._dict(name="Test", subject="Hi", use_html=1, response_html=f"<p>Dear Ana</p>{body}")
		with self.assertRaises(templates.TemplateInvalid) as caught:
			templates.validate(doc)
		return str(caught.exception)

	def test_each_is_said_in_plain_words_with_what_to_do(self):
		for body, (english, _spanish) in MISTAKES.items():
			with self.subTest(body):
				said = self.refusal(body)
				self.assertIn(english, said)
				self.assertNotIn("..", said)

	def test_and_in_spanish(self):
		before, frappe.local.lang = frappe.local.lang, "es"
		try:
			for body, (_english, spanish) in MISTAKES.items():
				with self.subTest(body):
					said = self.refusal(body)
					self.assertIn(spanish, said)
					self.assertNotRegex(
						said, r"\b(unexpected|expected|Encountered|Jinja|not supported|object)\b"
					)
		finally:
			frappe.local.lang = before
