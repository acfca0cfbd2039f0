frappe.query_reports["Campaign Performance"] = {
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
			fieldname: "group_by",
			label: __("Group By"),
			fieldtype: "Select",
			options: [
				{ value: "Action", label: __("Action") },
				{ value: "Trigger", label: __("Trigger") },
				{ value: "Campaign", label: __("Campaign") },
			],
			default: "Action",
		},
		{
			fieldname: "company",
			label: __("Company"),
			fieldtype: "Link",
			options: "Company",
		},
	],

	onload: () => marketing_automation.ready(),

	formatter(value, row, column, data, default_formatter) {
		// Where nothing has come to an end yet there is no share of it.
		if (column.fieldname === "sent_percent" && value == null) return "";
		return default_formatter(marketing_automation.cell(value, column), row, column, data);
	},
};
