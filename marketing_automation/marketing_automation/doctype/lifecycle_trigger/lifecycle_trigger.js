frappe.ui.form.on("Lifecycle Trigger", {
	setup(frm) {
		const ma = marketing_automation;
		ma.ask("date_fields").then(
			(fields) => {
				frm.lifecycle_date_fields = fields;
				frm.trigger("offer_date_fields");
			},
			(xhr) => frm.set_df_property("date_field", "description", ma.escape(ma.trouble(xhr).title))
		);
	},

	refresh(frm) {
		frm.trigger("offer_date_fields");
		frm.trigger("draw_filters");
		if (frm.is_new()) return;
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

	offer_date_fields(frm) {
		if (frm.lifecycle_date_fields) {
			marketing_automation.offer(frm.fields_dict.date_field, frm.lifecycle_date_fields);
			// Shown by its label, which it has only now.
			frm.refresh_field("date_field");
		}
	},

	trigger_type(frm) {
		if (frm.doc.trigger_type === "On Expiration") frm.set_value("days_offset", 0);
	},

	draw_filters(frm) {
		const wrapper = frm.fields_dict.filter_area.$wrapper;
		if (!frappe.model.can_read("Serial No")) {
			wrapper.html(
				marketing_automation.empty(
					__("To choose filters you need the right to read serial numbers. Ask your administrator.")
				)
			);
			return;
		}
		frappe.model.with_doctype("Serial No", () => {
			wrapper.html(`<label class="control-label">${__("Filters")}</label>`);
			const group = new frappe.ui.FilterGroup({
				parent: $('<div class="lifecycle-filters"></div>').appendTo(wrapper),
				doctype: "Serial No",
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
			Promise.resolve(group.add_filters(JSON.parse(frm.doc.filters || "[]"))).then(() => {
				group.toggle_empty_filters(!group.filters.length);
				group.lifecycle_ready = true;
			});
		});
	},
});
