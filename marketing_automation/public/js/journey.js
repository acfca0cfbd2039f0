// The campaign on one page: its triggers along a time line, their messages below, with live numbers.

marketing_automation.journey = {
	draw(frm, wrapper) {
		const ma = marketing_automation;
		const campaign = frm.doc.name;
		const draw = (journey) => {
			if (frm.doc.name !== campaign) return;
			// Drawn anew, it leaves the keyboard where it was.
			const { switch: box } = wrapper[0].contains(document.activeElement)
				? document.activeElement.dataset
				: {};
			wrapper.html(journey.length ? this.html(frm, journey) : this.nothing());
			if (box) wrapper.find(`[data-switch="${CSS.escape(box)}"]`).trigger("focus");
			if (journey.length) this.look_ahead(frm, wrapper);
			wrapper.off(".journey");
			wrapper.on("click.journey", "[data-ledger]", (e) => {
				const { action, status } = e.currentTarget.dataset;
				ma.open_ledger({
					action,
					...(status ? { status: ["in", status.split(",")] } : {}),
				});
			});
			wrapper.on("click.journey", "[data-coming]", () => ma.forecast.show(campaign));
			wrapper.on("click.journey", "[data-mail]", (e) =>
				ma.mail.show(e.currentTarget.dataset.mail, e.currentTarget.dataset.title)
			);
			wrapper.on("click.journey", "[data-open]", (e) =>
				frappe.set_route("Form", e.currentTarget.dataset.doctype, e.currentTarget.dataset.open)
			);
			wrapper.on("click.journey", "[data-do]", (e) => {
				const { do: what, action, title } = e.currentTarget.dataset;
				if (what === "mail") ma.mail.show(action, title);
				else frm.trigger(`do_${what}`);
			});
			wrapper.on("click.journey", "[data-add]", (e) => {
				const { add, trigger } = e.currentTarget.dataset;
				frappe.new_doc(add, trigger ? { trigger } : { campaign });
			});
			wrapper.on("change.journey", "[data-switch]", (e) => this.switch(frm, e.currentTarget));
			frm.trigger("draw_health");
		};
		const keep = Boolean(wrapper.find("[data-add]").length);
		ma.load(wrapper, () => ma.ask("journey", { campaign }), draw, { keep });
	},

	// Who will get a message is known only after each customer has been looked at: it comes when the rest is on the screen.
	look_ahead(frm, wrapper) {
		const ma = marketing_automation;
		const campaign = frm.doc.name;
		const ask = () => ma.ask("coming", { campaign });
		const draw = ({ actions, next }) => {
			if (frm.doc.name !== campaign) return;
			for (const [action, { send, skip, fail }] of Object.entries(actions)) {
				const left_out = skip + fail;
				const button = wrapper.find(`[data-coming="${CSS.escape(action)}"]`);
				button.attr(
					"title",
					[
						this.will(frm, send),
						...(left_out
							? [
									ma.count(
										left_out,
										__("1 message will be skipped."),
										__("{0} messages will be skipped.", [left_out])
									),
							  ]
							: []),
					].join(" ")
				);
				button.toggleClass("zero", !send).toggleClass("blue", Boolean(send));
				button.find("strong").html(ma.number(send));
				button
					.find("small")
					.html(
						left_out
							? ma.count(
									left_out,
									__("+ 1 skipped"),
									__("+ {0} skipped", [ma.number(left_out)])
							  )
							: ""
					);
			}
			wrapper.find(".lifecycle-next").html(next.length ? this.next(frm, next) : "");
		};
		ma.load(wrapper.find(".lifecycle-next"), ask, draw, { loading: "" });
	},

	// What the next days bring; while the campaign does not send, what they would bring.
	will(frm, count) {
		const ma = marketing_automation;
		if (this.sends(frm)) {
			return ma.count(
				count,
				__("1 message will be sent in the next 7 days."),
				__("{0} messages will be sent in the next 7 days.", [count])
			);
		}
		return ma.count(
			count,
			__("1 message would be sent in the next 7 days if the campaign were active."),
			__("{0} messages would be sent in the next 7 days if the campaign were active.", [count])
		);
	},

	sends(frm) {
		return Boolean(frm.doc.is_active);
	},

	next(frm, rows) {
		const ma = marketing_automation;
		const title = this.sends(frm) ? __("Next Messages") : __("If It Were Active: the Next Messages");
		return `<h4>${title}</h4>${ma.table(
			[
				{ label: __("Due On"), html: (r) => ma.date(r.due_on) },
				{ label: __("Customer"), html: (r) => ma.link("Customer", r.customer, r.customer_name) },
				{ label: __("Item"), html: (r) => ma.escape(r.item_name) },
				{ label: __("About", null, "Lifecycle"), html: (r) => ma.reference(r) },
				{ label: __("Message"), html: (r) => ma.message_words(r) },
			],
			rows
		)}`;
	},

	// Saved like any change of the document, so that its checks apply.
	switch(frm, box) {
		frappe
			.xcall("frappe.client.set_value", {
				doctype: box.dataset.doctype,
				name: box.dataset.switch,
				fieldname: "enabled",
				value: box.checked ? 1 : 0,
			})
			.then(() => frappe.model.clear_doc(box.dataset.doctype, box.dataset.switch))
			// Frappe has said why it was refused.
			.catch(() => {})
			.finally(() => frm.trigger("draw_journey"));
	},

	nothing() {
		return `${marketing_automation.empty(
			__(
				"This campaign has no trigger yet. A trigger says when a message is sent; its action says which one."
			)
		)}
			<button type="button" class="btn btn-primary btn-sm" data-add="Lifecycle Trigger">${__(
				"Add a Trigger"
			)}</button>`;
	},

	when(trigger) {
		if (trigger.day === null) return __("Never");
		const days = Math.abs(trigger.day);
		const when = trigger.timing || __(trigger.trigger_type, null, "Lifecycle Trigger");
		if (!days) return when;
		const count = days === 1 ? __("1 day", null, "Lifecycle") : __("{0} days", [days], "Lifecycle");
		return `${when}: ${count}`;
	},

	// What the page can do, where Frappe has it behind three dots (see the style sheet).
	actions(frm, journey) {
		const ma = marketing_automation;
		const action = journey.flatMap((trigger) => trigger.actions).find((row) => row.enabled);
		const button = (name, label, kind = "default") =>
			`<button type="button" class="btn btn-${kind} btn-sm" data-do="${name}">${label}</button>`;
		return `<div class="lifecycle-actions">
			${button("preview", __("Preview"))}
			${
				action
					? `<button type="button" class="btn btn-default btn-sm" data-do="mail" data-action="${ma.escape(
							action.name
					  )}" data-title="${ma.escape(action.action_name)}">${__("See the Message")}</button>`
					: ""
			}
			${frm.lifecycle_may_write && frm.doc.is_active ? button("run", __("Run Now")) : ""}
			${
				frm.lifecycle_may_write
					? frm.doc.is_active
						? button("pause", __("Pause", null, "Lifecycle"))
						: button("activate", __("Activate"), "primary")
					: ""
			}
		</div>`;
	},

	html(frm, journey) {
		const ma = marketing_automation;
		const steps = journey.map((trigger) => this.trigger(frm, trigger));
		const after = journey.findIndex((trigger) => trigger.day === null || trigger.day >= 0);
		const names = new Set(journey.map((trigger) => trigger.day_itself));
		const name = ma.escape((names.size === 1 && [...names][0]) || __("The day itself", null, "Lifecycle"));
		const day = `<li class="lifecycle-expiry" aria-label="${name}"><span>${name}</span></li>`;
		steps.splice(after === -1 ? steps.length : after, 0, day);
		return `${this.actions(frm, journey)}<ol class="lifecycle-journey">${steps.join("")}</ol>
			<button type="button" class="btn btn-default btn-xs" data-add="Lifecycle Trigger">${__(
				"Add a Trigger"
			)}</button>
			<div class="lifecycle-next"></div>`;
	},

	trigger(frm, trigger) {
		const ma = marketing_automation;
		const title = ma.escape(trigger.trigger_name);
		return `<li class="lifecycle-step ${trigger.enabled ? "" : "off"}">
			<div class="lifecycle-when">${ma.escape(this.when(trigger))}</div>
			<div class="lifecycle-trigger">
				<button type="button" class="btn-link" data-open="${ma.escape(trigger.name)}"
					data-doctype="Lifecycle Trigger">${title}</button>
				${this.box("Lifecycle Trigger", trigger, frm)}
			</div>
			${trigger.problem ? `<div class="text-danger small">${ma.escape(trigger.problem)}</div>` : ""}
			${trigger.item_group ? `<div class="text-muted small">${ma.escape(trigger.item_group)}</div>` : ""}
			${trigger.actions.map((action) => this.action(frm, action)).join("")}
			<button type="button" class="btn btn-default btn-xs" data-add="Lifecycle Action"
				data-trigger="${ma.escape(trigger.name)}">${__("Add an Action")}</button>
		</li>`;
	},

	box(doctype, row, frm) {
		const ma = marketing_automation;
		return `<label class="lifecycle-switch"><input type="checkbox" data-doctype="${doctype}"
			data-switch="${ma.escape(row.name)}" ${row.enabled ? "checked" : ""}
			${frm.perm[0] && frm.perm[0].write ? "" : "disabled"}
			aria-label="${ma.escape(__("Enabled"))}: ${ma.escape(row.trigger_name || row.action_name)}"></label>`;
	},

	// By its name in the user's language; Frappe knows each language by its own name only.
	language(code) {
		return new Intl.DisplayNames([frappe.boot.lang], { type: "language" }).of(code.replace("_", "-"));
	},

	action(frm, action) {
		const ma = marketing_automation;
		const counts = action.counts;
		const number = (label, count, statuses, color, more = "") =>
			`<button type="button" class="lifecycle-number ${count ? color : "zero"}" data-ledger="1"
				data-action="${ma.escape(action.name)}" data-status="${statuses}">
				<strong>${ma.number(count)}</strong><span>${ma.escape(label)}</span><small>${more}</small></button>`;
		const under_way = counts.Pending + counts.Queued;
		const cancelled = counts.Cancelled
			? ma.count(
					counts.Cancelled,
					__("+ 1 cancelled"),
					__("+ {0} cancelled", [ma.number(counts.Cancelled)])
			  )
			: "";
		const languages = action.languages.length
			? `<span class="text-muted small">${__("also in {0}", [
					ma.escape(action.languages.map((code) => this.language(code)).join(", ")),
			  ])}</span>`
			: "";
		return `<div class="lifecycle-action ${action.enabled ? "" : "off"}">
			<div class="lifecycle-trigger">
				<button type="button" class="btn-link" data-open="${ma.escape(action.name)}"
					data-doctype="Lifecycle Action">${ma.escape(action.action_name)}</button>
				${this.box("Lifecycle Action", action, frm)}
			</div>
			<button type="button" class="btn btn-default btn-xs" data-mail="${ma.escape(action.name)}"
				data-title="${ma.escape(action.action_name)}">${__("See the Message")}</button> ${
			action.action_type === ma.EMAIL
				? ""
				: `<span class="text-muted small">${ma.escape(__(action.action_type))}</span>`
		} ${languages}
			<div class="lifecycle-numbers">
				<button type="button" class="lifecycle-number ${action.coming ? "blue" : "zero"}" data-coming="${ma.escape(
			action.name
		)}" title="${__("Due in the next 7 days")}">
					<strong>${ma.number(action.coming)}</strong><span>${__("In 7 Days")}</span><small></small></button>
				${under_way ? number(__("On Its Way"), under_way, "Pending,Queued", "blue") : ""}
				${counts.Waiting ? number(__("Waiting", null, "Lifecycle"), counts.Waiting, "Waiting", "yellow") : ""}
				${number(__("Sent", null, "Lifecycle"), counts.Completed, "Completed", "green")}
				${number(__("Skipped", null, "Lifecycle"), counts.Skipped, "Skipped,Cancelled", "gray", cancelled)}
				${number(__("Failed", null, "Lifecycle"), counts.Failed, "Failed", "red")}
			</div>
		</div>`;
	},
};
