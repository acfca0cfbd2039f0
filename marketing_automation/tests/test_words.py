"""Screens and reports say Sent, and why not, in the words of this field, whatever the ledger keeps."""

import re

import frappe

from marketing_automation import api
from marketing_automation.engine import words
from marketing_automation.engine.ledger import STATUSES
from marketing_automation.engine.model import Reason
from marketing_automation.marketing_automation.report.expiring_pins import expiring_pins
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days
from marketing_automation.tests.test_translations import (
	APP,
	words_of_code,
	words_of_documents,
	words_of_gallery,
	words_of_recipes,
	words_of_scripts,
)

REASONS = sorted(value for name, value in vars(Reason).items() if name.isupper())
TELLING = re.compile(r"\b(tell|tells|told|telling)\b", re.IGNORECASE)


class TestWords(MarketingTestCase):
	def test_what_was_completed_is_sent(self):
		self.assertEqual(words.of_status("Completed"), "Sent")
		self.assertEqual(
			[words.of_status(s) for s in STATUSES if s != "Completed"],
			[s for s in STATUSES if s != "Completed"],
		)

	def test_reasons_that_could_be_taken_for_something_else_are_said_in_full(self):
		shown = {reason: words.of_reason(reason) for reason in REASONS}
		self.assertEqual(
			{reason: text for reason, text in shown.items() if text != reason},
			{"Returned": "Product returned", "Missed": "Night missed"},
		)

	def test_a_spanish_user_reads_them_in_spanish(self):
		frappe.local.lang = "es"
		self.addCleanup(setattr, frappe.local, "lang", "en")
		self.assertEqual(words.of_status("Completed"), "Enviado")
		self.assertEqual(words.of_status("Failed"), "Fallido")
		self.assertEqual(
			[words.of_reason(reason) for reason in ("Already sent", "Returned", "Missed", "Unsubscribed")],
			["Ya enviado", "Producto devuelto", "Noche perdida", "Dado de baja"],
		)

	def test_the_browser_says_what_the_server_says(self):
		script = (APP / "public" / "js" / "lifecycle.js").read_text(encoding="utf-8")
		for function, values, of in (
			("reason", REASONS, words.of_reason),
			("status_words", STATUSES, words.of_status),
		):
			with self.subTest(function):
				body = re.search(rf"\n\t{function}\(\w+\) {{\n(.*?)\n\t}},", script, re.DOTALL)[1]
				said = dict(re.findall(r'^\t+"?([\w ]+?)"?: __\("([^"]+)"', body, re.MULTILINE))
				self.assertEqual(
					{value: said.get(value, value) for value in values},
					{value: of(value) for value in values},
				)

	def test_no_text_of_ours_speaks_of_telling(self):
		texts = words_of_code() | words_of_scripts() | words_of_documents() | words_of_recipes()
		texts |= words_of_gallery()
		self.assertEqual(sorted(text for text in texts if TELLING.search(text)), [])

	def test_a_report_and_why_say_them_too(self):
		ana = factories.customer()
		first, second = factories.pin(ana, in_days(30)), factories.pin(ana, in_days(60))
		campaign = factories.campaign(duplicate_policy="Once per customer")
		self.run_night()
		self.mail_sent()
		(step,) = [step for step in api.why_reference("Serial No", second)["steps"] if step["reference_name"]]
		self.assertEqual(step["why"], "Would not go out: Already sent.")
		_columns, rows, *_rest = expiring_pins.execute({"to_date": str(in_days(40)), "show_all": 1})
		self.assertEqual([(row["reference_name"], row["handled"]) for row in rows], [(first, "Sent")])
		frappe.db.set_value(
			"Lifecycle Execution Log",
			self.ledger()[0].name,
			{"status": "Skipped", "reason": "Missed"},
		)
		frappe.db.set_value("Lifecycle Campaign", campaign.name, "is_active", 0)
		_columns, rows, *_rest = expiring_pins.execute({"to_date": str(in_days(40))})
		self.assertEqual([row["problem"] for row in rows], ["Was not sent: Night missed"])
