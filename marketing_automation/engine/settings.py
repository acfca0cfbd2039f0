"""The settings that the engine works by."""

import frappe
from frappe.utils import cint

SETTINGS = "Marketing Automation Settings"


def limit(field: str) -> int:
	"""Return a setting that cannot be 0; its default where it was never saved. 1 query."""
	value = cint(frappe.db.get_single_value(SETTINGS, field))
	return value or cint(frappe.get_meta(SETTINGS).get_field(field).default)
