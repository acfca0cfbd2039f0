"""A campaign attaches what its message is about, as ERPNext prints it, and what arrives is what the customer can read."""

from unittest.mock import patch

import frappe

from marketing_automation import api
from marketing_automation.channels.email import mime, prints, sender
from marketing_automation.engine import retry
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.tests import factories, pdf_maker
from marketing_automation.tests.case import outside_test_mode
from marketing_automation.tests.factories import in_days
from marketing_automation.tests.test_drain import DrainTestCase

FORMAT = "Test Print of Quotations"
WORDS = "<p>{{ _('Date') }} {{ doc.name }}</p>"
QUOTATION = {"source": "Quotation", "trigger_type": "Before", "days_offset": 3, "date_field": "valid_till"}
HEAVY = "<p>weighs 1100 kB</p>"


class PrintsTestCase(DrainTestCase):
	@classmethod
	def setUpClass(cls):
		super().setUpClass()
		cls.format = cls.print_format(FORMAT, WORDS)

	@classmethod
	def tearDownClass(cls):
		frappe.db.rollback()
		frappe.set_user("Administrator")
		frappe.delete_doc("Print Format", FORMAT, force=True)
		frappe.db.commit()
		super().tearDownClass()

	def setUp(self):
		super().setUp()
		self.addCleanup(frappe.set_user, "Administrator")
		self.made = self.enterContext(pdf_maker.installed())
		self.set_format(WORDS)

	@staticmethod
	def print_format(name: str, html: str, doctype: str = "Quotation", **fields) -> str:
		found = factories.make(
			"Print Format",
			name=name,
			doc_type=doctype,
			custom_format=1,
			print_format_type="Jinja",
			standard="No",
			html=html,
			**fields,
		).name
		frappe.db.commit()
		return found

	def set_format(self, html: str) -> None:
		doc = frappe.get_doc("Print Format", FORMAT)
		doc.update({"html": html, "disabled": 0}).save()
		frappe.db.commit()

	@staticmethod
	def template() -> str:
		return factories.template(
			"Your quotation",
			"<p>Dear {{ customer_name }}, it is attached: "
			"{% for item in items %}{{ item.quotation }} {% endfor %}</p>",
		)

	def campaign(self, attach: bool = True, **fields):
		doc = factories.campaign(QUOTATION, active=False, email_template=self.template(), **fields)
		(action,) = frappe.get_all("Lifecycle Action", {"campaign": doc.name}, pluck="name")
		if attach:
			frappe.get_doc("Lifecycle Action", action).update(
				{"attach_print": 1, "print_format": FORMAT}
			).save()
		doc.reload()
		doc.update({"is_active": 1}).save()
		self.action = action
		return doc

	def send(self) -> list:
		"""Send what is due tonight and return the mails that have arrived, parsed."""
		self.run_night()
		self.drain([str(mail.name) for mail in self.mails()])
		return self.sink.messages()

	@staticmethod
	def files(mail) -> dict[str, str]:
		"""Return {file name: the words of the PDF} of a mail."""
		return {
			part.get_filename(): pdf_maker.words_of(part.get_content())
			for part in mail.iter_attachments()
			if part.get_content_type() == "application/pdf"
		}

	def outcomes(self) -> dict[str, tuple]:
		return {row.reference_name: (row.status, row.reason, row.error) for row in self.ledger()}


