"""Nobody gets a mail in which there is nothing to read: it fails, with the reason; and who writes it hears of it before."""

import frappe

from marketing_automation import api
from marketing_automation.channels.texts import templates
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days

BLANK = (
	"",
	"<p>&nbsp;</p>",
	"<p>\u200b</p>",
	"<p>&#8203;&zwnj;&shy;&#847;</p>",
	"<p>\u2800\u3164</p>",
	"<style>p { color: red }</style><p><br></p>",
	"<!-- Hello -->",
	"<script>1</script>",
	"<title>Hello</title>",
	"<div style='display: none'>Hello</div>",
	"<div style='font-size:0'>Hello</div>",
	"<div style='font-size: 0px !important'>Hello</div>",
	"<div style='display : none'>Hello</div>",
	"<div style='opacity:0'>Hello</div>",
	"<div style='max-height:0; overflow:hidden'>Hello</div>",
	"<div style='height: 0px; overflow: hidden'>Hello</div>",
	"<!--[if mso]>Hello<![endif]-->",
	"<p hidden>Hello</p>",
	"<table><tr><td></td></tr></table><hr>",
	"<img src='https://shop.example/pixel.gif' width='1' height='1'>",
	"<img src='https://shop.example/pixel.gif' style='width:1px; height:1px'>",
	"<img src='https://shop.example/pixel.gif' height='0'>",
	"<img alt='Hello'>",
	"{# Hello #}",
	"{% if days_left > 9999 %}Hello{% endif %}",
	"{% for item in items if item.days_left > 9999 %}Hello{% endfor %}",
	"{{ '' }}",
	"{{ company if days_left > 9999 else '' }}",
)
SAYS = (
	"<p>Hello</p>",
	"<p>.</p>",
	"<img src='https://shop.example/offer.png'>",
	"<img src='https://shop.example/offer.png' width='600' style='height:auto'>",
	"<div style='opacity:0.5; line-height:0; height:0'>Hello</div>",
	"<!--[if !mso]><!-->Hello<!--<![endif]-->",
	"<![if !mso]>Hello<![endif]>",
	"{{ customer_name }}",
	"<div style='display: none'>Hello</div>{{ customer_name }}",
	"{% for item in items %}{{ item.item_name }}{% endfor %}",
)
SUBJECTS = (
	"{{ '' }}",
	"\u200b",
	"{% if days_left > 9999 %}Hello{% endif %}",
	"&nbsp;".replace("&nbsp;", "\xa0"),
)


def document(body: str, subject: str = "Hi") -> dict:
	return frappe._dict(name="Test", subject=subject, use_html=1, response_html=body)


class TestEmptyMails(MarketingTestCase):
	def with_stored(self, **fields):
		"""Return a pin and its campaign, whose Email Template is something that was not checked."""
		template = factories.template()
		pin = factories.pin(factories.customer(), in_days(30))
		campaign = factories.campaign(email_template=template)
		frappe.db.set_value("Email Template", template, {"use_html": 1, **fields})
		return pin, campaign

	def test_a_template_that_says_nothing_is_refused(self):
		for body in BLANK:
			with self.subTest(body), self.assertRaises(templates.TemplateInvalid) as caught:
				templates.validate(document(body))
			self.assertIn("has no text", str(caught.exception))

	def test_one_that_says_something_is_not(self):
		for body in SAYS:
			with self.subTest(body):
				self.assertEqual(templates.validate(document(body)), [])

	def test_one_without_a_subject_is_refused(self):
		for subject in SUBJECTS:
			with self.subTest(subject), self.assertRaises(templates.TemplateInvalid) as caught:
				templates.validate(document("Hello", subject))
			self.assertIn("has no subject", str(caught.exception))

	def test_one_that_says_nothing_on_some_days_is_pointed_out(self):
		(warning,) = templates.validate(document("{% if days_left > 7 %}Hello{% endif %}"))
		self.assertIn("7 days before", warning)
		self.assertIn("30 days after", warning)
		self.assertNotIn("30 days before", warning)
		(warning,) = templates.validate(document("Hello", "{{ company }}"))
		self.assertIn("without a company", warning)

	def test_one_that_some_days_break_is_pointed_out(self):
		(warning, *_more) = templates.validate(document("Hello {{ 30 // (days_left - 365) }}"))
		self.assertIn("365 days before", warning)

	def test_at_night_it_fails_with_the_reason_and_nothing_is_sent(self):
		for body in (BLANK[1], BLANK[2], BLANK[5], BLANK[9], BLANK[16]):
			with self.subTest(body):
				self._reset()
				pin, _campaign = self.with_stored(response_html=body)
				self.run_night()
				self.assertEqual(self.outcome_of(pin), ("Failed", "Template error"))
				self.assertIn("nothing in it that a reader could see", self.ledger()[0].error)
				self.assertEqual(self.mails(), [])

	def test_nor_is_one_without_a_subject(self):
		for subject in SUBJECTS:
			with self.subTest(subject):
				self._reset()
				pin, _campaign = self.with_stored(subject=subject, response_html="Hello")
				self.run_night()
				self.assertEqual(self.outcome_of(pin), ("Failed", "Template error"))
				self.assertIn("subject of this message empty", self.ledger()[0].error)
				self.assertEqual(self.mails(), [])

	def test_looking_at_it_says_so_too(self):
		pin, campaign = self.with_stored(response_html="<p>&nbsp;</p>")
		action = frappe.db.get_value("Lifecycle Action", {"campaign": campaign.name})
		with self.refused("nothing in it that a reader could see"):
			api.mail(action, pin)

	def test_others_of_the_same_night_are_sent(self):
		self.with_stored(response_html="{% if days_left > 7 %}Hello{% endif %}")
		soon = factories.pin(factories.customer(), in_days(7))
		factories.campaign({"days_offset": 7})
		self.run_night()
		self.assertEqual({row.status for row in self.ledger()}, {"Queued"})
		self.assertEqual(self.outcome_of(soon)[0], "Queued")

	def test_whether_each_mail_has_to_be_looked_at_is_known_of_the_template(self):
		for body, says in (
			("<p style='font-size:16px'>Hello</p>{% if company %}<p style='font-size:16px'>x</p>{% endif %}", True),
			("<style>p { color: red }</style><p>Hello</p>{{ company }}", True),
			("{% if company %}Hello{% endif %}", False),
			("{% if company %}<div style='display: none'>{% endif %}Hello</div>", False),
			("{{ company }}", False),
		):  # fmt: skip
			with self.subTest(body):
				self.assertEqual(templates.compile_template(document(body)).says, says)
