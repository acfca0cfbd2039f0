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
			fieldname: "source",
			label: __("About", null, "Lifecycle"),
			fieldtype: "Autocomplete",
			default: "Serial No",
			reqd: 1,
			on_change(report) {
				const dates = report.get_filter("date_field");
				return marketing_automation.ready().then(async (ma) => {
					const found = await ma.ask("offers", { source: report.get_filter_value("source") });
					ma.offer(dates, found.date_fields);
					dates.set_value(found.date_fields[0]?.value || "");
				});
			},
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
		const offer = (ma, fieldname, offered) => {
			const filter = report.get_filter(fieldname);
			ma.offer(filter, offered);
			filter.set_formatted_input(filter.get_value());
		};
		return marketing_automation.ready().then((ma) => {
			// Of other document types there is no list: each trigger says which one.
			ma.ask("sources").then((found) =>
				offer(
					ma,
					"source",
					found.filter(({ value }) => value !== "Other DocType")
				)
			);
			ma.ask("offers", { source: report.get_filter_value("source") || "Serial No" }).then((found) =>
				offer(ma, "date_field", found.date_fields)
			);
		});
	},

	formatter(value, row, column, data, default_formatter) {
		if (column.fieldname === "problem" && value) {
			return `<span class="lifecycle-problem">${frappe.utils.escape_html(value)}</span>`;
		}
		return default_formatter(marketing_automation.cell(value, column), row, column, data);
	},
};
