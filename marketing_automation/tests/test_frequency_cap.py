"""Nobody gets more than so many messages in so many days, whichever campaigns write to them, and however many at once."""

import threading
from datetime import date, datetime, timedelta
from unittest.mock import patch

import frappe
from frappe.utils import now_datetime

from marketing_automation.checks import cap
from marketing_automation.checks.cap import Ahead, Limit, Sent, Turn
from marketing_automation.engine import consent, deliver, gate, ledger, settle
from marketing_automation.engine.gate import At, Skip, Wait
from marketing_automation.engine.model import Reason
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.tests import factories
from marketing_automation.tests.case import MAIL, MarketingTestCase, statements
from marketing_automation.tests.factories import in_days

DAY = date(2024, 2, 29)
NOON = At(datetime(2024, 2, 29, 12), DAY, leaving=True)


def sent(*days: date) -> list[Sent]:
	return [Sent(day, f"row of {day}") for day in sorted(days)]


def ahead(count: int) -> list[Ahead]:
	return [
		Ahead(Turn(0, "A", False, str(number)), ("row", str(number)), str(number)) for number in range(count)
	]


class TestVerdict(MarketingTestCase):
	"""How many are too many."""

	def verdict(self, limits, sent_on=(), before=0, skips=False, at=NOON):
		return cap.verdict([Limit(*limit) for limit in limits], sent(*sent_on), ahead(before), at, skips)

	def until(self, *args, **options) -> str:
		answer = self.verdict(*args, **options)
		self.assertIsInstance(answer, Wait)
		self.assertEqual(answer.reason, Reason.FREQUENCY_CAP)
		return str(answer.until)

	def test_who_has_had_fewer_gets_it(self):
		self.assertIsNone(self.verdict([(1, 7)]))
		self.assertIsNone(self.verdict([(2, 7)], [DAY]))

	def test_the_days_of_the_period_are_those_up_to_today(self):
		self.assertIsNone(self.verdict([(1, 7)], [date(2024, 2, 22)]))
		self.assertEqual(self.until([(1, 7)], [date(2024, 2, 23)]), "2024-03-01 00:00:00")

	def test_it_waits_until_the_oldest_that_counts_leaves_the_period(self):
		self.assertEqual(self.until([(2, 7)], [date(2024, 2, 24), date(2024, 2, 28)]), "2024-03-02 00:00:00")
		answer = self.verdict([(2, 7)], [date(2024, 2, 24), date(2024, 2, 28)])
		self.assertEqual(answer.evidence, (ledger.DOCTYPE, "row of 2024-02-24"))

	def test_where_more_were_sent_than_may_be_it_waits_for_as_many_to_leave(self):
		days = [date(2024, 2, 24), date(2024, 2, 25), date(2024, 2, 28)]
		self.assertEqual(self.until([(1, 7)], days), "2024-03-06 00:00:00")

	def test_of_several_limits_the_strictest_counts(self):
		self.assertEqual(self.until([(5, 7), (1, 30)], [date(2024, 2, 1)]), "2024-03-02 00:00:00")
		self.assertEqual(self.until([(1, 7), (1, 30)], [DAY]), "2024-03-30 00:00:00")

	def test_what_is_about_to_leave_before_it_counts_and_it_looks_again_soon(self):
		self.assertEqual(self.until([(2, 7)], [DAY], before=1), "2024-02-29 12:15:00")
		self.assertIsNone(self.verdict([(3, 7)], [DAY], before=1))

	def test_whose_campaign_skips_is_skipped_only_when_it_was_to_leave(self):
		self.assertEqual(
			self.verdict([(1, 7)], [DAY], skips=True),
			Skip(Reason.FREQUENCY_CAP, (ledger.DOCTYPE, "row of 2024-02-29")),
		)
		self.assertIsInstance(
			self.verdict([(1, 7)], [DAY], skips=True, at=NOON._replace(leaving=False)), Wait
		)

	def test_who_gives_way_is_never_skipped_for_it(self):
		self.assertIsInstance(self.verdict([(1, 7)], before=1, skips=True), Wait)

	def test_of_a_day_that_is_past_or_to_come_what_lies_in_its_own_period_counts(self):
		coming = At(datetime(2024, 3, 6, 1), date(2024, 3, 6))
		self.assertEqual(self.until([(1, 7)], [DAY], at=coming), "2024-03-07 00:00:00")
		self.assertIsNone(self.verdict([(1, 6)], [DAY], at=coming))
		self.assertIsNone(self.verdict([(1, 7)], [DAY], at=At(datetime(2024, 2, 1, 1), date(2024, 2, 1))))

	def test_time_begins_and_ends_somewhere(self):
		for day in (date.min, date.max):
			at = At(datetime.combine(day, datetime.min.time()), day)
			self.assertEqual(self.verdict([(1, 365)], [day], at=at).reason, Reason.FREQUENCY_CAP)


