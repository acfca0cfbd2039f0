"""The whole way: the scheduled job, workers, Frappe's Email Queue, a real SMTP conversation, the mail that arrived.

All of it runs in processes of its own, outside test mode, in which Frappe sends nothing.
"""

import os
import re
import subprocess
import sys
from urllib.parse import urlsplit

import frappe

from marketing_automation.tests import factories, smtp_sink
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days
from marketing_automation.tests.test_source_of_truth import WRITTEN

SENDER = "renewals@company.example"
NIGHT = "marketing_automation.tasks.check_expiring_subscriptions"
FLUSH = "frappe.email.queue.flush"
SETTLE = "marketing_automation.tasks.settle_deliveries"
# Does what is queued, as bench worker does; then runs each method as bench execute does, and does what it has queued.
# It imports first what the jobs need, so that their processes need not do it one by one.
SCHEDULER = """
import sys
import frappe
import frappe.email.doctype.email_queue.email_queue
import frappe.email.queue
import marketing_automation.channels.email.sender
import marketing_automation.engine.run
import marketing_automation.engine.settle
from frappe.utils.background_jobs import start_worker


def work():
	start_worker(queue="short,default,long", burst=True, quiet=True)


site, *methods = sys.argv[1:]
work()
for method in methods:
	frappe.init(site=site)
	frappe.connect()
	frappe.get_attr(method)()
	frappe.db.commit()
	frappe.destroy()
	work()
"""
# Answers one request, GET or another one, as the site's web server does.
BROWSER = """
import sys
import frappe.app
from werkzeug.test import Client

frappe.app._site, frappe.app._sites_path = sys.argv[1], "."
form = {"List-Unsubscribe": "One-Click"} if sys.argv[4] == "POST" else None
answer = Client(frappe.app.application).open(sys.argv[2], method=sys.argv[4], data=form)
page = answer.get_data(as_text=True)
sys.exit(page if sys.argv[3] not in page or "Lifecycle" in page else 0)
"""


class TestEndToEnd(MarketingTestCase):
	def setUp(self):
		super().setUp()
		# Not in a test's own variables: on a failure newer runners print these, and there are hundreds of tables.
		self.checksums = {}
		self.sink = smtp_sink.Sink(answer=self.answer)
		port = self.enterContext(smtp_sink.listening(self.sink))
		self.email_account(SENDER, smtp_port=port)

	def answer(self, recipient: str) -> str | None:
		return "550 5.1.1 no such user" if recipient.startswith("refused") else None

	def process(self, *command: str) -> None:
		"""Run Python with these arguments in the sites folder; fail with its output when it fails."""
		environ = {key: value for key, value in os.environ.items() if key != "CI"}
		done = subprocess.run(
			[sys.executable, *command],
			cwd=frappe.local.sites_path,
			env=environ,
			stdin=subprocess.DEVNULL,
			capture_output=True,
			text=True,
			timeout=300,
		)
		self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
		frappe.db.rollback()

	def execute(self, *methods: str) -> None:
		"""Empty the queues with a worker, then run what the scheduler would, each followed by a worker again."""
		frappe.db.commit()
		self.process("-c", SCHEDULER, frappe.local.site, *methods)

	def night(self) -> None:
		self.execute(NIGHT, FLUSH, SETTLE)

	def changed(self) -> list[str]:
		"""Return which of the tables that a run must not write to have changed since this was asked last."""
		frappe.db.commit()
		tables = [table for table in frappe.db.get_tables(cached=False) if table not in WRITTEN]
		before = self.checksums
		self.checksums = dict(frappe.db.sql("checksum table " + ", ".join(f"`{table}`" for table in tables)))
		return [table for table, checksum in self.checksums.items() if before.get(table) != checksum]

	def test_a_sold_pin_becomes_a_mail_that_arrives_once(self):
		ana = factories.customer("Test José Núñez", email="jose@customers.example", language="es")
		# Its date is the one that ERPNext itself has set at the sale.
		item = factories.item("TEST-MONTH", warranty_period=30)
		names = factories.received(item_code=item)
		factories.sold(ana, names, item_code=item)
		self.assertEqual(frappe.db.get_value("Serial No", names[0], "warranty_expiry_date"), in_days(30))
		spanish = factories.template(
			subject="{{ item_name }} vence en {{ days_left }} días",
			response="<p>Hola, {{ customer_name }}: vence el {{ expiry_date }}.</p>",
		)
		campaign = factories.campaign(email_template=spanish, sender=SENDER)

		# Other tests have left jobs: after a rename Frappe makes the global search of the DocType anew.
		self.execute()
		self.changed()
		self.night()
		self.assertEqual(self.changed(), [])
		(row,) = self.ledger()
		self.assertEqual((row.status, row.reference_name), ("Completed", names[0]))
		(mail,) = self.sink.messages()
		self.assertEqual(self.sink.mails[0][0], ["jose@customers.example"])
		self.assertIn(SENDER, mail["From"])
		self.assertEqual(mail["Subject"].strip(), "TEST-MONTH subscription vence en 30 días")
		text, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))
		for part in (text, html):
			self.assertIn("Hola, Test José Núñez: vence el", " ".join(part.split()))
			self.assertNotIn("{{", part)
			self.assertNotIn("{%", part)
		(run,) = frappe.get_all("Lifecycle Run", fields=["*"])
		self.assertEqual((run.status, run.due, run.completed), ("Completed", 1, 1))

		self.night()
		self.assertEqual((len(self.ledger()), len(self.sink.mails)), (1, 1))

		# Whoever unsubscribes by the link in the mail is left out from then on, by what is of the same topic.
		link = re.search(r'href="([^"]+message-preferences[^"]+)"', html).group(1).replace("&amp;", "&")
		parts = urlsplit(link)
		forged = f"{parts.path}?{parts.query[:-1]}{'A' if parts.query[-1] != 'A' else 'B'}"
		self.process("-c", BROWSER, frappe.local.site, forged, "This link does not work", "POST")
		page = f"{parts.path}?{parts.query}"
		self.process("-c", BROWSER, frappe.local.site, page, "Sus mensajes", "GET")
		frappe.db.rollback()
		self.assertEqual(frappe.db.count("Lifecycle Consent"), 0)
		self.process("-c", BROWSER, frappe.local.site, page, "Ya no recibirá más mensajes de estos.", "POST")
		later = factories.pin(ana, in_days(30))
		other = factories.campaign(sender=SENDER, topic="Offers")
		self.night()
		found = {row.campaign: (row.status, row.reason) for row in self.ledger(reference_name=later)}
		self.assertEqual(found, {campaign.name: ("Skipped", "Unsubscribed"), other.name: ("Completed", None)})

	def test_an_address_that_the_server_refuses_stops_no_other(self):
		bad, good = (factories.customer(email=f"{name}@customers.example") for name in ("refused", "fine"))
		refused, accepted = factories.pin(bad, in_days(30)), factories.pin(good, in_days(30))
		factories.campaign(sender=SENDER)
		# Email Queue gives an address up after a few attempts.
		self.execute(NIGHT, *[FLUSH] * 6, SETTLE)
		self.assertEqual(self.outcome_of(accepted), ("Completed", None))
		self.assertEqual(self.outcome_of(refused), ("Failed", "Sending failed"))
		self.assertEqual([recipients for recipients, _mail in self.sink.mails], [["fine@customers.example"]])
