"""Who is on the suppression list gets nothing of ours; how an address comes there, expires, and comes off it again."""

import unittest
from datetime import datetime, timedelta
from unittest.mock import patch

import frappe
from frappe.utils import add_days, now_datetime
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketing_automation import api, tasks
from marketing_automation.channels.email import lists, queue, sender
from marketing_automation.engine import dispatch, settle, suppression
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.engine.suppression import COMPLAINT, HARD, SOFT, Finding, Limits, judged
from marketing_automation.marketing_automation.report.expiring_pins import expiring_pins
from marketing_automation.tests import factories, smtp_sink
from marketing_automation.tests.case import MarketingTestCase, outside_test_mode, replaced_hooks, statements
from marketing_automation.tests.factories import in_days

ANA = "ana@customers.example"
LIMITS = Limits(3, 30, 90)
NOW = datetime(2026, 2, 28, 12)


def finding(kind: str = HARD, address: str = ANA, at: datetime | None = None, number: int = 1, **fields):
	fields = {"source": "Bounce message", "message_id": f"{number}@site.example", **fields}
	return Finding(address, kind, at or now_datetime(), **fields)


def entry(address: str = ANA) -> dict | None:
	return frappe.db.get_value(
		suppression.DOCTYPE, suppression.hash_of(address), ["name", *suppression.FIELDS], as_dict=True
	)


class TestWhatOneMessageSays(unittest.TestCase):
	"""`judged`, which is pure."""

	def after(self, *findings: Finding, now: datetime = NOW, before: dict | None = None) -> dict | None:
		for one in findings:
			before = {**(before or {}), **(judged(before, one, LIMITS, now) or {})}
		return before

	def test_a_hard_bounce_suppresses_at_once_and_for_good(self):
		after = self.after(finding(HARD, at=NOW, code="5.1.1"))
		self.assertEqual(
			(after["status"], after["reason"], after["expires_at"], after["code"]),
			("Suppressed", "Hard bounce", None, "5.1.1"),
		)

	def test_soft_bounces_suppress_when_there_are_enough_of_them_and_expire(self):
		first = self.after(finding(SOFT, at=NOW, number=1))
		self.assertEqual((first["status"], first["soft_bounces"]), ("Counting", 1))
		second = self.after(
			finding(SOFT, at=NOW + timedelta(days=1), number=2), before=first, now=NOW + timedelta(days=1)
		)
		self.assertEqual((second["status"], second["since"]), ("Counting", NOW))
		last = NOW + timedelta(days=2)
		third = self.after(finding(SOFT, at=last, number=3), before=second, now=last)
		self.assertEqual((third["status"], third["soft_bounces"], third["since"]), ("Suppressed", 3, last))
		self.assertEqual(third["expires_at"], last + timedelta(days=30))

	def test_a_message_counts_once_however_often_it_bounces(self):
		after = self.after(*[finding(SOFT, at=NOW + timedelta(hours=hour), number=1) for hour in range(5)])
		self.assertEqual((after["status"], after["soft_bounces"]), ("Counting", 1))

	def test_soft_bounces_that_have_expired_count_no_more(self):
		before = self.after(finding(SOFT, at=NOW, number=1), finding(SOFT, at=NOW, number=2))
		later = NOW + timedelta(days=31)
		after = self.after(finding(SOFT, at=later, number=3), before=before, now=later)
		self.assertEqual((after["status"], after["soft_bounces"]), ("Counting", 1))

	def test_a_soft_bounce_of_long_ago_says_nothing(self):
		self.assertIsNone(judged(None, finding(SOFT, at=NOW - timedelta(days=30)), LIMITS, NOW))

	def test_what_says_more_takes_the_place_of_what_says_less(self):
		for first, then, reason in (
			(SOFT, HARD, "Hard bounce"),
			(HARD, COMPLAINT, "Complaint"),
			(COMPLAINT, HARD, "Complaint"),
			(HARD, SOFT, "Hard bounce"),
		):
			with self.subTest(first=first, then=then):
				after = self.after(finding(first, at=NOW, number=1), finding(then, at=NOW, number=2))
				self.assertEqual((after["status"], after["reason"]), ("Suppressed", reason))

	def test_a_bounce_from_before_it_was_lifted_changes_nothing(self):
		lifted = {"status": "Lifted", "lifted_at": NOW}
		self.assertIsNone(judged(lifted, finding(HARD, at=NOW - timedelta(minutes=1)), LIMITS, NOW))
		after = judged(lifted, finding(HARD, at=NOW + timedelta(minutes=1)), LIMITS, NOW + timedelta(hours=1))
		self.assertEqual(after["status"], "Suppressed")

	def test_a_clock_that_is_ahead_lets_nothing_last_longer(self):
		after = judged(None, finding(SOFT, at=NOW + timedelta(days=900)), LIMITS, NOW)
		self.assertEqual(after["expires_at"], NOW + timedelta(days=30))

	@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
	@given(
		st.lists(
			st.tuples(
				st.sampled_from([HARD, SOFT, COMPLAINT]),
				st.integers(1, 6),
				st.integers(0, 100),
			),
			max_size=12,
		)
	)
	def test_whatever_comes_twice_is_as_if_it_had_come_once(self, said):
		findings = [
			finding(kind, at=NOW + timedelta(days=days), number=number, words=f"{number}")
			for kind, number, days in sorted(said, key=lambda one: one[2])
		]
		now = NOW + timedelta(days=100)
		once, twice = self.after(*findings, now=now), self.after(*findings, *findings, now=now)
		for field in ("status", "reason", "soft_bounces"):
			self.assertEqual((once or {}).get(field), (twice or {}).get(field), field)


