"""One slow or failing campaign takes its own time and no other's, and one broken row stops nothing."""

import contextlib
from unittest.mock import patch

import frappe
from rq.timeouts import JobTimeoutException

from marketing_automation.channels.email import channel as email
from marketing_automation.engine import (
	closing,
	deliver,
	dispatch,
	ledger,
	retry,
	settle,
	transaction,
	withdrawal,
)
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days


class FairnessTestCase(MarketingTestCase):
	def claimed(self, customers: int = 3) -> tuple:
		"""Return two campaigns, each with a Pending row for each customer: one that will make trouble, and another."""
		for _ in range(customers):
			factories.pin(factories.customer(), in_days(30))
		slow, other = (factories.campaign(campaign_name=factories.unique(f"Test {name}")) for name in "AB")
		with patch.object(deliver, "enqueue"):
			self.run_night()
		return slow, other

	def jobs(self, rows) -> list[list[str]]:
		"""Return what the jobs get that these rows are shared out to."""
		with patch.object(frappe, "enqueue") as enqueue:
			deliver.enqueue(rows)
		return [call.kwargs["names"] for call in enqueue.mock_calls]

	def trouble(self, error: Exception, campaign, customer: str | None = None):
		"""Return a context in which composing a message of this campaign (to a customer) raises."""
		compose = email.compose

		def composing(prepared, message):
			if message.campaign.name == campaign.name and customer in (None, message.recipient.customer):
				raise error
			return compose(prepared, message)

		return patch.object(email, "compose", composing)

	def statuses(self, campaign) -> list[str]:
		return [row.status for row in self.ledger(campaign=campaign.name)]


class TestJobs(FairnessTestCase):
	def test_a_job_has_the_messages_of_one_campaign(self):
		self.claimed()
		jobs = self.jobs(ledger.pending({}))
		self.assertEqual([len(job) for job in jobs], [3, 3])
		for job in jobs:
			self.assertEqual(len({row.campaign for row in self.ledger(name=["in", job])}), 1)

	def test_the_small_campaign_does_not_wait_for_the_large_one(self):
		frappe.db.set_single_value(SETTINGS, "chunk_size", 2)
		for _ in range(5):
			factories.pin(factories.customer(), in_days(30))
		factories.campaign(campaign_name=factories.unique("Test A"))
		small = factories.campaign({"days_offset": 7}, campaign_name=factories.unique("Test B"))
		factories.pin(factories.customer(), in_days(7))
		with patch.object(deliver, "enqueue"):
			night = self.run_night()
		(row,) = self.ledger(campaign=small.name)
		for rows in (ledger.pending({}), ledger.pending_of_run(night.name)):
			self.assertEqual(self.jobs(rows)[0], [row.name])


class TestTimeOut(FairnessTestCase):
	def deliver(self, campaign):
		names = [row.name for row in self.ledger(campaign=campaign.name)]
		with self.assertRaises(JobTimeoutException):
			deliver.deliver(names)

	def test_what_timed_out_stands_alone_next_time_and_then_has_failed(self):
		slow, other = self.claimed()
		culprit = self.ledger(campaign=slow.name)[1].customer
		with self.trouble(JobTimeoutException("300 s"), slow, culprit):
			self.deliver(slow)
			self.assertEqual(self.statuses(slow), ["Pending"] * 3)
			self.assertEqual({row.attempts for row in self.ledger(campaign=slow.name)}, {1})
			self.deliver(slow)
		self.assertEqual(
			[(row.customer == culprit, row.status, row.reason) for row in self.ledger(campaign=slow.name)],
			[
				(False, "Queued", None),
				(True, "Failed", "Template error"),
				(False, "Queued", None),
			],
		)
		(failed,) = self.ledger(status="Failed")
		self.assertIn("loops", failed.error)
		self.assertEqual({row.error for row in self.ledger(campaign=slow.name, status="Queued")}, {None})
		self.assertEqual(self.statuses(other), ["Pending"] * 3)

	def test_what_was_delivered_before_is_sent_and_what_comes_after_has_a_job_of_its_own(self):
		slow, _other = self.claimed()
		_first, second, _third = sorted(row.customer for row in self.ledger(campaign=slow.name))
		with (
			patch.object(deliver, "COMMIT_EVERY", 1),
			self.trouble(JobTimeoutException("300 s"), slow, second),
			patch.object(dispatch, "enqueue") as enqueue,
		):
			self.deliver(slow)
		self.assertEqual(sorted(self.statuses(slow)), ["Failed", "Queued", "Queued"])
		self.assertEqual(len(enqueue.mock_calls), 2)

	def test_a_job_without_time_leaves_the_rest_to_another(self):
		slow, _other = self.claimed()
		with (
			patch.object(deliver, "COMMIT_EVERY", 1),
			patch.object(deliver, "SECONDS_PER_JOB", -1),
			patch.object(frappe, "enqueue") as enqueue,
		):
			deliver.deliver([row.name for row in self.ledger(campaign=slow.name)])
		(call,) = [call for call in enqueue.mock_calls if call.args == (deliver.deliver,)]
		left = {row.name for row in self.ledger(campaign=slow.name, status="Pending")}
		self.assertEqual((len(left), set(call.kwargs["names"])), (2, left))

	def test_a_campaign_that_always_times_out_pauses_itself(self):
		frappe.get_single(SETTINGS).update({"pause_share": 50, "pause_count": 1}).save()
		slow, _other = self.claimed(1)
		with self.trouble(JobTimeoutException("300 s"), slow):
			self.deliver(slow)
		self.assertEqual(frappe.db.get_value("Lifecycle Campaign", slow.name, "is_active"), 0)


