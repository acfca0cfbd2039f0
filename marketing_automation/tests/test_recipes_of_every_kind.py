"""Each recipe makes a campaign that writes about real documents of its kind, in the customer's language, on each of its days."""

import contextlib
import copy
from unittest.mock import patch

import frappe

from marketing_automation import api, erpnext_schema
from marketing_automation.designs.gallery import all_designs
from marketing_automation.recipes import all_recipes, cook, languages
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, mail_parts, mail_subject
from marketing_automation.tests.factories import in_days

BIRTHDAY = "test_birthday"
# What nobody has filled in, or nobody would say.
LEFT_OVER = r"[{}]|\$[a-z]|None|-\d+ (days|días)"
OURS = ("Lifecycle Campaign", "Lifecycle Trigger", "Lifecycle Action", "Lifecycle Template", "Email Template")


def _on_birthday(customer: str, day) -> None:
	frappe.db.set_value("Customer", customer, BIRTHDAY, f"1988-{day:%m-%d}")


# What is due to a customer on a day.
MAKERS = {
	"subscription_renewal": factories.pin,
	"subscription_end": factories.subscription,
	"contract_renewal": factories.contract,
	"quotation_follow_up": factories.quotation,
	"payment_reminder": factories.invoice,
	"warranty_end": factories.pin,
	"batch_expiry": lambda customer, day: factories.batch(day, customer),
	"maintenance_visit": factories.maintenance_schedule,
	"birthday": _on_birthday,
}


def make(recipe: str, **answers) -> str:
	"""Make the campaign of a recipe with what it suggests; return its name."""
	suggested = next(found for found in api.recipes() if found["name"] == recipe)
	days = suggested["days"]
	return api.make_from_recipe(
		**{
			"recipe": recipe,
			"campaign_name": factories.unique("Test"),
			"days": ", ".join(map(str, days.get("Before", []))),
			"days_after": ", ".join(map(str, days.get("After", []))),
			"language": "en",
			"date_field": BIRTHDAY if recipe == "birthday" else suggested["date_field"],
			**answers,
		}
	)


class OfEveryKind(MarketingTestCase):
	@classmethod
	def setUpClass(cls):
		super().setUpClass()
		cls.addClassCleanup(factories.remove_field, "Customer", BIRTHDAY)
		factories.field_of_the_site("Customer", BIRTHDAY)
		frappe.db.commit()

	def test_each_is_tried_here(self):
		self.assertEqual(set(MAKERS), set(all_recipes()))

	def test_its_campaign_writes_on_each_of_its_days_in_the_customers_language(self):
		for recipe, make_due in MAKERS.items():
			with self.subTest(recipe):
				self.begin_anew()
				campaign = make(recipe)
				triggers = frappe.get_all(
					"Lifecycle Trigger", {"campaign": campaign}, ["name", "trigger_type", "days_offset"]
				)
				expected = {}
				for trigger in triggers:
					sign = {"Before": 1, "On": 0, "After": -1}[trigger.trigger_type]
					day = in_days(sign * trigger.days_offset)
					for language, greeting in (("en", "Dear {},"), ("es", "Hola, {}:")):
						customer = factories.customer(factories.unique(f"Test {recipe}"), language=language)
						make_due(customer, day)
						name = frappe.db.get_value("Customer", customer, "customer_name")
						expected[factories.address(customer)] = greeting.format(name)
				self.activate(campaign)
				self.run_night()
				mails = {mail.recipient: mail for mail in self.mails()}
				self.assertEqual({row.reason for row in self.ledger(status="Skipped")}, set())
				self.assertEqual(set(mails), set(expected))
				for recipient, greeting in expected.items():
					text, html = mail_parts(mails[recipient])
					self.assertIn(greeting, text)
					for read in (mail_subject(mails[recipient]), text):
						self.assertNotRegex(read, LEFT_OVER)
					self.assertNotRegex(html, r"\$[a-z{]")

	def test_the_preview_says_the_same(self):
		for recipe, make_due in MAKERS.items():
			with self.subTest(recipe):
				self.begin_anew()
				campaign = make(recipe)
				trigger = frappe.get_last_doc("Lifecycle Trigger", {"campaign": campaign})
				sign = {"Before": 1, "On": 0, "After": -1}[trigger.trigger_type]
				customer = factories.customer()
				make_due(customer, in_days(sign * trigger.days_offset))
				frappe.db.commit()
				found = api.preview(campaign)
				self.assertEqual([row["customer"] for row in found["rows"]], [customer])

	def test_several_that_are_due_together_are_listed_in_one_mail(self):
		for recipe in ("payment_reminder", "quotation_follow_up", "batch_expiry", "contract_renewal"):
			with self.subTest(recipe):
				self.begin_anew()
				campaign = make(recipe, days="5", days_after="")
				customer = factories.customer()
				for _number in range(2):
					MAKERS[recipe](customer, in_days(5))
				self.activate(campaign)
				self.run_night()
				(mail,) = self.mails()
				rows = self.ledger()
				self.assertEqual(len(rows), 2)
				text, _html = mail_parts(mail)
				for row in rows:
					self.assertIn(row.reference_name, text)

	def test_it_has_the_goal_that_the_recipe_is_for(self):
		goals = {}
		for recipe in all_recipes():
			goals[recipe] = frappe.db.get_value("Lifecycle Campaign", make(recipe), "goal") or None
		self.assertEqual(goals, {name: recipe.get("goal") for name, recipe in all_recipes().items()})

	def begin_anew(self) -> None:
		self._reset()
		frappe.db.set_value(
			"Customer", {BIRTHDAY: [">", "1900-01-01"]}, BIRTHDAY, None, update_modified=False
		)

	def activate(self, campaign: str) -> None:
		"""Switch it on, for everybody and at once: by what right and when is another test's."""
		frappe.get_doc("Lifecycle Campaign", campaign).update(
			{"is_active": 1, "purpose": "Service", "send_window": "Any time"}
		).save()


