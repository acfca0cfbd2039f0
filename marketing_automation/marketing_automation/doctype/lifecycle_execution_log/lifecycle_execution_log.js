frappe.ui.form.on("Lifecycle Execution Log", {
	refresh(frm) {
		marketing_automation.breadcrumb(
			__("Lifecycle Execution Log"),
			frappe.utils.generate_route({ type: "DocType", name: frm.doctype, doc_view: "List" })
		);
		if (frm.doc.customer && frappe.model.can_read("Customer")) {
			frappe.db.get_value("Customer", frm.doc.customer, "customer_name").then(({ message }) => {
				if (message.customer_name !== frm.doc.customer) {
					frm.set_df_property("customer", "description", frappe.utils.escape_html(message.customer_name));
				}
			});
		}
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
