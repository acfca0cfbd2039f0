// A new campaign from a recipe: a few questions, and a whole campaign to look at.

marketing_automation.recipes = {
	show() {
		const ma = marketing_automation;
		const dialog = ma.dialog({
			title: __("New Campaign from a Recipe"),
			// Newer versions of Frappe write the labels beside the fields.
			size: "large",
			fields: this.fields(() => this.choose(dialog)),
			primary_action_label: __("Make the Campaign"),
			primary_action: (values) => {
				ma.call("make_from_recipe", values, { freeze: true }).then((name) => {
					dialog.hide();
					frappe.set_route("Form", "Lifecycle Campaign", name);
					frappe.show_alert({
						message: __("Made, and not active yet. Look at it in peace."),
						indicator: "green",
					});
				});
			},
		});
		const button = dialog.get_primary_btn().prop("disabled", true);
		dialog.show();
		const ask = () => Promise.all(["recipes", "senders", "date_fields"].map((method) => ma.ask(method)));
		ma.load(dialog.fields_dict.state.$wrapper, ask, ([recipes, senders, date_fields]) => {
			dialog.fields_dict.state.$wrapper.empty();
			dialog.lifecycle_recipes = recipes;
			const options = {
				recipe: recipes.map((r) => ({ value: r.name, label: r.title })),
				sender: ["", ...senders],
				date_field: date_fields,
			};
			for (const [field, choices] of Object.entries(options)) {
				dialog.set_df_property(field, "options", choices);
			}
			dialog.set_values({ recipe: recipes[0].name, date_field: "warranty_expiry_date" });
			this.choose(dialog);
			button.prop("disabled", false);
		});
	},

	fields(choose) {
		return [
			{ fieldname: "state", fieldtype: "HTML" },
			{
				fieldname: "recipe",
				label: __("Recipe"),
				fieldtype: "Select",
				reqd: 1,
				onchange: choose,
			},
			{ fieldname: "about", fieldtype: "HTML" },
			{
				fieldname: "campaign_name",
				label: __("Campaign Name"),
				fieldtype: "Data",
				reqd: 1,
			},
			{
				fieldname: "item_group",
				label: __("Item Group"),
				fieldtype: "Link",
				options: "Item Group",
				description: __("Only items of this group and the groups below it. Empty: all items."),
			},
			{
				fieldname: "days",
				label: __("Days before the Expiry"),
				fieldtype: "Data",
				reqd: 1,
				description: __("One message for each, 0 to 3650, for example: 30, 7, 1."),
			},
			{ fieldtype: "Column Break" },
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
				description: __("Only what this company sold. Empty: all companies."),
			},
			{
				fieldname: "date_field",
				label: __("Date Field"),
				fieldtype: "Select",
				description: __("The field of Serial No that holds the expiry."),
			},
			{
				fieldname: "combine_messages",
				label: __("One Message a Customer a Day"),
				fieldtype: "Check",
				default: 1,
				description: __("Who has several products due on one day gets one mail that lists them all."),
			},
		];
	},

	languages(recipe) {
		return recipe.languages.map((code) => {
			const name = marketing_automation.journey.language(code);
			// Within a sentence Spanish writes it small; here it stands alone.
			return { value: code, label: name.charAt(0).toLocaleUpperCase() + name.slice(1) };
		});
	},

	// What the recipe says of itself, and what it suggests.
	choose(dialog) {
		const recipe = dialog.lifecycle_recipes?.find((r) => r.name === dialog.get_value("recipe"));
		if (!recipe || dialog.lifecycle_recipe === recipe.name) return;
		dialog.lifecycle_recipe = recipe.name;
		dialog.fields_dict.about.$wrapper.html(
			`<p class="text-muted">${marketing_automation.escape(recipe.description)}</p>`
		);
		dialog.set_df_property("language", "options", this.languages(recipe));
		dialog.set_values({
			campaign_name: recipe.title,
			days: recipe.days.join(", "),
			language: recipe.languages.includes(frappe.boot.lang) ? frappe.boot.lang : recipe.languages[0],
		});
	},
};
