"""A recipe makes a whole campaign that is right at once: inactive, in English and Spanish, ready to be looked at."""

import frappe

from marketing_automation import api
from marketing_automation.checks import cap
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days


class TestRecipes(MarketingTestCase):
	def make(self, **answers) -> str:
		return api.make_from_recipe(
			**{
				"recipe": "subscription_renewal",
				"campaign_name": factories.unique("Test"),
				"days": "30, 7, 1",
				"language": "en",
				**answers,
			}
		)

	def test_the_recipe_is_offered(self):
		(recipe,) = (recipe for recipe in api.recipes() if recipe["name"] == "subscription_renewal")
		self.assertEqual((recipe["days"], recipe["languages"]), ({"Before": [30, 7, 1]}, ["en", "es"]))
		self.assertIsNone(recipe["obstacle"])

	def test_a_marketer_makes_a_campaign_and_activates_it(self):
		marketer = factories.user("Marketing User")
		group = factories.item_group()
		frappe.set_user(marketer)
		name = self.make(item_group=group)
		journey = api.journey(name)
		self.assertEqual([trigger["day"] for trigger in journey], [-30, -7, -1])
		self.assertEqual({trigger["item_group"] for trigger in journey}, {group})
		self.assertEqual([len(trigger["actions"]) for trigger in journey], [1, 1, 1])
		campaign = frappe.get_doc("Lifecycle Campaign", name)
		# Its message lists all that a customer has, so that nobody gets one for each.
		self.assertEqual((campaign.is_active, campaign.combine_messages), (0, 1))
		campaign.is_active = 1
		campaign.save()

	def test_its_mails_speak_the_customers_language(self):
		ana = factories.pin(factories.customer("Test Ana"), in_days(40))
		mia = factories.pin(factories.customer("Test Mía", language="es-MX"), in_days(40))
		(first, second, last) = api.journey(self.make())
		for trigger, english, spanish in (
			(first, "Time to renew: TEST-PIN subscription", "Es hora de renovar: TEST-PIN subscription"),
			(second, "TEST-PIN subscription ends in 7 days", "TEST-PIN subscription vence dentro de 7 días"),
			(last, "TEST-PIN subscription ends tomorrow", "TEST-PIN subscription vence mañana"),
		):
			action = trigger["actions"][0]["name"]
			self.assertIn(english, api.mail(action, ana)["subject"])
			mail = api.mail(action, mia)
			self.assertIn(spanish, mail["subject"])
			self.assertIn("Hola, Test Mía", mail["text"])
			self.assertNotIn("$", mail["html"])

	def test_the_main_language_is_a_choice(self):
		ana = factories.pin(factories.customer(language="de"), in_days(40))
		first, *_others = api.journey(self.make(language="es"))
		self.assertEqual(first["actions"][0]["languages"], ["en"])
		self.assertIn("Es hora", api.mail(first["actions"][0]["name"], ana)["subject"])

	def test_the_day_itself_is_a_trigger_too(self):
		journey = api.journey(self.make(days="5,0,5"))
		self.assertEqual(
			[(t["trigger_type"], t["day"]) for t in journey],
			[("Before", -5), ("On", 0)],
		)

	def test_it_suggests_a_frequency_cap_to_a_site_that_has_none(self):
		def suggested():
			return {recipe["name"]: recipe["cap"] for recipe in api.recipes()}

		self.assertEqual(suggested()["subscription_renewal"], {"messages": 2, "days": 7})
		# It reminds of what is owed, and is no marketing.
		self.assertIsNone(suggested()["payment_reminder"])
		self.make()
		self.assertIsNone(cap.site_limit())
		self.make(cap=1)
		self.assertEqual(cap.site_limit(), cap.Limit(2, 7))
		self.assertEqual(set(suggested().values()), {None})

	def test_it_does_not_change_the_cap_that_a_site_has(self):
		frappe.get_single(SETTINGS).update({"cap_messages": 5, "cap_days": 3}).save()
		self.make(cap=1)
		self.assertEqual(cap.site_limit(), cap.Limit(5, 3))

	def test_whoever_may_not_write_the_settings_is_offered_no_cap(self):
		frappe.set_user(factories.user("Marketing User"))
		self.assertEqual({recipe["cap"] for recipe in api.recipes()}, {None})
		self.make(cap=1)
		frappe.set_user("Administrator")
		self.assertIsNone(cap.site_limit())

	def test_who_cannot_make_a_service_campaign_is_told_before_it_is_made(self):
		def notices() -> dict:
			return {recipe["name"]: recipe["notice"] for recipe in api.recipes()}

		answers = {"recipe": "payment_reminder", "days": "3", "days_after": "3"}
		frappe.set_user(factories.user("Marketing Manager"))
		self.assertEqual(set(notices().values()), {None})
		name = self.make(**answers)
		self.assertEqual(frappe.db.get_value("Lifecycle Campaign", name, "purpose"), "Service")
		frappe.set_user(factories.user("Marketing User"))
		told = {name: notice for name, notice in notices().items() if notice}
		self.assertEqual(set(told), {"payment_reminder", "maintenance_visit"})
		self.assertIn("Yours will be Marketing", told["payment_reminder"])
		name = self.make(**answers)
		frappe.set_user("Administrator")
		self.assertEqual(frappe.db.get_value("Lifecycle Campaign", name, "purpose"), "Marketing")

	def test_answers_that_cannot_be_are_refused(self):
		for answers, text in (
			({"days": ""}, "30, 7, 1"),
			({"days": "-3"}, "30, 7, 1"),
			({"days": "soon"}, "commas"),
			({"language": "fr"}, "en, es"),
			({"recipe": "cake"}, "cake"),
			({"campaign_name": factories.campaign().name}, "Choose another name"),
		):
			with self.subTest(**answers), self.refused(text):
				self.make(**answers)
