"""A broken trigger is named, with what to do about it, and stops nobody else's messages."""

from contextlib import contextmanager
from unittest.mock import patch

import frappe

from marketing_automation import api, erpnext_schema
from marketing_automation.channels.email import channel as email
from marketing_automation.engine import deliver, ledger, overlap, retention, retry, settle, watchdog
from marketing_automation.engine.model import DueEvent
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.engine.source import Source
from marketing_automation.marketing_automation.report.expiring_pins import expiring_pins
from marketing_automation.sources import ownership, serial_no
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, replaced_hooks
from marketing_automation.tests.factories import in_days

GONE = '[["Serial No", "x_gone", "=", "1"]]'
# What can be wrong with a trigger, as the database has it, and what the words about it say.
UNINSTALLED = "the app of its source was uninstalled"
BROKEN = {
	"its date field was removed": ({"date_field": "x_gone"}, "x_gone is not a date field"),
	"its date field is no date any more": ({"date_field": "item_code"}, "item_code is not a date field"),
	"it has no date field": ({"date_field": None}, "is not a date field"),
	"a field of its filters was removed": ({"filters": GONE}, "has no field x_gone"),
	"its filters are no JSON": ({"filters": "[[broken"}, "The filters cannot be used"),
	"its filters are no list": ({"filters": '{"a": 1}'}, "The filters cannot be used"),
	"its filters are of another document": ({"filters": '[["Item", "name", "=", 1]]'}, "The filters cannot"),
	"its filters name an expression": ({"filters": '[["Serial No", "1) or (1", "=", 1]]'}, "has no field"),
	"a filter's operator is none": ({"filters": '[["Serial No", "name", "is like", 1]]'}, "Operator must be"),
	"a filter's value is none": (
		{"filters": '[["Serial No", "name", "in", 5]]'},
		"The filters cannot be used",
	),
	"a filter's date is none": (
		{"filters": '[["Serial No", "warranty_expiry_date", ">", "soon"]]'},
		"The filters cannot be used",
	),
	UNINSTALLED: ({"source": "Weeks After"}, "No installed app knows"),
	"its days are a date": ({"days_offset": 20261231}, "0 to 3650"),
	"its days are too many": ({"days_offset": 3000000}, "0 to 3650"),
	"its days are the most that fit": ({"days_offset": 2147483647}, "0 to 3650"),
	"its days are negative": ({"days_offset": -5}, "cannot be negative"),
	"its days are far below nothing": ({"days_offset": -2147483648}, "0 to 3650"),
	"its item group was deleted": ({"item_group": "Test Gone"}, "Test Gone does not exist"),
}


