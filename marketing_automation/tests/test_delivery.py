"""Between the claim and the mailbox: the world may have changed, one message may be bad; the others go on."""

import re
from email import message_from_string
from unittest.mock import patch

import frappe
from frappe.email.doctype.email_queue.email_queue import EmailQueue, SendMailContext

from marketing_automation.channels.email import channel as email
from marketing_automation.channels.email import layout
from marketing_automation.engine import deliver, dispatch, ledger, links, plan, rules, run, settle
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, mail_parts, mail_subject, replaced_hooks
from marketing_automation.tests.factories import in_days


class TestLookAgain(MarketingTestCase):
	"""What is true when a message is about to go out counts, not what was true when it was planned."""

	def setUp(self):
		super().setUp()
		self.customer = factories.customer()
		self.pin = factories.pin(self.customer, in_days(30))
		self.campaign = factories.campaign()

	def outcome_after(self, change) -> tuple:
		"""Claim, let `change` happen, deliver; return (status, reason)."""
		with patch.object(deliver, "enqueue"):
			self.run_night()
		self.assertEqual(self.outcome_of(self.pin), ("Pending", None))
		change()
		frappe.db.commit()
		deliver.deliver([row.name for row in self.ledger()])
		self.assertEqual(len(self.mails()), int(self.outcome_of(self.pin)[0] == "Queued"))
		return self.outcome_of(self.pin)

	def test_nothing_changed(self):
		self.assertEqual(self.outcome_after(lambda: None), ("Queued", None))

	def test_renewed_meanwhile(self):
		found = self.outcome_after(lambda: factories.expire(self.pin, in_days(395)))
		self.assertEqual(found, ("Skipped", "Date changed"))

	def test_the_date_was_taken_away(self):
		found = self.outcome_after(lambda: factories.expire(self.pin, None))
		self.assertEqual(found, ("Skipped", "Date changed"))

	def test_sold_to_somebody_else(self):
		other = factories.customer()
		found = self.outcome_after(lambda: factories.resold(self.pin, other))
		self.assertEqual(found, ("Skipped", "Owner changed"))

	def test_returned_meanwhile(self):
		def give_back():
			factories.returned(factories.sale_of(self.pin))
			factories.expire(self.pin, in_days(30))

		self.assertEqual(self.outcome_after(give_back), ("Skipped", "Returned"))

	def test_the_invoice_was_cancelled(self):
		def cancel():
			factories.sale_of(self.pin).cancel()
			factories.expire(self.pin, in_days(30))

		self.assertEqual(self.outcome_after(cancel), ("Skipped", "No customer"))

	def test_the_serial_number_is_gone(self):
		found = self.outcome_after(lambda: frappe.db.delete("Serial No", {"name": self.pin}))
		self.assertEqual(found, ("Skipped", "Not found"))

	def test_the_customer_was_disabled(self):
		found = self.outcome_after(lambda: frappe.db.set_value("Customer", self.customer, "disabled", 1))
		self.assertEqual(found, ("Skipped", "Customer disabled"))

	def test_the_customer_unsubscribed(self):
		found = self.outcome_after(
			lambda: factories.make(
				"Email Unsubscribe", email=factories.address(self.customer), global_unsubscribe=1
			)
		)
		self.assertEqual(found, ("Skipped", "Unsubscribed"))

	def test_the_campaign_was_switched_off(self):
		def switch_off():
			self.campaign.is_active = 0
			self.campaign.save()

		self.assertEqual(self.outcome_after(switch_off), ("Cancelled", "Campaign inactive"))

	def test_a_new_address_is_used_and_written_down(self):
		def move():
			frappe.db.set_value(
				"Contact Email", {"email_id": factories.address(self.customer)}, "email_id", NEW
			)

		NEW = "new@customers.example"
		self.outcome_after(move)
		self.assertEqual([self.ledger()[0].recipient, self.mails()[0].recipient], [NEW, NEW])


