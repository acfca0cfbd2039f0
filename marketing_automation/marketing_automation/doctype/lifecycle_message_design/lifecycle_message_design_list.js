frappe.listview_settings["Lifecycle Message Design"] = {
	add_fields: ["version", "is_changed"],

	get_indicator(doc) {
		if (!doc.version) return [__("Not in use yet"), "gray", "version,=,0"];
		return doc.is_changed
			? [__("Saved, not in use yet"), "blue", "is_changed,=,1"]
			: [__("In use"), "green", "is_changed,=,0"];
	},

	// Whoever wants a new one chooses from the gallery.
	primary_action() {
		marketing_automation.load_editor().then((ma) => ma.choose_design({ made: ma.edit_design }));
	},

	button: {
		show: () => true,
		get_label: () => __("Open", null, "Message Design"),
		get_description: (doc) => __("Open {0} in the editor", [doc.name]),
		action: (doc) => marketing_automation.edit_design(doc.name),
	},
};
