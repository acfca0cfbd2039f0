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
		manager = factories.user("System Manager")
		self.without("Marketing Manager")
		# ERPNext's own tests have made others.
		managers = frappe.get_all(
			"Has Role", {"role": "System Manager", "parenttype": "User"}, pluck="parent", order_by="name asc"
		)
		enabled = frappe.get_all(
			"User", {"enabled": 1, "name": ["in", managers]}, pluck="name", order_by="name asc"
		)
		self.assertIn(manager, enabled)
		self.assertEqual(self.told(), {*enabled} - {"Administrator"})

	def test_where_there_is_nobody_the_administrator(self):
		factories.keeper()
		self.without("Marketing Manager")
		self.without("System Manager")
		self.assertEqual(self.told(), {"Administrator"})
