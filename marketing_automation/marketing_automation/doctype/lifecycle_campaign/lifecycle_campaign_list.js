frappe.listview_settings["Lifecycle Campaign"] = {
	hide_name_column: true,
	add_fields: ["is_active"],

	// On the form; the list has a column of its own. Which state it is, the server says.
	get_indicator(doc) {
		const state = doc.lifecycle?.state || doc.__onload?.state || (doc.is_active ? "Active" : "Draft");
		return [
			marketing_automation.state(state),
			marketing_automation.STATE_COLORS[state],
			`is_active,=,${doc.is_active}`,
		];
	},

	primary_action() {
		marketing_automation.recipes.show();
	},

	onload(listview) {
		const ma = marketing_automation;
		const from_recipe = __("New from Recipe");
		ma.heed_filters(listview);
		ma.explain_empty(
			listview,
			__(
				"No campaign yet. New from Recipe makes a whole one in a minute, and nothing is sent before you activate it."
			),
			frappe.model.can_create("Lifecycle Campaign") ? from_recipe : null
		);
		ma.columns(listview, this.columns());
		if (frappe.model.can_create("Lifecycle Campaign")) {
			// Frappe sets its button again whenever rows were chosen.
			listview.set_primary_action = () =>
				listview.page.set_primary_action(from_recipe, () => ma.recipes.show(), "add");
			listview.set_primary_action();
			listview.page.add_menu_item(__("New Empty Campaign"), () => listview.make_new_doc());
		}
		listview.page.add_inner_button(__("Preview"), () => ma.preview.show());
		listview.page.add_inner_button(__("Forecast", null, "Lifecycle"), () => ma.forecast.show());
		if (frappe.model.can_write("Marketing Automation Settings")) {
			listview.page.add_menu_item(__("Run All Active Campaigns Now"), () =>
				ma.run.confirm(null, () => marketing_automation.read_again(listview))
			);
		}
	},

	// States and numbers are counted for the rows that are seen, and come after them.
	refresh(listview) {
		const rows = listview.data;
		if (!rows.length) return;
		marketing_automation.call("campaign_states", { names: rows.map((row) => row.name) }).then((found) => {
			if (listview.data !== rows) return;
			rows.forEach((row) => (row.lifecycle = found[row.name]));
			listview.render_list();
			listview.set_rows_as_checked();
		});
	},

	columns() {
		const ma = marketing_automation;
		const number = (field, color) => (doc) => {
			const value = doc.lifecycle?.[field];
			if (value === undefined) return "";
			return `<span class="${value ? color || "" : "text-muted"}">${ma.number(value)}</span>`;
		};
		return [
			{
				label: __("State"),
				plain: true,
				html: (doc) =>
					doc.lifecycle
						? ma.pill(ma.state(doc.lifecycle.state), ma.STATE_COLORS[doc.lifecycle.state])
						: "",
			},
			{
				label: __("Next Send"),
				html: (doc) => {
					const { next_on, next } = doc.lifecycle || {};
					if (!next_on) return doc.lifecycle ? '<span class="text-muted">–</span>' : "";
					return `<span title="${ma.escape(__("Due then: {0}", [ma.products(next)]))}">${ma.date(
						next_on
					)}</span>`;
				},
			},
			{ label: __("Sent", null, "Lifecycle"), numeric: true, html: number("sent") },
			{ label: __("Skipped", null, "Lifecycle"), numeric: true, html: number("skipped") },
			{
				label: __("Failed", null, "Lifecycle"),
				numeric: true,
				html: number("failed", "lifecycle-bad"),
			},
		];
	},
};
