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

	STATE_COLORS: {
		Active: "green",
		Failing: "red",
		Ended: "orange",
		Paused: "orange",
		Draft: "gray",
	},

	// A campaign's state in words. The context keeps them from being those of other screens.
	state(state) {
		const words = {
			Active: __("Active", null, "Lifecycle"),
			Failing: __("Failing", null, "Lifecycle"),
			Ended: __("Ended", null, "Lifecycle"),
			Paused: __("Paused", null, "Lifecycle"),
			Draft: __("Draft", null, "Lifecycle"),
		};
		return words[state] || __(state);
	},

	// Why a message was not sent, in words. What the ledger calls Returned and Missed could as well be said of the mail.
	reason(reason) {
		const words = {
			Returned: __("Product returned"),
			Missed: __("Night missed"),
			Unsubscribed: __("Unsubscribed", null, "Lifecycle"),
		};
		return words[reason] || __(reason);
	},

	// So many of something. one, many: that in words; of many the number is a part.
	count(number, one, many) {
		return number === 1 ? one : many;
	},

	mails(number) {
		return this.count(number, __("1 mail"), __("{0} mails", [this.number(number)]));
	},

	products(number) {
		return this.count(number, __("1 product"), __("{0} products", [this.number(number)]));
	},

	// Mails and what they are about; a mail can be about several products.
	mails_about(mails, products) {
		return __("{0} about {1}", [this.mails(mails), this.products(products)]);
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

	// What stands in the way of sending (api.health), in a bar that is not there when nothing does.
	draw_health(wrapper, problems) {
		const html = problems.map((problem) => {
			const open = problem.route
				? ` <a data-route="${this.escape(problem.route)}" href="#">${__("Open It")}</a>`
				: "";
			return this.banner(problem.level, problem.text, open);
		});
		wrapper.html(html.join("")).toggle(Boolean(problems.length));
		wrapper.find("[data-route]").on("click", (e) => {
			frappe.set_route(...e.currentTarget.dataset.route.split("/"));
			return false;
		});
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

	// What a list says as long as there is nothing to list. action: the label of a button below it that does what the
	// list's first button does.
	explain_empty(listview, text, action) {
		const usual = listview.get_no_result_message.bind(listview);
		const button = action
			? `<p><button type="button" class="btn btn-primary btn-sm btn-new-doc">${this.escape(action)}</button></p>`
			: "";
		listview.get_no_result_message = () =>
			listview.filter_area.get().length
				? usual()
				: `<div class="msg-box no-border"><p>${this.escape(text)}</p>${button}</div>`;
	},

	// Give a list these columns after its subject: [{label, html(doc), numeric}]; html returns what is safe to show.
	// On a phone, where Frappe shows the subject alone, they stand below it, each with its label unless it is `plain`.
	// What a user has chosen in the list's own settings comes after them.
	columns(listview, columns) {
		const ours = columns.map((column) => ({
			type: "Field",
			df: { label: column.label, fieldtype: column.numeric ? "Int" : "Data" },
			lifecycle: column,
		}));
		const set_up = listview.setup_columns.bind(listview);
		listview.setup_columns = () => {
			set_up();
			const [subject, ...others] = listview.columns;
			const chosen = JSON.parse(listview.list_view_settings.fields || "[]").length;
			listview.columns = [
				subject,
				...others.filter((column) => column.type === "Tag"),
				...ours,
				...others.filter((column) => chosen && column.type === "Field"),
			];
		};
		const usual = listview.get_column_html.bind(listview);
		listview.get_column_html = (column, doc) => {
			if (!column.lifecycle) return usual(column, doc);
			const { label, html, numeric, plain } = column.lifecycle;
			return `<div class="list-row-col ellipsis lifecycle-cell ${numeric ? "text-right" : ""}"
				${plain ? "" : `data-label="${this.escape(label)}"`}>${html(doc)}</div>`;
		};
		listview.$result.addClass("lifecycle-list");
		listview.setup_columns();
		listview.render_header(true);
	},

	// Ask before something happens. yes, no: what the buttons say. html: what is safe to show.
	ask(title, html, yes, no, go) {
		const dialog = new frappe.ui.Dialog({
			title: this.escape(title),
			fields: [{ fieldname: "question", fieldtype: "HTML", options: html }],
			primary_action_label: yes,
			primary_action: () => {
				dialog.hide();
				go();
			},
			secondary_action_label: no,
			secondary_action: () => dialog.hide(),
		});
		dialog.show();
		return dialog;
	},

	// What a run, or an activation, will do, as paragraphs. found: the answer of api.run_preview or api.activation;
	// sentence: its first one, safe to show.
	what_will_happen({ counts, reasons, problems, overlaps }, sentence) {
		const lines = [sentence];
		const left_out = counts.skip + counts.fail;
		if (left_out) {
			const why = Object.entries(reasons)
				.map(([reason, count]) => `${this.escape(this.reason(reason))}: ${this.number(count)}`)
				.join(", ");
			lines.push(
				this.count(
					left_out,
					__("1 product will be skipped ({0}).", [why]),
					__("{0} products will be skipped ({1}).", [this.number(left_out), why])
				)
			);
		}
		if (counts.known) {
			lines.push(
				this.count(
					counts.known,
					__("1 was handled before and is left alone."),
					__("{0} were handled before and are left alone.", [this.number(counts.known)])
				)
			);
		}
		const banners = problems.map((problem) => this.banner(problem.level, problem.text)).join("");
		return banners + (this.overlap_banners?.(overlaps) || "") + lines.map((line) => `<p>${line}</p>`).join("");
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
