"""On a new site, where no run was and nothing was ever cleared, triggers are made and changed like anywhere else."""

from datetime import date, datetime, timedelta
from unittest.mock import patch

import frappe

from marketing_automation.engine import retention, watchdog
from marketing_automation.engine.settings import SETTINGS, day, moment
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase

# What an empty one of a Single is in the database: nothing, no value, an empty text, and what Frappe makes of these.
EMPTY_DATES = ("no row", None, "", "0001-01-01", "0001-01-01 00:00:00")


class TestNewSite(MarketingTestCase):
	def store(self, field: str, value) -> None:
		frappe.db.delete("Singles", {"doctype": SETTINGS, "field": field})
		if value != "no row":
			singles = frappe.qb.DocType("Singles")
			frappe.qb.into(singles).columns("doctype", "field", "value").insert(SETTINGS, field, value).run()
		frappe.db.value_cache.clear()
		frappe.clear_document_cache(SETTINGS, SETTINGS)

	def test_a_trigger_is_changed_from_30_days_to_25(self):
		for value in EMPTY_DATES:
			with self.subTest(cleared_until=value):
				trigger = factories.trigger(factories.campaign().name)
				self.store("cleared_until", value)
				trigger.days_offset = 25
				trigger.save()
				trigger.trigger_type = "After"
				trigger.save()
				self.assertEqual(frappe.db.get_value("Lifecycle Trigger", trigger.name, "days_offset"), 25)

	def test_a_trigger_is_changed_after_the_log_was_cleared(self):
		trigger = factories.trigger(factories.campaign().name)
		for days in (730, 365, 0):
			retention.clear(days)
			trigger.days_offset -= 1
			trigger.save()
		self.assertEqual(retention.cleared_until(), frappe.utils.getdate())
		trigger.trigger_type = "After"
		with self.refused("Add a new trigger"):
			trigger.save()

	def test_log_settings_of_more_days_than_there_are_clear_nothing(self):
		for days in (800_000, 10**9):
			retention.clear(days)
			self.assertIsNone(retention.cleared_until())

	def test_an_empty_date_of_the_settings_is_none_and_another_one_is_itself(self):
		for value in EMPTY_DATES:
			with self.subTest(value=value):
				self.store("cleared_until", value)
				self.store("overdue_told_at", value)
				self.assertEqual((day("cleared_until"), moment("overdue_told_at")), (None, None))
				self.assertEqual(moment("overdue_told_at", for_update=True), None)
		frappe.db.set_single_value(SETTINGS, "cleared_until", "2026-03-01")
		frappe.db.set_single_value(SETTINGS, "overdue_told_at", "2026-03-01 04:05:06")
		self.assertEqual(day("cleared_until"), date(2026, 3, 1))
		self.assertEqual(moment("overdue_told_at"), datetime(2026, 3, 1, 4, 5, 6))

	def test_the_managers_hear_of_a_first_outage(self):
		manager = factories.user("Marketing Manager")
		factories.campaign()
		since = frappe.utils.now_datetime() - timedelta(days=2)
		for value in EMPTY_DATES:
			with (
				self.subTest(overdue_told_at=value),
				patch.object(watchdog, "overdue", return_value=(None, since)),
			):
				frappe.db.delete("Notification Log")
				self.store("overdue_told_at", value)
				watchdog.warn()
				watchdog.warn()
				self.assertEqual(frappe.db.count("Notification Log", {"for_user": manager}), 1)
