frappe.listview_settings["Lifecycle Execution Log"] = {
	add_fields: [
		...["status", "reason", "customer", "action", "due_on", "due_at", "executed_at"],
		...["reference_doctype", "reference_name"],
	],
	hide_name_column: true,

	// There is room for one of them: the colour says the status too.
	get_indicator(doc) {
		return [
			doc.reason
				? marketing_automation.reason(doc.reason)
				: marketing_automation.status_words(doc.status),
			marketing_automation.row_color(doc),
			`status,=,${doc.status}`,
		];
	},

	onload(listview) {
		marketing_automation.heed_filters(listview);
		marketing_automation.explain_empty(
			listview,
			__(
				"No message yet. Each that falls due gets a row here, sent or not, when a run of an active campaign has met it."
			)
		);
		// What Frappe does by itself for document types that show their titles in links; ERPNext's Customer does not.
		if (frappe.model.can_read("Customer")) {
			listview.link_field_title_fields.customer = "customer_name";
		}
		marketing_automation.columns(listview, this.columns(listview));
		this.name_values(listview, "status", (value) => marketing_automation.status_words(value));
		this.name_values(listview, "reason", (value) => marketing_automation.reason(value));
		const names = () => listview.get_checked_items(true);
		listview.page.add_actions_menu_item(__("Retry Failed"), () =>
			marketing_automation.run.again("retry", { names: names() }, () =>
				marketing_automation.read_again(listview)
			)
		);
		listview.page.add_actions_menu_item(__("Send Skipped"), () =>
			marketing_automation.run.again("send_skipped", { names: names() }, () =>
				marketing_automation.read_again(listview)
			)
		);
	},

	// Wide or narrow: about what, to whom, which message, what became of it, and when.
	columns(listview) {
		const ma = marketing_automation;
		const title = (doc, field) => {
			const title_field = listview.link_field_title_fields[field];
			const title = title_field && doc[`${field}_${title_field}`];
			return (
				title ||
				frappe.utils.get_link_title(
					frappe.meta.get_docfield(listview.doctype, field).options,
					doc[field]
				) ||
				doc[field]
			);
		};
		return [
			{ label: __("Customer"), plain: true, html: (doc) => ma.escape(title(doc, "customer")) },
			{ label: __("Message"), plain: true, html: (doc) => ma.escape(title(doc, "action")) },
			{
				label: __("State"),
				plain: true,
				html: (doc) => {
					const [words, color, filter] = this.get_indicator(doc);
					return `<span class="indicator-pill ${color} filterable ellipsis" title="${ma.escape(
						words
					)}" data-filter="${ma.escape(filter)}"><span class="ellipsis">${ma.escape(
						words
					)}</span></span>`;
				},
			},
			{
				label: __("When"),
				plain: true,
				html: (doc) => this.when(doc),
			},
		];
	},

	// When it left or was decided; of what waits, until when it does: what is held is asked about each day.
	when(doc) {
		const { due_at, reason } = doc;
		if (doc.status !== "Waiting" || !due_at) return this.moment(doc.executed_at || doc.due_on);
		const until = this.moment(reason === "On hold" ? due_at.slice(0, 10) : due_at);
		return `<span class="text-muted">${marketing_automation.until(until, reason)}</span>`;
	},

	// A day, or a day and a time of day; there is no room for seconds.
	moment(value) {
		const shown = frappe.datetime.str_to_user(value) || "";
		return `<span class="text-nowrap">${marketing_automation.escape(
			shown.replace(/(\d{1,2}:\d{2}):\d{2}/, "$1")
		)}</span>`;
	},

	// In the filter, and in the columns of a report view, too.
	name_values(listview, field, words) {
		const df = frappe.meta.get_docfield(listview.doctype, field);
		df.formatter = (value) => marketing_automation.escape(words(value));
		const filter = listview.page.fields_dict[field];
		if (!filter) return;
		filter.df.options = [
			// Frappe makes an option of an empty value and label "[object Object]", and then filters by that.
			"",
			...df.options
				.split("\n")
				.filter(Boolean)
				.map((value) => ({ value, label: words(value) })),
		];
		filter.set_options();
	},

	button: {
		// Where no customer is known, what it is about says why.
		show: (doc) => Boolean(doc.customer || doc.reference_name),
		get_label: () => __("Why?"),
		get_description: (doc) =>
			doc.customer
				? __("What this customer was sent, and what is coming")
				: __("What became of this document, and what is coming"),
		action: (doc) =>
			doc.customer
				? marketing_automation.why.customer(doc.customer)
				: marketing_automation.why.reference(doc.reference_doctype, doc.reference_name),
	},
};
