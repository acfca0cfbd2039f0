"""Somebody hears of what stopped: the Marketing Managers, or else those who look after the site."""

import frappe

from marketing_automation.engine import notify
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase


class TestAlarm(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.addCleanup(frappe.db.rollback)

	def told(self) -> set[str]:
		frappe.db.delete("Notification Log")
		notify.managers(lambda: "It has stopped", "Lifecycle Run", "RUN")
		return {*frappe.get_all("Notification Log", pluck="for_user")}

	def without(self, role: str) -> None:
		for user in {*frappe.get_all("Has Role", {"role": role, "parenttype": "User"}, pluck="parent")}:
			if user != "Administrator":
				frappe.db.set_value("User", user, "enabled", 0)

	def test_the_marketing_managers_and_nobody_else(self):
		manager = factories.user("Marketing Manager")
		told = self.told()
		self.assertIn(manager, told)
		self.assertNotIn("keeper@users.example", told)

	def test_where_none_can_log_in_the_system_managers(self):
		factories.user("Marketing Manager")
		self.without("Marketing Manager")
		self.assertEqual(
			self.told(), {*frappe.get_all("User", {"name": "keeper@users.example"}, pluck="name")}
		)

	def test_where_there_is_nobody_the_administrator(self):
		factories.keeper()
		self.without("Marketing Manager")
		self.without("System Manager")
		self.assertEqual(self.told(), {"Administrator"})
