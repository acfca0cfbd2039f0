frappe.ui.form.on("Lifecycle Execution Log", {
	// Below a key, what it is called.
	show_title(frm, field, doctype, title) {
		const key = frm.doc[field];
		if (!key || !frappe.model.can_read(doctype)) return;
		// By a filter: Frappe reads a bare name like 1840e23824 as a number.
		frappe.db.get_value(doctype, { name: key }, title).then(({ message }) => {
			const called = message[title];
			if (frm.doc[field] !== key) return;
			frm.set_df_property(
				field,
				"description",
				called && called !== key ? marketing_automation.escape(called) : ""
			);
		});
	},

	refresh(frm) {
		// Frappe adds the time zone to these, and then finds no translation of the whole.
		frm.meta.fields
			.filter((df) => df.fieldtype === "Datetime" && df.description)
			.forEach((df) =>
				frm.set_df_property(df.fieldname, "description", __(df.description.split("<br>")[0]))
			);
		marketing_automation.breadcrumb(
			frm,
			__("Lifecycle Execution Log"),
			frappe.utils.generate_route({ type: "DocType", name: frm.doctype, doc_view: "List" })
		);
		if (frm.doc.status === "Completed" && frm.doc.channel === marketing_automation.EMAIL) {
			frm.add_custom_button(__("As It Was"), () => marketing_automation.mail.show_as_sent(frm.doc.name));
		}
		frm.events.show_title(frm, "customer", "Customer", "customer_name");
		frm.events.show_title(frm, "item_code", "Item", "item_name");
		frm.page.set_indicator(
			marketing_automation.status_words(frm.doc.status),
			marketing_automation.row_color(frm.doc)
		);
		frm.set_df_property("status", "formatter", (value) =>
			marketing_automation.escape(marketing_automation.status_words(value))
		);
		frm.set_df_property("reason", "formatter", (value) =>
			marketing_automation.escape(marketing_automation.reason(value))
		);
		frm.set_df_property("channel", "formatter", (value) => marketing_automation.escape(__(value || "")));
		const doctype = frm.doc.__onload?.handle_doctype;
		frm.set_df_property("handle", "formatter", (value) =>
			value && doctype && frappe.model.can_read(doctype)
				? `<a href="${frappe.utils.get_form_link(doctype, value)}">${marketing_automation.escape(
						value
				  )}</a>`
				: marketing_automation.escape(value || "")
		);
		const again = { Failed: "retry", Skipped: "send_skipped", Cancelled: "send_skipped" }[frm.doc.status];
		if (again && frappe.model.can_write("Lifecycle Campaign")) {
			frm.add_custom_button(again === "retry" ? __("Retry") : __("Send It"), () =>
				marketing_automation.run.again(again, { names: [frm.doc.name] }, () => frm.reload_doc())
			);
		}
		if (frm.doc.customer) {
			frm.add_custom_button(__("Why? Customer"), () =>
				marketing_automation.why.customer(frm.doc.customer)
			);
		}
		if (frm.doc.reference_name) {
			frm.add_custom_button(__("Why? {0}", [__(frm.doc.reference_doctype)]), () =>
				marketing_automation.why.reference(frm.doc.reference_doctype, frm.doc.reference_name)
			);
		}
	},
});
