"""Send window: messages leave in the hours of the shop and of the law, by the customer's clock. Only reads.

The hours are those of the campaign or else of the settings; on working days, which the Holiday List of the campaign or
of the company knows. What offers something also keeps to the hours of the customer's country (engine/profiles.py), whatever
its campaign says: *Any time* is the shop's word, not the law's. The customer's clock is that of their country; where it has
several, it has to be open in all of them, and where the shop's hours never are, in the capital's: the law's hold in all. Where
nobody knows, it is the site's.

A message that is sent before a date goes before that date or on it: one for which it would not open any more leaves in the last
open hours before its own day (`early`). Where an Email Account sends only so many mails a minute, the messages are spread over
the hours, each at a moment of its own.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

import frappe
from frappe import _
from frappe.utils import get_system_timezone, getdate, now_datetime

from marketing_automation import erpnext_schema
from marketing_automation.engine import companies, long_lists, profiles, schedule, settings, windows
from marketing_automation.engine.channel import channel_for, is_served
from marketing_automation.engine.gate import NIGHT_HOUR, Answer, Asked, At, Check, Skip, Wait
from marketing_automation.engine.model import Reason, Rule
from marketing_automation.engine.names import ByName
from marketing_automation.engine.profiles import Country, Profile
from marketing_automation.engine.windows import Hours, Span, Window

ANY_TIME = "Any time"
OWN_HOURS = "Own hours"
WORKING_DAYS = "Working days"
SETTINGS = ("send_from", "send_until", "send_on")
# What is read of a campaign.
FIELDS = ("name", "company", "purpose", "send_window", *SETTINGS, "holiday_list")
WORKING_WEEK = frozenset(range(5))
HOLIDAY_LIST, HOLIDAY = "Holiday List", "Holiday"
# So many days before an occurrence a message can leave early at most: nothing is closed for longer without being closed for good.
MOST_EARLY = 31


class Holidays(NamedTuple):
	"""What a Holiday List says: the weekdays (0 is Monday) on which nobody works, and the dates; single: those that are no weekly ones."""

	weekly: frozenset[int]
	dates: frozenset[date]
	single: frozenset[date]


class SendWindow(Check):
	"""Has messages wait for the next open hour."""

	order = 500

	@property
	def label(self) -> str:
		"""What the gate calls it."""
		return _("Send window", context="Lifecycle Check")

	def judge(self, asked: list[Asked], at: At) -> dict[int, Answer]:
		"""Return {index: Wait until it opens} of the messages for which it is not open; Skip of those for which it does not
		open any more, or never.

		Queries: at most 12: 1 of the settings, those of `profiles.profiles`, at most 3 of the Holiday Lists, and those of the
		channels' `is_throttled`. None for service messages at any time.
		"""
		bound = [index for index, one in enumerate(asked) if _is_bound(one.campaign)]
		if not bound:
			return {}
		opening = _Opening([asked[index] for index in bound], at.night)
		throttled = _throttled({asked[index].action["action_type"] for index in bound})
		zone = opening.zone
		found: dict[int, Answer] = {}
		for index in bound:
			one = asked[index]
			now, span, opens_on = opening.next_open(one, _asked_at(one, at))
			if not span or (_is_before(one) and opens_on > one.event.occurrence):
				# Of a day to come: whether it leaves early, see `early`.
				span = windows.last_open(opening.window(one), windows.to_utc(now_datetime(), zone), now)
			if not span:
				found[index] = Skip(Reason.OUTSIDE_WINDOW)
				continue
			key = _key(one) if throttled[one.action["action_type"]] else None
			moment = windows.moment_in(span, now if now < span.until else span.start, key)
			if moment <= now < span.until:
				continue
			until = windows.from_utc(moment, zone)
			if now < moment:
				# In the hour that comes twice the clock may show less than now.
				until = max(until, at.now + timedelta(minutes=1))
			found[index] = Wait(until, Reason.OUTSIDE_WINDOW)
		return found

	# -- what has to leave early -----------------------------------------------------------------------------------

	def nights_ahead(self, rules: list[Rule], night: date) -> dict[str, date]:
		"""Return {trigger: last night} of the rules of which a run on `night` has to look at the nights after it, up to that one.

		It has to where it is closed from tomorrow on, in some country at least, for as long as a message before a date can
		still go. Queries: 2 of the settings and the companies, 2 of the Holiday Lists, and 4 of the countries that customers live
		in; none where no rule sends before a date.
		"""
		before = [
			rule
			for rule in rules
			if rule.trigger.get("trigger_type") == schedule.BEFORE
			and (rule.trigger.get("days_offset") or 0) < MOST_EARLY
			and _is_bound(rule.campaign)
		]
		tomorrow = schedule.shifted(night, 1)
		if not before or not tomorrow:
			return {}
		opening = _Opening([], night, before)
		everywhere = profiles.profiles_of(_all_countries())
		zone = get_system_timezone()
		start = windows.to_utc(datetime.combine(tomorrow, time.min), zone)
		reopens: dict[Window, date | None] = {}
		found = {}
		for rule in before:
			last = tomorrow
			for profile in everywhere.values():
				for company in opening.companies_of(rule.campaign):
					window = opening.window_of(rule.campaign, company, profile)
					if window not in reopens:
						span = windows.next_open(window, start)
						opens = span and windows.from_utc(max(span.start, start), zone).date()
						reopens[window] = opens
					# Where it never opens again there is nothing to be early for.
					last = max(last, reopens[window] or last)
			# An occurrence on the last closed day at the latest.
			closed = schedule.shifted(last, -1 - (rule.trigger.get("days_offset") or 0))
			if closed and closed >= tomorrow:
				found[rule.trigger.name] = min(closed, schedule.shifted(night, MOST_EARLY) or closed)
		return found

	def early(self, asked: list[Asked], at: At) -> set[int]:
		"""Return the indexes of those messages of later nights that have to leave today, for it does not open again before the
		date that they are about has passed. Queries as `judge`."""
		bound = [index for index, one in enumerate(asked) if _is_bound(one.campaign)]
		tomorrow = schedule.shifted(at.night, 1)
		if not bound or not tomorrow:
			return set()
		opening = _Opening([asked[index] for index in bound], at.night)
		zone = get_system_timezone()
		now = windows.to_utc(at.now, zone)
		start = windows.to_utc(datetime.combine(tomorrow, time.min), zone)
		found = set()
		for index in bound:
			window = opening.window(asked[index])
			today, after = windows.next_open(window, now), windows.next_open(window, start)
			opens_today = today and max(today.start, now) < start
			opens_after = windows.from_utc(max(after.start, start), zone).date() if after else date.max
			if opens_today and after and opens_after > asked[index].event.occurrence:
				found.add(index)
		return found


def never_open(campaigns: list[dict]) -> dict[str, str]:
	"""Return {campaign: country} of the campaigns whose hours never meet those that the law of a company's country allows.

	campaigns: dicts of `FIELDS`. Queries: 2 of the settings and the companies, and those of `profiles.profiles` and of the lists.
	"""
	night = getdate()
	opening = _Opening([], night, [Rule(campaign, {}, ()) for campaign in campaigns])
	pairs = [
		(campaign, company) for campaign in campaigns for company in opening.companies_of(campaign) if company
	]
	of_companies = profiles.profiles((None, company) for _campaign, company in pairs)
	return {
		campaign["name"]: profile.country.name
		for (campaign, company), profile in zip(pairs, of_companies, strict=True)
		if not windows.spans(opening.window_of(campaign, company, profile), night)
	}


def _is_bound(campaign: dict) -> bool:
	"""Say whether messages of a campaign can have to wait at all."""
	return campaign.get("send_window") != ANY_TIME or profiles.offers(campaign)


def _asked_at(one: Asked, at: At) -> datetime:
	"""Return when a message is asked about: now, or on the night of a later day."""
	return at.now if one.event.night <= at.night else datetime.combine(one.event.night, time(NIGHT_HOUR))


def _is_before(one: Asked) -> bool:
	return one.event.rule.trigger.get("trigger_type") == schedule.BEFORE


def _key(one: Asked) -> str:
	"""Return what leaves together has in common: an action's messages to a customer may be one mail."""
	return f"{one.action['name']}\x1f{one.recipient.customer}"


