frappe.listview_settings["Lifecycle Action"] = {
	add_fields: ["enabled"],
	hide_name_column: true,

	onload(listview) {
		marketing_automation.heed_filters(listview);
		marketing_automation.explain_empty(
			listview,
			__(
				"No action yet. An action says what is sent when its trigger meets somebody. A campaign made from a recipe has its actions already."
			)
		);
	},

	get_indicator(doc) {
		return doc.enabled
			? [__("Enabled"), "green", "enabled,=,1"]
			: [__("Disabled"), "gray", "enabled,=,0"];
	},
};
