"""Marketers change the Email Templates of their campaigns, and nobody else's; and write nothing but variables into them."""

import frappe
import frappe.client
from frappe.model.rename_doc import rename_doc
from frappe.permissions import add_permission, update_permission_property

from marketing_automation import api, template_rights
from marketing_automation.channels.texts.templates import TemplateInvalid
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase

ROLE = "Test Template Writer"


# For what it names, or for how it is built.
REFUSED = (frappe.PermissionError, TemplateInvalid)


class TestEmailTemplatesOfOthers(MarketingTestCase):
	@classmethod
	def setUpClass(cls):
		super().setUpClass()
		cls.manager = factories.user("Marketing Manager")
		cls.marketer = factories.user("Marketing User")
		frappe.db.commit()

	def setUp(self):
		super().setUp()
		self.addCleanup(frappe.set_user, "Administrator")
		self.addCleanup(frappe.db.rollback)

	def written(self, user: str = "Administrator", **fields):
		"""Return an Email Template that a user has made."""
		frappe.set_user(user)
		doc = frappe.get_doc(
			{
				"doctype": "Email Template",
				"name": factories.unique("Test"),
				"subject": "Hi",
				"use_html": 1,
				"response_html": "Hi",
				**fields,
			}
		).insert()
		frappe.set_user("Administrator")
		return doc

	def change(self, template: str, user: str, text: str = "Other words"):
		frappe.set_user(user)
		try:
			frappe.client.set_value("Email Template", template, "response_html", text)
		finally:
			frappe.set_user("Administrator")
		return frappe.db.get_value("Email Template", template, "response_html")

	def assert_closed(self, template: str, *users: str):
		for user in users or (self.marketer, self.manager):
			with self.subTest(template, user=user):
				with self.assertRaises(frappe.PermissionError):
					self.change(template, user)
				frappe.set_user(user)
				doc = frappe.get_doc("Email Template", template)
				for right in ("write", "delete", "share"):
					self.assertFalse(frappe.has_permission("Email Template", right, doc=doc), right)
				self.assertTrue(frappe.has_permission("Email Template", "read", doc=doc))
				for call in (
					lambda: rename_doc("Email Template", template, factories.unique("Test")),
					lambda: frappe.client.delete("Email Template", template),
				):
					with self.assertRaises(frappe.PermissionError):
						call()
				frappe.set_user("Administrator")

	def test_a_mistyped_variable_is_no_matter_of_rights(self):
		frappe.set_user(self.marketer)
		self.addCleanup(frappe.set_user, "Administrator")
		with self.assertRaisesRegex(TemplateInvalid, "costumer_name.* typing mistake.*customer_name"):
			frappe.get_doc(
				{
					"doctype": "Email Template",
					"name": factories.unique("Mistyped"),
					"subject": "Hi",
					"response": "Dear {{ costumer_name }}",
				}
			).insert()

	def test_what_an_administrator_wrote_is_not_theirs(self):
		self.assert_closed(self.written().name)

	def test_nor_does_it_become_theirs_by_naming_it_in_an_action_of_ones_own(self):
		doc = self.written()
		factories.campaign(email_template=doc.name)
		self.assert_closed(doc.name)

	def test_what_a_marketer_wrote_is(self):
		doc = self.written(self.marketer)
		self.assertEqual(self.change(doc.name, self.marketer), "Other words")
		self.assertEqual(self.change(doc.name, self.manager, "Others"), "Others")
		frappe.set_user(self.marketer)
		name = rename_doc("Email Template", doc.name, factories.unique("Test"))
		self.assertEqual(self.change(name, self.marketer), "Other words")
		frappe.set_user(self.manager)
		frappe.delete_doc("Email Template", name)
		self.assertFalse(frappe.db.exists("Lifecycle Template", {"email_template": name}))

	def test_nor_what_a_recipe_made_whoever_cooked_it(self):
		name = api.make_from_recipe(
			"subscription_renewal", factories.unique("Test"), "30", "en", combine_messages=0
		)
		(action,) = frappe.get_all("Lifecycle Action", {"campaign": name}, pluck="email_template")
		self.assertEqual(self.change(action, self.marketer), "Other words")

	def test_what_is_named_elsewhere_is_closed_even_if_a_marketer_wrote_it(self):
		def in_settings(template):
			frappe.db.set_single_value("System Settings", "reset_password_template", template)

		def in_an_auto_repeat(template):
			name = factories.unique("Test")
			frappe.get_doc({"doctype": "Auto Repeat", "name": name, "template": template}).db_insert()

		def in_a_workflow(template):
			frappe.get_doc(
				{
					"doctype": "Workflow Document State",
					"name": frappe.generate_hash(length=10),
					"parent": "Test",
					"parenttype": "Workflow",
					"parentfield": "states",
					"next_action_email_template": template,
				}
			).db_insert()

		for place in (in_settings, in_an_auto_repeat, in_a_workflow):
			with self.subTest(place.__name__):
				doc = self.written(self.marketer)
				place(doc.name)
				self.assert_closed(doc.name)
				frappe.db.rollback()

	def test_a_custom_field_that_names_it_closes_it_too(self):
		field = factories.make(
			"Custom Field", dt="ToDo", fieldname="test_template", fieldtype="Link", options="Email Template"
		)
		self.addCleanup(frappe.db.commit)
		self.addCleanup(frappe.delete_doc, "Custom Field", field.name)
		frappe.flags.link_fields = {}
		doc = self.written(self.marketer)
		todo = factories.make("ToDo", description="Test", test_template=doc.name)
		self.addCleanup(frappe.delete_doc, "ToDo", todo.name)
		self.assert_closed(doc.name)

	def test_nobody_takes_a_name_that_something_waits_for(self):
		wanted = factories.unique("Test")
		frappe.db.set_single_value("System Settings", "welcome_email_template", wanted)
		own = self.written(self.marketer)
		with self.assertRaises(frappe.PermissionError):
			self.written(self.marketer, name=wanted)
		frappe.set_user(self.marketer)
		with self.assertRaises(frappe.PermissionError):
			rename_doc("Email Template", own.name, wanted)

	def test_nobody_merges_a_template_into_another(self):
		own, other = self.written(self.marketer), self.written()
		for old, new in ((own.name, other.name), (other.name, own.name)):
			frappe.set_user(self.marketer)
			with self.subTest(old=old), self.assertRaises(frappe.PermissionError):
				rename_doc("Email Template", old, new, merge=True)
		frappe.set_user("Administrator")
		rename_doc("Email Template", own.name, other.name, merge=True)
		self.assert_closed(other.name)

	def test_a_system_manager_lets_marketers_and_takes_it_back(self):
		doc = self.written()
		frappe.db.set_single_value("System Settings", "reset_password_template", doc.name)
		for user in (self.marketer, self.manager):
			frappe.set_user(user)
			with self.assertRaises(frappe.PermissionError):
				api.release_template(doc.name)
		frappe.set_user("Administrator")
		self.assertTrue(api.template_rights(doc.name)["may_release"])
		api.release_template(doc.name)
		self.assertEqual(self.change(doc.name, self.marketer), "Other words")
		self.assertEqual(
			frappe.db.get_value(
				"Lifecycle Template", {"email_template": doc.name}, ["origin", "released_by"]
			),
			(template_rights.RELEASED, "Administrator"),
		)
		api.release_template(doc.name, released=0)
		# As an import may have left it.
		frappe.db.set_value("Lifecycle Template", {"email_template": doc.name}, "released_by", "")
		self.assertFalse(api.template_rights(doc.name)["released"])
		self.assert_closed(doc.name)

	def test_a_template_of_another_companys_campaign_is_closed(self):
		theirs = factories.company()
		bound = factories.user("Marketing User", sees={"Company": factories.second_company()})
		doc = self.written(self.marketer)
		factories.campaign(email_template=doc.name, company=theirs, purpose="Marketing")
		self.assert_closed(doc.name, bound)
		self.assertEqual(self.change(doc.name, self.marketer), "Other words")

	def test_a_right_by_another_role_stays(self):
		if not frappe.db.exists("Role", ROLE):
			factories.make("Role", role_name=ROLE)
		add_permission("Email Template", ROLE)
		update_permission_property("Email Template", ROLE, 0, "write", 1, validate=False)
		self.addCleanup(self._without_role)
		both = factories.user("Marketing User", ROLE)
		doc = self.written()
		text = "Dear {{ doc.customer }}"
		self.assertEqual(self.change(doc.name, both, text), text)
		self.assert_closed(doc.name, self.marketer)

	@staticmethod
	def _without_role():
		frappe.set_user("Administrator")
		frappe.db.delete("Custom DocPerm", {"parent": "Email Template", "role": ROLE})
		frappe.clear_cache(doctype="Email Template")
		frappe.db.commit()

	def test_a_share_does_not_open_what_is_closed(self):
		doc = self.written()
		frappe.share.add("Email Template", doc.name, self.marketer, write=1)
		with self.assertRaises(frappe.PermissionError):
			self.change(doc.name, self.marketer)

	def test_they_write_variables_of_campaigns_and_nothing_else(self):
		refused = (
			"{{ doc.delete() }}",
			"{{ doc.name }}",
			"{% set doc = doc %}{{ doc.delete() }}",
			"{{ doc.delete() }}{% set doc = 1 %}",
			"{% for doc in [] %}{% endfor %}{{ doc.delete() }}",
			"{% for doc in [doc] %}{{ doc.delete() }}{% endfor %}",
			"{% if False %}{% set doc = 1 %}{% endif %}{{ doc.delete() }}",
			"{% macro m(doc=doc) %}{{ doc }}{% endmacro %}{{ m() }}",
			"{% with doc = doc %}{{ doc }}{% endwith %}",
			"{% block a %}{{ customer_name }}{% endblock %}{{ self.a() }}",
			"{% if user is defined %}{{ user }}{% endif %}",
			"{{ customer_name | json }}",
			"{% extends 'templates/emails/standard.html' %}",
			"{{ frappe.utils.get_url() }}",
			"{{ pins | map(attribute=doc.name) }}",
			"{% filter upper %}{{ doc.name }}{% endfilter %}",
			"{% call(x) doc.delete() %}{% endcall %}",
		)
		allowed = (
			"{{ customer_name }}: {% for pin in pins %}{{ pin.serial_no }}{{ loop.index }}{% endfor %}",
			"{% set words = 'Dear' %}{{ words }} {{ customer_name | upper }}",
			"{% if days_left %}{% set a = 1 %}{% elif item_name %}{% set a = 2 %}{% else %}{% set a = 3 %}{% endif %}{{ a }}",
			"{{ _('Dear') }} {{ format_date(expiry_date) }}",
			"{% with who = customer_name %}{{ who }}{% endwith %}",
		)
		for user in (self.marketer, self.manager):
			for text in refused:
				with self.subTest(text, user=user), self.assertRaises(REFUSED):
					self.written(user, response_html=text)
			for text in allowed:
				with self.subTest(text, user=user):
					self.written(user, response_html=text)

	def test_no_request_that_leaves_frappes_checks_out_renames_or_merges_one(self):
		for user in (self.marketer, self.manager):
			theirs, own = self.written().name, self.written(user).name
			frappe.db.commit()
			# What Frappe calls last, also where a request leaves out all that it asks before.
			for new, old, merge in ((theirs, "Another", False), (theirs, own, True), (own, theirs, True)):
				frappe.set_user(user)
				with self.subTest(user=user, old=old, merge=merge):
					with self.assertRaises(frappe.PermissionError):
						frappe.get_doc("Email Template", new).run_method("after_rename", old, new, merge)
				frappe.set_user("Administrator")
			frappe.set_user(user)
			rename_doc("Email Template", own, renamed := factories.unique("Test"))
			frappe.set_user("Administrator")
			self.assertTrue(frappe.db.exists("Lifecycle Template", {"email_template": renamed}))

	def test_the_form_says_why_and_a_stranger_asks_in_vain(self):
		doc = self.written()
		frappe.set_user(self.marketer)
		rights = api.template_rights(doc.name)
		self.assertTrue(rights["obstacle"])
		self.assertFalse(rights["may_release"] or rights["released"])

	def test_the_fields_that_name_a_template_are_found_and_not_listed(self):
		name = self.written().name
		self.assertEqual(template_rights.named_elsewhere(name), [])
		factories.campaign(email_template=name)
		self.assertEqual(template_rights.named_elsewhere(name), [])
		frappe.db.set_single_value("System Settings", "welcome_email_template", name)
		self.assertEqual(template_rights.named_elsewhere(name), ["System Settings"])
