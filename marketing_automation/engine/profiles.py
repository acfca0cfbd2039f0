"""Country profiles: customers and companies in, the rules of their countries out. Only reads; no legal advice.

What is shipped stands in `marketing_automation/profiles/*.json`, each rule with its source; what a site has changed is in
Lifecycle Country Profile and nowhere else, so an update brings new profiles and leaves the site's own words alone. A country
that nobody has checked has the profile `default`, which has the strictest of all rules.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import frappe
from frappe.utils import cint

from marketing_automation import erpnext_schema
from marketing_automation.engine import companies, long_lists, once
from marketing_automation.engine.names import ByName
from marketing_automation.engine.windows import Hours, minutes, zone_of

FOLDER = Path(__file__).resolve().parents[1] / "profiles"
DOCTYPE = "Lifecycle Country Profile"
DEFAULT = "default"
ZONES = "zones"

# The purpose of a campaign that offers nothing.
SERVICE = "Service"

# Which sale lets us write to a customer without their consent.
NO_SALE = "No"
SAME_GROUP = "Same item group"
ANY_SALE = "Any sale"

# What a site can change. The first of each is that the shipped profile holds.
AS_SHIPPED = "As shipped"
OWN_HOURS = "Own hours"
ANY_HOUR = "Any hour"
CLOSED = "Closed"
OPEN = "Open"
ASKED_FOR = "Asked for"
NOT_ASKED_FOR = "Not asked for"
# (what a profile's hours are by, the fields of a site's own)
DAYS = ("weekdays", "saturday", "sunday")


class Country(NamedTuple):
	"""A country: its name in this site's Country, and its ISO code in capitals. Both are None where nobody knows it."""

	name: str | None = None
	code: str | None = None


NOWHERE = Country()


class Required(NamedTuple):
	"""What must stand in an advertisement. subject: a word that it begins with; foot: a text under it. Both may be empty."""

	subject: str = ""
	foot: str = ""


@dataclass(frozen=True)
class Profile:
	"""The rules of a country for what offers something.

	key: of the shipped file. checked: somebody has looked its law up. existing_customer: which sale stands for consent, one
	of NO_SALE, SAME_GROUP, ANY_SALE; sale_days: how many days old it may be. hours: when the law lets us write, by the
	customer's clock, None for any hour; national_holidays: not on those. subject, foot: {language: text}, "" for any other.
	postal_address: it has to stand in the foot. per_week, per_day: how many messages at most, None for any number.
	sources: dicts of `of` (a field) and `source`. changed: the fields that the site has its own words in.
	"""

	key: str
	title: str
	country: Country
	checked: bool
	existing_customer: str
	sale_days: int
	hours: tuple[tuple[int, int] | None, ...] | None
	national_holidays: bool
	subject: tuple[tuple[str, str], ...]
	foot: tuple[tuple[str, str], ...]
	postal_address: bool
	per_week: int | None
	per_day: int | None
	sources: tuple[tuple[str, str], ...]
	note: str
	changed: tuple[str, ...] = ()

	@property
	def zones(self) -> tuple[str, ...]:
		"""The time zones of the country that this machine knows, the one of its capital first; none where nobody knows."""
		return zones(self.country.code)

	def law(self, years: tuple[int, ...]) -> Hours | None:
		"""Return the hours of the law in some years, or None where there are none."""
		closed = national_holidays(self.country.code, years) if self.national_holidays else frozenset()
		if self.hours is None and not closed:
			return None
		return Hours(self.hours or ((0, 24 * 60),) * 7, closed)


def required_texts(profile: Profile, language: str | None) -> Required:
	"""Return what has to stand in the subject and in the foot of an advertisement in a language. No query.

	A text for "es" is also for "es-MX"; one without a language is for all others.
	"""
	return Required(_in_language(profile.subject, language), _in_language(profile.foot, language))


def _in_language(texts: tuple[tuple[str, str], ...], language: str | None) -> str:
	by_language = dict(texts)
	code = (language or "").replace("_", "-")
	return by_language.get(code) or by_language.get(code.split("-")[0]) or by_language.get("", "")


# -- what is shipped -----------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def shipped() -> dict[str, dict]:
	"""Return the shipped profiles by their key, each with all its fields. No query."""
	found = {
		path.stem: json.loads(path.read_text(encoding="utf-8"))
		for path in sorted(FOLDER.glob("*.json"))
		if path.stem != ZONES
	}
	return {key: {**found.get(of_key.get("like"), {}), **of_key} for key, of_key in found.items()}


@lru_cache(maxsize=1)
def _by_code() -> dict[str, str]:
	return {code: key for key, of_key in shipped().items() for code in of_key["countries"]}


@lru_cache(maxsize=1)
def _all_zones() -> dict[str, list[str]]:
	"""Return the time zones of each country, after the table of the IANA (zone.tab, in the public domain), the one of the
	capital first."""
	return json.loads((FOLDER / f"{ZONES}.json").read_text(encoding="utf-8"))


