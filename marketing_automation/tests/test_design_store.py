"""A design writes Email Templates, knows when they were changed by hand, and loses nobody's work."""

import json

import frappe
from frappe.model.base_document import get_controller

from marketing_automation import api
from marketing_automation.channels.email import channel
from marketing_automation.channels.texts import designed
from marketing_automation.designs import store
from marketing_automation.lifecycle import Row
from marketing_automation.tests import designs as examples
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, mail_parts, mail_subject, statements
from marketing_automation.tests.factories import in_days


class TestDesignStore(MarketingTestCase):
	def test_it_writes_a_template_for_each_language(self):
		doc = examples.designed(examples.everything("en", "es"))
		self.assertEqual(doc.version, 1)
		for language, word in (("en", "Time to renew"), ("es", "Hora de renovar")):
			template = frappe.get_doc("Email Template", examples.template_of(doc, language))
			self.assertTrue(template.use_html)
			self.assertIn(word, template.response_html)
			self.assertNotIn("\ue001", template.response_html)

	def test_marketers_put_a_design_to_use_and_others_do_not(self):
		with examples.asked_by(factories.user("Marketing User")):
			doc = examples.designed()
			self.assertTrue(
				frappe.db.exists("Lifecycle Template", {"email_template": examples.template_of(doc)})
			)
			doc.design = json.dumps(examples.small("Other"))
			doc.save()
			store.publish(doc)
			self.assertEqual(doc.version, 2)
		with examples.asked_by(factories.user("Sales User")), self.assertRaises(frappe.PermissionError):
			examples.designed()

	def test_a_language_that_lacks_texts_is_left_as_it_was(self):
		data = examples.everything("en", "es")
		del data["texts"]["es"]["b.text"]
		doc = store.new(factories.unique("Test"), data)
		self.assertEqual(store.publish(doc), {"written": ["en"], "missing": {"es": 1}})
		self.assertEqual([row.language for row in doc.templates], ["en"])
		del data["texts"]["en"]["b.text"]
		with self.assertRaisesRegex(frappe.ValidationError, "all its texts"):
			store.publish(store.new(factories.unique("Test"), data))

	def test_what_was_changed_by_hand_is_not_written_over(self):
		doc = examples.designed()
		template = examples.template_of(doc)
		examples.change_by_hand(template, "Time to renew", "By hand")
		self.assertEqual(store.changed_by_hand(doc), [template])
		with self.assertRaises(store.ChangedByHand) as raised:
			store.publish(doc)
		self.assertEqual(raised.exception.templates, [template])
		self.assertIn("By hand", frappe.db.get_value("Email Template", template, "response_html"))
		store.publish(doc, overwrite=[template])
		self.assertNotIn("By hand", frappe.db.get_value("Email Template", template, "response_html"))
		kept = json.loads(
			frappe.db.get_value(store.VERSION, {"message_design": doc.name, "version": 2}, "written")
		)
		self.assertIn("By hand", kept["by_hand"][template]["html"])

	def test_a_template_written_by_hand_is_taken_over_without_a_loss(self):
		source = "<h1>Hi {{ customer_name }}</h1>{% if days_left < 7 %}<p>Soon</p>{% endif %}"
		template = factories.template(
			subject="{% if days_left %}{{ item_name }}{% else %}Today{% endif %}",
			use_html=1,
			response_html=source,
		)
		before = frappe.db.get_value("Email Template", template, "response_html")
		doc = store.take_over({"en": template}, factories.unique("Test"))
		self.assertEqual(frappe.db.get_value("Email Template", template, "response_html"), before)
		store.publish(doc)
		after = frappe.get_doc("Email Template", template)
		self.assertIn("{% if days_left < 7 %}<p>Soon</p>{% endif %}", after.response_html)
		self.assertEqual(after.subject, "{% if days_left %}{{ item_name }}{% else %}Today{% endif %}")

	def test_versions_stay_as_they_are(self):
		doc = examples.designed(examples.small("In May"))
		(version,) = store.versions(doc.name)
		with self.assertRaises(frappe.PermissionError):
			frappe.get_doc(store.VERSION, version.name).update({"changes": "x"}).save(ignore_permissions=True)
		with self.assertRaises(frappe.PermissionError):
			frappe.delete_doc(store.VERSION, version.name, ignore_permissions=True)

	def test_what_was_sent_can_be_looked_at_as_it_was(self):
		doc = examples.designed(examples.small("In May"))
		template, in_may = examples.template_of(doc), frappe.utils.now_datetime()
		in_june = frappe.utils.add_to_date(in_may, days=30)
		examples.changed(doc, lambda data: data["texts"]["en"].update({"t.text": "In June"}))
		with self.at(in_june.isoformat()):
			store.publish(doc)
		self.assertIn("In May", store.as_it_was(template, in_may)["html"])
		self.assertIn("In June", store.as_it_was(template, frappe.utils.add_days(in_june, 1))["html"])
		self.assertIsNone(store.as_it_was(template, frappe.utils.add_days(in_may, -1)))

	def test_the_version_says_what_changed(self):
		doc = examples.designed(examples.small("Before"))
		examples.changed(doc, lambda data: data["texts"]["en"].update({"t.text": "After"}))
		self.assertTrue(doc.is_changed)
		store.publish(doc)
		self.assertFalse(doc.is_changed)
		self.assertIn("“Before” → “After”", store.versions(doc.name)[0].changes)

	def test_a_save_by_the_api_changes_nothing_that_was_written(self):
		doc = examples.designed()
		doc.update({"version": 9, "published_at": None})
		doc.templates[0].html = "<p>{{ frappe.db }}</p>"
		doc.save()
		doc.reload()
		self.assertEqual(doc.version, 1)
		self.assertNotIn("frappe.db", doc.templates[0].html)

	def test_a_row_of_what_was_written_is_not_changed_by_itself(self):
		doc = examples.designed()
		row = frappe.get_doc("Lifecycle Design Template", doc.templates[0].name)
		row.html = "<p>Not of this design</p>"
		with self.refused("is a part of", error=frappe.PermissionError):
			row.save()
		with self.refused("is a part of", error=frappe.PermissionError):
			frappe.delete_doc("Lifecycle Design Template", row.name, ignore_permissions=True)
		doc.reload()
		self.assertNotIn("Not of this design", doc.templates[0].html)

	def test_every_table_of_ours_changes_with_its_document_alone(self):
		tables = frappe.get_all(
			"DocType", {"module": "Marketing Automation", "istable": 1}, pluck="name", order_by="name asc"
		)
		self.assertIn("Lifecycle Hold", tables)
		for doctype in tables:
			with self.subTest(doctype):
				self.assertTrue(issubclass(get_controller(doctype), Row))

	def test_a_copy_of_a_campaign_has_designs_of_its_own(self):
		campaign = api.make_from_recipe("subscription_renewal", factories.unique("Test"), "30, 7", "en")
		copy = api.duplicate(campaign, factories.unique("Test"))
		actions = frappe.get_all("Lifecycle Action", {"campaign": copy}, ["name", "email_template"])
		self.assertEqual(len(actions), 2)
		for action in actions:
			doc = frappe.get_doc(store.DOCTYPE, store.design_of(action.email_template))
			self.assertEqual(doc.action, action.name)
			self.assertEqual({row.language for row in doc.templates}, {"en", "es"})
			self.assertEqual(store.changed_by_hand(doc), [])
			store.publish(doc)

	def test_it_goes_with_its_versions_and_leaves_the_templates(self):
		doc = examples.designed()
		template = examples.template_of(doc)
		doc.delete()
		self.assertFalse(frappe.db.exists(store.VERSION, {"message_design": doc.name}))
		self.assertTrue(frappe.db.exists("Email Template", template))


