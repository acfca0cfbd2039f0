"""What the editor asks the server: who may, what is shown for a real customer, and what is worth mending."""

import io
import json

import frappe
from PIL import Image

from marketing_automation import api
from marketing_automation.designs import checks, store
from marketing_automation.tests import designs as examples
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days


class TestDesignApi(MarketingTestCase):
	def design_of_a_campaign(self, data: dict | None = None):
		"""Return a design that a campaign's action sends, and the action."""
		campaign = factories.campaign()
		(action,) = frappe.get_all("Lifecycle Action", {"campaign": campaign.name}, pluck="name")
		name = api.new_design(factories.unique("Test"), action=action)
		doc = frappe.get_doc(store.DOCTYPE, name)
		doc.design = json.dumps(data or examples.everything())
		doc.save()
		return doc, action

	def publish(self, name: str) -> dict:
		"""Put a design to use as whoever has just opened it does."""
		return api.publish_design(name, api.design(name)["modified"])

	def problems(self, data: dict, language: str = "en") -> list[dict]:
		doc, _action = self.design_of_a_campaign(data)
		return api.show_design(doc.name, doc.design, language)["problems"]

	def test_the_editor_gets_all_that_it_shows(self):
		doc, action = self.design_of_a_campaign()
		found = api.design(doc.name)
		self.assertEqual((found["action"], found["may_write"], found["obstacle"]), (action, True, None))
		self.assertLessEqual({"heading", "text", "button", "foot"}, {one["type"] for one in found["blocks"]})
		self.assertIn("days_in_words", {one["name"] for one in found["variables"]})
		self.assertTrue(all(one["label"] and one["example"] for one in found["variables"]))

	def test_it_is_shown_for_a_real_customer(self):
		doc, _action = self.design_of_a_campaign()
		ana = factories.customer("Test Ana")
		pin = factories.pin(ana, in_days(30))
		found = api.show_design(doc.name, doc.design, "en", pin)
		self.assertEqual((found["customer"], found["reference_name"]), ("Test Ana", pin))
		self.assertIn("Dear Test Ana", found["html"])
		self.assertIn(pin, found["text"])
		self.assertNotIn("\ue001", found["html"])

	def test_a_customer_that_the_user_may_not_see_is_not_shown(self):
		doc, _action = self.design_of_a_campaign()
		other = factories.customer()
		pin = factories.pin(other, in_days(30))
		with examples.asked_by(factories.user("Marketing User", sees={"Customer": factories.customer()})):
			with self.assertRaises(frappe.DoesNotExistError):
				api.show_design(doc.name, doc.design, "en", pin)

	def test_designs_and_versions_of_another_company_are_hidden_whatever_company_they_name(self):
		doc, action = self.design_of_a_campaign()
		self.publish(doc.name)
		campaign = frappe.db.get_value("Lifecycle Action", action, "campaign")
		frappe.db.set_value("Lifecycle Campaign", campaign, "company", factories.second_company())
		frappe.db.set_value(store.DOCTYPE, doc.name, "company", None)
		(version,) = frappe.get_all(store.VERSION, {"message_design": doc.name}, pluck="name")
		with examples.asked_by(factories.user("Marketing User", sees={"Company": factories.company()})):
			for doctype, name in ((store.DOCTYPE, doc.name), (store.VERSION, version)):
				with self.subTest(doctype):
					self.assertFalse(frappe.get_list(doctype, filters={"name": name}))
					self.assertFalse(frappe.has_permission(doctype, "read", doc=name))
			for ask in (
				api.design,
				api.design_versions,
				lambda name: api.show_design(name, doc.design, "en"),
			):
				with self.assertRaises(frappe.PermissionError):
					ask(doc.name)
			with self.assertRaises(frappe.PermissionError):
				frappe.get_doc(doctype=store.DOCTYPE, design_name="Stolen", action=action).insert()
		with examples.asked_by(factories.user("Marketing User")):
			self.assertTrue(frappe.get_list(store.VERSION, filters={"name": version}))
			self.assertTrue(frappe.has_permission(store.VERSION, "read", doc=version))

	def test_strangers_may_nothing(self):
		doc, action = self.design_of_a_campaign()
		asked = (
			lambda: api.design(doc.name),
			lambda: api.show_design(doc.name, doc.design, "en"),
			lambda: api.save_design(doc.name, doc.design, str(doc.modified)),
			lambda: api.publish_design(doc.name, str(doc.modified)),
			lambda: api.design_changes(doc.name),
			lambda: api.design_gallery(),
			lambda: api.gallery_picture("renewal"),
			lambda: api.new_design("Test x"),
			lambda: api.design_of_action(action),
			lambda: api.test_design(doc.name, doc.design, ["en"], ["x@users.example"]),
			lambda: api.design_versions(doc.name),
			lambda: api.mail_picture("/files/x.png"),
		)
		with examples.asked_by(factories.user("Sales User")):
			for number, ask in enumerate(asked):
				with self.subTest(number), self.assertRaises(frappe.PermissionError):
					ask()

	def test_each_design_of_the_gallery_is_shown_in_the_brand_of_its_company(self):
		_doc, action = self.design_of_a_campaign()
		campaign = frappe.db.get_value("Lifecycle Action", action, "campaign")
		company = frappe.db.get_value("Lifecycle Campaign", campaign, "company")
		factories.make(
			"Lifecycle Brand", brand_name=factories.unique("Test"), company=company, color="#123456"
		)
		for offered in api.design_gallery():
			with self.subTest(offered["name"]):
				shown = api.gallery_picture(offered["name"], action)
				self.assertIn("#123456", shown["html"])
				self.assertIn(f'lang="{shown["language"]}"', shown["html"])
				self.assertNotRegex(shown["html"], r"\{\{|\{%")
		with self.assertRaises(frappe.DoesNotExistError):
			api.gallery_picture("none of that name")

	def test_from_the_gallery_to_a_message_that_is_sent(self):
		customer = factories.customer("Test Ana", language="en")
		factories.pin(customer, in_days(30))
		# What a Service campaign sends is a manager's to say.
		campaign = factories.campaign(active=False, purpose="Marketing")
		(action,) = frappe.get_all("Lifecycle Action", {"campaign": campaign.name}, pluck="name")
		with examples.asked_by(factories.user("Marketing User")):
			name = api.new_design(factories.unique("Test"), "renewal", action)
			self.assertEqual(self.publish(name)["written"], ["en", "es"])
		campaign.reload()
		campaign.update({"is_active": 1, "purpose": "Service"}).save()
		self.run_night(campaign.name)
		(mail,) = self.mails()
		self.assertIn("Stay with us", mail.message)
		self.assertEqual(api.design_of_action(action), name)
		self.assertEqual(api.design_changes(name)["live"], [campaign.name])
		(row,) = self.ledger()
		self.assertIn("Stay with us", api.as_sent(row.name)["html"])

	def test_what_an_action_sends_besides_a_design_stays(self):
		doc, name = self.design_of_a_campaign(examples.everything("en", "es"))
		action = frappe.get_doc("Lifecycle Action", name)
		german, french, spanish = (factories.template() for _number in range(3))
		action.update({"language": "de", "email_template": german, "preview_text": "Auf Deutsch"})
		action.append("translations", {"language": "fr", "email_template": french, "preview_text": "Ici"})
		action.append("translations", {"language": "es", "email_template": spanish, "preview_text": "Aquí"})
		action.save()
		self.publish(doc.name)
		doc.reload()
		action.reload()
		own = {row.language: row.email_template for row in doc.templates}
		self.assertEqual((action.language, action.email_template), ("en", own["en"]))
		self.assertFalse(action.preview_text)
		self.assertEqual(
			{row.language: (row.email_template, row.preview_text) for row in action.translations},
			{
				"de": (german, "Auf Deutsch"),
				"fr": (french, "Ici"),
				"es": (own["es"], "Aquí"),
			},
		)
		modified = action.modified
		self.publish(doc.name)
		action.reload()
		self.assertEqual(action.modified, modified)

	def test_a_new_language_reaches_all_actions_that_send_the_design(self):
		campaign = api.make_from_recipe("subscription_renewal", factories.unique("Test"), "60, 30", "en")
		actions = [
			frappe.get_doc("Lifecycle Action", name)
			for name in frappe.get_all("Lifecycle Action", {"campaign": campaign}, pluck="name")
		]
		(template,) = {action.email_template for action in actions}
		doc = frappe.get_doc(store.DOCTYPE, store.design_of(template))
		(other,) = [action for action in actions if action.name != doc.action]
		chosen = factories.usual_template(combined=True)
		other.translations[0].email_template = chosen
		other.save()
		examples.changed(doc, lambda data: data["texts"].update({"de": dict(data["texts"]["en"])}))
		self.publish(doc.name)
		doc.reload()
		for action in actions:
			action.reload()
			given = {row.language: row.email_template for row in action.translations}
			self.assertEqual(given["de"], examples.template_of(doc, "de"))
			# What somebody chose for another action is theirs.
			spanish = chosen if action.name == other.name else examples.template_of(doc, "es")
			self.assertEqual(given["es"], spanish)

	def test_before_the_first_version_it_says_who_gets_it_and_what_it_replaces(self):
		doc, name = self.design_of_a_campaign()
		action = frappe.get_doc("Lifecycle Action", name)
		found = api.design_changes(doc.name)
		self.assertEqual(found["live"], [action.campaign])
		self.assertEqual(len(found["changes"]), 1)
		self.assertIn(f"the place of the Email Template {action.email_template} (en)", found["changes"][0])
		frappe.db.set_value("Lifecycle Action", name, "language", "de")
		self.assertEqual(
			api.design_changes(doc.name)["changes"],
			["Customers without a language of their own here get it in en."],
		)
		frappe.db.set_value("Lifecycle Action", name, "language", "en")
		self.publish(doc.name)
		self.assertEqual(
			api.design_changes(doc.name),
			{"changes": [], "live": [action.campaign], "by_hand": [], "copied": {}},
		)

	def test_an_action_with_templates_of_its_own_is_taken_over(self):
		campaign = factories.campaign(
			email_template=factories.template(response="<p>Old {{ customer_name }}</p>")
		)
		(action,) = frappe.get_all("Lifecycle Action", {"campaign": campaign.name}, pluck="name")
		name = api.design_of_action(action)
		self.assertEqual(api.design_of_action(action), name)
		self.assertIn("Old", frappe.db.get_value(store.DOCTYPE, name, "design"))

	def test_two_who_save_at_once_do_not_write_over_each_other(self):
		doc, _action = self.design_of_a_campaign()
		first = api.save_design(doc.name, json.dumps(examples.small("One")), str(doc.modified))
		with self.assertRaises(frappe.TimestampMismatchError):
			api.save_design(doc.name, json.dumps(examples.small("Two")), str(doc.modified))
		api.save_design(doc.name, json.dumps(examples.small("Three")), first["modified"])

	def test_nobody_puts_to_use_what_somebody_else_has_stored_since(self):
		doc, _action = self.design_of_a_campaign(examples.small("One"))
		self.publish(doc.name)
		doc.reload()
		opened = str(doc.modified)
		theirs = api.save_design(doc.name, json.dumps(examples.small("Two")), opened)
		with self.assertRaises(frappe.TimestampMismatchError):
			api.publish_design(doc.name, opened)
		template = examples.template_of(doc)
		self.assertIn("One", frappe.db.get_value("Email Template", template, "response_html"))
		done = api.publish_design(doc.name, theirs["modified"])
		self.assertIn("Two", frappe.db.get_value("Email Template", template, "response_html"))
		self.assertEqual(api.publish_design(doc.name, done["modified"])["version"], 3)

	def test_tests_go_to_colleagues_in_each_language(self):
		doc, _action = self.design_of_a_campaign(examples.everything("en", "es"))
		factories.pin(factories.customer(), in_days(30))
		colleague = factories.user("Marketing User")
		sent = api.test_design(doc.name, doc.design, ["en", "es"], [colleague])
		self.assertEqual(sent, [colleague])
		subjects = {frappe.utils.cstr(mail.message).count("Hora de renovar") for mail in self.mails()}
		self.assertEqual([mail.recipient for mail in self.mails()], [colleague, colleague])
		self.assertEqual(len(subjects), 2)
		with self.refused("no users of this site"):
			api.test_design(doc.name, doc.design, ["en"], ["stranger@elsewhere.example"])

	def test_a_picture_is_made_fit_for_mails(self):
		out = io.BytesIO()
		Image.effect_noise((2000, 1000), 60).convert("RGB").save(out, "JPEG")
		file = factories.make(
			"File", file_name=f"{factories.unique('test')}.jpg", content=out.getvalue(), is_private=0
		)
		made = api.mail_picture(file.file_url)
		self.assertEqual((made["width"], made["height"]), (1200, 600))
		self.assertNotEqual(made["file_url"], file.file_url)
		self.assertEqual(api.mail_picture(made["file_url"])["file_url"], made["file_url"])
		private = factories.make("File", file_name="test.txt", content=b"x", is_private=1)
		with self.refused("public"):
			api.mail_picture(private.file_url)
		text = factories.make(
			"File", file_name=f"{factories.unique('test')}.txt", content=b"no picture", is_private=0
		)
		with self.refused("no picture"):
			api.mail_picture(text.file_url)

	def test_a_design_without_faults_has_no_problems(self):
		factories.brand(website="https://shop.example")
		self.assertEqual(self.problems(examples.everything()), [])

	def test_each_problem_is_found_and_mended_by_one_click(self):
		long = "x" * 60
		for text, said, mended in (
			("Dear {{ costumer_name }}", "does not exist here", "Dear {{ customer_name }}"),
			("Dear {{ zzz }}", "does not exist here", "Dear "),
			("Dear {customer_name}", "one brace", "Dear {{ customer_name }}"),
			("[See](http://a.example)", "https://", "[See](https://a.example)"),
			("[See](a.example/x)", "leads nowhere", "[See](https://a.example/x)"),
			("Free!!!", "look like spam", "Free!"),
			("[See](/private/files/x.pdf)", "is private", None),
			("act now", "Filters dislike", None),
			(f"{long} {long}", None, None),
		):
			with self.subTest(text):
				found = self.problems(examples.small(f"{text} – reply"))
				if not said:
					self.assertEqual(found, [])
					continue
				problem = next(one for one in found if said in one["text"])
				self.assertEqual((problem["block"], problem["key"]), ("t", "t.text"))
				if mended is not None:
					self.assertEqual(problem["mend"]["texts"]["t.text"], f"{mended} – reply")
					after = self.problems(examples.small(problem["mend"]["texts"]["t.text"]))
					self.assertNotIn(said, " ".join(one["text"] for one in after))

	def test_texts_that_were_copied_and_not_translated_are_told(self):
		data = examples.everything("en", "es")
		english, spanish = data["texts"]["en"], data["texts"]["es"]
		spanish["c.text"] = english["c.text"]
		# Names and variables are the same in all languages.
		english["j.who"] = spanish["j.who"] = "Ana B."
		found = [one for one in self.problems(data, "es") if "The same as in en" in one["text"]]
		self.assertEqual([(one["key"], one["level"]) for one in found], [("c.text", "orange")])
		self.assertNotIn("The same as", str(self.problems(data, "en")))
		doc, _action = self.design_of_a_campaign(data)
		self.assertEqual(api.design_changes(doc.name)["copied"], {"es": 1})

	def test_what_is_empty_for_some_reader(self):
		data = examples.small("Soon – reply")
		data["blocks"][0]["only"] = {"if": [{"name": "days_left", "is": "under", "value": 7}]}
		data["blocks"][1]["only"] = {}
		data["texts"]["en"].pop("foot1.text", None)
		data["texts"]["en"]["subject"] = "{{ company }}"
		found = " ".join(one["text"] for one in self.problems(data))
		self.assertIn("no subject for some", found)

	def test_what_is_empty_is_said_besides_what_else_is_worth_mending(self):
		data = examples.small("Act now!!!", subject="{{ company }}")
		found = " ".join(one["text"] for one in self.problems(data))
		self.assertIn("no subject for some", found)
		self.assertIn("look like spam", found)

	def test_html_that_was_taken_over_is_looked_through(self):
		place = {"block": "b1", "key": "b1.html"}
		for source, said, mended in (
			('<a href="http://a.example/x">x</a>', "does not begin with https://", "https://a.example/x"),
			("<a href='a.example/x'>x</a>", "leads nowhere", "https://a.example/x"),
			("<a href='javascript:alert(1)'>x</a>", "leads nowhere", None),
			('<a href="/private/files/x.pdf">x</a>', "is private", None),
			('<img src="/private/files/x.png" alt="x">', "is private", None),
			('<img src="https://a.example/x.png">', "no text for whoever", None),
			('<img alt="x">', "has no address", None),
			('<a href="{{ serial_no | replace(">", "x") }}">x</a>', None, None),
			('<a href="https://a.example/{{ serial_no }}">x</a><a href="#top">y</a>', None, None),
			('<a href="<!--unsubscribe_url-->">x</a><img src="/files/x.png" alt="">', None, None),
		):
			with self.subTest(source):
				data = {
					"blocks": [{"id": "b1", "type": "html"}, {"id": "foot1", "type": "foot"}],
					"texts": {"en": {"subject": "About {{ item_name }}", "b1.html": f"<p>Reply</p>{source}"}},
				}
				found = self.problems(data)
				if not said:
					self.assertEqual(found, [])
					continue
				(problem,) = [one for one in found if said in one["text"]]
				self.assertEqual({key: problem[key] for key in place}, place)
				if mended:
					self.assertIn(mended, problem["mend"]["texts"]["b1.html"])

	def test_a_link_of_html_is_a_way_to_answer(self):
		data = {
			"blocks": [{"id": "b1", "type": "html"}, {"id": "foot1", "type": "foot"}],
			"texts": {"en": {"subject": "Soon", "b1.html": '<a href="https://a.example/">Go</a>'}},
		}
		self.assertNotIn("what to do next", " ".join(one["text"] for one in self.problems(data)))

	def test_no_way_to_answer(self):
		(problem,) = [
			one for one in self.problems(examples.small("It ends.")) if "what to do next" in one["text"]
		]
		self.assertEqual(problem["mend"]["add"]["type"], "text")

	def test_what_is_too_heavy(self):
		data = {"blocks": [], "texts": {"en": {"subject": "Reply"}}}
		for number in range(110):
			data["blocks"].append({"id": f"t{number}", "type": "text"})
			data["texts"]["en"][f"t{number}.text"] = "Reply. " + "word " * 160
		(problem,) = [one for one in self.problems(data) if "kB" in one["text"]]
		self.assertEqual(problem["level"], checks.RED)

	def test_missing_texts_are_copied_from_another_language(self):
		data = examples.everything("en", "es")
		del data["texts"]["es"]["b.text"]
		(problem,) = [one for one in self.problems(data, "es") if one["key"] == "b.text"]
		self.assertEqual((problem["mend"]["copy"], problem["mend"]["language"]), ("b.text", "en"))