class BrokenTestCase(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.manager = factories.user("Marketing Manager")
		self.customer = factories.customer()
		self.pin = factories.pin(self.customer, in_days(30))
		# By its name it is the first in every list, so what it stops would be all.
		self.broken = factories.campaign(campaign_name=factories.unique("Test A"))
		self.fine = factories.campaign(campaign_name=factories.unique("Test B"))
		(self.trigger,) = frappe.get_all("Lifecycle Trigger", {"campaign": self.broken.name}, pluck="name")
		(self.action,) = frappe.get_all("Lifecycle Action", {"campaign": self.broken.name}, pluck="name")
		self.trigger_name = frappe.db.get_value("Lifecycle Trigger", self.trigger, "trigger_name")
		(self.fine_action,) = frappe.get_all("Lifecycle Action", {"campaign": self.fine.name}, pluck="name")
		# The state of the scheduler is another test's.
		self.enterContext(patch("marketing_automation.desk.health.is_scheduler_inactive", return_value=False))
		# Activation says that both write to the same customer.
		frappe.clear_messages()
		frappe.db.commit()

	def breaks(self, **fields) -> None:
		frappe.db.set_value("Lifecycle Trigger", self.trigger, fields, update_modified=False)
		frappe.db.commit()

	def mended(self) -> None:
		self.breaks(
			date_field="warranty_expiry_date",
			filters=None,
			source="Serial No",
			trigger_type="Before",
			days_offset=30,
			item_group=None,
		)

	def kinds(self):
		"""Break the trigger in each way, on a site that has sent nothing; yield the way and the words about it."""
		for kind, (fields, words) in BROKEN.items():
			self.forget_what_was_sent()
			self.mended()
			self.breaks(**fields)
			yield kind, words

	def forget_what_was_sent(self) -> None:
		for doctype in (ledger.DOCTYPE, ledger.RUN, "Email Queue", "Notification Log"):
			frappe.db.delete(doctype)

	def told(self) -> list[str]:
		return frappe.get_all(
			"Notification Log", {"for_user": self.manager}, pluck="subject", order_by="creation asc"
		)

	def bar(self, *campaign: str) -> str:
		return " ".join(problem["text"] for problem in api.health(*campaign))

	def assert_named(self, text: str, words: str) -> None:
		text = frappe.utils.strip_html(text)
		for part in (self.broken.name, self.trigger_name, words):
			self.assertIn(part, text)


class TestTheNight(BrokenTestCase):
	def test_the_others_get_their_messages_and_the_broken_one_is_named(self):
		for kind, words in self.kinds():
			with self.subTest(kind):
				run = self.run_night()
				self.assertEqual([row.campaign for row in self.ledger(status="Queued")], [self.fine.name])
				self.assertEqual((run.status, run.due, run.queued), ("Failed", 1, 1))
				self.assert_named(run.error, words)
				self.assertNotIn("Traceback", run.error)
				self.assertTrue(run.finished_at)
				self.assert_named(self.bar(), words)
				self.assert_named(self.bar(self.broken.name), words)
				self.assertEqual(self.bar(self.fine.name), "", "all is well with the other one")
				(told,) = self.told()
				self.assert_named(told, words)
				self.assertEqual(
					frappe.message_log, [], "nothing of it is left to be shown to whoever asks next"
				)

	def test_what_is_off_is_not_named_at_all(self):
		for switch in ("Lifecycle Campaign", "Lifecycle Trigger"):
			with self.subTest(switch):
				self.forget_what_was_sent()
				self.breaks(date_field="x_gone", enabled=int(switch != "Lifecycle Trigger"))
				off = int(switch != "Lifecycle Campaign")
				frappe.db.set_value("Lifecycle Campaign", self.broken.name, "is_active", off)
				run = self.run_night()
				self.assertEqual((run.status, run.error, run.left_out), ("Completed", None, None))
				self.assertEqual(self.told(), [])
				self.assertNotIn(self.trigger_name, self.bar())

	def test_another_trigger_of_the_same_campaign_goes_on(self):
		other = factories.trigger(self.broken.name, trigger_type="On", days_offset=0)
		factories.action(other.name)
		frappe.db.set_value("Lifecycle Trigger", other.name, "enabled", 1)
		today = factories.pin(factories.customer(), in_days(0))
		self.breaks(date_field="x_gone")
		self.run_night()
		self.assertEqual(self.outcome_of(today), ("Queued", None))

	def test_an_action_whose_app_was_uninstalled_stops_no_other_action_of_its_trigger(self):
		second = factories.action(self.trigger)
		frappe.db.set_value("Lifecycle Action", self.action, "action_type", "Send Fax")
		run = self.run_night()
		self.assertEqual({row.action for row in self.ledger()}, {second.name, self.fine_action})
		self.assert_named(run.error, "No installed app serves the action type Send Fax")
		self.assert_named(self.bar(self.broken.name), "Send Fax")
		frappe.db.set_value("Lifecycle Action", self.action, "action_type", "Send Email")
		self.run_night()
		self.assertEqual(len(self.ledger(action=self.action, status="Queued")), 1)

	def test_a_company_that_was_deleted(self):
		frappe.db.set_value("Lifecycle Campaign", self.broken.name, "company", "Test Gone")
		run = self.run_night()
		self.assert_named(run.error, "The company Test Gone does not exist")
		self.assertEqual([row.campaign for row in self.ledger()], [self.fine.name])

	def test_a_run_of_the_broken_one_alone_says_what_is_wrong(self):
		self.breaks(days_offset=3000000)
		run = self.run_night(self.broken.name)
		self.assert_named(run.error, "0 to 3650")
		self.assertTrue(api.run_progress(run.name)["partly"])


class TestCatchingUp(BrokenTestCase):
	def night(self, day: int):
		with self.at(f"{in_days(day)} 01:00"):
			return self.run_night()

	def test_mended_it_makes_up_for_the_nights_that_it_was_left_out_of(self):
		pins = [self.pin, *(factories.pin(self.customer, in_days(30 + day)) for day in range(1, 12))]
		self.night(0)
		self.breaks(date_field="x_gone")
		for day in range(1, 11):
			self.assertEqual(self.night(day).status, "Failed")
		frappe.db.commit()
		with self.at(f"{in_days(11)} 00:30"):
			trigger = frappe.get_doc("Lifecycle Trigger", self.trigger)
			trigger.date_field = "warranty_expiry_date"
			trigger.save()
		run = self.night(11)
		self.assertEqual((run.status, run.error), ("Completed", None))
		of_broken = {
			row.reference_name: (row.status, row.reason) for row in self.ledger(campaign=self.broken.name)
		}
		# Seven nights are made up for, by the settings, and four were before that.
		self.assertEqual(
			[of_broken[pin] for pin in pins],
			[("Queued", None)] + [("Skipped", "Missed")] * 3 + [("Queued", None)] * 8,
		)
		self.assertEqual(len(self.ledger(campaign=self.fine.name, status="Queued")), 12)

	def test_meanwhile_the_others_take_each_night_once(self):
		self.night(0)
		self.breaks(filters=GONE)
		for day in range(1, 10):
			run = self.night(day)
			# Tonight's, and the last night's once more: not all nights since it broke.
			self.assertLessEqual(run.due, 1)
		late = factories.pin(self.customer, in_days(33))
		self.night(10)
		self.assertEqual(self.ledger(reference_name=late), [], "its night was taken a week ago")

	def test_the_managers_hear_of_it_once_for_each_time_that_it_breaks(self):
		self.breaks(days_offset=3000000)
		for day in range(3):
			self.night(day)
			self.night(day)
		self.assertEqual(len(self.told()), 1)
		self.mended()
		self.night(3)
		self.breaks(filters=GONE)
		self.night(4)
		self.night(5)
		self.assertEqual(len(self.told()), 2)

	def test_a_run_of_another_campaign_between_makes_no_news_of_it(self):
		self.breaks(days_offset=3000000)
		self.night(0)
		with self.at(f"{in_days(0)} 05:00"):
			self.run_night(self.fine.name)
		self.night(1)
		self.assertEqual(len(self.told()), 1)

	def test_of_many_that_break_at_once_there_is_one_message(self):
		for number in range(5):
			other = factories.campaign(campaign_name=factories.unique(f"Test C{number}"))
			frappe.db.set_value("Lifecycle Trigger", {"campaign": other.name}, "date_field", "x_gone")
		self.night(0)
		(told,) = self.told()
		self.assertIn("2 more", told)

	def test_no_alarm_is_raised_for_the_nights_that_have_run(self):
		self.breaks(date_field="x_gone")
		for day in range(4):
			self.night(day)
		with self.at(f"{in_days(3)} 12:00"):
			self.assertIsNone(watchdog.overdue()[1])

	def test_a_run_that_crashed_covers_nothing_as_ever(self):
		self.breaks(date_field="x_gone")
		with patch.object(ledger, "claim", side_effect=RuntimeError("disk full")):
			with self.assertRaises(RuntimeError):
				self.night(0)
		self.night(1)
		self.assertEqual([row.campaign for row in self.ledger(status="Queued")], [self.fine.name])


class TestTheDesk(BrokenTestCase):
	def test_nothing_raises_whatever_is_broken_and_whether_it_is_active(self):
		for kind, words in self.kinds():
			with self.subTest(kind):
				for active in (1, 0):
					frappe.db.set_value("Lifecycle Campaign", self.broken.name, "is_active", active)
					found = api.preview()
					self.assertEqual(
						[row["campaign"] for row in found["rows"] if row["outcome"] == "send"],
						[self.fine.name],
					)
					(fault,) = found["broken"]
					self.assert_named(fault["text"], words)
					self.assertEqual(api.preview(self.broken.name)["counts"]["send"], 0)
					self.assertEqual(api.run_preview()["counts"]["send"], 1)
					api.run_preview(self.broken.name)
					self.assertEqual(api.forecast()["total"], 1)
					(fault,) = api.forecast(self.broken.name)["broken"]
					self.assert_named(fault["text"], words)
					self.assertEqual(api.due_next_week(), 1)
					(step,) = api.journey(self.broken.name)
					self.assertIn(words, step["problem"])
					self.assertEqual(api.coming(self.broken.name)["actions"], {})
					coming = api.why_customer(self.customer)["coming"]
					self.assertEqual([step["campaign"] for step in coming], [self.fine.name])
					steps = {
						step["campaign"]: step for step in api.why_reference("Serial No", self.pin)["steps"]
					}
					self.assertEqual(steps[self.fine.name]["state"], "Coming")
					if kind == UNINSTALLED:
						# Nobody knows what it is about.
						self.assertNotIn(self.broken.name, steps)
					else:
						self.assertIn(words, steps[self.broken.name]["why"])
					rows = {row["reference_name"]: row for row in expiring_pins.execute({"show_all": 1})[1]}
					self.assertEqual(rows[self.pin]["campaign"], self.fine.name)
					self.assert_named(self.bar(self.broken.name), words)
					self.assertEqual(overlap.of_campaign(self.broken.name), [])
					api.last_run()
					settle.settle()
					retention.clear(730)
					self.assertEqual(frappe.message_log, [])

	def test_a_message_of_it_cannot_be_looked_at_and_the_words_say_why(self):
		for kind, words in self.kinds():
			with self.subTest(kind):
				with self.refused(self.trigger_name, words):
					api.mail(self.action)
				with self.refused(words):
					api.mail(self.action, self.pin)

	def test_its_campaign_is_not_activated(self):
		for kind, words in self.kinds():
			with self.subTest(kind):
				frappe.db.set_value("Lifecycle Campaign", self.broken.name, "is_active", 0)
				doc = frappe.get_doc("Lifecycle Campaign", self.broken.name)
				doc.is_active = 1
				with self.refused(self.trigger_name, words):
					doc.save()

	def test_a_copy_of_its_campaign_is_made_without_it(self):
		fine = factories.trigger(self.broken.name, days_offset=7)
		factories.action(fine.name)
		for kind, words in self.kinds():
			with self.subTest(kind):
				frappe.clear_messages()
				copy = api.duplicate(self.broken.name, factories.unique("Test"))
				copied = frappe.get_all("Lifecycle Trigger", {"campaign": copy}, pluck="days_offset")
				self.assertEqual(copied, [7])
				self.assertEqual(frappe.db.count("Lifecycle Action", {"campaign": copy}), 1)
				self.assert_named(str(frappe.message_log), words)

	def test_it_can_be_switched_off_and_not_on_again(self):
		for fields in ({"date_field": "x_gone"}, {"filters": GONE}, {"days_offset": 20261231}):
			with self.subTest(**fields):
				self.mended()
				self.breaks(**fields, enabled=1)
				trigger = frappe.get_doc("Lifecycle Trigger", self.trigger)
				trigger.enabled = 0
				trigger.save()
				trigger.enabled = 1
				with self.refused(""):
					trigger.save()

	def test_an_action_whose_app_is_gone_can_be_switched_off(self):
		frappe.db.set_value("Lifecycle Action", self.action, "action_type", "Send Fax")
		action = frappe.get_doc("Lifecycle Action", self.action)
		action.enabled = 0
		# The app's type was an option of the field.
		with patch("frappe.model.base_document.BaseDocument._validate_selects"):
			action.save()
			action.enabled = 1
			with self.refused("Send Fax"):
				action.save()

	def test_who_may_not_see_the_campaign_reads_nothing_of_it(self):
		self.breaks(date_field="x_gone")
		frappe.db.set_value("Lifecycle Campaign", self.broken.name, "company", factories.second_company())
		self.run_night()
		user = factories.user("Marketing User", sees={"Company": factories.company()})
		frappe.set_user(user)
		self.assertNotIn(self.trigger_name, self.bar())
		self.assertNotIn(self.trigger_name, str(api.preview()))


class TestClaimedRows(BrokenTestCase):
	"""What was claimed before its trigger broke."""

	def claimed(self) -> list[str]:
		with patch.object(deliver, "enqueue"):
			self.run_night()
		return [row.name for row in self.ledger()]

	def test_they_fail_with_the_reason_and_stop_no_other_of_their_batch(self):
		names = self.claimed()
		for fields, words in (
			({"date_field": "x_gone"}, "x_gone"),
			({"source": "Weeks After"}, "No installed app knows"),
		):
			with self.subTest(**fields):
				frappe.db.set_value(ledger.DOCTYPE, {"name": ["in", names]}, "status", "Pending")
				self.mended()
				self.breaks(**fields)
				deliver.deliver(names)
				rows = {row.campaign: row for row in self.ledger()}
				self.assertEqual(rows[self.fine.name].status, "Queued")
				broken = rows[self.broken.name]
				self.assertEqual((broken.status, broken.reason), ("Failed", "Trigger broken"))
				self.assertIn(words, broken.error)
				self.assertEqual(frappe.db.get_value("Lifecycle Campaign", self.fine.name, "is_active"), 1)

	def test_an_action_whose_app_is_gone(self):
		names = self.claimed()
		frappe.db.set_value("Lifecycle Action", self.action, "action_type", "Send Fax")
		deliver.deliver(names)
		rows = {row.campaign: (row.status, row.reason) for row in self.ledger()}
		self.assertEqual(
			rows, {self.broken.name: ("Failed", "Trigger broken"), self.fine.name: ("Queued", None)}
		)
		settle.settle()

	def test_they_pause_no_campaign_and_are_retried_when_it_is_mended(self):
		frappe.get_single(SETTINGS).update({"pause_share": 1, "pause_count": 1}).save()
		names = self.claimed()
		self.breaks(date_field="x_gone")
		deliver.deliver(names)
		self.assertEqual(frappe.db.get_value("Lifecycle Campaign", self.broken.name, "is_active"), 1)
		api.retry(names)
		self.assertEqual(len(self.ledger(status="Failed")), 1, "still broken")
		self.mended()
		self.assertEqual(api.retry(names), {"Pending": 1})
		self.assertEqual({row.status for row in self.ledger()}, {"Queued"})

	def test_once_it_is_mended_the_next_run_sends_them_by_itself(self):
		names = self.claimed()
		self.breaks(date_field="x_gone")
		deliver.deliver(names)
		self.run_night()
		self.assertEqual(self.ledger(campaign=self.broken.name)[0].reason, "Trigger broken", "still broken")
		self.mended()
		self.run_night()
		self.assertEqual({row.status for row in self.ledger()}, {"Queued"})
		self.assertEqual(len(self.mails()), 2, "one of each campaign")

	def test_skipped_rows_of_it_stay_skipped_and_others_are_sent(self):
		names = self.claimed()
		frappe.db.set_value(
			ledger.DOCTYPE, {"name": ["in", names]}, {"status": "Skipped", "reason": "No e-mail address"}
		)
		self.breaks(date_field="x_gone")
		self.assertEqual(retry.send_skipped(names), {"Trigger broken": 1, "Pending": 1})


class AnotherSource(Source):
	"""A source of another app, whose rules raise wherever `raises` says so for their days."""

	def __init__(self):
		self.raises = {}
		self.pages = []

	def check(self, rules, what: str) -> None:
		for rule in rules:
			if self.raises.get(rule.trigger.days_offset) == what:
				raise RuntimeError(f"{what} of {rule.trigger.days_offset}")

	def validate(self, trigger):
		if self.raises.get(trigger.days_offset) == "validate":
			raise KeyError("no such thing")

	def due(self, windows):
		self.check([rule for rule, _window in windows], "due")
		for number, page in enumerate(self.pages):
			if number:
				self.check([rule for rule, _window in windows], "second page")
			yield [self.event(rule, row, window.last) for row in page for rule, window in windows]

	def current(self, claimed):
		self.check([rule for rule, _row in claimed], "current")
		rows = {row.name: row for page in self.pages for row in page}
		return [self.event(rule, rows[row.reference_name], row.due_on) for rule, row in claimed]

	def event(self, rule, row, night):
		return DueEvent(
			rule,
			"Serial No",
			row.name,
			row.item_code,
			row.company,
			row.get("customer"),
			row.occurrence,
			night,
		)

	def about(self, rules, names):
		self.check(rules, "about")
		return []

	def counts(self, windows, visible):
		self.check([rule for rule, _window in windows], "counts")
		return {(rule.trigger.name, window.first): 1 for rule, window in windows}

	def night(self, rule, occurrence):
		self.check([rule], "night")
		return occurrence

	def owners(self, events):
		self.check([event.rule for event in events], "owners")
		return ownership.owners(events)

	def describe(self, trigger):
		return serial_no.SOURCE.describe(trigger)

	def values(self, events):
		return serial_no.SOURCE.values(events)

	def example(self, rule, visible):
		return None


SOURCE = AnotherSource()


class TestAnotherAppsSource(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.source = SOURCE
		self.source.raises = {}
		sources = {**frappe.get_hooks("lifecycle_sources"), "Test Due": [f"{__name__}.SOURCE"]}
		self.enterContext(patch.object(frappe, "get_hooks", replaced_hooks(lifecycle_sources=sources)))
		names = factories.pins(factories.customer(), *[in_days(500)] * 6)
		rows = frappe.get_all(
			"Serial No",
			{"name": ["in", names]},
			["name", "item_code", "company", *(["customer"] if erpnext_schema.has_owner() else [])],
			order_by="name asc",
		)
		for row in rows:
			row.occurrence = in_days(500)
		self.source.pages = [rows[:2], rows[2:4], rows[4:]]
		self.campaign = factories.campaign(
			*[
				{
					"source": "Test Due",
					"trigger_type": "After",
					"days_offset": days,
					"trigger_name": f"T{days}",
				}
				for days in (1, 2, 3)
			]
		)
		self.pins = factories.campaign()
		self.pin = factories.pin(factories.customer(), in_days(30))
		frappe.db.commit()

	def by_trigger(self, **filters) -> dict[str, int]:
		names = dict(frappe.get_all("Lifecycle Trigger", fields=["name", "trigger_name"], as_list=True))
		found = {}
		for row in self.ledger(campaign=self.campaign.name, **filters):
			name = names[row.trigger]
			found[name] = found.get(name, 0) + 1
		return found

	@contextmanager
	def one_raises(self, what: str):
		self.source.raises = {2: what}
		yield
		self.source.raises = {}

	def test_a_rule_that_raises_stops_no_other_of_its_source(self):
		for what in ("due", "validate"):
			with self.subTest(what), self.one_raises(what):
				for doctype in (ledger.DOCTYPE, ledger.RUN):
					frappe.db.delete(doctype)
				run = self.run_night()
				self.assertEqual(self.by_trigger(), {"T1": 6, "T3": 6})
				self.assertEqual(self.outcome_of(self.pin), ("Queued", None))
				self.assertIn(f"{self.campaign.name}: T2: ", run.error)
				self.assertEqual((run.due, run.known), (13, 0))

	def test_a_rule_whose_owners_cannot_be_found_has_failed_rows_that_the_next_run_sends(self):
		with self.one_raises("owners"):
			run = self.run_night()
			self.assertEqual(self.by_trigger(status="Queued"), {"T1": 6, "T3": 6})
			self.assertEqual(self.by_trigger(status="Failed", reason="Trigger broken"), {"T2": 6})
			self.assertEqual(self.outcome_of(self.pin), ("Queued", None))
			errors = {row.error for row in self.ledger(status="Failed")}
			self.assertEqual(len(errors), 1)
			self.assertIn("RuntimeError: owners of 2", errors.pop())
		self.assertEqual((run.status, run.due), ("Completed", 19))
		self.run_night()
		self.assertEqual(self.by_trigger(status="Queued"), {"T1": 6, "T2": 6, "T3": 6})

	def test_what_raises_in_the_middle_keeps_what_it_has_given_and_the_others_go_on_where_they_were(self):
		with self.one_raises("second page"):
			run = self.run_night()
			self.assertEqual(self.by_trigger(), {"T1": 6, "T2": 2, "T3": 6})
			# Nothing was given twice, which would count as known.
			self.assertEqual((run.due, run.known), (15, 0))
			self.assertIn("RuntimeError: second page of 2", run.error)
			self.assertIn("Traceback", run.error)
			rows = api.preview(self.campaign.name)["counts"]
			self.assertEqual((rows["due"], rows["known"]), (14, 14))
		run = self.run_night()
		self.assertEqual(self.by_trigger(), {"T1": 6, "T2": 6, "T3": 6})
		self.assertEqual(run.status, "Completed")

	def test_what_the_last_run_left_out_is_in_the_bar_although_nothing_is_seen_by_looking(self):
		with self.one_raises("due"):
			self.run_night()
		texts = [problem["text"] for problem in api.health(self.campaign.name) if "T2" in problem["text"]]
		self.assertEqual(len(texts), 1)
		self.assertIn("left out of the last run", texts[0])
		self.run_night()
		self.assertNotIn("T2", str(api.health(self.campaign.name)))

	def test_the_other_questions_to_a_source(self):
		with self.one_raises("counts"):
			found = api.forecast(self.campaign.name)
			self.assertEqual(
				(found["total"], [fault["trigger_name"] for fault in found["broken"]]), (2, ["T2"])
			)
		with self.one_raises("about"):
			self.assertTrue(api.why_reference("Serial No", self.pin)["steps"])
		with self.one_raises("night"):
			days = {step["trigger_name"]: step["day"] for step in api.journey(self.campaign.name)}
			self.assertEqual(days, {"T1": 0, "T2": None, "T3": 0})
		with patch.object(deliver, "enqueue"):
			self.run_night()
		with self.one_raises("current"):
			deliver.deliver([row.name for row in self.ledger()])
		self.assertEqual(self.by_trigger(status="Queued"), {"T1": 6, "T3": 6})
		self.assertEqual(self.by_trigger(status="Failed", reason="Trigger broken"), {"T2": 6})

	def test_a_database_that_is_gone_is_no_rules_fault(self):
		with self.one_raises("due"), patch("marketing_automation.engine.faults._connected") as connected:
			connected.side_effect = frappe.db.OperationalError(2006, "gone away")
			with self.assertRaises(frappe.db.OperationalError):
				self.run_night()
		(run,) = frappe.get_all(ledger.RUN, fields=["status", "left_out"])
		self.assertEqual((run.status, run.left_out), ("Failed", None), "it covers nothing")

	def test_a_channel_whose_check_raises_stops_its_campaign_and_no_other(self):
		check = email.check

		def raising(campaign):
			if campaign.name == self.campaign.name:
				raise KeyError("no such setting")
			check(campaign)

		with patch.object(email, "check", raising):
			run = self.run_night()
		self.assertEqual([row.campaign for row in self.ledger()], [self.pins.name])
		self.assertIn(
			f"{self.campaign.name}: It cannot be worked out (KeyError: 'no such setting')", run.error
		)
