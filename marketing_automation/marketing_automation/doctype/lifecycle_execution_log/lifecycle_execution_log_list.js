frappe.listview_settings["Lifecycle Execution Log"] = {
	add_fields: ["status", "reason"],
	hide_name_column: true,

	get_indicator(doc) {
		return [
			doc.reason ? `${__(doc.status)}: ${__(doc.reason)}` : __(doc.status),
			marketing_automation.STATUS_COLORS[doc.status],
			`status,=,${doc.status}`,
		];
	},

	button: {
		show: (doc) => Boolean(doc.customer),
		get_label: () => __("Why?"),
		get_description: () => __("What this customer was sent, and what is coming"),
		action: (doc) => marketing_automation.why.customer(doc.customer),
	},
};
