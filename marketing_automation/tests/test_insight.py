"""What the marketer sees of what happened: the journey's numbers, the mail itself, and why somebody got a message or not."""

import sys
from types import SimpleNamespace
from unittest.mock import patch

import frappe

from marketing_automation import api
from marketing_automation.channels.email import channel as email
from marketing_automation.engine.model import Reason
from marketing_automation.sources import serial_no
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, replaced_hooks, sending_suspended, statements
from marketing_automation.tests.factories import in_days


def action_of(campaign) -> str:
	return frappe.db.get_value("Lifecycle Action", {"campaign": campaign.name})


class TestJourney(MarketingTestCase):
	def test_triggers_stand_along_the_time_line_with_live_numbers(self):
		factories.pins(factories.customer(), in_days(30), in_days(35), in_days(2))
		factories.pin(factories.customer(email=None), in_days(30))
		campaign = factories.campaign(
			{"trigger_type": "After", "days_offset": 5},
			{"trigger_type": "On", "days_offset": 0},
			{"days_offset": 30},
		)
		self.run_night()
		journey = api.journey(campaign.name)
		self.assertEqual([trigger["day"] for trigger in journey], [-30, 0, 5])
		(first,) = journey[0]["actions"]
		self.assertEqual(
			first["counts"],
			{
				"Pending": 0,
				"Waiting": 0,
				"Queued": 1,
				"Completed": 0,
				"Failed": 0,
				"Skipped": 1,
				"Cancelled": 0,
			},
		)
		# 30 days before: those of today are known, the one of five days on comes. On the day: the one of two days on.
		self.assertEqual([trigger["actions"][0]["coming"] for trigger in journey], [1, 1, 0])

	def test_those_who_will_be_told_are_told_from_those_who_will_be_skipped(self):
		ana = factories.customer("Test Ana")
		later, today = factories.pins(ana, in_days(35), in_days(30))
		factories.pin(factories.customer(email=None), in_days(33))
		factories.pin(ana, in_days(38))
		campaign = factories.campaign({"days_offset": 30})
		found = api.coming(campaign.name)
		action = action_of(campaign)
		self.assertEqual(found["actions"], {action: {"send": 2, "skip": 1, "fail": 0, "known": 0}})
		self.assertEqual(
			[(row["reference_name"], row["due_on"], row["customer_name"]) for row in found["next"]],
			[(today, in_days(0), "Test Ana"), (later, in_days(5), "Test Ana")],
		)
		self.run_night()
		found = api.coming(campaign.name)
		self.assertEqual(found["actions"][action]["known"], 1)
		self.assertEqual([row["reference_name"] for row in found["next"]], [later])

	def test_the_campaigns_own_dates_limit_who_is_next(self):
		factories.pins(factories.customer(), in_days(31), in_days(35))
		campaign = factories.campaign({"days_offset": 30}, start_date=in_days(1), end_date=in_days(4))
		(row,) = api.coming(campaign.name)["next"]
		self.assertEqual(row["due_on"], in_days(1))

	def test_looking_ahead_takes_as_many_queries_for_a_week_as_for_a_day(self):
		campaign = factories.campaign({"days_offset": 30}, {"days_offset": 7})
		factories.pin(factories.customer(), in_days(36))
		api.coming(campaign.name)
		taken = []
		for days in (30, 33):
			factories.pin(factories.customer(), in_days(days))
			with statements() as seen:
				api.coming(campaign.name)
			taken.append(len(seen))
		self.assertEqual(taken[0], taken[1])
		self.assertLessEqual(taken[1], 26)

	def test_the_numbers_take_two_queries_of_the_ledger(self):
		campaign = factories.campaign({}, {"days_offset": 7}, {"days_offset": 1})
		api.journey(campaign.name)
		with statements() as seen:
			api.journey(campaign.name)
		self.assertEqual(len([query for query in seen if "tabLifecycle Execution Log" in query]), 2)
		self.assertLessEqual(len(seen), 12)


