frappe.ui.form.on("Marketing Automation Settings", {
	refresh(frm) {
		marketing_automation.by_no_zone(frm);
		marketing_automation.arrival.draw(frm.fields_dict.deliverability.$wrapper);
		if (!frm.doc.mailbox_enabled || !frappe.user.has_role("System Manager")) return;
		frm.add_custom_button(__("Read the Bounce Mailbox"), () =>
			marketing_automation.call("read_mailbox", {}, { freeze: true }).then(({ read, error }) => {
				frappe.msgprint({
					title: __("Bounce Mailbox"),
					message: error
						? marketing_automation.escape(error)
						: __("New messages: {0}", [marketing_automation.number(read)]),
					indicator: error ? "red" : "green",
				});
				frm.reload_doc();
			})
		);
	},

	onload(frm) {
		const ma = marketing_automation;
		ma.ask("holds").then(
			(holds) => {
				frm.lifecycle_holds = holds;
				// One that this site has not any more stays to be seen, and to be removed.
				const known = holds.map((hold) => hold.value);
				const gone = (frm.doc.holds || [])
					.map((row) => row.hold)
					.filter((hold) => hold && !known.includes(hold));
				const { grid } = frm.fields_dict.holds;
				grid.update_docfield_property("hold", "options", ["", ...holds, ...gone]);
				grid.refresh();
			},
			(xhr) => frm.set_df_property("holds", "description", ma.escape(ma.trouble(xhr).title))
		);
	},
});

frappe.ui.form.on("Lifecycle Hold", {
	// The usual number of days, where a hold takes one.
	hold(frm, doctype, name) {
		const { hold } = locals[doctype][name];
		const chosen = (frm.lifecycle_holds || []).find(({ value }) => value === hold);
		frappe.model.set_value(doctype, name, "days", chosen?.days || 0);
	},
});

frappe.ui.form.on("Lifecycle Do Not Disturb", {
	party_type(frm, doctype, name) {
		frappe.model.set_value(doctype, name, "party", "");
	},
});
