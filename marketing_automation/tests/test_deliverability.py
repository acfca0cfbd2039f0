"""What stands in the way of mails that arrive, each told with how to mend it; what nobody knows is not said to be wrong."""

import base64
import time
from contextlib import contextmanager
from unittest.mock import patch

import frappe

from marketing_automation import api
from marketing_automation.deliverability import (
	alignment,
	dkim,
	dmarc,
	dns,
	images,
	leftovers,
	links,
	one_click,
	postal_address,
	ptr,
	size,
	spam,
	spf,
	subjects,
	text_part,
)
from marketing_automation.desk import deliverability as desk
from marketing_automation.engine import brand, deliverability
from marketing_automation.engine.deliverability import (
	ADVICE,
	DOMAIN,
	MAILS,
	OK,
	UNKNOWN,
	WRONG,
	Asked,
	Mail,
	NoAnswer,
	Sender,
)
from marketing_automation.tests import dns_sink, factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days

# As long as those of RSA keys are.
KEY_1024, KEY_2048 = (base64.b64encode(b"x" * length).decode() for length in (162, 294))
GOOD = {
	("shop.example", "TXT"): ["some-site-verification=1", "v=spf1 include:_spf.google.com ~all"],
	("_spf.google.com", "TXT"): ["v=spf1 ip4:192.0.2.0/24 ~all"],
	("google._domainkey.shop.example", "TXT"): [f"v=DKIM1; k=rsa; p={KEY_2048}"],
	("_dmarc.shop.example", "TXT"): ["v=DMARC1; p=none; rua=mailto:dmarc@shop.example"],
}
BRAND = brand.made("Pins", None, None, {}, {"sender_name": "Pins", "postal_address": "1 Main Street"})


def sender(**fields) -> Sender:
	return Sender(
		**{
			"address": "news@shop.example",
			"domain": "shop.example",
			"login": "news@shop.example",
			"server": "smtp.gmail.com",
			**fields,
		}
	)