class TestTheList(MarketingTestCase):
	def held(self, *addresses: str) -> set[str]:
		return set(suppression.suppressed(addresses, now_datetime()))

	def test_an_address_is_found_however_its_letters_are_written_and_nobody_else_is(self):
		suppression.record([finding()])
		self.assertEqual(
			self.held("ANA@Customers.Example", "ben@customers.example", ""), {"ANA@Customers.Example"}
		)

	def test_it_is_known_by_a_hash_that_takes_the_key_of_the_site(self):
		suppression.record([finding()])
		(name,) = frappe.get_all(suppression.DOCTYPE, pluck="name")
		self.assertRegex(name, r"^[0-9a-f]{32}$")
		with patch.object(suppression, "key", lambda: b"another"):
			self.assertNotEqual(suppression.hash_of(ANA), name)

	def test_the_address_goes_when_its_time_is_over_and_the_entry_works_on(self):
		suppression.record([finding(words="550 5.1.1 <ana@customers.example> unknown")])
		self.assertEqual(entry().address_until, add_days(now_datetime().date(), 90))
		frappe.db.set_value(suppression.DOCTYPE, entry().name, "address_until", in_days(-1))
		tasks.clear_suppressions()
		self.assertEqual((entry().address, entry().words), (None, None))
		self.assertEqual(self.held(ANA), {ANA})

	def test_soft_bounces_that_have_expired_are_forgotten_and_a_suppression_by_them_ends(self):
		suppression.record([finding(SOFT, number=number) for number in range(3)])
		suppression.record([finding(SOFT, "ben@customers.example")])
		self.assertEqual(self.held(ANA, "ben@customers.example"), {ANA})
		frappe.db.set_value(suppression.DOCTYPE, {}, "expires_at", add_days(now_datetime(), -1))
		self.assertEqual(self.held(ANA), set(), "before the job has been there")
		tasks.clear_suppressions()
		self.assertEqual(entry().status, "Expired")
		self.assertIsNone(entry("ben@customers.example"))

	def test_many_are_written_and_looked_up_in_a_number_of_queries_that_stays(self):
		counts = []
		# Once without: Frappe reads its metas.
		for number in (5, 10, 1000):
			addresses = [f"c{number}-{one}@customers.example" for one in range(number)]
			with statements() as seen:
				suppression.record([finding(SOFT, address) for address in addresses])
				written = len(seen)
				suppression.suppressed(addresses, now_datetime())
			counts.append((written, len(seen) - written))
		_first, few, many = counts
		self.assertEqual(few[1], 1)
		self.assertEqual(many, (few[0] + 1, 1))

	def test_an_administrator_lifts_an_entry_and_it_is_kept_who_did_and_why(self):
		suppression.record([finding()])
		user = factories.user("System Manager")
		frappe.set_user(user)
		api.lift_suppression(entry().name, "She has written to us")
		frappe.set_user("Administrator")
		self.assertEqual(self.held(ANA), set())
		self.assertEqual(
			(entry().status, entry().lifted_by, entry().lift_reason),
			("Lifted", user, "She has written to us"),
		)
		comments = frappe.get_all("Comment", {"reference_name": entry().name}, pluck="content")
		self.assertTrue(any("She has written to us" in text for text in comments))
		suppression.record([finding(at=add_days(now_datetime(), -1))])
		self.assertEqual(entry().status, "Lifted", "it had come before")
		suppression.record([finding()])
		self.assertEqual(entry().status, "Suppressed")

	def test_only_an_administrator_lifts_and_nobody_writes_it_by_the_generic_api(self):
		suppression.record([finding()])
		name = entry().name
		for roles in (("Marketing Manager",), ("Marketing User",), ("Sales User",)):
			frappe.set_user(factories.user(*roles))
			with self.assertRaises(frappe.PermissionError):
				api.lift_suppression(name, "I want to")
		for user in (factories.user("Marketing Manager"), factories.user("System Manager"), "Administrator"):
			frappe.set_user(user)
			for method, arguments in (
				(
					"set_value",
					{"doctype": suppression.DOCTYPE, "name": name, "fieldname": "status", "value": "Lifted"},
				),
				("insert", {"doc": {"doctype": suppression.DOCTYPE, "name": "x", "address": "b@c.example"}}),
				("delete", {"doctype": suppression.DOCTYPE, "name": name}),
			):
				with self.subTest(user=user, method=method), self.assertRaises(frappe.PermissionError):
					frappe.get_attr(f"frappe.client.{method}")(**arguments)
				frappe.db.rollback()
				suppression.record([finding()])
		frappe.set_user("Administrator")
		self.assertEqual(entry().status, "Suppressed")

	def test_who_sees_some_customers_only_sees_no_address(self):
		suppression.record([finding()])
		bound = factories.user("Marketing Manager", sees={"Customer": factories.customer()})
		frappe.db.commit()
		frappe.set_user(bound)
		self.assertEqual(frappe.get_list(suppression.DOCTYPE), [])
		self.assertFalse(frappe.get_doc(suppression.DOCTYPE, suppression.hash_of(ANA)).has_permission("read"))

	def test_who_asks_to_be_forgotten_stays_protected(self):
		suppression.record([finding(words=f"550 <{ANA}> unknown")])
		api.forget(ANA)
		self.assertEqual((entry().address, entry().words), (None, None))
		self.assertEqual(self.held(ANA), {ANA})


