frappe.ui.form.on("Email Template", {
	async refresh(frm) {
		if (frm.is_new() || !frappe.model.can_read("Lifecycle Campaign")) return;
		const template = frm.doc.name;
		const rights = await marketing_automation.ask("template_rights", { template });
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
		if (rights.actions.length) frm.events.explain_campaign(frm, rights.actions);
		if (rights.may_release) {
			const label = rights.released
				? __("No Longer Let Marketers Edit")
				: __("Let Marketers Edit");
			const released = rights.released ? 0 : 1;
			frm.add_custom_button(label, () =>
				marketing_automation
					.call("release_template", { template, released }, { freeze: true })
					.then(() => frm.refresh())
			);
		}
	},

	// The words of a campaign's message, in the place of Frappe's help, which is about those of other documents; and the
	// way to see it, and back.
	explain_campaign(frm, actions) {
		const ma = marketing_automation;
		const [action] = actions;
		frm.add_custom_button(__("See the Message"), () => {
			if (frm.is_dirty()) frappe.show_alert({ message: __("Save first."), indicator: "orange" });
			else ma.mail.show(action.name, action.action_name);
		});
		frm.add_custom_button(__("Campaign"), () =>
			frappe.set_route("Form", "Lifecycle Campaign", action.campaign)
		);
		const words = [
			["{{ customer_name }}", __("the customer's name")],
			["{{ item_name }}", __("the product")],
			["{{ serial_no }}", __("its serial number")],
			["{{ expiry_date }}", __("when it expires, as the customer's language writes it")],
			["{{ days_left }}", __("the days until then")],
			["{{ company }}", __("your company")],
			[
				"{% for item in items %}{{ item.item_name }}{% endfor %}",
				__("each product, where one message is about several"),
			],
		];
		const used = actions
			.map((row) => ma.link("Lifecycle Action", row.name, `${row.campaign}: ${row.action_name}`))
			.join(", ");
		frm.fields_dict.email_reply_help?.$wrapper.html(`<div class="lifecycle-words">
			<p>${__("Sent by: {0}", [used])}</p>
			<p>${__("Change the words as you like. These are filled in for each customer, each with its braces:")}</p>
			${ma.table(
				[
					{ label: __("Write", null, "Lifecycle"), html: (row) => `<code>${ma.escape(row[0])}</code>` },
					{ label: __("Becomes"), html: (row) => ma.escape(row[1]) },
				],
				words
			)}</div>`);
	},
});
