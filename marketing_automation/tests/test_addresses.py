"""An address is cleaned of what cannot be part of it, or the log says what is wrong; a sender is one mailbox whatever its
account is called."""

import re
from email import message_from_string, policy
from email.header import decode_header, make_header
from email.mime.text import MIMEText
from email.utils import parseaddr
from unittest.mock import patch

import frappe
from frappe.email.doctype.email_queue.email_queue import SendMailContext

from marketing_automation import api
from marketing_automation.channels.email import address, reach
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days

CLEANED = {
	"Ana <ana@x.example>": "ana@x.example",
	'"López, Ana" <ana@x.example>': "ana@x.example",
	"López, Ana <ana@x.example>": "ana@x.example",
	"<ana@x.example>": "ana@x.example",
	"ana@x.example <ana@x.example>": "ana@x.example",
	"ana@x.example (Ana)": "ana@x.example",
	"mailto:ana@x.example": "ana@x.example",
	"MAILTO:ana@x.example?subject=Hi": "ana@x.example",
	"mailto:ana%2Bshop@x.example": "ana+shop@x.example",
	"ana@x.example\u200b": "ana@x.example",
	"\ufeffana@x.example": "ana@x.example",
	"a\u200dna@x.exam\u00adple": "ana@x.example",
	"\u202aana@x.example\u202c": "ana@x.example",
	"ana@x.example\xa0": "ana@x.example",
	"\u3000ana@x.example": "ana@x.example",
	"ana@x.example\n": "ana@x.example",
	"ana@x.example.": "ana@x.example",
	"ana@x.example;": "ana@x.example",
	"'ana@x.example'": "ana@x.example",
	'"ana"@x.example': "ana@x.example",
	"ana＠x.example": "ana@x.example",
	"Ana.Lopez@X.Example": "Ana.Lopez@X.Example",
	"ana@bücher.example": "ana@xn--bcher-kva.example",
	"ana@x.example, ana@x.example": "ana@x.example",
	"o'neill@x.example": "o'neill@x.example",
}
WRONG = {
	"ana@x.example, eva@x.example": "Two addresses",
	"ana@x.example;eva@x.example": "Two addresses",
	"ana@x.example eva@x.example": "Two addresses",
	"eva@x.example <ana@x.example>": "Two addresses",
	"Ana <ana@x.example>, Eva <eva@x.example>": "Two addresses",
	"ana@x.example\nBcc: eva@x.example": "Two addresses",
	"ana": "no @",
	"ana@": "missing",
	"@x.example": "missing",
	"ana smith@x.example": "space",
	'"ana smith"@x.example': "space",
	"josé@x.example": "letters before the @",
	"ana@localhost": "no domain",
	"ana@@x.example": "two @",
	"undisclosed-recipients@x.example": "no address",
}


class TestAddresses(MarketingTestCase):
	def with_address(self, text: str) -> str:
		"""Return a customer at whom this text stands, as Contact and Customer let it be saved."""
		customer = factories.customer()
		frappe.db.set_value(
			"Contact Email", {"email_id": factories.address(customer)}, "email_id", text[:140]
		)
		return customer

	def test_what_is_meant_in_one_way_only_is_written_to(self):
		pins = {text: factories.pin(self.with_address(text), in_days(30)) for text in CLEANED}
		factories.campaign()
		self.run_night()
		mails = {str(mail.name): mail.recipient for mail in self.mails()}
		for text, expected in CLEANED.items():
			(row,) = self.ledger(reference_name=pins[text])
			with self.subTest(text):
				self.assertEqual((row.status, row.error), ("Queued", None))
				self.assertEqual(mails[row.handle].lower(), expected.lower())

	def test_what_is_none_says_why(self):
		pins = {text: factories.pin(self.with_address(text), in_days(30)) for text in WRONG}
		campaign = factories.campaign()
		seen = {row["reference_name"]: row["error"] for row in api.preview(campaign.name)["rows"]}
		self.run_night()
		self.assertEqual(self.mails(), [])
		for text, expected in WRONG.items():
			(row,) = self.ledger(reference_name=pins[text])
			with self.subTest(text):
				self.assertEqual((row.status, row.reason), ("Failed", "Invalid e-mail address"))
				self.assertIn(expected, row.error)
				self.assertEqual(seen[pins[text]], row.error)

	def test_the_delivery_says_why_as_well(self):
		customer = factories.customer()
		pin = factories.pin(customer, in_days(30))
		factories.campaign()
		found = reach.reach

		def changed_meanwhile(customers):
			frappe.db.set_value(
				"Contact Email", {"email_id": factories.address(customer)}, "email_id", "ana@"
			)
			return found(customers)

		calls = []

		def as_they_change(customers):
			calls.append(customers)
			return found(customers) if len(calls) == 1 else changed_meanwhile(customers)

		self.enterContext(patch.object(reach, "reach", as_they_change))
		self.run_night()
		(row,) = self.ledger(reference_name=pin)
		self.assertEqual((row.status, row.reason), ("Failed", "Invalid e-mail address"))
		self.assertIn("missing", row.error)

	def test_what_nobody_sees_is_no_address(self):
		customer = self.with_address("\u200b\xa0")
		frappe.db.set_value("Contact", {"email_id": factories.address(customer)}, "email_id", None)
		frappe.db.set_value("Customer", customer, "email_id", None)
		self.assertEqual(reach.reach({customer})[customer].reason, "No e-mail address")

	def test_who_unsubscribed_by_the_clean_address_gets_nothing_at_the_other(self):
		customer = self.with_address("Ana <ANA@x.example>\u200b")
		factories.make("Email Unsubscribe", email="ana@x.example", global_unsubscribe=1)
		pin = factories.pin(customer, in_days(30))
		factories.campaign()
		self.run_night()
		self.assertEqual(self.outcome_of(pin), ("Skipped", "Unsubscribed"))

	def test_one_that_is_too_long_for_the_field_says_so(self):
		self.assertIn("longer", address.problem("a" * 130 + "@x.example.example"))

	def test_cleaning_twice_is_cleaning_once(self):
		for text in (*CLEANED, *WRONG):
			once = address.clean(text)
			self.assertEqual(address.clean(once), once, text)


