"""A company's brand is set once, can be read, and is seen by everybody."""

from unittest.mock import patch

import frappe
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing_automation import api
from marketing_automation.channels.email import look
from marketing_automation.engine import brand, colors
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, statements

COLOR = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


class TestColors(MarketingTestCase):
	@settings(max_examples=200, deadline=None, database=None, derandomize=True)
	@given(COLOR)
	def test_whatever_is_chosen_can_be_read(self, color):
		made = brand.made(None, frappe._dict(name="x", color=color, link_color=None), None, {}, {})
		self.assertEqual(made.color, color)
		self.assertGreaterEqual(colors.contrast(made.on_color, made.color), colors.READABLE)
		self.assertGreaterEqual(colors.contrast(made.link, brand.PAPER), colors.READABLE)
		self.assertGreaterEqual(colors.contrast(made.link_in_dark, brand.NIGHT), colors.READABLE)

	def test_what_can_be_read_already_is_left_as_it_is(self):
		self.assertEqual(colors.readable("#1b4d5c", brand.PAPER), "#1b4d5c")
		self.assertEqual(colors.readable("#e8eaed", brand.NIGHT), "#e8eaed")

	def test_what_is_muted_can_be_read_on_its_ground(self):
		self.assertGreaterEqual(colors.contrast(look.MUTED, brand.PAPER), colors.READABLE)
		for ground in (brand.NIGHT, look.RAISED):
			for text in (look.LIGHT_TEXT, look.LIGHT_MUTED):
				self.assertGreaterEqual(colors.contrast(text, ground), colors.READABLE)


class TestBrand(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.forget()
		self.addCleanup(self.forget)

	def forget(self):
		frappe.set_user("Administrator")
		frappe.db.rollback()
		for name in frappe.get_all("Lifecycle Brand", {"brand_name": ["like", "Test %"]}, pluck="name"):
			frappe.delete_doc("Lifecycle Brand", name, force=True)
		frappe.db.commit()
		brand.forget()

	def brand(self, **fields):
		return factories.brand(**fields)

	def address(self, **fields) -> None:
		"""Give the tests' company an address, for as long as the test runs."""
		doc = factories.make(
			"Address",
			address_title=factories.unique("Test"),
			address_type="Office",
			address_line1="1 Main Street",
			city="Springfield",
			country="Colombia" if frappe.db.exists("Country", "Colombia") else None,
			links=[{"link_doctype": "Company", "link_name": factories.company()}],
			**fields,
		)
		self.addCleanup(frappe.delete_doc, "Address", doc.name, force=True)

	def test_without_one_it_is_what_erpnext_says_of_the_company(self):
		self.address()
		found = brand.brand_of(factories.company())
		self.assertEqual((found.name, found.title), (None, factories.company()))
		self.assertEqual(found.address[:2], ("1 Main Street", "Springfield"))
		self.assertTrue(found.color)

	def test_without_a_company_it_is_the_sites(self):
		found = brand.brand_of(None)
		self.assertTrue(found.title)
		self.assertEqual(found.address, ())

	def test_what_is_left_empty_comes_from_that_of_all_companies(self):
		common = self.brand(
			color="#5b3fd6", foot_text="All", links=[{"label": "Help", "url": "https://x.example"}]
		)
		own = self.brand(company=factories.company(), foot_text="Own")
		brand.forget()
		found = brand.brand_of(factories.company())
		self.assertEqual((found.name, found.foot, found.color), (own.name, "Own", "#5b3fd6"))
		self.assertEqual(found.links, (("Help", "https://x.example"),))
		brand.forget()
		self.assertEqual(brand.brand_of(factories.second_company()).name, common.name)

	def test_it_is_read_once(self):
		company = factories.company()
		brand.brand_of(company)
		with statements() as seen:
			brand.brand_of(company)
		self.assertEqual(list(seen), [])

	def test_a_change_is_seen_at_once(self):
		doc = self.brand(foot_text="Before")
		self.assertEqual(brand.brand_of(None).foot, "Before")
		doc.update({"foot_text": "After"}).save()
		self.assertEqual(brand.brand_of(None).foot, "After")

	def test_a_company_has_one(self):
		self.brand(company=factories.company())
		with self.refused("is the brand of"):
			self.brand(company=factories.company())
		self.brand()
		with self.refused("is the brand of"):
			self.brand()

	def test_what_customers_could_not_see_or_read_is_refused(self):
		for fields, text in (
			({"logo": "/private/files/logo.png"}, "private"),
			({"logo": "http://shop.example/logo.png"}, "https://"),
			({"color": "no colour"}, "is no colour"),
			({"website": "shop.example"}, "https://"),
			({"links": [{"label": "x", "url": "javascript:alert(1)"}]}, "https://"),
		):
			with self.subTest(fields), self.refused(text):
				self.brand(**fields)

	def test_what_somebody_typed_is_text(self):
		evil = '"><script>alert(1)</script>{{ 7*7 }}{% raw %}<!--unsubscribe_url-->'
		made = brand.made(
			None,
			frappe._dict(
				name="x", sender_name=evil, foot_text=evil, postal_address=evil, logo="/files/x.png"
			),
			None,
			{"x": ((evil, "https://x.example/?a=b&c"),)},
			{},
		)
		html = look.framed(look.Look(made, "en", False, True), "x", "<p>x</p>", None, None)
		self.assertNotIn("<script", html)
		self.assertNotIn("<!--unsubscribe_url-->", html)

	def test_its_form_shows_a_mail_and_says_which_colours_could_not_be_read(self):
		with patch.object(frappe.local, "lang", "en"):
			found = api.brand_preview(
				{"color": "#ffcc00", "sender_name": "Pins <Ltd>", "postal_address": "1 Main St"}
			)
		self.assertIn("Pins &lt;Ltd&gt;, 1 Main St", found["html"])
		self.assertIn("Text on #ffcc00 is black", found["colors"][0])
		self.assertIn("could hardly be read on white", found["colors"][1])

	def test_marketers_may_and_others_may_not(self):
		manager, other = factories.user("Marketing Manager"), factories.user("Stock User")
		self.addCleanup(frappe.set_user, "Administrator")
		frappe.set_user(manager)
		frappe.get_doc({"doctype": "Lifecycle Brand", "brand_name": factories.unique("Test")}).insert()
		frappe.set_user(other)
		with self.assertRaises(frappe.PermissionError):
			frappe.get_doc({"doctype": "Lifecycle Brand", "brand_name": factories.unique("Test")}).insert()
		with self.assertRaises(frappe.PermissionError):
			api.brand_preview({})
