// The forecast: messages a day over the coming months, as a calendar and as a chart.

marketing_automation.forecast = {
	DAYS: 90,
	// Each is seen on white and on the dark theme's ground.
	COLORS: ["#2490ef", "#c77d0a", "#1f8a70", "#8b6fd0", "#d4587a", "#5f7ea8", "#7d8f1e", "#e2725b"],

	show(campaign) {
		const dialog = marketing_automation.dialog({
			title: campaign
				? __("Forecast: {0}", [marketing_automation.escape(campaign)])
				: __("Forecast", null, "Lifecycle"),
			size: "extra-large",
			fields: [{ fieldname: "forecast", fieldtype: "HTML" }],
		});
		dialog.show();
		// A chart that is drawn before the dialog has its width has none.
		dialog.$wrapper.one("shown.bs.modal", () => dialog.lifecycle_drawn || this.draw_in(dialog, campaign));
		setTimeout(() => dialog.lifecycle_drawn || this.draw_in(dialog, campaign), 400);
		return dialog;
	},

	draw_in(dialog, campaign) {
		dialog.lifecycle_drawn = true;
		this.draw(dialog.fields_dict.forecast.$wrapper, campaign);
	},

	draw(wrapper, campaign) {
		const ma = marketing_automation;
		const ask = () => ma.ask("forecast", { campaign, days: this.DAYS });
		ma.load(wrapper, ask, (found) => {
			if (!found.actions.length) {
				wrapper.html(
					ma.empty(
						campaign
							? __("This campaign has no enabled trigger with an action yet. Add one first.")
							: __("No campaign is active. Activate one to see what it will send.")
					)
				);
				return;
			}
			if (!found.total) {
				wrapper.html(
					ma.empty(
						__(
							"Nothing falls due in the next {0} days. The report Expiring Pins shows which products expire and which trigger, if any, catches them.",
							[this.DAYS]
						)
					) + this.waiting(found)
				);
				this.open_waiting(wrapper, campaign);
				return;
			}
			wrapper.html(`${ma.broken_banners(found.broken)}<div class="lifecycle-notes">
					${ma.count(
						found.total,
						__("1 message falls due in the next {0} days.", [this.DAYS]),
						__("{0} messages fall due in the next {1} days.", [
							`<strong>${ma.number(found.total)}</strong>`,
							this.DAYS,
						])
					)}
					<span class="text-muted">${__("Some may be skipped: choose a day to see for whom it is.")}</span>
				</div>
				${this.waiting(found)}
				<div class="lifecycle-calendar"></div>
				<div class="lifecycle-forecast-chart"></div>
				<div class="lifecycle-forecast-actions"></div>`);
			this.calendar(wrapper.find(".lifecycle-calendar"), found);
			this.chart(wrapper.find(".lifecycle-forecast-chart"), found, campaign);
			wrapper.find(".lifecycle-forecast-actions").html(this.actions(found));
			this.open_waiting(wrapper, campaign);
			wrapper.off("click.forecast").on("click.forecast", "[data-day]", (e) => {
				ma.preview.show({ campaign, date: e.currentTarget.dataset.day });
			});
		});
	},

	// What is written down already and has not left: how much, and from when on it may.
	waiting(found) {
		const ma = marketing_automation;
		const days = Object.entries(found.waiting);
		if (!days.length) return "";
		const total = days.reduce((sum, [, count]) => sum + count, 0);
		const shown = days.slice(0, 5).map(([day, count]) => `${ma.date(day)}: ${ma.number(count)}`);
		if (days.length > shown.length) shown.push("…");
		return `<div class="lifecycle-notes"><button type="button" class="btn btn-default btn-xs" data-waiting="1">${ma.count(
			total,
			__("1 more message is waiting."),
			__("{0} more messages are waiting.", [ma.number(total)])
		)}</button> <span class="text-muted">${__("They may leave on: {0}", [shown.join(" · ")])}</span></div>`;
	},

	open_waiting(wrapper, campaign) {
		wrapper.off("click.waiting").on("click.waiting", "[data-waiting]", () =>
			marketing_automation.open_ledger({ ...(campaign ? { campaign } : {}), status: "Waiting" })
		);
	},

	// In the user's language; the Desk's moment knows English only in some versions.
	name(day, options) {
		return day.toDate().toLocaleDateString(frappe.boot.lang, options);
	},

	// Months of weeks of days; a day is a button, so that the keyboard reaches it.
	calendar(wrapper, found) {
		const ma = marketing_automation;
		const most = Math.max(...Object.values(found.days));
		const months = {};
		for (
			let day = moment(found.first);
			!day.isAfter(moment(found.last));
			day = day.clone().add(1, "day")
		) {
			(months[day.format("YYYY-MM")] = months[day.format("YYYY-MM")] || []).push(day);
		}
		const names = [0, 1, 2, 3, 4, 5, 6].map((n) =>
			this.name(moment("2024-01-01").add(n, "day"), { weekday: "short" })
		);
		wrapper.html(
			Object.values(months)
				.map((days) => {
					// By the square root: one busy day does not make all the others look empty.
					const lead = days[0].isoWeekday() - 1;
					const cells = days.map((day) => {
						const date = day.format("YYYY-MM-DD");
						const count = found.days[date] || 0;
						const level = count ? Math.ceil(4 * Math.sqrt(count / most)) : 0;
						const label = ma.count(
							count,
							__("{0}: 1 message", [frappe.datetime.str_to_user(date)]),
							__("{0}: {1} messages", [frappe.datetime.str_to_user(date), count])
						);
						// What is seen of it is the beginning of its name.
						const name = this.name(day, {
							weekday: "long",
							day: "numeric",
							month: "long",
							year: "numeric",
						});
						return `<button type="button" class="lifecycle-day level-${level}" data-day="${date}"
							title="${ma.escape(label)}">
							<span>${day.date()}</span>${count ? `<strong>${ma.number(count)}</strong>` : ""}
							<span class="sr-only">${count ? __("Messages") : ""} ${ma.escape(name)}</span></button>`;
					});
					return `<div class="lifecycle-month"><h4>${ma.escape(
						this.name(days[0], { month: "long", year: "numeric" })
					)}</h4>
						<div class="lifecycle-days">
							${names.map((name) => `<span class="text-muted">${ma.escape(name)}</span>`).join("")}
							${"<span></span>".repeat(lead)}${cells.join("")}</div></div>`;
				})
				.join("")
		);
	},

	chart(wrapper, found, campaign) {
		const ma = marketing_automation;
		const days = [];
		for (
			let day = moment(found.first);
			!day.isAfter(moment(found.last));
			day = day.clone().add(1, "day")
		) {
			days.push(day.format("YYYY-MM-DD"));
		}
		const actions = found.actions.filter((action) => action.total);
		new frappe.Chart(wrapper[0], {
			type: "bar",
			height: 220,
			colors: actions.map((action) => this.color(found, action)),
			data: {
				labels: days.map((day) => this.name(moment(day), { day: "numeric", month: "short" })),
				datasets: actions.map((action) => ({
					// The chart takes it for HTML.
					name: ma.escape(
						campaign ? action.trigger_name : `${action.campaign}: ${action.trigger_name}`
					),
					values: days.map((day) => action.days[day] || 0),
				})),
			},
			barOptions: { stacked: 1, spaceRatio: 0.3 },
			axisOptions: { xIsSeries: 1, shortenYAxisNumbers: 1 },
			// It would cut the names; the table below has them whole.
			showLegend: 0,
		});
	},

	color(found, action) {
		return this.COLORS[found.actions.indexOf(action) % this.COLORS.length];
	},

	actions(found) {
		const ma = marketing_automation;
		return ma.table(
			[
				{
					label: __("Campaign"),
					html: (r) =>
						`<span class="lifecycle-color" style="background: ${this.color(found, r)}"></span>` +
						ma.link("Lifecycle Campaign", r.campaign),
				},
				{
					label: __("Trigger"),
					html: (r) => ma.link("Lifecycle Trigger", r.trigger, r.trigger_name),
				},
				{ label: __("Action"), html: (r) => ma.link("Lifecycle Action", r.action, r.action_name) },
				{ label: __("Messages"), numeric: true, html: (r) => ma.number(r.total) },
			],
			found.actions
		);
	},
};
