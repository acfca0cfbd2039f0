frappe.ui.form.on("Lifecycle Run", {
	refresh(frm) {
		// It names all campaigns that could not send, also those of other companies.
		if (frm.doc.status === "Failed" && !frm.get_perm(1, "read")) {
			frm.set_intro(
				__(
					"Marketing Managers see here why it failed. What stops a campaign of yours stands on the campaign itself."
				),
				"orange"
			);
		}
		frm.add_custom_button(__("Message Log"), () =>
			marketing_automation.open_ledger({ run: frm.doc.name })
		);
		if (frm.doc.failed) {
			frm.add_custom_button(__("Retry Failed"), () =>
				marketing_automation.run.again("retry_run", { run: frm.doc.name }, () => frm.reload_doc())
			);
		}
		if (["Running", "Delivering"].includes(frm.doc.status)) {
			frm.add_custom_button(__("Follow It"), () =>
				marketing_automation.run.follow(frm.doc.name, () => frm.reload_doc(), {
					campaign: frm.doc.campaign,
				})
			);
		}
	},
});
