"""What a paused campaign had handed over and not sent does not leave."""

from unittest.mock import patch

import frappe

from marketing_automation import api
from marketing_automation.channels.email import sender
from marketing_automation.engine import dispatch, settle, withdrawal
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days


class TestWithdrawal(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.customers = [factories.customer() for _ in range(3)]
		self.pins = [factories.pin(customer, in_days(30)) for customer in self.customers]

	def paused(self, campaign) -> None:
		campaign.reload()
		campaign.update({"is_active": 0}).save()
		frappe.db.commit()

	def statuses(self) -> list[str]:
		return [row.status for row in self.ledger()]

	def test_what_has_not_left_is_cancelled_and_can_be_sent_once_it_is_on_again(self):
		campaign = factories.campaign()
		run = self.run_night()
		self.assertEqual(self.statuses(), ["Queued"] * 3)
		self.paused(campaign)
		withdrawal.enqueue.assert_called_once_with()
		withdrawal.take_back()
		self.assertEqual(
			{(row.status, row.reason, row.handle) for row in self.ledger()},
			{("Cancelled", "Campaign inactive", None)},
		)
		self.assertEqual((self.mails(), frappe.db.count("Email Queue Recipient")), ([], 0))
		run.reload()
		self.assertEqual((run.queued, run.cancelled), (0, 3))

		names = [row.name for row in self.ledger()]
		self.assertEqual(api.send_skipped(names), {"Campaign inactive": 3})
		campaign.update({"is_active": 1}).save()
		self.assertEqual(api.send_skipped(names), {"Pending": 3})
		settle.settle()
		self.assertEqual((self.statuses(), len(self.mails())), (["Queued"] * 3, 3))
		self.mail_sent()
		self.assertEqual(self.statuses(), ["Completed"] * 3)

	def test_settling_finds_it_where_the_job_was_lost(self):
		campaign = factories.campaign()
		self.run_night()
		self.paused(campaign)
		settle.settle()
		self.assertEqual(self.statuses(), ["Cancelled"] * 3)

	def test_what_may_be_leaving_stays(self):
		campaign = factories.campaign()
		self.run_night()
		sending, taken, _waiting = self.mails()
		frappe.db.set_value("Email Queue", sending.name, "status", "Sending")
		# Newer versions of Frappe make of one that has been Sending for long "Not Sent" again.
		frappe.db.set_value("Email Queue", taken.name, "send_after", sender.TAKEN)
		self.paused(campaign)
		settle.settle()
		self.assertEqual(self.statuses(), ["Queued", "Queued", "Cancelled"])
		self.assertEqual([mail.name for mail in self.mails()], [sending.name, taken.name])
		self.mail_sent()
		self.assertEqual(self.statuses(), ["Completed", "Completed", "Cancelled"])

	def test_a_job_that_was_to_send_them_sends_none(self):
		campaign = factories.campaign()
		self.run_night()
		names = [str(mail.name) for mail in self.mails()]
		self.paused(campaign)
		settle.settle()
		with patch.object(sender._Sender, "send") as send:
			dispatch.send(sender.ACTION_TYPE, names)
		send.assert_not_called()

	def test_other_campaigns_are_left_alone(self):
		paused, active = factories.campaign(), factories.campaign()
		self.run_night()
		self.paused(paused)
		settle.settle()
		self.assertEqual(
			{(row.campaign, row.status) for row in self.ledger()},
			{(paused.name, "Cancelled"), (active.name, "Queued")},
		)
		self.assertEqual(len(self.mails()), 3)

	def test_a_message_that_several_rows_share_is_withdrawn_for_all_of_them(self):
		factories.pins(self.customers[0], in_days(30), in_days(30))
		campaign = factories.campaign(combine_messages=1)
		self.run_night()
		self.assertEqual((len(self.ledger()), len(self.mails())), (5, 3))
		self.paused(campaign)
		# Its rows are on two pages.
		with patch.object(withdrawal, "PAGE_SIZE", 2):
			settle.settle()
		self.assertEqual((self.statuses(), self.mails()), (["Cancelled"] * 5, []))

	def test_a_campaign_that_is_saved_inactive_has_nothing_to_take_back(self):
		campaign = factories.campaign(active=False)
		campaign.update({"description": "Later"}).save()
		withdrawal.enqueue.assert_not_called()
