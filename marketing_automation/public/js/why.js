// Why was a message sent, or not? A customer's, or a document's, past and future messages.

marketing_automation.why = {
	customer(customer) {
		this.show(__("Messages to {0}", [customer]), "why_customer", { customer }, (found) => [
			this.reach(found),
			this.history(found.history),
			this.steps(
				__("Coming"),
				found.coming,
				__("Nothing is coming: no active campaign waits for anything of this customer's.")
			),
			found.withheld.length ? this.steps(__("Will Not Come"), found.withheld) : "",
			this.inactive(found.inactive),
		]);
	},

	reference(doctype, name) {
		this.show(__("Messages about {0}", [name]), "why_reference", { doctype, name }, (found) => [
			// Where several customers have a share in it, each line says whose it is.
			found.customer || !found.steps.some((step) => step.customer) ? this.reach(found) : "",
			this.history(found.history),
			this.steps(
				__("Triggers"),
				found.steps,
				__("There is nothing more to come: every trigger has met it, or there is none.")
			),
		]);
	},

	show(title, method, args, parts) {
		const dialog = marketing_automation.dialog({
			title: marketing_automation.escape(title),
			size: "extra-large",
			fields: [{ fieldname: "why", fieldtype: "HTML" }],
		});
		const wrapper = dialog.fields_dict.why.$wrapper;
		dialog.$wrapper.addClass("lifecycle-why").on("click", "a[href]", () => dialog.hide());
		dialog.show();
		const ask = () => marketing_automation.ask(method, args);
		marketing_automation.load(wrapper, ask, (found) => {
			if (args.customer && found.customer_name) {
				dialog.set_title(marketing_automation.escape(__("Messages to {0}", [found.customer_name])));
			}
			wrapper.html(parts(found).join(""));
		});
		return dialog;
	},

	reach(found) {
		const ma = marketing_automation;
		if (!found.customer) {
			return ma.banner("orange", __("No customer is known for it, so no message can be sent."));
		}
		const who = `${ma.link("Customer", found.customer, found.customer_name)} · ${ma.escape(
			found.email || __("no e-mail address")
		)}`;
		const banners = (found.said || []).map((text) => ma.banner("orange", text));
		if (found.reason) {
			const entry = found.suppression
				? ` ${ma.link("Lifecycle Suppression", found.suppression, __("Suppression List"))}`
				: "";
			banners.unshift(
				ma.banner(
					"orange",
					__("No e-mail can be sent at present: {0}.", [ma.reason(found.reason)]),
					entry
				)
			);
		}
		return `<p>${who}</p>${banners.join("")}`;
	},

	history(rows) {
		const ma = marketing_automation;
		const body = rows.length
			? ma.table(
					[
						{
							label: __("When", null, "Lifecycle"),
							html: (r) =>
								ma.link(
									"Lifecycle Execution Log",
									r.name,
									frappe.datetime.str_to_user(r.executed_at || r.due_on)
								),
						},
						{ label: __("Campaign"), html: (r) => ma.link("Lifecycle Campaign", r.campaign) },
						{
							label: __("Message"),
							html: (r) => ma.message_words(r),
						},
						{
							label: __("About", null, "Lifecycle"),
							html: (r) => ma.reference(r),
						},
						{
							label: __("Date", null, "Lifecycle"),
							html: (r) => ma.date(r.occurrence_date),
						},
						{ label: __("Status"), html: (r) => ma.status(r.status) },
						{
							label: __("Reason"),
							html: (r) => ma.escape(ma.why_not(r)) + (r.reason ? ma.evidence(r) : ""),
						},
						{
							label: __("By What Right"),
							html: (r) => ma.basis(r) + (r.reason ? "" : ma.evidence(r)),
						},
					],
					rows
			  )
			: ma.empty(__("Nothing has been sent or skipped yet."));
		return `<h5>${__("What Happened")}</h5>${body}`;
	},

	// What drafts and paused campaigns would send is counted, so that what will be sent does not drown in it.
	inactive(campaigns) {
		if (!campaigns.length) return "";
		const ma = marketing_automation;
		const lines = campaigns.map(
			({ campaign, state, messages }) =>
				`<li>${ma.link("Lifecycle Campaign", campaign)} ${ma.pill(
					ma.state(state),
					ma.STATE_COLORS[state]
				)}
				${ma.escape(ma.count(messages, __("1 message"), __("{0} messages", [ma.number(messages)])))}</li>`
		);
		return `<h5>${__("If These Campaigns Were Active")}</h5><ul>${lines.join("")}</ul>`;
	},

	steps(title, rows, nothing) {
		const ma = marketing_automation;
		const colors = {
			Coming: "green",
			"Would not be sent": "orange",
			Withheld: "orange",
			"Not due": "gray",
		};
		const body = rows.length
			? ma.table(
					[
						{ label: __("Due On"), html: (r) => ma.date(r.due_on) },
						{ label: __("Campaign"), html: (r) => ma.link("Lifecycle Campaign", r.campaign) },
						{
							label: __("Message"),
							html: (r) => ma.link_around("Lifecycle Action", r.action, ma.message_words(r)),
						},
						{ label: __("About", null, "Lifecycle"), html: (r) => ma.reference(r) },
						{ label: __("State"), html: (r) => ma.pill(__(r.state), colors[r.state]) },
						{
							label: __("Why"),
							html: (r) => ma.escape(r.why) + (r.basis ? "" : ma.evidence(r)),
						},
						{
							label: __("By What Right"),
							html: (r) => ma.basis(r) + (r.basis ? ma.evidence(r) : ""),
						},
					],
					rows
			  )
			: ma.empty(nothing);
		return `<h5>${ma.escape(title)}</h5>${body}`;
	},
};
