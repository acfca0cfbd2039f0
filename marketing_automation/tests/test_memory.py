"""The ledger forgets what is old and what somebody wants forgotten, and still nobody gets a message twice."""

import frappe
from frappe.core.doctype.log_settings.log_settings import run_log_clean_up

from marketing_automation import api
from marketing_automation.engine import ledger, retention
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days


class TestRetention(MarketingTestCase):
	def told(self, *triggers: dict, **campaign):
		factories.pin(factories.customer(), in_days(30))
		doc = factories.campaign(*triggers, **campaign)
		self.run_night()
		self.mail_sent()
		return doc

	def clear(self, days_later: int, days: int = 365) -> int:
		"""Clear rows of more than `days` in so many days, after a night's run; return how many rows are left."""
		with self.at(f"{in_days(days_later)} 02:00"):
			self.run_night()
			frappe.get_attr(
				"marketing_automation.marketing_automation.doctype.lifecycle_execution_log"
				".lifecycle_execution_log.LifecycleExecutionLog"
			).clear_old_logs(days)
		return len(self.ledger())

	def test_log_settings_knows_the_ledger_and_clears_it(self):
		days = {row.ref_doctype: row.days for row in frappe.get_single("Log Settings").logs_to_clear}
		self.assertEqual(days.get(ledger.DOCTYPE), 730)
		self.told()
		with self.at(f"{in_days(800)} 02:00"):
			self.run_night()
			run_log_clean_up()
		self.assertEqual(self.ledger(), [])

	def test_what_is_old_goes_and_what_is_younger_stays(self):
		self.told()
		self.assertEqual(self.clear(30 + 365), 1, "the expiry is as old as may be kept")
		self.assertEqual(self.clear(30 + 366), 0)

	def test_who_is_told_once_ever_is_never_forgotten(self):
		self.told(duplicate_policy="Once per customer")
		self.assertEqual(self.clear(4000), 1)

	def test_a_message_on_its_way_is_never_forgotten(self):
		factories.pin(factories.customer(), in_days(30))
		factories.campaign()
		self.run_night()
		self.assertEqual(self.clear(4000), 1)

	def test_nights_that_the_next_run_takes_are_not_forgotten(self):
		self.told()
		# No run has succeeded since the campaign was switched on, so that the next one begins with that day.
		frappe.db.set_value("Lifecycle Run", {}, "status", "Failed")
		with self.at(f"{in_days(800)} 02:00"):
			retention.clear(365)
		self.assertEqual(len(self.ledger()), 1)

	def test_a_trigger_cannot_be_turned_to_what_is_forgotten(self):
		campaign = self.told()
		(name,) = frappe.get_all("Lifecycle Trigger", filters={"campaign": campaign.name}, pluck="name")
		trigger = frappe.get_doc("Lifecycle Trigger", name)
		self.clear(400)
		with self.at(f"{in_days(400)} 03:00"):
			trigger.update({"trigger_type": "After", "days_offset": 370})
			with self.refused("Add a new trigger", "370"):
				trigger.save()
			trigger.reload()
			trigger.update({"trigger_type": "After", "days_offset": 300}).save()


class TestForgottenAddress(MarketingTestCase):
	def told(self) -> str:
		customer = factories.customer()
		factories.pin(customer, in_days(30))
		factories.campaign()
		self.run_night()
		self.mail_sent()
		return factories.address(customer)

	def test_on_request_the_address_goes_and_the_row_still_prevents_the_duplicate(self):
		email = self.told()
		self.assertEqual(api.forget(email), 1)
		(row,) = self.ledger()
		self.assertEqual((row.recipient, row.error), (None, None))
		again = self.run_night()
		self.assertEqual((again.due, again.known, len(self.mails())), (1, 1, 1))

	def test_only_that_persons(self):
		email, other = self.told(), self.told()
		self.assertNotEqual(email, other)
		api.forget(email)
		self.assertNotIn(email, {row.recipient for row in self.ledger()})
		self.assertIn(other, {row.recipient for row in self.ledger()})

	def test_through_frappes_own_request(self):
		email = self.told()
		frappe.db.set_value(ledger.DOCTYPE, {}, "error", f"(550, 'no {email}')")
		hook = next(
			field
			for field in frappe.get_hooks("user_data_fields")
			if field["doctype"] == "Lifecycle Execution Log"
		)
		request = frappe.new_doc("Personal Data Deletion Request")
		request.email = email
		# What _anonymize_data does, without the steps for Frappe's own DocTypes.
		request._PersonalDataDeletionRequest__set_anonymization_data(
			email, "deleted-user-0001@test.localhost"
		)
		request.redact_full_match_data(hook, email)
		(row,) = self.ledger()
		self.assertNotIn(email, f"{row.recipient} {row.error}")
		self.assertEqual(self.run_night().known, 1)