class CapTestCase(MarketingTestCase):
	# Its law does not say how many.
	COUNTRY = "United States"

	def setUp(self):
		super().setUp()
		self.live_in_country(self.COUNTRY)
		self.assertIs(gate.checks()["Frequency cap"], cap.CHECK)
		# Whatever else the gate asks has tests of its own.
		self.enterContext(patch.object(gate, "checks", lambda: {"Frequency cap": cap.CHECK}))

	def cap(self, messages: int, days: int = 7) -> None:
		frappe.get_single(SETTINGS).update({"cap_messages": messages, "cap_days": days}).save()
		frappe.db.commit()

	def campaign(self, *triggers, **fields):
		return factories.campaign(*triggers, **{"purpose": "Marketing", **fields})

	def outcomes(self, **filters) -> dict[str, tuple]:
		"""Return {campaign: (status, reason) of its only row}."""
		return {row.campaign: (row.status, row.reason) for row in self.ledger(**filters)}

	def tick(self) -> None:
		frappe.db.commit()
		settle.settle()


class TestCap(CapTestCase):
	CAPPED = ("Waiting", Reason.FREQUENCY_CAP)

	def two_campaigns(self, first: dict, second: dict):
		"""Return two campaigns that write to the same customer tonight."""
		ana = factories.customer()
		factories.pin(ana, in_days(30))
		return self.campaign(**first), self.campaign(**second)

	def test_off_until_it_is_set(self):
		one, other = self.two_campaigns({}, {})
		self.run_night()
		self.assertEqual(self.outcomes(), {one.name: ("Queued", None), other.name: ("Queued", None)})

	def test_the_campaign_with_the_higher_priority_goes_and_the_other_waits(self):
		self.cap(1)
		low, high = self.two_campaigns({"priority": "Low"}, {"priority": "High"})
		self.run_night()
		self.assertEqual(self.outcomes(), {high.name: ("Queued", None), low.name: self.CAPPED})

	def test_of_equal_ones_the_name_that_sorts_first_goes(self):
		self.cap(1)
		one, other = sorted(campaign.name for campaign in self.two_campaigns({}, {}))
		self.run_night()
		self.assertEqual(self.outcomes(), {one: ("Queued", None), other: self.CAPPED})

	def test_what_waits_goes_when_the_oldest_has_left_the_period(self):
		self.cap(1)
		high, low = self.two_campaigns({"priority": "High"}, {"priority": "Low"})
		self.run_night()
		self.mail_sent()
		with self.at(str(now_datetime() + timedelta(minutes=20))[:19]):
			self.tick()
		(row,) = self.ledger(campaign=low.name)
		(first,) = self.ledger(campaign=high.name)
		self.assertEqual((row.status, row.due_at.date()), ("Waiting", in_days(7)))
		self.assertEqual((row.evidence_doctype, row.evidence_name), (ledger.DOCTYPE, first.name))
		with self.at(f"{in_days(6)} 23:50"):
			self.tick()
		self.assertEqual(self.outcomes(campaign=low.name), {low.name: self.CAPPED})
		with self.at(f"{in_days(7)} 00:05"):
			self.tick()
		self.assertEqual(self.outcomes(campaign=low.name), {low.name: ("Queued", None)})

	def test_a_campaign_that_would_rather_skip_skips(self):
		self.cap(1)
		high, low = self.two_campaigns({"priority": "High"}, {"priority": "Low", "when_capped": "Skip"})
		self.run_night()
		# While the other is only about to leave nothing is lost yet.
		self.assertEqual(self.outcomes()[low.name], self.CAPPED)
		with self.at(str(now_datetime() + timedelta(minutes=20))[:19]):
			self.tick()
		self.assertEqual(
			self.outcomes(), {high.name: ("Queued", None), low.name: ("Skipped", Reason.FREQUENCY_CAP)}
		)

	def test_what_gave_way_goes_if_the_other_one_does_not(self):
		self.cap(1)
		high, low = self.two_campaigns({"priority": "High"}, {"priority": "Low", "when_capped": "Skip"})
		with patch.object(deliver, "enqueue"):
			self.run_night()
		(of_high,), (of_low,) = self.ledger(campaign=high.name), self.ledger(campaign=low.name)
		frappe.db.set_value("Lifecycle Campaign", high.name, "is_active", 0)
		frappe.db.commit()
		deliver.deliver([of_high.name])
		self.assertEqual(self.outcomes()[high.name][0], "Cancelled")
		with self.at(str(now_datetime() + timedelta(minutes=20))[:19]):
			self.tick()
			deliver.deliver([of_low.name])
		self.assertEqual(self.outcomes()[low.name], ("Queued", None))

	def test_what_failed_gives_its_place_back_and_what_may_have_arrived_does_not(self):
		for reason, then in (
			(Reason.SENDING_FAILED, ("Queued", None)),
			(Reason.OUTCOME_UNKNOWN, self.CAPPED),
		):
			with self.subTest(reason):
				self._reset()
				self.cap(1)
				ana = factories.customer()
				first, second = factories.pins(ana, in_days(30), in_days(31))
				self.campaign()
				self.run_night()
				(row,) = self.ledger(reference_name=first)
				frappe.db.set_value(
					ledger.DOCTYPE,
					row.name,
					{"status": "Failed", "reason": reason, "executed_at": now_datetime()},
				)
				with (
					self.at(f"{in_days(1)} 01:00"),
					patch("marketing_automation.engine.again.pages", return_value=[]),
				):
					self.run_night()
				self.assertEqual(self.outcome_of(second), then)

	def test_a_combined_message_counts_once(self):
		self.cap(2)
		ana = factories.customer()
		factories.pins(ana, *[in_days(30)] * 3)
		combined = self.campaign(combine_messages=1, priority="High")
		other = self.campaign()
		self.run_night()
		self.assertEqual({row.status for row in self.ledger(campaign=combined.name)}, {"Queued"})
		statuses = sorted(row.status for row in self.ledger(campaign=other.name))
		self.assertEqual(statuses, ["Queued", "Waiting", "Waiting"])

	def test_a_combined_message_waits_as_a_whole(self):
		self.cap(1)
		ana = factories.customer()
		factories.pins(ana, *[in_days(30)] * 3)
		self.campaign(priority="High")
		combined = self.campaign(combine_messages=1)
		self.run_night()
		self.assertEqual({row.status for row in self.ledger(campaign=combined.name)}, {"Waiting"})
		self.assertEqual(len(self.mails()), 1)

	def test_service_messages_do_not_count_and_are_not_counted(self):
		self.cap(1)
		service, marketing = self.two_campaigns(
			{"purpose": "Service", "priority": "High"}, {"purpose": "Marketing"}
		)
		another = factories.campaign()
		self.run_night()
		self.assertEqual(
			self.outcomes(),
			dict.fromkeys((service.name, marketing.name, another.name), ("Queued", None)),
		)

	def test_what_reaches_no_customer_does_not_count(self):
		self.cap(1)
		ana = factories.customer()
		factories.pin(ana, in_days(30))
		manager = factories.user("Sales User")
		todo = self.campaign(active=False, priority="High")
		(action,) = frappe.get_all("Lifecycle Action", {"campaign": todo.name}, pluck="name")
		frappe.get_doc("Lifecycle Action", action).update(
			{"action_type": "Create ToDo", "assign_to": "User", "user": manager}
		).save()
		todo.reload()
		todo.update({"is_active": 1}).save()
		mail = self.campaign()
		self.run_night()
		self.assertEqual(self.outcomes(), {todo.name: ("Completed", None), mail.name: ("Queued", None)})

	def test_customers_are_counted_each_by_itself(self):
		self.cap(1)
		for _ in range(3):
			factories.pins(factories.customer(), in_days(30), in_days(30))
		self.campaign()
		self.run_night()
		by_customer = {}
		for row in self.ledger():
			by_customer.setdefault(row.customer, []).append(row.status)
		self.assertEqual([sorted(found) for found in by_customer.values()], [["Queued", "Waiting"]] * 3)

	def test_what_is_stuck_holds_nobody_up_for_ever(self):
		self.cap(1)
		high, low = self.two_campaigns({"priority": "High"}, {"priority": "Low"})
		with patch.object(deliver, "enqueue"):
			self.run_night()
		(of_high,), (of_low,) = self.ledger(campaign=high.name), self.ledger(campaign=low.name)
		frappe.db.set_value(
			ledger.DOCTYPE,
			of_high.name,
			"modified",
			now_datetime() - timedelta(days=1, minutes=1),
			update_modified=False,
		)
		frappe.db.set_value(ledger.DOCTYPE, of_low.name, "status", "Pending")
		frappe.db.commit()
		deliver.deliver([of_low.name])
		self.assertEqual(self.outcomes()[low.name], ("Queued", None))

	def test_the_preview_says_what_would_wait(self):
		from marketing_automation import api

		self.cap(1)
		ana = factories.customer()
		factories.pins(ana, in_days(30), in_days(30))
		campaign = self.campaign()
		found = api.preview(campaign.name)
		self.assertEqual((found["counts"]["due"], found["counts"]["wait"]), (2, 1))

	def test_why_says_until_when_and_because_of_which_message(self):
		from marketing_automation import api

		self.cap(1)
		high, low = self.two_campaigns({"priority": "High"}, {"priority": "Low"})
		self.run_night()
		with self.at(str(now_datetime() + timedelta(minutes=20))[:19]):
			self.tick()
		(row,) = self.ledger(campaign=low.name)
		(first,) = self.ledger(campaign=high.name)
		told = {one["campaign"]: one for one in api.why_customer(row.customer)["history"]}[low.name]
		self.assertEqual(
			(told["status"], told["reason"], told["evidence_name"], told["due_at"]),
			("Waiting", Reason.FREQUENCY_CAP, first.name, row.due_at),
		)

	def test_the_queries_do_not_depend_on_how_many_are_asked_about(self):
		self.cap(1)
		self.campaign()
		factories.pin(factories.customer(), in_days(30))
		# Once without: Frappe keeps what it has read of the settings.
		self._queries()
		few = self._queries()
		for _ in range(4):
			factories.pins(factories.customer(), in_days(30), in_days(30))
		self.assertEqual(self._queries(), few)
		self.assertLessEqual(few, 8)

	def _queries(self) -> int:
		"""Return how many the cap makes for a page of the preview."""
		found, judge = [], cap.Cap.judge

		def counted(check, asked, at):
			with statements() as seen:
				answer = judge(check, asked, at)
			found.append(len(seen))
			return answer

		from marketing_automation import api

		with patch.object(cap.Cap, "judge", counted):
			api.preview()
		return max(found)


