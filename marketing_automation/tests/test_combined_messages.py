"""A combined message names all that it counts as sent."""

import frappe

from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, mail_parts
from marketing_automation.tests.factories import in_days

LIST = "{% for item in items %}<p>{{ item.item_name }} {{ item.serial_no }}</p>{% endfor %}"
# Each of them names all items, or so many that the marketer has chosen what to leave out.
NAMES_ALL = (
	LIST,
	LIST.replace("in items", "in pins"),
	"{{ items | map(attribute='serial_no') | join(', ') }}",
	"{% for item in items | sort(attribute='serial_no') %}{{ item.serial_no }}{% endfor %}",
	"{% for group in items | groupby('item_name') %}{{ group.list | length }} {{ group.grouper }}{% endfor %}",
	"{% if days_left < 0 %}ended{% else %}" + LIST + "{% endif %}",
	"{% for item in items[:10] %}{{ item.serial_no }} {% endfor %}{% if items | length > 10 %}...{% endif %}",
)
NAMES_ONE = (
	"<p>{{ item_name }} {{ serial_no }}</p>",
	"<p>{{ items[0].serial_no }} and {{ items[1].serial_no if items | length > 1 else '' }}</p>",
	"<p>{{ items | length }} items</p>",
	"<p>{{ (items | first).serial_no }}, {{ (items | last).serial_no }}</p>",
	"<p>Hello{# {% for item in items %}{{ item.serial_no }}{% endfor %} #}</p>",
	"<p>Hello{% for item in items %} {% endfor %}</p>",
	"<p>Hello</p><div style='display: none'>" + LIST + "</div>",
	"<p>Hello <a href='https://x.example/?n={% for item in items %}{{ item.serial_no }}{% endfor %}'>Renew</a></p>",
)


class TestCombinedMessages(MarketingTestCase):
	def test_an_action_whose_message_names_one_of_them_is_refused(self):
		for response in NAMES_ONE:
			with self.subTest(response), self.refused("does not name each of them", "for item in items"):
				factories.campaign(
					active=False, combine_messages=1, email_template=factories.template(response=response)
				)

	def test_one_that_names_all_is_not(self):
		for response in NAMES_ALL:
			with self.subTest(response):
				factories.campaign(combine_messages=1, email_template=factories.template(response=response))

	def test_in_each_language(self):
		campaign = factories.campaign(
			active=False, combine_messages=1, email_template=factories.template(response=LIST)
		)
		action = frappe.get_doc("Lifecycle Action", {"campaign": campaign.name})
		action.append("translations", {"language": "es", "email_template": factories.usual_template()})
		with self.refused(factories.usual_template(), "does not name each of them"):
			action.save()

	def test_a_campaign_that_begins_to_combine_is_asked_too(self):
		for active in (True, False):
			with self.subTest(active=active):
				campaign = factories.campaign(active=active, email_template=factories.template())
				campaign.update({"combine_messages": 1, "is_active": 1})
				with self.refused("does not name each of them", "One Message a Customer a Day"):
					campaign.save()

	def test_so_is_a_change_of_the_template(self):
		name = factories.template(response=LIST)
		factories.campaign(combine_messages=1, email_template=name)
		doc = frappe.get_doc("Email Template", name)
		doc.response = NAMES_ONE[0]
		with self.refused("does not name each of them"):
			doc.save()

	def test_where_nothing_is_combined_one_is_enough(self):
		factories.campaign(email_template=factories.template(response=NAMES_ONE[0]))

	def test_the_order_of_the_items_is_the_same_whenever_it_is_made(self):
		name = factories.template(response=LIST)
		customer = factories.customer()
		pins = sorted(factories.pins(customer, *[in_days(30)] * 5))
		factories.campaign(combine_messages=1, email_template=name)
		self.run_night()
		(mail,) = self.mails()
		text = mail_parts(mail)[0].replace("\\", "")
		self.assertEqual(sorted(pins, key=text.index), pins)
		first = min(self.ledger(), key=lambda row: row.reference_name)
		self.assertEqual(mail.message_id, f"{first.message_key}@{frappe.local.site}")