@lru_cache(maxsize=512)
def zones(code: str | None) -> tuple[str, ...]:
	"""Return the time zones of a country that this machine knows."""
	return tuple(name for name in _all_zones().get(code or "", ()) if zone_of(name))


@lru_cache(maxsize=1024)
def shipped_for(country: Country) -> Profile:
	"""Return the shipped profile of a country. No query."""
	key = _by_code().get(country.code or "", DEFAULT)
	of_key = shipped()[key]
	return Profile(
		key=key,
		title=of_key["title"],
		country=country,
		checked=bool(of_key["checked"]),
		existing_customer=of_key["existing_customer"],
		sale_days=of_key["sale_days"],
		hours=_hours(of_key["hours"]),
		national_holidays=bool(of_key["national_holidays"]),
		subject=tuple(of_key["subject"].items()),
		foot=tuple(of_key["foot"].items()),
		postal_address=bool(of_key["postal_address"]),
		per_week=of_key["per_week"],
		per_day=of_key["per_day"],
		sources=tuple((source["of"], source["source"]) for source in of_key["sources"]),
		note=of_key["note"],
	)


def _hours(of_days: dict | None) -> tuple[tuple[int, int] | None, ...] | None:
	"""Return hours by weekday of {"weekdays", "saturday", "sunday": [from, until] or None}."""
	if of_days is None:
		return None
	weekdays, saturday, sunday = (_span(of_days[day]) for day in DAYS)
	return (*(weekdays,) * 5, saturday, sunday)


def _span(clocks: list | None) -> tuple[int, int] | None:
	if not clocks or clocks[0] in (None, "") or clocks[1] in (None, ""):
		return None
	first, until = (minutes(clock) for clock in clocks)
	return first, until if until > first else until + 24 * 60


@lru_cache(maxsize=512)
def national_holidays(code: str | None, years: tuple[int, ...]) -> frozenset[date]:
	"""Return the public holidays of a country in some years; none where the library `holidays` does not know it.

	ERPNext brings the library along. Where it is missing, `knows_holidays` says so and the bar of the Desk with it.
	"""
	if not code or not knows_holidays():
		return frozenset()
	import holidays

	try:
		return frozenset(holidays.country_holidays(code, years=list(years)))
	except NotImplementedError:
		return frozenset()


@lru_cache(maxsize=1)
def knows_holidays() -> bool:
	"""Say whether the library that knows the public holidays is installed."""
	try:
		import holidays  # noqa: F401
	except ImportError:
		return False
	return True


# -- what holds on this site -----------------------------------------------------------------------------------------


def profiles_of(countries: Iterable[Country]) -> dict[Country, Profile]:
	"""Return the profile of each country as it holds on this site. 1 query."""
	wanted = set(countries)
	changed = _changed() if wanted else ByName()
	return {country: _as_changed(shipped_for(country), changed.get(country.name)) for country in wanted}


def profile_of(country: Country) -> Profile:
	"""Return the profile of one country as it holds on this site. 1 query; of many ask `profiles_of`."""
	return profiles_of([country])[country]


def _changed() -> ByName[dict]:
	"""Return what the site has changed, by the country's name. 1 query, one in each question."""

	def read() -> ByName[dict]:
		rows = frappe.get_all(DOCTYPE, fields=["*"], order_by="name asc")
		return ByName((row.name, row) for row in rows)

	return once.remembered(DOCTYPE, read)


def _as_changed(profile: Profile, row: dict | None) -> Profile:
	"""Return a profile with what a site has changed (a row or document of Lifecycle Country Profile). No query."""
	if not row:
		return profile
	changes = {}
	if row.get("existing_customer") not in (None, "", AS_SHIPPED):
		changes["existing_customer"] = row["existing_customer"]
		# What is shipped may name no number, where no sale was enough.
		changes["sale_days"] = profile.sale_days or shipped()["eu"]["sale_days"]
	if cint(row.get("sale_days")):
		changes["sale_days"] = cint(row["sale_days"])
	if row.get("hours") == ANY_HOUR:
		changes["hours"] = None
	elif row.get("hours") == OWN_HOURS:
		own = {day: [row.get(f"{day}_from"), row.get(f"{day}_until")] for day in DAYS}
		changes["hours"] = _hours(own)
	if row.get("national_holidays") in (OPEN, CLOSED):
		changes["national_holidays"] = row["national_holidays"] == CLOSED
	for field in ("subject", "foot"):
		if row.get(f"{field}_rule") == "Own text":
			changes[field] = (("", (row.get(field) or "").strip()),)
	if row.get("postal_address") in (ASKED_FOR, NOT_ASKED_FOR):
		changes["postal_address"] = row["postal_address"] == ASKED_FOR
	for field in ("per_week", "per_day"):
		if cint(row.get(f"any_{field}")):
			changes[field] = None
		elif cint(row.get(field)):
			changes[field] = cint(row[field])
	return replace(profile, **changes, changed=tuple(changes)) if changes else profile


# -- whose country is which --------------------------------------------------------------------------------------------