def _throttled(action_types: Iterable[str]) -> dict[str, bool]:
	"""Return whether each channel sends only so many messages a minute. The queries of the channels."""
	return {key: is_served(key) and channel_for(key).is_throttled() for key in action_types}


class _Opening:
	"""The windows of messages, or of rules: what they need is read once, each window is made once."""

	def __init__(self, asked: list[Asked], night: date, rules: Iterable[Rule] = ()):
		"""At most 10 queries."""
		self.years = tuple(range(max(night.year - 1, 1), min(night.year + 1, 9999) + 1))
		self.night = night
		self.usual = settings.values(*SETTINGS)
		self.zone = get_system_timezone()
		pairs = dict.fromkeys((one.recipient.customer, one.event.company) for one in asked)
		self.profiles = dict(zip(pairs, profiles.profiles(pairs), strict=True))
		entries = [(one.campaign, one.event.company) for one in asked]
		rules = list(rules)
		self.companies = frappe.get_all("Company", pluck="name", order_by="name asc") if rules else []
		entries += [
			(rule.campaign, company) for rule in rules for company in self.companies_of(rule.campaign)
		]
		self.lists = _holiday_lists(entries)
		self.made: dict[tuple, Window] = {}
		self.opens: dict[tuple, tuple] = {}

	def companies_of(self, campaign: dict) -> list[str | None]:
		"""Return the companies whose sales a campaign can be about. What belongs to no company is for all campaigns."""
		return [None, *([campaign["company"]] if campaign.get("company") else self.companies)]

	def window(self, one: Asked) -> Window:
		"""Return when a message may leave."""
		pair = one.recipient.customer, one.event.company
		return self.window_of(one.campaign, one.event.company, self.profiles[pair])

	def next_open(self, one: Asked, asked_at: datetime) -> tuple[datetime, Span | None, date | None]:
		"""Return (the moment in UTC, the span that is open then or next, the site's date on which it is) of a message that is
		asked about at a moment of the site's clock."""
		country = self.profiles[one.recipient.customer, one.event.company].country
		key = one.campaign["name"], one.event.company, country, asked_at
		if key not in self.opens:
			now = windows.to_utc(asked_at, self.zone)
			span = windows.next_open(self.window(one), now)
			opens_on = windows.from_utc(max(span.start, now), self.zone).date() if span else None
			self.opens[key] = now, span, opens_on
		return self.opens[key]

	def window_of(self, campaign: dict, company: str | None, profile: Profile) -> Window:
		"""Return when messages of a campaign about what a company sold may leave to customers of a country."""
		key = campaign["name"], company, profile.country
		if key not in self.made:
			self.made[key] = self._made(campaign, company, profile)
		return self.made[key]

	def _made(self, campaign: dict, company: str | None, profile: Profile) -> Window:
		own: tuple[Hours, ...] = ()
		if campaign.get("send_window") != ANY_TIME:
			own = (_own_hours(campaign, self.usual, self.lists.of(campaign, company)),)
		law = profile.law(self.years) if profiles.offers(campaign) else None
		of_law = (law,) if law else ()
		zones = profile.zones or (self.zone,)
		window = Window(own + of_law, zones)
		if len(zones) > 1 and own and not windows.spans(window, self.night):
			# So far apart that it is never open in all of them: then the shop's hours are the capital's. The law's hold everywhere.
			window = Window(of_law, zones, own)
		return window


