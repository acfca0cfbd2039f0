"""No test begins on one day and ends on the next."""

from unittest.mock import patch

from marketing_automation.tests import case
from marketing_automation.tests.case import MarketingTestCase


class TestMidnight(MarketingTestCase):
	def waited_at(self, moment: str) -> list[float]:
		with self.at(moment), patch.object(case.time, "sleep") as sleep:
			case.wait_for_a_day_that_lasts()
		return [call.args[0] for call in sleep.call_args_list]

	def test_shortly_before_it_a_test_waits_until_it_is_over(self):
		(seconds,) = self.waited_at("2026-03-10 23:59:45")
		self.assertTrue(15 < seconds <= 16, seconds)

	def test_at_any_other_time_it_begins_at_once(self):
		for moment in ("2026-03-10 00:00:00", "2026-03-10 12:00:00", "2026-03-10 23:59:20"):
			with self.subTest(moment):
				self.assertEqual(self.waited_at(moment), [])

	def test_in_the_sites_time_zone(self):
		self.live_in("Pacific/Kiritimati")
		self.assertEqual(len(self.waited_at("2026-03-10 23:59:45")), 1)
