frappe.listview_settings["Lifecycle Campaign"] = {
	hide_name_column: true,
	add_fields: ["is_active", "start_date", "end_date"],

	get_indicator(doc) {
		if (!doc.is_active) return [__("Inactive"), "gray", "is_active,=,0"];
		if (doc.end_date && doc.end_date < frappe.datetime.get_today()) {
			return [__("Ended"), "orange", "is_active,=,1"];
		}
		return [__("Active"), "green", "is_active,=,1"];
	},

	onload(listview) {
		marketing_automation.heed_filters(listview);
		marketing_automation.explain_empty(
			listview,
			__(
				"No campaign yet. New from Recipe makes a whole one in a minute, and nothing is sent before you activate it."
			)
		);
		if (frappe.model.can_create("Lifecycle Campaign")) {
			listview.page.add_inner_button(__("New from Recipe"), () =>
				marketing_automation.recipes.show()
			);
		}
		listview.page.add_inner_button(__("Preview"), () => marketing_automation.preview.show());
		listview.page.add_inner_button(__("Forecast"), () => marketing_automation.forecast.show());
		if (frappe.model.can_write("Marketing Automation Settings")) {
			listview.page.add_menu_item(__("Run All Active Campaigns Now"), () =>
				marketing_automation.run.confirm(null, () => listview.refresh())
			);
		}
	},
};