class TestOtherLimits(CapTestCase):
	"""A country's law and the customer's own wish are limits, too, on every site."""

	def test_where_the_law_says_how_many_it_is_so_many(self):
		self.live_in_country("Colombia")
		factories.pin(factories.customer(), in_days(30))
		for _ in range(2):
			self.campaign()
		self.run_night()
		self.assertEqual(sorted(row.status for row in self.ledger()), ["Queued", "Waiting"])

	def test_service_messages_are_no_advertising(self):
		self.live_in_country("Colombia")
		factories.pin(factories.customer(), in_days(30))
		for _ in range(2):
			factories.campaign()
		self.run_night()
		self.assertEqual({row.status for row in self.ledger()}, {"Queued"})

	def test_who_asks_for_less_gets_less(self):
		ana, ben = factories.customer(), factories.customer()
		for customer in (ana, ben):
			factories.pins(customer, in_days(30), in_days(30))
		self.campaign()
		with patch.object(consent, "less_often", lambda recipients: {factories.address(ana): (1, 30)}):
			self.run_night()
		self.assertEqual(sorted(row.status for row in self.ledger(customer=ana)), ["Queued", "Waiting"])
		self.assertEqual({row.status for row in self.ledger(customer=ben)}, {"Queued"})


class TestSettings(CapTestCase):
	def test_numbers_that_make_no_sense_are_refused(self):
		for values in ({"cap_messages": -1}, {"cap_messages": 2, "cap_days": 0}, {"cap_days": 400}):
			with self.subTest(values), self.refused("must be between"):
				frappe.get_single(SETTINGS).update(values).save()

	def test_a_site_whose_settings_are_older_has_the_usual_ones(self):
		frappe.db.delete("Singles", {"doctype": SETTINGS, "field": ["in", ["cap_messages", "cap_days"]]})
		self.assertIsNone(cap.site_limit())
		frappe.get_single(SETTINGS).update({"cap_messages": 3}).save()
		self.assertEqual(cap.site_limit(), Limit(3, 7))