class TestWhatArrives(PrintsTestCase):
	"""With mails that are finished when they are made; below the same with mails that Frappe builds."""

	def test_the_document_is_attached_in_the_customers_language(self):
		ana, ben = factories.customer(language="es"), factories.customer(language="en")
		of_ana, of_ben = (factories.quotation(one, in_days(3)).name for one in (ana, ben))
		self.campaign()
		mails = {mail["To"]: mail for mail in self.send()}
		self.assertEqual(len(mails), 2)
		files = [file for mail in mails.values() for file in self.files(mail).items()]
		self.assertEqual(dict(files), {f"{of_ana}.pdf": f"Fecha {of_ana}", f"{of_ben}.pdf": f"Date {of_ben}"})
		for mail in mails.values():
			self.assertEqual(mail.get_content_type(), "multipart/mixed")
			self.assertIn("it is attached:", mail.get_body(("html",)).get_content())
			self.assertIn("it is attached:", mail.get_body(("plain",)).get_content())
			self.assertIn("Feedback-ID", mail)
		self.assertEqual({row.status for row in self.ledger()}, {"Completed"})

	def test_nothing_is_stored_and_each_print_is_made_once(self):
		factories.quotation(factories.customer(), in_days(3))
		self.campaign()
		files = frappe.db.count("File")
		self.run_night()
		# Delivery locks rows: there nothing is printed.
		self.assertEqual(self.made.read_text(), "")
		(row,) = self.mails()
		self.assertNotIn("application/pdf", row.message)
		self.drain([str(row.name)])
		self.assertEqual(len(self.made.read_text().splitlines()), 1)
		self.assertEqual(frappe.db.count("File"), files)
		self.assertNotIn("application/pdf", self.mails()[0].message)

	def test_it_is_made_with_nothing_locked_and_what_was_sent_before_written_down(self):
		for _ in range(2):
			factories.quotation(factories.customer(), in_days(3))
		self.campaign()
		self.run_night()
		seen, attach_print = [], frappe.attach_print

		def looked_at(*arguments, **options):
			# In a connection of its own, which waits for no lock.
			seen.append(sorted(self._statuses_unlocked()))
			return attach_print(*arguments, **options)

		with patch.object(frappe, "attach_print", looked_at):
			self.drain([str(mail.name) for mail in self.mails()])
		self.assertEqual(seen, [["Not Sent", "Not Sent"], ["Not Sent", "Sent"]])

	@staticmethod
	def _statuses_unlocked() -> list[str]:
		connection = frappe.db.get_connection()
		with connection.cursor() as cursor:
			cursor.execute("set session innodb_lock_wait_timeout = 1")
			cursor.execute("select status from `tabEmail Queue` for update")
			found = [row[0] for row in cursor.fetchall()]
		connection.rollback()
		connection.close()
		return found

	def test_a_message_about_several_documents_has_each_of_them(self):
		ana = factories.customer()
		names = {f"{factories.quotation(ana, in_days(3)).name}.pdf" for _ in range(3)}
		self.campaign(combine_messages=1)
		(mail,) = self.send()
		self.assertEqual(set(self.files(mail)), names)

	def test_without_the_switch_nothing_is_attached(self):
		factories.quotation(factories.customer(), in_days(3))
		self.campaign(attach=False)
		(mail,) = self.send()
		self.assertEqual((list(mail.iter_attachments()), self.made.read_text()), ([], ""))

	def test_it_says_what_the_document_says_when_it_leaves(self):
		factories.quotation(factories.customer(), in_days(3))
		self.campaign()
		self.run_night()
		self.set_format("<p>Changed since</p>")
		self.drain([str(mail.name) for mail in self.mails()])
		self.assertEqual(list(self.files(self.sink.messages()[0]).values()), ["Changed since"])

	def test_one_is_attached_with_the_usual_print_format_of_its_document(self):
		quotation = factories.quotation(factories.customer(), in_days(3))
		self.campaign()
		frappe.db.set_value("Lifecycle Action", self.action, "print_format", None)
		(mail,) = self.send()
		((name, words),) = self.files(mail).items()
		self.assertEqual(name, f"{quotation.name}.pdf")
		self.assertIn("Grand Total", words)


class TestBuiltByFrappe(TestWhatArrives):
	def setUp(self):
		super().setUp()
		frappe.local.lifecycle_made = {}
		self.addCleanup(setattr, frappe.local, "lifecycle_made", {})
		self.enterContext(patch.object(mime, "make", lambda _build, _ways=0: None))
		self.enterContext(patch.object(sender, "_is_finished", lambda _mail, _account: False))


