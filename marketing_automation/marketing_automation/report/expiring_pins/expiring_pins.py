"""Expiring Pins: a period in, what has its date in it out, with the trigger that sends a message next, or why none does."""

from datetime import date

import frappe
from frappe import _

from marketing_automation.days import asked
from marketing_automation.desk import coverage
from marketing_automation.engine.schedule import shifted
from marketing_automation.engine.source import source_for
from marketing_automation.engine.visibility import Visibility

DEFAULT_DAYS = 30
# A longer period is a mistyped year, and reads the whole table of serial numbers.
MOST_YEARS = 10
DEFAULT_SOURCE = "Serial No"


def execute(filters: dict | None = None):
	"""Return columns, rows, a message when the list was cut or is empty, no chart, and the summary."""
	filters = frappe._dict(filters or {})
	first = asked(filters.from_date)
	last = asked(filters.to_date or shifted(first, DEFAULT_DAYS) or date.max)
	of = frappe._dict(source=filters.source or DEFAULT_SOURCE, date_field=filters.date_field)
	_choose_doctype(of, filters)
	offered = {found["value"]: found["label"] for found in source_for(of).offers(of)["date_fields"]}
	of.date_field = of.date_field or next(iter(offered), None)
	if of.date_field not in offered:
		frappe.throw(
			_("{0} is not a date field of {1}. Choose one of: {2}.").format(
				frappe.bold(frappe.utils.escape_html(of.date_field or "")),
				frappe.utils.escape_html(_(of.reference_doctype or of.source)),
				", ".join(offered.values()) or "–",
			),
			title=_("Unknown Date Field"),
		)
	if last < first:
		frappe.throw(_("The period ends before it starts. Choose another To Date."))
	if last.year - first.year > MOST_YEARS:
		frappe.throw(
			_(
				"The period, {0} to {1}, is longer than {2} years. Look at the year of From Date and To Date."
			).format(first, last, MOST_YEARS),
			title=_("Period Too Long"),
		)
	campaigns = frappe.get_list("Lifecycle Campaign", pluck="name", order_by="name asc")
	found = list(coverage.expiring(first, last, of, campaigns, Visibility()))
	rows = found if filters.show_all else [row for row in found if row["problem"]]
	message = None
	if len(found) >= coverage.MOST_ROWS:
		message = _("There are more: only the first {0} were looked at. Choose a shorter period.").format(
			coverage.MOST_ROWS
		)
	elif not found:
		message = _("Nothing has its date in this period. Choose a longer one, or another date field.")
	elif not rows:
		message = _("Nothing to do: each of them is caught by a trigger, and its customer can be reached.")
	return (
		_columns(source_for(of).reference_doctype(of), offered[of.date_field]),
		sorted(rows, key=lambda row: row["expiry_date"]),
		message,
		None,
		_summary(found),
	)


def _choose_doctype(of: dict, filters: dict) -> None:
	"""Put the DocType that is looked at, and its way to a customer, where the source asks for one; the first way that is
	offered where none is given. Refuses what the user may not read."""
	source = source_for(of)
	if source.reference_doctypes():
		return
	of.reference_doctype = filters.reference_doctype
	ways = [offer["value"] for offer in source.offers(of)["customer_fields"]]
	of.customer_field = filters.customer_field or next(iter(ways), None)
	if validate := getattr(source, "validate_spec", None):
		validate(of)
	if of.customer_field and source.unreadable({of.customer_field}, of):
		frappe.throw(
			_("You may not read {0}.").format(frappe.utils.escape_html(_(of.reference_doctype))),
			frappe.PermissionError,
		)


def _columns(doctype: str, date_label: str) -> list[dict]:
	# Without `align` a column whose first row is empty is taken for numbers.
	return [
		{
			"fieldname": fieldname,
			"label": label,
			"fieldtype": fieldtype,
			"options": options,
			"width": width,
			"align": "left",
		}
		for fieldname, label, fieldtype, options, width in (
			("reference_name", _(doctype), "Link", doctype, 150),
			("item_name", _("Item"), "Data", None, 170),
			("expiry_date", date_label, "Date", None, 150),
			("problem", _("Problem"), "Data", None, 220),
			("customer_name", _("Customer Name"), "Data", None, 170),
			("customer", _("Customer"), "Link", "Customer", 150),
			("recipient", _("E-mail"), "Data", None, 190),
			("handled", _("Already Handled"), "Data", None, 130),
			("next_on", _("Next Message"), "Date", None, 140),
			("campaign", _("Campaign"), "Link", "Lifecycle Campaign", 180),
			("trigger_name", _("Trigger"), "Data", None, 150),
			("company", _("Company"), "Link", "Company", 140),
		)
	]


def _summary(found: list[dict]) -> list[dict]:
	return [
		{"label": label, "value": value, "datatype": "Int", "indicator": indicator if value else "Grey"}
		for label, value, indicator in (
			(_("Expiring"), len(found), "Blue"),
			(_("All Is Well"), sum(not row["problem"] for row in found), "Green"),
			(
				_("No Trigger Catches It"),
				# Each is counted once, by the problem that its row shows.
				sum(row["reachable"] and not row["covered"] for row in found),
				"Orange",
			),
			(_("Cannot Be Reached"), sum(not row["reachable"] for row in found), "Red"),
		)
	]