class TestTwoWorkers(CapTestCase):
	"""Two campaigns that write to the same customers at the same moment, each in a worker of its own."""

	def _claimed(self, **fields) -> tuple[list[str], list[str]]:
		customers = [factories.customer() for _ in range(5)]
		for customer in customers:
			factories.pin(customer, in_days(30))
		names = [self.campaign(**fields).name for _ in range(2)]
		with patch.object(deliver, "enqueue"):
			self.run_night()
		# As when their time has come: both are about to leave, and each worker has its own.
		frappe.db.set_value(ledger.DOCTYPE, {"status": "Waiting"}, {"status": "Pending", "reason": None})
		return tuple([row.name for row in self.ledger(campaign=name)] for name in sorted(names))

	def _deliver_at_once(self, *jobs: list[str]) -> None:
		"""Deliver in a thread with a connection of its own for each, all of which have begun their transaction before any locks."""
		site, barrier, lock, errors = frappe.local.site, threading.Barrier(len(jobs)), gate.lock, []
		met = threading.local()

		def lock_together(*asked):
			# What is read from now on is of this moment, also after the other has committed.
			frappe.db.sql("select count(*) from `tabLifecycle Execution Log`")
			if not getattr(met, "once", False):
				met.once = True
				barrier.wait(30)
			lock(*asked)

		def work(names):
			frappe.init(site=site)
			frappe.connect()
			try:
				frappe.flags.in_test = True
				frappe.local.conf.update(MAIL)
				deliver.deliver(names)
			except BaseException as e:
				errors.append(e)
				barrier.abort()
				raise
			finally:
				frappe.destroy()

		frappe.db.commit()
		with patch.object(gate, "lock", lock_together):
			threads = [threading.Thread(target=work, args=(names,)) for names in jobs]
			for thread in threads:
				thread.start()
			for thread in threads:
				thread.join(60)
		frappe.db.rollback()
		self.assertEqual(errors, [])

	def test_each_customer_gets_one_message(self):
		self.cap(1)
		jobs = self._claimed()
		self._deliver_at_once(*jobs)
		by_customer = {}
		for row in self.ledger():
			by_customer.setdefault(row.customer, []).append(row.status)
		self.assertEqual([sorted(found) for found in by_customer.values()], [["Queued", "Waiting"]] * 5)
		self.assertEqual(len(self.mails()), 5)

	def test_service_messages_and_what_reaches_no_customer_lock_nobody(self):
		ana, locked = factories.customer(), []
		at = gate.when(in_days(0), leaving=True)
		marketing, service = self.campaign().name, self.campaign(purpose="Service").name
		with patch.object(cap, "_rows", lambda customers, *_args, **_options: locked.append(customers)):
			gate.lock({ana}, service, "Send Email", at)
			gate.lock({ana}, marketing, "Create ToDo", at)
			self.assertEqual(locked, [])
			gate.lock({ana}, marketing, "Send Email", at)
			gate.lock({ana}, "A campaign that is gone", "Send Email", at)
		self.assertEqual(locked, [{ana}, {ana}])

	def test_it_is_the_one_with_the_higher_priority(self):
		self.cap(1)
		jobs = self._claimed()
		last = max({row.campaign for row in self.ledger()})
		frappe.db.set_value("Lifecycle Campaign", last, "priority", "High")
		self._deliver_at_once(*jobs)
		self.assertEqual({row.campaign for row in self.ledger(status="Queued")}, {last})

	def _seen(self, jobs, lock: bool) -> list[int]:
		"""Return how many Pending rows each worker has read when it judged first."""
		rows, seen = cap._rows, {}

		def noted(*args, **options):
			found = rows(*args, lock=lock)
			seen.setdefault(threading.current_thread().name, []).append(
				sum(row.status == "Pending" for row in found)
			)
			return found

		with patch.object(cap, "_rows", noted):
			self._deliver_at_once(*jobs)
		# The first read is that of the lock.
		return sorted(counts[1] for counts in seen.values())

	def test_the_second_reads_what_the_first_has_committed(self):
		self.cap(1)
		self.assertEqual(self._seen(self._claimed(), lock=True), [5, 10])

	def test_a_read_that_does_not_lock_would_show_both_the_same_past(self):
		"""What the lock is for, and that these tests would notice."""
		self.cap(1)
		self.assertEqual(self._seen(self._claimed(), lock=False), [10, 10])