def _own_hours(campaign: dict, usual: dict, holidays: Holidays | None) -> Hours:
	"""Return the hours of a campaign, its own or the settings'. Pure.

	On every day: its weekends too, but not the holidays of a list that it names itself.
	"""
	own = campaign if campaign.get("send_window") == OWN_HOURS else usual
	first, until = windows.minutes(own.get("send_from")), windows.minutes(own.get("send_until"))
	if first is None or until is None:
		first, until = (windows.minutes(usual[field]) for field in ("send_from", "send_until"))
	if own.get("send_on") not in (None, "", WORKING_DAYS):
		closed = holidays.single if holidays and campaign.get("holiday_list") else ()
		return windows.daily(first, until, closed=closed)
	week = frozenset(range(7)) - holidays.weekly if holidays and holidays.weekly else WORKING_WEEK
	return windows.daily(first, until, week, holidays.dates if holidays else ())


class _Lists(NamedTuple):
	of_companies: ByName[str]
	lists: ByName[Holidays]

	def of(self, campaign: dict, company: str | None) -> Holidays | None:
		return self.lists.get(campaign.get("holiday_list") or self.of_companies.get(company or ""))


def _holiday_lists(entries: Iterable[tuple[dict, str | None]]) -> _Lists:
	"""Return the Holiday Lists of campaigns and of companies. At most 3 queries.

	The company is that of what a message is about, and where there is none the site's default.
	"""
	if not erpnext_schema.has(HOLIDAY_LIST):
		return _Lists(ByName(), ByName())
	default = companies.default()
	entries = list(entries)
	asked = {company or default for _campaign, company in entries} - {None, ""}
	of_company = companies.read(asked) if asked else ByName()
	found = [
		(name, row[companies.HOLIDAYS])
		for name in asked
		if (row := of_company.get(name)) and row.get(companies.HOLIDAYS)
	]
	named = dict(found)
	if default in named:
		found.append(("", named[default]))
	of_companies = ByName(found)
	names = {campaign.get("holiday_list") for campaign, _company in entries} | set(of_companies.values())
	names -= {None, ""}
	if not names:
		return _Lists(of_companies, ByName())
	table = frappe.qb.DocType(HOLIDAY)
	query = (
		frappe.qb.from_(table)
		.select(table.parent, table.holiday_date, table.weekly_off)
		.where((table.parenttype == HOLIDAY_LIST) & long_lists.among(table.parent, "names"))
	)
	weekly, dates, single = defaultdict(set), defaultdict(set), defaultdict(set)
	for name, day, is_weekly in long_lists.run(query, names=names):
		if not day:
			continue
		dates[name].add(day)
		if is_weekly:
			weekly[name].add(day.weekday())
		else:
			single[name].add(day)
	return _Lists(
		of_companies,
		ByName(
			(name, Holidays(frozenset(weekly[name]), frozenset(days), frozenset(single[name])))
			for name, days in dates.items()
		),
	)


def _all_countries() -> set[Country]:
	"""Return the countries that customers can be in: those of all addresses, and of all companies. 3 queries."""
	names = set()
	for doctype in ("Address", "Company"):
		table = frappe.qb.DocType(doctype)
		names |= {name for (name,) in frappe.qb.from_(table).select(table.country).distinct().run() if name}
	found = {profiles.NOWHERE}
	if names:
		table = frappe.qb.DocType("Country")
		query = (
			frappe.qb.from_(table).select(table.name, table.code).where(long_lists.among(table.name, "names"))
		)
		codes = ByName(long_lists.run(query, names=names))
		found |= {Country(name, (codes.get(name) or "").upper() or None) for name in names}
	return found


CHECK = SendWindow()
