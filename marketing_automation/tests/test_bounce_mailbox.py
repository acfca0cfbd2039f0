"""What comes back to the bounce mailbox is read once, and leaves the mailbox as it is."""

import contextlib
import ssl
import subprocess
import tempfile
from datetime import datetime, timedelta, timezone
from email import message_from_bytes, policy
from pathlib import Path
from unittest.mock import patch

import frappe
from frappe.utils import now_datetime
from frappe.utils.password import set_encrypted_password

from marketing_automation import api
from marketing_automation.channels.email import bounces, mailbox, reports, sender
from marketing_automation.desk import health
from marketing_automation.engine import dispatch, identity, links, protection, suppression
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.tests import factories, imap_server, smtp_sink
from marketing_automation.tests.case import MarketingTestCase, outside_test_mode, statements
from marketing_automation.tests.factories import in_days

FOLDER = Path(__file__).parent / "bounces"
PATTERN_ID = "0123456789abcdef0123456789abcdef@shop.example"
PATTERN_ADDRESS = "ana@customers.example"


def letter(name: str, address: str = PATTERN_ADDRESS, message_id: str | None = None) -> bytes:
	"""Return a file of the collection, about another address and message."""
	text = (FOLDER / f"{name}.eml").read_text(encoding="utf-8", errors="surrogateescape")
	text = text.replace(PATTERN_ADDRESS, address).replace(PATTERN_ID, message_id or PATTERN_ID)
	return text.encode("utf-8", "surrogateescape").replace(b"\n", b"\r\n")