class TestMovingFromAnotherTool(MarketingTestCase):
	def test_a_pasted_list(self):
		found = api.add_suppressions("Ana <ANA@customers.example>\nben@customers.example\n\nnobody\n")
		self.assertEqual((found["added"], found["known"], found["wrong"]), (2, 0, ["nobody"]))
		self.assertEqual(
			(entry().status, entry().reason, entry().source), ("Suppressed", "By hand", "By hand")
		)
		self.assertEqual(api.add_suppressions("ana@customers.example")["known"], 1)

	def test_files_as_tools_write_them(self):
		for text, reason in (
			(
				"email,reason,status,created\nana@customers.example,550 no such user bounce,5.1.1,1767225600\n",
				"Hard bounce",
			),
			(
				"Email Address;First Name;CLEAN_TIME\nana@customers.example;Ana;2026-01-01 00:00:00\n",
				"Imported",
			),
			(
				"EmailAddress\tReason\tLastUpdateTime\nana@customers.example\tCOMPLAINT\t2026-01-01T00:00:00Z\n",
				"Complaint",
			),
			(
				'"address","code","error","created_at"\n"ana@customers.example","550","no","Thu, 01 Jan 2026 00:00:00 GMT"\n',
				"Imported",
			),
			(
				"Correo electrónico;Motivo;Fecha\nana@customers.example;Rebote duro;2026-01-01\n",
				"Hard bounce",
			),
		):
			with self.subTest(text):
				frappe.db.delete(suppression.DOCTYPE)
				self.assertEqual(api.add_suppressions("\ufeff" + text, from_another_tool=True)["added"], 1)
				self.assertEqual((entry().reason, entry().source), (reason, "Import"))
				self.assertEqual(entry().since.date().year, 2026 if entry().since.month == 1 else 2025)

	def test_soft_bounces_of_another_tool_suppress_nobody(self):
		found = api.add_suppressions(
			"email,type\nana@customers.example,soft bounce\n", from_another_tool=True
		)
		self.assertEqual((found["added"], found["left_out"]), (0, 1))
		self.assertIsNone(entry())

	def test_what_is_no_list_is_refused_with_what_to_do(self):
		for text in ("", "hello", "email\n", '"a\nb'):
			with self.subTest(text), self.refused("one address a line"):
				api.add_suppressions(text)

	def test_an_export_comes_back_whole_also_where_the_address_is_forgotten(self):
		suppression.record(
			[
				finding(code="5.1.1"),
				finding(COMPLAINT, "ben@customers.example"),
				finding(SOFT, "eva@customers.example"),
			]
		)
		frappe.db.set_value(
			suppression.DOCTYPE, suppression.hash_of("ben@customers.example"), "address", None
		)
		text, count, nameless = lists.exported()
		self.assertEqual((count, nameless), (2, 1))
		self.assertNotIn("eva", text)
		frappe.db.delete(suppression.DOCTYPE)
		self.assertEqual(api.add_suppressions(text, from_another_tool=True)["added"], 2)
		self.assertEqual((entry().reason, entry().code), ("Hard bounce", "5.1.1"))
		self.assertEqual(entry("ben@customers.example").reason, "Complaint")
		frappe.set_user(factories.user("Marketing User"))
		with self.assertRaises(frappe.PermissionError):
			api.export_suppressions()

	def test_the_export_is_a_file(self):
		suppression.record([finding()])
		api.export_suppressions()
		self.assertIn(ANA, frappe.response["filecontent"])
		self.assertEqual(frappe.response["type"], "download")


