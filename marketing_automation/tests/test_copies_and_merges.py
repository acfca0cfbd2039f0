"""A copy of a campaign changes nothing of the original and writes to nobody who has left it; nothing merges into another."""

import frappe
from frappe.model.rename_doc import rename_doc

from marketing_automation import api
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days

REFUSED = (frappe.ValidationError, frappe.PermissionError)


class TestCopies(MarketingTestCase):
	def templates_of(self, campaign: str) -> set[str]:
		actions = frappe.get_all("Lifecycle Action", {"campaign": campaign}, ["name", "email_template"])
		names = {action.email_template for action in actions}
		for action in actions:
			names |= {
				row.email_template for row in frappe.get_doc("Lifecycle Action", action.name).translations
			}
		return names

	def leaves(self, customer: str, campaign: str) -> None:
		factories.make(
			"Email Unsubscribe",
			email=factories.address(customer),
			reference_doctype="Lifecycle Campaign",
			reference_name=campaign,
		)

	def activated(self, campaign: str):
		doc = frappe.get_doc("Lifecycle Campaign", campaign)
		doc.is_active = 1
		return doc.save()

	def test_to_edit_the_copys_message_leaves_the_live_one_as_it_was(self):
		first = api.make_from_recipe("subscription_renewal", factories.unique("Test"), "30,7", "en")
		copy = api.duplicate(first, factories.unique("Test"))
		old, new = self.templates_of(first), self.templates_of(copy)
		self.assertEqual((len(old), old & new), (len(new), set()))
		self.assertTrue(all(name.startswith(copy) for name in new), new)
		for name in new:
			frappe.db.set_value("Email Template", name, "subject", "Changed")
		subjects = frappe.get_all("Email Template", {"name": ["in", list(old)]}, pluck="subject")
		self.assertNotIn("Changed", subjects)
		# A template that two actions share is copied once.
		twice = factories.campaign({}, {"days_offset": 7})
		self.assertEqual(len(self.templates_of(api.duplicate(twice.name, factories.unique("Test")))), 1)

	def test_names_of_140_characters_have_copies_with_names_of_their_own(self):
		long = "Test " + "x" * 135
		original = factories.campaign(email_template=factories.template())
		first = api.duplicate(original.name, long)
		(name,) = self.templates_of(first)
		self.assertLessEqual(len(name), 140)
		second = api.duplicate(first, long[:-1] + "y")
		(other,) = self.templates_of(second)
		self.assertNotEqual(name, other)
		self.assertLessEqual(len(other), 140)

	def test_a_marketer_edits_the_templates_of_their_copy(self):
		original = factories.campaign()
		frappe.db.commit()
		frappe.set_user(factories.user("Marketing User"))
		(name,) = self.templates_of(api.duplicate(original.name, factories.unique("Test")))
		template = frappe.get_doc("Email Template", name)
		template.subject = "Hello"
		template.save()

	def test_who_had_left_the_original_gets_nothing_from_a_copy_nor_from_a_copy_of_it(self):
		gone, later, here = factories.customer(), factories.customer(), factories.customer()
		of = {who: factories.pin(who, in_days(30)) for who in (gone, later, here)}
		original = factories.campaign(active=False)
		self.leaves(gone, original.name)
		copy = api.duplicate(original.name, factories.unique("Test"))
		second = api.duplicate(copy, factories.unique("Test"))
		# By a link in a mail that the original had sent.
		self.leaves(later, original.name)
		self.activated(second)
		self.run_night()
		found = {row.reference_name: (row.status, row.reason) for row in self.ledger()}
		self.assertEqual(
			found,
			{
				of[gone]: ("Skipped", "Unsubscribed"),
				of[later]: ("Skipped", "Unsubscribed"),
				of[here]: ("Queued", None),
			},
		)

	def test_who_leaves_a_copy_still_gets_the_original(self):
		customer = factories.customer()
		pin = factories.pin(customer, in_days(30))
		original = factories.campaign()
		self.leaves(customer, api.duplicate(original.name, factories.unique("Test")))
		self.run_night()
		self.assertEqual(self.outcome_of(pin), ("Queued", None))

	def test_what_it_is_a_copy_of_cannot_be_taken_from_it(self):
		original = factories.campaign(active=False)
		copy = frappe.get_doc("Lifecycle Campaign", api.duplicate(original.name, factories.unique("Test")))
		copy.duplicated_from = None
		with self.assertRaises(frappe.CannotChangeConstantError):
			copy.save()

	def test_where_the_one_between_is_deleted_the_first_still_counts(self):
		customer = factories.customer()
		pin = factories.pin(customer, in_days(30))
		original = factories.campaign(active=False)
		between = api.duplicate(original.name, factories.unique("Test"))
		last = api.duplicate(between, factories.unique("Test"))
		self.leaves(customer, original.name)
		frappe.delete_doc("Lifecycle Campaign", between)
		self.activated(last)
		self.run_night()
		self.assertEqual(self.outcome_of(pin), ("Skipped", "Unsubscribed"))

	def test_where_the_first_is_deleted_who_had_left_it_has_left_its_copies(self):
		gone, both, here = factories.customer(), factories.customer(), factories.customer()
		of = {who: factories.pin(who, in_days(30)) for who in (gone, both, here)}
		original = factories.campaign(active=False)
		copies = [api.duplicate(original.name, factories.unique("Test")) for _ in range(2)]
		copies.append(api.duplicate(copies[0], factories.unique("Test")))
		for who in (gone, both):
			self.leaves(who, original.name)
		self.leaves(both, copies[0])
		frappe.delete_doc("Lifecycle Campaign", original.name)
		frappe.db.delete("Email Unsubscribe", {"reference_name": original.name})
		for copy in copies:
			self.activated(copy)
		self.run_night()
		for copy in copies:
			found = {row.reference_name: row.reason for row in self.ledger(campaign=copy)}
			self.assertEqual(
				found, {of[gone]: "Unsubscribed", of[both]: "Unsubscribed", of[here]: None}, copy
			)
		emails = frappe.get_all("Email Unsubscribe", {"reference_name": copies[0]}, pluck="email")
		self.assertEqual(len(emails), len(set(emails)))


