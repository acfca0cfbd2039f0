frappe.listview_settings["Lifecycle Execution Log"] = {
	add_fields: ["status", "reason", "customer"],
	hide_name_column: true,

	// There is room for one of them: the colour says the status too.
	get_indicator(doc) {
		return [
			__(doc.reason || doc.status),
			marketing_automation.STATUS_COLORS[doc.status],
			`status,=,${doc.status}`,
		];
	},

	onload(listview) {
		marketing_automation.heed_filters(listview);
		marketing_automation.explain_empty(
			listview,
			__(
				"No message yet. Each that falls due gets a row here, sent or not, when a run of an active campaign has met it."
			)
		);
		// What Frappe does by itself for document types that show their titles in links; ERPNext's Customer does not.
		if (frappe.model.can_read("Customer")) {
			listview.link_field_title_fields.customer = "customer_name";
		}
		const names = () => listview.get_checked_items(true);
		listview.page.add_actions_menu_item(__("Retry Failed"), () =>
			marketing_automation.run.again("retry", { names: names() }, () => listview.refresh())
		);
		listview.page.add_actions_menu_item(__("Send Skipped"), () =>
			marketing_automation.run.again("send_skipped", { names: names() }, () => listview.refresh())
		);
	},

	button: {
		show: (doc) => Boolean(doc.customer),
		get_label: () => __("Why?"),
		get_description: () => __("What this customer was sent, and what is coming"),
		action: (doc) => marketing_automation.why.customer(doc.customer),
	},
};
