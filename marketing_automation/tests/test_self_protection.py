"""It notices by itself when something is wrong, and says so once to those who can do something."""

from unittest.mock import patch

import frappe

from marketing_automation import api
from marketing_automation.engine import deliver, protection, settle, watchdog
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days


class SelfProtectionTestCase(MarketingTestCase):
	@classmethod
	def setUpClass(cls):
		super().setUpClass()
		cls.manager = factories.user("Marketing Manager")
		cls.marketer = factories.user("Marketing User")
		frappe.db.commit()

	def told(self) -> list[str]:
		"""Return the subjects of the manager's notifications."""
		return frappe.get_all(
			"Notification Log", filters={"for_user": self.manager}, pluck="subject", order_by="creation asc"
		)


class TestPause(SelfProtectionTestCase):
	def setUp(self):
		super().setUp()
		frappe.get_single(SETTINGS).update({"pause_share": 50, "pause_count": 3}).save()

	def failing(self, failures: int, successes: int):
		"""Return a campaign whose template raises for some customers, after its night."""
		# Delivered in the order of their names: those that fail come first.
		for index, name in enumerate(["Test Bad"] * failures + ["Test Good"] * successes):
			customer = factories.customer(factories.unique(f"Test {index}"))
			frappe.db.set_value("Customer", customer, "customer_name", name)
			factories.pin(customer, in_days(30))
		response = "{% if customer_name == 'Test Bad' %}{{ 1 // (days_left - 30) }}{% endif %}Hello"
		campaign = factories.campaign(email_template=factories.template(response=response))
		self.run_night()
		campaign.reload()
		return campaign

	def test_too_many_failures_pause_the_campaign_and_the_managers_are_told_once(self):
		campaign = self.failing(3, 3)
		self.assertEqual((campaign.is_active, campaign.active_since), (0, None))
		self.assertIn("3 of 6 messages failed", campaign.pause_reason)
		settle.settle()
		self.assertEqual(len(self.told()), 1)
		self.assertIn(campaign.name, self.told()[0])
		self.assertEqual(self.mails(), [], "what had not left is taken back, and the managers get no mail")

	def test_few_failures_do_not(self):
		for failures, successes in ((2, 0), (3, 4)):
			self._reset()
			frappe.get_single(SETTINGS).update({"pause_share": 50, "pause_count": 3}).save()
			self.assertEqual(self.failing(failures, successes).is_active, 1)
		self.assertEqual(self.told(), [])

	def test_the_rest_of_the_night_is_stopped_and_can_be_sent_after_the_correction(self):
		with patch.object(deliver, "COMMIT_EVERY", 3):
			campaign = self.failing(4, 2)
		cancelled = self.ledger(status="Cancelled")
		self.assertEqual({row.reason for row in cancelled}, {"Campaign inactive"})
		self.assertGreater(len(cancelled), 0)
		(action,) = frappe.get_all("Lifecycle Action", filters={"campaign": campaign.name}, pluck="name")
		template = frappe.get_doc(
			"Email Template", frappe.db.get_value("Lifecycle Action", action, "email_template")
		)
		template.update({"response": "Hello"}).save()
		campaign.update({"is_active": 1}).save()
		self.assertIsNone(campaign.pause_reason)
		frappe.db.commit()
		names = [row.name for row in self.ledger()]
		api.retry(names)
		api.send_skipped(names)
		settle.settle()
		campaign.reload()
		self.assertEqual(campaign.is_active, 1, "what was seen does not pause it again")
		self.assertEqual({row.status for row in self.ledger()}, {"Queued"})
		self.assertEqual(len(self.mails()), 6)

	def test_refused_mails_count_when_they_come_back(self):
		campaign = self.failing(0, 4)
		self.mail_sent("Error", error="SMTPSenderRefused: (550, b'not you', 'shop@company.example')")
		campaign.reload()
		self.assertEqual(campaign.is_active, 0)

	def test_what_is_tried_again_by_itself_does_not_count(self):
		campaign = self.failing(0, 4)
		self.mail_sent("Error", error="ConnectionRefusedError: [Errno 111] Connection refused")
		campaign.reload()
		self.assertEqual((campaign.is_active, len(self.ledger(status="Failed"))), (1, 4))

	def test_in_the_language_of_the_site_and_of_whoever_is_told(self):
		english = factories.user("Marketing Manager", language="en")

		def speak(language: str) -> None:
			frappe.db.set_single_value("System Settings", "language", language)
			frappe.db.set_value("User", self.manager, "language", language)
			frappe.db.set_value("User", english, {"language": "en", "enabled": int(language == "es")})
			frappe.cache.delete_key("lang")
			frappe.db.commit()
			frappe.clear_document_cache("System Settings", "System Settings")

		self.addCleanup(speak, "en")
		speak("es")
		campaign = self.failing(3, 0)
		self.assertIn("3 de 3 mensajes", campaign.pause_reason)
		self.assertIn("La campaña", self.told()[0])
		subject = frappe.db.get_value("Notification Log", {"for_user": english}, "subject")
		self.assertIn("The campaign", subject)
		(row,) = {row.error for row in self.ledger()}
		self.assertIn("La plantilla", row)
		self.assertEqual(frappe.local.lang, "en")

	def test_the_threshold(self):
		for failed, tried, expected in (
			(10, 50, True),
			(10, 51, False),
			(9, 9, False),
			(20, 100, True),
			(0, 0, False),
		):
			self.assertEqual(protection.exceeded(failed, tried, 20, 10), expected, (failed, tried))


