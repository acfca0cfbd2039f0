frappe.listview_settings["Lifecycle Suppression"] = {
	add_fields: ["status", "reason"],

	get_indicator(doc) {
		return [
			__(doc.status, null, "Lifecycle Suppression"),
			marketing_automation.SUPPRESSION_COLORS[doc.status],
			`status,=,${doc.status}`,
		];
	},

	onload(listview) {
		marketing_automation.heed_filters(listview);
		marketing_automation.explain_empty(
			listview,
			__(
				"No address is on the list. Hard bounces and complaints put addresses here, and so does Add Addresses."
			)
		);
		if (frappe.perm.has_perm(listview.doctype, 0, "create")) {
			listview.page.add_inner_button(__("Add Addresses"), () => this.add(listview));
		}
		if (frappe.perm.has_perm(listview.doctype, 0, "export")) {
			listview.page.add_inner_button(__("Export for Another Tool"), () => this.export_list());
		}
	},

	// Addresses that are pasted, or a file of another tool; the browser reads it.
	add(listview) {
		const ma = marketing_automation;
		const dialog = new frappe.ui.Dialog({
			title: __("Add Addresses to the Suppression List"),
			fields: [
				{
					fieldname: "file",
					fieldtype: "HTML",
					options: `<div class="form-group"><label class="control-label" for="lifecycle-suppression-file">${__(
						"CSV File"
					)}</label><input id="lifecycle-suppression-file" type="file" accept=".csv,.txt,text/csv,text/plain" class="form-control"></div>`,
				},
				{
					fieldname: "text",
					fieldtype: "Long Text",
					label: __("Addresses, One a Line"),
					description: __(
						"One a line, or the file that another tool exports: its columns for address, reason and date are found by their names. They get nothing of ours from now on."
					),
				},
				{
					fieldname: "from_another_tool",
					fieldtype: "Check",
					label: __("Moved From Another Tool"),
					default: 1,
					description: __("Keeps the reasons and dates of the list."),
				},
			],
		});
		dialog.show();
		dialog.$wrapper.find("input[type=file]").on("change", ({ target }) => {
			const [file] = target.files;
			if (file) file.text().then((text) => dialog.set_value("text", text));
		});
		dialog.set_primary_action(__("Add Addresses"), () => {
			const { text, from_another_tool } = dialog.get_values(true) || {};
			if (!text) return;
			dialog.hide();
			ma.call("add_suppressions", { text, from_another_tool }, { freeze: true }).then((found) => {
				this.tell(found);
				marketing_automation.read_again(listview);
			});
		});
	},

	tell({ added, known, left_out, wrong, more_wrong }) {
		const ma = marketing_automation;
		const lines = [
			__("New on the list: {0}. Were there already: {1}.", [ma.number(added), ma.number(known)]),
		];
		if (left_out) {
			lines.push(__("Soft bounces that were left out, for they suppress nothing: {0}.", [ma.number(left_out)]));
		}
		if (wrong.length) {
			lines.push(
				__("Lines without an address: {0}", [ma.number(wrong.length + more_wrong)]),
				...wrong.map((line) => `<code>${ma.escape(line)}</code>`)
			);
		}
		frappe.msgprint({
			title: __("Suppression List"),
			message: lines.join("<br>"),
			indicator: wrong.length ? "orange" : "green",
		});
	},

	export_list() {
		frappe.confirm(
			__(
				"The file has an address where the list still knows it. The others are in it by their hash, which only this site understands: another tool cannot use them, so leave this list in force for as long as mails leave from here."
			),
			() => window.open("/api/method/marketing_automation.api.export_suppressions")
		);
	},
};
