// What the app's screens have in common: words, colours, tables, and the way to the ledger.

Object.assign(marketing_automation, {
	STATUS_COLORS: {
		Pending: "orange",
		Waiting: "yellow",
		Queued: "blue",
		Completed: "green",
		Failed: "red",
		Skipped: "gray",
		Cancelled: "darkgrey",
	},

	// The colour of a row of the ledger: what left and came back is Sent, and not well.
	row_color({ status, reason }) {
		return status === "Completed" && reason ? "red" : this.STATUS_COLORS[status];
	},

	SUPPRESSION_COLORS: { Counting: "orange", Suppressed: "red", Expired: "gray", Lifted: "blue" },

	STATE_COLORS: {
		Active: "green",
		Failing: "red",
		Ended: "orange",
		Paused: "orange",
		Draft: "gray",
	},

	// Fetch the editor of messages, which most people never open; a promise of `marketing_automation` with it.
	load_editor() {
		const bundle = ["message_editor.bundle.js", "message_editor.bundle.css"];
		this.fetched_editor = this.fetched_editor || frappe.require(bundle);
		return this.fetched_editor.then(() => this);
	},

	// The editor on a design.
	edit_design(name) {
		frappe.set_route("lifecycle-message-editor", name);
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
	// engine/words.py says the same where the server writes the text.
	reason(reason) {
		const words = {
			"Not found": __("Not found", null, "Lifecycle Execution Log"),
			Returned: __("Product returned"),
			Missed: __("Night missed"),
			Unsubscribed: __("Unsubscribed", null, "Lifecycle"),
			Bounced: __("Bounced", null, "Lifecycle Execution Log"),
		};
		return words[reason] || __(reason);
	},

	// What became of a message, in words. The ledger's Completed, which is good for every channel, is Sent on screens.
	status_words(status) {
		const words = {
			Completed: __("Sent", null, "Lifecycle Execution Log"),
			Failed: __("Failed", null, "Lifecycle Execution Log"),
		};
		return words[status] || __(status);
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

	EMAIL: "Send Email",

	// What leaves otherwise than by mail, each with its number.
	others(others) {
		return Object.entries(others || {}).map(([type, number]) => `${__(type)}: ${this.number(number)}`);
	},

	// A message by its names, and what it leaves by where that is not e-mail.
	message_words(row) {
		const by = row.channel && row.channel !== this.EMAIL ? ` (${__(row.channel)})` : "";
		return this.escape(`${row.trigger_name || ""}: ${row.action_name || ""}${by}`);
	},

	// As long as the server may think: longer than web servers let a request live.
	PATIENCE: 150000,

	// Do something on the server; a promise of the answer. What goes wrong is said in a dialog, with a way to try it again:
	// then the promise is kept when that succeeds, and broken when the dialog is closed.
	// mended(xhr, again, give_up): what the caller has another answer to than such a dialog; says whether it has.
	call(method, args, { freeze = false, mended = null } = {}) {
		const promise = $.Deferred();
		const from = document.activeElement;
		const attempt = () => {
			if (freeze) frappe.dom.freeze();
			this.request(method, args, "POST")
				.always(() => freeze && frappe.dom.unfreeze())
				.then(
					(reply) => {
						// What the server has to say besides, as it does to Frappe's own screens.
						if (reply._server_messages) frappe.msgprint(JSON.parse(reply._server_messages));
						promise.resolve(reply.message);
					},
					(xhr) => {
						const give_up = () => promise.reject(xhr);
						if (!mended?.(xhr, attempt, give_up)) this.say(this.trouble(xhr), attempt, give_up, from);
					}
				);
		};
		attempt();
		return promise.promise();
	},

	// again(): what Retry does; given_up(): what happens when the dialog is closed without it.
	say({ title, text, login }, again, given_up, from) {
		const options = {
			title: this.escape(title),
			fields: [
				{
					fieldname: "trouble",
					fieldtype: "HTML",
					options: `<div class="lifecycle-failed" role="alert"><p>${this.escape(text)}</p>
						${login ? `<p>${this.way_in()}</p>` : ""}</div>`,
				},
			],
			primary_action_label: __("Retry"),
			primary_action: () => {
				dialog.onhide = null;
				dialog.hide();
				again();
			},
			secondary_action_label: __("Close"),
			secondary_action: () => dialog.hide(),
		};
		const dialog = this.dialog(options, from);
		dialog.onhide = given_up;
		dialog.show();
	},

	way_in() {
		const route = `/login?redirect-to=${encodeURIComponent(location.pathname + location.search)}`;
		return `<a href="${this.escape(route)}">${__("Log In Again")}</a>`;
	},

	// Ask the server something, without a word on the screen; a promise that fails with jQuery's request. By GET: that
	// goes on working for who has logged in anew in another window.
	ask(method, args, type = "GET") {
		return this.request(method, args, type).then((reply) => reply.message);
	},

	// Frappe's whole reply. A list among the arguments goes as JSON.
	request(method, args, type) {
		const as_text = ([name, value]) => [
			name,
			value && typeof value === "object" ? JSON.stringify(value) : value,
		];
		return $.ajax({
			url: `/api/method/marketing_automation.api.${method}`,
			type,
			data: Object.fromEntries(Object.entries(args || {}).map(as_text)),
			dataType: "json",
			cache: false,
			timeout: this.PATIENCE,
			headers: { Accept: "application/json", "X-Frappe-CSRF-Token": frappe.csrf_token },
		});
	},

	// Fill a place with the answer to a question: "Loading..." meanwhile, or what went wrong and a way to ask again.
	// Of several questions about one place only the last one counts, in whatever order the answers come.
	// question(): a promise of the answer. draw(answer): fills the place. keep: what is there stays until then.
	load(place, question, draw, { keep = false, loading = this.loading() } = {}) {
		const asked = {};
		const is_last = () => place.data("lifecycle-asked") === asked;
		place.data("lifecycle-asked", asked);
		if (!keep) place.html(loading);
		const again = () => this.load(place, question, draw, { loading });
		return Promise.resolve(question()).then(
			(answer) => {
				if (!is_last()) return;
				try {
					draw(answer);
				} catch (e) {
					this.failed(
						place,
						{ title: __("This cannot be shown."), text: __("Reload the page.") },
						again
					);
					throw e;
				}
			},
			(xhr) => is_last() && this.failed(place, this.trouble(xhr), again)
		);
	},

	// Nobody waits for the answer to this place's last question any more.
	forget(place) {
		place.removeData("lifecycle-asked");
	},

	failed(place, { title, text, login }, again) {
		place.html(`<div class="lifecycle-banner red lifecycle-failed" role="alert">
				<strong>${this.escape(title)}</strong> ${this.escape(text)}
				<div class="lifecycle-failed-actions">
					<button type="button" class="btn btn-default btn-xs" data-retry="1">${__("Retry")}</button>
					${login ? this.way_in() : ""}
				</div>
			</div>`);
		place.find("[data-retry]").one("click", () => {
			// The button goes, and the keyboard stays.
			place.attr("tabindex", -1).trigger("focus");
			again();
		});
	},

	// What a failed request means: {title, text, login: whether logging in helps}.
	trouble(xhr) {
		const reply = xhr.responseJSON || {};
		const words = this.words_of(reply);
		const guest = (frappe.get_cookie("user_id") || "Guest") === "Guest";
		if (!xhr.status) {
			return !navigator.onLine
				? { title: __("You are offline."), text: __("Try again when you are connected.") }
				: xhr.statusText === "timeout"
				? {
						title: __("The server does not answer."),
						text: __("It may be very busy. Try again later."),
				  }
				: {
						title: __("The server cannot be reached."),
						text: __("Check your connection, and try again."),
				  };
		}
		if (xhr.status === 401 || reply.session_expired || (xhr.status === 403 && guest)) {
			return {
				title: __("Your session is over."),
				text: __("Log in again, here or in another window, and try again."),
				login: true,
			};
		}
		if (xhr.status === 403) {
			return {
				title: __("You are not permitted to see this."),
				text: words || __("Ask your administrator for the right to it."),
			};
		}
		if (reply.exc_type === "CSRFTokenError") {
			return {
				title: __("This page is too old."),
				text: __("You have logged in anew since it was opened. Reload it, and try again."),
			};
		}
		if (xhr.status === 404) {
			return { title: __("This is not there any more."), text: words };
		}
		// What the server refuses for a reason, it says in words.
		if (words && xhr.status < 500) return { title: __("This cannot be done."), text: words };
		return {
			title: __("The server reported an error ({0}).", [xhr.status]),
			text:
				words ||
				__("Try again. If it stays like this, ask your administrator to look at the Error Log."),
		};
	},

	// The messages in a server's reply, as plain text.
	words_of(reply) {
		const plain = (html) => new DOMParser().parseFromString(html, "text/html").body.textContent.trim();
		try {
			return JSON.parse(reply._server_messages || "[]")
				.map((message) => plain(JSON.parse(message).message || ""))
				.filter(Boolean)
				.join(" ");
		} catch (e) {
			// No reply of Frappe's: a proxy's, most likely.
			return "";
		}
	},

	// A dialog of ours. from: where the keyboard goes on afterwards, if not where it is now.
	dialog(options, from) {
		return this.adopt(new frappe.ui.Dialog(options), from);
	},

	// Make a dialog of Frappe's one of ours: it and what is in it have names for who cannot see them, and when it closes
	// the keyboard goes on where it was.
	adopt(dialog, from = document.activeElement) {
		const title = dialog.$wrapper.find(".modal-title");
		if (!title.attr("id")) title.attr("id", frappe.dom.get_unique_id());
		dialog.$wrapper.addClass("lifecycle-dialog").attr("aria-labelledby", title.attr("id"));
		dialog.get_close_btn().attr("aria-label", __("Close"));
		// Of one that is over another one Bootstrap closes the upper, and Frappe, which hears of it later, the other.
		dialog.$wrapper.off("keydown.lifecycle").on("keydown.lifecycle", (e) => {
			if (e.key === "Escape") e.stopPropagation();
		});
		(dialog.fields_list || []).forEach(({ $input, df }) => $input?.attr("aria-label", df.label));
		dialog.$wrapper.one("hidden.bs.modal", () => {
			dialog.$wrapper.removeClass("lifecycle-dialog");
			// Whoever has opened another dialog, or moved on, wants the keyboard there.
			const now = document.activeElement;
			const elsewhere =
				!dialog.$wrapper[0].contains(now) && now?.closest(".modal.show, input, textarea, select");
			if (!elsewhere || elsewhere.contains(from)) this.focus_on(from);
		});
		return dialog;
	},

	// Put the keyboard on an element, or what is in its place now: what has been drawn anew meanwhile looks the same, and a
	// menu that has been closed is opened by something.
	focus_on(element) {
		if (!element || element === document.body) return;
		const is_seen = (it) => it?.isConnected && it.getClientRects().length;
		const alike = () =>
			[...document.querySelectorAll(element.localName)].filter((it) => it.isEqualNode(element));
		const opener = $(element).closest(".dropdown-menu").parent().find('[data-toggle="dropdown"]')[0];
		[element, opener, ...(element.isConnected ? [] : alike())].find(is_seen)?.focus();
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

	// What a message is about: of a row with the DocType and the name of a document.
	reference({ reference_doctype, reference_name }) {
		return reference_name
			? `<span class="text-nowrap">${this.link(reference_doctype, reference_name)}</span>`
			: "";
	},

	number(value) {
		return this.escape(format_number(value || 0, null, 0));
	},

	pill(text, color) {
		return `<span class="indicator-pill ${color} no-indicator-dot">${this.escape(text)}</span>`;
	},

	status(status) {
		return this.pill(this.status_words(status), this.STATUS_COLORS[status] || "gray");
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

	// Of the times of day on a form: they are by the customer's clock. Frappe would say below each that it is by the site's, and
	// then finds no translation of the whole.
	by_no_zone(frm) {
		const zone = frappe.sys_defaults.time_zone;
		for (const field of frm.fields.filter(({ df }) => df.fieldtype === "Time")) {
			const { description } = field.df;
			field.df.description = description === zone ? "" : (description || "").replace(`<br>${zone}`, "");
			field.set_description = frappe.ui.form.ControlInput.prototype.set_description;
			field.set_description();
		}
	},

	// Until when a message waits, in words; nothing of one that does not.
	waits_until({ status, due_at, reason }) {
		if (status !== "Waiting" || !due_at) return "";
		return this.until(frappe.datetime.str_to_user(due_at), reason);
	},

	// What the business holds is only looked at then.
	until(moment, reason) {
		return reason === "On hold"
			? __("looked at again {0}", [moment])
			: __("until {0}", [moment], "Lifecycle");
	},

	// Why a message was not sent, or waits and until when, and what is wrong in the words of whatever has found it.
	why_not(row) {
		const why = [row.reason && this.reason(row.reason), row.error].filter(Boolean).join(": ");
		return [why, this.waits_until(row)].filter(Boolean).join(", ");
	},

	// By what right somebody is written to, where it is known.
	basis({ basis }) {
		if (basis === "Service") return this.escape(__("Service", null, "Lifecycle Campaign"));
		return basis ? this.escape(__(basis)) : "";
	},

	// The document that shows why somebody is not written to, or by what right they are, if there is one.
	evidence({ evidence_doctype, evidence_name }) {
		if (!evidence_doctype) return "";
		// Not for whoever may not read such documents.
		if (!evidence_name) return ` (${this.escape(__(evidence_doctype))})`;
		const label = `${__(evidence_doctype)} ${evidence_name}`;
		return ` (${this.link(evidence_doctype, evidence_name, label)})`;
	},

	// columns: [{label, html(row), numeric}]; html returns what is safe to show.
	table(columns, rows) {
		const head = columns
			.map(
				(c) =>
					`<th scope="col"${c.numeric ? ' class="lifecycle-numeric"' : ""}>${this.escape(
						c.label
					)}</th>`
			)
			.join("");
		// In one piece: on a phone it stands beside its label. A line without a value is left out there.
		const cell = (c, row) => {
			const html = c.html(row);
			const classes = [c.numeric && "lifecycle-numeric", !html && "lifecycle-nothing"].filter(Boolean);
			return `<td data-label="${this.escape(c.label)}" class="${classes.join(" ")}"><div>${
				html || "&nbsp;"
			}</div></td>`;
		};
		const body = rows.map((row) => `<tr>${columns.map((c) => cell(c, row)).join("")}</tr>`).join("");
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

	// Who hears from another campaign too: [{campaign, customers, examples}], see engine/overlap.py. One banner, for there
	// may be many of them.
	overlap_banner(overlaps) {
		if (!overlaps.length) return "";
		const lines = overlaps.map(({ campaign, customers, examples }) =>
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
		);
		return this.banner("orange", "", lines.map((line) => `<div>${this.escape(line)}</div>`).join(""));
	},

	// Triggers that cannot work and were left out: [{trigger, text}], see engine/faults.py.
	broken_banners(broken) {
		return (broken || [])
			.map(({ trigger, text }) =>
				this.banner("red", text, ` ${this.link("Lifecycle Trigger", trigger, __("Open It"))}`)
			)
			.join("");
	},

	// What stands in the way of sending (api.health), in a bar that is not there when nothing does.
	draw_health(wrapper, problems) {
		const html = problems.map((problem) => {
			const open = problem.route
				? ` <a data-route="${this.escape(problem.route)}" href="#">${__("Open It")}</a>`
				: "";
			const bind = problem.may_bind
				? ` <button type="button" class="btn btn-xs btn-default" data-bind>${__(
						"This is the real site: go on sending"
				  )}</button>`
				: "";
			return this.banner(problem.level, problem.text, open + bind);
		});
		wrapper.html(html.join("")).toggle(Boolean(problems.length));
		wrapper.find("[data-bind]").on("click", () =>
			this.call("bind_site", {}, { freeze: true }).then(() =>
				this.draw_health(
					wrapper,
					problems.filter((problem) => !problem.may_bind)
				)
			)
		);
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

	// Show a list as it is now. Frappe asks nothing when it has asked the same within three seconds, whatever was done since.
	read_again(listview) {
		listview.last_args = null;
		return listview.refresh();
	},

	// What a list says as long as there is nothing to list. action: the label of a button below it that does what the
	// list's first button does.
	explain_empty(listview, text, action) {
		const usual = listview.get_no_result_message.bind(listview);
		const button = action
			? `<p><button type="button" class="btn btn-primary btn-sm btn-new-doc">${this.escape(
					action
			  )}</button></p>`
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
		listview.$result.addClass("lifecycle-list").attr("data-list", listview.doctype);
		listview.setup_columns();
		listview.render_header(true);
	},

	// Ask before something happens. yes, no: what the buttons say. html: what is safe to show. from: as of `dialog`.
	confirm(title, html, yes, no, go, from) {
		const options = {
			title: this.escape(title),
			fields: [{ fieldname: "question", fieldtype: "HTML", options: html }],
			primary_action_label: yes,
			primary_action: () => {
				dialog.hide();
				go();
			},
			secondary_action_label: no,
			secondary_action: () => dialog.hide(),
		};
		const dialog = this.dialog(options, from);
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
		return banners + this.overlap_banner(overlaps) + lines.map((line) => `<p>${line}</p>`).join("");
	},

	// Let an Autocomplete field offer these: [{value, label}]. Tab takes the one that is marked, as in newer versions of
	// Frappe: in others a word that was begun and left is thrown away.
	offer(control, options) {
		control.set_data(options);
		if (control.awesomplete) control.awesomplete.tabSelect = true;
	},

	// Show rows only when the filters are there that a link, a number or the last visit has asked for. Frappe asks for the
	// rows at once, and a filter on a link is empty until its title has come: the rows would be those of all.
	heed_filters(listview) {
		const before_refresh = listview.before_refresh.bind(listview);
		const fields = listview.page.fields_dict;
		const is_missing = ([, field, condition, value]) =>
			condition === "=" &&
			fields[field]?.df.fieldtype === "Link" &&
			fields[field].get_value() !== value;
		let of_last_visit = listview.filters;
		listview.before_refresh = async () => {
			const asked = Object.keys(frappe.route_options || {}).length;
			await before_refresh();
			const wanted = asked ? listview.filters : of_last_visit;
			of_last_visit = [];
			const end = Date.now() + this.PATIENCE_WITH_TITLES;
			while (wanted.some(is_missing) && Date.now() < end) {
				await new Promise((done) => setTimeout(done, 50));
			}
		};
	},

	PATIENCE_WITH_TITLES: 3000,

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

// What Frappe says while a dialog of ours is open, such as why the server refused what was typed there, stands over it:
// Escape closes that message, and the dialog below stays with all that was typed, and with the keyboard where it was.
$(document)
	.on("focusin", ".modal.lifecycle-dialog", (e) => $(e.currentTarget).data("lifecycle-focus", e.target))
	.on("shown.bs.modal", ({ target }) => {
		const said = frappe.msg_dialog;
		if (said?.$wrapper[0] !== target || said.$wrapper.hasClass("lifecycle-dialog")) return;
		const below = $(".modal.lifecycle-dialog.show").last();
		if (below.length) marketing_automation.adopt(said, below.data("lifecycle-focus"));
	});

// Older versions of Frappe make a number of whatever has the focus a tenth of a second after a number field had it: who
// tabs on finds the next field empty. On our forms a number field only marks what is in it, as in newer versions.
marketing_automation.make_number_input = frappe.ui.form.ControlInt.prototype.make_input;
frappe.ui.form.ControlInt.prototype.make_input = function () {
	marketing_automation.make_number_input.call(this);
	if (!marketing_automation.OURS.test(this.doctype || "")) return;
	this.$input.off("focus").on("focus", (e) => e.currentTarget.select());
};
