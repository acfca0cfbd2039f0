// Older versions of Frappe ask for a label's translation without its context, so a short word that other screens have as well,
// such as "Run", would stay English on ours.

(() => {
	const { set_label } = frappe.ui.form.ControlInput?.prototype ?? {};
	if (!set_label || String(set_label).includes("df.parent")) return;
	const ours = () => Object.entries(locals.DocType).filter(([doctype]) => marketing_automation.OURS.test(doctype));
	const usual = frappe.model.with_doctype;
	frappe.model.with_doctype = (doctype, callback, ...others) =>
		usual.call(
			frappe.model,
			doctype,
			(...known) => {
				for (const [name, { fields }] of ours()) {
					for (const df of fields) df.label = frappe._messages[`${df.label}:${name}`] || df.label;
				}
				return callback && callback(...known);
			},
			...others
		);
})();
