frappe.listview_settings["Lifecycle Run"] = {
	add_fields: ["status"],

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
