frappe.listview_settings["Lifecycle Consent"] = {
	add_fields: ["kind"],
	hide_name_column: true,
	get_indicator(doc) {
		const colors = {
			Asked: "blue",
			Given: "green",
			Withdrawn: "red",
			Paused: "orange",
			"Less often": "yellow",
		};
		return [__(doc.kind, null, "Lifecycle Consent"), colors[doc.kind], `kind,=,${doc.kind}`];
	},
};
