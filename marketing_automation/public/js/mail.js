// The mail as a customer would read it, and a test of it to oneself.

marketing_automation.mail = {
	show(action, title) {
		const can_search = frappe.model.can_read("Serial No");
		const dialog = new frappe.ui.Dialog({
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
					fieldname: "serial_no",
					label: __("As for Serial No"),
					fieldtype: can_search ? "Link" : "Data",
					options: can_search ? "Serial No" : undefined,
					description: __("Any serial number with an expiry date, whether it is due or not."),
					onchange: () => this.load(dialog, action),
				},
				{ fieldtype: "Section Break", hide_border: 1 },
				{ fieldname: "mail", fieldtype: "HTML" },
			],
			primary_action_label: __("Send Me a Test"),
			primary_action: () => this.send_test(dialog, action),
		});
		dialog.lifecycle = {};
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
			serial_no: dialog.get_value("serial_no") || null,
			language: dialog.get_value("language") || null,
		};
		const asked = JSON.stringify(args);
		if (dialog.lifecycle.asked === asked) return;
		dialog.lifecycle.asked = asked;
		dialog.fields_dict.mail.$wrapper.html(marketing_automation.loading());
		marketing_automation
			.call("mail", args)
			.then((found) => {
				if (dialog.lifecycle.asked !== asked) return;
				dialog.lifecycle.found = found;
				if (found.languages && !dialog.lifecycle.languages) {
					dialog.lifecycle.languages = this.languages(found.languages);
					dialog.set_df_property("language", "options", dialog.lifecycle.languages);
				}
				if (found.serial_no && !args.serial_no) {
					dialog.lifecycle.asked = JSON.stringify({ ...args, serial_no: found.serial_no });
					dialog.set_value("serial_no", found.serial_no);
				}
				this.draw(dialog);
			})
			.catch(() => {
				// Frappe has shown the error; the next choice is free.
				dialog.lifecycle.asked = null;
				dialog.fields_dict.mail.$wrapper.html(
					marketing_automation.empty(__("There is nothing to show for this choice."))
				);
			});
	},

	draw(dialog) {
		const ma = marketing_automation;
		const found = dialog.lifecycle.found;
		const wrapper = dialog.fields_dict.mail.$wrapper;
		if (!found) return;
		if (!found.serial_no) {
			wrapper.html(
				ma.empty(
					__(
						"There is no product yet that the trigger of this message takes. It wants {0}. Choose another serial number to see what the message looks like.",
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
					__("The trigger of this message does not take this serial number. It wants {0}.", [found.wanted])
			  )
			: "";
		wrapper.html(`${not_taken}${reason}
			<div class="lifecycle-mail-head">
				<div><span class="text-muted">${__("Recipient", null, "Lifecycle")}</span> ${ma.escape(found.recipient || "–")}</div>
				<div><span class="text-muted">${__("Subject")}</span> <strong>${ma.escape(
			found.subject
		)}</strong></div>
				<div class="text-muted">${__("As it would read on {0}, when it is due.", [
					ma.date(found.due_on),
				])}</div>
			</div>
			<div class="lifecycle-mail ${ma.escape(width)}"></div>`);
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

	send_test(dialog, action) {
		const { found } = dialog.lifecycle;
		if (!found || !found.serial_no) return;
		marketing_automation
			.call("send_test", {
				action,
				serial_no: found.serial_no,
				language: dialog.get_value("language") || null,
			})
			.then((address) =>
				frappe.show_alert({
					message: __("A test is on its way to {0}.", [marketing_automation.escape(address)]),
					indicator: "green",
				})
			);
	},
};
