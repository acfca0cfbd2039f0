"""What stands in the way of sending on this site."""

import frappe
from frappe.utils import cint

from marketing_automation.api.access import CAMPAIGN, campaign_of, require
from marketing_automation.desk import brands, countries
from marketing_automation.desk import deliverability as arriving
from marketing_automation.desk import health as checks
from marketing_automation.engine import brand, identity, profiles
from marketing_automation.engine.holds import offered
from marketing_automation.engine.settings import SETTINGS


@frappe.whitelist(methods=["GET", "POST"])
def health(campaign: str | None = None) -> list[dict]:
	"""Return what stands in the way of sending; see desk.health. campaign: the one that is looked at.

	What `deliverability` says on the form of a campaign is said there only.
	"""
	require(CAMPAIGN, "read")
	if campaign:
		docs = [campaign_of(campaign)]
	else:
		docs = frappe.get_list(
			CAMPAIGN, filters={"is_active": 1}, fields=["name", "sender", "is_active"], order_by="name asc"
		)
	return checks.problems(docs, with_way_out=not campaign)


@frappe.whitelist(methods=["GET", "POST"])
def deliverability(campaign: str | None = None, again: bool | int = False) -> list[dict]:
	"""Return whether mails arrive and can be read: [{"check", "level", "text", "mend", "route"}]; see desk.deliverability.

	campaign: the one whose sender and mails are looked at; without one the site's own sender. again: ask the DNS anew.
	"""
	if campaign:
		return arriving.of_campaign(campaign_of(campaign), bool(cint(again)))
	require(SETTINGS, "read")
	return arriving.of_site(bool(cint(again)))


@frappe.whitelist(methods=["GET", "POST"])
def brand_preview(fields: str | dict) -> dict:
	"""Return {"html": a mail in a brand that is being edited, "colors": what is to be said of them}. fields: of the form."""
	require(brand.DOCTYPE, "read")
	return brands.preview(frappe.parse_json(fields))


@frappe.whitelist(methods=["GET", "POST"])
def holds() -> list[dict]:
	"""Return the holds that this site can switch on: [{"value": key, "label", "days": the usual number, None where it takes none}]."""
	require(SETTINGS, "read")
	return [{"value": key, "label": hold.label, "days": hold.days} for key, hold in offered().items()]


@frappe.whitelist(methods=["POST"])
def bind_site() -> None:
	"""Say that this is the real site, not a copy of it, so that it sends; see engine.identity."""
	require(SETTINGS, "write")
	identity.bind()


@frappe.whitelist(methods=["GET", "POST"])
def country_profile(country: str) -> dict:
	"""Return what the app ships for a country, with its sources, and what this site has put in its place; see
	desk.countries."""
	require(profiles.DOCTYPE, "read")
	return countries.described(country)
