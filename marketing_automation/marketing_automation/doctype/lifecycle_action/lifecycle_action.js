frappe.ui.form.on("Lifecycle Action", {
	setup(frm) {
		// Other apps bring more of them.
		frm.set_df_property(
			"action_type",
			"options",
			frappe.boot.lifecycle_action_types.map((value) => ({ value, label: __(value) }))
		);
	},

	refresh(frm) {
		frm.trigger("show_words");
		frm.trigger("offer_print");
		if (frm.is_new()) return;
		marketing_automation.breadcrumb(
			frm,
			frm.doc.campaign,
			frappe.utils.get_form_link("Lifecycle Campaign", frm.doc.campaign)
		);
		frm.add_custom_button(__("See the Message"), () => {
			if (frm.is_dirty()) {
				frappe.show_alert({ message: __("Save first."), indicator: "orange" });
				return;
			}
			marketing_automation.mail.show(frm.doc.name, frm.doc.action_name);
		});
		if (frm.doc.action_type === marketing_automation.EMAIL && frm.perm[0]?.write) {
			frm.add_custom_button(__("Edit the Message"), () => marketing_automation.mail.edit(frm.doc.name));
			frm.add_custom_button(__("Choose a Design"), () =>
				marketing_automation.load_editor().then((ma) =>
					ma.choose_design({
						action: frm.doc.name,
						title: `${frm.doc.campaign}: ${frm.doc.action_name}`,
						made: ma.edit_design,
					})
				)
			);
		}
		frm.add_custom_button(__("Campaign"), () =>
			frappe.set_route("Form", "Lifecycle Campaign", frm.doc.campaign)
		);
	},

	trigger(frm) {
		frm.trigger("show_words");
		frm.trigger("offer_print");
	},

	action_type(frm) {
		frm.trigger("offer_print");
	},

	// Attached can be what the trigger is about, where that is something to print and the user may.
	offer_print(frm) {
		const ma = marketing_automation;
		const { trigger } = frm.doc;
		const show = (print) => {
			// What a colleague has switched on can be switched off.
			const is_offered = frm.doc.action_type === ma.EMAIL && (print || frm.doc.attach_print);
			frm.toggle_display("attach_print", Boolean(is_offered));
			if (!print) return;
			frm.set_df_property("attach_print", "label", __("Attach the {0}", [print.label]));
			frm.set_query("print_format", () => ({
				filters: { doc_type: print.doctype, disabled: 0, raw_printing: 0 },
			}));
		};
		show(null);
		if (!trigger) return;
		ma.ask("attachable", { trigger }).then((print) => {
			if (frm.doc.trigger === trigger) show(print);
		});
	},

	// What a template of this action can say: it depends on what its trigger is about. A click on a word copies it.
	show_words(frm) {
		const ma = marketing_automation;
		const { trigger } = frm.doc;
		if (!trigger) return;
		ma.ask("variables", { trigger }).then((variables) => {
			if (frm.doc.trigger !== trigger) return;
			const names = ["customer_name", ...variables.map(({ name }) => name), "days_left", "company"];
			const words = names.map(
				(name) => `<a href="#" data-copy="{{ ${name} }}"><code>{{ ${name} }}</code></a>`
			);
			frm.set_df_property(
				"email_template",
				"description",
				`${__("The text. For readers whose language has no template below.")} ${__(
					"It can say: {0}",
					[words.join(" ")]
				)}`
			);
			frm.fields_dict.email_template.$wrapper
				.off("click", "[data-copy]")
				.on("click", "[data-copy]", (event) => {
					event.preventDefault();
					frappe.utils.copy_to_clipboard(event.currentTarget.dataset.copy);
				});
		});
	},
});
