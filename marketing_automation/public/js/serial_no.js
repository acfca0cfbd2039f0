frappe.ui.form.on("Serial No", {
	refresh(frm) {
		if (frm.is_new() || !frappe.model.can_read("Lifecycle Execution Log")) return;
		frm.add_custom_button(
			__("Messages: What and Why"),
			() => marketing_automation.ready().then((ma) => ma.why.serial_no(frm.doc.name)),
			__("View")
		);
	},
});
