frappe.ui.form.on("Lifecycle Trigger", {
	setup(frm) {
		const ma = marketing_automation;
		ma.ask("sources").then((sources) => {
			frm.lifecycle_sources = sources;
			frm.trigger("offer_sources");
		});
		frm.set_query("reference_doctype", () => ({ filters: { istable: 0, issingle: 0 } }));
	},

	refresh(frm) {
		frm.trigger("offer_sources");
		frm.trigger("ask_offers");
		if (frm.is_new()) return;
		frm.trigger("draw_health");
		marketing_automation.breadcrumb(
			frm,
			frm.doc.campaign,
			frappe.utils.get_form_link("Lifecycle Campaign", frm.doc.campaign)
		);
		frm.add_custom_button(__("Campaign"), () =>
			frappe.set_route("Form", "Lifecycle Campaign", frm.doc.campaign)
		);
		frm.add_custom_button(__("Add an Action"), () =>
			frappe.new_doc("Lifecycle Action", { trigger: frm.doc.name })
		);
	},

	offer_sources(frm) {
		if (frm.lifecycle_sources) {
			marketing_automation.offer(frm.fields_dict.source, frm.lifecycle_sources);
			// Shown by its words, which it has only now.
			frm.refresh_field("source");
		}
	},

	// What is about something else has other dates, other customers and other filters.
	source(frm) {
		frm.set_value({ reference_doctype: "", customer_field: "", date_field: "", filters: "", yearly: 0 });
		frm.trigger("ask_offers");
	},

	reference_doctype(frm) {
		frm.set_value({ customer_field: "", date_field: "", filters: "" });
		frm.trigger("ask_offers");
	},

	// Ask what there is to choose from, and show no more than that.
	ask_offers(frm) {
		const ma = marketing_automation;
		const { source, reference_doctype } = frm.doc;
		if (!source) return;
		ma.ask("offers", { source, reference_doctype: reference_doctype || null }).then(
			(offers) => {
				if (frm.doc.source !== source || frm.doc.reference_doctype !== reference_doctype) return;
				frm.lifecycle_offers = offers;
				frm.trigger("show_offers");
			},
			(xhr) => frm.set_df_property("date_field", "description", ma.escape(ma.trouble(xhr).title))
		);
	},

	show_offers(frm) {
		const ma = marketing_automation;
		const { timing, date_fields, customer_fields, yearly, has_item } = frm.lifecycle_offers;
		frm.set_df_property(
			"trigger_type",
			"options",
			Object.entries(timing).map(([value, label]) => ({ value, label }))
		);
		for (const [fieldname, offered] of [
			["date_field", date_fields],
			["customer_field", customer_fields],
		]) {
			ma.offer(frm.fields_dict[fieldname], offered);
			// With one to choose from there is no choice.
			if (offered.length === 1 && !frm.doc[fieldname]) frm.set_value(fieldname, offered[0].value);
			frm.refresh_field(fieldname);
		}
		frm.toggle_display(
			"date_field",
			date_fields.length !== 1 || frm.doc.date_field !== date_fields[0].value
		);
		frm.toggle_display("yearly", yearly);
		frm.toggle_display("item_group", has_item);
		frm.trigger("draw_filters");
	},

	// What keeps this trigger from working, and what to do about it.
	draw_health(frm) {
		const ma = marketing_automation;
		const name = frm.doc.name;
		ma.call("health", { campaign: frm.doc.campaign }).then((problems) => {
			if (frm.doc.name !== name) return;
			const own = problems.filter((problem) => problem.trigger === name);
			frm.layout.wrapper.find(".lifecycle-broken").remove();
			if (own.length) {
				frm.layout.wrapper.prepend(
					`<div class="lifecycle-broken">${own
						.map((p) => ma.banner(p.level, p.text))
						.join("")}</div>`
				);
			}
		});
	},

	trigger_type(frm) {
		if (frm.doc.trigger_type === "On") frm.set_value("days_offset", 0);
	},

	draw_filters(frm) {
		const wrapper = frm.fields_dict.filter_area.$wrapper.empty();
		const { doctype } = frm.lifecycle_offers;
		if (!doctype) return;
		if (!frappe.model.can_read(doctype)) {
			wrapper.html(
				marketing_automation.empty(
					__("To choose filters you need the right to read {0}. Ask your administrator.", [
						__(doctype),
					])
				)
			);
			return;
		}
		frappe.model.with_doctype(doctype, () => {
			wrapper.html(`<label class="control-label">${__("Filters")}</label>`);
			const group = new frappe.ui.FilterGroup({
				parent: $('<div class="lifecycle-filters"></div>').appendTo(wrapper),
				doctype,
				on_change: () => {
					// While the saved filters are put back, nothing has changed.
					if (frm.lifecycle_filters !== group || !group.lifecycle_ready) return;
					const filters = group.get_filters().map((filter) => filter.slice(0, 4));
					const text = filters.length ? JSON.stringify(filters) : "";
					if (text !== (frm.doc.filters || "")) frm.set_value("filters", text);
				},
			});
			// It stands in the form, not in a popover with a button.
			group.hide_popover = () => {};
			group.update_filter_button = () => {};
			frm.lifecycle_filters = group;
			const saved = frm.events.read_filters(frm);
			if (saved.broken) frm.events.offer_removal(frm, wrapper, saved.usable);
			Promise.resolve(group.add_filters(saved.usable)).then(() => {
				group.toggle_empty_filters(!group.filters.length);
				group.lifecycle_ready = true;
			});
		});
	},

	// The filters that can be shown: the others are of fields that are gone, or no filters at all.
	read_filters(frm) {
		let saved;
		try {
			saved = JSON.parse(frm.doc.filters || "[]") || [];
		} catch {
			saved = null;
		}
		if (!Array.isArray(saved)) return { usable: [], broken: true };
		const is_usable = (filter) =>
			Array.isArray(filter) &&
			filter.length > 3 &&
			filter[0] === frm.lifecycle_offers.doctype &&
			(frappe.model.std_fields_list.includes(filter[1]) || frappe.meta.has_field(filter[0], filter[1]));
		const usable = saved.filter(is_usable);
		return { usable, broken: usable.length < saved.length };
	},

	offer_removal(frm, wrapper, usable) {
		const ma = marketing_automation;
		const button = `<button type="button" class="btn btn-default btn-xs" data-remove="1">${__(
			"Remove Them"
		)}</button>`;
		wrapper.append(
			ma.banner("red", __("Some filters cannot be used any more and are not shown."), ` ${button}`)
		);
		wrapper.find("[data-remove]").on("click", () => {
			frm.set_value("filters", usable.length ? JSON.stringify(usable) : "");
			wrapper.find("[data-remove]").closest(".lifecycle-banner").remove();
		});
	},
});
