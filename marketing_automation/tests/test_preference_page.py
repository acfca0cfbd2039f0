"""The page on which customers say what they want: over real HTTP, by a plain client."""

import random
import re
import string
from email import message_from_string, policy
from unittest.mock import patch
from urllib.parse import quote, urlencode

import frappe
from frappe.utils import add_days, now_datetime
from frappe.utils.verified_command import get_signed_params

from marketing_automation.engine import consent, links
from marketing_automation.pages import preferences
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, mail_parts, replaced_hooks
from marketing_automation.tests.factories import in_days
from marketing_automation.tests.http_site import ask, served

FORM = "application/x-www-form-urlencoded"
ONE_CLICK = b"List-Unsubscribe=One-Click"
BOUNDARY = "4711"
MULTIPART = (
	f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--{BOUNDARY}--\r\n'
).encode()


class PageTestCase(MarketingTestCase):
	@classmethod
	def setUpClass(cls):
		super().setUpClass()
		cls.server = served()
		cls.site = cls.server.__enter__()

	@classmethod
	def tearDownClass(cls):
		cls.server.__exit__(None, None, None)
		super().tearDownClass()

	def setUp(self):
		super().setUp()
		frappe.cache().delete_keys("lifecycle_invalid_links:")
		# At whatever hour the test runs.
		only = replaced_hooks(lifecycle_checks={"Consent": ["marketing_automation.checks.consent.CHECK"]})
		self.enterContext(patch.object(frappe, "get_hooks", only))
		self.ana = factories.customer(email="ana.perez@customers.example")
		factories.pin(self.ana, in_days(30))
		self.campaign = factories.campaign(purpose="Marketing", topic="Renewals")
		self.run_night()
		(self.row,) = self.ledger()
		self.token = links.token(links.MESSAGE, self.row.name)
		self.contents = self.everything()

	def everything(self) -> dict[str, int]:
		"""Return what is stored, by table: a checksum of each."""
		frappe.db.commit()
		tables = [table for table in frappe.db.get_tables(cached=False) if not table.startswith("__")]
		return dict(frappe.db.sql("checksum table " + ", ".join(f"`{table}`" for table in tables)))

	def assert_nothing_changed(self):
		now = self.everything()
		self.assertEqual({table for table in now if now[table] != self.contents.get(table)}, set())

	def url(self, token: str | None = None) -> str:
		return f"{self.site}/{links.PAGE}?t={self.token if token is None else quote(token)}"

	def post(self, token: str | None = None, **form):
		answer = ask(self.url(token), "POST", urlencode(form, doseq=True).encode(), Content_Type=FORM)
		frappe.db.rollback()
		return answer

	def said(self) -> list[tuple]:
		"""Return (what, topic, where) of the consents, in their order."""
		frappe.db.rollback()
		rows = frappe.get_all(
			consent.DOCTYPE, fields=["kind", "topic", "source"], order_by="occurred_at asc, name asc"
		)
		return [(row.kind, row.topic, row.source) for row in rows]

	def refused(self, *texts, **options):
		return super().refused(*texts, **options)

	def reason_now(self) -> str | None:
		"""Return why the customer would get nothing of the campaign by now."""
		from marketing_automation.engine import recipients, rules

		(rule,) = rules.load([self.campaign.name])
		found = recipients.channel_for("Send Email").addresses({self.ana})[self.ana]
		no = consent.Known([found]).refusal(found, rule.campaign)
		return no.reason if no else None


