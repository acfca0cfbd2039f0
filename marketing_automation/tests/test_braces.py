"""No customer reads braces that should have been filled in; what other tools would fill in is pointed out."""

import frappe

from marketing_automation.channels.texts import templates
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, mail_parts, mail_subject
from marketing_automation.tests.factories import in_days

BROKEN = (
	"{<strong>{ customer_name }</strong>}",
	"{<b>{ customer_name }}</b>",
	"{customer_name}",
	"{ customer_name }",
	"{item.item_name}",
	"{ {customer_name} }",
	"{&nbsp;{ customer_name }&nbsp;}",
	"{ { customer_name } }",
	"{{{ customer_name }}}",
	"{ {{ customer_name }} }",
	"&#123;&#123; customer_name &#125;&#125;",
	"&lbrace;&lcub; customer_name &rcub;}",
	"&amp;#123;&amp;#123; customer_name &amp;#125;&amp;#125;",
	"{\u200b{ customer_name }\u200b}",
	"{\u2060{ customer_name }\u2060}",
	"{<!-- x -->{ customer_name }}",
	"｛｛ customer_name ｝｝",
	"{｛ customer_name }｝",
	"\\{\\{ customer_name \\}\\}",
	"{ % if days_left % }x{ % endif % }",
	"${customer_name}",
	"#{customer_name}",
	"{$customer_name}",
	"[customer_name]",
	"[[customer_name]]",
	"%customer_name%",
	"*|CUSTOMER_NAME|*",
	"&lt;&lt;customer_name&gt;&gt;",
	"<customer_name>",
	"{{ '{{ customer_name }}' }}",
	"{{ '{' }}{ customer_name }}",
	"{% raw %}{{ customer_name }}{% endraw %}",
	'<a href="https://shop.example/?n=%7B%7Bcustomer_name%7D%7D">Renew</a>',
	'<a href="https://shop.example/?n=%7Bcustomer_name%7D">Renew</a>',
	'<a href="https://shop.example/?u=https%3A%2F%2Fx.example%2F%257B%257Bcustomer_name%257D%257D">Renew</a>',
	'<a href="https://shop.example/?n={customer_name}">Renew</a>',
	'<img src="https://shop.example/a.png" alt="{customer_name}">',
	"customer_name }}",
)
OTHER_TOOLS = (
	"[[name]]",
	"*|FNAME|*",
	"${name}",
	"#{name}",
	"%NAME%",
	"%%first_name%%",
	"&lt;&lt;name&gt;&gt;",
	"<<name>>",
	"{first_name}",
	"{!Contact.Name}",
	"[First Name]",
	"[FIRSTNAME]",
	"[company]",
	"<%= name %>",
	"@@name@@",
	"{!! name !!}",
	"%%=v(@name)=%%",
	"[% name %]",
	"%recipient.name%",
	"##name##",
	"$NAME$",
	"|FNAME|",
	"[subscriber:firstname]",
	'<a href="https://shop.example/?n=%FIRSTNAME%">Renew</a>',
	'<a href="https://shop.example/?n=*|EMAIL|*">Renew</a>',
	"[fname]",
	"[name]",
	"[Nombre]",
	"[Vorname]",
	"[@name]",
	"[firstName]",
	"[first-name]",
	"[email]",
	"{First Name}",
	"{first-name}",
	"{name, there}",
	"{user:name}",
	"{?name}",
	"{0}",
	":name",
	":first_name",
	"$name",
	"$(name)",
	"$email$",
	"#name#",
	"@name@",
	"~name~",
	"|name|",
	"«name»",
	"&laquo;First Name&raquo;",
	"&lt;name&gt;",
	"<first name>",
	"<?php echo $name ?>",
	"<?= $name ?>",
	"%s",
	"%1$s",
	"%first-name%",
)
FINE = (
	"<style>p {color:red} @media print {p {color: blue}}</style>",
	"<style>@media print{#header{display:none}}</style>",
	"<p style='color: red'>{color: red}</p>",
	"100 % {1, 2} {a, b} [1] (x) {50%}",
	"{{ company }}{# a comment {customer_name} #}",
	"{% set a = [1, 2] %}{{ a | length }}",
	"20% off, and 30% more",
	'<a href="https://shop.example/?n={{ customer_name | urlencode }}&amp;m=%C3%AB%20%7e">Renew</a>',
	"<!--[if mso]><table><tr><td><![endif]-->Hi<!--[if mso]></td></tr></table><![endif]-->",
	"a_b __init__.py snake_case",
	"[sic] [optional] [1] [...] see [here] [x] [ ] [-] {} [Unsubscribe] [Ver en línea]",
	"Your name: Ana. Mail: ana@shop.example, e-mail:ana@shop.example, (name), name|email|phone",
	"«nombre propio» dijo: «sí» #hashtag #name @ana :) :-D :p 12:30 a:b AT&T &lt;3 a &lt; b > c",
	"$20 $20.00 US$50 R$ 10 $1,000 100 % 20% de descuento 20%, 30% 50%off",
	"<b>Name</b> <i>nombre</i> Ana &lt;ana@shop.example&gt; item-name !!! Sale !!! ~10 days~",
	'<a href="mailto:name@shop.example">Mail</a> <a href="https://shop.example/:name/@email/">x</a>',
	"<p>Name</p>:<p>email</p>",
)