class TestMerges(MarketingTestCase):
	def test_nothing_of_a_campaign_merges_into_another(self):
		one, other = factories.campaign(), factories.campaign(active=False)
		marketer = factories.user("Marketing User")
		for doctype in ("Lifecycle Campaign", "Lifecycle Trigger", "Lifecycle Action"):
			names = [
				campaign.name
				if doctype == "Lifecycle Campaign"
				else frappe.db.get_value(doctype, {"campaign": campaign.name})
				for campaign in (one, other)
			]
			for old, new in (names, names[::-1]):
				for user in (marketer, "Administrator"):
					frappe.set_user(user)
					with self.subTest(doctype, user=user), self.refused("cannot be merged"):
						rename_doc(doctype, old, new, merge=True, force=True)
					frappe.set_user("Administrator")
					self.assertTrue(frappe.db.exists(doctype, old))
		with self.assertRaises(frappe.ValidationError):
			rename_doc("Lifecycle Campaign", other.name, one.name)

	def test_nothing_takes_another_name_by_a_request_that_leaves_frappes_checks_out(self):
		customer = factories.customer()
		factories.pin(customer, in_days(30))
		campaign = factories.campaign()
		self.run_night()
		(before,) = self.ledger()
		readers = factories.user("Marketing User"), factories.user("Marketing Manager")
		frappe.db.commit()
		for doctype in (
			*("Lifecycle Campaign", "Lifecycle Trigger", "Lifecycle Action"),
			*("Lifecycle Execution Log", "Lifecycle Run"),
		):
			(name,) = frappe.get_all(doctype, pluck="name")
			for user in (*readers, "Administrator"):
				frappe.set_user(user)
				with self.subTest(doctype, user=user), self.assertRaises(REFUSED):
					# What Frappe calls last, also where a request leaves out all that it asks before.
					frappe.get_doc(doctype, name).run_method("after_rename", "Another", name, False)
				frappe.set_user("Administrator")
				frappe.db.rollback()
		for doctype in ("Lifecycle Trigger", "Lifecycle Action", "Lifecycle Execution Log"):
			(name,) = frappe.get_all(doctype, pluck="name")
			with self.subTest(doctype), self.assertRaises(REFUSED):
				rename_doc(doctype, name, factories.unique("Test"), force=True)
			frappe.db.rollback()
		self.run_night(campaign.name)
		(after,) = self.ledger()
		self.assertEqual((after.name, after.action), (before.name, before.action))

	def test_nor_is_a_campaign_that_a_user_may_only_read_renamed_by_one(self):
		unused = factories.campaign(active=False)
		reader = factories.user("Sales User")
		frappe.share.add("Lifecycle Campaign", unused.name, reader)
		frappe.db.commit()
		self.addCleanup(frappe.share.remove, "Lifecycle Campaign", unused.name, reader)
		self.addCleanup(frappe.set_user, "Administrator")
		self.addCleanup(frappe.db.rollback)
		frappe.set_user(reader)
		with self.assertRaises(frappe.PermissionError):
			frappe.get_doc("Lifecycle Campaign", unused.name).run_method(
				"after_rename", "Another", unused.name, False
			)

	def test_nobody_renames_another_companys_campaign(self):
		theirs = factories.campaign(company=factories.company(), active=False)
		bound = factories.user("Marketing User", sees={"Company": factories.second_company()})
		frappe.db.commit()
		frappe.set_user(bound)
		with self.assertRaises(frappe.PermissionError):
			rename_doc("Lifecycle Campaign", theirs.name, factories.unique("Test"))