class TestMail(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.pin = factories.pin(factories.customer("Test Mía", language="es"), in_days(40))
		spanish = factories.template("Vence el {{ expiry_date }}", "<p>Hola <b>{{ customer_name }}</b></p>")
		self.campaign = factories.campaign(active=False)
		self.action = action_of(self.campaign)
		doc = frappe.get_doc("Lifecycle Action", self.action)
		doc.append("translations", {"language": "es", "email_template": spanish})
		doc.save()

	def test_it_reads_as_its_customer_would_read_it_on_the_day(self):
		found = api.mail(self.action)
		self.assertEqual(found["reference_name"], self.pin)
		self.assertTrue(found["subject"].startswith("Vence el "))
		self.assertIn("Test Mía", found["html"])
		self.assertIn("Hola **Test Mía**", found["text"])
		self.assertIn("Darse de baja", found["text"])
		self.assertIn("Darse de baja", found["html"])
		self.assertEqual((found["reason"], found["due_on"]), (None, in_days(10)))
		english = api.mail(self.action, self.pin, "en")
		self.assertIn("30 days", english["text"])
		self.assertEqual((self.ledger(), self.mails()), ([], []))

	def test_it_can_be_read_in_each_language_that_it_has_a_template_for(self):
		doc = frappe.get_doc("Lifecycle Action", self.action)
		doc.append("translations", {"language": "fr", "email_template": doc.email_template})
		doc.save()
		found = api.mail(self.action)["languages"]
		self.assertEqual([language["value"] for language in found], ["en", "es", "fr"])
		self.assertTrue(all(language["label"] for language in found))

	def test_the_example_is_of_the_campaign_s_company_however_many_come_first(self):
		others = factories.pins(factories.customer(), in_days(31), in_days(32))
		self.assertEqual(api.mail(self.action)["reference_name"], others[0])
		frappe.db.set_value("Serial No", {"name": ["in", others]}, "company", factories.second_company())
		self.campaign.db_set("company", factories.company())
		for looked_at in (100, 2):
			with self.subTest(looked_at), patch.object(serial_no, "EXAMPLES", looked_at):
				self.assertEqual(api.mail(self.action)["reference_name"], self.pin)

	def test_a_test_goes_to_the_user_only_and_is_no_ledger_entry(self):
		marketer = factories.user("Marketing User")
		frappe.set_user(marketer)
		self.assertEqual(api.send_test(self.action, self.pin), marketer)
		frappe.set_user("Administrator")
		(mail,) = self.mails()
		# Nobody waits for the next emptying of the queue.
		self.assertEqual(mail.status, "Sent")
		recipients = frappe.get_all("Email Queue Recipient", pluck="recipient")
		self.assertEqual((recipients, self.ledger()), ([marketer], []))
		self.assertIn("[Test] Vence el", str(frappe.get_doc("Email Queue", mail.name).message))
		self.assertIsNone(mail.reference_name)

	def test_what_is_wrong_is_said(self):
		frappe.db.commit()
		with self.refused("There is no Serial No", "NOWHERE", error=frappe.DoesNotExistError):
			api.mail(self.action, "NOWHERE")
		factories.expire(self.pin, None)
		frappe.db.commit()
		with self.refused(self.pin, "has no date for this message"):
			api.mail(self.action, self.pin)
		self.assertEqual(
			api.mail(self.action),
			{
				"reference_doctype": "Serial No",
				"reference_name": None,
				"wanted": "a date in Warranty Expiry Date",
			},
		)


class TestWhy(MarketingTestCase):
	def test_the_history_and_what_is_coming_to_a_customer(self):
		ana = factories.customer("Test Ana", email="ana.why@customers.example")
		told, later = factories.pins(ana, in_days(30), in_days(40))
		factories.pin(factories.customer(), in_days(30))
		campaign = factories.campaign()
		off = factories.campaign(active=False)
		self.run_night(campaign.name)

		found = api.why_customer(ana)
		self.assertEqual((found["email"], found["reason"]), ("ana.why@customers.example", None))
		self.assertEqual([row.reference_name for row in found["history"]], [told])
		self.assertEqual(
			[(step["campaign"], step["reference_name"], step["due_on"]) for step in found["coming"]],
			[(campaign.name, later, in_days(10))],
		)
		self.assertEqual(found["withheld"], [])
		# Of one that is not active it is enough to know how much it would send, however many pins and steps there are.
		self.assertEqual(found["inactive"], [{"campaign": off.name, "state": "Draft", "messages": 2}])
		off.db_set({"paused_at": frappe.utils.now_datetime()})
		self.assertEqual(api.why_customer(ana)["inactive"][0]["state"], "Paused")

	def test_what_would_not_be_sent_as_things_are_is_not_shown_as_coming(self):
		ana = factories.customer()
		pin = factories.pin(ana, in_days(40))
		factories.campaign()
		factories.make("Email Unsubscribe", email=factories.address(ana), global_unsubscribe=1)
		for steps in (api.why_customer(ana)["coming"], api.why_reference("Serial No", pin)["steps"]):
			(step,) = steps
			self.assertEqual(step["state"], "Would not be sent")
			self.assertIn("Unsubscribed", step["why"])

	def test_what_drafts_would_do_comes_after_what_is_coming(self):
		pin = factories.pin(factories.customer(), in_days(40))
		factories.campaign({"days_offset": 39}, active=False)
		on = factories.campaign({"days_offset": 30})
		self.assertEqual(
			[
				(step["campaign"] == on.name, step["state"])
				for step in api.why_reference("Serial No", pin)["steps"]
			],
			[(True, "Coming"), (False, "Withheld")],
		)

	def test_a_customer_who_cannot_be_reached_and_one_who_left(self):
		mute = factories.customer(email=None)
		self.assertEqual(api.why_customer(mute)["reason"], Reason.NO_ADDRESS)
		gone = factories.customer(email="gone@customers.example")
		factories.make("Email Unsubscribe", email="gone@customers.example", global_unsubscribe=1)
		self.assertEqual(api.why_customer(gone)["said"], ["Has unsubscribed from all mail."])

	def test_the_triggers_that_a_pin_will_meet_and_why_not(self):
		pin = factories.pin(factories.customer(), in_days(10))
		campaign = factories.campaign(
			{"days_offset": 30}, {"days_offset": 7}, {"item_group": factories.item_group("Test Other")}
		)
		found = api.why_reference("Serial No", pin)
		steps = [(step["state"], step["due_on"]) for step in found["steps"]]
		self.assertEqual(
			steps, [("Withheld", in_days(-20)), ("Coming", in_days(3)), ("Not due", None)], found["steps"]
		)
		withheld, _coming, not_due = found["steps"]
		self.assertIn("before this was switched on", withheld["why"])
		self.assertIn("Test Other", not_due["why"])
		self.assertIn("Warranty Expiry Date", not_due["why"])
		campaign.is_active = 0
		campaign.save()
		self.assertIn("not active", api.why_reference("Serial No", pin)["steps"][0]["why"])

	def on_since(self, campaign, days: int) -> None:
		"""Let a campaign, its triggers and its actions have been on for so many days."""
		for doctype, filters in (
			("Lifecycle Campaign", {"name": campaign.name}),
			("Lifecycle Trigger", {"campaign": campaign.name}),
			("Lifecycle Action", {"campaign": campaign.name}),
		):
			frappe.db.set_value(doctype, filters, "active_since", f"{in_days(-days)} 09:00:00")

	def step(self, pin: str) -> tuple[str, str]:
		(step,) = api.why_reference("Serial No", pin)["steps"]
		return step["state"], step["why"]

	def test_what_got_its_date_after_the_run_that_took_its_day_is_not_coming(self):
		campaign = factories.campaign()
		self.on_since(campaign, 10)
		self.run_night()
		late, in_time = factories.pins(factories.customer(), in_days(29), in_days(30))
		self.assertEqual(self.step(late), ("Withheld", "Its day had passed before the trigger took it."))
		self.assertEqual(self.step(in_time), ("Coming", "Goes out with the next run."))
		self.run_night()
		self.assertEqual([row.reference_name for row in self.ledger()], [in_time])

	def test_nor_what_fell_due_before_the_end_of_a_campaign_that_no_run_takes_any_more(self):
		campaign = factories.campaign(end_date=in_days(-1))
		self.on_since(campaign, 10)
		self.run_night()
		pin = factories.pin(factories.customer(), in_days(28))
		self.assertEqual(self.step(pin), ("Withheld", "Its day had passed before the trigger took it."))

	def test_what_the_next_run_writes_down_as_missed_is_not_coming(self):
		campaign = factories.campaign()
		self.on_since(campaign, 20)
		missed, made_up_for = factories.pins(factories.customer(), in_days(20), in_days(27))
		self.assertEqual(self.step(missed), ("Withheld", "Would not go out: Night missed."))
		self.assertEqual(self.step(made_up_for), ("Coming", "Goes out with the next run."))
		self.run_night()
		self.assertEqual(self.outcome_of(missed), ("Skipped", Reason.MISSED))
		self.assertEqual(self.outcome_of(made_up_for), ("Queued", None))

	def test_what_is_in_the_ledger_is_history_and_no_step(self):
		pin = factories.pin(factories.customer(email=None), in_days(30))
		factories.campaign()
		self.run_night()
		found = api.why_reference("Serial No", pin)
		self.assertEqual(found["steps"], [])
		self.assertEqual(
			[(row.status, row.reason) for row in found["history"]], [("Skipped", "No e-mail address")]
		)

	def test_it_costs_the_same_for_any_number_of_pins(self):
		ana = factories.customer()
		factories.campaign({}, {"days_offset": 7})
		factories.pin(ana, in_days(40))
		api.why_customer(ana)
		with statements() as few:
			api.why_customer(ana)
		factories.pins(ana, *[in_days(50)] * 10)
		with statements() as many:
			api.why_customer(ana)
		self.assertEqual(len(few), len(many))
		self.assertLessEqual(len(many), 45)


class TestRunProgress(MarketingTestCase):
	def test_it_follows_the_rows_of_the_run(self):
		factories.pins(factories.customer(), in_days(30), in_days(30))
		factories.pin(factories.customer(email=None), in_days(30))
		factories.campaign()
		run = self.run_night()
		found = api.run_progress(run.name)
		self.assertEqual((found["status"], found["done"], found["total"]), ("Completed", 3, 3))
		self.assertEqual((found["counts"]["Queued"], found["counts"]["Skipped"]), (2, 1))


class TestHealth(MarketingTestCase):
	def texts(self, campaign=None) -> str:
		return " ".join(problem["text"] for problem in api.health(campaign))

	def test_nothing_to_say_when_all_is_well(self):
		campaign = factories.campaign()
		frappe.db.set_single_value("System Settings", "enable_scheduler", 1)
		with patch.dict(frappe.local.conf, {"pause_scheduler": 0, "disable_scheduler": 0, "mute_emails": 0}):
			self.assertEqual(api.health(campaign.name), [])

	def test_what_keeps_messages_from_going_out_is_named(self):
		campaign = factories.campaign()
		with patch.dict(frappe.local.conf, {"pause_scheduler": 1, "mute_emails": 1}):
			found = self.texts(campaign.name)
		self.assertIn("scheduler is off", found)
		self.assertIn("muted", found)
		with sending_suspended():
			self.assertIn("suspended", self.texts(campaign.name))
		frappe.db.set_value("Lifecycle Campaign", campaign.name, "sender", "nobody@nowhere.example")
		self.assertIn("nobody@nowhere.example", self.texts(campaign.name))

	def test_nobody_is_sent_where_they_may_not_go(self):
		campaign = factories.campaign(sender="nobody@nowhere.example", active=False)

		def seen_by(user: str) -> dict:
			frappe.set_user(user)
			with sending_suspended():
				return {problem["route"]: problem["text"] for problem in api.health(campaign.name)}

		self.assertLessEqual({"List/Email Account", "List/Email Queue"}, set(seen_by("Administrator")))
		by_marketer = seen_by(factories.user("Marketing User"))
		self.assertFalse({"List/Email Account", "List/Email Queue"} & set(by_marketer))
		self.assertIn("Ask your administrator", by_marketer[None])

	def test_a_sender_is_not_said_to_have_alternatives_where_there_are_none(self):
		campaign = factories.campaign(sender="nobody@nowhere.example", active=False)
		with patch.object(email, "senders", return_value=[]):
			self.assertNotIn("choose another", self.texts(campaign.name))
		with patch.object(email, "senders", return_value=["shop@company.example"]):
			self.assertIn("choose another sender: shop@company.example.", self.texts(campaign.name))

	def test_each_campaign_is_judged_by_the_channels_of_its_own_actions(self):
		def check(campaign):
			frappe.throw("No account for text messages")

		by_text, by_mail, unbuilt = (
			factories.campaign(sender="nobody@nowhere.example", active=False) for _ in range(3)
		)
		frappe.db.set_value("Lifecycle Action", {"campaign": by_text.name}, "action_type", "Send Text")
		frappe.db.delete("Lifecycle Action", {"campaign": unbuilt.name})
		channels = {"Send Text": ["test_text_messages"], "Send Email": [email.__name__]}
		sys.modules["test_text_messages"] = SimpleNamespace(check=check, problems=lambda actions: [])
		self.addCleanup(sys.modules.pop, "test_text_messages")
		with patch.object(frappe, "get_hooks", replaced_hooks(lifecycle_channels=channels)):
			found = {name: self.texts(name) for name in (by_text.name, by_mail.name, unbuilt.name)}
		for campaign, texts, mails in (
			(by_text, True, False),
			(by_mail, False, True),
			(unbuilt, False, True),
		):
			with self.subTest(campaign=campaign.name):
				self.assertEqual("text messages" in found[campaign.name], texts)
				self.assertEqual("nobody@nowhere.example" in found[campaign.name], mails)

	def test_it_costs_the_same_for_any_number_of_campaigns(self):
		factories.campaign()
		api.health()
		with statements() as few:
			api.health()
		for _ in range(3):
			factories.campaign({}, {"days_offset": 7})
		with statements() as many:
			api.health()
		self.assertEqual(len(few), len(many))
		self.assertLessEqual(len(many), 27)

	def test_a_run_that_failed_is_named(self):
		run = self.run_night()
		frappe.db.set_value("Lifecycle Run", run.name, "status", "Failed")
		self.assertIn(run.name, self.texts())
