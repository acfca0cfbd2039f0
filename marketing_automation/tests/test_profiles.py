"""Country profiles: what is shipped says where it comes from, what a site changes holds, and mails say what they must."""

import unittest
from datetime import date
from unittest.mock import patch

import frappe

from marketing_automation import api
from marketing_automation.desk import countries, health
from marketing_automation.engine import once, profiles
from marketing_automation.engine.profiles import NOWHERE, Country, required_texts, shipped, shipped_for, zones
from marketing_automation.tests import designs as examples
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, mail_parts, mail_subject, statements
from marketing_automation.tests.factories import in_days

SPAIN, PERU, ARGENTINA, CHILE, CANADA = (
	Country(name, code)
	for name, code in (
		("Spain", "ES"),
		("Peru", "PE"),
		("Argentina", "AR"),
		("Chile", "CL"),
		("Canada", "CA"),
	)
)
COLOMBIA, STATES = Country("Colombia", "CO"), Country("United States", "US")
# {field: how strict a value is}.
STRICTNESS = {
	"existing_customer": lambda value: (
		-(profiles.NO_SALE, profiles.SAME_GROUP, profiles.ANY_SALE).index(value)
	),
	"hours": lambda value: value is not None,
	"national_holidays": bool,
	"postal_address": bool,
	"per_week": lambda value: -(value or 10_000),
	"per_day": lambda value: -(value or 10_000),
	"subject": bool,
}


class TestWhatIsShipped(unittest.TestCase):
	def test_it_is_whole_and_says_where_it_comes_from(self):
		self.assertLessEqual(
			{"default", "eu", "es", "co", "pe", "ar", "mx", "cl", "br", "us"}, set(shipped())
		)
		for key, of_key in shipped().items():
			with self.subTest(key):
				profile = shipped_for(Country(of_key["title"], (of_key["countries"] or [None])[0]))
				self.assertIn(
					profile.existing_customer,
					STRICTNESS and (profiles.NO_SALE, profiles.SAME_GROUP, profiles.ANY_SALE),
				)
				self.assertEqual(profile.sale_days > 0, profile.existing_customer != profiles.NO_SALE)
				self.assertEqual(bool(profile.sources), profile.checked)
				self.assertTrue(all(source for _of, source in profile.sources))
				self.assertLessEqual(
					{of for of, _source in profile.sources}, {*countries.FIELDS, "unsubscribe"}
				)
				if profile.checked:
					# What is asked for beyond the least has its source.
					named = {of for of, _source in profile.sources}
					for field in ("hours", "subject", "foot", "postal_address", "per_week", "per_day"):
						if getattr(profile, field):
							self.assertIn(field, named)

	def test_no_country_has_two(self):
		codes = [code for of_key in shipped().values() for code in of_key["countries"]]
		self.assertEqual(len(codes), len(set(codes)))
		self.assertEqual(len(shipped()["eu"]["countries"]) + 1, 27)

	def test_who_was_not_checked_gets_the_strictest_of_all(self):
		checked = [shipped_for(country) for country in (SPAIN, PERU, ARGENTINA, COLOMBIA, STATES)]
		for country in (CHILE, CANADA, NOWHERE, Country("Mexico", "MX"), Country("Brazil", "BR")):
			profile = shipped_for(country)
			self.assertFalse(profile.checked)
			self.assertEqual(profile.sources, ())
			for field, strictness in STRICTNESS.items():
				most = max(strictness(getattr(other, field)) for other in checked)
				self.assertGreaterEqual(strictness(getattr(profile, field)), most, (country, field))

	def test_colombias_hours(self):
		law = shipped_for(COLOMBIA).law((2026,))
		self.assertEqual(law.on(date(2026, 11, 27)), (7 * 60, 19 * 60))
		self.assertEqual(law.on(date(2026, 11, 28)), (8 * 60, 15 * 60))
		self.assertIsNone(law.on(date(2026, 11, 29)))
		self.assertIsNone(law.on(date(2026, 12, 8)))

	def test_where_nobody_knows_public_holidays_the_weekdays_are_left(self):
		profiles.national_holidays.cache_clear()
		with patch.object(profiles, "knows_holidays", lambda: False):
			law = shipped_for(COLOMBIA).law((2026,))
		profiles.national_holidays.cache_clear()
		self.assertEqual(law.on(date(2026, 12, 8)), (7 * 60, 19 * 60))
		self.assertIsNone(law.on(date(2026, 11, 29)))

	def test_a_country_without_holidays_in_the_library_has_none(self):
		self.assertEqual(profiles.national_holidays("XX", (2026,)), frozenset())

	def test_clocks(self):
		self.assertEqual(shipped_for(SPAIN).zones[0], "Europe/Madrid")
		for code, capital in (
			("RU", "Europe/Moscow"),
			("BR", "America/Sao_Paulo"),
			("CA", "America/Toronto"),
			("AU", "Australia/Sydney"),
			("US", "America/New_York"),
			("MX", "America/Mexico_City"),
		):
			self.assertEqual(zones(code)[0], capital)
		self.assertEqual(shipped_for(COLOMBIA).zones, ("America/Bogota",))
		self.assertGreater(len(shipped_for(STATES).zones), 5)
		self.assertEqual(shipped_for(NOWHERE).zones, ())

	def test_texts_in_a_language(self):
		self.assertEqual(required_texts(shipped_for(PERU), "en"), ("PUBLICIDAD", ""))
		self.assertEqual(required_texts(shipped_for(STATES), "es-MX").foot, "Este mensaje es publicidad.")
		self.assertEqual(required_texts(shipped_for(STATES), "de").foot, "This message is an advertisement.")
		self.assertEqual(required_texts(shipped_for(CHILE), "es").subject, "PUBLICIDAD")
		self.assertEqual(required_texts(shipped_for(SPAIN), "es"), ("", ""))


