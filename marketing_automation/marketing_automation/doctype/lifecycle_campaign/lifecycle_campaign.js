frappe.ui.form.on("Lifecycle Campaign", {
	before_load(frm) {
		// Frappe fills in the default company. Here an empty one stands for all of them, so it is the marketer's choice,
		// unless user permissions leave none. On load it would be too late: Frappe looks up what it filled in.
		const companies = frappe.defaults.get_user_permissions().Company;
		if (frm.is_new() && !companies) frm.doc.company = "";
	},

	onload(frm) {
		marketing_automation.call("senders").then((senders) => {
			frm.lifecycle_senders = senders;
			frm.set_df_property(
				"sender",
				"description",
				senders.length
					? __("Empty: the site's default account. Accounts that can send: {0}.", [
							marketing_automation.escape(senders.join(", ")),
					  ])
					: __("Empty: the site's default account.")
			);
		});
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
		frm.trigger("draw_health");
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
		frappe.prompt(
			{
				fieldname: "campaign_name",
				label: __("Campaign Name"),
				fieldtype: "Data",
				default: __("{0} (Copy)", [frm.doc.name]),
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
	},

	draw_health(frm) {
		const ma = marketing_automation;
		const campaign = frm.doc.name;
		ma.call("health", { campaign }).then((problems) => {
			if (frm.doc.name !== campaign) return;
			const html = problems.map((problem) => {
				const open = problem.route
					? ` <a data-route="${ma.escape(problem.route)}" href="#">${__("Open It")}</a>`
					: "";
				const bind = problem.may_bind
					? ` <button type="button" class="btn btn-xs btn-default" data-bind>${__(
							"This is the real site: go on sending"
					  )}</button>`
					: "";
				return ma.banner(problem.level, problem.text, open + bind);
			});
			frm.lifecycle_health.html(html.join("")).toggle(Boolean(problems.length));
			frm.lifecycle_health
				.find("[data-bind]")
				.on("click", () =>
					ma.call("bind_site", {}, { freeze: true }).then(() => frm.trigger("draw_health"))
				);
			frm.lifecycle_health.find("[data-route]").on("click", (e) => {
				frappe.set_route(...e.currentTarget.dataset.route.split("/"));
				return false;
			});
		});
	},

	draw_journey(frm) {
		if (frm.lifecycle_journey) marketing_automation.journey.draw(frm, frm.lifecycle_journey);
	},
});
