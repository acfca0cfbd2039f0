"""The dashboard chart of messages by day and outcome."""

import frappe
from frappe import _
from frappe.utils import add_days, formatdate, getdate

from marketing_automation.engine.ledger import DOCTYPE
from marketing_automation.marketing_automation.report.campaign_performance import campaign_performance
from marketing_automation.permissions import by_role

DAYS = 30


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
	if not by_role(DOCTYPE, "read"):
		frappe.throw(_("You are not permitted to do this."), frappe.PermissionError)
	days = [getdate(add_days(getdate(), -ahead)) for ahead in range(DAYS, -1, -1)]
	_by_action, by_day = campaign_performance.counted(frappe._dict(from_date=days[0], to_date=days[-1]))
	bars = {day: formatdate(day, "d MMM") for day in days}
	return {"labels": list(bars.values()), "datasets": campaign_performance.datasets(by_day, bars)}
