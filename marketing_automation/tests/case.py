"""What every test begins and ends with, under bench run-tests and under pytest."""

import contextlib
import time
import unittest
from datetime import datetime, timedelta, timezone
from email import message_from_string, policy
from unittest.mock import patch
from zoneinfo import ZoneInfo

import frappe
import time_machine
from frappe.cache_manager import clear_defaults_cache
from frappe.utils import get_system_timezone, now_datetime

from marketing_automation.engine import brand, consent, dispatch, gate, identity, run, waiting, withdrawal
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.tests import factories

OURS = (
	"Lifecycle Consent",
	"Lifecycle Execution Log",
	"Lifecycle Outbox",
	"Lifecycle Run",
	"Lifecycle Action Translation",
	"Lifecycle Action",
	"Lifecycle Trigger",
	"Lifecycle Campaign",
	# What the settings have in tables.
	"Lifecycle Hold",
	"Lifecycle Do Not Disturb",
	"Lifecycle Suppression",
	"Lifecycle Design Version",
	"Lifecycle Design Template",
	"Lifecycle Message Design",
	"Lifecycle Brand",
)
USUAL_SETTINGS = {
	"catch_up_nights": 7,
	"chunk_size": 200,
	"resume_after_minutes": 15,
	"max_attempts": 5,
	"retry_after_minutes": 30,
	"pause_share": 20,
	"pause_count": 10,
	"mails_per_minute": 0,
	"attachments_mb": 5,
	"private_webhooks": 0,
	"public_address": None,
	"unsubscribe_address": None,
	"addresses_lawful": 1,
	"basis_needed": 1,
	"send_from": "09:00:00",
	"send_until": "18:00:00",
	"send_on": "Working days",
	"cap_messages": 0,
	"cap_days": 7,
	"held_days": 14,
	"when_held": "Skip",
	"soft_bounces": 3,
	"soft_bounce_days": 30,
	"keep_addresses_days": 90,
	"stop_frappes_mailings": 0,
	"mailbox_enabled": 0,
}
# What the engine keeps there, which no form or request changes.
FORGOTTEN = (
	*("sent_lately", "overdue_told_at", "cleared_until"),
	*("mailbox_state", "mailbox_error", "mailbox_read_at"),
	*("warmup_start", "warmup_domain", "warmup_counted"),
)
# In seconds: longer than nearly every test takes.
TOO_LATE = 30
MAIL = {
	"mail_server": "127.0.0.1",
	"mail_port": 9,
	"auto_email_id": "shop@company.example",
	"mute_emails": 0,
}