class TestDomain(MarketingTestCase):
	@contextmanager
	def dns(self, *changes: dict, **options):
		records = dict(GOOD)
		for change in changes:
			records |= change
		zone = dns_sink.Zone({key: texts for key, texts in records.items() if texts is not None})
		for name, value in options.items():
			setattr(zone, name, value)
		with dns_sink.listening(zone) as resolver:
			yield dns.Resolver(resolver), zone

	def looked(self, check, *changes: dict, address="https://shop.example", of=None, **fields):
		"""Return {level: [text]} of a check, each with something to do unless all is well."""
		with self.dns(*changes) as (resolver, _zone):
			asked = Asked(of or sender(**fields), resolver, brand=BRAND, address=address)
			found = check.CHECK.look(asked)
		for finding in found:
			self.assertEqual(bool(finding.mend), finding.level != OK, finding)
		levels = {}
		for finding in found:
			levels.setdefault(finding.level, []).append(finding.text)
		return levels

	def test_a_domain_that_is_set_up_has_nothing_to_mend(self):
		for check in (spf, dkim, dmarc, alignment, one_click, postal_address):
			with self.subTest(check.__name__):
				self.assertEqual(list(self.looked(check)), [OK])

	def test_spf(self):
		for texts, server, level, word in (
			(None, "smtp.gmail.com", WRONG, "no SPF"),
			(["v=spf1 a ~all", "v=spf1 mx ~all"], "smtp.gmail.com", WRONG, "2"),
			(["v=spf1 include:_spf.google.com +all"], "smtp.gmail.com", WRONG, "+all"),
			(["v=spf1 include:_spf.google.com all"], "smtp.gmail.com", WRONG, "+all"),
			(["v=spf1 " + " ".join(f"a:h{n}.example" for n in range(11)) + " ~all"], None, WRONG, "11"),
			(["v=spf1 mx ~all"], "smtp.gmail.com", ADVICE, "Google"),
			(["v=spf1 ip4:8.8.4.4 ~all"], "mail.shop.example", ADVICE, "8.8.8.8"),
			(["v=spf1 ip4:8.8.0.0/16 -all"], "mail.shop.example", OK, ""),
			(["v=spf1 ip6:2001:db8::/32 a:mail.shop.example -all"], "mail.shop.example", OK, ""),
			(["v=spf1 mx -all"], "mail.shop.example", OK, ""),
			(["v=spf1 redirect=_spf.google.com"], "smtp.gmail.com", OK, ""),
			# What nobody reads here may allow it.
			(["v=spf1 exists:%{i}.spf.example -all"], "mail.shop.example", OK, ""),
		):
			with self.subTest(texts):
				more = {
					("shop.example", "TXT"): texts,
					("mail.shop.example", "A"): ["8.8.8.8"],
					("shop.example", "MX"): ["10 mail.shop.example."],
				}
				found = self.looked(spf, more, server=server)
				self.assertEqual(list(found), [level])
				self.assertIn(word, found[level][0])

	def test_spf_that_includes_itself_ends(self):
		loop = {("shop.example", "TXT"): ["v=spf1 include:shop.example include:_spf.google.com ~all"]}
		self.assertEqual(list(self.looked(spf, loop)), [OK])

	def test_dkim(self):
		key = ("google._domainkey.shop.example", "TXT")
		for change, fields, level, word in (
			({key: None}, {}, WRONG, "no DKIM key"),
			({key: [f"v=DKIM1; p={KEY_1024}"]}, {}, ADVICE, "1024"),
			({key: ["v=DKIM1; p="]}, {}, WRONG, "withdrawn"),
			({key: ["v=DKIM1; p=no key"]}, {}, WRONG, "too short"),
			({key: [f"k=ed25519; p={base64.b64encode(b'x' * 32).decode()}"]}, {}, OK, "google"),
			# Of a server that is not known nobody knows the selector.
			({}, {"server": "mail.shop.example"}, UNKNOWN, "not under a name"),
			({}, {"server": "mail.shop.example", "selectors": ("google",)}, OK, "google"),
			({}, {"selectors": ("other",)}, WRONG, "other"),
		):
			with self.subTest(change=change, fields=fields):
				found = self.looked(dkim, change, **fields)
				self.assertEqual(list(found), [level])
				self.assertIn(word, found[level][0])

	def test_dkim_where_a_server_denies_the_name_above_its_keys(self):
		with patch.object(dns.Resolver, "exists", return_value=False):
			self.assertEqual(list(self.looked(dkim)), [OK])

	def test_dmarc_of_the_domain_or_of_one_above_it(self):
		record = ("_dmarc.shop.example", "TXT")
		for texts, domain, level in (
			(None, "shop.example", WRONG),
			(["v=DMARC1; p=reject"], "shop.example", OK),
			(["v=DMARC1; p=reject"], "news.shop.example", OK),
			(["v=DMARC1; p=none"], "shop.example", ADVICE),
			(["v=DMARC1; p=perhaps"], "shop.example", WRONG),
			(["v=DMARC1; p=none", "v=DMARC1; p=reject"], "shop.example", WRONG),
			(["v=spf1 -all"], "shop.example", WRONG),
		):
			with self.subTest(texts=texts, domain=domain):
				self.assertEqual(list(self.looked(dmarc, {record: texts}, domain=domain)), [level])

	def test_the_top_level_domain_is_not_asked(self):
		with self.dns({("_dmarc.shop.example", "TXT"): None}) as (resolver, zone):
			dmarc.CHECK.look(Asked(sender(domain="a.b.shop.example"), resolver))
		self.assertEqual(
			[name for name, _kind in zone.asked],
			["_dmarc.a.b.shop.example", "_dmarc.b.shop.example", "_dmarc.shop.example"],
		)

	def test_alignment(self):
		for fields, level in (
			({"domain": "gmail.com", "server": "mail.shop.example"}, WRONG),
			({"domain": "gmail.com", "server": "smtp.gmail.com", "login": "a@gmail.com"}, OK),
			({"login": "shop@another.example"}, ADVICE),
			({"login": "shop@mail.shop.example"}, OK),
			({"domain": "news.shop.example"}, OK),
			# A key, as providers give them.
			({"login": "apikey"}, OK),
			({"login": None}, OK),
		):
			with self.subTest(fields):
				self.assertEqual(list(self.looked(alignment, **fields)), [level])

	def test_ptr_of_a_server_that_is_no_providers(self):
		reverse = ("8.8.8.8.in-addr.arpa", "PTR")
		forward = {("mail.shop.example", "A"): ["8.8.8.8"]}
		for change, server, expected in (
			({**forward, reverse: ["mail.shop.example."]}, "mail.shop.example", [OK]),
			({**forward, reverse: ["else.example."]}, "mail.shop.example", [ADVICE]),
			(forward, "mail.shop.example", [ADVICE]),
			({("mail.shop.example", "A"): ["10.0.0.1"]}, "mail.shop.example", [UNKNOWN]),
			({}, "127.0.0.1", [UNKNOWN]),
			({}, "smtp.gmail.com", []),
			({}, None, []),
		):
			with self.subTest(change=change, server=server):
				self.assertEqual(list(self.looked(ptr, change, server=server)), expected)

	def test_one_click_needs_https(self):
		for address, level in (
			("https://shop.example", OK),
			("http://shop.example", WRONG),
			(None, WRONG),
		):
			self.assertEqual(list(self.looked(one_click, address=address)), [level], address)

	def test_one_click_is_asked_of_marketing_only(self):
		for address, levels in ((None, []), ("http://shop.example", []), ("https://shop.example", [OK])):
			asked = Asked(sender(), None, brand=BRAND, address=address, is_marketing=False)
			self.assertEqual([one.level for one in one_click.CHECK.look(asked)], levels, address)

	def test_a_postal_address_only_where_it_is_marketing(self):
		bare = brand.made("Pins", None, None, {}, {"sender_name": "Pins"})
		with self.dns() as (resolver, _zone):
			for is_marketing, countries, levels in (
				(True, ("Chile", ""), [WRONG]),
				(True, (), [ADVICE]),
				(False, ("Chile",), []),
			):
				asked = Asked(sender(), resolver, brand=bare, is_marketing=is_marketing, countries=countries)
				found = postal_address.CHECK.look(asked)
				self.assertEqual([one.level for one in found], levels)
				self.assertEqual(
					"Chile, the country of the company" in str(found), countries == ("Chile", "")
				)

	def test_what_the_dns_does_not_say_is_unknown_and_not_wrong(self):
		for option in ("silent", "broken"):
			with (
				self.subTest(option),
				self.dns(**{option: True}) as (resolver, zone),
				patch.object(dns, "PATIENCE", 0.3),
			):
				began = time.monotonic()
				for check in (spf, dkim, dmarc, ptr):
					with self.assertRaises(NoAnswer):
						check.CHECK.look(Asked(sender(server="mail.shop.example"), resolver))
				self.assertLess(time.monotonic() - began, 3)
				# Who waits in vain twice stops asking.
				self.assertLessEqual(len(set(zone.asked)), dns.MOST_IN_VAIN)

	def test_without_the_library_it_is_unknown(self):
		with (
			patch.dict("sys.modules", {"dns.resolver": None, "dns": None, "dns.exception": None}),
			self.assertRaises(NoAnswer),
		):
			dns.Resolver().ask("shop.example", "TXT")

	def test_no_name_of_the_dns_is_unknown_too(self):
		with self.dns() as (resolver, _zone), self.assertRaises(NoAnswer):
			resolver.ask(f"{'x' * 70}.example", "TXT")