class TestWhatGoesWrong(PrintsTestCase):
	def test_a_broken_print_format_fails_its_message_alone_and_says_which(self):
		broken, good = (factories.quotation(factories.customer(), in_days(3)).name for _ in range(2))
		self.set_format("{% if doc.name == '" + broken + "' %}{{ nothing.at.all }}{% endif %}" + WORDS)
		self.campaign()
		(mail,) = self.send()
		self.assertEqual(list(self.files(mail)), [f"{good}.pdf"])
		self.assertEqual(self.outcomes()[good], ("Completed", None, None))
		status, reason, error = self.outcomes()[broken]
		self.assertEqual((status, reason), ("Failed", "Attachment failed"))
		self.assertIn(f"Quotation {broken}", error)
		self.assertNotIn("Traceback", error)

	def test_many_broken_prints_hold_up_no_mail_after_them(self):
		broken = [factories.quotation(factories.customer(), in_days(3)).name for _ in range(4)]
		self.campaign()
		self.set_format("{{ nothing.at.all }}")
		pin = factories.pin(factories.customer(), in_days(30))
		factories.campaign(campaign_name="Test Zz after the others")
		self.run_night()
		names = {mail.name: mail for mail in self.mails()}
		last = {row.handle for row in self.ledger(reference_name=pin)}
		self.drain(sorted(map(str, names), key=lambda name: name in last))
		self.assertEqual(self.outcome_of(pin), ("Completed", None))
		self.assertEqual({self.outcomes()[name][:2] for name in broken}, {("Failed", "Attachment failed")})

	def test_what_frappe_changes_to_print_is_put_back_when_it_fails(self):
		factories.quotation(factories.customer(language="es"), in_days(3))
		self.set_format("{{ nothing.at.all }}")
		self.campaign()
		before = frappe.local.lang
		self.send()
		self.assertEqual((frappe.local.lang, bool(frappe.flags.ignore_print_permissions)), (before, False))

	def test_a_print_that_is_mended_goes_out_when_it_is_retried(self):
		quotation = factories.quotation(factories.customer(), in_days(3)).name
		self.set_format("{{ nothing.at.all }}")
		self.campaign()
		self.assertEqual(self.send(), [])
		(row,) = self.ledger()
		self.assertIsNone(row.next_attempt_at)
		self.set_format(WORDS)
		retry.retry([row.name])
		self.drain([str(mail.name) for mail in self.mails()])
		(mail,) = self.sink.messages()
		self.assertEqual(list(self.files(mail)), [f"{quotation}.pdf"])
		self.assertEqual(self.outcomes()[quotation], ("Completed", None, None))

	def test_a_print_over_the_limit_keeps_its_message_and_names_both(self):
		quotation = factories.quotation(factories.customer(), in_days(3)).name
		self.set_format(HEAVY)
		frappe.db.set_single_value(SETTINGS, "attachments_mb", 1)
		self.campaign()
		self.assertEqual(self.send(), [])
		status, reason, error = self.outcomes()[quotation]
		self.assertEqual((status, reason), ("Failed", "Attachment failed"))
		self.assertIn(quotation, error)
		self.assertIn("1 MB are attached at most", error)

	def test_prints_count_together(self):
		ana = factories.customer()
		for _ in range(2):
			factories.quotation(ana, in_days(3))
		self.set_format("<p>weighs 600 kB</p>")
		frappe.db.set_single_value(SETTINGS, "attachments_mb", 1)
		self.campaign(combine_messages=1)
		self.assertEqual(self.send(), [])
		self.assertEqual({found[1] for found in self.outcomes().values()}, {"Attachment failed"})
		self.assertIn("the attachments have", next(iter(self.outcomes().values()))[2])

	def test_a_message_about_too_many_documents_fails_before_anything_is_printed(self):
		ana = factories.customer()
		for _ in range(2):
			factories.quotation(ana, in_days(3))
		self.campaign(combine_messages=1)
		with patch.object(prints, "MOST_DOCUMENTS", 1):
			self.assertEqual(self.send(), [])
		self.assertEqual({found[:2] for found in self.outcomes().values()}, {("Failed", "Attachment failed")})
		self.assertEqual((self.mails(), self.made.read_text()), ([], ""))

	def test_a_server_without_the_program_that_prints_says_so(self):
		factories.quotation(factories.customer(), in_days(3))
		self.campaign()
		with patch.dict("os.environ", {"PATH": "/nowhere"}):
			self.send()
		((status, reason, error),) = self.outcomes().values()
		self.assertEqual((status, reason), ("Failed", "Attachment failed"))
		self.assertIn("wkhtmltopdf", error)

	def test_a_mail_that_is_taken_back_prints_nothing(self):
		factories.quotation(factories.customer(), in_days(3))
		campaign = self.campaign()
		self.run_night()
		frappe.db.set_value("Lifecycle Campaign", campaign.name, "is_active", 0)
		frappe.db.commit()
		self.drain([str(mail.name) for mail in self.mails()])
		self.assertEqual((self.sink.mails, self.made.read_text()), ([], ""))


