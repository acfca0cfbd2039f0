"""What counts of an Email Template is what is stored: Frappe changes rich text after it was checked."""

import frappe

from marketing_automation.channels.texts import templates
from marketing_automation.desk import health
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, mail_parts, mail_subject
from marketing_automation.tests.factories import in_days

ROWS = (
	"<table><tbody>{% for item in items %}<tr><td>{{ item.item_name }}</td></tr>{% endfor %}</tbody></table>"
)


class TestWhatIsStored(MarketingTestCase):
	def template_of_a_campaign(self, **fields):
		name = factories.template(**fields)
		return name, factories.campaign(email_template=name)

	def test_a_loop_that_frappe_breaks_when_it_stores_it_is_refused(self):
		name, _campaign = self.template_of_a_campaign()
		doc = frappe.get_doc("Email Template", name)
		doc.response = f"<p>Hi</p>{ROWS}"
		# No text stands between the rows of a table: Frappe puts it before the table.
		with self.refused(name, "Tick Use HTML"):
			doc.save()
		self.assertNotIn("<table>", frappe.db.get_value("Email Template", name, "response"))

	def test_and_a_campaign_with_one_cannot_be_activated(self):
		name = factories.template()
		campaign = factories.campaign(active=False, email_template=name)
		frappe.db.set_value("Email Template", name, "response", "<p>{% for item in items %}</p>")
		campaign.is_active = 1
		with self.refused(name, "mistake"):
			campaign.save()

	def test_the_bar_names_campaign_and_template(self):
		name, campaign = self.template_of_a_campaign()
		self.assertEqual(self.of_templates(campaign), [])
		frappe.db.set_value("Email Template", name, "response", "<p>{% for item in items %}</p>")
		(problem,) = self.of_templates(campaign)
		self.assertEqual(problem["level"], "red")
		self.assertIn(campaign.name, problem["text"])
		self.assertIn(name, problem["text"])
		frappe.db.set_value("Email Template", name, "response", "<p>Hi</p>")
		self.assertEqual(self.of_templates(campaign), [])

	def test_the_bar_knows_a_template_that_is_gone_and_one_of_another_language(self):
		name, campaign = self.template_of_a_campaign()
		spanish = factories.template()
		action = frappe.get_doc("Lifecycle Action", {"campaign": campaign.name})
		action.append("translations", {"language": "es", "email_template": spanish})
		action.save()
		frappe.db.set_value("Email Template", spanish, "response", "{{ nombre }}")
		frappe.db.delete("Email Template", name)
		texts = " ".join(problem["text"] for problem in self.of_templates(campaign))
		self.assertIn("nombre", texts)
		self.assertIn(f"{name} does not exist", texts)

	def test_the_bar_says_nothing_of_what_is_switched_off(self):
		name, campaign = self.template_of_a_campaign()
		frappe.db.set_value("Email Template", name, "response", "{{ nombre }}")
		frappe.db.set_value("Lifecycle Action", {"campaign": campaign.name}, "enabled", 0)
		self.assertEqual(self.of_templates(campaign), [])

	def of_templates(self, campaign) -> list[dict]:
		return [one for one in health.problems([campaign]) if "Email Template" in one["text"]]