class TestOneBadRecord(MarketingTestCase):
	def test_a_template_that_raises_for_one_customer_fails_for_that_one_only(self):
		ana, zero = factories.customer("Test Ana"), factories.customer("Test Zero")
		good, bad = factories.pin(ana, in_days(30)), factories.pin(zero, in_days(30))
		ratio = "{% if customer_name == 'Test Zero' %}{{ 1 // (days_left - 30) }}{% endif %}Hello"
		factories.campaign(email_template=factories.template(response=ratio))
		run = self.run_night()
		self.assertEqual(self.outcome_of(good), ("Queued", None))
		self.assertEqual(self.outcome_of(bad), ("Failed", "Template error"))
		self.assertIn("divides by zero", self.ledger(reference_name=bad)[0].error)
		self.assertEqual((run.status, run.queued, run.failed), ("Completed", 1, 1))

	def test_a_template_that_was_broken_behind_our_back(self):
		pin = factories.pin(factories.customer(), in_days(30))
		template = factories.template()
		factories.campaign(email_template=template)
		frappe.db.set_value("Email Template", template, "response", "{% if %}")
		self.run_night()
		self.assertEqual(self.outcome_of(pin), ("Failed", "Template error"))

	def test_an_error_while_handing_over_undoes_that_message_alone(self):
		good, bad = factories.customer(), factories.customer()
		factories.pin(good, in_days(30))
		pin = factories.pin(bad, in_days(30))
		factories.campaign()
		hand_over = email.hand_over

		def sometimes(composed):
			result = hand_over(composed)
			if [factories.address(bad)] in [mail["recipients"] for mail in composed]:
				raise RuntimeError("the queue is full")
			return result

		with patch.object(email, "hand_over", sometimes):
			self.run_night()
		(row,) = self.ledger(reference_name=pin)
		self.assertEqual((row.status, row.reason), ("Failed", "Sending failed"))
		self.assertIn("the queue is full", row.error)
		self.assertEqual([mail.recipient for mail in self.mails()], [factories.address(good)])

	def test_a_mail_that_the_database_refuses_is_failed_alone(self):
		good, bad = factories.customer("Test Good"), factories.customer("Test Bad")
		factories.pin(good, in_days(30))
		pin = factories.pin(bad, in_days(30))
		factories.campaign()
		compose = email.compose

		def too_long(prepared, message):
			mail = compose(prepared, message)
			return {**mail, "sender": "x" * 1000} if message.recipient.customer == bad else mail

		with patch.object(email, "compose", too_long):
			self.run_night()
		self.assertEqual(self.outcome_of(pin), ("Failed", "Sending failed"))
		self.assertEqual([mail.recipient for mail in self.mails()], [factories.address(good)])

	def test_a_mail_that_the_server_refuses_is_failed_with_the_error(self):
		pin = factories.pin(factories.customer(), in_days(30))
		factories.campaign()
		run = self.run_night()
		self.mail_sent("Error", error="SMTPRecipientsRefused: 550 no such user")
		(row,) = self.ledger()
		self.assertEqual(self.outcome_of(pin), ("Failed", "Sending failed"))
		self.assertIn("550 no such user", row.error)
		run.reload()
		self.assertEqual((run.queued, run.failed), (0, 1))

	def test_a_mail_that_was_deleted_from_the_queue_may_have_left(self):
		customer = factories.customer()
		pin = factories.pin(customer, in_days(30))
		factories.campaign(duplicate_policy="Once per customer")
		self.run_night()
		self.mail_sent("Sending")
		frappe.db.delete("Email Queue")
		settle.settle()
		self.assertEqual(self.outcome_of(pin), ("Failed", "Outcome unknown"))
		# It counts as sent: the customer's next pin is not written about.
		other = factories.pin(customer, in_days(30))
		self.run_night()
		self.assertEqual(self.outcome_of(other), ("Skipped", "Already sent"))

	def test_completed_only_when_the_mail_was_sent(self):
		factories.pin(factories.customer(), in_days(30))
		factories.campaign()
		self.run_night()
		for status in ("Not Sent", "Sending"):
			self.mail_sent(status)
			self.assertEqual(self.ledger()[0].status, "Queued")
		self.mail_sent("Sent")
		self.assertEqual(self.ledger()[0].status, "Completed")

	def test_an_action_whose_channel_is_gone_stops_no_other(self):
		factories.pin(factories.customer(), in_days(30))
		gone, other = factories.campaign(), factories.campaign()
		self.run_night()
		action = frappe.db.get_value("Lifecycle Action", {"campaign": gone.name})
		frappe.db.set_value("Lifecycle Action", action, "action_type", "Send by Pigeon")
		frappe.db.set_value(ledger.DOCTYPE, {"campaign": gone.name}, "channel", "Send by Pigeon")
		self.mail_sent()
		outcomes = {row.campaign: row.status for row in self.ledger()}
		self.assertEqual(outcomes, {gone.name: "Queued", other.name: "Completed"})
		frappe.db.set_value("Lifecycle Campaign", gone.name, "is_active", 0)
		settle.settle()

	def test_a_campaign_that_cannot_send_stops_no_other(self):
		account = self.email_account("offers@company.example")
		factories.pin(factories.customer(), in_days(30))
		broken = factories.campaign(sender="offers@company.example")
		fine = factories.campaign()
		frappe.db.set_value("Email Account", account.name, "enable_outgoing", 0)
		run = self.run_night()
		self.assertEqual([row.campaign for row in self.ledger()], [fine.name])
		self.assertEqual(run.status, "Failed")
		self.assertIn(broken.name, run.error)
		self.assertIn("offers@company.example", run.error)
		self.assertTrue(run.finished_at)
		self.assertGreaterEqual(run.duration, 0)
		# When it is repaired the night is made up for.
		frappe.db.set_value("Email Account", account.name, "enable_outgoing", 1)
		self.run_night()
		self.assertEqual({row.campaign for row in self.ledger(status="Queued")}, {broken.name, fine.name})

	def test_a_campaign_whose_account_goes_before_delivery_starves_no_other(self):
		factories.pin(factories.customer(), in_days(30))
		before, broken, after = (factories.campaign(campaign_name=f"Test {letter}") for letter in "ABC")
		with patch.object(deliver, "enqueue"):
			self.run_night()
		compose = email.compose

		def without_account(prepared, message):
			if message.campaign.name == broken.name:
				raise frappe.OutgoingEmailError
			return compose(prepared, message)

		names = [row.name for row in self.ledger()]
		with (
			patch.object(email, "compose", without_account),
			self.assertRaises(frappe.OutgoingEmailError),
		):
			deliver.deliver(names)
		self.assertEqual(
			{row.campaign: row.status for row in self.ledger()},
			{before.name: "Queued", broken.name: "Pending", after.name: "Queued"},
		)
		dispatch.enqueue.assert_called_once_with("Send Email", [str(mail.name) for mail in self.mails()])
		# When it has one again.
		deliver.deliver(names)
		self.assertEqual({row.status for row in self.ledger()}, {"Queued"})

	def test_a_run_that_fails_for_one_campaign_ends_with_the_messages_of_the_others(self):
		account = self.email_account("offers@company.example")
		factories.pin(factories.customer(), in_days(30))
		factories.campaign(sender="offers@company.example")
		factories.campaign()
		frappe.db.set_value("Email Account", account.name, "enable_outgoing", 0)
		with patch.object(deliver, "enqueue"):
			run = self.run_night()
		self.assertEqual((run.status, run.pending, run.finished_at), ("Failed", 1, None))
		deliver.deliver([row.name for row in self.ledger()])
		settle.settle()
		run.reload()
		self.assertEqual((run.status, run.queued), ("Failed", 1))
		self.assertTrue(run.finished_at)


