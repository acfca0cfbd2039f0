// What the app's screens have in common: words, colours, tables, and the way to the ledger.

frappe.provide("marketing_automation");

Object.assign(marketing_automation, {
	STATUS_COLORS: {
		Pending: "orange",
		Queued: "blue",
		Completed: "green",
		Failed: "red",
		Skipped: "gray",
		Cancelled: "darkgrey",
	},

	call(method, args, options = {}) {
		return frappe
			.call({ method: `marketing_automation.api.${method}`, args, ...options })
			.then((r) => r.message);
	},

	escape(value) {
		return frappe.utils.escape_html(value === null || value === undefined ? "" : String(value));
	},

	// What a report's formatter hands on to Frappe's, which shows Data as HTML.
	cell(value, column) {
		return column.fieldtype === "Data" ? this.escape(value) : value;
	},

	date(value) {
		return value
			? `<span class="text-nowrap">${this.escape(frappe.datetime.str_to_user(value))}</span>`
			: "";
	},

	serial_no(name, doctype = "Serial No") {
		return `<span class="text-nowrap">${this.link(doctype, name)}</span>`;
	},

	number(value) {
		return this.escape(format_number(value || 0, null, 0));
	},

	pill(text, color) {
		return `<span class="indicator-pill ${color} no-indicator-dot">${this.escape(text)}</span>`;
	},

	status(status) {
		return this.pill(__(status), this.STATUS_COLORS[status] || "gray");
	},

	// Where the user may not open a document, its name is shown and leads nowhere.
	link(doctype, name, label) {
		return this.link_around(doctype, name, this.escape(label || name));
	},

	// html: what is safe to show.
	link_around(doctype, name, html) {
		if (!name || !frappe.model.can_read(doctype)) return html;
		return `<a href="${frappe.utils.get_form_link(doctype, name)}">${html}</a>`;
	},

	// columns: [{label, html(row), numeric}]; html returns what is safe to show.
	table(columns, rows) {
		const head = columns
			.map((c) => `<th scope="col"${c.numeric ? ' class="text-right"' : ""}>${this.escape(c.label)}</th>`)
			.join("");
		const cell = (c, row) =>
			`<td data-label="${this.escape(c.label)}"${c.numeric ? ' class="text-right"' : ""}>${
				c.html(row) || "&nbsp;"
			}</td>`;
		const body = rows
			.map((row) => `<tr>${columns.map((c) => cell(c, row)).join("")}</tr>`)
			.join("");
		return `<div class="lifecycle-table"><table class="table">
			<thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
	},

	empty(text) {
		return `<div class="lifecycle-empty text-muted">${this.escape(text)}</div>`;
	},

	// html: what is safe to show after the text.
	banner(level, text, html = "") {
		return `<div class="lifecycle-banner ${level}" role="alert">${this.escape(text)}${html}</div>`;
	},

	// Who hears from another campaign too: [{campaign, customers, examples}], see engine/overlap.py.
	overlap_banners(overlaps) {
		return (overlaps || [])
			.map(({ campaign, customers, examples }) =>
				this.banner(
					"orange",
					customers === 1
						? __("1 customer also hears from the campaign {0} within {1} days: {2}.", [
								campaign,
								7,
								examples.join(", "),
						  ])
						: __("{3} customers also hear from the campaign {0} within {1} days, among them {2}.", [
								campaign,
								7,
								examples.join(", "),
								customers,
						  ])
				)
			)
			.join("");
	},

	// Triggers that cannot work and were left out: [{trigger, text}], see engine/faults.py.
	broken_banners(broken) {
		return (broken || [])
			.map(({ trigger, text }) =>
				this.banner("red", text, ` ${this.link("Lifecycle Trigger", trigger, __("Open It"))}`)
			)
			.join("");
	},

	loading() {
		return `<div class="lifecycle-empty text-muted" role="status">${__("Loading...")}</div>`;
	},

	// The way back from a document whose own name is random, and says nothing to anyone. Frappe 16 shows its title
	// there instead of the name, and nowhere else.
	breadcrumb(frm, label, route) {
		if (frm.page.$title_area.find("h3.title-text").length) {
			frappe.breadcrumbs.add({ type: "Custom", label, route });
		}
	},

	// What a list says as long as there is nothing to list.
	explain_empty(listview, text) {
		const usual = listview.get_no_result_message.bind(listview);
		listview.get_no_result_message = () =>
			listview.filter_area.get().length
				? usual()
				: `<div class="msg-box no-border"><p>${this.escape(text)}</p></div>`;
	},

	open_ledger(filters) {
		frappe.route_options = filters;
		frappe.set_route("List", "Lifecycle Execution Log", "List");
	},

	// A spreadsheet takes text that begins like this for a formula.
	csv_cell(value) {
		const text = value === null || value === undefined ? "" : String(value);
		return /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
	},

	export_csv(title, header, rows) {
		frappe.tools.downloadify(
			[header, ...rows].map((row) => row.map((value) => this.csv_cell(value))),
			null,
			title
		);
	},
});