class TestAsTyped(MarketingTestCase):
	"""What a marketer types into the rich text editor arrives as HTML, also within a tag."""

	TYPED = (
		("<p>{% if days_left &lt; 31 %}soon{% endif %}</p>", "soon"),
		("<p>{% if days_left &lt;= 30 %}soon{% endif %}</p>", "soon"),
		("<p>{% if 3&lt;days_left %}soon{% endif %}</p>", "soon"),
		("<p>{% if 3 &lt;days_left and company&gt;'' %}soon{% endif %}</p>", "soon"),
		("<p>{%&nbsp;if days_left&nbsp;&gt;&nbsp;3 and days_left &lt; 99&nbsp;%}soon{%&nbsp;endif&nbsp;%}</p>", "soon"),
		("<p>{% if days_left == 30 and company != &quot;x&quot; %}soon{% endif %}</p>", "soon"),
		("<p>{{ <strong>item_name</strong> }}</p>", "TEST-PIN subscription"),
		("<p>{{ <span style=\"color: red\">item_name</span>&nbsp;}}</p>", "TEST-PIN subscription"),
		("<p>{{ item_<b>name</b> }}</p>", "TEST-PIN subscription"),
		("<p>{{\u200bitem_name\ufeff}}</p>", "TEST-PIN subscription"),
		("<p>{{ 'a &lt; b' if days_left &lt; 99 else '' }}</p>", "a < b"),
		("<p>{{ “a – b” if days_left &le; 30 and company ≠ ‘x’ else ”” }}</p>", "a – b"),
	)  # fmt: skip

	def test_it_renders_as_it_was_typed_after_each_save(self):
		for typed, reads in self.TYPED:
			with self.subTest(typed):
				self._reset()
				name = factories.template(response="<p>Hi</p>")
				factories.campaign(email_template=name)
				for _turn in range(2):
					doc = frappe.get_doc("Email Template", name)
					if not _turn:
						doc.response = typed
					doc.save()
				factories.pin(factories.customer(), in_days(30))
				self.run_night()
				text, _html = mail_parts(self.mails()[0])
				self.assertIn(reads, text.replace("\\", ""))

	def test_it_does_so_too_where_it_is_pasted_into_html(self):
		name = factories.template(response="<p>Hi</p>")
		factories.campaign(email_template=name)
		for typed, reads in self.TYPED:
			with self.subTest(typed):
				doc = frappe.get_doc("Email Template", name)
				doc.update({"use_html": 1, "response_html": typed})
				doc.save()
				template = templates.compile_template(templates.documents({name})[0])
				seen = templates.for_reader(templates.example_context(1, 30), "en") | {"item_name": reads}
				self.assertIn(reads, template.body(seen).replace("&lt;", "<"))

	def test_also_in_a_new_template(self):
		for typed, _reads in self.TYPED:
			with self.subTest(typed):
				factories.template(response=typed)

	def test_a_subject_with_a_condition_is_stored_as_html_and_read_as_typed(self):
		name = factories.template()
		factories.campaign(email_template=name)
		for _turn in range(3):
			doc = frappe.get_doc("Email Template", name)
			if not _turn:
				doc.subject = "{% if days_left < 31 %}A & B < C{% endif %} {{ item_name }}"
			doc.save()
		factories.pin(factories.customer(), in_days(30))
		self.run_night()
		self.assertEqual(mail_subject(self.mails()[0]), "A & B < C TEST-PIN subscription")

	def test_text_stays_text(self):
		source = templates.source(
			frappe._dict(
				use_html=0, response="<p>&#123;&#123; a &lt; b }} {{ 'a' }} &lt;b&gt; {# &lt; #}</p>"
			)
		)
		self.assertEqual(source, "<p>&#123;&#123; a &lt; b }} {{ 'a' }} &lt;b&gt; {# &lt; #}</p>")

	def test_a_stylesheet_with_an_id_in_a_block(self):
		for style in (
			"<style>@media print{#header{display:none}}</style>",
			"<style>@media print{#a, #b{display:none}#c{x:y}} .d{#e{color:#fff}}</style>",
		):
			with self.subTest(style):
				self._reset()
				name = factories.template(use_html=1, response_html=f"{style}<p>{{# not seen #}}Hi</p>")
				stored = frappe.db.get_value("Email Template", name, "response_html")
				self.assertIn("{# not seen #}", stored)
				factories.campaign(email_template=name)
				factories.pin(factories.customer(), in_days(30))
				self.run_night()
				_text, html = mail_parts(self.mails()[0])
				self.assertIn("Hi", html)
				self.assertNotIn("not seen", html)

	def test_a_comment_that_does_not_end_is_explained(self):
		name = factories.template()
		factories.campaign(email_template=name)
		doc = frappe.get_doc("Email Template", name)
		doc.response = "<p>Ticket {#123}</p>"
		with self.refused("a comment begins with {#"):
			doc.save()

	def test_what_a_system_manager_wrote_for_other_purposes_is_left_as_it_is(self):
		source = "<p>{{ doc.name | replace('a', '&lt;b&gt;') }} {{ doc.items }}</p>"
		name = factories.template(response=source)
		self.assertEqual(frappe.db.get_value("Email Template", name, "response"), source)