def mail(body: str, subject: str = "Your pin ends in a week", **fields) -> Mail:
	text = frappe.utils.strip_html(body)
	return Mail(
		**{
			"label": "Reminder (en)",
			"subject": subject,
			"html": body,
			"body": body,
			"body_text": text,
			"subjects": {"1 day before": subject},
			"names": frozenset({"customer_name", "items"}),
			**fields,
		}
	)


LONG_TEXT = "<p>Dear Ana, your pin ends in a week. Renew it to go on reading, or answer this mail.</p>"


class TestMails(MarketingTestCase):
	def levels(self, check, *mails: Mail) -> list[str]:
		with dns_sink.listening(dns_sink.Zone({})) as resolver:
			found = check.CHECK.look(Asked(sender(), dns.Resolver(resolver), mails))
		for finding in found:
			self.assertTrue(finding.mend)
			self.assertTrue(finding.text.startswith("Reminder (en)"), finding.text)
		return [finding.level for finding in found]

	def test_a_good_mail_has_nothing_to_mend(self):
		good = mail(
			LONG_TEXT
			+ '<a href="https://shop.example/renew">Renew</a> <a href="mailto:a@shop.example">Write</a>'
			'<img src="/files/pin.png" alt="A pin">'
		)
		for check in (text_part, size, links, images, subjects, leftovers, spam):
			self.assertEqual(self.levels(check, good), [], check.__name__)

	def test_each_mistake_is_found_once(self):
		for check, made, level in (
			(text_part, mail('<img src="/files/a.png" alt="x">'), ADVICE),
			(size, mail("x" * 103_000), WRONG),
			(size, mail("ñ" * 45_000), ADVICE),
			(links, mail('<a href="http://shop.example">x</a>'), ADVICE),
			(links, mail('<a href="shop.example">x</a>'), WRONG),
			(links, mail('<a href="https://">x</a>'), WRONG),
			(links, mail('<a href="https://bit.ly/x">x</a>'), ADVICE),
			(images, mail('<img src="https://shop.example/a.png">'), ADVICE),
			(images, mail('<img src="/private/files/a.png" alt="x">'), WRONG),
			(images, mail('<img src="data:image/png;base64,xx" alt="">'), ADVICE),
			(subjects, mail(LONG_TEXT, subjects={"On the day": "", "1 day before": "x"}), WRONG),
			(subjects, mail(LONG_TEXT, "x " * 50), ADVICE),
			(leftovers, mail("<p>Dear {customer_name}</p>"), WRONG),
			(leftovers, mail(LONG_TEXT, "Dear *|FNAME|*"), WRONG),
			(spam, mail(LONG_TEXT, "RENEW YOUR PINS TODAY"), ADVICE),
			(spam, mail(LONG_TEXT, "Renew now!!!"), ADVICE),
			(spam, mail(LONG_TEXT, "Re: your pin"), ADVICE),
			(spam, mail(LONG_TEXT + "<p>Act now</p>"), ADVICE),
			(spam, mail('<img src="a.png" alt=""><p>Buy</p>'), ADVICE),
		):
			with self.subTest(check=check.__name__, body=made.body[:40], subject=made.subject):
				self.assertEqual(self.levels(check, made), [level])

	def test_decoration_may_be_without_words_and_styles_are_no_words(self):
		self.assertEqual(self.levels(images, mail('<img src="/files/a.png" alt="">')), [])
		self.assertEqual(self.levels(spam, mail("<style>!!! $$$</style>" + LONG_TEXT)), [])


