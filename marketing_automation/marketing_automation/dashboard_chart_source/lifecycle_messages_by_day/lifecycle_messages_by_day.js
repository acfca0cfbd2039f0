frappe.provide("frappe.dashboards.chart_sources");

frappe.dashboards.chart_sources["Lifecycle Messages by Day"] = {
	method: "marketing_automation.marketing_automation.dashboard_chart_source.lifecycle_messages_by_day.lifecycle_messages_by_day.get",
	filters: [],
};
