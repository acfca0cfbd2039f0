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
		# 25 hours apart, and one that moves its clocks: on 5 April 2026 its day has 25 hours, on 6 September 23.
		for zone, days in (
			("Pacific/Kiritimati", ("2027-05-02", "2027-05-03")),
			("Pacific/Pago_Pago", ("2027-05-02", "2027-05-03")),
			("America/Santiago", ("2026-04-04", "2026-04-05")),
			("America/Santiago", ("2026-09-05", "2026-09-06")),
		):
			self.live_in(zone)
			job = self.job()
			job.last_execution = datetime.fromisoformat(f"{days[0]} 01:00:02")
			for clock, due in (("00:59:30", False), ("01:00:00", True), ("09:00:00", True)):
				with self.subTest(zone=zone, day=days[1], clock=clock), self.at(f"{days[1]} {clock}"):
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