class TestDesignedMails(MarketingTestCase):
	def sent(self, template: str, **fields):
		customer = factories.customer(language="en")
		(pin,) = factories.pins(customer, in_days(30))
		campaign = factories.campaign(email_template=template, **fields)
		self.run_night(campaign.name)
		(row,) = self.ledger()
		self.assertEqual(row.status, "Queued", row)
		return pin, frappe.get_doc("Email Queue", row.handle)

	def test_it_is_sent_in_its_own_frame(self):
		doc = examples.designed()
		pin, mail = self.sent(examples.template_of(doc))
		plain, html = mail_parts(mail)
		self.assertIn("ends in 30 days", mail_subject(mail))
		self.assertEqual(html.count("<html"), 1)
		self.assertEqual(html.count("<body"), 1)
		self.assertNotIn("email-container", html)
		self.assertIn(pin, html)
		self.assertIn(f"Renew: https://a.example/{pin}", plain)
		self.assertNotIn("\n\n\n", plain)
		self.assertNotIn("<!--unsubscribe", html)
		self.assertRegex(html, r'<a\s+href="https?://[^"]+" class="ma-muted"')
		self.assertRegex(plain, r"(?i)unsubscribe.*http")

	def test_each_company_has_its_look(self):
		doc = examples.designed(examples.small("x"))
		factories.brand(foot_text="Foot of all", color="#123456")
		_pin, mail = self.sent(examples.template_of(doc))
		plain, html = mail_parts(mail)
		self.assertIn("Foot of all", html)
		self.assertIn("Foot of all", plain)

	def test_the_preview_text_is_the_designs_or_else_the_actions(self):
		for data, expected in ((examples.everything(), "Before "), (examples.small("x"), "Of the action")):
			self._reset()
			template = examples.template_of(examples.designed(data))
			customer = factories.customer(language="en")
			factories.pins(customer, in_days(30))
			campaign = factories.campaign(email_template=template)
			frappe.db.set_value(
				"Lifecycle Action", {"campaign": campaign.name}, "preview_text", "Of the action"
			)
			self.run_night(campaign.name)
			html = mail_parts(frappe.get_doc("Email Queue", self.ledger()[0].handle))[1]
			hidden = html.partition("<body")[2].partition("</div>")[0]
			self.assertIn(expected, hidden)

	def test_one_that_was_changed_by_hand_is_sent_as_it_is_with_a_way_out(self):
		doc = examples.designed(examples.small("Made"))
		template = examples.template_of(doc)
		examples.change_by_hand(template, "Made", "By hand")
		examples.change_by_hand(template, designed.WAY_OUT, "https://nowhere.example/")
		_pin, mail = self.sent(template)
		plain, html = mail_parts(mail)
		self.assertIn("By hand", html)
		self.assertIn("By hand", plain)
		self.assertEqual(html.count("<html"), 1)
		self.assertIn("Unsubscribe</a></div>", html)
		self.assertNotIn(designed.WAY_OUT, html)

	def test_a_condition_by_hand_does_not_take_the_way_out(self):
		template = examples.template_of(examples.designed(examples.small("Made")))
		html = frappe.db.get_value("Email Template", template, "response_html")
		head, link, tail = html.partition(designed.WAY_OUT)
		before, tag, rest = head.rpartition("<a")
		end = tail.index("</a>") + 4
		conditional = (
			f"{before}{{% if days_left > 999 %}}{tag}{rest}{link}{tail[:end]}{{% endif %}}{tail[end:]}"
		)
		examples.change_by_hand(template, html, conditional)
		_pin, mail = self.sent(template)
		plain, sent = mail_parts(mail)
		self.assertEqual(sent.count("Unsubscribe</a></div>"), 1)
		self.assertIn("Unsubscribe", plain)

	def test_a_copy_of_a_template_is_sent_in_its_own_frame_too(self):
		doc = examples.designed(examples.small("Made"))
		copy = frappe.copy_doc(frappe.get_doc("Email Template", examples.template_of(doc)))
		copy.name = factories.unique("Test")
		copy.insert(set_name=copy.name)
		_pin, mail = self.sent(copy.name)
		self.assertEqual(mail_parts(mail)[1].count("<html"), 1)

	def test_the_texts_of_a_batch_take_one_more_query(self):
		template = examples.template_of(examples.designed())
		campaign = factories.campaign(email_template=template)
		from marketing_automation.engine import rules

		(rule,) = rules.load([campaign.name])
		channel.prepare(list(rule.actions))
		with statements() as seen:
			channel.prepare(list(rule.actions))
		self.assertEqual(len([one for one in seen if "Lifecycle Design Template" in one]), 1)
		self.assertLessEqual(len(seen), 4)