class TestSending(MarketingTestCase):
	def customer(self, address: str = ANA) -> str:
		return factories.customer(email=address)

	def leave(self, sink: smtp_sink.Sink) -> None:
		"""Have what is queued go to a server."""
		# The account that was remembered has another port.
		frappe.local.outgoing_email_account = {}
		with (
			smtp_sink.listening(sink) as port,
			patch.dict(frappe.local.conf, {"mail_port": port}),
			outside_test_mode(),
		):
			dispatch.send(sender.ACTION_TYPE, [str(mail.name) for mail in self.mails()])

	def test_the_plan_skips_who_is_on_the_list_and_names_the_entry(self):
		pin = factories.pin(self.customer(), in_days(30))
		factories.campaign()
		suppression.record([finding()])
		self.run_night()
		(row,) = self.ledger(reference_name=pin)
		self.assertEqual((row.status, row.reason), ("Skipped", "Suppressed"))
		self.assertEqual((row.evidence_doctype, row.evidence_name), (suppression.DOCTYPE, entry().name))

	def test_why_and_expiring_pins_say_that_nothing_can_reach_them(self):
		customer = self.customer()
		factories.pin(customer, in_days(30))
		factories.campaign()
		suppression.record([finding()])
		found = api.why_customer(customer)
		self.assertEqual((found["reason"], found["suppression"]), ("Suppressed", entry().name))
		filters = {"from_date": in_days(0), "to_date": in_days(60)}
		rows = expiring_pins.execute(filters)[1]
		self.assertEqual([row["problem"] for row in rows if row["customer"] == customer], ["Suppressed"])

	def test_lifted_within_the_catch_up_it_goes_out_after_all(self):
		pin = factories.pin(self.customer(), in_days(30))
		factories.campaign()
		suppression.record([finding()])
		self.run_night()
		api.lift_suppression(entry().name, "It works again")
		self.run_night()
		self.assertEqual(self.outcome_of(pin)[0], "Queued")

	def test_who_comes_on_the_list_between_queue_and_server_is_not_sent_it(self):
		pin = factories.pin(self.customer(), in_days(30))
		factories.campaign()
		self.run_night()
		suppression.record([finding(COMPLAINT)])
		frappe.db.commit()
		sink = smtp_sink.Sink()
		self.leave(sink)
		self.assertEqual(sink.mails, [])
		frappe.db.set_value(
			"Email Queue", {}, "modified", add_days(now_datetime(), -1), update_modified=False
		)
		frappe.db.commit()
		settle.settle()
		self.assertEqual(self.outcome_of(pin), ("Skipped", "Suppressed"))

	def send(self, *replies: str) -> dict:
		"""Have the server refuse with these replies, one after the other; return {pin: row}."""
		pins = [
			factories.pin(self.customer(f"c{number}@customers.example"), in_days(30))
			for number in range(len(replies))
		]
		factories.campaign()
		self.run_night()
		answers = {f"c{number}@customers.example": reply for number, reply in enumerate(replies)}
		self.leave(smtp_sink.Sink(answer=answers.get))
		return [self.ledger(reference_name=pin)[0] for pin in pins]

	def test_a_hard_refusal_while_sending_suppresses_and_the_row_names_the_entry(self):
		(row,) = self.send("550 5.1.1 no such user")
		found = entry("c0@customers.example")
		self.assertEqual((row.status, row.reason), ("Failed", "Sending failed"))
		self.assertEqual((row.evidence_doctype, row.evidence_name), (suppression.DOCTYPE, found.name))
		self.assertEqual(
			(found.status, found.code, found.source, found.message),
			("Suppressed", "5.1.1", "Sending", row.name),
		)
		self.assertIn("no such user", found.words)

	def test_a_full_mailbox_counts_and_a_sender_that_is_refused_is_nobodys_fault_but_his(self):
		_full, spam, _unknown = self.send(
			"552 5.2.2 full", "554 5.7.1 looks like spam", "550 no such user here"
		)
		self.assertEqual(entry("c0@customers.example").status, "Counting")
		self.assertIsNone(entry("c1@customers.example"))
		self.assertIsNone(spam.evidence_name)
		self.assertEqual(entry("c2@customers.example").status, "Suppressed")

	def test_a_server_that_lets_strangers_wait_says_nothing_of_the_address(self):
		(row,) = self.send("451 4.7.1 greylisted")
		self.assertTrue(row.next_attempt_at)
		self.assertIsNone(entry("c0@customers.example"))

	def test_a_temporary_refusal_counts_when_it_is_the_last(self):
		frappe.db.set_single_value(SETTINGS, "max_attempts", 1)
		self.send("451 4.3.0 try later")
		self.assertEqual(entry("c0@customers.example").status, "Counting")


