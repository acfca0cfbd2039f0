"""The list of campaigns says what state each is in, when it sends next, and what became of its messages."""

import frappe
from frappe.utils import add_days, getdate, now_datetime

from marketing_automation import api
from marketing_automation.patches import note_paused_campaigns
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, statements
from marketing_automation.tests.factories import in_days


def state(campaign) -> str:
	return api.campaign_states([campaign.name])[campaign.name]["state"]


class TestStates(MarketingTestCase):
	def test_one_that_was_never_active_is_a_draft(self):
		self.assertEqual(state(factories.campaign(active=False)), "Draft")

	def test_one_that_is_switched_off_is_paused_and_says_since_when(self):
		campaign = factories.campaign()
		self.assertEqual(state(campaign), "Active")
		before = now_datetime()
		campaign.is_active = 0
		campaign.save()
		self.assertEqual(state(campaign), "Paused")
		self.assertGreaterEqual(frappe.db.get_value(campaign.doctype, campaign.name, "paused_at"), before)
		campaign.reload()
		campaign.description = "Something else"
		campaign.save()
		self.assertEqual(state(campaign), "Paused", "after another change, too")
		campaign.is_active = 1
		campaign.save()
		self.assertEqual(state(campaign), "Active")
		self.assertIsNone(frappe.db.get_value(campaign.doctype, campaign.name, "paused_at"))

	def test_nobody_writes_a_pause_that_was_none(self):
		campaign = factories.campaign(active=False)
		campaign.paused_at = now_datetime()
		campaign.save()
		self.assertEqual(state(campaign), "Draft")

	def test_one_that_paused_itself_is_paused(self):
		campaign = factories.campaign(active=False)
		campaign.db_set("pause_reason", "Too many failed.")
		self.assertEqual(state(campaign), "Paused")

	def test_a_copy_of_a_paused_one_is_a_draft(self):
		campaign = factories.campaign()
		campaign.is_active = 0
		campaign.save()
		copy = campaign.duplicate(factories.unique("Test"))
		self.assertEqual(state(copy), "Draft")

	def test_one_whose_last_day_has_passed_has_ended(self):
		self.assertEqual(state(factories.campaign(end_date=add_days(getdate(), -1))), "Ended")
		self.assertEqual(state(factories.campaign(end_date=getdate())), "Active", "on its last day")

	def test_one_that_cannot_send_is_failing(self):
		campaign = factories.campaign()
		campaign.db_set("sender", "nobody@elsewhere.example")
		self.assertEqual(state(campaign), "Failing")
		self.assertEqual(campaign.run_method("onload"), None)
		self.assertEqual(frappe.get_doc(campaign.doctype, campaign.name).is_active, 1)

	def test_one_whose_messages_fail_is_failing_until_it_is_switched_on_again(self):
		template = factories.template()
		campaign = factories.campaign(email_template=template)
		factories.pin(factories.customer(), in_days(30))
		frappe.db.set_value("Email Template", template, "response", "{{ no_such_thing }}")
		self.run_night()
		self.assertEqual(state(campaign), "Failing")
		campaign.reload()
		campaign.is_active = 0
		campaign.save()
		frappe.db.set_value("Email Template", template, "response", "All is well.")
		campaign.is_active = 1
		campaign.save()
		self.assertEqual(state(campaign), "Active")

	def test_the_form_says_the_same(self):
		campaign = factories.campaign(active=False)
		campaign.run_method("onload")
		self.assertEqual(campaign.get("__onload").state, "Draft")

	def test_what_was_paused_before_this_version_is_paused(self):
		campaign, draft = factories.campaign(), factories.campaign(active=False)
		factories.pin(factories.customer(), in_days(30))
		self.run_night()
		campaign.db_set({"is_active": 0, "paused_at": None})
		note_paused_campaigns.execute()
		note_paused_campaigns.execute()
		self.assertEqual((state(campaign), state(draft)), ("Paused", "Draft"))


class TestNumbers(MarketingTestCase):
	def test_it_counts_what_became_of_the_messages_and_what_is_next(self):
		campaign = factories.campaign({}, {"days_offset": 7})
		factories.pin(factories.customer(), in_days(30))
		factories.pin(factories.customer(email=None), in_days(30))
		for _twice in range(2):
			factories.pin(factories.customer(), in_days(9))
		self.run_night()
		before = api.campaign_states([campaign.name])[campaign.name]
		self.assertEqual((before["sent"], before["on_its_way"], before["skipped"]), (0, 1, 1))
		self.mail_sent()
		found = api.campaign_states([campaign.name])[campaign.name]
		self.assertEqual(
			(found["sent"], found["on_its_way"], found["skipped"], found["failed"]), (1, 0, 1, 0)
		)
		self.assertEqual((getdate(found["next_on"]), found["next"]), (in_days(2), 2))

	def test_one_that_does_not_send_has_no_next_day(self):
		factories.pin(factories.customer(), in_days(31))
		campaign = factories.campaign(active=False)
		self.assertIsNone(api.campaign_states([campaign.name])[campaign.name]["next_on"])

	def test_any_number_of_campaigns_is_counted_in_as_many_queries(self):
		def queries(names):
			with statements() as found:
				self.assertEqual(set(api.campaign_states(names)), set(names))
			return len(found)

		names = [factories.campaign().name for _ in range(6)]
		queries(names)
		self.assertEqual(queries(names), queries(names[:1]))

	def test_who_may_not_see_a_campaign_is_not_told_of_it(self):
		ours = factories.campaign(company=factories.company())
		theirs = factories.campaign(company=factories.second_company())
		frappe.set_user(factories.user("Marketing User", sees={"Company": factories.company()}))
		self.assertEqual(list(api.campaign_states([ours.name, theirs.name])), [ours.name])
		frappe.set_user(factories.user("Sales User"))
		with self.refused(error=frappe.PermissionError):
			api.campaign_states([ours.name])
