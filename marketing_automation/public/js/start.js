// The only script of the app that every page of the Desk loads. It fetches the bundle where a screen of the app opens.

frappe.provide("marketing_automation");

Object.assign(marketing_automation, {
	OURS: /^(Lifecycle|Marketing Automation) /,
	WORKSPACE: "Marketing Automation",
	// What Frappe translates of an onboarding step in newer versions only.
	TEXTS_OF_STEPS: ["description", "callback_title", "callback_message", "report_description"],

	// The forms of what messages are about: what was sent, and why.
	REFERENCE: {
		refresh(frm) {
			if (frm.is_new() || !frappe.model.can_read("Lifecycle Execution Log")) return;
			const label = __("Messages: What and Why");
			const ask = (ma) => ma.why.reference(frm.doctype, frm.doc.name);
			frm.add_custom_button(label, () => marketing_automation.ready().then(ask), __("View"));
		},
	},

	// Fetch the app's scripts and styles, once; a promise of `marketing_automation` with all that they add to it.
	ready() {
		const bundle = ["marketing_automation.bundle.js", "marketing_automation.bundle.css"];
		if (!bundle.every((file) => file in frappe.boot.assets_json)) {
			// Frappe would wait for them for ever, with the screen frozen.
			const text = __(
				"The scripts of Marketing Automation are missing. Ask your administrator to run bench build."
			);
			frappe.msgprint({ message: text, indicator: "red" });
			return Promise.reject(new Error(text));
		}
		this.fetched = this.fetched || frappe.require(bundle).then(() => this);
		return this.fetched;
	},

	// Forms, lists and the other views of a DocType begin when its definition has come: those of the app wait for the
	// bundle, too.
	start() {
		const usual = frappe.model.with_doctype;
		frappe.model.with_doctype = (doctype, ...others) => {
			const again = () => frappe.model.with_doctype(doctype, ...others);
			if (this.OURS.test(doctype) && !this.is_ready) return this.ready().then(again);
			return usual.call(frappe.model, doctype, ...others);
		};
		frappe.boot.lifecycle_references?.forEach((own) => frappe.ui.form.on(own, this.REFERENCE));
		const onboarding = frappe.widget.widget_factory.onboarding.prototype;
		const show_step = onboarding.show_step;
		const { TEXTS_OF_STEPS } = this;
		onboarding.show_step = function (step) {
			for (const text of TEXTS_OF_STEPS) if (step[text]) step[text] = __(step[text]);
			return show_step.call(this, step);
		};
		frappe.router.on("change", () => {
			const route = frappe.get_route();
			if (route[0] !== "Workspaces") return;
			if (this.is_ready || route[route.length - 1] === this.WORKSPACE) {
				this.ready().then(() => this.workspace.opened());
			}
		});
	},
});

marketing_automation.start();
