// On the form of whatever messages can be about: what was sent about it, and why. It runs while the form is set up.
frappe.ui.form.on(cur_frm.doctype, {
	refresh(frm) {
		if (frm.is_new() || !frappe.model.can_read("Lifecycle Execution Log")) return;
		frm.add_custom_button(
			__("Messages: What and Why"),
			() => marketing_automation.ready().then((ma) => ma.why.reference(frm.doctype, frm.doc.name)),
			__("View")
		);
	},
});