class MarketingTestCase(unittest.TestCase):
	"""A site without campaigns, without unsubscribes, and on which nothing expires, that can send mail.

	The engine commits, so nothing is rolled back here: each test starts by removing what others have left, and the
	last of a class leaves nothing.
	"""

	maxDiff = None

	@classmethod
	def setUpClass(cls):
		super().setUpClass()
		frappe.set_user("Administrator")
		if frappe.get_all(
			"Lifecycle Campaign", filters={"name": ["not like", "Test %"]}, limit_page_length=1
		):
			raise RuntimeError("This site has campaigns of its own. Run the tests on another one.")
		# Where ERPNext is real, its own set-up has put the company into another country, whose law is another one.
		frappe.db.set_value("Company", factories.company(), "country", factories.COUNTRY)
		factories.fiscal_years()
		factories.item()
		frappe.db.commit()

	def setUp(self):
		wait_for_a_day_that_lasts()
		frappe.set_user("Administrator")
		frappe.db.rollback()
		self._reset()
		# In test mode ERPNext values all later movements of an item anew for each that is entered for an earlier day,
		# which takes ever longer. Nothing here asks what stock is worth.
		frappe.flags.dont_execute_stock_reposts = True
		self.enterContext(mail_account())
		# In test mode Frappe would mark them as sent.
		self.enterContext(patch.object(dispatch, "enqueue"))
		# A worker of this bench would take it, in the middle of another test.
		self.enterContext(patch.object(withdrawal, "enqueue"))
		self.taken_back = self.enterContext(patch.object(consent, "take_back_soon"))
		self.asked_again = self.enterContext(patch.object(consent, "ask_again_soon"))
		self.waits_ended = self.enterContext(patch.object(waiting, "end_soon"))

	@classmethod
	def tearDownClass(cls):
		cls._reset()
		super().tearDownClass()

	if not hasattr(unittest.TestCase, "enterContext"):  # Python 3.10

		def enterContext(self, context):
			self.addCleanup(context.__exit__, None, None, None)
			return context.__enter__()

	@staticmethod
	def _reset():
		frappe.set_user("Administrator")
		frappe.db.rollback()
		for doctype in (*OURS, "Notification Log"):
			frappe.db.delete(doctype)
		frappe.db.delete("Email Queue Recipient")
		frappe.db.delete("Email Queue")
		frappe.db.delete("Email Unsubscribe")
		frappe.db.delete("DocShare", {"share_doctype": ["in", [*OURS, "Email Template"]]})
		factories.forget_dates()
		# What was rolled back Frappe goes on remembering.
		frappe.db.value_cache.pop(SETTINGS, None)
		settings = frappe.get_single(SETTINGS)
		if any(settings.get(field) != value for field, value in USUAL_SETTINGS.items()):
			settings.update(USUAL_SETTINGS).save()
		frappe.db.delete("Singles", {"doctype": SETTINGS, "field": ["in", FORGOTTEN]})
		identity.bind_if_new()
		# What checks have raised in other tests is no matter of this one.
		frappe.cache().delete_keys(gate._FAILURE)
		frappe.db.commit()
		brand.forget()
		frappe.clear_messages()

	# -- what tests do -------------------------------------------------------------------------------------------

	def run_night(self, campaign: str | None = None):
		"""Run tonight; return the Lifecycle Run."""
		frappe.db.commit()
		name = run.start("Manual" if campaign else "Scheduled", campaign)
		return frappe.get_doc("Lifecycle Run", name)

	def email_account(self, email: str, **fields):
		"""Return an Email Account for outgoing mail, for as long as the test runs."""
		account = factories.make(
			"Email Account",
			**{
				"email_account_name": f"Test {email}",
				"email_id": email,
				"enable_outgoing": 1,
				"smtp_server": "127.0.0.1",
				"no_smtp_authentication": 1,
				**fields,
			},
		)

		def remove():
			frappe.db.rollback()
			frappe.delete_doc("Email Account", account.name, force=True, ignore_missing=True)
			frappe.db.commit()

		self.addCleanup(remove)
		return account

	def at(self, moment: str):
		"""Return a context in which the clock shows `moment` in the site's time zone; the server's own stays what it is."""
		# Older versions of Frappe compare `modified` as text, in which a whole second looks different.
		there = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(get_system_timezone()), microsecond=1)
		return time_machine.travel(there.astimezone(timezone.utc), tick=True)

	def live_in(self, zone: str) -> None:
		"""Move the site to another time zone, until the test ends."""
		self.addCleanup(_set_time_zone, get_system_timezone())
		_set_time_zone(zone)

	def live_in_country(self, country: str) -> None:
		"""Move the company, and by that all customers without an address, until the test ends."""
		company = factories.company()
		before = frappe.db.get_value("Company", company, "country")
		frappe.db.set_value("Company", company, "country", country)
		frappe.db.commit()

		def back():
			frappe.db.set_value("Company", company, "country", before)
			frappe.db.commit()

		self.addCleanup(back)

	def ledger(self, **filters) -> list:
		"""Return the ledger's rows in the order in which they were written."""
		return frappe.get_all(
			"Lifecycle Execution Log", filters=filters, fields=["*"], order_by="creation asc, name asc"
		)

	def outcome_of(self, serial_no: str) -> tuple[str, str | None]:
		"""Return (status, reason) of the only row about a serial number."""
		(row,) = self.ledger(reference_name=serial_no)
		return row.status, row.reason

	def mails(self) -> list:
		"""Return the rows of Email Queue, each with its `recipient`."""
		# Within a batch in the order of the ledger, whose keys the message ids are; in some versions names are random.
		mails = frappe.get_all("Email Queue", fields=["*"], order_by="creation asc, message_id asc, name asc")
		for mail in mails:
			mail.recipient = frappe.db.get_value("Email Queue Recipient", {"parent": mail.name}, "recipient")
		return mails

	def mail_sent(self, status: str = "Sent", **fields) -> None:
		"""Let Email Queue report all its mails as sent (or as `status`), and settle."""
		from marketing_automation.engine import settle

		for mail in self.mails():
			frappe.db.set_value("Email Queue", mail.name, {"status": status, **fields})
		frappe.db.commit()
		settle.settle()

	@contextlib.contextmanager
	def refused(self, *texts: str, error=frappe.ValidationError):
		"""Assert that the block is refused, with all these texts in the message, and take back what it did."""
		frappe.db.commit()
		with self.assertRaises(error) as caught:
			yield
		frappe.clear_messages()
		for text in texts:
			self.assertIn(text, frappe.utils.strip_html(str(caught.exception)))
		frappe.db.rollback()


