"""The scheduler starts the night at one o'clock in the site's time zone, whatever zone the server is in."""

from datetime import datetime

import frappe

from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days

METHOD = "marketing_automation.tasks.check_expiring_subscriptions"


class TestNightlyJob(MarketingTestCase):
	def job(self):
		return frappe.get_doc("Scheduled Job Type", {"method": METHOD})

	def test_it_is_one_job_that_is_not_stopped(self):
		(name,) = frappe.get_all("Scheduled Job Type", filters={"method": METHOD}, pluck="name")
		job = frappe.get_doc("Scheduled Job Type", name)
		self.assertEqual((job.frequency, job.cron_format, job.stopped), ("Cron", "0 1 * * *", 0))

	def test_it_is_due_at_one_oclock_of_the_site(self):
		# The first two zones are 25 hours apart. In Santiago the day of April has 25 hours, and the one of September
		# begins at one: its first hour does not exist.
		for zone, last, before, after in (
			("Pacific/Kiritimati", "2027-05-02 01:00:02", "2027-05-03 00:59:30", "2027-05-03 01:00:00"),
			("Pacific/Pago_Pago", "2027-05-02 01:00:02", "2027-05-03 00:59:30", "2027-05-03 01:00:00"),
			("America/Santiago", "2026-04-04 01:00:02", "2026-04-05 00:59:30", "2026-04-05 01:00:00"),
			("America/Santiago", "2026-09-05 01:00:02", "2026-09-05 23:59:30", "2026-09-06 01:00:00"),
		):
			self.live_in(zone)
			job = self.job()
			job.last_execution = datetime.fromisoformat(last)
			for clock, due in ((before, False), (after, True)):
				with self.subTest(zone=zone, clock=clock), self.at(clock):
					self.assertEqual(bool(job.is_event_due()), due)

	def test_run_again_by_the_scheduler_or_by_hand_it_tells_nobody_twice(self):
		factories.pin(factories.customer(), in_days(30))
		campaign = factories.campaign()
		frappe.db.commit()
		for _ in range(2):
			frappe.get_attr(METHOD)()
			self.run_night()
			self.run_night(campaign.name)
		self.assertEqual((len(self.ledger()), len(self.mails())), (1, 1))
