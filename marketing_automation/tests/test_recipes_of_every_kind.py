"""Each recipe makes a campaign that writes about real documents of its kind, in the customer's language, on each of its days."""

import contextlib

import frappe

from marketing_automation import api
from marketing_automation.recipes import all_recipes, cook
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, mail_parts, mail_subject
from marketing_automation.tests.factories import in_days

BIRTHDAY = "test_birthday"
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
				self._reset()
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
				frappe.get_doc("Lifecycle Campaign", campaign).update({"is_active": 1}).save()
				self.run_night()
				mails = {mail.recipient: mail for mail in self.mails()}
				self.assertEqual({row.reason for row in self.ledger(status="Skipped")}, set())
				self.assertEqual(set(mails), set(expected))
				for recipient, greeting in expected.items():
					text, html = mail_parts(mails[recipient])
					self.assertIn(greeting, text)
					for read in (mail_subject(mails[recipient]), text):
						self.assertNotRegex(read, r"[{}$]|None|-\d+ (days|días)")
					self.assertNotIn("$", html)

	def test_the_preview_says_the_same(self):
		for recipe, make_due in MAKERS.items():
			with self.subTest(recipe):
				self._reset()
				campaign = make(recipe)
				trigger = frappe.get_last_doc("Lifecycle Trigger", {"campaign": campaign})
				sign = {"Before": 1, "On": 0, "After": -1}[trigger.trigger_type]
				customer = factories.customer()
				make_due(customer, in_days(sign * trigger.days_offset))
				frappe.db.commit()
				found = api.preview(campaign)
				self.assertEqual([row["customer"] for row in found["rows"]], [customer])

	def test_several_that_are_due_together_are_listed_in_one_mail(self):
		for recipe in ("payment_reminder", "quotation_follow_up", "batch_expiry", "maintenance_visit"):
			with self.subTest(recipe):
				self._reset()
				campaign = make(recipe, days="5", days_after="")
				customer = factories.customer()
				for _number in range(2):
					MAKERS[recipe](customer, in_days(5))
				frappe.get_doc("Lifecycle Campaign", campaign).update({"is_active": 1}).save()
				self.run_night()
				self.assertEqual((len(self.mails()), len(self.ledger())), (1, 2))

	def test_it_has_the_goal_that_the_recipe_is_for(self):
		for recipe, found in all_recipes().items():
			with self.subTest(recipe):
				campaign = frappe.get_doc("Lifecycle Campaign", make(recipe))
				self.assertEqual(campaign.goal or None, found.get("goal"))


class Refusals(MarketingTestCase):
	@contextlib.contextmanager
	def nothing_stored(self):
		"""Assert that the block, which is refused, leaves nothing behind when the request is rolled back."""
		before = {doctype: set(frappe.get_all(doctype, pluck="name")) for doctype in OURS}
		yield
		self.assertEqual({doctype: set(frappe.get_all(doctype, pluck="name")) for doctype in OURS}, before)

	def test_nothing_is_stored_when_a_trigger_is_refused(self):
		with self.nothing_stored(), self.refused("no_such_field"):
			make("contract_renewal", date_field="no_such_field") if False else cook(
				all_recipes()["contract_renewal"],
				factories.unique("Test"),
				{"Before": [60]},
				"en",
				{},
				date_field="no_such_field",
			)
