// The mail as a customer would read it, and a test of it to oneself.

marketing_automation.mail = {
	show(action, title) {
		const dialog = marketing_automation.dialog({
			title: title ? __("Message: {0}", [marketing_automation.escape(title)]) : __("Message"),
			size: "extra-large",
			// The link is not the first field: one that has the focus drops its list over the mail.
			fields: [
				{
					fieldname: "language",
					label: __("In the Language"),
					fieldtype: "Select",
					options: this.languages([]),
					onchange: () => this.load(dialog, action),
				},
				{ fieldtype: "Column Break" },
				{
					fieldname: "width",
					label: __("Shown on"),
					fieldtype: "Select",
					options: [
						{ value: "desktop", label: __("A computer") },
						{ value: "phone", label: __("A phone") },
						{ value: "text", label: __("Plain text") },
					],
					default: "desktop",
					onchange: () => this.draw(dialog),
				},
				{ fieldtype: "Column Break" },
				{
					fieldname: "reference_name",
					label: __("As about"),
					fieldtype: "Link",
					options: "Serial No",
					description: __("Any one with a date, whether it is due or not."),
					onchange: () => this.load(dialog, action),
				},
				{ fieldtype: "Section Break", hide_border: 1 },
				{ fieldname: "test", fieldtype: "HTML" },
				{ fieldname: "mail", fieldtype: "HTML" },
			],
			primary_action_label: __("Send Me a Test"),
			primary_action: () => this.send_test(dialog, action),
		});
		dialog.lifecycle = { action };
		dialog.$wrapper.on("click", "a[href]", () => dialog.hide());
		dialog.show();
		this.load(dialog, action);
		return dialog;
	},

	languages(known) {
		return [{ value: "", label: __("Of the customer") }, ...known];
	},

	load(dialog, action) {
		const args = {
			action,
			reference_name: dialog.get_value("reference_name") || null,
			language: dialog.get_value("language") || null,
		};
		const asked = JSON.stringify(args);
		if (dialog.lifecycle.asked === asked) return;
		dialog.lifecycle.asked = asked;
		dialog.lifecycle.found = null;
		// What was said of a test belongs to what was on the screen then.
		dialog.fields_dict.test.$wrapper.empty();
		const ask = () => marketing_automation.ask("mail", args);
		marketing_automation.load(dialog.fields_dict.mail.$wrapper, ask, (found) => {
			dialog.lifecycle.found = found;
			if (found.languages && !dialog.lifecycle.languages) {
				dialog.lifecycle.languages = this.languages(found.languages);
				dialog.set_df_property("language", "options", dialog.lifecycle.languages);
			}
			if (found.reference_doctype) this.search_in(dialog, found.reference_doctype);
			if (found.reference_name && !args.reference_name) {
				dialog.lifecycle.asked = JSON.stringify({ ...args, reference_name: found.reference_name });
				dialog.set_value("reference_name", found.reference_name);
			}
			this.draw(dialog);
		});
	},

	// What the message can be about is chosen from a list, or typed by whom may not read the list.
	search_in(dialog, doctype) {
		const field = dialog.fields_dict.reference_name;
		field.df.options = doctype;
		field.df.only_select = !frappe.model.can_read(doctype);
		field.df.ignore_link_validation = true;
	},

	draw(dialog) {
		const ma = marketing_automation;
		const found = dialog.lifecycle.found;
		const wrapper = dialog.fields_dict.mail.$wrapper;
		if (!found) return;
		if (!found.reference_name) {
			wrapper.html(
				ma.empty(
					__(
						"There is nothing yet that the trigger of this message takes. It wants {0}. Choose another one to see what the message looks like.",
						[found.wanted]
					)
				)
			);
			return;
		}
		const width = dialog.get_value("width") || "desktop";
		const reason = found.reason
			? ma.banner("orange", __("This customer would not get it now: {0}.", [ma.reason(found.reason)]))
			: "";
		const not_taken = found.wanted
			? ma.banner(
					"orange",
					__("The trigger of this message does not take this one. It wants {0}.", [found.wanted])
			  )
			: "";
		wrapper.html(`${not_taken}${reason}
			<div class="lifecycle-mail-head">
				<div><span class="text-muted">${__("Recipient", null, "Lifecycle")}</span> ${ma.escape(
			found.recipient || "–"
		)}</div>
				<div><span class="text-muted">${__("Subject")}</span> <strong>${ma.escape(found.subject)}</strong></div>
				${this.attached(found.attached)}
				${this.template_link(found.template)}
				<div class="text-muted">${__("As it would read on {0}, when it is due.", [ma.date(found.due_on)])}</div>
			</div>
			<div class="lifecycle-mail ${ma.escape(width)}"></div>`);
		wrapper.find("[data-edit-message]").on("click", () => {
			dialog.hide();
			this.edit(dialog.lifecycle.action);
		});
		const body = wrapper.find(".lifecycle-mail");
		if (width === "text") {
			$("<pre></pre>").text(found.text).appendTo(body);
			return;
		}
		// No script runs and nothing of the Desk is within reach of a mail.
		$('<iframe sandbox="" referrerpolicy="no-referrer"></iframe>')
			.attr({ title: __("Message"), srcdoc: found.html })
			.appendTo(body);
	},

	// The prints that go with it. Whoever may print one can look at it.
	attached(prints) {
		const ma = marketing_automation;
		if (!prints.length) return "";
		const names = prints.map(({ doctype, name, print_format, lang, may_print }) => {
			const file = ma.escape(`${name}.pdf`);
			if (!may_print) return `${file} (${__("not in your test: you may not print it")})`;
			const asked = new URLSearchParams({ doctype, name, format: print_format || "", _lang: lang, language: lang });
			const url = `/api/method/frappe.utils.print_format.download_pdf?${asked}`;
			return `<a href="${ma.escape(url)}" target="_blank" rel="noopener">${file}</a>`;
		});
		return `<div><span class="text-muted">${__("Attached")}</span> ${names.join(", ")}</div>`;
	},

	// Where the words are changed.
	template_link(template) {
		const ma = marketing_automation;
		if (!template || !frappe.model.can_read("Email Template")) return "";
		return `<div><button type="button" class="btn btn-default btn-xs" data-edit-message>${__("Change the Message")}</button>
			${ma.link("Email Template", template, __("Email Template"))}</div>`;
	},

	// A message of the ledger, in the words and the look that its design had when it was sent.
	show_as_sent(message) {
		const ma = marketing_automation;
		const dialog = ma.dialog({
			title: __("As It Was"),
			size: "extra-large",
			fields: [{ fieldname: "mail", fieldtype: "HTML" }],
		});
		dialog.show();
		const place = dialog.fields_dict.mail.$wrapper;
		ma.load(place, () => ma.ask("as_sent", { message }), (found) => {
			if (!found) {
				place.html(
					ma.empty(__("This message was not made in the editor, so what its template said then is not kept."))
				);
				return;
			}
			place.html(`<div class="lifecycle-mail-head"><div><strong>${ma.escape(found.subject)}</strong></div>
				<div class="text-muted">${__(
					"Version {0} of the design. What is filled in, and the language, are what is known of the customer today.",
					[ma.number(found.version)]
				)}</div></div>${found.doubts.map((text) => ma.banner("orange", text)).join("")}<div class="lifecycle-mail"></div>`);
			$('<iframe sandbox="" referrerpolicy="no-referrer"></iframe>')
				.attr({ title: __("Message"), srcdoc: found.html })
				.appendTo(place.find(".lifecycle-mail"));
		});
	},

	// To the editor, with the message of an action.
	edit(action) {
		const ma = marketing_automation;
		return ma.call("design_of_action", { action }, { freeze: true }).then((design) => ma.edit_design(design));
	},

	send_test(dialog, action) {
		const ma = marketing_automation;
		const { found } = dialog.lifecycle;
		if (!found || !found.reference_name) return;
		const args = {
			action,
			reference_name: found.reference_name,
			language: dialog.get_value("language") || "",
		};
		// In the dialog: what is said elsewhere is behind it.
		const place = dialog.fields_dict.test.$wrapper;
		const button = dialog.get_primary_btn().prop("disabled", true);
		const ask = () => ma.ask("send_test", args, "POST");
		const draw = (address) =>
			place.html(ma.banner("green", __("A test is on its way to {0}.", [address])));
		ma.load(place, ask, draw, { loading: "" }).finally(() => {
			button.prop("disabled", false);
			// Whoever has read the mail to its end sees it too.
			place[0].scrollIntoView({ block: "center" });
		});
	},
};