class TestOneClick(PageTestCase):
	def test_a_post_without_cookies_or_login_unsubscribes_and_leads_nowhere_else(self):
		for body, kind in ((ONE_CLICK, FORM), (MULTIPART, f"multipart/form-data; boundary={BOUNDARY}")):
			with self.subTest(kind):
				frappe.db.delete(consent.DOCTYPE)
				frappe.db.commit()
				answer = ask(self.url(), "POST", body, Content_Type=kind)
				self.assertEqual(answer.status, 200)
				self.assertNotIn("Location", answer.headers)
				self.assertEqual(self.said(), [("Withdrawn", "Renewals", "One click")])
				self.assertEqual(self.reason_now(), "Unsubscribed")
				(person,), _named = self.taken_back.call_args
				self.assertEqual((person.address, person.contact), (self.row.recipient, self.contact()))

	def contact(self) -> str:
		return frappe.db.get_value("Contact Email", {"email_id": self.row.recipient}, "parent")

	def test_what_was_said_is_kept_with_where_when_and_which_text(self):
		ask(self.url(), "POST", ONE_CLICK, Content_Type=FORM)
		frappe.db.rollback()
		(row,) = frappe.get_all(consent.DOCTYPE, fields=["*"])
		self.assertEqual(
			(row.address, row.contact, row.campaign, row.message, row.text),
			(
				self.row.recipient,
				self.contact(),
				self.campaign.name,
				self.row.name,
				"List-Unsubscribe: One-Click",
			),
		)
		self.assertLess(abs((now_datetime() - row.occurred_at).total_seconds()), 60)

	def test_repeats_do_no_harm(self):
		for _turn in range(3):
			self.assertEqual(ask(self.url(), "POST", ONE_CLICK, Content_Type=FORM).status, 200)
		self.assertEqual(len(self.said()), 1)

	def test_nothing_global_is_written(self):
		ask(self.url(), "POST", ONE_CLICK, Content_Type=FORM)
		self.post(do="all")
		self.assertEqual(frappe.db.count("Email Unsubscribe"), 0)
		self.assertEqual(frappe.db.get_value("Contact", self.contact(), "unsubscribed"), 0)

	def test_a_post_that_says_nothing_changes_nothing(self):
		for body in (b"", b"List-Unsubscribe=One-Clic", b"do=drop", b"x=y", b"do=choose%00", b"do=confirm"):
			self.assertEqual(ask(self.url(), "POST", body, Content_Type=FORM).status, 200)
		self.assert_nothing_changed()

	def test_the_header_of_a_mail_that_left_is_what_a_provider_posts_to(self):
		self.assertEqual((self.row.status, self.row.reason, self.row.error), ("Queued", None, None))
		(mail,) = self.mails()
		message = message_from_string(mail.message, policy=policy.default)
		self.assertIsNone(message["List-Unsubscribe"], "nobody has said the address")
		for field, value in (
			("public_address", "https://shop.example"),
			("unsubscribe_address", "out@shop.example"),
		):
			frappe.db.set_single_value("Marketing Automation Settings", field, value, update_modified=False)
		ben = factories.customer()
		factories.pin(ben, in_days(30))
		self.run_night(self.campaign.name)
		mail = next(one for one in self.mails() if one.recipient == factories.address(ben))
		message = message_from_string(mail.message, policy=policy.default)
		self.assertEqual(message["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click")
		page, by_mail = ("".join(message["List-Unsubscribe"].split())).split(",")
		self.assertTrue(page.startswith("<https://shop.example/message-preferences?t="), page)
		self.assertIn(page.strip("<>"), mail_parts(mail)[1].replace("&amp;", "&"))
		subject = by_mail.strip("<>").partition("?subject=")[2]
		self.assertEqual(links.token_of_subject(f"Re: {subject} "), page.strip("<>").partition("?t=")[2])
		ask(page.strip("<>").replace("https://shop.example", self.site), "POST", ONE_CLICK, Content_Type=FORM)
		self.assertEqual(self.said(), [("Withdrawn", "Renewals", "One click")])


class TestNothingActsOnGet(PageTestCase):
	def test_scanners_change_nothing_however_they_ask(self):
		for method in ("GET", "HEAD", "GET"):
			for agent in ("Mozilla/5.0", "BarracudaCentral", "SafeLinks", ""):
				answer = ask(self.url(), method, User_Agent=agent)
				self.assertEqual(answer.status, 200)
		for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
			self.assertLess(ask(self.url(), method, ONE_CLICK).status, 500)
		# A GET with all that a POST would have.
		ask(f"{self.url()}&List-Unsubscribe=One-Click&do=all", "GET")
		self.assert_nothing_changed()

	def test_links_of_version_0_1_lead_to_the_page_and_change_nothing(self):
		params = {"email": self.row.recipient, "doctype": "Lifecycle Campaign", "name": self.campaign.name}
		path = f"/api/method/marketing_automation.unsubscribe.unsubscribe?{get_signed_params(params)}"
		ask(self.site + path, "HEAD")
		answer = ask(self.site + path)
		self.assertEqual(answer.status, 302)
		self.assert_nothing_changed()
		page = answer.headers["Location"].partition(links.PAGE)[2]
		token = page.partition("?t=")[2]
		self.assertNotIn("customers", token)
		self.assertIn("a…z@customers.example", ask(self.url(token)).text)
		self.post(token, do="choose")
		self.assertIn(("Withdrawn", "Renewals", "Preference page"), self.said())
		self.assertEqual(self.reason_now(), "Unsubscribed")

	def test_a_link_of_version_0_1_that_was_changed_says_nothing_of_who_exists(self):
		params = {"email": self.row.recipient, "doctype": "Lifecycle Campaign", "name": self.campaign.name}
		for old, new in (("ana.perez", "ben"), ("ana", "ana")):
			signed = get_signed_params(params).replace(old, new)[:-1] + "0"
			answer = ask(f"{self.site}/api/method/marketing_automation.unsubscribe.unsubscribe?{signed}x")
			self.assertNotIn("customers.example", answer.text)
			self.assertIn("invalid or expired", answer.text)
		self.assert_nothing_changed()


class TestTokens(PageTestCase):
	def test_nothing_can_be_read_in_one(self):
		import base64

		plain = base64.urlsafe_b64decode(self.token + "==")
		for readable in (self.row.name, self.row.recipient, self.campaign.name, self.ana):
			self.assertNotIn(readable.encode(), plain)
			self.assertNotIn(readable, self.token)
		self.assertNotIn(bytes.fromhex(f"0{self.row.name}")[:6], plain)
		self.assertEqual(len(self.token), 32)

	def test_it_is_the_same_each_time_and_another_one_for_another_row(self):
		self.assertEqual(self.token, links.token(links.MESSAGE, self.row.name))
		self.assertNotEqual(self.token, links.token(links.MESSAGE, "0" * 23))
		for about in (
			(links.MESSAGE, "0123456789"),
			(links.CONSENT, "q1w2e3r4t5"),
			(links.OF_CAMPAIGN, "Ñandú & Co", "a@b.example"),
		):
			self.assertEqual(links.read(links.token(*about)), links.About(about[0], about[1:]))

	def test_one_that_was_changed_anywhere_is_none_of_ours(self):
		letters = string.ascii_letters + string.digits + "-_"
		for place in range(len(self.token)):
			for letter in random.Random(place).sample(letters, 8):
				if letter != self.token[place]:
					self.assertIsNone(links.read(self.token[:place] + letter + self.token[place + 1 :]))
		for token in (
			"",
			"x",
			self.token[:-1],
			self.token + "A",
			self.token * 2,
			" " + self.token,
			None,
			4711,
		):
			self.assertIsNone(links.read(token))

	def test_of_tokens_that_are_not_ours_all_answers_are_the_same(self):
		answers = {
			(answer.status, answer.text)
			for token in (
				"A" * 32,
				self.token[:-1] + ("A" if self.token[-1] != "A" else "B"),
				"",
				"ana.perez@customers.example",
			)
			for answer in (ask(self.url(token)), self.post(token, do="all"))
		}
		((status, text),) = answers
		self.assertEqual(status, 404)
		self.assertNotIn("customers.example", text)
		self.assert_nothing_changed()

	def test_one_of_a_message_that_nobody_remembers_is_answered_alike(self):
		self.assertEqual(ask(self.url(links.token(links.MESSAGE, "0" * 23))).status, 404)

	def test_only_tokens_that_are_not_ours_are_limited(self):
		with patch.object(preferences, "MOST_INVALID", 3):
			found = [ask(self.url("A" * 32)).status for _turn in range(6)]
			self.assertEqual(found, [404] * 3 + [429] * 3)
			self.assertEqual(ask(self.url()).status, 200)
			self.assertEqual(self.post(do="all").status, 200)
		self.assertEqual(len(self.said()), 1)


class TestThePage(PageTestCase):
	def test_topics_one_by_one(self):
		self.assertIn('value="Offers" checked', ask(self.url()).text)
		answer = self.post(do="choose", topic=["Renewals", "News", "Service notices"])
		self.assertNotIn('value="Offers" checked', answer.text)
		self.assertEqual(self.said(), [("Withdrawn", "Offers", "Preference page")])
		self.assertIsNone(self.reason_now())
		self.post(do="choose", topic=["Offers", "News", "Service notices"])
		self.assertEqual(self.reason_now(), "Unsubscribed")
		self.post(do="choose", topic=["Offers", "News", "Service notices", "Renewals"])
		self.assertIsNone(self.reason_now())
		self.assertEqual(self.said()[-1], ("Given", "Renewals", "Preference page"))
		count = len(self.said())
		self.post(do="choose", topic=["Offers", "News", "Service notices", "Renewals", "Nonsense"])
		self.assertEqual(len(self.said()), count)

	def test_a_topic_that_was_made_after_the_page_was_opened_is_not_withdrawn(self):
		page = ask(self.url()).text
		shown = re.findall(r'<input type="hidden" name="shown" value="([^"]+)">', page)
		self.assertCountEqual(shown, re.findall(r'name="topic" value="([^"]+)"', page))
		self.assertIn("Renewals", shown)
		name = factories.unique("Workshops")
		self.addCleanup(frappe.db.commit)
		self.addCleanup(frappe.db.delete, consent.TOPIC, {"name": name})
		frappe.get_doc({"doctype": consent.TOPIC, "topic_name": name}).insert()
		frappe.db.commit()
		self.post(do="choose", shown=shown, topic=[topic for topic in shown if topic != "Offers"])
		self.assertEqual(self.said(), [("Withdrawn", "Offers", "Preference page")])
		# The page that the answer brings has it.
		self.post(do="choose", shown=[*shown, name], topic=shown)
		self.assertIn(("Withdrawn", name, "Preference page"), self.said())

	def agreed(self, topic: str) -> bool:
		return bool(consent.opted_in([consent.person_of(self.token).recipient], [topic]))

	def test_where_the_law_asks_for_consent_a_topic_is_ticked_by_who_agrees(self):
		self.live_in_country("Peru")
		text = ask(self.url()).text
		self.assertIn('value="Service notices" checked', text)
		self.assertNotIn('value="Offers" checked', text)
		answer = self.post(do="choose", topic=["Offers", "Renewals", "Service notices"])
		self.assertIn('value="Offers" checked', answer.text)
		self.assertNotIn('value="News" checked', answer.text)
		self.assertCountEqual(
			self.said(), [("Given", one, "Preference page") for one in ("Offers", "Renewals")]
		)
		self.assertEqual(
			[self.agreed(topic) for topic in ("Offers", "Renewals", "News")], [True, True, False]
		)
		self.post(do="choose", topic=["Renewals", "Service notices"])
		self.assertIn(("Withdrawn", "Offers", "Preference page"), self.said())
		self.assertFalse(self.agreed("Offers"))
		self.assertEqual(len(self.said()), 3)

	def test_where_the_law_asks_for_consent_what_led_here_can_be_left_all_the_same(self):
		self.live_in_country("Peru")
		self.post(do="choose", topic=["Service notices"])
		self.assertEqual(self.said(), [("Withdrawn", "Renewals", "Preference page")])
		self.assertEqual(self.reason_now(), "Unsubscribed")

	def test_who_comes_back_has_agreed_to_nothing(self):
		self.live_in_country("Peru")
		self.post(do="all")
		answer = self.post(do="back")
		self.assertIsNone(self.reason_now())
		self.assertNotIn('value="Renewals" checked', answer.text)
		self.assertFalse(self.agreed("Renewals"))

	def test_all_marketing_leaves_service_on_and_one_can_come_back(self):
		answer = self.post(do="all")
		self.assertEqual(self.said(), [("Withdrawn", None, "Preference page")])
		self.assertIn('value="Service notices" checked', answer.text)
		self.assertNotIn('value="Renewals" checked', answer.text)
		self.assertEqual(self.reason_now(), "Unsubscribed")
		self.campaign.reload()
		self.campaign.update({"purpose": "Service"}).save()
		self.assertIsNone(self.reason_now())
		self.campaign.update({"purpose": "Marketing"}).save()
		frappe.db.commit()
		self.post(do="back")
		self.assertIsNone(self.reason_now())

	def test_one_topic_again_after_all_of_it(self):
		self.post(do="all")
		self.post(do="choose", topic=["Renewals", "Service notices"])
		self.assertIsNone(self.reason_now())
		found = consent.person_of(self.token).recipient
		for topic, reason in (("Offers", "Unsubscribed"), ("News", "Unsubscribed"), ("Renewals", None)):
			no = consent.Known([found]).refusal(found, {"name": "x", "topic": topic})
			self.assertEqual(no and no.reason, reason, topic)

	def test_a_pause_of_thirty_days(self):
		self.post(do="pause")
		self.post(do="pause")
		self.assertEqual(self.said(), [("Paused", None, "Preference page")])
		self.assertEqual(self.reason_now(), "Paused by recipient")
		until = frappe.get_all(consent.DOCTYPE, pluck="paused_until")[0]
		self.assertEqual(until.date(), add_days(now_datetime(), 30).date())
		self.post(do="resume")
		self.assertIsNone(self.reason_now())

	def test_less_often_is_for_the_cap(self):
		self.post(do="often", often="month")
		self.post(do="often", often="month")
		self.assertEqual(self.said(), [("Less often", None, "Preference page")])
		person = consent.person_of(self.token)
		self.assertEqual(
			consent.less_often([person.recipient]),
			{person.address: (1, 30), person.contact: (1, 30)},
		)
		self.post(do="often", often="")
		self.assertEqual(consent.less_often([person.recipient]), {})

	def test_an_opt_out_follows_the_contact_to_a_new_address(self):
		self.post(do="choose", topic=["Offers"])
		contact = frappe.get_doc("Contact", consent.person_of(self.token).contact)
		contact.email_ids = []
		contact.append("email_ids", {"email_id": "ana@new.example", "is_primary": 1})
		contact.save()
		frappe.db.commit()
		self.assertEqual(self.reason_now(), "Unsubscribed")

	def moved_to(self, address: str):
		contact = frappe.get_doc(
			"Contact",
			frappe.db.get_value(
				"Contact Email", {"parenttype": "Contact", "email_id": self.row.recipient}, "parent"
			),
		)
		contact.email_ids = []
		contact.append("email_ids", {"email_id": address, "is_primary": 1})
		contact.save()
		frappe.db.commit()
		return contact

	def test_an_opt_out_by_a_mail_to_an_address_of_before_is_the_contacts(self):
		contact = self.moved_to("ana@new.example")
		ask(self.url(), "POST", ONE_CLICK, Content_Type=FORM)
		self.assertEqual(
			frappe.get_all(consent.DOCTYPE, ["address", "contact"]),
			[{"address": self.row.recipient, "contact": contact.name}],
		)
		self.assertEqual(self.reason_now(), "Unsubscribed")

	def test_a_contact_who_was_made_since_is_somebody_else(self):
		contact = self.moved_to("ben@new.example")
		frappe.db.set_value("Contact", contact.name, "creation", add_days(now_datetime(), 1))
		frappe.db.commit()
		ask(self.url(), "POST", ONE_CLICK, Content_Type=FORM)
		self.assertEqual(frappe.get_all(consent.DOCTYPE, pluck="contact"), [None])
		self.assertIsNone(self.reason_now())

	def test_where_two_contacts_share_the_address_it_is_the_one_who_is_written_to(self):
		first = consent.person_of(self.token).contact
		factories.make(
			"Contact",
			first_name="Info",
			email_ids=[{"email_id": self.row.recipient, "is_primary": 1}],
			links=[{"link_doctype": "Customer", "link_name": self.ana}],
		)
		frappe.db.commit()
		ask(self.url(), "POST", ONE_CLICK, Content_Type=FORM)
		self.assertEqual(frappe.get_all(consent.DOCTYPE, pluck="contact"), [first])

	def test_in_the_readers_language_else_in_the_browsers(self):
		frappe.db.set_value("Customer", self.ana, "language", None)
		frappe.db.commit()
		self.assertIn("Your messages", ask(self.url()).text)
		self.assertIn('lang="es"', ask(self.url(), Accept_Language="es-MX,es;q=0.9").text)
		frappe.db.set_value("Customer", self.ana, "language", "es")
		frappe.db.commit()
		text = ask(self.url(), Accept_Language="en").text
		self.assertIn('lang="es"', text)
		self.assertIn("Sus mensajes", text)
		self.assertIn("Renovaciones", text)

	def test_it_says_what_we_know_and_by_what_right(self):
		frappe.db.set_value(
			self.row.doctype if self.row.get("doctype") else "Lifecycle Execution Log",
			self.row.name,
			{"status": "Completed", "basis": "Existing customer", "executed_at": now_datetime()},
		)
		frappe.db.commit()
		text = ask(self.url()).text
		self.assertIn("because you have bought from us", text)
		self.assertNotIn(self.row.recipient, text)

	def test_it_is_kept_by_nobody_and_leads_nowhere(self):
		answer = ask(self.url())
		# Frappe 16 has its own words for it.
		(kept,) = answer.headers.get_all("Cache-Control")
		self.assertIn("no-store", kept)
		self.assertNotIn("public", kept)
		self.assertEqual(answer.headers["Referrer-Policy"], "no-referrer")
		self.assertNotIn("<script", answer.text)

	def test_somebody_who_is_logged_in_here_can_use_the_form(self):

		self.assertNotIn("csrf_token", ask(self.url()).text)

	def test_of_whom_the_shop_writes_nothing_it_says_so(self):
		factories.make("Email Unsubscribe", email=self.row.recipient, global_unsubscribe=1)
		frappe.db.commit()
		self.assertIn("please write to us", ask(self.url()).text)
		self.post(do="back")
		self.assertEqual(self.reason_now(), "Unsubscribed")
