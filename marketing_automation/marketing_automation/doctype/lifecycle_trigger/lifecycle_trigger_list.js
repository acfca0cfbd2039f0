frappe.listview_settings["Lifecycle Trigger"] = {
	add_fields: ["enabled"],
	hide_name_column: true,

	onload(listview) {
		marketing_automation.heed_filters(listview);
		marketing_automation.explain_empty(
			listview,
			__(
				"No trigger yet. A trigger says when a message is sent. A campaign made from a recipe has its triggers already."
			)
		);
	},

	get_indicator(doc) {
		return doc.enabled
			? [__("Enabled"), "green", "enabled,=,1"]
			: [__("Disabled"), "gray", "enabled,=,0"];
	},
};