class TestSenders(MarketingTestCase):
	NAMES = (
		"株式会社日本語名称三十文字東京大阪名古屋横浜札幌福岡京都神戸",
		"Shop, Inc",
		"Ñandú, Inc",
		'The "Best" Shop',
		"Back\\slash",
		"🎉 Party; (all) [of] @us",
		"日" * 130,
		"Long, " + "日" * 130,
		"long, " + "x" * 130,
		'"' * 70,
	)

	def sent(self, mail) -> list:
		"""Return a mail as Email Queue has it, and as it is handed to the server by Frappe."""
		doc = frappe.get_doc("Email Queue", mail.name)
		finished = SendMailContext(doc, object()).build_message(mail.recipient)
		return [
			message_from_string(mail.message, policy=policy.default),
			message_from_string(finished.decode(), policy=policy.default),
		]

	@staticmethod
	def name_shown(message) -> str:
		"""Return the sender's name as mail programs show it: without the space between two encoded words."""
		# Some versions of Python leave it in.
		name, _address = parseaddr(re.sub("[\r\n]", "", dict(message.raw_items())["From"]))
		return str(make_header(decode_header(name)))

	def test_it_is_one_mailbox_whatever_the_account_is_called(self):
		pin = factories.pin(factories.customer(), in_days(30))
		frappe.db.commit()
		for number, name in enumerate(self.NAMES):
			for flags in (
				{},
				{"always_use_account_name_as_sender_name": 1},
				{"always_use_account_email_id_as_sender": 1},
			):
				for sender in ("", f"shop{number}@company.example"):
					with self.subTest(name, sender=sender, **flags):
						self._reset()
						frappe.db.delete("Email Account", {"name": name})
						account = self.email_account(
							f"shop{number}@company.example",
							email_account_name=name,
							default_outgoing=1,
							**flags,
						)
						factories.expire(pin, in_days(30))
						factories.campaign(sender=sender)
						self.run_night()
						(row,) = self.ledger()
						self.assertEqual((row.status, row.error), ("Queued", None))
						(mail,) = self.mails()
						self.assertEqual(parseaddr(mail.sender)[1], account.email_id)
						for message in self.sent(mail):
							for header in ("From", "Reply-To"):
								(box,) = message[header].addresses
								self.assertEqual(box.addr_spec, account.email_id)
							if not sender or "always_use_account_name_as_sender_name" in flags:
								shown = self.name_shown(message)
								# Where the line is broken a name cannot keep its comma.
								plain = " ".join(address.PARTING.sub(" ", name).split())
								kept = name if name.startswith(shown) else plain
								self.assertEqual(shown, kept[: len(shown)])
								self.assertGreaterEqual(len(shown), min(len(kept), 29))

	def test_it_is_one_also_where_frappe_encodes_it_and_breaks_the_line(self):
		"""Some versions do, and Python takes the quotes off when it reads such a line and writes it again."""
		for name in (*self.NAMES, "a, é" + "x" * 120, "日, " * 40, 'The "Best" 日本, ' + "日" * 40):
			for local in ("a", "x" * 20, "x" * 50):
				whole = address.mailbox(name, f"{local}@company.example")
				for header in ("From", "Reply-To"):
					with self.subTest(name, local=local, header=header):
						message = MIMEText("", policy=policy.SMTP)
						message[header] = whole
						message = message_from_string(message.as_string(), policy=policy.SMTP)
						message = message_from_string(message.as_string(), policy=policy.SMTP)
						(box,) = message[header].addresses
						self.assertEqual(box.addr_spec, f"{local}@company.example")

	def test_two_addresses_are_no_sender(self):
		self.email_account("renewals@company.example")
		self.email_account("offers@company.example")
		for sender in (
			"renewals@company.example, offers@company.example",
			"renewals@company.example,renewals@company.example",
			"Shop <renewals@company.example>, offers@company.example",
		):
			with self.subTest(sender), self.refused("not one e-mail address"):
				factories.campaign(sender=sender)

	def test_one_of_before_that_has_two_is_not_activated(self):
		self.email_account("renewals@company.example")
		campaign = factories.campaign(active=False)
		frappe.db.set_value(
			"Lifecycle Campaign", campaign.name, "sender", "renewals@company.example, x@company.example"
		)
		campaign.reload()
		campaign.is_active = 1
		with self.refused("not one e-mail address"):
			campaign.save()

	def test_its_letters_case_does_not_matter(self):
		self.email_account("renewals@company.example")
		factories.pin(factories.customer(), in_days(30))
		factories.campaign(sender="RENEWALS@Company.Example")
		self.run_night()
		(mail,) = self.mails()
		self.assertEqual(parseaddr(mail.sender)[1].lower(), "renewals@company.example")

	def test_a_sender_with_a_name_keeps_it(self):
		self.email_account("renewals@company.example")
		factories.pin(factories.customer(), in_days(30))
		factories.campaign(sender='"Renewals" <renewals@company.example>')
		self.run_night()
		(mail,) = self.mails()
		(box,) = self.sent(mail)[1]["From"].addresses
		self.assertEqual((box.display_name, box.addr_spec), ("Renewals", "renewals@company.example"))
