// A new campaign from a recipe: which one, a few questions, and a whole campaign to look at.

marketing_automation.recipes = {
	show() {
		const ma = marketing_automation;
		const dialog = ma.dialog({
			title: __("New Campaign from a Recipe"),
			// Newer versions of Frappe write the labels beside the fields.
			size: "large",
			fields: this.fields(),
			primary_action_label: __("Make the Campaign"),
			primary_action: (values) => this.make(dialog, values),
			secondary_action_label: __("Choose Another Recipe"),
			secondary_action: () => this.offer(dialog),
		});
		dialog.show();
		const state = dialog.fields_dict.state.$wrapper;
		this.turn(dialog, false);
		const ask = () => Promise.all(["recipes", "senders"].map((method) => ma.ask(method)));
		ma.load(state, ask, ([recipes, senders]) => {
			state.empty();
			dialog.lifecycle_recipes = recipes;
			dialog.set_df_property("sender", "options", ["", ...senders]);
			this.offer(dialog);
		});
	},

	make(dialog, values) {
		const recipe = dialog.lifecycle_recipe.name;
		const asked = { days: "", ...values, recipe };
		marketing_automation.call("make_from_recipe", asked, { freeze: true }).then((name) => {
			dialog.hide();
			frappe.set_route("Form", "Lifecycle Campaign", name);
			frappe.show_alert({
				message: __("Made, and not active yet. Look at it in peace."),
				indicator: "green",
			});
		});
	},

	fields() {
		return [
			{ fieldname: "state", fieldtype: "HTML" },
			{ fieldname: "choices", fieldtype: "HTML" },
			{ fieldname: "about", fieldtype: "HTML" },
			{ fieldname: "asked", fieldtype: "Section Break" },
			{ fieldname: "campaign_name", label: __("Campaign Name"), fieldtype: "Data", reqd: 1 },
			{
				fieldname: "days",
				label: __("Days before the Date"),
				fieldtype: "Data",
				description: __(
					"One message for each, 0 to 3650, for example: 30, 7, 1. 0 is the day itself."
				),
			},
			{
				fieldname: "days_after",
				label: __("Days after the Date"),
				fieldtype: "Data",
				description: __("One message for each, 1 to 3650, for example: 3, 14. Empty: none."),
			},
			{
				fieldname: "date_field",
				label: __("Date Field"),
				fieldtype: "Select",
				description: __("The field that holds the date."),
			},
			{
				fieldname: "item_group",
				label: __("Item Group"),
				fieldtype: "Link",
				options: "Item Group",
				description: __("Only items of this group and the groups below it. Empty: all items."),
			},
			{ fieldname: "column", fieldtype: "Column Break" },
			{
				fieldname: "language",
				label: __("Main Language"),
				fieldtype: "Select",
				reqd: 1,
				description: __(
					"A customer whose own language is among the recipe's gets that one, all others this one."
				),
			},
			{
				fieldname: "sender",
				label: __("Sender"),
				fieldtype: "Select",
				description: __("Empty: the site's default account."),
			},
			{
				fieldname: "company",
				label: __("Company"),
				fieldtype: "Link",
				options: "Company",
				description: __("Only what is this company's. Empty: all companies."),
			},
			{
				fieldname: "combine_messages",
				label: __("One Message a Customer a Day"),
				fieldtype: "Check",
				default: 1,
				description: __("Who has several due on one day gets one mail that lists them all."),
			},
			{
				fieldname: "attach_print",
				label: __("Attach the Document"),
				fieldtype: "Check",
				default: 0,
				description: __("The quotation or the invoice, as PDF, in the customer's language."),
			},
			{
				fieldname: "cap",
				fieldtype: "Check",
				default: 1,
				description: __(
					"A frequency cap for the whole site, which has none yet. The settings change it, or take it away."
				),
			},
		];
	},

	// Show the questions about the recipe that was chosen, or the recipes.
	turn(dialog, to_questions) {
		for (const field of ["about", "asked"]) dialog.set_df_property(field, "hidden", to_questions ? 0 : 1);
		dialog.set_df_property("choices", "hidden", to_questions ? 1 : 0);
		dialog.get_primary_btn().toggleClass("hide", !to_questions);
		dialog.get_secondary_btn().toggleClass("hide", !to_questions);
	},

	// The recipes, by their groups, each with what it does, or why it cannot be used here.
	offer(dialog) {
		const { escape } = marketing_automation;
		this.turn(dialog, false);
		const groups = {};
		for (const recipe of dialog.lifecycle_recipes) (groups[recipe.group] ||= []).push(recipe);
		const choices = dialog.fields_dict.choices.$wrapper.html(
			Object.entries(groups)
				.map(
					([group, recipes]) =>
						`<h5 class="lifecycle-recipe-group">${escape(group)}</h5>${recipes
							.map((r) => this.card(r))
							.join("")}`
				)
				.join("")
		);
		choices.find("[data-recipe]").on("click", ({ currentTarget }) => {
			const { recipe } = currentTarget.dataset;
			this.choose(
				dialog,
				dialog.lifecycle_recipes.find((r) => r.name === recipe)
			);
		});
		choices.find("[data-recipe]:enabled").first().trigger("focus");
	},

	card({ name, title, description, obstacle }) {
		const { escape } = marketing_automation;
		return `<button type="button" class="btn btn-default lifecycle-recipe" data-recipe="${escape(
			name
		)}" ${obstacle ? "disabled" : ""}>
				<strong>${escape(title)}</strong>
				<span>${escape(description)}</span>
				${obstacle ? `<span class="lifecycle-obstacle">${escape(obstacle)}</span>` : ""}
			</button>`;
	},

	// Ask what this recipe needs, and suggest what it suggests.
	choose(dialog, recipe) {
		const { escape } = marketing_automation;
		dialog.lifecycle_recipe = recipe;
		const { Before, After } = recipe.days;
		const asks = (field) => recipe.asks.includes(field);
		const asked = { days: Before, days_after: After };
		for (const field of ["date_field", "item_group", "company", "combine_messages", "attach_print"])
			asked[field] = asks(field);
		for (const [field, is_asked] of Object.entries(asked))
			dialog.set_df_property(field, "hidden", is_asked ? 0 : 1);
		// What is hidden may stay empty.
		dialog.set_df_property("days", "reqd", Before && !After ? 1 : 0);
		dialog.set_df_property("date_field", "reqd", asks("date_field") ? 1 : 0);
		this.suggest_cap(dialog, recipe.cap);
		dialog.fields_dict.about.$wrapper.html(
			`<p><strong>${escape(recipe.title)}</strong><br><span class="text-muted">${escape(
				recipe.description
			)}</span></p>${recipe.notice ? marketing_automation.banner("orange", recipe.notice) : ""}`
		);
		dialog.set_df_property("language", "options", this.languages(recipe));
		dialog.set_df_property("date_field", "options", recipe.date_fields);
		dialog.set_values({
			campaign_name: recipe.title,
			days: (Before || []).join(", "),
			days_after: (After || []).join(", "),
			date_field: recipe.date_field || recipe.date_fields[0]?.value || "",
			item_group: "",
			company: "",
			attach_print: 0,
			language: recipe.languages.includes(frappe.boot.lang) ? frappe.boot.lang : recipe.languages[0],
		});
		this.turn(dialog, true);
		dialog.fields_dict.campaign_name.$input.trigger("focus");
	},

	suggest_cap(dialog, cap) {
		dialog.set_df_property("cap", "hidden", cap ? 0 : 1);
		dialog.set_value("cap", cap ? 1 : 0);
		if (cap) {
			const label = __("At Most {0} Messages a Customer in {1} Days", [cap.messages, cap.days]);
			dialog.set_df_property("cap", "label", label);
		}
	},

	languages(recipe) {
		return recipe.languages.map((code) => {
			const name = marketing_automation.journey.language(code);
			// Within a sentence Spanish writes it small; here it stands alone.
			return { value: code, label: name.charAt(0).toLocaleUpperCase() + name.slice(1) };
		});
	},
};
