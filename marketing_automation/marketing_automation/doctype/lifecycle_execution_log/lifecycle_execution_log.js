frappe.ui.form.on("Lifecycle Execution Log", {
	refresh(frm) {
		frm.page.set_indicator(
			__(frm.doc.status),
			marketing_automation.STATUS_COLORS[frm.doc.status]
		);
		if (frm.doc.customer) {
			frm.add_custom_button(__("Why? Customer"), () =>
				marketing_automation.why.customer(frm.doc.customer)
			);
		}
		if (frm.doc.reference_doctype === "Serial No") {
			frm.add_custom_button(__("Why? Serial No"), () =>
				marketing_automation.why.serial_no(frm.doc.reference_name)
			);
		}
	},
});