class TestInterrupted(MarketingTestCase):
	def test_a_crash_between_the_mail_and_the_ledger_leaves_neither(self):
		factories.pin(factories.customer(), in_days(30))
		factories.campaign()

		class Crash(BaseException):
			pass

		with patch.object(ledger.rows, "update", side_effect=Crash), self.assertRaises(Crash):
			self.run_night()
		self.assertEqual((self.ledger()[0].status, self.mails()), ("Pending", []))
		with self.at(f"{in_days(0)} 23:59"):
			frappe.db.set_value(
				ledger.DOCTYPE, {}, "modified", f"{in_days(0)} 00:00:00", update_modified=False
			)
			settle.settle()
		self.assertEqual((self.ledger()[0].status, len(self.mails())), ("Queued", 1))

	def test_rows_that_are_being_worked_on_are_left_alone(self):
		factories.pin(factories.customer(), in_days(30))
		factories.campaign()
		with patch.object(deliver, "enqueue"):
			self.run_night()
		settle.settle()
		self.assertEqual(self.ledger()[0].status, "Pending")

	def test_a_run_that_was_interrupted_is_started_again(self):
		pin = factories.pin(factories.customer(), in_days(30))
		factories.campaign()
		with patch.object(frappe, "enqueue"):
			lost = run.start()
		frappe.db.set_value("Lifecycle Run", lost, "modified", "2026-01-01 00:00:00", update_modified=False)
		settle.settle()
		self.assertEqual(self.outcome_of(pin), ("Queued", None))
		self.assertEqual(
			[row.status for row in frappe.get_all("Lifecycle Run", ["status"], order_by="name asc")],
			["Interrupted", "Completed"],
		)

	def test_a_run_whose_job_comes_after_it_was_given_up_ends_too(self):
		factories.pin(factories.customer(), in_days(30))
		factories.campaign()
		with patch.object(frappe, "enqueue"):
			late = run.start()
		frappe.db.set_value(
			"Lifecycle Run", late, {"status": "Interrupted", "finished_at": "2026-01-01 00:00:00"}
		)
		with patch.object(deliver, "enqueue"):
			run.execute(late)
		deliver.deliver([row.name for row in self.ledger()])
		settle.settle()
		doc = frappe.get_doc("Lifecycle Run", late)
		self.assertEqual((doc.status, doc.queued), ("Completed", 1))
		self.assertGreaterEqual(doc.finished_at, doc.started_at)

	def test_a_run_that_fails_says_why_and_the_next_one_makes_up_for_it(self):
		pin = factories.pin(factories.customer(), in_days(30))
		factories.campaign()
		with (
			patch.object(plan, "plan", side_effect=RuntimeError("disk full")),
			self.assertRaises(RuntimeError),
		):
			self.run_night()
		(failed,) = frappe.get_all("Lifecycle Run", ["status", "error"])
		self.assertEqual(failed.status, "Failed")
		self.assertIn("disk full", failed.error)
		with self.at(f"{in_days(1)} 01:00"):
			self.run_night()
		self.assertEqual(self.outcome_of(pin), ("Queued", None))