class TestFrappesMailings(MarketingTestCase):
	def mail(self, doctype: str | None, *addresses: str):
		mail = frappe.new_doc("Email Queue")
		mail.update(
			{
				"sender": "shop@company.example",
				"message": "x",
				"reference_doctype": doctype,
				"reference_name": "x",
			}
		)
		mail.set_recipients(addresses)
		# ERPNext's Email Campaign is not in every sandbox.
		mail.flags.ignore_links = True
		return mail.insert(ignore_permissions=True)

	def recipients(self, mail) -> list[str]:
		return frappe.get_all(
			"Email Queue Recipient", {"parent": mail.name}, pluck="recipient", order_by="idx asc"
		)

	def test_a_newsletter_goes_to_all_unless_the_site_wants_it_otherwise(self):
		suppression.record([finding()])
		self.assertEqual(self.recipients(self.mail("Newsletter", ANA)), [ANA])

	def test_with_the_setting_mailings_leave_out_who_is_on_the_list(self):
		suppression.record([finding()])
		frappe.db.set_single_value(SETTINGS, "stop_frappes_mailings", 1)
		for doctype in ("Newsletter", "Email Campaign"):
			with self.subTest(doctype):
				self.assertEqual(
					self.recipients(self.mail(doctype, ANA, "ben@customers.example")),
					["ben@customers.example"],
				)
				alone = self.mail(doctype, ANA)
				self.assertEqual(alone.status, "Error")
				self.assertIn("suppression list", alone.error)

	def test_invoices_and_passwords_are_never_stopped(self):
		suppression.record([finding(COMPLAINT)])
		frappe.db.set_single_value(SETTINGS, "stop_frappes_mailings", 1)
		for doctype in ("Sales Invoice", "User", None):
			mail = self.mail(doctype, ANA)
			self.assertEqual((mail.status, self.recipients(mail)), ("Not Sent", [ANA]))

	def test_our_own_hook_leaves_the_fast_way_as_it_is_and_that_of_another_app_does_not(self):
		self.assertFalse(queue._is_watched())
		events = {"Email Queue": {"before_insert": ["another_app.look"]}}
		with patch.object(frappe, "get_hooks", replaced_hooks(doc_events=events)):
			self.assertTrue(queue._is_watched())