class TestOfCampaigns(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.account = self.email_account("news@shop.example", smtp_server="smtp.gmail.com")
		zone = dns_sink.Zone(dict(GOOD))
		self.zone = zone
		resolver = self.enterContext(dns_sink.listening(zone))
		self.enterContext(patch.object(dns, "of_the_system", lambda: resolver))
		self.enterContext(patch.dict(frappe.local.conf, {"host_name": "https://shop.example"}))
		frappe.cache().delete_keys(desk._CACHE)

	def found(self, again: bool = True, **fields) -> list[dict]:
		campaign = factories.campaign(active=False, sender="Shop <news@shop.example>", **fields)
		frappe.db.commit()
		return api.deliverability(campaign.name, again=again)

	def test_the_form_of_a_campaign_says_once_that_there_is_no_way_out_by_one_click(self):
		with patch.dict(frappe.local.conf, {"host_name": ""}):
			found = self.found(purpose="Marketing")
			(campaign,) = frappe.get_all(
				"Lifecycle Campaign", pluck="name", order_by="creation desc", limit=1
			)
			of_form = [row["text"] for row in (*found, *api.health(campaign))]
			self.assertEqual(
				len([text for text in of_form if text.startswith("Nobody has said")]), 1, of_form
			)
			# Where nothing else says it, the bar does.
			frappe.db.set_value("Lifecycle Campaign", campaign, "is_active", 1)
			self.assertIn("Nobody has said at which", " ".join(row["text"] for row in api.health()))

	def test_every_check_is_asked_and_the_worst_comes_first(self):
		del self.zone.records["_dmarc.shop.example", "TXT"]
		template = factories.template(response='<p>Dear {{ customer_name }}</p><img src="/files/x.png">')
		found = self.found(email_template=template)
		levels = [row["level"] for row in found]
		self.assertEqual(levels, sorted(levels, key=desk.LEVELS.index))
		by_check = {row["check"]: row for row in found}
		self.assertEqual(by_check["DMARC: nobody else can send in your name"]["level"], WRONG)
		self.assertEqual(by_check["SPF: who may send for the domain"]["level"], OK)
		self.assertIn("/files/x.png", by_check["Pictures"]["text"])

	def test_each_language_is_looked_at(self):
		campaign = factories.campaign(active=False, sender="news@shop.example")
		action = frappe.get_doc("Lifecycle Action", {"campaign": campaign.name})
		spanish = factories.template(
			response='<p>Hola, {{ customer_name }}</p><a href="http://x.example">x</a>'
		)
		action.append("translations", {"language": "es", "email_template": spanish})
		action.save()
		frappe.db.commit()
		(row,) = (row for row in api.deliverability(campaign.name) if row["check"] == "Links")
		self.assertIn("(es)", row["text"])

	def test_the_way_out_of_a_design_is_no_mistake_and_a_mistake_of_two_actions_is_named_once(self):
		name = api.make_from_recipe("batch_expiry", factories.unique("Test"), "30, 7", "en")
		frappe.db.set_value("Lifecycle Campaign", name, "sender", "news@shop.example")
		frappe.db.commit()
		self.assertEqual([row for row in api.deliverability(name) if row["check"] == "Links"], [])
		template = factories.template(response='<p>Dear {{ customer_name }}</p><a href="shop">x</a>')
		for action in frappe.get_all("Lifecycle Action", {"campaign": name}, pluck="name"):
			frappe.db.set_value("Lifecycle Action", action, {"email_template": template, "action_name": "x"})
		frappe.db.commit()
		self.assertEqual(len([row for row in api.deliverability(name) if row["check"] == "Links"]), 1)

	def test_the_dns_is_not_asked_inside_a_transaction_nor_again_within_minutes(self):
		seen, of_zone = [], self.zone.answer

		def answer(wire):
			seen.append(1)
			return of_zone(wire)

		with (
			patch.object(self.zone, "answer", answer),
			patch.object(frappe.db, "sql", side_effect=frappe.db.sql) as queries,
		):
			counts = []
			ask = dns.Resolver.ask

			def counted(resolver, name, kind):
				counts.append(queries.call_count)
				return ask(resolver, name, kind)

			with patch.object(dns.Resolver, "ask", counted):
				campaign = factories.campaign(active=False, sender="news@shop.example")
				frappe.db.commit()
				api.deliverability(campaign.name)
				first = len(seen)
				self.assertEqual(len(set(counts)), 1, "no query between the questions")
				api.deliverability(campaign.name)
				self.assertEqual(len(seen), first)
				api.deliverability(campaign.name, again=1)
				self.assertGreater(len(seen), first)

	def test_what_nobody_could_find_out_is_asked_again_soon(self):
		self.zone.silent = True
		campaign = factories.campaign(active=False, sender="news@shop.example")
		frappe.db.commit()
		self.enterContext(patch.object(desk, "REMEMBERED_UNKNOWN", 1))
		with patch.object(dns, "PATIENCE", 0.2):
			levels = {row["check"]: row["level"] for row in api.deliverability(campaign.name)}
		self.assertEqual(levels["SPF: who may send for the domain"], UNKNOWN)
		self.zone.silent = False
		time.sleep(1.1)
		# What one request has read it goes on remembering; the next one begins anew.
		frappe.local.cache.clear()
		levels = {row["check"]: row["level"] for row in api.deliverability(campaign.name)}
		self.assertEqual(levels["SPF: who may send for the domain"], OK)

	def test_the_settings_show_the_domain_of_the_site(self):
		found = api.deliverability()
		self.assertNotIn("Links", {row["check"] for row in found})

	def test_who_may_not_see_the_campaign_is_not_told(self):
		campaign = factories.campaign(active=False)
		frappe.db.commit()
		user = factories.user("Stock User")
		self.addCleanup(frappe.set_user, "Administrator")
		frappe.set_user(user)
		for arguments in ({"campaign": campaign.name}, {}):
			with self.assertRaises(frappe.PermissionError):
				api.deliverability(**arguments)

	def test_each_check_keeps_the_contract_and_says_what_it_looks_at(self):
		found = deliverability.checks()
		self.assertGreaterEqual(len(found), 14)
		for key, check in found.items():
			with self.subTest(key):
				self.assertIsInstance(check, deliverability.Check)
				self.assertIn(check.looks_at, (DOMAIN, MAILS))
				self.assertTrue(check.label)

	def test_it_says_what_arrives(self):
		"""What the examples show is what the mails have, of a company with a brand."""
		factories.pin(factories.customer(), in_days(30))
		campaign = factories.campaign(active=False, sender="news@shop.example")
		(made,) = desk._mails(campaign)
		self.assertIn("lifecycle-mail", made.html)
		self.assertTrue(made.subject)

	def test_a_designed_mail_is_looked_at_as_it_leaves(self):
		campaign = api.make_from_recipe(
			"subscription_renewal", factories.unique("Test"), days="30", language="en"
		)
		frappe.db.commit()
		mails = list(desk._mails(frappe.get_doc("Lifecycle Campaign", campaign)))
		self.assertEqual(len(mails), 2)
		for made in mails:
			self.assertEqual(made.html.lower().count("<body"), 1)
			self.assertNotIn("<!--unsubscribe_url-->", made.html)
			self.assertGreater(len(made.body_text), 50)
		# A recipe that we ship has nothing to mend.
		found = [
			row
			for row in api.deliverability(campaign)
			if row["check"] in ("Links", "Pictures", "Braces left over")
		]
		self.assertEqual([row for row in found if row["level"] == WRONG], [])