class Killed(BaseException):
	"""What nothing catches, as a worker that is killed catches nothing."""


class TestKilledWorker(FairnessTestCase):
	def taken_up(self) -> None:
		"""Settle as after the settings' patience, with a worker of its own for each job."""
		frappe.db.set_value(
			ledger.DOCTYPE, {"status": "Pending"}, "modified", "2020-01-01", update_modified=False
		)
		frappe.db.commit()
		jobs = []

		def queued(method, **options):
			if method == deliver.deliver:
				jobs.append({key: options[key] for key in ("names", "again")})

		with patch.object(frappe, "enqueue", queued):
			settle.resume()
			for job in jobs:
				with contextlib.suppress(Killed):
					deliver.deliver(**job)
				frappe.db.rollback()

	def test_what_kills_its_worker_stands_alone_and_has_failed_in_the_end(self):
		frappe.db.set_single_value(SETTINGS, "max_attempts", 3)
		deadly, other = self.claimed(4)
		culprit = sorted(row.customer for row in self.ledger(campaign=deadly.name))[1]
		with self.trouble(Killed(), deadly, culprit):
			seen = []
			for _ in range(4):
				self.taken_up()
				seen.append(sorted(self.statuses(deadly)))
		self.assertEqual(self.statuses(other), ["Queued"] * 4)
		self.assertEqual(
			seen,
			[
				# All are in one batch.
				["Pending"] * 4,
				["Pending", "Pending", "Pending", "Queued"],
				["Pending", "Queued", "Queued", "Queued"],
				["Failed", "Queued", "Queued", "Queued"],
			],
		)
		(failed,) = self.ledger(status="Failed")
		self.assertEqual((failed.customer, failed.reason, failed.attempts), (culprit, "Sending failed", 3))
		self.assertIn("killed", failed.error)
		self.assertEqual({row.error for row in self.ledger(status="Queued")}, {None})

	def test_what_merely_waits_has_no_attempts_used_up(self):
		waiting, _other = self.claimed(3)
		full = patch.object(email, "room", lambda campaign: 0 if campaign.name == waiting.name else 99)
		gone = patch.object(email, "prepare", side_effect=frappe.OutgoingEmailError("no account"))
		for trouble in (full, gone):
			with trouble:
				for _ in range(5):
					with contextlib.suppress(frappe.OutgoingEmailError):
						self.taken_up()
		rows = self.ledger(campaign=waiting.name)
		self.assertEqual({(row.status, row.attempts, row.error) for row in rows}, {("Pending", 0, None)})
		self.taken_up()
		self.assertEqual(self.statuses(waiting), ["Queued"] * 3)
		self.assertEqual({row.attempts for row in self.ledger(campaign=waiting.name)}, {1})


