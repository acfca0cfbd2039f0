"""Will a campaign's mails arrive, and can they be read? What the checks say of its sender's domain and of its mails.

First all that the database knows is read; then the transaction is ended, and only then is the DNS asked.
"""

from collections.abc import Iterable

import frappe
from frappe import _

from marketing_automation.channels.email import channel as email
from marketing_automation.deliverability import dns
from marketing_automation.engine import deliverability, links, profiles, rules
from marketing_automation.engine.brand import brand_of
from marketing_automation.engine.channel import channel_for, is_served
from marketing_automation.engine.consent import SERVICE
from marketing_automation.engine.deliverability import (
	ADVICE,
	DOMAIN,
	MAILS,
	OK,
	UNKNOWN,
	WRONG,
	Asked,
	Sender,
)
from marketing_automation.engine.settings import SETTINGS

# The worst first.
LEVELS = (WRONG, ADVICE, UNKNOWN, OK)
# What was found out about a domain stays for so many seconds: a marketer opens many forms, and the DNS changes seldom.
REMEMBERED = 600
# What nobody could find out is asked again sooner, and not on each form: whoever has no network waits for it.
REMEMBERED_UNKNOWN = 60
_CACHE = "lifecycle-deliverability:"


def of_campaign(campaign, again: bool = False) -> list[dict]:
	"""Return what is found about a campaign (document): [{"check", "level", "text", "mend", "route"}], the worst first.

	again: ask the DNS also where it was asked a few minutes ago. At most 25 queries, and 3 for each language of an action.
	"""
	asked = Asked(
		sender=_sender(campaign.sender),
		dns=dns.Resolver(),
		mails=tuple(_mails(campaign)),
		brand=brand_of(campaign.company),
		is_marketing=campaign.get("purpose") != SERVICE,
		address=links.base_address(),
		countries=tuple(profiles.want_postal_address(campaign.company)),
	)
	return _sorted([*_of_domain(asked, again), *_once(_found(asked, MAILS))])


def of_site(again: bool = False) -> list[dict]:
	"""Return what is found about the domain of the site's own sender; as `of_campaign`. At most 15 queries."""
	asked = Asked(
		sender=_sender(None),
		dns=dns.Resolver(),
		brand=brand_of(None),
		address=links.base_address(),
		countries=tuple(profiles.want_postal_address(None)),
	)
	return _sorted(_of_domain(asked, again))


def _of_domain(asked: Asked, again: bool) -> list[dict]:
	key = _CACHE + frappe.as_json(
		[
			vars(asked.sender),
			asked.address,
			asked.is_marketing,
			asked.countries,
			vars(asked.brand),
			frappe.local.lang,
		],
		indent=None,
	)
	known = None if again else frappe.cache().get_value(key, expires=True)
	if known is not None:
		return known
	found = _found(asked, DOMAIN)
	is_known = all(row["level"] != UNKNOWN for row in found)
	frappe.cache().set_value(key, found, expires_in_sec=REMEMBERED if is_known else REMEMBERED_UNKNOWN)
	return found


def _found(asked: Asked, looks_at: str) -> list[dict]:
	"""Return what the checks of the domain, or of the mails, find. No query; outside of any transaction."""
	# Nothing has been written, and the DNS may take its time.
	frappe.db.rollback()
	found = []
	for check in deliverability.checks().values():
		if check.looks_at != looks_at or (looks_at == DOMAIN and not asked.sender.domain):
			continue
		try:
			findings = check.look(asked)
		except deliverability.NoAnswer:
			findings = [
				deliverability.Finding(
					UNKNOWN,
					_("Not known: the DNS does not answer from here."),
					_("Look again from a server that reaches the Internet, or ask your administrator."),
				)
			]
		found += [
			{
				"check": check.label,
				"level": one.level,
				"text": one.text,
				"mend": one.mend,
				"route": one.route if one.route and _may_open(one.route) else None,
			}
			for one in findings
		]
	return found


def _may_open(route: str) -> bool:
	return frappe.has_permission(route.split("/")[1], "read")


def _once(found: list[dict]) -> list[dict]:
	"""Return what is found, once: several actions may have the same name and the same mail."""
	return list({(row["check"], row["level"], row["text"]): row for row in found}.values())


def _sorted(found: list[dict]) -> list[dict]:
	return sorted(found, key=lambda row: LEVELS.index(row["level"]))


def _sender(sender: str | None) -> Sender:
	"""Return who sends, by the sender of a campaign. A few queries."""
	# Without an account nothing is found out about a domain, and the bar says so.
	sending = email.sending(sender)
	address = sending.get("address") or ""
	said = frappe.db.get_single_value(SETTINGS, "dkim_selectors") or ""
	return Sender(
		address=address,
		domain=address.rpartition("@")[2].lower(),
		login=sending.get("login"),
		server=sending.get("server"),
		selectors=tuple(said.replace(",", " ").split()),
	)


def _mails(campaign) -> Iterable[deliverability.Mail]:
	"""Yield the mails of a campaign's enabled actions, each language once, filled in with an example."""
	for rule in rules.load([campaign.name], active_only=False):
		for action in rule.actions if rule.trigger.enabled else ():
			served = action.enabled and is_served(action.action_type)
			if served and channel_for(action.action_type) is email:
				yield from email.examples(rule.campaign, action)
