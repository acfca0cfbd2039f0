"""Whatever is sent to the pages that everybody can reach: no error of the server, and nothing that changes.

A thousand requests by default. FUZZED=20000 in the environment sends so many. A body that says it is JSON and is none is
left out: Frappe answers it before it asks any app.
"""

import http.client
import os
import random
import string
from unittest.mock import patch
from urllib.parse import urlencode, urlsplit

import frappe
from frappe.utils.verified_command import get_signed_params

from marketing_automation.engine import links
from marketing_automation.pages import preferences
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, replaced_hooks
from marketing_automation.tests.factories import in_days
from marketing_automation.tests.http_site import served

REQUESTS = int(os.environ.get("FUZZED") or 1000)
METHOD = "/api/method/marketing_automation.unsubscribe.unsubscribe"
LETTERS = string.ascii_letters + string.digits + "-_=&?%+/\\'\"<>{}[]();:,.| \t\0ñ漢🎉\u202e\ufeff"
FIELDS = (
	"t",
	"do",
	"topic",
	"often",
	"List-Unsubscribe",
	"email",
	"doctype",
	"name",
	"_signature",
	"csrf_token",
	"x",
)
# What the page knows, without what it acts on.
VALUES = (
	"",
	"One-click",
	"drop",
	"month",
	"Renewals",
	"Lifecycle Campaign",
	"../../etc/passwd",
	"{{ 7*7 }}",
	"' or 1=1 --",
)


class TestFuzzed(MarketingTestCase):
	def setUp(self):
		super().setUp()
		only = replaced_hooks(lifecycle_checks={"Consent": ["marketing_automation.checks.consent.CHECK"]})
		self.enterContext(patch.object(frappe, "get_hooks", only))
		# Otherwise nearly all answers are that there were too many.
		self.enterContext(patch.object(preferences, "MOST_INVALID", REQUESTS))
		factories.pin(factories.customer(), in_days(30))
		self.campaign = factories.campaign()
		self.run_night()
		(row,) = self.ledger()
		self.token = links.token(links.MESSAGE, row.name)
		params = {"email": row.recipient, "doctype": "Lifecycle Campaign", "name": self.campaign.name}
		self.signed = get_signed_params(params)
		frappe.db.commit()

	def test_no_error_and_no_change(self):
		dice = random.Random(4711)
		before, seen = self.everything(), set()
		with served() as site:
			address = urlsplit(site)
			connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
			for number in range(REQUESTS):
				method, path, body, headers = self.request(dice)
				try:
					connection.request(method, path, body, headers)
					response = connection.getresponse()
					text = response.read().decode("utf-8", "replace")
				except (http.client.HTTPException, OSError):
					# The server has ended a connection that has said what is no HTTP.
					connection.close()
					continue
				seen.add(response.status)
				self.assertLess(response.status, 500, (number, method, path, body, headers, text[-3000:]))
		self.assertLessEqual({200, 404}, seen)
		now = self.everything()
		self.assertEqual({table for table in now if now[table] != before.get(table)}, set())

	def everything(self) -> dict[str, int]:
		frappe.db.rollback()
		tables = [table for table in frappe.db.get_tables(cached=False) if not table.startswith("__")]
		return dict(frappe.db.sql("checksum table " + ", ".join(f"`{table}`" for table in tables)))

	def request(self, dice: random.Random) -> tuple:
		"""Return (method, path, body, headers). With a good token it says nothing that the page acts on."""
		method = dice.choice(("GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE", "OPTIONS"))
		good = dice.random() < 0.2
		token = self.token if good else self.any_token(dice)
		fields = [(dice.choice(FIELDS[1:]), self.any_value(dice)) for _ in range(dice.randrange(5))]
		if dice.random() < 0.3 and not good:
			fields.append(dice.choice((("do", "all"), ("do", "back"), ("List-Unsubscribe", "One-Click"))))
		if dice.random() < 0.25:
			query = self.changed(dice, self.signed) if dice.random() < 0.7 else urlencode(fields)
			return dice.choice(("GET", "HEAD", "POST")), f"{METHOD}?{query}", None, {}
		path = f"/{links.PAGE}{dice.choice(('', '', '', '/', '.html', '/x'))}?{urlencode([('t', token)])}"
		if method in ("GET", "HEAD"):
			return method, f"{path}&{urlencode(fields)}", None, self.any_headers(dice)
		kind = dice.choice(
			("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "")
		)
		body = urlencode(fields).encode() if dice.random() < 0.6 else dice.randbytes(dice.randrange(200))
		return method, path, body, {**self.any_headers(dice), **({"Content-Type": kind} if kind else {})}

	def any_token(self, dice: random.Random) -> str:
		return dice.choice(
			(
				self.changed(dice, self.token),
				"".join(dice.choice(links.TOKEN.pattern[1:5] + LETTERS) for _ in range(dice.randrange(80))),
				"A" * dice.randrange(1200),
			)
		)

	def any_value(self, dice: random.Random) -> str:
		if dice.random() < 0.5:
			return dice.choice(VALUES)
		return "".join(dice.choice(LETTERS) for _ in range(dice.randrange(40)))

	def any_headers(self, dice: random.Random) -> dict[str, str]:
		headers = {}
		if dice.random() < 0.3:
			headers["Accept-Language"] = dice.choice(("es", "ar,fa;q=0.5", "x" * 50, "zz-ZZ;q=nan", ""))
		if dice.random() < 0.2:
			headers["X-Forwarded-For"] = dice.choice(("203.0.113.7", "x, y", ""))
		if dice.random() < 0.1:
			headers["Accept"] = "application/json"
		return headers

	@staticmethod
	def changed(dice: random.Random, text: str) -> str:
		"""Return a text with a character changed, taken away, added or doubled."""
		place = dice.randrange(len(text))
		letter = dice.choice(string.ascii_letters + string.digits + "-_&=%")
		changed = dice.choice(
			(
				text[:place] + letter + text[place + 1 :],
				text[:place] + text[place + 1 :],
				text[:place] + letter + text[place:],
				text + text,
			)
		)
		return changed if changed != text else text[:-1]
