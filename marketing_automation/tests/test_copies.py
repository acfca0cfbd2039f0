"""A copy of a site writes to no customer until somebody says that it is the real one."""

from unittest.mock import patch

import frappe
from frappe.client import set_value

from marketing_automation import api
from marketing_automation.channels.email import sender
from marketing_automation.engine import dispatch, identity, run, settle
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.patches import send_our_own_mails
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days


class TestCopies(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.addCleanup(self.bound_again)
		self.pin = factories.pin(factories.customer(), in_days(30))

	@staticmethod
	def bound_again():
		frappe.db.rollback()
		identity.bind()
		frappe.db.commit()

	def on_a_copy(self, **config):
		"""Return a context in which this is the site that a backup was restored into."""
		return patch.dict(frappe.local.conf, config or {"encryption_key": "another"})

	def test_nothing_is_planned_and_the_night_is_caught_up_on(self):
		factories.campaign()
		with self.on_a_copy():
			night = self.run_night()
			self.assertEqual((night.status, self.ledger()), ("Failed", []))
			self.assertIn("copy", night.error)
			api.bind_site()
			self.run_night()
			self.assertEqual(self.outcome_of(self.pin), ("Queued", None))

	def test_what_was_claimed_on_the_real_site_is_not_delivered(self):
		factories.campaign()
		with patch.object(run.deliver, "enqueue"):
			self.run_night()
		with self.on_a_copy():
			with self.at(f"{in_days(1)} 12:00"):
				settle.settle()
			self.assertEqual((self.outcome_of(self.pin), self.mails()), (("Pending", None), []))

	def test_what_the_real_site_was_about_to_send_is_not_sent(self):
		factories.campaign()
		self.run_night()
		names = [str(mail.name) for mail in self.mails()]
		with self.on_a_copy(), patch.object(sender._Sender, "send") as send:
			dispatch.send(sender.ACTION_TYPE, names)
			send.assert_not_called()
			settle.settle()
			self.assertEqual((self.outcome_of(self.pin), self.mails()), (("Pending", None), []))

	def test_by_what_a_copy_is_known(self):
		self.assertFalse(identity.is_copy())
		for config in ({"db_name": "_another"}, {"encryption_key": "another"}):
			with self.subTest(config), self.on_a_copy(**config):
				self.assertTrue(identity.is_copy())
		with patch.object(frappe, "get_site_path", return_value="./staging.example.com"):
			self.assertTrue(identity.is_copy())
		with patch.object(frappe.local, "lifecycle_database_host", "staging", create=True):
			self.assertTrue(identity.is_copy())

	def test_a_container_that_is_made_anew_is_not_a_copy(self):
		def on(host: str) -> str:
			del frappe.local.lifecycle_database_host
			with patch.object(frappe.db, "sql", return_value=((host,),)):
				return identity.fingerprint()

		identity.fingerprint()
		self.addCleanup(delattr, frappe.local, "lifecycle_database_host")
		self.assertEqual(on("0123456789ab"), on("ba9876543210"))
		self.assertNotEqual(on("db1"), on("db2"))

	def test_the_bar_says_so_and_who_may_change_the_settings_says_go_on(self):
		campaign = factories.campaign()
		marketer, manager = factories.user("Marketing User"), factories.user("Marketing Manager")
		self.addCleanup(frappe.set_user, "Administrator")
		with self.on_a_copy():
			for user, may in ((marketer, False), (manager, True)):
				frappe.set_user(user)
				first = api.health(campaign.name)[0]
				self.assertIn("copy", first["text"])
				self.assertEqual((first["level"], bool(first["may_bind"])), ("red", may))
			frappe.set_user(marketer)
			with self.assertRaises(frappe.PermissionError):
				api.bind_site()
			frappe.set_user(manager)
			api.bind_site()
			self.assertFalse(any("copy" in problem["text"] for problem in api.health(campaign.name)))

	def test_no_form_and_no_request_says_so(self):
		bound = frappe.db.get_single_value(SETTINGS, "bound_to")
		self.assertEqual(bound, identity.fingerprint())
		set_value(SETTINGS, SETTINGS, "bound_to", "x")
		self.assertEqual(frappe.db.get_singles_dict(SETTINGS).bound_to, bound)

	def test_a_site_of_the_first_version_is_bound_by_its_migration_and_a_new_one_by_its_first_night(self):
		for bind in (send_our_own_mails.execute, self.run_night):
			frappe.db.delete("Singles", {"doctype": SETTINGS, "field": "bound_to"})
			self.assertFalse(identity.is_copy())
			bind()
			self.assertEqual(frappe.db.get_singles_dict(SETTINGS).bound_to, identity.fingerprint())
		with self.on_a_copy():
			send_our_own_mails.execute()
			self.assertTrue(identity.is_copy(), "its copy is not bound when it is migrated")
