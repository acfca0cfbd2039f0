frappe.query_reports["Basis of Messages"] = {
	filters: [
		{
			fieldname: "from_date",
			label: __("From Date"),
			fieldtype: "Date",
			default: frappe.datetime.add_days(frappe.datetime.get_today(), -30),
			reqd: 1,
		},
		{
			fieldname: "to_date",
			label: __("To Date"),
			fieldtype: "Date",
			default: frappe.datetime.get_today(),
			reqd: 1,
		},
		{
			fieldname: "campaign",
			label: __("Campaign"),
			fieldtype: "Link",
			options: "Lifecycle Campaign",
		},
		{
			fieldname: "customer",
			label: __("Customer"),
			fieldtype: "Link",
			options: "Customer",
		},
		{
			fieldname: "only_without",
			label: __("Only Those Without a Basis"),
			fieldtype: "Check",
		},
	],

	onload: () => marketing_automation.ready(),

	formatter(value, row, column, data, default_formatter) {
		return default_formatter(marketing_automation.cell(value, column), row, column, data);
	},
};
