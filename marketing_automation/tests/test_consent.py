"""Whoever has said that they want no more gets no more, wherever it is written; and what was said is kept as proof."""

from datetime import timedelta
from unittest.mock import patch

import frappe
from frappe.utils import add_days, get_datetime, now_datetime

from marketing_automation import api, install
from marketing_automation.channels.email import sender
from marketing_automation.checks.consent import CHECK
from marketing_automation.desk import health
from marketing_automation.engine import (
	advance,
	consent,
	deliver,
	gate,
	leaving,
	links,
	recipients,
	rules,
	suppression,
)
from marketing_automation.engine.consent import Known, Said
from marketing_automation.engine.model import Recipient
from marketing_automation.recipes import all_recipes
from marketing_automation.tests import factories
from marketing_automation.tests.case import (
	MarketingTestCase,
	mail_parts,
	mail_subject,
	replaced_hooks,
	statements,
)
from marketing_automation.tests.factories import in_days

ONLY = {"Consent": ["marketing_automation.checks.consent.CHECK"]}
ADDRESS = "ana@customers.example"
SETTINGS = "Marketing Automation Settings"


class ConsentTestCase(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.enterContext(patch.object(frappe, "get_hooks", replaced_hooks(lifecycle_checks=ONLY)))
		self.remove_topics()
		self.addCleanup(self.remove_topics)

	@staticmethod
	def remove_topics():
		frappe.db.rollback()
		for name in frappe.get_all(consent.TOPIC, {"name": ["like", "Test %"]}, pluck="name"):
			frappe.db.delete(consent.TOPIC_GROUP, {"parent": name})
			frappe.db.delete(consent.TOPIC, {"name": name})
		frappe.db.delete("Email Group Member")
		frappe.db.delete("Email Group", {"name": ["like", "Test %"]})
		frappe.db.commit()

	def person(self, address: str = ADDRESS, contact: str | None = None, **fields) -> consent.Person:
		return consent.Person(address, contact, **fields)

	def says(self, kind: str, topic: str | None = None, address: str = ADDRESS, **fields) -> str:
		return consent.record(kind, self.person(address), topic, "page", "Some words", **fields)

	def reason(self, address: str = ADDRESS, contact: str | None = None, **campaign) -> str | None:
		recipient = Recipient("C", "C", address, contact=contact)
		no = consent.Known([recipient]).refusal(recipient, {"name": "X", "originals": (), **campaign})
		return no.reason if no else None

	def topic(self, **fields):
		return factories.make(consent.TOPIC, topic_name=factories.unique("Test"), **fields)

	def group(self, address: str = ADDRESS, unsubscribed: int = 0) -> str:
		group = factories.make("Email Group", title=factories.unique("Test")).name
		factories.make("Email Group Member", email_group=group, email=address, unsubscribed=unsubscribed)
		return group


class TestWhatHolds(ConsentTestCase):
	"""Pure: what was said in, whether it may go out."""

	NOW = now_datetime()

	def said(self, kind: str, hours: int = 0, **fields) -> Said:
		return Said(kind, self.NOW - timedelta(hours=hours), "Lifecycle Consent", f"{hours:03}", **fields)

	def refused(self, *said: Said, topic="Offers", **campaign):
		no = consent.refusal(said, topic, {"name": "X", **campaign}, self.NOW)
		return no and no.reason

	def test_what_was_said_last_holds(self):
		no, yes = self.said("Withdrawn", 2, topic="Offers"), self.said("Given", 1, topic="Offers")
		self.assertEqual(self.refused(no), "Unsubscribed")
		self.assertIsNone(self.refused(no, yes))
		self.assertEqual(self.refused(yes, self.said("Withdrawn", 0, topic="Offers")), "Unsubscribed")

	def test_of_a_yes_and_a_no_at_the_same_moment_the_no_holds(self):
		self.assertEqual(self.refused(self.said("Given", 1), self.said("Withdrawn", 1)), "Unsubscribed")

	def test_in_the_hour_that_comes_twice_the_no_holds(self):
		"""At three the clocks of Madrid go back to two: a no at the second 2:10 comes after a yes at the first 2:50."""
		self.live_in("Europe/Madrid")

		def at(clock: str, kind: str) -> Said:
			return self.said(kind, topic="Offers")._replace(at=get_datetime(f"2026-10-25 {clock}"))

		no = at("02:10:00", "Withdrawn")
		self.assertEqual(self.refused(at("02:50:00", "Given"), no), "Unsubscribed")
		self.assertEqual(self.refused(at("01:50:00", "Given"), no), "Unsubscribed")
		self.assertIsNone(self.refused(at("03:00:00", "Given"), no))
		self.assertIsNone(self.refused(at("02:50:00", "Given"), at("01:59:00", "Withdrawn")))

	def test_all_marketing_is_every_topic_and_no_service(self):
		everything = self.said("Withdrawn", 1)
		for topic in ("Offers", "News", None):
			self.assertEqual(self.refused(everything, topic=topic), "Unsubscribed")
			self.assertIsNone(self.refused(everything, topic=topic, purpose="Service"))
		self.assertIsNone(self.refused(everything, self.said("Given", 0, topic="Offers")))
		self.assertEqual(self.refused(everything, self.said("Given", 0, topic="News")), "Unsubscribed")

	def test_a_topic_is_left_by_service_as_well(self):
		no = self.said("Withdrawn", 1, topic="Offers")
		self.assertEqual(self.refused(no, purpose="Service"), "Unsubscribed")
		self.assertIsNone(self.refused(no, topic="News"))

	def test_names_are_compared_as_the_database_does(self):
		self.assertEqual(self.refused(self.said("Withdrawn", topic="offers ")), "Unsubscribed")

	def test_who_has_left_a_campaign_has_left_its_copies_and_comes_back_by_saying_so(self):
		no = self.said("Withdrawn", 1, campaign="Original")
		self.assertIsNone(self.refused(no))
		self.assertEqual(self.refused(no, name="original"), "Unsubscribed")
		self.assertEqual(self.refused(no, name="Copy", originals=("Original",)), "Unsubscribed")
		self.assertIsNone(self.refused(no, self.said("Given", 0, topic="Offers"), name="Original"))

	def test_no_mail_at_all_is_lifted_by_nobody_but_the_shop(self):
		no = self.said("Withdrawn", 1, everything=True)
		self.assertEqual(self.refused(no, self.said("Given", 0)), "Unsubscribed")
		self.assertEqual(self.refused(no, purpose="Service"), "Unsubscribed")

	def test_a_pause_ends_and_can_be_ended(self):
		later = self.NOW + timedelta(days=3)
		pause = self.said("Paused", 2, until=later)
		found = consent.refusal([pause], "Offers", {"name": "X"}, self.NOW)
		self.assertEqual(found, consent.Refusal("Paused by recipient", pause.evidence, later))
		self.assertIsNone(consent.refusal([pause], "Offers", {"name": "X"}, later))
		self.assertIsNone(self.refused(pause, purpose="Service"))
		self.assertIsNone(self.refused(pause, self.said("Paused", 1, until=self.NOW)))

	def test_a_question_is_no_answer(self):
		self.assertIsNone(self.refused(self.said("Asked", 1, topic="Offers")))


class TestWhereItIsWritten(ConsentTestCase):
	def test_by_address_however_it_is_written(self):
		self.says("Withdrawn", "Offers")
		for written in (ADDRESS, "ANA@Customers.Example", f" {ADDRESS} "):
			self.assertEqual(self.reason(written, topic="Offers"), "Unsubscribed")
		self.assertIsNone(self.reason("ana2@customers.example", topic="Offers"))

	def test_by_the_contact_whatever_their_address_is_by_now(self):
		consent.record("Withdrawn", self.person(contact="Ana"), "Offers", "page", "x")
		self.assertEqual(self.reason("new@customers.example", "Ana", topic="Offers"), "Unsubscribed")
		self.assertIsNone(self.reason("new@customers.example", "Ben", topic="Offers"))

	def test_a_renamed_contact_is_the_same_one(self):
		contact = factories.contact(factories.customer(email=None), ADDRESS)
		consent.record("Withdrawn", self.person(contact=contact), None, "page", "x")
		new = frappe.rename_doc("Contact", contact, factories.unique("Test Contact"), force=True)
		self.assertEqual(self.reason("new@customers.example", new), "Unsubscribed")

	def test_a_campaign_without_a_topic_belongs_to_that_of_new_campaigns(self):
		self.says("Withdrawn", "Renewals")
		self.assertEqual(self.reason(topic=None), "Unsubscribed")

	def test_email_groups_whose_opt_outs_a_topic_honours(self):
		topic = self.topic(email_groups=[{"email_group": self.group(unsubscribed=1)}])
		self.assertEqual(self.reason(topic=topic.name), "Unsubscribed")
		self.assertIsNone(self.reason(topic="Offers"))
		self.says("Given", topic.name)
		self.assertIsNone(self.reason(topic=topic.name))

	def test_rows_of_version_0_1_for_a_campaign_and_frappes_global_ones(self):
		campaign = factories.campaign()
		factories.make(
			"Email Unsubscribe",
			email=ADDRESS,
			reference_doctype=campaign.doctype,
			reference_name=campaign.name,
		)
		self.assertEqual(self.reason(name=campaign.name), "Unsubscribed")
		self.assertIsNone(self.reason(name="Another"))
		self.says("Given")
		self.assertIsNone(self.reason(name=campaign.name))
		factories.make("Email Unsubscribe", email=ADDRESS, global_unsubscribe=1)
		self.assertEqual(self.reason(name="Another"), "Unsubscribed")

	def test_what_others_have_unsubscribed_from_is_nothing_to_us(self):
		factories.make(
			"Email Unsubscribe", email=ADDRESS, reference_doctype="User", reference_name="Administrator"
		)
		self.assertIsNone(self.reason())

	def test_the_number_of_queries_does_not_grow(self):
		self.topic(email_groups=[{"email_group": self.group()}])
		counts = []
		for number in (1, 300):
			people = [Recipient(address=f"a{n}@x.example", contact=f"C{n}") for n in range(number)]
			with statements() as seen:
				known = consent.Known(people)
				for one in people:
					known.refusal(one, {"name": "X"})
			counts.append(len(seen))
		self.assertEqual(counts[0], counts[1])
		self.assertLessEqual(counts[0], 6)


class TestTheCheck(ConsentTestCase):
	def campaign(self, **fields):
		self.ana = factories.customer(email=ADDRESS)
		self.pin = factories.pin(self.ana, in_days(30))
		return factories.campaign(**{"purpose": "Marketing", "topic": "Offers", **fields})

	def row(self):
		(row,) = self.ledger()
		return row

	def test_it_skips_with_the_reason_and_the_evidence(self):
		self.campaign()
		name = self.says("Withdrawn", "Offers")
		self.run_night()
		row = self.row()
		self.assertEqual(
			(row.status, row.reason, row.evidence_doctype, row.evidence_name),
			("Skipped", "Unsubscribed", consent.DOCTYPE, name),
		)

	def test_a_pause_lets_it_wait_until_then(self):
		self.campaign()
		until = add_days(now_datetime(), 10)
		self.says("Paused", until=until)
		self.run_night()
		row = self.row()
		self.assertEqual((row.status, row.reason), ("Waiting", "Paused by recipient"))
		self.assertLess(abs(row.due_at - until), timedelta(seconds=2))

	def test_whoever_comes_back_from_a_pause_is_asked_about_at_once_and_nobody_else_is(self):
		self.campaign()
		ben = factories.customer(email="ben@customers.example")
		factories.pin(ben, in_days(30))
		until = add_days(now_datetime(), 10)
		self.says("Paused", until=until)
		consent.record("Paused", self.person("ben@customers.example"), None, "page", "x", until=until)
		self.run_night()
		self.assertEqual({row.reason for row in self.ledger()}, {"Paused by recipient"})
		self.assertEqual(self.asked_again.call_count, 0)
		self.says("Paused", until=now_datetime())
		(person,), _options = self.asked_again.call_args
		self.assertEqual(person.address, ADDRESS)
		frappe.db.commit()

		with patch.object(frappe, "enqueue") as enqueued:
			type(self).real_ask_again(person)
		options = enqueued.call_args.kwargs
		self.assertTrue(options.pop("enqueue_after_commit"))
		self.assertEqual(options.pop("queue"), "short")
		frappe.get_attr(enqueued.call_args.args[0])(**options)

		by_customer = {row.customer: row for row in self.ledger()}
		self.assertLessEqual(by_customer[self.ana].due_at, now_datetime())
		self.assertLess(abs(by_customer[ben].due_at - until), timedelta(seconds=2))
		with (
			patch.object(gate, "checks", lambda: {"Consent": CHECK}),
			patch.object(deliver, "enqueue") as out,
		):
			advance.advance()
		for call in out.call_args_list:
			deliver.deliver([row.name for row in call.args[0]])
		self.assertEqual(
			{row.customer: row.status for row in self.ledger()}, {self.ana: "Queued", ben: "Waiting"}
		)

	def test_whoever_gives_consent_or_wants_more_again_is_asked_about_and_a_question_of_ours_changes_nothing(
		self,
	):
		for kind, count in (("Asked", 0), ("Withdrawn", 0), ("Given", 1), ("Less often", 2)):
			self.says(kind, "Offers")
			self.assertEqual(self.asked_again.call_count, count, kind)

	real_ask_again = staticmethod(consent.ask_again_soon)

	def test_the_recipient_knows_the_contact_whose_address_it_is(self):
		customer = factories.customer(email=None)
		contact = factories.contact(customer, "of@contact.example")
		own = factories.customer(email=None)
		frappe.db.set_value("Customer", own, "email_id", "own@customer.example")
		found = recipients.channel_for("Send Email").addresses({customer, own})
		self.assertEqual((found[customer].contact, found[own].contact), (contact, None))

	def test_a_contact_who_is_marked_by_the_shop_is_left_alone_with_its_own_reason(self):
		self.campaign()
		contact = frappe.db.get_value("Contact Email", {"email_id": ADDRESS}, "parent")
		frappe.db.set_value("Contact", contact, "unsubscribed", 1)
		self.run_night()
		row = self.row()
		self.assertEqual((row.status, row.reason, row.evidence_name), ("Skipped", "Unsubscribed", None))


class TestUnsubscribedWhileItWaitsToLeave(ConsentTestCase):
	def setUp(self):
		super().setUp()
		self.people = [factories.customer(email=f"{name}@customers.example") for name in ("ana", "ben")]
		factories.pins(self.people[0], in_days(30), in_days(30))
		factories.pin(self.people[1], in_days(30))
		factories.campaign(purpose="Marketing", topic="Offers")
		self.run_night()
		self.assertEqual({row.status for row in self.ledger()}, {"Queued"})

	def take_back(self, *arguments):
		with patch.object(deliver, "enqueue") as enqueued:
			leaving.take_back(*arguments)
		for call in enqueued.call_args_list:
			deliver.deliver([row.name for row in call.args[0]])

	def test_it_is_taken_back_at_once_and_nothing_else_is(self):
		self.says("Withdrawn", "Offers")
		frappe.db.commit()
		self.take_back(ADDRESS, None)
		found = {(row.recipient, row.status, row.reason) for row in self.ledger()}
		self.assertEqual(
			found, {(ADDRESS, "Skipped", "Unsubscribed"), ("ben@customers.example", "Queued", None)}
		)
		self.assertEqual([mail.recipient for mail in self.mails()], ["ben@customers.example"])

	def test_at_an_older_address_of_the_contact_as_well(self):
		contact = frappe.db.get_value("Contact Email", {"email_id": ADDRESS}, "parent")
		consent.record("Withdrawn", self.person("new@customers.example", contact), None, "page", "x")
		frappe.db.commit()
		self.take_back("new@customers.example", contact)
		self.assertEqual({row.status for row in self.ledger(recipient=ADDRESS)}, {"Skipped"})

	def test_where_the_job_is_lost_the_sender_knows_the_contact_at_another_address(self):
		names = {mail.recipient: str(mail.name) for mail in self.mails()}
		contact = frappe.db.get_value("Contact Email", {"email_id": ADDRESS}, "parent")
		consent.record("Withdrawn", self.person("new@customers.example", contact), None, "page", "x")
		frappe.db.commit()
		found = sender._ours(list(names.values()))
		self.assertIsNone(found[names[ADDRESS]])
		self.assertTrue(found[names["ben@customers.example"]])

	def test_what_they_still_want_stays(self):
		self.says("Withdrawn", "News")
		frappe.db.commit()
		self.take_back(ADDRESS, None)
		self.assertEqual({row.status for row in self.ledger()}, {"Queued"})

	def test_whoever_says_no_or_wants_a_pause_has_a_job_of_their_own(self):
		soon = add_days(now_datetime(), 1)
		for kind, count in (("Given", 0), ("Less often", 0), ("Withdrawn", 1), ("Paused", 2)):
			self.says(kind, until=soon)
			self.assertEqual(self.taken_back.call_count, count, kind)
		# The end of a pause is a pause until now.
		self.says("Paused", until=now_datetime())
		self.assertEqual(self.taken_back.call_count, 2)

	def test_the_job_begins_when_what_they_said_is_committed(self):
		self.taken_back.side_effect = None
		with patch.object(frappe, "enqueue") as enqueued:
			type(self).real_take_back(self.person())
		self.assertTrue(enqueued.call_args.kwargs["enqueue_after_commit"])
		self.assertIs(frappe.get_attr(enqueued.call_args.args[0]), leaving.take_back)

	real_take_back = staticmethod(consent.take_back_soon)


class TestPriorConsent(ConsentTestCase):
	def agreed(self, topic: str | None, address: str = ADDRESS, contact: str | None = None):
		return consent.opted_in([Recipient(address=address, contact=contact)], [topic]).get(0)

	def test_nobody_has_agreed_who_has_not_said_so(self):
		self.assertIsNone(self.agreed("Offers"))

	def test_what_they_gave_until_they_take_it_back(self):
		name = self.says("Given", "Offers")
		self.assertEqual(self.agreed("Offers"), (consent.DOCTYPE, name))
		self.assertIsNone(self.agreed("News"))
		self.says("Withdrawn")
		self.assertIsNone(self.agreed("Offers"))

	def test_who_comes_back_lifts_the_no_and_agrees_to_nothing_new(self):
		name = self.says("Given", "Offers")
		self.says("Withdrawn")
		self.says("Given")
		self.assertIsNone(self.reason(topic="News"))
		self.assertIsNone(self.agreed("News"))
		self.assertEqual(self.agreed("Offers"), (consent.DOCTYPE, name))

	def test_a_pause_is_no_withdrawal(self):
		name = self.says("Given", "Offers")
		self.says("Paused", until=add_days(now_datetime(), 3))
		self.assertEqual(self.agreed("Offers"), (consent.DOCTYPE, name))

	def test_a_tick_of_the_contact(self):
		contact = factories.contact(factories.customer(email=None), ADDRESS)
		# Frappe's own ticks are about something else, so none of them can be chosen.
		with self.refused("Contact has no tick box or date called is_primary_contact"):
			self.topic(consent_field="is_primary_contact", consent_text="On paper")
		topic = self.topic()
		frappe.db.set_value(consent.TOPIC, topic.name, "consent_field", "is_primary_contact")
		self.assertIsNone(self.agreed(topic.name, contact=contact))
		frappe.db.set_value("Contact", contact, "is_primary_contact", 1)
		self.assertEqual(self.agreed(topic.name, contact=contact), ("Contact", contact))
		self.assertIsNone(self.agreed(topic.name))

	def test_a_field_that_is_gone_proves_nothing(self):
		topic = self.topic()
		frappe.db.set_value(consent.TOPIC, topic.name, "consent_field", "gone_since")
		self.assertIsNone(self.agreed(topic.name, contact="Ana"))

	def test_a_member_of_a_group_whose_members_have_agreed(self):
		agreed, other = self.group(), self.group()
		topic = self.topic(
			email_groups=[{"email_group": agreed, "members_agreed": 1}, {"email_group": other}],
			consent_text="In the shop",
		)
		member = frappe.db.get_value("Email Group Member", {"email_group": agreed}, "name")
		self.assertEqual(self.agreed(topic.name), ("Email Group Member", str(member)))
		frappe.db.set_value("Email Group Member", member, "unsubscribed", 1)
		self.assertIsNone(self.agreed(topic.name))

	def test_a_proof_without_its_words_is_refused(self):
		with self.refused("Write down what people agreed to"):
			self.topic(email_groups=[{"email_group": self.group(), "members_agreed": 1}])

	def test_for_many_at_once_each_with_their_own_topic(self):
		self.says("Given", "Offers", "a1@x.example")
		self.says("Given", "News", "a2@x.example")
		people = [Recipient(address=f"a{number}@x.example") for number in range(4)]
		with statements() as seen:
			found = consent.opted_in(people, ["Offers"] * 4)
		self.assertEqual(list(found), [1])
		self.assertLessEqual(len(seen), 9)


class TestAskedFor(ConsentTestCase):
	def setUp(self):
		super().setUp()
		self.contact = factories.contact(factories.customer(email=None, language="es"), ADDRESS)
		self.at_address("https://shop.example")

	def at_address(self, address: str | None):
		frappe.db.set_single_value(SETTINGS, "public_address", address, update_modified=False)
		frappe.db.commit()

	def test_nobody_is_asked_by_a_button_that_leads_nowhere(self):
		self.at_address(None)
		with patch.dict(frappe.local.conf, host_name=""), self.refused("would lead nowhere"):
			self.asks()
		self.assertEqual((self.mails(), frappe.db.count(consent.DOCTYPE)), ([], 0))

	def asks(self, topic="Offers"):
		answer = api.ask_for_consent(self.contact, topic)
		frappe.db.commit()
		return answer

	def test_double_opt_in_is_a_mail_whose_page_asks_and_whose_button_says_yes(self):
		from marketing_automation.tests.http_site import ask, served

		frappe.db.set_value(consent.TOPIC, "Offers", "consent_text", "Ofertas, como mucho una al mes.")
		self.addCleanup(frappe.db.commit)
		self.addCleanup(frappe.db.set_value, consent.TOPIC, "Offers", "consent_text", None)
		self.assertEqual(self.asks(), ADDRESS)
		(mail,) = self.mails()
		self.assertIn("¿Desea recibir noticias de", mail_subject(mail))
		html = mail_parts(mail)[1]
		self.assertIn("como mucho una al mes", html)
		token = html.partition(f"{links.PAGE}?t=")[2].partition('"')[0]
		recipient = Recipient(address=ADDRESS, contact=self.contact)
		with served() as site:
			page = f"{site}/{links.PAGE}?t={token}"
			for method in ("GET", "HEAD"):
				answer = ask(page, method)
			frappe.db.rollback()
			self.assertEqual(consent.opted_in([recipient], ["Offers"]), {})
			self.assertIn("Sí, deseo recibir estos mensajes", ask(page).text)
			for _turn in range(2):
				answer = ask(page, "POST", b"do=confirm", Content_Type="application/x-www-form-urlencoded")
		self.assertIn("Gracias", answer.text)
		frappe.db.rollback()
		((doctype, name),) = consent.opted_in([recipient], ["Offers"]).values()
		proof = frappe.get_doc(doctype, name)
		self.assertEqual(
			(proof.kind, proof.topic, proof.source, proof.text, proof.address, proof.contact),
			("Given", "Offers", "Double opt-in", "Ofertas, como mucho una al mes.", ADDRESS, self.contact),
		)
		self.assertEqual(frappe.db.get_value(consent.DOCTYPE, proof.asked_by, "kind"), "Asked")
		self.assertEqual(frappe.db.count(consent.DOCTYPE), 2)

	def test_a_yes_after_they_have_left_all_marketing_counts(self):
		from marketing_automation.tests.http_site import ask, served

		self.asks()
		html = mail_parts(self.mails()[0])[1]
		token = html.partition(f"{links.PAGE}?t=")[2].partition('"')[0]
		recipient = Recipient(address=ADDRESS, contact=self.contact)
		with served() as site:
			page = f"{site}/{links.PAGE}?t={token}"
			for form, agrees in ((b"do=confirm", True), (b"do=all", False), (b"do=confirm", True)):
				# The button is there as long as there is something to say yes to.
				self.assertEqual('value="confirm"' in ask(page).text, form == b"do=confirm")
				ask(page, "POST", form, Content_Type="application/x-www-form-urlencoded")
				frappe.db.rollback()
				no = Known([recipient]).refusal(recipient, {"topic": "Offers"}, now_datetime())
				self.assertEqual((bool(consent.opted_in([recipient], ["Offers"])), not no), (agrees, agrees))

	def test_who_is_on_the_suppression_list_is_not_asked(self):
		suppression.add([suppression.Added(ADDRESS, None, suppression.COMPLAINED)], "By hand")
		with self.refused("suppression list"):
			self.asks()
		self.assertEqual(self.mails(), [])

	def test_nobody_is_asked_twice_or_when_they_have_said_no(self):
		self.asks()
		with self.refused("less than 30 days ago"):
			self.asks()
		self.asks("News")
		self.says("Withdrawn")
		with self.refused("has unsubscribed"):
			self.asks("Renewals")

	def test_what_was_said_on_paper_is_written_down_with_its_words(self):
		api.write_down_consent(self.contact, 1, "At the till, 3 May, form 17", "News")
		api.write_down_consent(self.contact, 0, "By telephone, 4 May")
		rows = frappe.get_all(
			consent.DOCTYPE, fields=["kind", "topic", "source", "text", "contact"], order_by="occurred_at asc"
		)
		self.assertEqual(
			[tuple(row.values()) for row in rows],
			[
				("Given", "News", "By hand", "At the till, 3 May, form 17", self.contact),
				("Withdrawn", None, "By hand", "By telephone, 4 May", self.contact),
			],
		)
		with self.refused("Without that it proves nothing"):
			api.write_down_consent(self.contact, 0, " ")
		with self.refused("Choose what they have agreed to"):
			api.write_down_consent(self.contact, 1, "x")

	def test_only_a_manager_says_that_somebody_agrees(self):
		frappe.set_user(factories.user("Marketing User", "Sales User"))
		api.write_down_consent(self.contact, 0, "By telephone")
		with self.assertRaises(frappe.PermissionError):
			api.write_down_consent(self.contact, 1, "By telephone", "News")


class TestItIsKept(ConsentTestCase):
	def test_nobody_changes_or_deletes_it_by_whatever_way(self):
		name = self.says("Withdrawn", "Offers")
		frappe.db.commit()
		for user in ("Administrator", factories.user("System Manager", "Marketing Manager")):
			frappe.set_user(user)
			for attempt in (
				lambda: frappe.get_doc(consent.DOCTYPE, name).update({"kind": "Given"}).save(),
				lambda: frappe.client.set_value(consent.DOCTYPE, name, "topic", "News"),
				lambda: frappe.delete_doc(consent.DOCTYPE, name),
				lambda: frappe.client.delete(consent.DOCTYPE, name),
				lambda: frappe.rename_doc(consent.DOCTYPE, name, "x"),
				lambda: frappe.client.insert(
					{"doctype": consent.DOCTYPE, "kind": "Given", "address": ADDRESS, "topic": "Offers"}
				),
			):
				with self.assertRaises((frappe.PermissionError, frappe.ValidationError)):
					attempt()
				frappe.db.rollback()
		frappe.set_user("Administrator")
		self.assertEqual(frappe.get_all(consent.DOCTYPE, pluck="kind"), ["Withdrawn"])

	def test_an_address_that_is_erased_stays_unsubscribed(self):
		name = self.says("Withdrawn", "Offers")
		self.assertEqual(api.forget(ADDRESS.upper()), 1)
		self.assertEqual(frappe.db.get_value(consent.DOCTYPE, name, ["address", "text"]), (None, None))
		self.assertEqual(self.reason(topic="Offers"), "Unsubscribed")
		self.assertNotIn("ana", frappe.db.get_value(consent.DOCTYPE, name, "address_key"))

	def test_frappe_knows_where_the_address_is(self):
		(found,) = [one for one in frappe.get_hooks("user_data_fields") if one["doctype"] == consent.DOCTYPE]
		meta = frappe.get_meta(consent.DOCTYPE)
		for field in (found["filter_by"], *found["redact_fields"]):
			self.assertTrue(meta.has_field(field))

	def test_what_it_is_about_may_go(self):
		contact = factories.contact(factories.customer(email=None), ADDRESS)
		consent.record("Withdrawn", self.person(contact=contact), "Offers", "page", "x")
		frappe.delete_doc("Contact", contact)
		self.assertEqual(self.reason(topic="Offers"), "Unsubscribed")


class TestTopics(ConsentTestCase):
	def test_those_to_begin_with_one_of_them_for_new_campaigns(self):
		known = consent.topics()
		self.assertLessEqual({"Renewals", "Offers", "News", "Service notices"}, set(known))
		self.assertEqual(consent.default_topic(known), "Renewals")
		self.assertEqual(factories.campaign().topic, "Renewals")

	def test_each_recipe_has_one_of_them(self):
		begin_with = {name for name, _description, _is_service in install.TOPICS}
		for recipe in all_recipes().values():
			self.assertIn(recipe["topic"], begin_with, recipe["name"])
		name = api.make_from_recipe("quotation_follow_up", factories.unique("Test"), "3", "en", days_after="")
		self.assertEqual(frappe.db.get_value("Lifecycle Campaign", name, "topic"), "Offers")

	def test_another_one_for_new_campaigns_takes_the_place_of_the_first(self):
		self.addCleanup(frappe.db.commit)
		self.addCleanup(frappe.db.set_value, consent.TOPIC, "Renewals", "is_default", 1)
		topic = self.topic(is_default=1)
		self.assertEqual(consent.default_topic(consent.topics()), topic.name)
		topic.is_default = 0
		with self.refused("New campaigns need a topic"):
			topic.save()

	def test_one_that_is_used_cannot_be_deleted(self):
		topic = self.topic()
		self.says("Withdrawn", topic.name)
		with self.refused("cannot be deleted", error=frappe.LinkExistsError):
			topic.delete()
		other = self.topic()
		factories.campaign(topic=other.name)
		with self.refused("cannot be deleted", error=frappe.LinkExistsError):
			other.delete()
		self.topic().delete()

	def test_one_that_is_disabled_is_not_offered_and_still_holds(self):
		topic = self.topic()
		self.says("Withdrawn", topic.name)
		topic.disabled = 1
		topic.save()
		self.assertNotIn(topic.name, [one["value"] for one in api.topics()])
		self.assertEqual(self.reason(topic=topic.name), "Unsubscribed")
		with self.refused("is disabled"):
			factories.campaign(topic=topic.name)

	def test_a_topic_and_what_was_said_of_it_are_renamed_together(self):
		topic = self.topic()
		self.says("Withdrawn", topic.name)
		new = frappe.rename_doc(consent.TOPIC, topic.name, factories.unique("Test"))
		self.assertEqual(self.reason(topic=new), "Unsubscribed")

	def test_a_marketer_reads_topics_and_a_manager_writes_them(self):
		for user, rights in (
			("Marketing User", {"read"}),
			("Marketing Manager", {"read", "write", "create", "delete"}),
		):
			user = factories.user(user)
			found = {
				right
				for right in ("read", "write", "create", "delete")
				if frappe.has_permission(consent.TOPIC, right, user=user)
			}
			self.assertEqual(found, rights)
			self.assertFalse(frappe.has_permission(consent.DOCTYPE, "write", user=user))


class TestWhereCustomersReachUs(ConsentTestCase):
	def said(self, **settings):
		for field, value in settings.items():
			frappe.db.set_single_value(SETTINGS, field, value, update_modified=False)

	def test_the_settings_else_the_configuration_never_a_guess(self):
		with patch.dict(frappe.local.conf, host_name=""):
			self.assertIsNone(links.base_address())
			with patch.dict(frappe.local.conf, host_name="https://conf.example/"):
				self.assertEqual(links.base_address(), "https://conf.example")
				self.said(public_address="https://shop.example")
				self.assertEqual(links.base_address(), "https://shop.example")

	def test_what_is_no_address_of_a_site_is_none(self):
		for text in ("", "shop", "ftp://shop.example", "https://", "https://a b.example", "https://x.example/?a=b",
			"https://x.example:port", "https://u@x.example", "https://[x"):  # fmt: skip
			found = links.normal(text)
			self.assertTrue(found is None or found == "http://shop", (text, found))
		settings = frappe.get_single(SETTINGS)
		settings.public_address = "shop.example"
		with self.refused("is no address of a site"):
			settings.save()
		# What was refused once is not saved any more in some versions.
		settings = frappe.get_single(SETTINGS)
		settings.public_address = "https://shop.example/"
		settings.save()
		self.assertEqual(settings.public_address, "https://shop.example")

	def test_the_bar_says_so_where_marketing_cannot_be_left_by_one_click(self):
		campaign = factories.campaign(purpose="Marketing")

		def texts():
			return " ".join(one["text"] for one in health.problems([campaign]))

		with patch.dict(frappe.local.conf, host_name=""):
			self.assertIn("Nobody has said at which address", texts())
			self.assertIn(f"leads to http://{frappe.local.site}", texts())
			self.assertIn("red", [one["level"] for one in health.problems([campaign])])
			self.said(public_address="http://shop.example")
			self.assertIn("does not begin with https://", texts())
			self.said(public_address="https://shop.example")
			self.assertNotIn("https://", texts())
			self.said(public_address=None)
			campaign.update({"purpose": "Service"}).save()
			self.assertNotIn("Nobody has said", texts())

	def test_a_mail_of_service_has_the_button_without_the_one_click(self):
		self.said(public_address="https://shop.example")
		for purpose, one_click in (("Marketing", True), ("Service", False)):
			with self.subTest(purpose):
				frappe.db.delete("Email Queue")
				campaign = factories.campaign(purpose=purpose)
				factories.pin(factories.customer(), in_days(30))
				self.run_night(campaign.name)
				head = self.mails()[0].message.partition("\r\n\r\n")[0]
				self.assertIn("List-Unsubscribe: <https://shop.example/message-preferences?t=", head)
				self.assertEqual("List-Unsubscribe-Post" in head, one_click)
				self.assertNotIn("mailto:", head)

	def test_by_mail_it_is_the_subject_that_says_whose_it_is(self):
		row = "0" * 23
		token = links.token(links.MESSAGE, row)
		uri = links.mail_link(token, "out+list@shop.example")
		self.assertEqual(uri, f"mailto:out+list@shop.example?subject=unsubscribe-{token}")
		for subject in (f"unsubscribe-{token}", f"Re: unsubscribe-{token}", f" unsubscribe-{token}  "):
			self.assertEqual(links.token_of_subject(subject), token)
		for subject in ("", None, "unsubscribe", "unsubscribe-short"):
			self.assertIsNone(links.token_of_subject(subject))

	def test_an_unsubscribe_by_mail_counts(self):
		ana = factories.customer(email=ADDRESS)
		factories.pin(ana, in_days(30))
		factories.campaign(purpose="Marketing", topic="Offers")
		self.run_night()
		token = links.token(links.MESSAGE, self.ledger()[0].name)
		for _turn in range(2):
			self.assertTrue(consent.withdraw_by_token(token, "mail", "Unsubscribed by mail"))
		self.assertFalse(consent.withdraw_by_token("A" * 32, "mail", "x"))
		rows = frappe.get_all(consent.DOCTYPE, fields=["kind", "topic", "source"])
		self.assertEqual([tuple(row.values()) for row in rows], [("Withdrawn", "Offers", "Mail")])

	def test_rules_know_the_topic(self):
		campaign = factories.campaign(topic="News")
		self.assertEqual(rules.load([campaign.name])[0].campaign.topic, "News")
		self.assertEqual(rules.campaigns([campaign.name])[campaign.name].topic, "News")
