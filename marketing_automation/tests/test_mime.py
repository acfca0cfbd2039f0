"""A mail that is finished when it is made is, on the wire, the mail that Frappe would have sent."""

import re
from email import message_from_string, policy
from unittest.mock import patch

import frappe
from frappe.email.doctype.email_queue.email_queue import SendMailContext
from frappe.email.queue import get_unsubscribe_message
from frappe.utils import cstr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketing_automation import naming
from marketing_automation.channels.email import mime
from marketing_automation.channels.email import queue as email_queue
from marketing_automation.channels.texts import templates
from marketing_automation.tests.case import MarketingTestCase

REFERENCE = "Lifecycle Campaign"
LINK = re.compile(r"https?://\S+message-preferences\?[^\s\"]+")
TOKEN = "4711" * 8
# Its addresses are longer than a line.
WAY_OUT = email_queue.WayOut(
	f"https://a-shop-with-a-long-name.and-a-long-domain.example/message-preferences?t={TOKEN}",
	(
		f"https://a-shop-with-a-long-name.and-a-long-domain.example/message-preferences?t={TOKEN}",
		f"mailto:unsubscribe@a-shop-with-a-long-name.and-a-long-domain.example?subject=unsubscribe-{TOKEN}",
	),
	True,
)
SUBJECTS = (
	"Your pin ends",
	"José, su «PIN» vence el 1 de marzo",
	"50 % = 1/2 and more: a subject that is much longer than the one line that a header has room for, or two",
	"¡" + "ñ" * 60 + "!",
	"🎉 emoji and עברית",
	"=?utf-8?q?not_encoded?=",
	"a  b",
	"tab\tin it",
)
BODIES = (
	"<p>Dear José,</p>",
	"<p>" + "long line " * 40 + "</p>\n",
	"<p>a = b; 100 %</p>\n.\n..\nFrom here\n--\n",
	"<p>trailing space \t</p> \r\n\r\n",
	"<p>ñandú 🎉 عربى</p>",
	"<a href='/relative'>x</a>",
)
TEXT = st.text(st.characters(blacklist_categories=("Cs",)), max_size=200)
LINE = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), max_size=150)