class ProfileTestCase(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.addCleanup(self._put_back)
		self.home("Spain")

	def _put_back(self):
		frappe.db.rollback()
		frappe.set_user("Administrator")
		frappe.db.delete(profiles.DOCTYPE)
		self.home("Colombia")
		frappe.db.commit()

	def home(self, country: str) -> None:
		frappe.db.set_value("Company", factories.company(), "country", country)

	def address(self, customer: str, country: str, **fields):
		return factories.make(
			"Address",
			**{
				"address_title": customer,
				"address_type": "Shipping",
				"address_line1": "Test",
				"city": "Test",
				"country": country,
				"links": [{"link_doctype": "Customer", "link_name": customer}],
				**fields,
			},
		)

	def country(self, customer: str | None, company: str | None = None) -> str | None:
		(found,) = profiles.countries([(customer, company or factories.company())])
		return found.name


class TestWhoseCountry(ProfileTestCase):
	def test_of_the_address_and_which_of_several(self):
		ana = factories.customer()
		self.assertEqual(self.country(ana), "Spain")
		self.address(ana, "Chile")
		self.assertEqual(self.country(ana), "Chile")
		self.address(ana, "Peru", address_type="Billing")
		self.assertEqual(self.country(ana), "Peru")
		self.address(ana, "Argentina", is_primary_address=1)
		self.assertEqual(self.country(ana), "Argentina")
		chosen = self.address(ana, "Mexico")
		frappe.db.set_value("Customer", ana, "customer_primary_address", chosen.name)
		self.assertEqual(self.country(ana), "Mexico")
		chosen.disabled = 1
		chosen.save()
		self.assertEqual(self.country(ana), "Argentina")

	def test_of_nobody_it_is_the_companys(self):
		self.assertEqual(self.country(None), "Spain")
		self.assertEqual(self.country("Nobody", factories.second_company()), "United States")

	def test_as_many_queries_for_many(self):
		def queries(count: int) -> int:
			pairs = []
			for number in range(count):
				customer = factories.customer()
				if number % 2:
					self.address(customer, "Chile")
				pairs.append((customer, factories.company()))
			profiles.profiles(pairs)
			with statements() as seen:
				self.assertEqual(len(profiles.profiles(pairs)), count)
			return len(seen)

		self.assertEqual(queries(2), queries(20))
		self.assertEqual(profiles.profiles([]), [])

	def test_within_one_question_it_is_looked_up_once(self):
		pairs = [(factories.customer(), factories.company())]
		with once.looked_up_once():
			profiles.profiles(pairs)
			with statements() as seen:
				profiles.profiles(pairs)
		self.assertEqual(seen[1:], [])


class TestWhatASiteChanges(ProfileTestCase):
	def changed(self, country: str = "Peru", **fields):
		frappe.db.delete(profiles.DOCTYPE)
		return factories.make(profiles.DOCTYPE, country=country, **fields)

	def holds(self):
		return profiles.profile_of(PERU)

	def test_nothing_changed_is_as_shipped(self):
		self.changed()
		self.assertEqual(self.holds(), shipped_for(PERU))

	def test_each_field(self):
		self.changed(existing_customer="Any sale")
		self.assertEqual((self.holds().existing_customer, self.holds().sale_days), ("Any sale", 730))
		self.changed(existing_customer="Same item group", sale_days=90)
		self.assertEqual(self.holds().sale_days, 90)
		self.changed(hours="Own hours", weekdays_from="08:00:00", weekdays_until="20:00:00")
		self.assertEqual(self.holds().hours, (*((480, 1200),) * 5, None, None))
		self.changed("Colombia", hours="Any hour", national_holidays="Open")
		self.assertIsNone(profiles.profile_of(COLOMBIA).law((2026,)))
		self.changed(subject_rule="Own text", subject=" Anuncio \n ")
		self.assertEqual(required_texts(self.holds(), "es").subject, "Anuncio")
		self.changed(subject_rule="Own text", subject="")
		self.assertEqual(required_texts(self.holds(), "es").subject, "")
		self.changed(foot_rule="Own text", foot="Ours")
		self.assertEqual(required_texts(self.holds(), "es").foot, "Ours")
		self.changed(per_week=2)
		self.assertEqual((self.holds().per_week, self.holds().per_day), (2, shipped_for(PERU).per_day))
		self.changed(per_day=3)
		self.assertEqual((self.holds().per_week, self.holds().per_day), (shipped_for(PERU).per_week, 3))
		# Unchecked ones are shipped with both.
		self.changed("Chile", any_per_day=1, any_per_week=1, per_week=4)
		self.assertEqual(
			(profiles.profile_of(CHILE).per_week, profiles.profile_of(CHILE).per_day), (None, None)
		)
		self.assertEqual(profiles.profile_of(CHILE).changed, ("per_week", "per_day"))
		self.assertTrue(shipped_for(CHILE).postal_address)
		self.changed("Chile", postal_address="Not asked for")
		self.assertFalse(profiles.profile_of(CHILE).postal_address)
		self.changed(postal_address="Asked for")
		self.assertTrue(self.holds().postal_address)

	def test_each_rule_of_a_profile_can_be_changed(self):
		meta = frappe.get_meta(profiles.DOCTYPE)
		self.assertEqual([field for field in countries.FIELDS if not meta.has_field(field)], [])

	def test_a_cap_of_the_sites_own_holds_a_message_back(self):
		self.changed("Spain", per_day=1, hours="Any hour", existing_customer="Any sale")
		factories.pin(factories.customer(), in_days(30))
		for _number in range(2):
			factories.campaign(purpose="Marketing")
		self.run_night()
		self.assertEqual(sorted(row.reason or "" for row in self.ledger()), ["", "Frequency cap"])

	def test_a_postal_address_is_asked_for_where_a_law_of_a_customers_country_wants_it(self):
		everywhere = lambda: profiles.want_postal_address(factories.company())  # noqa: E731
		self.assertNotIn("Peru", everywhere())
		self.address(factories.customer(), "Peru")
		self.assertNotIn("Peru", everywhere())
		self.changed(postal_address="Asked for")
		self.assertIn("Peru", everywhere())
		self.home("Chile")
		self.assertIn("Chile", everywhere())
		self.changed("Chile", postal_address="Not asked for")
		self.assertNotIn("Chile", everywhere())

	def test_another_country_stays_as_shipped(self):
		self.changed(existing_customer="Any sale")
		self.assertEqual(profiles.profile_of(CHILE), shipped_for(CHILE))

	def test_hours_that_are_none_are_refused(self):
		for hours in (
			{},
			{"weekdays_from": "09:00:00"},
			{"weekdays_from": "18:00:00", "weekdays_until": "09:00:00"},
		):
			doc = {"doctype": profiles.DOCTYPE, "country": "Peru", "hours": "Own hours", **hours}
			with self.refused(""):
				frappe.get_doc(doc).insert()
		with self.refused("between 0 and"):
			frappe.get_doc({"doctype": profiles.DOCTYPE, "country": "Peru", "per_day": 1001}).insert()
		with self.refused("between 0 and"):
			frappe.get_doc({"doctype": profiles.DOCTYPE, "country": "Peru", "sale_days": 99999}).insert()

	def test_only_a_marketing_manager_changes_it(self):
		user = factories.user("Marketing User")
		doc = {"doctype": profiles.DOCTYPE, "country": "Peru", "existing_customer": "Any sale"}
		frappe.db.commit()
		frappe.set_user(user)
		with self.assertRaises(frappe.PermissionError):
			frappe.get_doc(doc).insert()
		self.assertEqual(api.country_profile("Peru")["title"], "Peru")
		frappe.set_user(factories.user("Sales User") if False else "Guest")
		with self.assertRaises(frappe.PermissionError):
			api.country_profile("Peru")
		frappe.set_user("Administrator")

	def test_it_is_shown_with_its_sources_and_what_it_is_not(self):
		self.changed(existing_customer="Any sale")
		found = countries.described("Peru")
		self.assertIn("Not legal advice", found["disclaimer"])
		line = next(line for line in found["lines"] if line["own"])
		self.assertIn("32323", line["source"])
		self.assertNotEqual(line["own"], line["shipped"])
		self.assertFalse(countries.described("Chile")["checked"])

	def test_the_bar_says_that_nobody_has_checked_the_law(self):
		self.home("Chile")
		campaign = factories.campaign(purpose="Marketing")
		self.assertIn("Chile", self.bar(campaign))
		self.changed("Chile", existing_customer="Any sale")
		self.assertNotIn("Chile", self.bar(campaign))

	def bar(self, campaign) -> str:
		return " ".join(problem["text"] for problem in health.problems([campaign]))


class TestWhatMailsSay(ProfileTestCase):
	def mail(self, country: str, **campaign):
		customer = factories.customer()
		self.address(customer, country)
		factories.make(
			profiles.DOCTYPE,
			country=country,
			existing_customer="Any sale",
			hours="Any hour",
			national_holidays="Open",
		)
		factories.pin(customer, in_days(30))
		factories.campaign(**{"purpose": "Marketing", **campaign})
		self.run_night()
		(mail,) = self.mails()
		return mail

	def test_peru_the_word_in_the_subject(self):
		self.assertTrue(mail_subject(self.mail("Peru")).startswith("PUBLICIDAD: "))

	def test_once_where_the_template_has_it_already(self):
		template = factories.template("Publicidad: {{ item_name }}", "Dear {{ customer_name }}")
		self.assertEqual(
			mail_subject(self.mail("Peru", email_template=template)).lower().count("publicidad"), 1
		)

	def test_argentina_the_law_in_the_foot_of_both_parts(self):
		for part in mail_parts(self.mail("Argentina")):
			self.assertIn("retiro o bloqueo de su nombre", " ".join(part.split()))

	def test_the_law_is_in_a_designed_mail_too(self):
		doc = examples.designed(examples.small("Made"))
		mail = self.mail("Argentina", email_template=examples.template_of(doc))
		plain, html = mail_parts(mail)
		self.assertEqual(html.count("<html"), 1)
		for part in (plain, html):
			self.assertEqual(" ".join(part.split()).count("retiro o bloqueo de su nombre"), 1)
		self.assertLess(html.index("bloqueo de"), html.index("</body>"))

	def test_what_offers_nothing_says_nothing_of_it(self):
		mail = self.mail("Peru", purpose="Service")
		self.assertNotIn("PUBLICIDAD", mail_subject(mail))

	def test_a_sample_reads_as_the_mail(self):
		self.mail("Peru")
		(action,) = frappe.get_all("Lifecycle Action", pluck="name")
		(pin,) = [row.reference_name for row in self.ledger()]
		self.assertTrue(api.mail(action, pin)["subject"].startswith("PUBLICIDAD: "))

	def test_a_text_with_braces_is_a_text(self):
		customer = factories.customer()
		self.address(customer, "Chile")
		factories.make(
			profiles.DOCTYPE,
			country="Chile",
			existing_customer="Any sale",
			hours="Any hour",
			national_holidays="Open",
			foot_rule="Own text",
			foot="{{ customer }} {% if %} <b>&",
		)
		factories.pin(customer, in_days(30))
		factories.campaign(purpose="Marketing")
		self.run_night()
		(mail,) = self.mails()
		self.assertIn("{{ customer }} {% if %} <b>&", " ".join(mail_parts(mail)[0].split()).replace("\\", ""))
