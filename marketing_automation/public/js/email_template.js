frappe.ui.form.on("Email Template", {
	async refresh(frm) {
		if (frm.is_new() || !frappe.model.can_read("Lifecycle Campaign")) return;
		const template = frm.doc.name;
		const { message: rights } = await frappe.call("marketing_automation.api.template_rights", { template });
		if (frm.doc.name !== template) return;
		if (rights.obstacle) {
			frm.set_read_only();
			frm.disable_save();
			frm.set_intro(
				__("You can read this Email Template, and not change it. {0}", [
					frappe.utils.escape_html(rights.obstacle),
				]),
				"blue"
			);
		}
		if (rights.may_release) {
			const label = rights.released
				? __("No Longer Let Marketers Edit")
				: __("Let Marketers Edit");
			frm.add_custom_button(label, async () => {
				await frappe.call("marketing_automation.api.release_template", {
					template,
					released: rights.released ? 0 : 1,
				});
				frm.refresh();
			});
		}
	},
});