class TestFinished(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.account = email_queue.account_for(None, REFERENCE)
		self.frame = email_queue.frame_of(self.account, WAY_OUT, sender=None, reference_doctype=REFERENCE)
		self.assertIsNotNone(self.frame)

	def row(self, frame, subject: str, text: str, html: str, recipient="ana@customers.example") -> dict:
		return email_queue.Mail(
			self.account,
			WAY_OUT,
			frame=frame,
			html=html + get_unsubscribe_message("Unsubscribe", None).html,
			text_content=text,
			subject=subject,
			recipients=[recipient],
			message_id="a1b2c3@site.example",
			reference_doctype=REFERENCE,
			reference_name="Ñandú & Co",
			unsubscribe_message="Unsubscribe",
		).as_dict()

	def sent(self, row: dict) -> bytes:
		"""Return what Email Queue hands to the mail server."""
		mail = frappe.new_doc("Email Queue")
		mail.update({field: value for field, value in row.items() if field != "recipients"})
		mail.set_recipients(row["recipients"])
		context = SendMailContext(mail, self.account.get_smtp_server())
		context.email_account_doc = self.account
		return context.build_message(row["recipients"][0])

	def assert_same(self, subject: str, text: str, html: str) -> bool:
		"""Assert that our mail is Frappe's; return whether it was finished."""
		ours = self.row(self.frame, subject, text, html)
		theirs = self.row(None, subject, text, html)
		finished = not any(placeholder in ours["message"] for placeholder in mime.PLACEHOLDERS)
		if finished:
			self.assertEqual(self.sent(ours), ours["message"].encode(), "sent as it stands")
		one, other = (mime.comparable(self.sent(row).decode()) for row in (ours, theirs))
		self.assertEqual(
			one.partition("\r\n\r\n")[0], other.partition("\r\n\r\n")[0], "the headers, byte by byte"
		)
		for kind in ("plain", "html"):
			# Frappe puts the link into the encoded text, where lines are then broken elsewhere.
			parts = [
				message_from_string(message, policy=policy.default).get_body((kind,))
				for message in (one, other)
			]
			self.assertEqual(*(part.get_content() for part in parts))
			self.assertEqual(*(part.items() for part in parts))
		different = {field for field in ours if ours[field] != theirs[field]}
		self.assertLessEqual(different, {"message"})
		return finished

	def test_it_is_what_frappe_sends(self):
		for subject in SUBJECTS:
			for body in BODIES:
				with self.subTest(subject=subject, body=body):
					self.assertTrue(self.assert_same(subject, f"text of {body}", body))

	def test_any_mail_is_what_frappe_sends(self):
		finished = 0

		@settings(
			max_examples=60,
			deadline=None,
			database=None,
			derandomize=True,
			suppress_health_check=[HealthCheck.too_slow],
		)
		@given(LINE, TEXT, TEXT)
		def check(subject, text, html):
			nonlocal finished
			finished += self.assert_same(templates.one_line(subject), f"x{text}", f"<p>{html}</p>")

		check()
		self.assertGreater(finished, 30)

	def test_the_link_is_in_both_parts(self):
		message = message_from_string(
			self.row(self.frame, "x", "text", "<p>x</p>")["message"], policy=policy.default
		)
		links = {
			link
			for kind in ("plain", "html")
			for link in LINK.findall(message.get_body((kind,)).get_content())
		}
		self.assertEqual(len(links), 1)
		self.assertEqual(links.pop(), WAY_OUT.page)

	def test_the_ways_out_stand_in_the_headers_in_one_piece_each_whoever_writes_them(self):
		for frame in (self.frame, None):
			message = self.sent(self.row(frame, "x", "text", "<p>x</p>")).decode()
			head = message.partition("\r\n\r\n")[0]
			page, mail = WAY_OUT.uris
			self.assertIn(f"\r\nList-Unsubscribe: <{page}>,\r\n <{mail}>\r\n", f"{head}\r\n")
			self.assertIn("\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", f"{head}\r\n")
			parsed = message_from_string(message, policy=policy.default)
			self.assertEqual("".join(parsed["List-Unsubscribe"].split()), f"<{page}>,<{mail}>")

	def test_a_header_of_somebody_else_that_is_no_list_of_addresses_is_folded_as_ever(self):
		text = "see " + "the page of this shop " * 10
		for value in (text, "<https://shop.example/x>", f"<https://shop.example/x> ({text})"):
			written = policy.SMTP.header_factory("List-Unsubscribe", value).fold(policy=policy.SMTP)
			plain = policy.SMTP.header_factory("X-Other", value).fold(policy=policy.SMTP)
			self.assertEqual(written.partition(":")[2].split(), plain.partition(":")[2].split())

	def test_a_frame_for_each_number_of_ways_out(self):
		for count, one_click in ((0, False), (1, False), (1, True), (2, False), (2, True)):
			way_out = WAY_OUT._replace(uris=WAY_OUT.uris[:count], one_click=one_click)
			frame = email_queue.frame_of(self.account, way_out, sender=None, reference_doctype=REFERENCE)
			with self.subTest(count=count, one_click=one_click), patch(f"{__name__}.WAY_OUT", way_out):
				self.frame = frame
				self.assertTrue(self.assert_same("x", "text", "<p>x</p>"))
				message = message_from_string(
					self.row(frame, "x", "text", "<p>x</p>")["message"], policy=policy.default
				)
				self.assertEqual(message["List-Unsubscribe"] is not None, bool(count))
				self.assertEqual(message["List-Unsubscribe-Post"] is not None, one_click)

	def test_what_is_not_plain_is_left_to_frappe(self):
		for recipient in ("o'hara@customers.example", f"{'a' * 60}@{'b' * 60}.example"):
			row = self.row(self.frame, "x", "text", "<p>x</p>", recipient)
			self.assertIn(mime.RECIPIENT, row["message"])
			message = message_from_string(self.sent(row).decode(), policy=policy.default)
			self.assertEqual(message["To"].addresses[0].addr_spec, recipient)
			uris = ",".join(f"<{uri}>" for uri in WAY_OUT.uris)
			self.assertEqual("".join(message["List-Unsubscribe"].split()), uris)
		# Then Frappe leaves the header out.
		self.assertIn(mime.RECIPIENT, self.row(self.frame, "\u200b", "text", "<p>x</p>")["message"])
		picture = self.row(self.frame, "x", "text", '<img embed="assets/frappe/images/x.png">')
		self.assertNotIn("Content-ID", picture["message"])

	def test_a_boundary_in_a_text_does_not_end_it(self):
		(boundary, *_others) = mime.BOUNDARY.findall(self.row(self.frame, "x", "text", "<p>x</p>")["message"])
		self.assertTrue(self.assert_same("x", f"text\n--{boundary}--\nmore", f"<p>--{boundary}</p>"))

	def test_no_frame_where_another_app_changes_outgoing_mails(self):
		get_hooks = frappe.get_hooks

		def hooked(hook=None, *arguments, **options):
			if hook == "make_email_body_message":
				return ["frappe.brand_for_test"]
			return get_hooks(hook, *arguments, **options)

		with (
			patch.object(frappe, "get_hooks", hooked),
			patch.object(frappe, "brand_for_test", lambda mail: None, create=True),
		):
			self.assertIsNone(
				email_queue.frame_of(self.account, WAY_OUT, sender=None, reference_doctype=REFERENCE)
			)

	def test_a_hook_of_our_own_on_outgoing_mails_costs_no_frame(self):
		get_hooks = frappe.get_hooks

		def hooked(hook=None, *arguments, **options):
			if hook == "make_email_body_message":
				return ["marketing_automation.naming.nothing_for_test"]
			return get_hooks(hook, *arguments, **options)

		with (
			patch.object(frappe, "get_hooks", hooked),
			patch.object(naming, "nothing_for_test", lambda mail: None, create=True),
		):
			frame = email_queue.frame_of(self.account, WAY_OUT, sender=None, reference_doctype=REFERENCE)
			self.assertIsNotNone(frame)

	def test_no_frame_where_frappe_builds_otherwise_than_the_frame(self):
		build = BuiltByFrappe(self.account)
		self.assertIsNotNone(mime.make(build))
		build.changed = lambda message: message.replace(
			"MIME-Version", f"X-Length: {len(message)}\r\nMIME-Version", 1
		)
		self.assertIsNone(mime.make(build))


class BuiltByFrappe:
	"""Frappe's way to build a mail, with a change to the message."""

	def __init__(self, account):
		self.account = account
		self.changed = cstr

	def __call__(self, parts):
		mail = email_queue.Mail(
			self.account,
			email_queue.WayOut("https://shop.example"),
			parts.html,
			subject=parts.subject,
			recipients=[parts.recipient],
			message_id=parts.message_id,
			text_content=parts.text,
		)
		row = mail.as_dict()
		return mail.prepare_email_content().msg_root.policy, {**row, "message": self.changed(row["message"])}


class TestValues(MarketingTestCase):
	def test_no_value_opens_a_comment(self):
		message = {
			"customer_name": "<!--unsubscribe_url-->",
			"customer": "C",
			"company": None,
			"campaign": "<!--x-->",
		}
		pin = {
			"serial_no": "<!--recipient-->",
			"item_code": "a",
			"item_name": "<!",
			"expiry_date": frappe.utils.getdate(),
			"date": frappe.utils.getdate(),
		}
		values = templates.context(message, [pin], frappe.utils.getdate())
		flat = [*values.values(), *values["pins"][0].values()]
		self.assertFalse([value for value in flat if isinstance(value, str) and "<!" in value])
		self.assertEqual((values["company"], values["customer"]), (None, "C"))