def document(body: str, subject: str = "Hi") -> dict:
	return frappe._dict(name="Test", subject=subject, use_html=1, response_html=f"<p>Dear Ana</p>{body}")


class TestBraces(MarketingTestCase):
	def test_what_is_broken_of_ours_is_refused(self):
		for body in BROKEN:
			with self.subTest(body), self.assertRaises(templates.TemplateInvalid) as caught:
				templates.validate(document(body))
			self.assertIn("Test", str(caught.exception))

	def test_in_a_subject_too(self):
		for subject in BROKEN:
			if not subject.startswith(("<", "{<")):
				with self.subTest(subject), self.assertRaises(templates.TemplateInvalid):
					templates.validate(document("", subject))

	def test_the_name_of_a_variable_without_braces_is_pointed_out(self):
		for doc in (document("<p>Hello customer_name, hello</p>"), document("", "Hello customer_name")):
			(warning,) = templates.validate(doc)
			self.assertIn("customer_name", warning)

	def test_the_refusal_shows_what_a_customer_would_read_and_what_to_write(self):
		with self.assertRaises(templates.TemplateInvalid) as caught:
			templates.validate(document("{<strong>{ customer_name }</strong>}"))
		self.assertIn("{{ customer_name }}", str(caught.exception))
		self.assertIn("two braces on each side", str(caught.exception))

	def test_other_tools_marks_are_pointed_out(self):
		for mark in OTHER_TOOLS:
			for doc in (document(mark), *([] if "<" in mark else [document("", mark)])):
				with self.subTest(mark, subject=doc.subject):
					(warning,) = templates.validate(doc)
					self.assertIn("as it stands", warning)

	def test_what_only_looks_like_it_is_fine(self):
		for body in FINE:
			with self.subTest(body):
				self.assertEqual(templates.validate(document(body)), [])

	def test_a_marketer_is_told_when_saving(self):
		name = factories.template()
		factories.campaign(email_template=name)
		doc = frappe.get_doc("Email Template", name)
		doc.response = "<p>Dear {<strong>{ customer_name }</strong>}</p>"
		with self.refused("customers would read", "{{ customer_name }}"):
			doc.save()
		doc = frappe.get_doc("Email Template", name)
		doc.response = "<p>Dear *|FNAME|*</p>"
		doc.save()
		self.assertIn("*|FNAME|*", str(frappe.get_message_log()))

	def test_a_customer_whose_name_has_braces_gets_their_mail(self):
		for name in ("{{ customer_name }}", "{Ana}", "*|FNAME|* ${x} [[y]]"):
			with self.subTest(name):
				self._reset()
				customer = factories.customer()
				frappe.db.set_value("Customer", customer, "customer_name", name)
				pin = factories.pin(customer, in_days(30))
				factories.campaign(
					email_template=factories.template(
						subject="For {{ customer_name }}", response="<p>Dear {{ customer_name }}</p>"
					)
				)
				self.run_night()
				self.assertEqual(self.outcome_of(pin)[0], "Queued")
				(mail,) = self.mails()
				self.assertEqual(mail_subject(mail), f"For {name}")
				self.assertIn(name, mail_parts(mail)[1].replace("&amp;", "&"))
