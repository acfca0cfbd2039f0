frappe.ui.form.on("Lifecycle Run", {
	refresh(frm) {
		frm.add_custom_button(__("Execution Log"), () =>
			marketing_automation.open_ledger({ run: frm.doc.name })
		);
		if (["Running", "Delivering"].includes(frm.doc.status)) {
			frm.add_custom_button(__("Follow It"), () =>
				marketing_automation.run.follow(frm.doc.name, () => frm.reload_doc())
			);
		}
	},
});
