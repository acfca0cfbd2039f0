"""What we name after something that a user has typed has a name of its own, however long, odd or taken that text is."""

import frappe

from marketing_automation import api
from marketing_automation.naming import LONGEST, free_name
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase


class TestLongNames(MarketingTestCase):
	def cook(self, campaign_name: str, **answers) -> set[str]:
		"""Make a campaign from the recipe; return its templates' names, which begin as its own does and are its own."""
		before = set(frappe.get_all("Email Template", pluck="name"))
		name = api.make_from_recipe(
			**{
				"recipe": "subscription_renewal",
				"campaign_name": campaign_name,
				"days": "30, 7, 1",
				"language": "en",
				**answers,
			}
		)
		actions = frappe.get_all("Lifecycle Action", {"campaign": name}, ["name", "email_template"])
		used = [row.email_template for row in actions] + frappe.get_all(
			"Lifecycle Action Translation",
			{"parent": ["in", [row.name for row in actions]]},
			pluck="email_template",
		)
		made = set(frappe.get_all("Email Template", pluck="name")) - before
		self.assertEqual(set(used), made, "each of its messages is the campaign's own")
		self.assertEqual(len(used), 6)
		for template in made:
			self.assertLessEqual(len(template), LONGEST)
			self.assertEqual(template, template.strip())
		return made

	def test_a_campaign_of_the_longest_name(self):
		for name in (
			"Test " + "x" * 135,
			"Test " + "y" * 128 + " end of",
			"Test " + "🎉" * 135,
			"Test " + "ñ" * 120,
		):
			with self.subTest(name):
				made = self.cook(name)
				self.assertEqual({template[:60] for template in made}, {name[:60]})
				for template in made:
					self.assertTrue(template.endswith(("(en)", "(es)")), template)

	def test_two_campaigns_whose_names_differ_at_their_end(self):
		first, second = ("Test " + "z" * 134 + ending for ending in "ab")
		self.assertEqual(self.cook(first) & self.cook(second), set())

	def test_templates_that_a_deleted_campaign_has_left(self):
		made = self.cook("Test Left Behind")
		frappe.delete_doc("Lifecycle Campaign", "Test Left Behind")
		again = self.cook("TEST left behind")
		self.assertEqual({name.casefold() for name in made} & {name.casefold() for name in again}, set())
		for template in again:
			self.assertIn(" (2)", template)

	def test_a_name_is_free_whatever_it_is_made_of(self):
		taken = factories.template()
		frappe.rename_doc("Email Template", taken, "Test Renovación")
		self.addCleanup(frappe.delete_doc, "Email Template", "Test Renovación", force=True)
		for text, ending, expected in (
			("Test Renovación", "", "Test Renovación (2)"),
			("test renovacion", "", "test renovacion (2)"),
			("Test Renovación  ", "", "Test Renovación (2)"),
			("Test <b>bold</b>", ": a", "Test bbold/b: a"),
			("New Email Template offers", ": a", "Email Template offers: a"),
			("x" * 200, "", "x" * 140),
			("x" * 137 + " yyy", ": a", "x" * 137 + ": a"),
			("x" * 136 + " yyy", ": a", "x" * 136 + ": a"),
			("x", "e" * 200, "e" * 140),
			("🎉" * 150, " (en)", "🎉" * 135 + " (en)"),
			("1840e23824", "", "1840e23824"),
		):
			with self.subTest(text=text, ending=ending):
				self.assertEqual(free_name("Email Template", text, ending), expected)

	def test_names_that_cannot_be_are_refused_in_words(self):
		for name, text, error in (
			("Test <b>", "special characters", frappe.NameError),
			("Test " + "x" * 140, "140", frappe.ValidationError),
		):
			with self.subTest(name), self.refused(text, error=error):
				self.cook(name)
