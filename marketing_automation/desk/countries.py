"""A country's rules in words: a profile in, lines of what holds, each with its source, out. Only reads."""

import frappe
from frappe import _
from frappe.utils import format_time

from marketing_automation.engine import profiles
from marketing_automation.engine.profiles import Country, Profile

FIELDS = (
	"existing_customer",
	"sale_days",
	"hours",
	"national_holidays",
	"subject",
	"foot",
	"postal_address",
	"per_week",
	"per_day",
)
WEEKDAYS, SATURDAY, SUNDAY = 0, 5, 6


def described(country: str) -> dict:
	"""Return what holds for a country (a name in Country): {"title", "checked", "note", "lines", "disclaimer"}. 2 queries.

	lines: [{"label", "shipped", "source", "own"}]; own: what the site has put in its place, or None.
	"""
	code = frappe.db.get_value("Country", country, "code")
	of = Country(country, (code or "").upper() or None)
	shipped, holds = profiles.shipped_for(of), profiles.profile_of(of)
	sources = dict(shipped.sources)
	lines = [
		{
			"label": _label(field),
			"shipped": _said(shipped, field),
			"source": _(sources[field]) if field in sources else None,
			"own": _said(holds, field) if field in holds.changed else None,
		}
		for field in FIELDS
	]
	if "unsubscribe" in sources:
		lines.append(
			{
				"label": _("A way out"),
				"shipped": _("In each message"),
				"source": _(sources["unsubscribe"]),
				"own": None,
			}
		)
	return {
		"title": _(country),
		"checked": shipped.checked,
		"note": _(shipped.note) if shipped.note else None,
		"lines": lines,
		"disclaimer": disclaimer(),
	}


def disclaimer() -> str:
	"""Return what is said wherever rules of a country are shown."""
	return _("Not legal advice. Ask a lawyer who knows the country.")


def _label(field: str) -> str:
	return {
		"existing_customer": _("Existing customers without consent"),
		"sale_days": _("Their last sale is not older than"),
		"hours": _("Allowed hours"),
		"national_holidays": _("Public holidays"),
		"subject": _("In the subject"),
		"foot": _("In the foot"),
		"postal_address": _("Postal address in the foot"),
		"per_week": _("Messages per week"),
		"per_day": _("Messages per day"),
	}[field]


def _said(profile: Profile, field: str) -> str:
	value = getattr(profile, field)
	if field == "existing_customer":
		return {
			profiles.NO_SALE: _("No: only who has agreed"),
			profiles.SAME_GROUP: _("Yes, of what is in the item group that they have bought from"),
			profiles.ANY_SALE: _("Yes, whatever they have bought"),
		}[value]
	if field == "sale_days":
		return _("{0} days").format(value) if value else "–"
	if field == "hours":
		return _hours(value)
	if field == "national_holidays":
		return _("Nothing is sent") if value else _("Like other days")
	if field in ("subject", "foot"):
		return " · ".join(dict.fromkeys(text for _language, text in value if text)) or "–"
	if field == "postal_address":
		return _("It has to be there") if value else "–"
	return str(value) if value else _("Any number")


def _hours(hours: tuple | None) -> str:
	if hours is None:
		return _("Any hour")
	return ", ".join(
		f"{label}: {_span(hours[day])}"
		for label, day in (
			(_("Monday to Friday"), WEEKDAYS),
			(_("Saturday"), SATURDAY),
			(_("Sunday"), SUNDAY),
		)
	)


def _span(span: tuple[int, int] | None) -> str:
	if not span:
		return _("nothing is sent")
	return " – ".join(format_time(f"{minute // 60 % 24:02}:{minute % 60:02}:00") for minute in span)