class TestChannelThatRaises(FairnessTestCase):
	def test_it_costs_the_others_nothing_and_does_not_go_on_for_ever(self):
		frappe.db.set_single_value(SETTINGS, "max_attempts", 3)
		broken, other = self.claimed(1)
		prepare = email.prepare

		def preparing(actions):
			if frappe.db.get_value("Lifecycle Action", actions[0].name, "campaign") == broken.name:
				raise KeyError("oops")
			return prepare(actions)

		names = [row.name for row in self.ledger()]
		with patch.object(email, "prepare", preparing):
			for _ in range(3):
				with self.assertRaises(KeyError):
					deliver.deliver(names)
		self.assertEqual(self.statuses(other), ["Queued"])
		(row,) = self.ledger(campaign=broken.name)
		self.assertEqual((row.status, row.reason, row.attempts), ("Failed", "Sending failed", 3))
		self.assertIn("oops", row.error)


class TestSteps(FairnessTestCase):
	def settled_without(self, broken: str) -> list[str]:
		"""Settle twice while a step raises; return the steps that were done."""
		done = []

		def step(name: str):
			return lambda: done.append(name)

		with contextlib.ExitStack() as stack:
			for each in settle.STEPS:
				stack.enter_context(patch.object(settle, each.__name__, step(each.__name__)))
			stack.enter_context(patch.object(settle, broken, side_effect=KeyError("oops")))
			settle.settle()
			settle.settle()
		return done

	def test_a_step_that_raises_is_logged_once_and_stops_no_other(self):
		frappe.db.delete("Error Log", {"method": ["like", "Marketing Automation: settle%"]})
		for broken in settle.STEPS:
			with self.subTest(broken.__name__):
				done = self.settled_without(broken.__name__)
				self.assertEqual(done, [step.__name__ for step in settle.STEPS if step is not broken] * 2)
				logged = frappe.get_all("Error Log", {"method": ["like", f"%settle: {broken.__name__} %"]})
				self.assertEqual(len(logged), 1)

	def test_a_step_that_takes_too_long_leaves_the_others_to_another_job(self):
		with (
			patch.object(settle, "resume", side_effect=JobTimeoutException("300 s")),
			patch.object(frappe, "enqueue") as enqueue,
			self.assertRaises(JobTimeoutException),
		):
			settle.settle()
		self.assertEqual(
			enqueue.mock_calls[-1].kwargs["steps"],
			["advance_what_waits", "retry_failed", "pour", "report_failed_checks", "warn"],
		)


class TestBrokenRow(FairnessTestCase):
	def breaking(self, module, function: str, broken: str):
		"""Return a context in which a function that takes ledger rows raises where this one is among them."""
		work = getattr(module, function)

		def working(rows, *args, **options):
			if any(row.name == broken for row in rows):
				raise KeyError(broken)
			return work(rows, *args, **options)

		return patch.object(module, function, working)

	def test_one_broken_row_stops_no_other_of_its_page(self):
		for _ in range(3):
			factories.pin(factories.customer(), in_days(30))
		campaign = factories.campaign()
		self.run_night()
		broken = self.ledger()[1].name
		with self.breaking(email, "outcomes", broken):
			self.mail_sent()
		self.assertEqual([row.status for row in self.ledger()], ["Completed", "Queued", "Completed"])
		frappe.db.set_value("Email Queue", {}, {"status": "Error", "error": "(451, b'later')"})
		frappe.db.set_value(ledger.DOCTYPE, {}, {"status": "Queued"})
		frappe.db.commit()
		closing.close_all()
		names = [row.name for row in self.ledger()]
		with self.breaking(ledger, "reopen", broken):
			retry.retry(names)
		self.assertEqual([row.status for row in self.ledger()], ["Queued", "Failed", "Queued"])
		frappe.db.set_value(ledger.DOCTYPE, broken, "status", "Queued")
		frappe.db.set_value("Email Queue", self.ledger()[1].handle, "status", "Not Sent")
		campaign.reload()
		campaign.update({"is_active": 0}).save()
		frappe.db.commit()
		with self.breaking(withdrawal, "take_out", broken):
			settle.settle()
		self.assertEqual([row.status for row in self.ledger()], ["Cancelled", "Queued", "Cancelled"])

	def test_what_breaks_for_all_of_them_is_raised(self):
		rows = [frappe._dict(name=str(number)) for number in range(30)]

		def work(some):
			tried.append(len(some))
			raise KeyError("the database")

		tried = []
		with self.assertRaises(KeyError):
			list(transaction.apart(work, rows))
		self.assertEqual(tried, [30] + [1] * transaction.MOST_BROKEN)