class WhatIsRefused(MarketingTestCase):
	@contextlib.contextmanager
	def nothing_stored(self):
		"""Assert that the block, which is refused, leaves nothing behind when the request is rolled back."""
		before = {doctype: set(frappe.get_all(doctype, pluck="name")) for doctype in OURS}
		yield
		self.assertEqual({doctype: set(frappe.get_all(doctype, pluck="name")) for doctype in OURS}, before)

	def cook(self, name: str = "quotation_follow_up", days=None, change=None, **options):
		recipe = copy.deepcopy(all_recipes()[name])
		if change:
			change(recipe)
		return cook(recipe, factories.unique("Test"), days or {"Before": [10, 2]}, "en", {}, **options)

	def test_nothing_is_stored_when_the_last_message_is_refused(self):
		def misspell(recipe):
			text = {"subject": "x", "heading": "x", "paragraphs": ["x"], "closing": "x"}
			del recipe["messages"][0]["design"]
			recipe["messages"][0]["text"] = {"en": text, "es": {**text, "closing": "{{ quotacion }}"}}

		# The message of 2 days before is the last one that is made.
		with self.nothing_stored(), self.refused("quotacion", "quotation"):
			self.cook(change=misspell)

	def test_nothing_is_stored_when_a_trigger_is_refused(self):
		with self.nothing_stored(), self.refused("no_such_field"):
			self.cook(date_field="no_such_field")

	def test_days_that_a_recipe_does_not_have(self):
		for days in ({}, {"After": [3]}, {"Before": [-1]}):
			with self.subTest(days=days), self.nothing_stored(), self.refused("30, 7, 1"):
				cook(all_recipes()["quotation_follow_up"], factories.unique("Test"), days, "en", {})

	def test_a_birthday_needs_a_field_of_the_sites_own(self):
		found = {recipe["name"]: recipe["obstacle"] for recipe in api.recipes()}
		self.assertIn("Customize Form", found["birthday"])
		with self.nothing_stored(), self.refused("Customize Form"):
			self.cook("birthday", {})

	def test_what_the_site_lacks_is_not_offered_and_refused(self):
		has = erpnext_schema.has

		def has_no_contracts(doctype, field=None):
			return doctype != "Contract" and has(doctype, field)

		with patch.object(erpnext_schema, "has", has_no_contracts):
			found = {recipe["name"]: recipe["obstacle"] for recipe in api.recipes()}
			self.assertIn("no Contract", found["contract_renewal"])
			self.assertIsNone(found["quotation_follow_up"])
			with self.nothing_stored(), self.refused("no Contract"):
				self.cook("contract_renewal", {"Before": [60]})

	def test_a_source_that_no_app_brings_is_not_offered(self):
		def change(recipe):
			recipe["source"] = "Horoscope"

		with self.nothing_stored(), self.refused("no Horoscope"):
			self.cook(change=change)


class WhatIsOffered(MarketingTestCase):
	def test_each_group_stands_together(self):
		groups = [recipe["group"] for recipe in api.recipes()]
		self.assertEqual(groups, sorted(groups, key=list(dict.fromkeys(groups)).index))
		self.assertGreater(len(set(groups)), 1)

	def test_each_asks_only_what_it_needs(self):
		asks = {recipe["name"]: set(recipe["asks"]) for recipe in api.recipes()}
		self.assertEqual(asks["birthday"], {"date_field"})
		self.assertEqual(asks["payment_reminder"], {"company", "combine_messages", "attach_print"})

	def test_every_language_has_every_message(self):
		for name, recipe in all_recipes().items():
			with self.subTest(name):
				self.assertEqual(languages(recipe), ["en", "es"])
				for message in recipe["messages"]:
					self.assertIn(message["design"], all_designs())
