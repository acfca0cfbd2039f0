"""Where the app was before templates were listed, those of recipes and of marketers are theirs, and nobody else's are."""

import frappe

from marketing_automation import api, template_rights
from marketing_automation.patches import own_templates
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase


class TestTemplatesOfBefore(MarketingTestCase):
	def origin(self, template: str) -> str | None:
		return frappe.db.get_value("Lifecycle Template", {"email_template": template}, "origin")

	def test_what_a_recipe_or_a_marketer_made_is_theirs(self):
		recipe = api.make_from_recipe("subscription_renewal", factories.unique("Test"), "30", "es")
		(action,) = frappe.get_all("Lifecycle Action", {"campaign": recipe}, pluck="name")
		doc = frappe.get_doc("Lifecycle Action", action)
		cooked = [doc.email_template, doc.translations[0].email_template]
		marketer, shared = factories.template(), factories.template()
		frappe.db.set_value("Email Template", marketer, "owner", factories.user("Marketing User"))
		factories.campaign(email_template=shared)
		frappe.db.delete("Lifecycle Template")
		frappe.db.set_value("Lifecycle Action", action, "language", None)
		for _time in range(2):
			own_templates.execute()
			self.assertEqual([self.origin(name) for name in cooked], [template_rights.RECIPE] * 2)
			self.assertEqual(self.origin(marketer), template_rights.MARKETER)
			self.assertIsNone(self.origin(shared))
			self.assertEqual(frappe.db.get_value("Lifecycle Action", action, "language"), "es")

	def test_a_name_like_a_recipes_is_not_enough(self):
		campaign = factories.campaign()
		later = factories.make(
			"Email Template", name=f"{campaign.name}: Offer (en)", subject="Hi", response="Hi"
		).name
		frappe.db.set_value("Email Template", later, "creation", "2030-01-01")
		frappe.db.set_value("Lifecycle Action", {"campaign": campaign.name}, "email_template", later)
		frappe.db.delete("Lifecycle Template")
		own_templates.execute()
		self.assertIsNone(self.origin(later))
