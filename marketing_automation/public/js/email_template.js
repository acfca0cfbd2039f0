frappe.ui.form.on("Email Template", {
	async refresh(frm) {
		if (frm.is_new() || !frappe.model.can_read("Lifecycle Campaign")) return;
		const template = frm.doc.name;
		const ma = await marketing_automation.ready();
		const rights = await ma.ask("template_rights", { template });
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
		if (rights.design) {
			frm.set_intro(
				__("This message is made in the editor. What you change here stays, and the editor asks before it writes over it."),
				"blue"
			);
			frm.add_custom_button(__("Open the Editor"), () => ma.edit_design(rights.design)).addClass("btn-primary");
		} else if (rights.actions.length && !rights.obstacle) {
			frm.add_custom_button(__("Open the Editor"), () => ma.mail.edit(rights.actions[0].name));
		}
		if (rights.may_release) {
			const label = rights.released ? __("No Longer Let Marketers Edit") : __("Let Marketers Edit");
			const released = rights.released ? 0 : 1;
			frm.add_custom_button(label, () =>
				ma
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
		const template = frm.doc.name;
		frm.add_custom_button(__("See the Message"), () => {
			if (frm.is_dirty()) frappe.show_alert({ message: __("Save first."), indicator: "orange" });
			else ma.mail.show(action.name, action.action_name);
		});
		frm.add_custom_button(__("Campaign"), () =>
			frappe.set_route("Form", "Lifecycle Campaign", action.campaign)
		);
		const used = actions
			.map((row) => ma.link("Lifecycle Action", row.name, `${row.campaign}: ${row.action_name}`))
			.join(", ");
		ma.ask("variables", { action: action.name }).then((variables) => {
			if (frm.doc.name === template) frm.events.show_words(frm, used, variables);
		});
	},

	// A click on a word copies it.
	show_words(frm, used, variables) {
		const ma = marketing_automation;
		const [first] = variables;
		const words = [
			["{{ customer_name }}", __("the customer's name")],
			...variables.map(({ name, label }) => [`{{ ${name} }}`, label]),
			["{{ days_left }}", __("the days until then")],
			["{{ days_since }}", __("the days since then")],
			["{{ company }}", __("your company")],
		];
		if (first) {
			words.push([
				`{% for item in items %}{{ item.${first.name} }}{% endfor %}`,
				__("each of them, where one message is about several"),
			]);
		}
		const help = frm.fields_dict.email_reply_help?.$wrapper;
		help?.html(`<div class="lifecycle-words">
			<p>${__("Sent by: {0}", [used])}</p>
			<p>${__(
				"Change the words as you like. These are filled in for each customer, each with its braces. Click one to copy it:"
			)}</p>
			${ma.table(
				[
					{
						label: __("Write", null, "Lifecycle"),
						html: (row) =>
							`<a href="#" data-copy="${ma.escape(row[0])}"><code>${ma.escape(
								row[0]
							)}</code></a>`,
					},
					{ label: __("Becomes"), html: (row) => ma.escape(row[1]) },
				],
				words
			)}</div>`);
		help?.find("[data-copy]").on("click", (event) => {
			event.preventDefault();
			frappe.utils.copy_to_clipboard(event.currentTarget.dataset.copy);
		});
	},
});
