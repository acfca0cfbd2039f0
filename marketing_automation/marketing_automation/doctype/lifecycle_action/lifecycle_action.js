frappe.ui.form.on("Lifecycle Action", {
	setup(frm) {
		// Other apps bring more of them.
		frm.set_df_property(
			"action_type",
			"options",
			frappe.boot.lifecycle_action_types.map((value) => ({ value, label: __(value) }))
		);
	},

	refresh(frm) {
		if (frm.is_new()) return;
		marketing_automation.breadcrumb(
			frm,
			frm.doc.campaign,
			frappe.utils.get_form_link("Lifecycle Campaign", frm.doc.campaign)
		);
		frm.add_custom_button(__("See the Message"), () => {
			if (frm.is_dirty()) {
				frappe.show_alert({ message: __("Save first."), indicator: "orange" });
				return;
			}
			marketing_automation.mail.show(frm.doc.name, frm.doc.action_name);
		});
		frm.add_custom_button(__("Campaign"), () =>
			frappe.set_route("Form", "Lifecycle Campaign", frm.doc.campaign)
		);
	},
});
