// The preview of a day: who would get a message, who would not, and why.

marketing_automation.preview = {
	PAGE: 100,

	show({ campaign, date } = {}) {
		const dialog = marketing_automation.dialog({
			title: campaign ? __("Preview: {0}", [marketing_automation.escape(campaign)]) : __("Preview"),
			size: "extra-large",
			fields: [
				{
					fieldname: "date",
					label: __("On This Day"),
					fieldtype: "Date",
					default: date || frappe.datetime.get_today(),
					description: __("Nothing is sent or written by looking."),
					onchange: () => this.load(dialog, campaign),
				},
				{ fieldtype: "Column Break" },
				{
					fieldname: "search",
					label: __("Find"),
					fieldtype: "Data",
					description: __("Customer, serial number or e-mail address"),
				},
				{ fieldtype: "Section Break", hide_border: 1 },
				{ fieldname: "result", fieldtype: "HTML" },
			],
			primary_action_label: __("Export"),
			primary_action: () => this.export(dialog, campaign),
		});
		dialog.$wrapper.addClass("lifecycle-preview");
		dialog.lifecycle = { campaign, outcome: null, limit: this.PAGE, found: null };
		dialog.fields_dict.search.$input.on(
			"input",
			frappe.utils.debounce(() => this.draw(dialog), 200)
		);
		dialog.fields_dict.result.$wrapper
			.on("click", "[data-outcome]", (e) => {
				const outcome = e.currentTarget.dataset.outcome;
				dialog.lifecycle.outcome = dialog.lifecycle.outcome === outcome ? null : outcome;
				dialog.lifecycle.limit = this.PAGE;
				this.draw(dialog);
			})
			.on("click", "[data-more]", () => {
				dialog.lifecycle.limit += this.PAGE;
				this.draw(dialog);
			});
		dialog.show();
		this.load(dialog, campaign);
		return dialog;
	},

	load(dialog, campaign) {
		const date = dialog.get_value("date");
		if (!date || dialog.lifecycle.date === date) return;
		Object.assign(dialog.lifecycle, { date, outcome: null, limit: this.PAGE, found: null });
		this.ask(dialog, { campaign, date, at_once: 1 });
	},

	// Show the answer; of a night that takes long to count first its beginning, then all of it.
	ask(dialog, question) {
		const ma = marketing_automation;
		ma.load(
			dialog.fields_dict.result.$wrapper,
			() => ma.ask("preview", question),
			(found) => {
				dialog.lifecycle.found = found;
				this.draw(dialog);
				if (!found.complete) this.ask(dialog, { ...question, at_once: 0 });
			},
			{ keep: !question.at_once }
		);
	},

	outcomes(counts) {
		return [
			["send", __("Would Be Sent"), counts.send, "green"],
			["skip", __("Would Be Skipped"), counts.skip, "gray"],
			["fail", __("Would Fail"), counts.fail, "red"],
			["known", __("Already Handled"), counts.known, "blue"],
		];
	},

	rows(dialog, found) {
		const { outcome } = dialog.lifecycle;
		const wanted = (dialog.get_value("search") || "").toLowerCase();
		return found.rows.filter(
			(row) =>
				(!outcome || row.outcome === outcome) &&
				(!wanted ||
					[row.customer, row.customer_name, row.reference_name, row.recipient].some((value) =>
						(value || "").toLowerCase().includes(wanted)
					))
		);
	},

	draw(dialog) {
		const ma = marketing_automation;
		const { campaign, found, outcome, limit } = dialog.lifecycle;
		const wrapper = dialog.fields_dict.result.$wrapper;
		if (!found) return;
		const chips = this.outcomes(found.counts)
			.map(
				([key, label, count, color]) => `<button type="button" class="lifecycle-count ${
					count ? color : "zero"
				}"
					data-outcome="${key}" aria-pressed="${outcome === key}">
					<strong>${ma.number(count)}</strong> ${ma.escape(label)}</button>`
			)
			.join("");
		const notes = [];
		if (!found.complete) {
			notes.push(
				__("Still counting. These are the first {0}.", [format_number(found.counts.due, null, 0)])
			);
		}
		if (found.counts.mails) {
			notes.push(
				found.counts.mails === found.counts.products
					? ma.mails_about(found.counts.mails, found.counts.products)
					: __("{0}: some customers get several products in one mail", [
							ma.mails_about(found.counts.mails, found.counts.products),
					  ])
			);
		}
		notes.push(...ma.others(found.counts.others));
		if (found.counts.wait) {
			notes.push(
				ma.count(
					found.counts.wait,
					__("1 of these does not leave at once"),
					__("{0} of these do not leave at once", [ma.number(found.counts.wait)])
				)
			);
		}
		Object.entries(found.reasons).forEach(([reason, count]) =>
			notes.push(`${ma.reason(reason)}: ${format_number(count, null, 0)}`)
		);
		if (found.left_out) {
			notes.push(
				ma.count(
					found.left_out,
					__("1 more is counted and exported, but not listed here."),
					__("{0} more are counted and exported, but not listed here.", [found.left_out])
				)
			);
		}
		const rows = this.rows(dialog, found);
		let list;
		if (!found.counts.due && !found.complete) {
			// All of the beginning is for others to see.
			list = ma.loading();
		} else if (!found.counts.due) {
			list = ma.empty(
				__(
					"Nothing is due on this day. Try another one, or look at the forecast to see when something is."
				)
			);
		} else if (!rows.length) {
			list = ma.empty(__("None of these."));
		} else {
			list = ma.table(
				this.columns(
					campaign,
					found.rows.some((r) => r.channel !== ma.EMAIL)
				),
				rows.slice(0, limit)
			);
		}
		const more =
			rows.length > limit
				? `<button type="button" class="btn btn-default btn-sm" data-more="1">${__(
						"Show More"
				  )}</button>`
				: "";
		const banners = ma.broken_banners(found.broken) + ma.overlap_banner(found.overlaps);
		wrapper.html(
			`${banners}<div class="lifecycle-counts">${chips}</div>
			<div class="lifecycle-notes text-muted">${notes.map((note) => ma.escape(note)).join(" · ")}</div>
			${list}${more}`
		);
	},

	// With the channel, where there are others than e-mail. With the campaign, where no one is chosen: the same serial number may be in several.
	columns(campaign, others) {
		const ma = marketing_automation;
		return [
			{ label: __("Customer"), html: (r) => ma.link("Customer", r.customer, r.customer_name) },
			{ label: __("About", null, "Lifecycle"), html: (r) => ma.reference(r) },
			{ label: __("Item"), html: (r) => ma.escape(r.item_name) },
			{ label: __("Date", null, "Lifecycle"), html: (r) => ma.date(r.expiry_date) },
			{ label: __("Recipient"), html: (r) => ma.escape(r.recipient) },
			...(campaign
				? []
				: [{ label: __("Campaign"), html: (r) => ma.link("Lifecycle Campaign", r.campaign) }]),
			{ label: __("Trigger"), html: (r) => ma.escape(r.trigger_name) },
			{ label: __("Action"), html: (r) => ma.escape(r.action_name) },
			...(others ? [{ label: __("Channel"), html: (r) => ma.escape(__(r.channel)) }] : []),
			{ label: __("What Happens"), html: (r) => this.what(r) },
		];
	},

	what(row) {
		const ma = marketing_automation;
		const why = ma.why_not(row);
		if (row.outcome === "send") {
			const waits = row.due_at ? ` <span class="text-muted">${ma.escape(why)}</span>` : "";
			return ma.pill(__("Would Be Sent"), "green") + waits + (waits ? ma.evidence(row) : "");
		}
		// Of what was sent the document shows by what right; here it is asked why not.
		const reason = why ? ` <span class="text-muted">${ma.escape(why)}</span>${ma.evidence(row)}` : "";
		if (row.outcome === "known") {
			return ma.link_around("Lifecycle Execution Log", row.log, ma.status(row.status)) + reason;
		}
		return row.outcome === "fail"
			? ma.pill(__("Would Fail"), "red") + reason
			: ma.pill(__("Would Be Skipped"), "gray") + reason;
	},

	// All rows that the dialog would show if it could list them all.
	export(dialog, campaign) {
		const { found, date } = dialog.lifecycle;
		if (!found) return;
		if (found.complete && !found.left_out) return this.write(dialog, found);
		marketing_automation
			.call("preview", { campaign, date, to_export: 1 }, { freeze: true })
			.then((all) => this.write(dialog, all));
	},

	write(dialog, found) {
		const names = Object.fromEntries(this.outcomes(found.counts).map(([key, label]) => [key, label]));
		marketing_automation.export_csv(
			`${__("Preview")} ${found.night}`,
			[
				__("What Happens"),
				__("Reason"),
				__("Evidence"),
				__("Customer"),
				__("Customer Name"),
				__("About", null, "Lifecycle"),
				__("Item"),
				__("Date", null, "Lifecycle"),
				__("E-mail"),
				__("Campaign"),
				__("Trigger"),
				__("Action"),
			],
			this.rows(dialog, found).map((row) => [
				names[row.outcome],
				marketing_automation.why_not(row),
				row.evidence_name,
				row.customer,
				row.customer_name,
				row.reference_name,
				row.item_name,
				row.expiry_date,
				row.recipient,
				row.campaign,
				row.trigger_name,
				row.action_name,
			])
		);
	},
};
