frappe.query_reports["Expiring Pins"] = {
	filters: [
		{
			fieldname: "from_date",
			label: __("From Date"),
			fieldtype: "Date",
			default: frappe.datetime.get_today(),
			reqd: 1,
		},
		{
			fieldname: "to_date",
			label: __("To Date"),
			fieldtype: "Date",
			default: frappe.datetime.add_days(frappe.datetime.get_today(), 30),
			reqd: 1,
		},
		{
			fieldname: "date_field",
			label: __("Date Field"),
			fieldtype: "Autocomplete",
			default: "warranty_expiry_date",
			reqd: 1,
		},
		{
			fieldname: "show_all",
			label: __("Also Those Without a Problem"),
			fieldtype: "Check",
		},
	],

	onload(report) {
		return marketing_automation.ready().then((ma) => {
			ma.ask("date_fields").then((fields) => {
				const filter = report.get_filter("date_field");
				ma.offer(filter, fields);
				filter.set_formatted_input(filter.get_value());
			});
		});
	},

	formatter(value, row, column, data, default_formatter) {
		if (column.fieldname === "problem" && value) {
			return `<span class="lifecycle-problem">${frappe.utils.escape_html(value)}</span>`;
		}
		return default_formatter(marketing_automation.cell(value, column), row, column, data);
	},
};