class TestWatchdog(SelfProtectionTestCase):
	def test_no_successful_run_for_26_hours_is_told_once(self):
		factories.campaign()
		self.run_night()
		with self.at(f"{in_days(1)} 01:00"):
			self.assertIsNone(watchdog.overdue()[1])
		with self.at(f"{in_days(3)} 01:00"):
			self.assertTrue(watchdog.overdue()[1])
			for _ in range(3):
				settle.settle()
			self.assertEqual(len(self.told()), 1)
			self.assertIn("No run has succeeded", self.told()[0])
			self.run_night()
			self.assertIsNone(watchdog.overdue()[1])
		with self.at(f"{in_days(6)} 01:00"):
			settle.settle()
			self.assertEqual(len(self.told()), 2, "the next outage is told again")

	def test_where_the_scheduler_is_off_opening_the_desk_tells_it(self):
		factories.campaign()
		self.run_night()

		def open_desk(user: str) -> None:
			frappe.set_user(user)
			for hook in frappe.get_hooks("extend_bootinfo", app_name="marketing_automation"):
				frappe.get_attr(hook)(bootinfo=frappe._dict())
			frappe.set_user("Administrator")

		self.addCleanup(frappe.set_user, "Administrator")
		open_desk(self.manager)
		self.assertEqual(self.told(), [], "the night was run")
		with self.at(f"{in_days(3)} 09:00"):
			open_desk(self.marketer)
			self.assertEqual(self.told(), [], "a marketer cannot do anything about it")
			for _ in range(2):
				open_desk(self.manager)
		self.assertEqual(len(self.told()), 1)
		self.assertIn("No run has succeeded", self.told()[0])

	def test_without_an_active_campaign_nothing_is_overdue(self):
		campaign = factories.campaign()
		self.run_night()
		campaign.update({"is_active": 0}).save()
		with self.at(f"{in_days(3)} 01:00"):
			settle.settle()
			self.assertEqual((self.told(), watchdog.overdue()[1]), ([], None))

	def test_a_campaign_that_was_just_switched_on_has_missed_nothing(self):
		factories.campaign()
		settle.settle()
		self.assertEqual(self.told(), [])
		with self.at(f"{in_days(3)} 01:00"):
			settle.settle()
			self.assertEqual(len(self.told()), 1)

	def test_a_run_of_one_campaign_does_not_prove_the_night(self):
		campaign = factories.campaign()
		with self.at(f"{in_days(3)} 01:00"):
			self.run_night(campaign.name)
			self.assertTrue(watchdog.overdue()[1])
			self.assertIn("Overdue", api.last_run())

	def test_the_workspace_says_so(self):
		factories.campaign()
		self.assertEqual(api.last_run(), "None yet")
		self.run_night()
		self.assertRegex(api.last_run(), "now|second")
		frappe.db.set_value("Lifecycle Run", {}, "status", "Interrupted")
		self.assertEqual(api.last_run(), "Interrupted")
		frappe.db.set_value("Lifecycle Run", {}, "status", "Completed")
		with self.at(f"{in_days(3)} 01:00"):
			self.assertIn("Overdue since", api.last_run())
			self.run_night()
			self.assertRegex(api.last_run(), "now|second")

	def test_the_desk_says_what_is_overdue_and_what_has_paused_itself(self):
		factories.campaign()
		paused = factories.campaign(active=False)
		frappe.db.set_value("Lifecycle Campaign", paused.name, "pause_reason", "3 of 3 failed")
		self.run_night()
		with (
			self.at(f"{in_days(3)} 01:00"),
			patch("marketing_automation.desk.health.is_scheduler_inactive", return_value=False),
		):
			texts = [problem["text"] for problem in api.health()]
		self.assertTrue(any("No nightly run has succeeded since" in text for text in texts), texts)
		self.assertIn(f"{paused.name}: 3 of 3 failed", texts)
