frappe.ui.form.on("Lifecycle Campaign", {
	before_load(frm) {
		// Frappe fills in the default company. Here an empty one stands for all of them, so it is the marketer's choice,
		// unless user permissions leave none. On load it would be too late: Frappe looks up what it filled in.
		const companies = frappe.defaults.get_user_permissions().Company;
		if (frm.is_new() && !companies) frm.doc.company = "";
	},

	onload(frm) {
		const ma = marketing_automation;
		const describe = (text) => frm.set_df_property("sender", "description", text);
		ma.ask("senders").then(
			(senders) =>
				describe(
					senders.length
						? __("Empty: the site's default account. Accounts that can send: {0}.", [
								ma.escape(senders.join(", ")),
						  ])
						: __("Empty: the site's default account.")
				),
			(xhr) => describe(ma.escape(ma.trouble(xhr).title))
		);
	},

	refresh(frm) {
		if (frm.is_new()) return;
		const can_write = frm.perm[0] && frm.perm[0].write;
		frm.add_custom_button(__("Preview"), () =>
			marketing_automation.preview.show({ campaign: frm.doc.name })
		);
		frm.add_custom_button(__("Forecast"), () => marketing_automation.forecast.show(frm.doc.name));
		if (can_write && frm.doc.is_active) {
			frm.add_custom_button(__("Run Now"), () =>
				marketing_automation.run.confirm(frm.doc.name, () => frm.trigger("draw_journey"))
			);
		}
		if (can_write) {
			frm.add_custom_button(frm.doc.is_active ? __("Pause") : __("Activate"), () => {
				const pausing = frm.doc.is_active;
				frm.set_value("is_active", pausing ? 0 : 1).then(() =>
					frm.save(
						"Save",
						(r) => pausing && !r.exc && frm.trigger("paused"),
						null,
						() => frm.reload_doc()
					)
				);
			});
		}
		if (frappe.model.can_create("Lifecycle Campaign")) {
			frm.page.add_menu_item(__("Duplicate"), () => frm.trigger("duplicate"), true);
		}
		frm.add_custom_button(
			__("Message Log"),
			() => marketing_automation.open_ledger({ campaign: frm.doc.name }),
			__("View")
		);
		frm.add_custom_button(
			__("Campaign Performance"),
			() =>
				frappe.set_route("query-report", "Campaign Performance", { campaign: frm.doc.name }),
			__("View")
		);
		// A form that has just been saved for the first time is refreshed twice.
		frm.lifecycle_section?.remove();
		const parts = frm.dashboard.add_section(
			`<div class="lifecycle-health"></div><div class="lifecycle-steps">${marketing_automation.loading()}</div>`,
			__("Journey")
		);
		// The journey is what the page is about: it stands above the connections.
		const section = parts.closest(".form-dashboard-section");
		section.prependTo(section.parent());
		frm.lifecycle_section = section;
		frm.lifecycle_health = section.find(".lifecycle-health");
		frm.lifecycle_journey = section.find(".lifecycle-steps");
		frm.dashboard.show();
		// What stands in the way is asked when it is drawn.
		frm.trigger("draw_journey");
	},

	// A job takes back what waits; the numbers follow it.
	paused(frm) {
		const campaign = frm.doc.name;
		frappe.show_alert(__("What has not left yet is being taken back."));
		[2, 5, 10].forEach((seconds) =>
			setTimeout(() => frm.doc.name === campaign && frm.trigger("draw_journey"), seconds * 1000)
		);
	},

	duplicate(frm) {
		const from = document.activeElement;
		const asked = frappe.prompt(
			{
				fieldname: "campaign_name",
				label: __("Campaign Name"),
				fieldtype: "Data",
				// A name can have 140 characters, and the ending says what it is.
				default: __("{0} (Copy)", [frm.doc.name.slice(0, 140 - __("{0} (Copy)", [""]).length)]),
				description: __("With its triggers and actions, not active. The messages are shared by both."),
				reqd: 1,
			},
			({ campaign_name }) =>
				marketing_automation
					.call("duplicate", { campaign: frm.doc.name, campaign_name }, { freeze: true })
					.then((name) => frappe.set_route("Form", "Lifecycle Campaign", name)),
			__("Duplicate the Campaign"),
			__("Duplicate")
		);
		marketing_automation.adopt(asked, from);
	},

	draw_health(frm) {
		const ma = marketing_automation;
		const campaign = frm.doc.name;
		const draw = (problems) => {
			if (frm.doc.name !== campaign) return;
			const html = problems.map((problem) => {
				const open = problem.route
					? ` <a data-route="${ma.escape(problem.route)}" href="#">${__("Open It")}</a>`
					: "";
				return ma.banner(problem.level, problem.text, open);
			});
			frm.lifecycle_health.html(html.join(""));
			frm.lifecycle_health.find("[data-route]").on("click", (e) => {
				frappe.set_route(...e.currentTarget.dataset.route.split("/"));
				return false;
			});
		};
		ma.load(frm.lifecycle_health, () => ma.ask("health", { campaign }), draw, { keep: true });
	},

	draw_journey(frm) {
		if (frm.lifecycle_journey) marketing_automation.journey.draw(frm, frm.lifecycle_journey);
	},
});