class TestWhoMay(PrintsTestCase):
	def test_who_may_not_print_the_document_cannot_switch_it_on(self):
		doc = factories.campaign(QUOTATION, active=False, email_template=self.template())
		(name,) = frappe.get_all("Lifecycle Action", {"campaign": doc.name}, pluck="name")
		frappe.db.commit()
		frappe.set_user(factories.user("Marketing Manager"))
		action = frappe.get_doc("Lifecycle Action", name)
		self.assertIsNone(api.attachable(action.trigger))
		with self.refused("You may not print", error=frappe.PermissionError):
			action.update({"attach_print": 1}).save()
		frappe.set_user("Administrator")
		self.assertEqual(api.attachable(action.trigger), {"doctype": "Quotation", "label": "Quotation"})
		frappe.get_doc("Lifecycle Action", name).update({"attach_print": 1}).save()
		frappe.db.commit()
		# Something else of it they may change, and activate it.
		frappe.set_user(factories.user("Marketing Manager"))
		frappe.get_doc("Lifecycle Action", name).update({"action_name": "Test other"}).save()
		frappe.get_doc("Lifecycle Campaign", doc.name).update({"is_active": 1}).save()

	def test_only_what_is_printed_is_offered(self):
		doc = factories.campaign(active=False)
		(trigger,) = frappe.get_all("Lifecycle Trigger", {"campaign": doc.name}, pluck="name")
		(name,) = frappe.get_all("Lifecycle Action", {"campaign": doc.name}, pluck="name")
		self.assertIsNone(api.attachable(trigger))
		with self.refused("There is no print of Serial No"):
			frappe.get_doc("Lifecycle Action", name).update({"attach_print": 1}).save()
		of_pins = self.print_format("Test Print of Pins", "<p>{{ doc.name }}</p>", "Serial No")
		self.addCleanup(frappe.db.commit)
		self.addCleanup(frappe.delete_doc, "Print Format", of_pins, force=True)
		self.assertEqual(api.attachable(trigger)["doctype"], "Serial No")

	def test_a_print_format_of_something_else_is_refused(self):
		of_invoices = self.print_format("Test Print of Invoices", WORDS, "Sales Invoice")
		self.addCleanup(frappe.db.commit)
		self.addCleanup(frappe.delete_doc, "Print Format", of_invoices, force=True)
		doc = factories.campaign(QUOTATION, active=False, email_template=self.template())
		(name,) = frappe.get_all("Lifecycle Action", {"campaign": doc.name}, pluck="name")
		for wrong in (of_invoices, FORMAT):
			frappe.db.set_value("Print Format", FORMAT, "disabled", 1)
			with self.subTest(wrong), self.refused("makes no PDF of Quotation"):
				frappe.get_doc("Lifecycle Action", name).update(
					{"attach_print": 1, "print_format": wrong}
				).save()

	def test_a_copy_of_the_campaign_attaches_it_too(self):
		campaign = self.campaign()
		copy = campaign.duplicate(factories.unique("Test"))
		(found,) = frappe.get_all(
			"Lifecycle Action", {"campaign": copy.name}, ["attach_print", "print_format"]
		)
		self.assertEqual((found.attach_print, found.print_format), (1, FORMAT))


class TestLooking(PrintsTestCase):
	def test_the_preview_names_it_and_the_test_carries_it(self):
		quotation = factories.quotation(factories.customer(language="es"), in_days(3)).name
		self.campaign()
		self.assertEqual(
			api.mail(self.action, quotation)["attached"],
			[
				{
					"doctype": "Quotation",
					"name": quotation,
					"print_format": FORMAT,
					"lang": "es",
					"may_print": True,
				}
			],
		)
		self.assertEqual(self.made.read_text(), "")
		frappe.set_user(factories.user("System Manager", "Sales Manager", "Marketing Manager"))
		frappe.flags.testing_email = True
		self.addCleanup(frappe.flags.pop, "testing_email")
		with (
			outside_test_mode(),
			patch.object(frappe, "enqueue", lambda job, queue, now, **of_job: job(**of_job)),
		):
			api.send_test(self.action, quotation)
		(mail,) = self.sink.messages()
		self.assertIn("[Test]", mail["Subject"])
		self.assertEqual(list(self.files(mail)), [f"{quotation}.pdf"])
		self.assertEqual(self.ledger(), [])

	def test_who_may_not_print_it_tests_without_it(self):
		quotation = factories.quotation(factories.customer(), in_days(3)).name
		self.campaign()
		frappe.db.commit()
		frappe.set_user(factories.user("Marketing Manager"))
		(found,) = api.mail(self.action, quotation)["attached"]
		self.assertFalse(found["may_print"])
		with (
			outside_test_mode(),
			patch.object(frappe, "enqueue", lambda job, queue, now, **of_job: job(**of_job)),
		):
			api.send_test(self.action, quotation)
		(mail,) = self.sink.messages()
		self.assertEqual((self.files(mail), self.made.read_text()), ({}, ""))

	def test_who_tests_a_broken_print_is_told(self):
		quotation = factories.quotation(factories.customer(), in_days(3)).name
		self.campaign()
		self.set_format("{{ nothing.at.all }}")
		with self.refused(f"The print of Quotation {quotation} could not be made"):
			api.send_test(self.action, quotation)


class TestRecipes(PrintsTestCase):
	def test_the_recipes_for_quotations_and_payments_ask_and_do_not_suggest_it(self):
		asked = {recipe["name"] for recipe in api.recipes() if "attach_print" in recipe["asks"]}
		self.assertEqual(asked, {"quotation_follow_up", "payment_reminder"})
		for answer, attached in ((0, {0}), (1, {1})):
			name = api.make_from_recipe(
				"payment_reminder",
				factories.unique("Test"),
				days="5",
				days_after="3",
				language="en",
				attach_print=answer,
			)
			found = frappe.get_all("Lifecycle Action", {"campaign": name}, pluck="attach_print")
			self.assertEqual((set(found), len(found)), (attached, 2))

	def test_who_may_not_print_is_not_asked(self):
		frappe.set_user(factories.user("Marketing Manager"))
		asked = {recipe["name"] for recipe in api.recipes() if "attach_print" in recipe["asks"]}
		self.assertEqual(asked, set())