class MailboxCase(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.box = imap_server.Mailbox()
		port = self.enterContext(imap_server.listening(self.box))
		self.configure(port)

	def configure(self, port: int, **fields) -> None:
		settings = {
			"mailbox_enabled": 1,
			"mailbox_server": "127.0.0.1",
			"mailbox_port": port,
			"mailbox_security": "None",
			"mailbox_user": self.box.user,
			"mailbox_folder": self.box.folder,
			# What is shown of it.
			"mailbox_password": "******",
			**fields,
		}
		for field, value in settings.items():
			frappe.db.set_single_value(SETTINGS, field, value)
		set_encrypted_password(SETTINGS, SETTINGS, self.box.password, "mailbox_password")
		frappe.db.commit()

	def tearDown(self):
		# Nothing in a mailbox is ever marked, moved or deleted.
		self.assertEqual(self.box.refused, [])
		self.assertFalse([command for command in self.box.commands if "SELECT" in command])

	def entry(self, address: str):
		return frappe.db.get_value(
			suppression.DOCTYPE, suppression.hash_of(address), ["name", *suppression.FIELDS], as_dict=True
		)

	def held(self, *addresses: str) -> set[str]:
		return set(suppression.suppressed(addresses, now_datetime()))

	def error(self) -> str | None:
		return frappe.db.get_singles_dict(SETTINGS).get("mailbox_error") or None

	def sent(self, *addresses: str, **campaign) -> list:
		"""Send each address a mail by a campaign; return their rows of the ledger, each with its `message_id`."""
		pins = [factories.pin(factories.customer(email=address), in_days(30)) for address in addresses]
		self.campaign = factories.campaign(**campaign)
		self.run_night()
		self.sink = smtp_sink.Sink()
		frappe.local.outgoing_email_account = {}
		with (
			smtp_sink.listening(self.sink) as port,
			patch.dict(frappe.local.conf, {"mail_port": port}),
			outside_test_mode(),
		):
			dispatch.send(sender.ACTION_TYPE, [str(mail.name) for mail in self.mails()])
		rows = [self.ledger(reference_name=pin)[0] for pin in pins]
		ids = {
			recipients[0]: message_from_bytes(raw, policy=policy.default)["Message-Id"].strip("<>")
			for recipients, raw in self.sink.mails
		}
		for row in rows:
			row.message_id = ids[row.recipient]
		return rows

	def row(self, name: str):
		return frappe.get_doc("Lifecycle Execution Log", name)


class TestOfAnEmailAccount(MailboxCase):
	"""Microsoft 365 lets no program in by a password: the account that Frappe has an authorization for is asked."""

	APP = "Test Connected App"

	def setUp(self):
		super().setUp()
		self.addCleanup(self.tidy_up)
		self.tidy_up()
		self.port = frappe.db.get_single_value(SETTINGS, "mailbox_port")
		# What is written beside the account does not count.
		self.configure(self.port, mailbox_server="no.such.host.example", mailbox_user="nobody")

	def tidy_up(self):
		frappe.db.rollback()
		frappe.db.set_single_value(SETTINGS, "mailbox_account", None)
		frappe.db.delete("Email Account", {"email_account_name": ["like", "Test Bounces%"]})
		for doctype in ("Token Cache", "Connected App"):
			frappe.db.delete(doctype, {"name": ["like", f"{self.APP}%"]})
		frappe.db.commit()

	def account(self, **fields) -> str:
		"""Have the mailbox be that of an Email Account. Saving one would ask the server of its mail."""
		doc = frappe.new_doc("Email Account")
		doc.update(
			{
				"email_account_name": factories.unique("Test Bounces"),
				"email_id": self.box.user,
				"enable_incoming": 1,
				"use_imap": 1,
				"use_ssl": 0,
				"email_server": "127.0.0.1",
				"incoming_port": self.port,
				**fields,
			}
		)
		doc.name = doc.email_account_name
		doc.db_insert()
		frappe.db.set_single_value(SETTINGS, "mailbox_account", doc.name)
		frappe.db.commit()
		return doc.name

	def authorized(self, token: str | None, **fields) -> str:
		app = frappe.new_doc("Connected App")
		app.update({"name": self.APP, "provider_name": self.APP})
		app.db_insert()
		if token:
			cache = frappe.new_doc("Token Cache")
			cache.update({"connected_app": self.APP, "user": "Administrator", "expires_in": 3600})
			cache.access_token = token
			cache.insert(ignore_permissions=True)
		return self.account(
			auth_method="OAuth", connected_app=self.APP, connected_user="Administrator", **fields
		)

	def test_it_is_read_by_the_token_of_oauth(self):
		self.box.token, self.box.password = "a token of this hour", "nobody has it"
		self.authorized(self.box.token)
		self.box.add(letter("postfix-user-unknown"))
		self.assertEqual((bounces.read(), self.error()), (1, None))
		self.assertEqual(self.held(PATTERN_ADDRESS), {PATTERN_ADDRESS})
		self.assertEqual(bounces.read(), 0)
		self.assertIn("AUTHENTICATE XOAUTH2", self.box.commands)
		self.assertNotIn("LOGIN", self.box.commands)

	def test_a_token_that_the_server_does_not_take_is_said_in_its_words(self):
		self.box.token = "another one"
		self.authorized("a token of yesterday")
		self.assertEqual(bounces.read(), 0)
		for words in ("Invalid credentials", '"status":"401"'):
			self.assertIn(words, self.error())
		self.assertNotIn("yesterday", self.error())

	def test_one_that_nobody_has_authorized_says_what_to_do(self):
		name = self.authorized(None)
		self.assertEqual(bounces.read(), 0)
		self.assertIn(f"{name} is not authorized", self.error())
		self.assertEqual(self.box.commands, [])

	def test_a_provider_that_gives_no_token_is_named(self):
		name = self.authorized("x")
		account = type(frappe.get_doc("Email Account", name))
		with patch.object(account, "get_oauth_token", side_effect=ConnectionError("no route")):
			self.assertEqual(bounces.read(), 0)
		self.assertIn("gets no token of its provider: no route", self.error())

	def test_it_is_read_by_the_password_of_the_account(self):
		name = self.account()
		self.assertEqual(bounces.read(), 0)
		self.assertIn("has no password", self.error())
		set_encrypted_password("Email Account", name, self.box.password)
		frappe.db.commit()
		self.box.add(letter("postfix-user-unknown"))
		self.assertEqual((bounces.read(), self.error()), (1, None))

	def test_an_account_that_reads_no_mail_by_imap_is_refused(self):
		name = self.account(use_imap=0)
		bounces.read()
		self.assertIn("does not read mail by IMAP", self.error())
		with self.refused("does not read mail by IMAP"):
			frappe.get_single(SETTINGS).update({"mailbox_account": name}).save()
		frappe.db.set_value("Email Account", name, "use_imap", 1)
		settings = frappe.get_single(SETTINGS)
		settings.update({"mailbox_account": name, "mailbox_server": None, "mailbox_user": None}).save()
		frappe.db.delete("Email Account", {"name": name})
		frappe.db.commit()
		bounces.read()
		self.assertIn("There is no Email Account", self.error())


class TestReading(MailboxCase):
	def test_each_message_is_read_once_and_none_is_marked(self):
		self.box.add(letter("postfix-user-unknown"))
		self.assertEqual(bounces.read(), 1)
		self.assertEqual(self.held(PATTERN_ADDRESS), {PATTERN_ADDRESS})
		self.assertEqual(bounces.read(), 0)
		self.box.add(letter("postfix-user-unknown", "ben@customers.example"))
		self.assertEqual(bounces.read(), 1)
		self.assertEqual(self.held("ben@customers.example"), {"ben@customers.example"})
		asked = {command.split(" ")[0] for command in self.box.commands} - {"UID"}
		self.assertEqual(asked, {"CAPABILITY", "LOGIN", "EXAMINE", "LOGOUT"})
		self.assertTrue(all("PEEK" in command for command in self.box.commands if "FETCH" in command))

	def test_off_unless_the_site_wants_it(self):
		frappe.db.set_single_value(SETTINGS, "mailbox_enabled", 0)
		self.box.add(letter("postfix-user-unknown"))
		self.assertEqual(bounces.read(), 0)
		self.assertEqual(self.box.commands, [])

	def test_a_copy_of_the_site_reads_nothing(self):
		with patch.object(identity, "is_copy", lambda: True):
			bounces.read()
		self.assertEqual(self.box.commands, [])

	def test_the_first_look_goes_back_thirty_days(self):
		long_ago = datetime.now(timezone.utc) - timedelta(days=40)
		self.box.add(letter("postfix-user-unknown", "old@customers.example"), long_ago)
		self.box.add(letter("postfix-user-unknown"))
		self.assertEqual(bounces.read(), 1)
		self.assertEqual(self.held(PATTERN_ADDRESS, "old@customers.example"), {PATTERN_ADDRESS})

	def test_a_folder_that_is_numbered_anew_is_read_again_and_counts_nothing_twice(self):
		for number in range(2):
			self.box.add(letter("postfix-over-quota", message_id=f"{number}@site.example"))
		bounces.read()
		self.assertEqual(self.entry(PATTERN_ADDRESS).soft_bounces, 2)
		self.box.renumber()
		self.assertEqual(bounces.read(), 2)
		self.assertEqual(self.entry(PATTERN_ADDRESS).soft_bounces, 2)

	def test_another_mailbox_has_a_bookmark_of_its_own(self):
		self.box.add(letter("postfix-user-unknown"))
		bounces.read()
		self.box.folder = "Devueltos & señales"
		frappe.db.set_single_value(SETTINGS, "mailbox_folder", self.box.folder)
		self.box.folder = "Devueltos &- se&APE-ales"
		self.assertEqual(bounces.read(), 1)

	def test_one_that_breaks_what_reads_it_stops_no_other(self):
		self.box.add(b"\x00\xff broken")
		self.box.add(letter("postfix-user-unknown"))
		read = reports.read

		def breaking(raw):
			if b"broken" in raw:
				raise RuntimeError("this one")
			return read(raw)

		with patch.object(reports, "read", breaking):
			self.assertEqual(bounces.read(), 2)
		self.assertEqual(self.held(PATTERN_ADDRESS), {PATTERN_ADDRESS})
		self.assertEqual(bounces.read(), 0)

	def test_one_that_cannot_be_written_down_stops_no_other(self):
		for address in ("ben@customers.example", PATTERN_ADDRESS, "eva@customers.example"):
			self.box.add(letter("postfix-user-unknown", address))
		record = suppression.record

		def failing(findings, *arguments):
			if any(one.address == PATTERN_ADDRESS for one in findings):
				raise ValueError("not this one")
			return record(findings, *arguments)

		with patch.object(suppression, "record", failing):
			self.assertEqual(bounces.read(), 3)
		self.assertEqual(
			self.held("ben@customers.example", PATTERN_ADDRESS, "eva@customers.example"),
			{"ben@customers.example", "eva@customers.example"},
		)
		self.assertEqual(bounces.read(), 0)
		self.assertTrue(frappe.db.exists("Error Log", {"method": ["like", "%bounce mailbox%"]}))

	def test_no_more_than_so_much_of_a_message_is_asked_for(self):
		self.box.add(letter("postfix-user-unknown") + b"x" * 2_000_000)
		bounces.read()
		self.assertEqual(self.held(PATTERN_ADDRESS), {PATTERN_ADDRESS})
		self.assertTrue(any(f"<0.{mailbox.MOST_BYTES}>" in command for command in self.box.commands))

	def test_no_more_than_so_many_are_read_at_a_time_and_the_next_goes_on(self):
		for number in range(5):
			self.box.add(letter("postfix-user-unknown", f"c{number}@customers.example"))
		with patch.object(bounces, "MOST_AT_A_TIME", 3):
			self.assertEqual([bounces.read(), bounces.read(), bounces.read()], [3, 2, 0])

	def test_no_transaction_is_open_while_the_server_is_waited_for(self):
		for _number in range(mailbox.AT_ONCE + 1):
			self.box.add(letter("postfix-user-unknown"))
		calls, asked = [], []

		def looking(work):
			def look(*arguments):
				# What the transaction that is open has done so far.
				ends = [
					number
					for number, text in enumerate(asked)
					if text.lower().startswith(("commit", "rollback"))
				]
				calls.append([text for text in asked[ends[-1] + 1 :] if text.lower() != "start transaction"])
				return work(*arguments)

			return look

		with contextlib.ExitStack() as patches:
			asked = patches.enter_context(statements())
			for method in ("__init__", "new", "fetch"):
				work = getattr(mailbox.Session, method)
				patches.enter_context(patch.object(mailbox.Session, method, looking(work)))
			bounces.read()
		self.assertEqual(calls, [[]] * 4)


class TestInterruptions(MailboxCase):
	def test_a_reader_that_dies_before_it_commits_loses_nothing_and_counts_nothing_twice(self):
		for number in range(3):
			self.box.add(
				letter("postfix-over-quota", f"c{number}@customers.example", f"{number}@site.example")
			)
		keep = bounces._keep_state

		def dying(state):
			keep(state)
			raise SystemExit("killed")

		with patch.object(bounces, "_keep_state", dying), self.assertRaises(SystemExit):
			bounces.read()
		frappe.db.rollback()
		self.assertIsNone(self.entry("c0@customers.example"))
		self.assertEqual(bounces.read(), 3)
		self.assertEqual(
			[self.entry(f"c{number}@customers.example").soft_bounces for number in range(3)], [1, 1, 1]
		)

	def test_two_readers_at_the_same_time_count_each_message_once(self):
		self.box.add(letter("postfix-over-quota"))
		write_down = bounces._write_down

		def overtaken(*arguments):
			# Another one has read it all while this one was waiting.
			with patch.object(bounces, "_write_down", write_down):
				bounces.read()
			return write_down(*arguments)

		with patch.object(bounces, "_write_down", overtaken):
			bounces.read()
		self.assertEqual(self.entry(PATTERN_ADDRESS).soft_bounces, 1)
		self.assertIsNone(self.error())

	def test_a_line_that_breaks_is_said_and_the_next_goes_on(self):
		for _number in range(3):
			self.box.add(letter("postfix-user-unknown"))
		self.box.answer = lambda command, rest: imap_server.DROP if command == "UID FETCH" else None
		bounces.read()
		self.assertIn("abort", self.error())
		self.box.answer = None
		self.assertEqual(bounces.read(), 3)
		self.assertIsNone(self.error())


class TestWhatKeepsItFromBeingRead(MailboxCase):
	def bar(self) -> list[str]:
		return [problem["text"] for problem in health.problems([]) if "mailbox" in problem["text"]]

	def test_it_is_said_in_the_servers_words_and_gone_when_it_is_mended(self):
		self.box.password = "another"
		bounces.read()
		self.assertIn("wrong user or password", self.error())
		(text,) = self.bar()
		self.assertIn("wrong user or password", text)
		self.box.password = "secret"
		bounces.read()
		self.assertEqual(self.bar(), [])

	def test_a_folder_that_is_not_there(self):
		frappe.db.set_single_value(SETTINGS, "mailbox_folder", "Nowhere")
		bounces.read()
		self.assertIn("no such folder", self.error())

	def test_nobody_answers(self):
		frappe.db.set_single_value(SETTINGS, "mailbox_port", 9)
		bounces.read()
		self.assertIn("refused", self.error())

	def test_a_password_that_is_gone(self):
		frappe.db.delete("__Auth", {"doctype": SETTINGS, "fieldname": "mailbox_password"})
		bounces.read()
		self.assertIn("password", self.error())

	def test_a_server_that_nobody_vouches_for_gets_no_password(self):
		with tempfile.TemporaryDirectory() as folder:
			subprocess.run(
				[
					*("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
					*("-subj", "/CN=127.0.0.1", "-keyout", "key.pem", "-out", "certificate.pem"),
				],
				cwd=folder,
				check=True,
				capture_output=True,
			)
			context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
			context.load_cert_chain(f"{folder}/certificate.pem", f"{folder}/key.pem")
			with imap_server.listening(self.box, context) as port:
				self.configure(port, mailbox_security="TLS")
				bounces.read()
		self.assertIn("certificate", self.error().lower())
		self.assertNotIn("LOGIN", self.box.commands)

	def test_starttls_that_the_server_does_not_offer_sends_no_password(self):
		frappe.db.set_single_value(SETTINGS, "mailbox_security", "STARTTLS")
		bounces.read()
		self.assertTrue(self.error())
		self.assertNotIn("LOGIN", self.box.commands)

	def test_letters_that_nobody_understands_are_counted_and_it_is_said_what_is_missing(self):
		for _number in range(3):
			self.box.add(letter("yahoo-no-account"))
		with patch.object(reports, "flufl", lambda: None):
			bounces.read()
			(text,) = self.bar()
		self.assertIn("flufl.bounce", text)

	def test_the_settings_are_an_administrators(self):
		frappe.set_user(factories.user("Marketing Manager"))
		settings = frappe.get_doc(SETTINGS)
		settings.update({"mailbox_server": "elsewhere.example", "mailbox_password": "other"})
		settings.save()
		self.assertEqual(frappe.db.get_single_value(SETTINGS, "mailbox_server"), "127.0.0.1")
		self.assertEqual(bounces.configured().password, "secret")
		with self.assertRaises(frappe.PermissionError):
			api.read_mailbox()

	def test_what_is_missing_is_said_when_it_is_saved(self):
		settings = frappe.get_doc(SETTINGS)
		settings.update({"mailbox_enabled": 1, "mailbox_server": " "})
		with self.refused("IMAP Server"):
			settings.save()

	def test_an_administrator_reads_it_at_once(self):
		self.box.add(letter("postfix-user-unknown"))
		frappe.set_user(factories.user("System Manager"))
		self.assertEqual(api.read_mailbox(), {"read": 1, "error": None})


class TestOurMessages(MailboxCase):
	def test_from_the_night_to_the_bounce_to_the_next_night(self):
		(row,) = self.sent("ana@customers.example")
		self.assertEqual(row.status, "Completed")
		# What a server makes of the mail that it has taken.
		((_recipients, raw),) = self.sink.mails
		whole = message_from_bytes(raw, policy=policy.default)
		self.box.add(letter("postfix-user-unknown", row.recipient, whole["Message-Id"].strip("<>")))
		self.assertEqual(bounces.read(), 1)
		entry, after = self.entry(row.recipient), self.row(row.name)
		self.assertEqual((entry.status, entry.reason, entry.code), ("Suppressed", "Hard bounce", "5.1.1"))
		self.assertEqual(entry.message, row.name)
		self.assertEqual((after.status, after.reason), ("Completed", "Bounced"))
		self.assertEqual((after.evidence_doctype, after.evidence_name), (suppression.DOCTYPE, entry.name))
		self.assertIn("User unknown", after.error)
		pin = factories.pin(row.customer, in_days(30))
		self.run_night()
		(next_row,) = self.ledger(reference_name=pin)
		self.assertEqual((next_row.status, next_row.reason), ("Skipped", "Suppressed"))
		self.assertEqual(next_row.evidence_name, entry.name)

	def test_a_combined_message_is_found_by_any_of_its_rows(self):
		customer = factories.customer(email="ana@customers.example")
		factories.pins(customer, in_days(30), in_days(30))
		factories.campaign(combine_messages=1)
		self.run_night()
		(mail,) = self.mails()
		self.mail_sent()
		self.box.add(letter("postfix-user-unknown", message_id=mail.message_id))
		bounces.read()
		self.assertEqual({row.reason for row in self.ledger()}, {"Bounced"})

	def test_a_document_that_was_renamed_since_is_found_by_the_queue_and_without_it_the_address_counts(self):
		(row,) = self.sent("ana@customers.example")
		for name, kept in (("ana@customers.example", True), ("ben@customers.example", False)):
			if not kept:
				frappe.db.delete("Email Queue")
			frappe.db.set_value(
				"Lifecycle Execution Log",
				row.name,
				{"message_key": "0" * 32, "recipient": name, "reason": None},
			)
			frappe.db.commit()
			self.box.add(letter("postfix-user-unknown", name, row.message_id))
			bounces.read()
			self.assertEqual(self.row(row.name).reason, "Bounced" if kept else None)
			self.assertEqual(self.held(name), {name})

	def test_a_complaint_suppresses_at_once_though_its_address_is_struck_out(self):
		(row,) = self.sent("ana@customers.example")
		self.box.add(letter("arf-yahoo-redacted", message_id=row.message_id))
		bounces.read()
		entry = self.entry("ana@customers.example")
		self.assertEqual((entry.status, entry.reason, entry.expires_at), ("Suppressed", "Complaint", None))
		self.assertEqual(self.row(row.name).reason, "Complained")

	def test_a_complaint_about_another_mail_counts_too(self):
		self.box.add(letter("arf-abuse", "eva@customers.example", "invoice-1@elsewhere.example"))
		bounces.read()
		self.assertEqual(self.entry("eva@customers.example").reason, "Complaint")

	def test_a_bounce_of_any_mail_says_something_of_the_address(self):
		self.box.add(letter("gmail-not-found", message_id="invoice-1@elsewhere.example"))
		bounces.read()
		self.assertEqual(self.entry("ana@gmail.example").reason, "Hard bounce")
		self.assertIsNone(self.entry("ana@gmail.example").message)

	def test_an_address_that_is_only_passed_on_is_counted_and_not_stopped(self):
		(row,) = self.sent("ana@customers.example")
		text = letter("postfix-user-unknown", "someone@elsewhere.example", row.message_id)
		self.box.add(text)
		bounces.read()
		self.assertEqual(self.entry("ana@customers.example").status, "Counting")
		self.assertIsNone(self.entry("someone@elsewhere.example"))

	def test_a_delay_and_an_answer_say_nothing(self):
		(row,) = self.sent("ana@customers.example")
		for name in (
			"postfix-delayed",
			"no-out-of-office",
			"no-forwarded-bounce",
			"no-read-receipt",
			"postfix-success",
		):
			self.box.add(letter(name, message_id=row.message_id))
		self.assertEqual(bounces.read(), 5)
		self.assertIsNone(self.entry("ana@customers.example"))
		self.assertIsNone(self.row(row.name).reason)

	def test_three_soft_bounces_of_three_messages_suppress(self):
		for number in range(3):
			self.assertEqual(self.held(PATTERN_ADDRESS), set())
			for _again in range(2):
				self.box.add(letter("postfix-over-quota", message_id=f"{number}@site.example"))
			bounces.read()
		self.assertEqual(self.held(PATTERN_ADDRESS), {PATTERN_ADDRESS})

	def test_what_is_the_senders_fault_pauses_the_campaign_and_never_blames_the_address(self):
		frappe.db.set_single_value(SETTINGS, "pause_count", 2)
		rows = self.sent(*[f"c{number}@customers.example" for number in range(4)])
		self.box.add(letter("gmail-unauthenticated", rows[0].recipient, rows[0].message_id))
		bounces.read()
		self.assertTrue(frappe.db.get_value("Lifecycle Campaign", self.campaign.name, "is_active"))
		self.box.add(letter("outlook-dmarc", rows[1].recipient, rows[1].message_id))
		bounces.read()
		self.assertFalse(frappe.db.get_value("Lifecycle Campaign", self.campaign.name, "is_active"))
		self.assertIn("DMARC", frappe.db.get_value("Lifecycle Campaign", self.campaign.name, "pause_reason"))
		self.assertEqual(frappe.db.count(suppression.DOCTYPE), 0)
		self.assertEqual(self.row(rows[0].name).reason, "Sender refused")
		self.assertTrue(frappe.db.exists("Notification Log", {"document_name": self.campaign.name}))

	def test_who_has_mended_it_and_switched_it_on_begins_anew(self):
		frappe.db.set_single_value(SETTINGS, "pause_count", 1)
		(row,) = self.sent("ana@customers.example")
		frappe.db.set_value(
			"Lifecycle Campaign", self.campaign.name, "active_since", now_datetime() + timedelta(minutes=1)
		)
		self.box.add(letter("outlook-dmarc", row.recipient, row.message_id))
		bounces.read()
		self.assertTrue(frappe.db.get_value("Lifecycle Campaign", self.campaign.name, "is_active"))

	def test_a_page_of_messages_is_matched_in_a_number_of_queries_that_stays(self):
		rows = self.sent(*[f"c{number}@customers.example" for number in range(12)])
		counts = []
		for some in (rows[:2], rows[2:]):
			for row in some:
				self.box.add(letter("postfix-user-unknown", row.recipient, row.message_id))
			with statements() as seen:
				bounces.read()
			counts.append(len(seen))
		self.assertEqual(counts[0], counts[1])

	def test_a_mail_that_unsubscribes_is_counted(self):
		(row,) = self.sent("ana@customers.example")
		token = links.token(links.MESSAGE, row.name)
		self.box.add(
			f"From: Ana <ana@customers.example>\r\nTo: bounces@company.example\r\nSubject: unsubscribe-{token}\r\n\r\n"
		)
		self.box.add("From: x@y.example\r\nSubject: unsubscribe-" + "A" * 32 + "\r\n\r\nforged")
		self.assertEqual(bounces.read(), 2)
		consents = frappe.get_all("Lifecycle Consent", {"kind": "Withdrawn"}, ["source"])
		self.assertEqual([one.source for one in consents], ["Mail"])

	def test_also_of_a_customer_who_is_called_like_a_server(self):
		(row,) = self.sent("postmaster@customers.example")
		subject = f"Subject: unsubscribe-{links.token(links.MESSAGE, row.name)}"
		self.box.add(f"From: postmaster@customers.example\r\nTo: out@company.example\r\n{subject}\r\n\r\n")
		bounces.read()
		consents = frappe.get_all("Lifecycle Consent", {"kind": "Withdrawn"}, ["source", "address"])
		self.assertEqual(
			[tuple(one.values()) for one in consents], [("Mail", "postmaster@customers.example")]
		)
		state = frappe.parse_json(
			frappe.db.get_single_value("Marketing Automation Settings", "mailbox_state")
		)
		self.assertEqual(state["unknown"], 0)


class TestTheBarAboutBounces(MailboxCase):
	def test_too_many_bounces_are_named(self):
		rows = self.sent(*[f"c{number}@customers.example" for number in range(10)])
		texts = lambda: [problem["text"] for problem in health.problems([]) if "bounced" in problem["text"]]  # noqa: E731
		self.assertEqual(texts(), [])
		for row in rows:
			self.box.add(letter("postfix-user-unknown", row.recipient, row.message_id))
		bounces.read()
		(text,) = texts()
		self.assertIn("10", text)

	def test_pausing_asks_nothing_where_nothing_was_refused(self):
		with statements() as seen:
			protection.pause_refused(set())
		self.assertEqual(seen, [])
