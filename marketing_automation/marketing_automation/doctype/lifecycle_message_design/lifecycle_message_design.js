frappe.ui.form.on("Lifecycle Message Design", {
	refresh(frm) {
		if (frm.is_new()) return;
		frm.add_custom_button(__("Open the Editor"), () => marketing_automation.edit_design(frm.doc.name)).addClass(
			"btn-primary"
		);
	},
});