class TestStatuses(MarketingTestCase):
	def test_only_the_steps_of_the_design_exist(self):
		for was in ("Failed", "Skipped", "Cancelled"):
			with self.assertRaises(ValueError):
				ledger.update({"x": {"status": "Completed"}}, was=was)
		with self.assertRaises(ValueError):
			ledger.update({"x": {"status": "Skipped"}}, was="Queued")

	def test_a_row_that_moved_on_stays_where_it_is(self):
		factories.pin(factories.customer(), in_days(30))
		factories.campaign()
		self.run_night()
		self.mail_sent()
		name = self.ledger()[0].name
		ledger.update({name: {"status": "Failed", "error": "late"}}, was="Queued")
		self.assertEqual(self.ledger()[0].status, "Completed")


class TestMail(MarketingTestCase):
	def mail_to(self, customer: str, **campaign):
		factories.pin(customer, in_days(30))
		doc = factories.campaign(**campaign)
		self.run_night()
		(mail,) = self.mails()
		return doc, mail

	def test_the_campaigns_sender(self):
		account = self.email_account("renewals@company.example")
		_campaign, mail = self.mail_to(factories.customer(), sender="renewals@company.example")
		self.assertIn("renewals@company.example", mail.sender)
		self.assertEqual(mail.email_account, account.name)

	def test_a_link_to_what_the_customer_wants_in_both_parts(self):
		campaign, mail = self.mail_to(factories.customer())
		self.assertEqual(
			(mail.reference_doctype, mail.reference_name, mail.add_unsubscribe_link),
			("Lifecycle Campaign", campaign.name, 1),
		)
		(row,) = self.ledger()
		text, html = mail_parts(mail)
		for part in (text, html):
			(token,) = re.findall(r"https?://\S+/message-preferences\?t=([\w-]+)", part)
			self.assertEqual(links.read(token), links.About(links.MESSAGE, (row.name,)))

	def test_in_the_customers_language_dates_too(self):
		subjects = []
		for language in ("es", "es-MX", "en", "fr", None):
			self._reset()
			doc = factories.campaign(active=False)
			(action,) = frappe.get_all("Lifecycle Action", filters={"campaign": doc.name}, pluck="name")
			action = frappe.get_doc("Lifecycle Action", action)
			spanish = factories.template(subject="{{ item_name }} vence el {{ expiry_date }}")
			action.append("translations", {"language": "es", "email_template": spanish})
			action.save()
			doc.update({"is_active": 1}).save()
			factories.pin(self.speaker_of(language), "2028-03-01")
			with self.at("2028-01-31 08:00"):
				frappe.db.set_value("Lifecycle Campaign", doc.name, "active_since", None)
				self.run_night()
			(mail,) = self.mails()
			subjects.append(mail_subject(mail))
		self.assertEqual(
			subjects,
			[
				"TEST-PIN subscription vence el 1 de marzo de 2028",
				"TEST-PIN subscription vence el 1 de marzo de 2028",
				"TEST-PIN subscription expires on March 1, 2028",
				"TEST-PIN subscription expires on March 1, 2028",
				"TEST-PIN subscription expires on March 1, 2028",
			],
		)

	def speaker_of(self, language: str | None) -> str:
		if language and not frappe.db.exists("Language", language):
			factories.make("Language", language_code=language, language_name=language)
		return factories.customer(language=language)

	def test_a_customers_name_is_text_not_a_template(self):
		name = "<b>{{ 7*7 }}</b>"
		customer = factories.customer()
		frappe.db.set_value("Customer", customer, "customer_name", name)
		factories.pin(customer, in_days(30))
		factories.campaign(email_template=factories.template(subject="For {{ customer_name }}"))
		self.run_night()
		(mail,) = self.mails()
		self.assertEqual(mail_subject(mail), f"For {name}")
		text, html = mail_parts(mail)
		self.assertIn("&lt;b&gt;{{ 7*7 }}&lt;/b&gt;", html)
		# Frappe makes the text part by a converter that writes Markdown.
		self.assertIn(f"Dear {name}", text.replace("\\", ""))
		self.assertNotIn("49", text.split(",")[0])

	def test_delivered_in_chunks_of_the_settings_size(self):
		frappe.db.set_single_value(SETTINGS, "chunk_size", 2)
		for _ in range(5):
			factories.pin(factories.customer(), in_days(30))
		factories.campaign()
		jobs = []
		enqueue = frappe.enqueue

		def counting(method, **options):
			if method is deliver.deliver:
				jobs.append(len(options["names"]))
			return enqueue(method, **options)

		with patch.object(frappe, "enqueue", counting):
			self.run_night()
		self.assertEqual((jobs, len(self.mails())), ([2, 2, 1], 5))

	def test_the_queries_of_a_batch_do_not_grow_with_its_mails(self):
		from marketing_automation.tests.case import statements

		def ours(count: int) -> int:
			self._reset()
			factories.pins(factories.customer(), *[in_days(30)] * count)
			factories.campaign()
			with patch.object(deliver, "enqueue"):
				self.run_night()
			names = [row.name for row in self.ledger()]
			with statements() as seen:
				deliver.deliver(names)
			self.assertEqual(len(self.mails()), count)
			return len(seen)

		# What is made once in a job is made here.
		ours(1)
		self.assertEqual(ours(40), ours(10))

	def test_a_layout_is_made_once_in_a_job(self):
		for _ in range(3):
			factories.pin(factories.customer(), in_days(30))
		# One that no other test has made.
		factories.campaign(email_template=factories.template(response=f"<p>{factories.unique('Text')}</p>"))
		with (
			patch.object(deliver, "COMMIT_EVERY", 1),
			patch.object(layout, "make", side_effect=layout.make) as make,
		):
			self.run_night()
		self.assertEqual((len(self.mails()), make.call_count), (3, 1))

	def test_whoever_listens_to_email_queue_hears_of_every_mail(self):
		heard = []
		hooks = frappe.get_hooks("doc_events")
		events = {**hooks, "Email Queue": {"after_insert": ["another.app.heard"]}}
		with (
			patch.object(frappe, "get_hooks", replaced_hooks(doc_events=events)),
			patch.object(EmailQueue, "after_insert", lambda mail: heard.append(mail.name), create=True),
		):
			_campaign, mail = self.mail_to(factories.customer())
		self.assertEqual(heard, [mail.name])

	def test_other_apps_can_change_an_outgoing_mail(self):
		def brand(mail):
			mail.set_header("X-Brand", "Pins")

		hooks = {"make_email_body_message": ["frappe.brand_for_test"]}
		with (
			patch.object(frappe, "get_hooks", replaced_hooks(**hooks)),
			patch.object(frappe, "brand_for_test", brand, create=True),
			# Which hooks there are does not change within a job.
			patch.object(frappe.local, "lifecycle_made", {}, create=True),
		):
			_campaign, mail = self.mail_to(factories.customer())
		self.assertIn("X-Brand: Pins", mail.message)

	def test_the_row_is_the_one_that_sendmail_writes(self):
		"""Field by field, but for what is new in each: names, and times."""
		customer = factories.customer("Test José")
		campaign, ours = self.mail_to(customer)
		frappe.db.delete("Email Queue")
		frappe.db.delete("Email Queue Recipient")
		text, html = mail_parts(ours)
		body = email.templates.load({self.template_of(campaign)}).popitem()[1]
		(pin,) = (row.reference_name for row in self.ledger())
		rendered = email.templates.render(
			body,
			email.templates.context(
				{
					"customer": customer,
					"customer_name": "Test José",
					"company": None,
					"campaign": campaign.name,
				},
				[
					{
						"serial_no": pin,
						"item_code": factories.ITEM,
						"item_name": f"{factories.ITEM} subscription",
						"expiry_date": in_days(30),
						"date": in_days(30),
					}
				],
				in_days(0),
			),
			"en",
		)
		frappe.sendmail(
			recipients=[factories.address(customer)],
			subject=rendered.subject,
			message=rendered.body,
			message_id=f"{self.ledger()[0].message_key}@{frappe.local.site}",
			reference_doctype="Lifecycle Campaign",
			reference_name=campaign.name,
			unsubscribe_message="Unsubscribe",
		)
		(theirs,) = self.mails()
		# Ours is finished already.
		context = SendMailContext(frappe.get_doc("Email Queue", theirs.name), object())
		theirs.message = context.build_message(theirs.recipient).decode()
		different = {
			field
			for field in theirs
			if theirs[field] != ours[field] and field not in ("name", "creation", "modified", "message")
		}
		self.assertEqual(different, {"send_after"})
		# Where the link to unsubscribe leads is our own.
		link = re.compile(
			r"https?://[^\s\"]+/(message-preferences|api/method/frappe\.email\.queue\.unsubscribe)\?[^\s\"]+"
		)
		text, html, their_text, their_html = (
			link.sub("the link", part) for part in (text, html, *mail_parts(theirs))
		)
		self.assertEqual(layout.canonical(text), layout.canonical(their_text))
		# The body and Frappe's foot are the same, whatever is round them.
		ours_alone, theirs_alone = map(layout.canonical, (html, their_html))
		(body,) = re.findall(r'<div class="lifecycle-mail"[^>]*>(.*?)</div>', ours_alone)
		self.assertIn(f"</p>{body}</td>", theirs_alone)
		foots = [
			re.sub(r""" style=(["']).*?\1""", "", whole.partition('class="email-footer"')[2])
			for whole in (ours_alone, theirs_alone)
		]
		self.assertEqual(*foots)
		headers = [
			{
				key: value
				for key, value in message_from_string(mail.message).items()
				if "boundary" not in value
			}
			for mail in (ours, theirs)
		]
		for header in headers:
			header.pop("Date")
		for name in ("Feedback-ID", "Auto-Submitted"):
			self.assertTrue(headers[0].pop(name))
		self.assertEqual(*headers)

	def template_of(self, campaign) -> str:
		return frappe.db.get_value("Lifecycle Action", {"campaign": campaign.name}, "email_template")

	def test_the_channel_is_found_by_its_hook(self):
		from marketing_automation.engine.channel import channel_for

		self.assertIs(channel_for("Send Email"), email)
		with self.refused("Send Pigeon"):
			channel_for("Send Pigeon")

	def test_a_rule_set_costs_four_queries(self):
		from marketing_automation.tests.case import statements

		factories.campaign({}, {"days_offset": 7})
		factories.campaign()
		with statements() as seen:
			self.assertEqual(len(rules.load()), 3)
		self.assertEqual(len(seen), 4)
