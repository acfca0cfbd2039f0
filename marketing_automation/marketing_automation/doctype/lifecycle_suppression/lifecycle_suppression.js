frappe.ui.form.on("Lifecycle Suppression", {
	refresh(frm) {
		const ma = marketing_automation;
		frm.disable_save();
		frm.page.set_indicator(__(frm.doc.status, null, "Lifecycle Suppression"), ma.SUPPRESSION_COLORS[frm.doc.status]);
		// Frappe counts who may add to such a list among those who may write.
		const may_lift = frappe.perm.has_perm(frm.doctype, 0, "write");
		if (!may_lift || !["Suppressed", "Counting"].includes(frm.doc.status)) {
			return;
		}
		frm.add_custom_button(__("Lift"), () => {
			const dialog = new frappe.ui.Dialog({
				title: __("Write to This Address Again"),
				fields: [
					{
						fieldname: "why",
						fieldtype: "Small Text",
						label: __("Why"),
						reqd: 1,
						description: __(
							"Kept with the entry. A new bounce or complaint puts the address on the list again."
						),
					},
				],
				primary_action_label: __("Lift"),
				primary_action({ why }) {
					dialog.hide();
					ma.call("lift_suppression", { name: frm.doc.name, why }).then(() => frm.reload_doc());
				},
			});
			dialog.show();
		});
	},
});
