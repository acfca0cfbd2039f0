frappe.listview_settings["Lifecycle Run"] = {
	add_fields: ["status"],

	onload(listview) {
		marketing_automation.heed_filters(listview);
		marketing_automation.explain_empty(
			listview,
			__(
				"No run yet. Active campaigns run every night at one; Run Now on a campaign does not wait for it."
			)
		);
	},

	get_indicator(doc) {
		const colors = {
			Running: "blue",
			Delivering: "blue",
			Completed: "green",
			Failed: "red",
			Interrupted: "orange",
		};
		return [__(doc.status), colors[doc.status], `status,=,${doc.status}`];
	},
};
