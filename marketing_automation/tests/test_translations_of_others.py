"""Our Spanish is ours alone: what Frappe and ERPNext call something on their screens stays what they call it."""

import csv
import re
import unicodedata

from frappe.translate import get_translations_from_apps

from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.test_translations import SPANISH

# Words that say something else on other screens: a work order is Completed, an item is Returned.
OTHERS = (
	"Sent",
	"Returned",
	"Active",
	"Draft",
	"Paused",
	"Failing",
	"Ended",
	"Pause",
	"Delivered",
	"Missed",
	"Cancel",
)


def alike(text: str) -> str:
	"""Return what is left of a text without accents, capitals, and signs, by which versions differ."""
	letters = unicodedata.normalize("NFKD", text.lower())
	return re.sub(r"[^a-z0-9{}]", "", letters)


class TestTranslationsOfOthers(MarketingTestCase):
	@classmethod
	def setUpClass(cls):
		super().setUpClass()
		with SPANISH.open(encoding="utf-8", newline="") as file:
			# One that has a context is asked for by us, or for a label of ours.
			cls.everywhere = {row[0]: row[1] for row in csv.reader(file) if not row[2:] or not row[2]}

	def test_what_frappe_and_erpnext_have_in_spanish_stays_as_it_is(self):
		theirs = get_translations_from_apps("es", ["frappe", "erpnext"])
		changed = {
			word: (theirs[word], spanish)
			for word, spanish in self.everywhere.items()
			if word in theirs and alike(theirs[word]) != alike(spanish)
		}
		self.assertEqual(changed, {})

	def test_common_words_are_translated_for_our_own_screens_only(self):
		self.assertEqual(sorted(set(OTHERS) & set(self.everywhere)), [])