def countries(pairs: Iterable[tuple[str | None, str | None]]) -> list[Country]:
	"""Return the country of each (customer, company), in the same order.

	That of the customer's address: the primary one, else one for bills, else any that is in use; else the company's, else that of
	the site's default company or of its settings. At most 5 queries.
	"""
	pairs = list(pairs)
	if not pairs:
		return []
	known = once.memory()
	of_customers, of_companies = (
		known.setdefault("countries of customers", {}),
		known.setdefault("of companies", {}),
	)
	if new := {customer for customer, _company in pairs if customer and customer not in of_customers}:
		found = _of_customers(new)
		of_customers |= {customer: found.get(customer, NOWHERE) for customer in new}
	homeless = {company for customer, company in pairs if not of_customers.get(customer, NOWHERE).name} - set(
		of_companies
	)
	if homeless:
		found = _of_companies({company for _customer, company in pairs if company})
		site = NOWHERE if homeless <= set(found) else _of_site()
		of_companies |= {company: found.get(company) or site for company in homeless}
	return [
		of_customers[customer] if of_customers.get(customer, NOWHERE).name else of_companies[company]
		for customer, company in pairs
	]


def profiles(pairs: Iterable[tuple[str | None, str | None]]) -> list[Profile]:
	"""Return the profile of each (customer, company), in the same order. The queries of `countries`, and 1."""
	found = countries(pairs)
	by_country = profiles_of(found)
	return [by_country[country] for country in found]


def want_postal_address(company: str | None) -> list[str]:
	"""Return the countries of a company and of any customer whose law wants the sender's postal address, in their order.

	"" stands for a company of which nobody knows the country. The queries of `profiles`, and 2.
	"""
	address, country = frappe.qb.DocType("Address"), frappe.qb.DocType("Country")
	found = (
		frappe.qb.from_(address)
		.join(country)
		.on(country.name == address.country)
		.select(country.name, country.code)
		.distinct()
		.where(address.disabled == 0)
	).run()
	everywhere = {*countries([(None, company)]), *(_country(*row) for row in found)}
	return sorted(of.name or "" for of, profile in profiles_of(everywhere).items() if profile.postal_address)


def offers(campaign: dict) -> bool:
	"""Say whether a campaign offers something, so that the law of advertising binds it. No query."""
	return campaign.get("purpose") != SERVICE


def of_advertisements(
	messages: Iterable[tuple[dict, str | None, str | None]],
) -> dict[tuple[str | None, str | None], Profile]:
	"""Return {(customer, company): profile} of those messages (campaign, customer, company) whose campaign offers something.

	The queries of `profiles`; none where there is no such message.
	"""
	pairs = list(
		dict.fromkeys((customer, company) for campaign, customer, company in messages if offers(campaign))
	)
	return dict(zip(pairs, profiles(pairs), strict=True)) if pairs else {}


def _of_customers(customers: set[str]) -> ByName[Country]:
	"""Return the country of each customer who has an address with one. 1 query."""
	link, address = frappe.qb.DocType("Dynamic Link"), frappe.qb.DocType("Address")
	country, customer = frappe.qb.DocType("Country"), frappe.qb.DocType("Customer")
	query = (
		frappe.qb.from_(link)
		.join(address)
		.on((address.name == link.parent) & (link.parenttype == "Address"))
		.join(customer)
		.on(customer.name == link.link_name)
		.left_join(country)
		.on(country.name == address.country)
		.where((link.link_doctype == "Customer") & long_lists.among(link.link_name, "customers"))
		.where((address.disabled == 0) & (address.country != ""))
		.orderby(address.creation, address.name)
	)
	primary = (
		customer.customer_primary_address
		if erpnext_schema.has("Customer", "customer_primary_address")
		else customer.name
	)
	query = query.select(
		customer.name,
		address.name,
		primary,
		address.is_primary_address,
		address.address_type,
		address.country,
		country.code,
	)
	best: dict[str, tuple] = {}
	for name, own, chosen, is_primary, kind, country_name, code in long_lists.run(query, customers=customers):
		rank = (own == chosen, bool(is_primary), kind == "Billing")
		if name not in best or rank > best[name][0]:
			best[name] = rank, _country(country_name, code)
	return ByName((name, found) for name, (_rank, found) in best.items())


def _of_companies(names: set[str]) -> dict[str, Country]:
	"""Return the country of each company that has one. The queries of `companies.read`."""
	of_company = companies.read({*names, *filter(None, [companies.default()])})
	return {
		name: _country(company.country, company.code)
		for name in names
		if (company := of_company.get(name)) and company.country
	}


def _of_site() -> Country:
	"""Return the country of the site: of its default company, else of its settings. At most 2 queries, and those of Frappe's
	defaults."""
	default = companies.default()
	company = companies.read([default]).get(default) if default else None
	if company and company.country:
		return _country(company.country, company.code)
	own = frappe.db.get_single_value("System Settings", "country")
	return _country(own, frappe.db.get_value("Country", own, "code")) if own else NOWHERE


def _country(name: str | None, code: str | None) -> Country:
	return Country(name, (code or "").strip().upper() or None)
