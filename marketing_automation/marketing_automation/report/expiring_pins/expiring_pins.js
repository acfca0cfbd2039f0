// Offer the fields of what the report is about. chosen: it was chosen just now, so the first ones are taken.
async function offer_fields(report, chosen) {
	const ma = await marketing_automation.ready();
	const { source, reference_doctype } = report.get_filter_values();
	const found = await ma.ask("offers", {
		source: source || "Serial No",
		reference_doctype: reference_doctype || null,
	});
	for (const fieldname of ["customer_field", "date_field"]) {
		const filter = report.get_filter(fieldname);
		const offered = found[`${fieldname}s`];
		ma.offer(filter, offered);
		// Put there at once: a filter that is set would ask for the report before the other one is.
		const value = chosen ? offered[0]?.value || "" : filter.get_value();
		if (chosen) filter.value = filter.last_value = value;
		filter.set_formatted_input(value);
	}
	if (chosen && found.date_fields.length) report.refresh();
}

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
			on_change: (report) => offer_fields(report, true),
		},
		{
			fieldname: "reference_doctype",
			label: __("Document Type"),
			fieldtype: "Link",
			options: "DocType",
			depends_on: 'eval:doc.source == "Other DocType"',
			get_query: () => ({ filters: { istable: 0, issingle: 0 } }),
			on_change: (report) => offer_fields(report, true),
		},
		{
			fieldname: "customer_field",
			label: __("Customer Field"),
			fieldtype: "Autocomplete",
			depends_on: 'eval:doc.source == "Other DocType"',
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
		offer_fields(report, false);
		return marketing_automation.ready().then((ma) =>
			ma.ask("sources").then((found) => {
				const source = report.get_filter("source");
				ma.offer(source, found);
				source.set_formatted_input(source.get_value());
			})
		);
	},

	formatter(value, row, column, data, default_formatter) {
		if (column.fieldname === "problem" && value) {
			return `<span class="lifecycle-problem">${frappe.utils.escape_html(value)}</span>`;
		}
		return default_formatter(marketing_automation.cell(value, column), row, column, data);
	},
};
