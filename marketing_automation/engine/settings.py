"""The settings that the engine works by."""

from datetime import date, datetime

import frappe
from frappe.utils import cint, get_datetime

from marketing_automation.engine import once

SETTINGS = "Marketing Automation Settings"


def limit(field: str) -> int:
	"""Return a setting that cannot be 0; its default where it was never saved. 1 query."""
	value = cint(frappe.db.get_single_value(SETTINGS, field))
	return value or cint(frappe.get_meta(SETTINGS).get_field(field).default)


def stored() -> dict[str, str]:
	"""Return the settings as they are stored, as text; what was never saved is not in it. 1 query, one in each question."""
	return once.remembered(SETTINGS, lambda: frappe.db.get_singles_dict(SETTINGS))


def values(*fields: str) -> dict[str, str | None]:
	"""Return settings as they are stored, as text; their defaults where they were never saved. 1 query."""
	kept = stored()
	meta = frappe.get_meta(SETTINGS)
	return {
		field: kept[field] if kept.get(field) is not None else meta.get_field(field).default
		for field in fields
	}


def moment(field: str, for_update: bool = False) -> datetime | None:
	"""Return a Datetime of the settings, or None where it is empty. 1 query.

	`get_single_value` makes the year 1 of an empty one, and so does what was saved from its answer.
	for_update: lock the settings until the caller commits.
	"""
	value = frappe.db.get_singles_dict(SETTINGS, for_update=for_update).get(field)
	found = get_datetime(value) if value else None
	return found if found and found.year > 1 else None


def day(field: str) -> date | None:
	"""Return a Date of the settings, or None where it is empty. 1 query."""
	found = moment(field)
	return found.date() if found else None
