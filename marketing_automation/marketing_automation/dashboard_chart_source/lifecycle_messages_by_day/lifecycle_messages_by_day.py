"""The dashboard chart of messages by day and outcome."""

import frappe
from frappe import _

from marketing_automation.engine.ledger import DOCTYPE
from marketing_automation.marketing_automation.report.campaign_performance import campaign_performance


@frappe.whitelist(methods=["GET", "POST"])
def get(
	chart_name: str | None = None,
	chart: str | dict | None = None,
	no_cache: str | int | bool | None = None,
	filters: str | dict | list | None = None,
	from_date: str | None = None,
	to_date: str | None = None,
	timespan: str | None = None,
	time_interval: str | None = None,
	heatmap_year: str | int | None = None,
) -> dict:
	"""Return labels and datasets for the last 30 days. Queries: as Campaign Performance."""
	if not frappe.has_permission(DOCTYPE, "read"):
		frappe.throw(_("You are not permitted to do this."), frappe.PermissionError)
	_columns, _rows, _message, chart, _summary = campaign_performance.execute({})
	return chart["data"]
