frappe.ui.form.on("Lifecycle Campaign", {
	before_load(frm) {
		// Frappe fills in the default company. Here an empty one stands for all of them, so it is the marketer's choice,
		// unless user permissions leave none. On load it would be too late: Frappe looks up what it filled in.
		const companies = frappe.defaults.get_user_permissions().Company;
		if (frm.is_new() && !companies) frm.doc.company = "";
	},

	onload(frm) {
		const ma = marketing_automation;
		frm.set_query("topic", () => ({ filters: { disabled: 0 } }));
		if (frm.is_new() && !frm.doc.topic) {
			frappe.db.get_value("Lifecycle Topic", { is_default: 1 }, "name").then(({ message }) => {
				if (frm.is_new() && !frm.doc.topic && message?.name) frm.set_value("topic", message.name);
			});
		}
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
		ma.ask("goals").then(
			(goals) => {
				frm.lifecycle_goals = goals;
				// One whose app is gone stays to be seen, and to be replaced.
				const known = goals.map((goal) => goal.value);
				const gone = frm.doc.goal && !known.includes(frm.doc.goal) ? [frm.doc.goal] : [];
				frm.set_df_property("goal", "options", ["", ...goals, ...gone]);
				frm.trigger("show_goal");
			},
			(xhr) => frm.set_df_property("goal", "description", ma.escape(ma.trouble(xhr).title))
		);
	},

	goal(frm) {
		frm.trigger("show_goal");
	},

	// Only what the goal takes.
	show_goal(frm) {
		const goals = frm.lifecycle_goals || [];
		const goal = goals.find(({ value }) => value === frm.doc.goal);
		[...new Set(goals.flatMap(({ fields }) => fields))].forEach((field) =>
			frm.toggle_display(field, Boolean(goal && goal.fields.includes(field)))
		);
	},

	refresh(frm) {
		marketing_automation.by_no_zone(frm);
		frm.trigger("show_goal");
		// That a campaign offers nothing, so that it needs no consent, only they can say.
		frm.set_df_property("purpose", "read_only", frappe.user.has_role("Marketing Manager") ? 0 : 1);
		if (frm.is_new()) return;
		frm.lifecycle_may_write = Boolean(frm.perm[0] && frm.perm[0].write);
		const state = frm.doc.__onload?.state;
		if (state && !frm.is_dirty()) {
			frm.page.set_indicator(
				marketing_automation.state(state),
				marketing_automation.STATE_COLORS[state]
			);
		}
		frm.add_custom_button(__("Preview"), () => frm.trigger("do_preview"));
		frm.add_custom_button(__("Forecast", null, "Lifecycle"), () =>
			marketing_automation.forecast.show(frm.doc.name)
		);
		if (frm.lifecycle_may_write && frm.doc.is_active) {
			frm.add_custom_button(__("Run Now"), () => frm.trigger("do_run"));
			frm.add_custom_button(__("Pause", null, "Lifecycle"), () => frm.trigger("do_pause"));
		} else if (frm.lifecycle_may_write) {
			frm.add_custom_button(__("Activate"), () => frm.trigger("do_activate"));
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
			() => frappe.set_route("query-report", "Campaign Performance", { campaign: frm.doc.name }),
			__("View")
		);
		// A form that has just been saved for the first time is refreshed twice.
		frm.lifecycle_section?.remove();
		const parts = frm.dashboard.add_section(
			`<div class="lifecycle-health"></div><div class="lifecycle-arrives"></div><div class="lifecycle-steps">${marketing_automation.loading()}</div>`,
			__("Journey")
		);
		// The journey is what the page is about: it stands above the connections.
		const section = parts.closest(".form-dashboard-section");
		section.prependTo(section.parent());
		frm.lifecycle_section = section;
		frm.lifecycle_health = section.find(".lifecycle-health");
		frm.lifecycle_arrives = section.find(".lifecycle-arrives");
		frm.lifecycle_journey = section.find(".lifecycle-steps");
		frm.dashboard.show();
		// What stands in the way is asked when it is drawn.
		frm.trigger("draw_journey");
	},

	do_preview(frm) {
		marketing_automation.preview.show({ campaign: frm.doc.name });
	},

	do_run(frm) {
		marketing_automation.run.confirm(frm.doc.name, () => frm.trigger("draw_journey"));
	},

	// Asks, with what the next night will bring. What is not saved yet is saved first: it is what will be sent.
	do_activate(frm) {
		const ma = marketing_automation;
		const from = document.activeElement;
		const saved = frm.is_dirty() ? frm.save() : Promise.resolve();
		saved
			.then(() => ma.call("activation", { campaign: frm.doc.name }, { freeze: true }))
			// Frappe has said why it was refused.
			.then(
				(found) => frm.events.ask_to_activate(frm, found, from),
				() => {}
			);
	},

	ask_to_activate(frm, found, from) {
		const ma = marketing_automation;
		const { mails, products } = found.counts;
		const sentence = mails
			? __("The night of {0} will send {1}.", [
					ma.date(found.night),
					`<strong>${ma.mails_about(mails, products)}</strong>`,
			  ])
			: __("The night of {0} will send nothing: nobody is to get a mail then.", [ma.date(found.night)]);
		ma.confirm(
			__("Activate {0}", [frm.doc.name]),
			ma.what_will_happen(found, sentence),
			__("Activate"),
			__("Cancel"),
			() => frm.events.activate(frm),
			from
		);
	},

	activate(frm) {
		const ma = marketing_automation;
		const reload = () => frm.reload_doc();
		ma.call("activate", { campaign: frm.doc.name, modified: frm.doc.modified }, { freeze: true })
			.then(({ activated, changed_by }) => {
				if (!activated) {
					frappe.msgprint({
						title: __("Not Activated"),
						indicator: "orange",
						message: __(
							"{0} has changed this campaign since you opened it. Here is how it stands now: look at it, and activate it then.",
							[frappe.utils.escape_html(changed_by)]
						),
					});
				}
			})
			// Frappe has said why it was refused, if it was.
			.then(reload, reload);
	},

	// At once, and also where the campaign was changed since it was opened here.
	do_pause(frm) {
		const ma = marketing_automation;
		ma.call("pause", { campaign: frm.doc.name }, { freeze: true }).then(
			({ on_its_way, seen, modified }) => {
				frm.events.paused(frm, on_its_way);
				if (!frm.is_dirty()) {
					frm.reload_doc();
					return;
				}
				// What has been typed here and not saved stays.
				frm.doc.is_active = 0;
				if (frm.doc.modified === seen) frm.doc.modified = modified;
				frm.refresh();
			}
		);
	},

	// A job takes back what waits; the numbers follow it.
	paused(frm, on_its_way) {
		const ma = marketing_automation;
		const campaign = frm.doc.name;
		frappe.show_alert(
			on_its_way
				? ma.count(
						on_its_way,
						__(
							"Paused. 1 message was on its way: it is being taken back unless it has left. Activate the campaign to send it by hand."
						),
						__(
							"Paused. {0} messages were on their way: those that have not left are being taken back. Activate the campaign to send them by hand.",
							[ma.number(on_its_way)]
						)
				  )
				: __("Paused. Nothing was on its way."),
			15
		);
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
				description: __("With triggers, actions and messages of its own, not active."),
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
			ma.draw_health(frm.lifecycle_health, problems);
		};
		ma.load(frm.lifecycle_health, () => ma.ask("health", { campaign }), draw, { keep: true });
		ma.arrival.draw(frm.lifecycle_arrives, { campaign });
	},

	draw_journey(frm) {
		if (frm.lifecycle_journey) marketing_automation.journey.draw(frm, frm.lifecycle_journey);
	},
});
