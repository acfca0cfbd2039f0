"""A webhook reaches its receiver once, whatever happens on the way, and nobody else's network."""

import json
import socket
import time
from datetime import timedelta
from unittest.mock import patch

import frappe
from frappe.utils import now_datetime
from frappe.utils.password import get_decrypted_password

from marketing_automation.channels import http, outbox, webhook
from marketing_automation.engine import deliver, dispatch, ledger, settle
from marketing_automation.engine.model import key_of_all
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.tests import factories, http_sink
from marketing_automation.tests.case import MarketingTestCase, outside_test_mode, statements
from marketing_automation.tests.factories import in_days

TYPE = "Send Webhook"
OUR_NETWORKS = (
	*("127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
	*("169.254.169.254", "100.64.0.1", "192.0.0.8", "198.18.0.1", "224.0.0.1", "255.255.255.255"),
	*("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "ff02::1"),
	*("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"),
)
THE_INTERNET = ("93.184.216.34", "8.8.8.8", "2606:4700::1111")


class WebhookTestCase(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.sink = http_sink.Sink(webhook.new_secret())
		self.url = self.enterContext(http_sink.listening(self.sink))
		frappe.db.set_single_value(SETTINGS, "private_webhooks", 1)
		frappe.db.commit()

	def campaign(self, **fields):
		"""Return an active campaign that tells the sink."""
		campaign = factories.campaign(active=False, **fields)
		action = self.action(campaign)
		action.update(
			{"action_type": TYPE, "webhook_url": self.url, "webhook_secret": self.sink.secret}
		).save()
		campaign.reload()
		campaign.update({"is_active": 1}).save()
		return campaign

	def action(self, campaign):
		return frappe.get_doc("Lifecycle Action", {"campaign": campaign.name})

	def handed_over(self, customers: int = 1) -> list:
		for _ in range(customers):
			factories.pin(factories.customer(), in_days(30))
		self.campaign()
		self.run_night()
		return self.ledger()

	def send(self) -> None:
		with outside_test_mode():
			dispatch.send(TYPE, [row.handle for row in self.ledger(status="Queued")])

	def retry(self) -> None:
		"""Let the time of the next attempt come."""
		frappe.db.set_value(ledger.DOCTYPE, {"status": "Failed"}, "next_attempt_at", "2001-01-01")
		frappe.db.commit()
		settle.settle()
		self.send()

	def entries(self) -> list:
		return frappe.get_all(outbox.DOCTYPE, fields=["*"], order_by="name asc")


class TestWhatIsSent(WebhookTestCase):
	def test_the_receiver_learns_who_and_about_what_and_that_it_is_us(self):
		(row,) = self.handed_over()
		self.send()
		((headers, said),) = self.sink.calls
		self.assertEqual(self.sink.refused, [])
		self.assertEqual(headers["webhook-id"], row.message_key)
		self.assertEqual(headers["content-type"], "application/json")
		self.assertEqual(said["type"], "lifecycle.message")
		data = said["data"]
		self.assertEqual((data["key"], data["campaign"]), (row.message_key, row.campaign))
		self.assertEqual(data["customer"]["name"], row.customer)
		self.assertEqual(
			[(item["serial_no"], item["expiry_date"]) for item in data["items"]],
			[(row.reference_name, in_days(30).isoformat())],
		)

	def test_several_products_of_a_customer_go_in_one(self):
		factories.pins(factories.customer(), in_days(30), in_days(30))
		self.campaign(combine_messages=1)
		self.run_night()
		self.send()
		((_headers, said),) = self.sink.calls
		self.assertEqual(len(said["data"]["items"]), 2)
		self.assertEqual([row.status for row in self.ledger()], ["Completed"] * 2)

	def test_the_signature_is_the_one_of_standard_webhooks(self):
		"""What its library makes of the same."""
		secret, key = (
			"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
			b"0123456789abcdef0123456789abcdef",
		)
		self.assertEqual(webhook.key_of(secret), key)
		signed = webhook.signature(key, "msg_1", 1_700_000_000, '{"a":"ñ"}'.encode())
		self.assertEqual(signed, "v1,d1vzGOBl+yV4J22lSqcr8zzEEGgPUL4d564F18+kDQ8=")

	def test_a_receiver_with_another_secret_refuses_the_call(self):
		self.handed_over()
		self.sink.secret = webhook.new_secret()
		self.send()
		(row,) = self.ledger()
		self.assertEqual((row.status, row.next_attempt_at, len(self.sink.refused)), ("Failed", None, 1))
		self.assertIn("401", row.error)

	def test_the_customers_consent_and_address_are_not_asked_for(self):
		customer = factories.customer(email=None)
		factories.pin(customer, in_days(30))
		self.campaign()
		self.run_night()
		self.send()
		self.assertEqual(self.ledger()[0].status, "Completed")

	def test_what_was_sent_is_not_kept(self):
		self.handed_over()
		self.sink.answer = lambda headers, body: (200, {}, b"x" * 5000)
		self.send()
		(entry,) = self.entries()
		self.assertEqual((entry.status, entry.payload, entry.response_code), ("Sent", None, 200))
		self.assertEqual(len(entry.response), outbox.LONGEST_RESPONSE)


class TestOnTheWay(WebhookTestCase):
	def test_no_call_is_made_inside_a_transaction(self):
		self.handed_over(3)
		before = []

		def post(*_arguments):
			before.append(seen[-1].lower())
			return http.Answer(204, "", None)

		with patch.object(http, "post", post), statements() as seen:
			self.send()
		# Some versions begin the next one at once, which holds nothing yet.
		self.assertEqual(len(before), 3)
		self.assertLessEqual(set(before), {"commit", "start transaction"})

	def test_a_receiver_that_fails_for_now_gets_it_later_by_the_same_key(self):
		for answer in (
			*((500, {}, b"sorry"), (503, {}, b""), (429, {}, b""), (408, {}, b"")),
			*(http_sink.RESET, http_sink.GARBAGE),
		):
			with self.subTest(answer=answer):
				self._reset()
				frappe.db.set_single_value(SETTINGS, "private_webhooks", 1)
				self.sink.calls.clear()
				self.sink.news.clear()
				self.sink.answer = lambda headers, body, answer=answer: answer
				(row,) = self.handed_over()
				self.send()
				(failed,) = self.ledger()
				self.assertEqual((failed.status, failed.reason), ("Failed", "Sending failed"))
				self.assertGreater(failed.next_attempt_at, now_datetime())
				self.assertTrue(failed.error)
				self.sink.answer = lambda headers, body: http_sink.OK
				self.retry()
				self.assertEqual(self.ledger()[0].status, "Completed")
				self.assertEqual(dict(self.sink.news), {row.message_key: 1})
				self.assertEqual(
					{headers["webhook-id"] for headers, _said in self.sink.calls}, {row.message_key}
				)

	def test_a_receiver_that_took_it_and_could_not_say_so_knows_it_by_its_key(self):
		self.sink.answer = lambda headers, body: http_sink.LOST
		(row,) = self.handed_over()
		self.send()
		self.assertEqual(self.ledger()[0].status, "Failed")
		self.sink.answer = lambda headers, body: http_sink.OK
		self.retry()
		self.assertEqual(self.ledger()[0].status, "Completed")
		self.assertEqual(dict(self.sink.news), {row.message_key: 2})

	def test_the_delays_grow_until_the_attempts_are_used_up(self):
		self.handed_over()
		self.sink.answer = lambda headers, body: (500, {}, b"")
		delays = []
		for _ in range(5):
			self.send()
			(row,) = self.ledger()
			if row.next_attempt_at:
				delays.append(round((row.next_attempt_at - now_datetime()).total_seconds() / 60))
				frappe.db.set_value(ledger.DOCTYPE, row.name, "next_attempt_at", "2001-01-01")
				frappe.db.commit()
				settle.settle()
		self.assertEqual(delays, [30, 60, 120, 240])
		self.assertEqual((row.status, row.attempts, len(self.sink.calls)), ("Failed", 5, 5))

	def test_who_asks_for_time_gets_it(self):
		self.handed_over()
		self.sink.answer = lambda headers, body: (429, {"retry-after": "7200"}, b"")
		self.send()
		wait = self.ledger()[0].next_attempt_at - now_datetime()
		self.assertTrue(timedelta(hours=1, minutes=59) < wait <= timedelta(hours=2), wait)

	def test_what_is_refused_is_not_tried_again(self):
		for status in (400, 401, 404, 410, 422, 301, 302, 307):
			with self.subTest(status):
				self._reset()
				frappe.db.set_single_value(SETTINGS, "private_webhooks", 1)
				self.sink.calls.clear()
				self.sink.answer = lambda headers, body, status=status: (
					status,
					{"location": self.url} if status < 400 else {},
					b"no",
				)
				self.handed_over()
				self.send()
				(row,) = self.ledger()
				self.assertEqual((row.status, row.next_attempt_at, len(self.sink.calls)), ("Failed", None, 1))
				self.assertIn(str(status), row.error)

	def test_a_receiver_that_is_slow_is_not_waited_for(self):
		for pieces in (1, 30):
			with self.subTest(pieces=pieces):
				self._reset()
				frappe.db.set_single_value(SETTINGS, "private_webhooks", 1)

				def answer(headers, body, pieces=pieces):
					time.sleep(2)
					return http_sink.OK

				self.sink.answer = answer
				self.handed_over()
				with (
					patch.object(http, "SECONDS_TO_ANSWER", 0.2 if pieces == 1 else 60),
					patch.object(http, "SECONDS_IN_ALL", 60 if pieces == 1 else 0.3),
				):
					began = time.monotonic()
					self.send()
				self.assertLess(time.monotonic() - began, 2)
				(row,) = self.ledger()
				self.assertEqual(row.status, "Failed")
				self.assertTrue(row.next_attempt_at)

	def test_a_receiver_that_is_gone_is_left_alone_for_the_rest_of_the_job(self):
		self.handed_over(6)
		gone = "http://127.0.0.1:9/hook"
		frappe.db.set_value("Lifecycle Action", {"webhook_url": self.url}, "webhook_url", gone)
		frappe.db.commit()
		self.send()
		statuses = sorted(row.status for row in self.ledger())
		self.assertEqual(statuses, ["Failed"] * outbox.GIVE_UP_AFTER + ["Queued"] * 3)
		with self.at(str(now_datetime() + timedelta(minutes=20))[:16]):
			settle.settle()
			frappe.db.set_value("Lifecycle Action", {"webhook_url": gone}, "webhook_url", self.url)
			self.send()
		self.assertEqual(len(self.ledger(status="Completed")), 3)

	def test_a_job_that_was_killed_before_its_call_has_it_made_once(self):
		def killed(*_arguments):
			raise KeyboardInterrupt

		self.kill(killed)
		self.assertEqual(len(self.sink.calls), 1)

	def test_a_job_that_was_killed_after_its_call_repeats_it_and_the_receiver_knows_the_key(self):
		post = http.post

		def killed(*arguments):
			post(*arguments)
			raise KeyboardInterrupt

		self.kill(killed)
		self.assertEqual(len(self.sink.calls), 2)

	def kill(self, killed) -> None:
		"""Kill a job in its call; let the time pass, and see that the receiver has it by one key."""
		(row,) = self.handed_over()
		with patch.object(http, "post", killed), self.assertRaises(KeyboardInterrupt):
			self.send()
		frappe.db.rollback()
		(entry,) = self.entries()
		self.assertEqual(entry.status, "Sending")
		settle.settle()
		self.assertEqual(self.ledger()[0].status, "Queued")
		frappe.db.set_value(outbox.DOCTYPE, {}, "modified", "2001-01-01", update_modified=False)
		frappe.db.commit()
		settle.settle()
		(unknown,) = self.ledger()
		self.assertEqual((unknown.status, unknown.reason), ("Failed", "Outcome unknown"))
		self.retry()
		self.assertEqual(self.ledger()[0].status, "Completed")
		self.assertEqual(set(self.sink.news), {row.message_key})

	def test_two_jobs_with_the_same_messages_make_each_call_once(self):
		rows = self.handed_over(3)
		post = http.post

		def other_one_first(*arguments):
			if len(self.sink.calls) == 0:
				handles = [row.handle for row in rows]
				with patch.object(http, "post", post):
					dispatch.send(TYPE, handles)
			return post(*arguments)

		with patch.object(http, "post", other_one_first):
			self.send()
		self.assertEqual(sorted(self.sink.news.values()), [1, 1, 1])
		self.assertEqual({row.status for row in self.ledger()}, {"Completed"})

	def test_what_waited_too_long_is_looked_at_anew(self):
		(row,) = self.handed_over()
		frappe.db.set_value(outbox.DOCTYPE, row.handle, "modified", "2001-01-01", update_modified=False)
		frappe.db.commit()
		self.send()
		self.assertEqual(self.sink.calls, [])
		settle.settle()
		(again,) = self.ledger()
		self.assertEqual((again.status, again.attempts), ("Queued", 1))
		self.assertNotEqual(again.handle, row.handle)
		self.send()
		self.assertEqual(self.ledger()[0].status, "Completed")

	def test_a_paused_campaign_calls_nobody(self):
		self.handed_over()
		frappe.db.set_value("Lifecycle Campaign", {}, "is_active", 0)
		frappe.db.commit()
		self.send()
		self.assertEqual(self.sink.calls, [])

	def test_a_job_without_time_leaves_the_rest_to_another(self):
		self.handed_over(3)
		dispatch.enqueue.reset_mock()
		with patch.object(outbox, "SECONDS_PER_JOB", -1):
			self.send()
		self.assertEqual(len(self.sink.calls), 1)
		(call,) = dispatch.enqueue.mock_calls
		self.assertEqual(len(call.args[1]), 2)

	def test_the_outbox_forgets_what_is_long_over(self):
		self.handed_over(2)
		self.send()
		frappe.db.set_value(
			outbox.DOCTYPE, self.entries()[0].name, "modified", "2001-01-01", update_modified=False
		)
		frappe.db.commit()
		outbox.clear(30)
		self.assertEqual(len(self.entries()), 1)


class TestSeveralInOne(WebhookTestCase):
	"""A message about several things is known by a key of its own, which its attempts keep."""

	def setUp(self):
		super().setUp()
		self.customer = factories.customer()
		self.pins = factories.pins(self.customer, in_days(30), in_days(30))
		self.campaign(combine_messages=1)

	def first_attempt(self, answer) -> str:
		"""Send both pins in one message, answered so; return its key."""
		self.sink.answer = lambda headers, body: answer
		self.run_night()
		self.send()
		self.sink.answer = lambda headers, body: http_sink.OK
		return self.told()[0][0]

	def told(self) -> list[tuple[str, set[str]]]:
		"""Return the key of each call, and the pins that it was about."""
		return [
			(headers["webhook-id"], {item["serial_no"] for item in said["data"]["items"]})
			for headers, said in self.sink.calls
		]

	def one_more(self) -> str:
		"""Return a pin that is due, too, and Pending."""
		(pin,) = factories.pins(self.customer, in_days(30))
		with patch.object(deliver, "enqueue"):
			self.run_night()
		return pin

	def test_the_key_is_that_of_the_set_and_of_none_of_its_parts(self):
		key = self.first_attempt(http_sink.OK)
		rows = self.ledger()
		self.assertEqual(key, key_of_all([row.message_key for row in reversed(rows)]))
		self.assertNotIn(key, [row.message_key for row in rows])
		self.assertEqual(self.told(), [(key, set(self.pins))])
		self.assertEqual(self.sink.calls[0][1]["data"]["key"], key)

	def test_what_falls_due_before_the_retry_is_a_message_of_its_own(self):
		for answer in (http_sink.LOST, (503, {}, b"")):
			with self.subTest(answer=answer):
				self._reset()
				self.setUp()
				key = self.first_attempt(answer)
				new = self.one_more()
				self.retry()
				again, other = sorted(self.told()[1:], key=lambda call: call[0] != key)
				self.assertEqual(again, (key, set(self.pins)))
				self.assertEqual(other[1], {new})
				self.assertEqual(other[0], self.ledger(reference_name=new)[0].message_key)
				self.assertEqual({row.status for row in self.ledger()}, {"Completed"})

	def test_what_is_not_to_be_sent_any_more_leaves_the_others_their_key(self):
		key = self.first_attempt(http_sink.LOST)
		gone, left = self.pins
		frappe.db.set_value("Serial No", gone, "warranty_expiry_date", in_days(90))
		self.retry()
		self.assertEqual(self.told()[1:], [(key, {left})])
		statuses = {row.reference_name: row.status for row in self.ledger()}
		self.assertEqual(statuses, {gone: "Skipped", left: "Completed"})

	def test_an_attempt_that_was_taken_back_unsent_does_not_forget_the_one_before(self):
		key = self.first_attempt(http_sink.LOST)
		frappe.db.set_value(ledger.DOCTYPE, {"status": "Failed"}, "next_attempt_at", "2001-01-01")
		frappe.db.commit()
		settle.settle()
		frappe.db.set_value(
			outbox.DOCTYPE, {"status": "Waiting"}, "modified", "2001-01-01", update_modified=False
		)
		frappe.db.commit()
		with patch.object(deliver, "enqueue"):
			settle.settle()
		self.assertEqual({row.status for row in self.ledger()}, {"Pending"})
		self.one_more()
		deliver.deliver([row.name for row in self.ledger()])
		self.send()
		self.assertEqual(sorted(len(pins) for _key, pins in self.told()[1:]), [1, 2])
		self.assertIn((key, set(self.pins)), self.told()[1:])

	def test_what_nobody_has_begun_to_send_takes_along_what_is_new(self):
		self.run_night()
		frappe.db.set_value(outbox.DOCTYPE, {}, "modified", "2001-01-01", update_modified=False)
		frappe.db.commit()
		with patch.object(deliver, "enqueue"):
			settle.settle()
		new = self.one_more()
		deliver.deliver([row.name for row in self.ledger()])
		self.send()
		((key, pins),) = self.told()
		self.assertEqual(pins, {*self.pins, new})
		self.assertEqual(key, key_of_all([row.message_key for row in self.ledger()]))

	def test_another_customer_is_not_sent_by_the_key_of_the_one_before(self):
		self.first_attempt(http_sink.LOST)
		row = self.ledger()[0]
		self.assertEqual(set(webhook.CHANNEL.repeated([row])), {row.name})
		row.message_key = key_of_all([row.message_key, "another"])
		self.assertEqual(webhook.CHANNEL.repeated([row]), {})


class TestWhereItGoes(WebhookTestCase):
	def test_which_addresses_are_our_own(self):
		for address in OUR_NETWORKS:
			self.assertFalse(http.is_public(address), address)
		for address in THE_INTERNET:
			self.assertTrue(http.is_public(address), address)

	def test_a_url_into_our_own_network_is_refused_when_it_is_chosen(self):
		frappe.db.set_single_value(SETTINGS, "private_webhooks", 0)
		trigger = factories.trigger(factories.campaign(active=False).name)
		for url in (
			*("https://127.0.0.1/x", "https://localhost/x", "https://[::1]/x", "https://2130706433/x"),
			*("https://0x7f.1/x", "https://10.0.0.1/x", "https://169.254.169.254/latest/meta-data"),
		):
			with self.subTest(url), self.refused("own network"):
				factories.action(trigger.name, action_type=TYPE, webhook_url=url)

	def test_what_is_no_url_is_refused(self):
		trigger = factories.trigger(factories.campaign(active=False).name)
		for url in (
			*(
				"",
				"example.com",
				"ftp://example.com",
				"file:///etc/passwd",
				"https://",
				"https://example.com:0",
			),
			*("https://example.com:99999", "https://user:pw@example.com", "https://exa mple.com"),
			*(
				"https://example.com/\\x",
				"https://ex\u00e4mple.com",
				"gopher://x",
				"https://example.com/a\nb",
			),
		):
			with self.subTest(url), self.refused():
				factories.action(trigger.name, action_type=TYPE, webhook_url=url)

	def test_http_is_refused_where_it_could_be_read(self):
		frappe.db.set_single_value(SETTINGS, "private_webhooks", 0)
		trigger = factories.trigger(factories.campaign(active=False).name)
		with self.refused("https"):
			factories.action(trigger.name, action_type=TYPE, webhook_url="http://example.com/hook")

	def test_a_name_that_leads_into_our_network_by_the_time_of_the_call_is_refused_then(self):
		self.handed_over()
		frappe.db.set_single_value(SETTINGS, "private_webhooks", 0)
		frappe.db.set_value(
			"Lifecycle Action", {"webhook_url": self.url}, "webhook_url", "https://shop.example/"
		)
		frappe.db.commit()
		ours = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 443))]
		with patch.object(socket, "getaddrinfo", return_value=ours), patch.object(socket, "socket") as sock:
			answers = webhook.CHANNEL.endpoint(self.ledger()[0].action)
			with self.assertRaises(http.Refused):
				http.post(answers.url, b"", {}, answers.private)
		sock.assert_not_called()

	def test_one_public_address_beside_a_private_one_is_not_enough(self):
		both = [
			(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))
			for address in ("8.8.8.8", "192.168.0.1")
		]
		with patch.object(socket, "getaddrinfo", return_value=both), self.assertRaises(http.Refused):
			http.post("https://shop.example/", b"", {}, False)

	def test_only_a_system_manager_lets_it_go_to_our_own_network(self):
		user = factories.user("Marketing Manager")
		frappe.set_user(user)
		settings = frappe.get_single(SETTINGS)
		settings.private_webhooks = 0
		with self.refused("System Manager", error=frappe.PermissionError):
			settings.save()
		frappe.set_user("Administrator")

	def test_only_a_marketing_manager_chooses_where_it_goes(self):
		campaign = self.campaign()
		user = factories.user("Marketing User")
		frappe.set_user(user)
		action = self.action(campaign)
		action.webhook_url = "https://elsewhere.example/hook"
		with self.refused("Marketing Manager", error=frappe.PermissionError):
			action.save()
		frappe.set_user("Administrator")

	def test_the_secret_is_kept_where_passwords_are(self):
		campaign = self.campaign()
		action = self.action(campaign)
		stored = frappe.db.get_value("Lifecycle Action", action.name, "webhook_secret")
		self.assertNotIn(self.sink.secret, stored)
		self.assertEqual(
			get_decrypted_password("Lifecycle Action", action.name, "webhook_secret"), self.sink.secret
		)

	def test_without_a_secret_one_is_made_and_a_copy_of_the_campaign_has_the_same(self):
		campaign = self.campaign()
		action = self.action(campaign)
		action.webhook_secret = ""
		action.save()
		made = action.get_password("webhook_secret")
		self.assertTrue(webhook.key_of(made))
		copy = campaign.duplicate(factories.unique("Test"))
		self.assertEqual(self.action(copy).get_password("webhook_secret"), made)

	def test_a_secret_that_is_none_is_refused(self):
		trigger = factories.trigger(factories.campaign(active=False).name)
		for secret in ("open sesame", "whsec_", "whsec_QUJD", "whsec_" + "QUJD" * 40):
			with self.subTest(secret), self.refused("whsec_"):
				factories.action(trigger.name, action_type=TYPE, webhook_url=self.url, webhook_secret=secret)

	def test_nobody_changes_the_outbox_by_hand(self):
		self.handed_over()
		doc = frappe.get_doc(outbox.DOCTYPE, self.entries()[0].name)
		doc.payload = json.dumps({"another": "customer"})
		with self.refused("outbox", error=frappe.PermissionError):
			doc.save()


class TestHeld(WebhookTestCase):
	def test_a_copy_of_the_site_calls_nobody(self):
		self.handed_over()
		with patch("marketing_automation.engine.identity.is_copy", return_value=True):
			self.send()
			self.assertEqual(self.sink.calls, [])
			settle.settle()
			self.assertEqual(self.ledger()[0].status, "Pending")
			deliver.deliver([row.name for row in self.ledger()])
			self.assertEqual(self.ledger()[0].status, "Pending")