def wait_for_a_day_that_lasts() -> None:
	"""Wait for the site's midnight where that is near."""
	# What a test makes for today would be yesterday's when it looks.
	now = now_datetime()
	midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time())
	left = (midnight - now).total_seconds()
	if left < TOO_LATE:
		time.sleep(left + 1)


def _set_time_zone(zone: str) -> None:
	frappe.db.set_single_value("System Settings", "time_zone", zone)
	frappe.db.commit()
	frappe.clear_document_cache("System Settings", "System Settings")


@contextlib.contextmanager
def mail_account():
	"""A default account for outgoing mail in the site's configuration, where nobody listens."""
	frappe.local.outgoing_email_account = {}
	with patch.dict(frappe.local.conf, MAIL):
		yield
	frappe.local.outgoing_email_account = {}


@contextlib.contextmanager
def outside_test_mode():
	"""Mails leave, as they do not while tests run."""
	before = frappe.flags.in_test
	frappe.flags.in_test = False
	try:
		# Newer versions have it here, too; some of them as a property, which follows the flag.
		plain = (
			patch.object(frappe, "in_test", False) if "in_test" in vars(frappe) else contextlib.nullcontext()
		)
		with plain:
			yield
	finally:
		frappe.flags.in_test = before


@contextlib.contextmanager
def caches_kept():
	"""Frappe forgets the defaults, where it would forget all that it has cached and need seconds to read it again."""
	with patch.object(frappe, "clear_cache", lambda *_args, **_kwargs: clear_defaults_cache()):
		yield


@contextlib.contextmanager
def sending_suspended():
	"""Email Queue sends nothing, as when somebody has suspended it in its list."""

	def suspend(suspended: int) -> None:
		with caches_kept():
			frappe.db.set_default("suspend_email_queue", suspended)
		# What happens meanwhile may be committed or rolled back.
		frappe.db.commit()

	suspend(1)
	try:
		yield
	finally:
		suspend(0)


@contextlib.contextmanager
def statements():
	"""The SQL statements of the block, as they are sent to the database: a list that fills up."""
	seen = []
	frappe.db.sql("select 1")
	cursor = type(frappe.db._cursor)
	execute = cursor.execute

	def recording(self, query, args=None):
		seen.append(" ".join(str(query).split()))
		return execute(self, query, args)

	with patch.object(cursor, "execute", recording):
		yield seen


def mail_subject(mail) -> str:
	"""Return the decoded subject of an Email Queue row."""
	return message_from_string(mail.message, policy=policy.default)["Subject"]


def replaced_hooks(**hooks):
	"""Return a get_hooks in which these hooks have other values."""
	get_hooks = frappe.get_hooks

	def replaced(hook=None, *arguments, **options):
		return hooks[hook] if hook in hooks else get_hooks(hook, *arguments, **options)

	return replaced


def mail_parts(mail) -> tuple[str, str]:
	"""Return the decoded text and HTML of an Email Queue row."""
	message = message_from_string(mail.message, policy=policy.default)
	return tuple(message.get_body((kind,)).get_content() for kind in ("plain", "html"))
