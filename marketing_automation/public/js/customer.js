frappe.ui.form.on("Customer", {
	refresh(frm) {
		if (frm.is_new() || !frappe.model.can_read("Lifecycle Execution Log")) return;
		frm.add_custom_button(
			__("Messages: What and Why"),
			() => marketing_automation.ready().then((ma) => ma.why.customer(frm.doc.name)),
			__("View")
		);
	},
});
