"""Nobody makes a message go out again by deleting what the engine remembers, or by writing into it."""

import frappe
from frappe.client import delete, insert, set_value

from marketing_automation.engine import identity, ledger, settle
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days

LONG_AGO = "2020-01-01 00:00:00"


class TestDeleting(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.manager = factories.user("Marketing Manager")
		self.addCleanup(frappe.set_user, "Administrator")
		self.pin = factories.pin(factories.customer(), in_days(30))
		self.campaign = factories.campaign()
		self.run = self.run_night()

	def cannot_delete(self, doctype: str, name: str, error=frappe.LinkExistsError) -> None:
		for user in (self.manager, "Administrator"):
			frappe.set_user(user)
			with self.subTest(doctype=doctype, user=user), self.assertRaises(error):
				delete(doctype, name)
			frappe.db.rollback()
			frappe.clear_messages()
		frappe.set_user("Administrator")

	def test_what_was_sent_or_may_have_been_stays(self):
		(row,) = self.ledger()
		for status, reason in (
			("Completed", None),
			("Queued", None),
			("Pending", None),
			("Failed", "Outcome unknown"),
			("Failed", "Sending failed"),
			("Skipped", "Unsubscribed"),
			("Cancelled", "Campaign inactive"),
		):
			frappe.db.set_value(ledger.DOCTYPE, row.name, {"status": status, "reason": reason})
			frappe.db.commit()
			self.cannot_delete(ledger.DOCTYPE, row.name)

	def test_what_was_never_tried_can_go(self):
		factories.pin(factories.customer(email=None), in_days(30))
		self.run_night()
		(skipped,) = self.ledger(status="Skipped")
		frappe.set_user(self.manager)
		delete(ledger.DOCTYPE, skipped.name)
		self.assertFalse(frappe.db.exists(ledger.DOCTYPE, skipped.name))

	def test_a_night_is_not_forgotten_with_its_run_when_the_log_is_cleared(self):
		self.mail_sent()
		frappe.db.delete(ledger.DOCTYPE)
		frappe.db.commit()
		for status in ("Completed", "Delivering", "Running"):
			frappe.db.set_value(ledger.RUN, self.run.name, "status", status)
			frappe.db.commit()
			self.cannot_delete(ledger.RUN, self.run.name)

	def test_a_run_that_took_no_night_can_go(self):
		frappe.db.delete(ledger.DOCTYPE)
		for status in ("Failed", "Interrupted"):
			name = self.run_night().name
			frappe.db.delete(ledger.DOCTYPE)
			frappe.db.set_value(ledger.RUN, name, "status", status)
			frappe.db.commit()
			frappe.set_user(self.manager)
			delete(ledger.RUN, name)
			frappe.set_user("Administrator")
			self.assertFalse(frappe.db.exists(ledger.RUN, name))

	def test_the_settings_stay(self):
		self.cannot_delete(SETTINGS, SETTINGS, frappe.PermissionError)
		self.assertEqual(frappe.db.get_singles_dict(SETTINGS).bound_to, identity.fingerprint())


class TestWriting(MarketingTestCase):
	def documents(self):
		campaign = factories.campaign()
		trigger = frappe.get_doc("Lifecycle Trigger", {"campaign": campaign.name})
		action = frappe.get_doc("Lifecycle Action", {"trigger": trigger.name})
		return campaign, trigger, action

	def test_active_since_is_not_set_by_a_request(self):
		for doc in self.documents():
			doc.reload()
			for value in (LONG_AGO, None, "2999-01-01 00:00:00"):
				with self.subTest(doc.doctype, value=value):
					set_value(doc.doctype, doc.name, "active_since", value)
					self.assertEqual(
						frappe.db.get_value(doc.doctype, doc.name, "active_since"), doc.active_since
					)
					form = frappe.get_doc(doc.doctype, doc.name)
					form.update({"active_since": value}).save()
					self.assertEqual(
						frappe.db.get_value(doc.doctype, doc.name, "active_since"), doc.active_since
					)

	def test_nor_when_something_is_made_or_copied(self):
		_campaign, trigger, action = self.documents()
		began = frappe.utils.now_datetime()
		for doc in (trigger, action):
			values = {
				**frappe.copy_doc(doc).as_dict(no_nulls=True),
				"active_since": LONG_AGO,
				"campaign": factories.campaign(active=False).name if doc is trigger else doc.campaign,
			}
			made = frappe.get_doc(insert(values))
			self.assertTrue(made.enabled)
			self.assertGreaterEqual(
				frappe.db.get_value(made.doctype, made.name, "active_since"), began, made.doctype
			)
		made = insert(
			{
				"doctype": "Lifecycle Campaign",
				"campaign_name": factories.unique("Test"),
				"active_since": LONG_AGO,
				"pause_reason": "x",
			}
		)
		self.assertEqual(
			frappe.db.get_value("Lifecycle Campaign", made["name"], ["active_since", "pause_reason"]),
			(None, None),
		)

	def test_switching_on_and_another_definition_begin_anew(self):
		campaign, trigger, _action = self.documents()
		frappe.db.set_single_value(SETTINGS, "cleared_until", in_days(-1000))
		for doc in (campaign, trigger):
			frappe.db.set_value(doc.doctype, doc.name, "active_since", LONG_AGO)
		trigger.reload()
		trigger.update({"days_offset": 25}).save()
		self.assertGreater(str(trigger.active_since), LONG_AGO)
		campaign.reload()
		campaign.update({"is_active": 0}).save()
		self.assertIsNone(campaign.active_since)
		campaign.update({"is_active": 1, "active_since": LONG_AGO}).save()
		self.assertGreater(str(campaign.active_since), LONG_AGO)

	def test_why_a_campaign_has_paused_itself_is_the_engines(self):
		campaign = factories.campaign(active=False)
		frappe.db.set_value("Lifecycle Campaign", campaign.name, "pause_reason", "3 of 3 failed")
		set_value("Lifecycle Campaign", campaign.name, "pause_reason", "")
		self.assertEqual(
			frappe.db.get_value("Lifecycle Campaign", campaign.name, "pause_reason"), "3 of 3 failed"
		)

	def test_what_the_engine_keeps_in_the_settings_is_not_set_by_a_request(self):
		kept = {
			"cleared_until": str(in_days(-100)),
			"overdue_told_at": LONG_AGO,
			"sent_lately": "{}",
			"bound_to": identity.fingerprint(),
		}
		for field, value in kept.items():
			frappe.db.set_single_value(SETTINGS, field, value)
		for field in kept:
			set_value(SETTINGS, SETTINGS, field, None)
			set_value(SETTINGS, SETTINGS, {field: str(in_days(-500)), "chunk_size": 300})
		found = frappe.db.get_singles_dict(SETTINGS)
		self.assertEqual({field: found.get(field) for field in kept}, kept)
		self.assertEqual(found.chunk_size, "300")

	def test_settling_after_all_that_sends_nothing_again(self):
		pin = factories.pin(factories.customer(), in_days(30))
		campaign = factories.campaign()
		self.run_night()
		self.mail_sent()
		set_value("Lifecycle Campaign", campaign.name, "active_since", LONG_AGO)
		self.run_night()
		settle.settle()
		self.assertEqual(self.outcome_of(pin), ("Completed", None))
		self.assertEqual(len(self.mails()), 1)
