// The editor's page: blocks and their fields on one side, the mail as a customer reads it on the other.

import { condition_words, draw_fields, text_field } from "./fields.js";
import { hold_keyboard } from "./keyboard.js";
import { DesignState } from "./state.js";

// So long nobody has typed before the mail is made anew.
const PAUSE = 400;
const RIGHT_TO_LEFT = /^(ar|fa|he|ur|yi|dv|ps|sd|ug|ckb)\b/;

export class MessageEditor {
	constructor(page, name) {
		this.page = page;
		this.name = name;
		this.place = $('<div class="me-page lifecycle-editor"></div>').appendTo(page.main);
		this.open_conditions = new Set();
		this.width = "computer";
		this.scheme = "light";
		this.warn = (e) => {
			if (this.state && !this.state.is_saved()) e.preventDefault();
		};
		this.on_key = (e) => this.key(e);
		window.addEventListener("beforeunload", this.warn);
		// Before Frappe, which would take Ctrl and S for the blue button.
		document.addEventListener("keydown", this.on_key, true);
		this.open();
	}

	close() {
		window.removeEventListener("beforeunload", this.warn);
		document.removeEventListener("keydown", this.on_key, true);
		clearTimeout(this.waiting);
		this.place.remove();
	}

	// Another design takes the page. Returns whether this one is kept: it is closed where nothing would be lost.
	put_away() {
		if (!this.state || this.state.is_saved()) {
			this.close();
			return false;
		}
		this.place.detach();
		frappe.show_alert({
			message: __("{0} is not saved yet. Open it again to go on; until this window is closed nothing is lost.", [
				marketing_automation.escape(this.name).bold(),
			]),
			indicator: "orange",
		});
		return true;
	}

	// The page is shown again, after another design or after another page.
	come_back() {
		if (this.place[0].isConnected) {
			// The brand, or the customer, may be another one by now.
			if (this.state) this.show();
			return;
		}
		this.place.appendTo(this.page.main);
		this.draw();
	}

	open() {
		const ma = marketing_automation;
		return ma.load(this.place, () => ma.ask("design", { name: this.name }), (found) => {
			this.take(found);
			this.draw();
		});
	}

	take(found) {
		this.found = found;
		this.may_write = found.may_write && !found.obstacle;
		this.modified = found.modified;
		// What the server has, as far as is known here.
		this.stored = found.design;
		this.state = new DesignState(found.design, found.blocks);
		this.language = this.language in this.state.data.texts ? this.language : found.main;
		this.state.texts(this.language);
		this.state.saved = this.state.as_json();
		this.state.on_change((what) => this.changed(what));
	}

	// -- words ---------------------------------------------------------------------------------------------------

	language_label(code) {
		return this.found.languages.find(({ value }) => value === code)?.label || code;
	}

	language_rtl(code) {
		return RIGHT_TO_LEFT.test(code);
	}

	label_of(name) {
		return this.found.variables.find((one) => one.name === name)?.label || name;
	}

	kind_of(name) {
		return this.found.variables.find((one) => one.name === name)?.kind || "text";
	}

	// What conditions can ask for.
	askable() {
		return this.found.variables.filter(({ name }) => name !== "days_in_words");
	}

	// -- the page ------------------------------------------------------------------------------------------------

	draw() {
		const ma = marketing_automation;
		this.page.set_title(__("Message Editor"));
		this.place.html(`
			<h2 class="me-name-of-design">${ma.escape(this.name)}</h2>
			<div class="me-bar" role="toolbar" aria-label="${__("Editor")}"></div>
			<div class="me-said" aria-live="polite"></div>
			<div class="me-columns">
				<section class="me-edit" aria-label="${__("Blocks")}">
					<div class="me-head"></div>
					<ol class="me-blocks" data-list="" aria-label="${__("Blocks")}"></ol>
					<div class="me-palette"></div>
				</section>
				<section class="me-show" aria-label="${__("As the customer reads it")}">
					<div class="me-show-bar"></div>
					<div class="me-show-head"></div>
					<ul class="me-trouble"></ul>
					<div class="me-frame"></div>
				</section>
			</div>`);
		if (this.found.obstacle) this.place.find(".me-said").html(ma.banner("orange", this.found.obstacle));
		this.draw_bar();
		this.draw_head();
		this.draw_palette();
		this.draw_blocks();
		this.draw_show_bar();
		this.buttons();
		this.show();
	}

	buttons() {
		const { page } = this;
		page.clear_actions();
		page.clear_menu();
		if (this.may_write) {
			page.set_primary_action(__("Put to Use"), () => this.publish());
			page.set_secondary_action(__("Save"), () => this.save());
		}
		if (this.may_write) page.add_menu_item(__("Send a Test"), () => this.test());
		page.add_menu_item(__("Versions"), () => this.versions());
		page.add_menu_item(__("Message Design"), () => frappe.set_route("Form", "Lifecycle Message Design", this.name));
		// Where the colours and the logo come from.
		if (frappe.model.can_read("Lifecycle Brand")) {
			page.add_menu_item(__("Lifecycle Brand"), () => {
				const brand = this.shown?.brand;
				if (brand) frappe.set_route("Form", "Lifecycle Brand", brand);
				else if (frappe.model.can_create("Lifecycle Brand")) frappe.new_doc("Lifecycle Brand");
				else frappe.set_route("List", "Lifecycle Brand");
			});
		}
		if (this.found.campaign) {
			page.add_menu_item(__("Campaign"), () =>
				frappe.set_route("Form", "Lifecycle Campaign", this.found.campaign)
			);
		}
		this.indicate();
	}

	indicate() {
		const { page, found } = this;
		if (!this.state.is_saved()) page.set_indicator(__("Not Saved"), "orange");
		else if (!found.version) page.set_indicator(__("Not in use yet"), "gray");
		else if (found.is_changed) page.set_indicator(__("Saved, not in use yet"), "blue");
		else page.set_indicator(__("In use"), "green");
	}

	// Languages, undo.
	draw_bar() {
		const ma = marketing_automation;
		const bar = this.place.find(".me-bar").empty();
		const codes = Object.keys(this.state.data.texts);
		const tabs = $(`<div class="me-tabs" role="group" aria-label="${__("Language")}"></div>`).appendTo(bar);
		for (const code of codes) {
			const missing = this.state.missing(code).length;
			$('<button type="button" class="btn btn-sm"></button>')
				.addClass(code === this.language ? "btn-primary" : "btn-default")
				.attr({ "data-tab": code, "aria-pressed": String(code === this.language) })
				.html(
					`${ma.escape(this.language_label(code))}${
						missing ? ` <span class="me-missing" title="${__("{0} texts are missing.", [missing])}">${missing}</span>` : ""
					}`
				)
				.on("click", () => this.choose_language(code))
				.appendTo(tabs);
		}
		if (this.may_write) this.small(tabs, "+", __("Add a Language"), () => this.add_language(), "data-add-language");
		if (codes.length > 1 && this.may_write) {
			const label = __("Take {0} out", [this.language_label(this.language)]);
			this.small(tabs, "−", label, () => this.remove_language(), "data-remove-language");
		}
		if (codes.length > 1) {
			const id = frappe.dom.get_unique_id();
			const others = [["", __("One language")], ...codes.filter((code) => code !== this.language).map((code) => [code, __("Beside {0}", [this.language_label(code)])])];
			$(`<label class="sr-only" for="${id}">${__("Languages beside each other")}</label>`).appendTo(bar);
			$(`<select class="form-control input-sm me-beside-select" id="${id}">${others
				.map(([code, label]) => `<option value="${ma.escape(code)}"${code === (this.beside || "") ? " selected" : ""}>${ma.escape(label)}</option>`)
				.join("")}</select>`)
				.on("change", (e) => {
					this.beside = e.target.value || null;
					this.draw_head();
					this.draw_blocks();
				})
				.appendTo(bar);
		}
		const history = $('<div class="me-history"></div>').appendTo(bar);
		this.small(history, "↶", __("Undo"), () => this.undo(), "data-undo").prop("disabled", !this.state.done.length);
		this.small(history, "↷", __("Redo"), () => this.redo(), "data-redo").prop("disabled", !this.state.undone.length);
		const views = $(`<div class="me-views" role="group" aria-label="${__("View", null, "Message Design")}"></div>`).appendTo(bar);
		for (const [view, label] of [
			["edit", __("Write", null, "Message Design")],
			["show", __("Look", null, "Message Design")],
		]) {
			this.small(views, label, null, () => this.place.attr("data-view", view), "data-view-button");
		}
	}

	small(place, text, label, act, data = "") {
		const made = $(`<button type="button" class="btn btn-default btn-sm" ${data}></button>`).text(text).on("click", act).appendTo(place);
		if (label) made.attr({ "aria-label": label, title: label });
		return made;
	}

	choose_language(code) {
		this.language = code;
		if (this.beside === code) this.beside = null;
		this.redraw();
		this.show();
	}

	add_language() {
		const known = Object.keys(this.state.data.texts);
		const dialog = marketing_automation.dialog({
			title: __("Add a Language"),
			fields: [
				{
					fieldname: "language",
					fieldtype: "Select",
					label: __("Language"),
					reqd: 1,
					options: this.found.languages.filter(({ value }) => !known.includes(value)),
				},
				{
					fieldname: "copy",
					fieldtype: "Check",
					label: __("Copy the texts of {0}, to be translated", [this.language_label(this.language)]),
					default: 1,
				},
			],
			primary_action_label: __("Add", null, "Message Design"),
			primary_action: ({ language, copy }) => {
				dialog.hide();
				const from = this.language;
				this.state.add_language(language, copy ? from : null);
				this.language = language;
				this.beside = from;
				this.redraw();
				this.show();
			},
		});
		dialog.show();
	}

	remove_language() {
		const gone = this.language;
		this.state.remove_language(gone);
		this.opened = null;
		this.after_history();
		this.show();
		this.say(__("Taken out: {0}. Undo brings it back.", [this.language_label(gone)]));
		this.place.find(`[data-tab="${CSS.escape(this.language)}"]`).trigger("focus");
	}

	undo() {
		if (this.state.undo()) this.after_history();
	}

	redo() {
		if (this.state.redo()) this.after_history();
	}

	after_history() {
		const { texts } = this.state.data;
		if (!(this.language in texts)) [this.language] = Object.keys(texts);
		// To write into a language that is gone would bring it back.
		if (!(this.beside in texts) || this.beside === this.language) this.beside = null;
		this.redraw();
	}

	redraw() {
		hold_keyboard(this.place, () => {
			this.draw_bar();
			this.draw_head();
			this.draw_blocks();
		});
	}

	// Subject and preview text.
	draw_head() {
		const head = this.place.find(".me-head").empty();
		const by_hand = this.state.text(this.language, "subject_source");
		head.append(
			text_field(this, by_hand ? "subject_source" : "subject", { name: "subject", label: __("Subject"), kind: "line", required: true })
		);
		head.append(
			text_field(this, "preheader", {
				name: "preheader",
				label: __("Preview Text"),
				kind: "line",
				help: __("What an inbox shows behind the subject."),
			})
		);
	}

	draw_palette() {
		const palette = this.place.find(".me-palette").empty();
		if (!this.may_write) return;
		$(`<h3 class="me-title">${__("Add a Block")}</h3>`).appendTo(palette);
		const list = $('<div class="me-kinds"></div>').appendTo(palette);
		for (const kind of this.found.blocks.filter((one) => one.offered && !one.fixed)) {
			$('<button type="button" class="btn btn-default btn-sm" data-add></button>')
				.attr("data-add", kind.type)
				.text(`+ ${kind.label}`)
				.on("click", () => this.add(kind.type))
				.appendTo(list);
		}
	}

	// Behind the block that is open, or at the end.
	add(type, texts = {}) {
		const open = this.opened && this.state.find(this.opened);
		const into_columns = open && !this.state.data.blocks.includes(open.block) && this.state.kinds[type].columns;
		const id = this.state.add(type, this.language, { after: into_columns ? null : this.opened, texts });
		this.open_block(id);
		this.say(__("Added: {0}", [this.state.kinds[type].label]));
		return id;
	}

	say(text) {
		this.place.find(".me-said").text(text);
	}

	// -- blocks --------------------------------------------------------------------------------------------------

	draw_blocks() {
		const scroll = this.place.find(".me-edit").scrollTop();
		hold_keyboard(this.place, () =>
			this.draw_list(this.place.find(".me-blocks").first(), "", this.state.data.blocks)
		);
		this.place.find(".me-edit").scrollTop(scroll);
		this.draw_problems();
	}

	draw_list(place, name, blocks) {
		place.empty().attr("data-list", name);
		for (const block of blocks) place.append(this.draw_block(block));
		if (!this.may_write || !window.Sortable) return;
		window.Sortable.create(place[0], {
			group: "me-blocks",
			handle: ".me-handle",
			draggable: "li[data-block]:not(.me-fixed)",
			animation: 120,
			onEnd: ({ item, to, newDraggableIndex }) => {
				this.state.move(item.dataset.block, to.dataset.list, newDraggableIndex);
				this.draw_blocks();
			},
		});
	}

	draw_block(block) {
		const ma = marketing_automation;
		const kind = this.state.kinds[block.type];
		const is_open = this.opened === block.id;
		const only = condition_words(this, block.only);
		const item = $(`<li class="me-block" data-block="${ma.escape(block.id)}"></li>`).toggleClass("me-fixed", kind.fixed).toggleClass("me-open", is_open);
		const row = $('<div class="me-row"></div>').appendTo(item);
		if (!kind.fixed && this.may_write) $('<span class="me-handle" aria-hidden="true">⋮⋮</span>').appendTo(row);
		$(`<button type="button" class="me-name" data-open aria-expanded="${is_open}"></button>`)
			.html(
				`<strong>${ma.escape(kind.label)}</strong> <span class="me-excerpt">${ma.escape(this.excerpt(block))}</span>${
					only ? ` <span class="me-only">${ma.escape(only)}</span>` : ""
				}`
			)
			.on("click", () => this.open_block(is_open ? null : block.id))
			.appendTo(row);
		if (!kind.fixed && this.may_write) {
			const tools = $('<span class="me-tools"></span>').appendTo(row);
			this.tool(tools, "↑", __("Move {0} up", [kind.label]), () => this.shift(block.id, -1));
			this.tool(tools, "↓", __("Move {0} down", [kind.label]), () => this.shift(block.id, 1));
			for (const [sign, by, label] of [
				["←", -1, __("Move {0} out of this column", [kind.label])],
				["→", 1, __("Move {0} into the next column", [kind.label])],
			]) {
				if (this.state.beside(block.id, by)) this.tool(tools, sign, label, () => this.step_aside(block.id, by));
			}
			this.tool(tools, "⧉", __("Duplicate {0}", [kind.label]), () => this.open_block(this.state.duplicate(block.id)));
			this.tool(tools, "×", __("Take {0} out", [kind.label]), () => this.remove(block.id));
		}
		item.append(`<div class="me-problems" data-problems-of-block="${ma.escape(block.id)}"></div>`);
		if (is_open) {
			const fields = $('<div class="me-fields"></div>').appendTo(item);
			draw_fields(this, block, fields);
			this.draw_words(fields);
		}
		this.state.columns_of(block).forEach((column, index) => {
			const list = $(`<ol class="me-blocks me-column" aria-label="${__("Column {0}", [index + 1])}"></ol>`).appendTo(item);
			this.draw_list(list, `${block.id}:${index}`, column);
			if (this.may_write && is_open) {
				const add = $('<div class="me-kinds"></div>').appendTo(item);
				for (const type of ["heading", "text", "button", "picture"].filter((one) => this.state.kinds[one])) {
					this.small(add, `+ ${this.state.kinds[type].label}`, __("Add {0} to column {1}", [this.state.kinds[type].label, index + 1]), () =>
						this.open_block(this.state.add(type, this.language, { list: `${block.id}:${index}` }))
					);
				}
			}
		});
		return item;
	}

	tool(place, sign, label, act) {
		return $('<button type="button" class="btn btn-xs me-tool"></button>').text(sign).attr({ "aria-label": label, title: label }).on("click", act).appendTo(place);
	}

	excerpt(block) {
		const kind = this.state.kinds[block.type];
		const field = kind.fields.find((one) => one.of_language && this.state.text(this.language, `${block.id}.${one.name}`));
		const text = field ? this.state.text(this.language, `${block.id}.${field.name}`) : "";
		return text.replace(/\s+/g, " ").replace(/\*\*/g, "").slice(0, 60);
	}

	open_block(id) {
		this.opened = id;
		this.draw_blocks();
		if (!id) return;
		const item = this.place.find(`li[data-block="${CSS.escape(id)}"]`);
		const first = item.find("> .me-fields").find("textarea, input, select, button").first();
		(first.length ? first : item.find("[data-open]").first()).trigger("focus");
		item[0]?.scrollIntoView({ block: "nearest" });
	}

	shift(id, by) {
		if (!this.state.shift(id, by)) return;
		this.draw_blocks();
		const label = by < 0 ? 0 : 1;
		this.place.find(`li[data-block="${CSS.escape(id)}"] > .me-row .me-tool`).eq(label).trigger("focus");
	}

	// Into the next column, or out of this one; the keyboard goes with it.
	step_aside(id, by) {
		const target = this.state.beside(id, by);
		if (!target || !this.state.move(id, ...target)) return;
		this.draw_blocks();
		this.place.find(`li[data-block="${CSS.escape(id)}"] > .me-row [data-open]`).trigger("focus");
	}

	remove(id) {
		const { block } = this.state.find(id);
		const index = this.place.find(".me-edit li[data-block]").index(
			this.place.find(`li[data-block="${CSS.escape(id)}"]`)
		);
		if (!this.state.remove(id)) return;
		if (this.opened === id) this.opened = null;
		this.draw_blocks();
		// The keyboard goes on with what stands there now.
		const names = this.place.find(".me-edit .me-name");
		names.eq(Math.min(index, names.length - 1)).trigger("focus");
		this.say(__("Taken out: {0}. Undo brings it back.", [this.state.kinds[block.type].label]));
	}

	// What can be filled in: a click puts it where somebody types.
	draw_words(place) {
		const ma = marketing_automation;
		const words = $(`<div class="me-words" role="group" aria-label="${__("Fill in")}"><span>${__("Fill in:")}</span></div>`).appendTo(place);
		for (const { name, label, example } of this.found.variables) {
			$('<button type="button" class="btn btn-default btn-xs"></button>')
				.attr({ "data-word": name, title: __("For example: {0}", [example]) })
				.text(label)
				.prop("disabled", !this.may_write)
				// The field keeps the keyboard.
				.on("mousedown", (e) => e.preventDefault())
				.on("click", () => this.fill_in(name))
				.appendTo(words);
		}
		return ma;
	}

	focused(input) {
		this.last = input;
	}

	fill_in(name) {
		const input = this.last?.[0]?.isConnected ? this.last : this.place.find(".me-open [data-key]").first();
		const element = input[0];
		if (!element) return;
		const { selectionStart: start, selectionEnd: end, value } = element;
		const tag = `{{ ${name} }}`;
		element.value = value.slice(0, start) + tag + value.slice(end);
		element.focus();
		element.setSelectionRange(start + tag.length, start + tag.length);
		input.trigger("input");
	}

	ask_for_alt(block) {
		this.open_block(block.id);
		this.place.find(`[data-key="${CSS.escape(block.id)}.alt"]`).first().trigger("focus");
	}

	// -- the mail ------------------------------------------------------------------------------------------------

	changed() {
		this.indicate();
		this.place.find("[data-undo]").prop("disabled", !this.state.done.length);
		this.place.find("[data-redo]").prop("disabled", !this.state.undone.length);
		clearTimeout(this.waiting);
		this.waiting = setTimeout(() => this.show(), PAUSE);
	}

	draw_show_bar() {
		const bar = this.place.find(".me-show-bar").empty();
		const group = (label, options, chosen, act) => {
			const place = $(`<div role="group" aria-label="${label}"></div>`).appendTo(bar);
			for (const [value, words] of options) {
				this.small(place, words, null, () => {
					act(value);
					place.find("button").each((_i, one) => $(one).attr("aria-pressed", String(one.dataset.value === value)).toggleClass("btn-primary", one.dataset.value === value));
					this.draw_mail();
				})
					.attr({ "data-value": value, "aria-pressed": String(value === chosen) })
					.toggleClass("btn-primary", value === chosen);
			}
		};
		group(
			__("Shown on"),
			[
				["computer", __("A computer")],
				["phone", __("A phone")],
				["text", __("Plain text")],
			],
			this.width,
			(value) => (this.width = value)
		);
		group(
			__("Light or dark"),
			[
				["light", __("Light", null, "Message Design")],
				["dark", __("Dark", null, "Message Design")],
			],
			this.scheme,
			(value) => (this.scheme = value)
		);
		this.about = $('<div class="me-about"></div>').appendTo(bar);
	}

	show() {
		const ma = marketing_automation;
		if (this.found.obstacle) return;
		const args = {
			name: this.name,
			design: this.state.data,
			language: this.language,
			reference_name: this.reference_name || null,
		};
		const asked = { language: this.language, texts: { ...this.state.data.texts[this.language] } };
		ma.load(
			this.place.find(".me-frame"),
			() => ma.ask("show_design", args, "POST"),
			(shown) => {
				this.shown = shown;
				this.asked = asked;
				this.draw_about();
				this.draw_mail();
				this.draw_problems();
				this.draw_missing();
			},
			{ keep: true }
		);
	}

	// Which customer's.
	draw_about() {
		const { reference_doctype, reference_name } = this.shown;
		if (!reference_doctype || this.about.data("doctype") === reference_doctype) return;
		this.about.data("doctype", reference_doctype).empty();
		const control = frappe.ui.form.make_control({
			parent: this.about,
			df: {
				fieldtype: "Link",
				fieldname: "reference_name",
				options: reference_doctype,
				label: __("As about"),
				placeholder: __("As about"),
				only_select: !frappe.model.can_read(reference_doctype),
				ignore_link_validation: true,
				change: () => {
					const value = control.get_value() || null;
					if (value === this.reference_name) return;
					this.reference_name = value;
					this.show();
				},
			},
			render_input: true,
		});
		control.$input?.attr("aria-label", __("As about"));
		this.reference_name = reference_name;
		control.set_value(reference_name);
	}

	draw_mail() {
		const ma = marketing_automation;
		const { shown } = this;
		if (!shown) return;
		const frame = this.place.find(".me-frame");
		const head = this.place.find(".me-show-head").empty();
		if (shown.subject) {
			head.html(`<div><span class="text-muted">${__("Subject")}</span> <strong>${ma.escape(shown.subject)}</strong></div>
				${shown.customer ? `<div class="text-muted">${__("For {0}", [ma.escape(shown.customer)])}</div>` : `<div class="text-muted">${__("With made-up values: there is no customer yet that it takes.")}</div>`}`);
		}
		if (!shown.html) {
			frame.html(ma.empty(__("The mail cannot be shown yet. Mend what is marked.")));
			return;
		}
		if (this.width === "text") {
			frame.html($("<pre></pre>").text(shown.text));
			return;
		}
		const old = frame.find("iframe");
		const top = old[0]?.contentWindow?.scrollY || 0;
		// No script runs in it; it is of our origin so that a click on a block opens it.
		const iframe = $('<iframe sandbox="allow-same-origin" referrerpolicy="no-referrer"></iframe>').attr({
			title: __("Message"),
			class: `me-${this.width}`,
			srcdoc: this.in_scheme(shown.html),
		});
		iframe.on("load", () => {
			const page = iframe[0].contentDocument;
			iframe.height(Math.max(300, page.documentElement.scrollHeight + 4));
			iframe[0].contentWindow.scrollTo(0, top);
			page.addEventListener("click", (e) => {
				e.preventDefault();
				const block = e.target.closest('[class*="ma-block-"]');
				const id = /ma-block-([A-Za-z0-9]+)/.exec(block?.className || "")?.[1];
				if (id && this.state.find(id)) this.open_block(id);
			});
		});
		frame.empty().append(iframe);
	}

	// The mail in light or in dark, whatever the screen is.
	in_scheme(html) {
		const media = this.scheme === "dark" ? "@media all" : "@media not all";
		return html.replace(/@media \(prefers-color-scheme: ?dark\)/g, media);
	}

	// What is worth mending, where it is and in a list.
	draw_problems() {
		const ma = marketing_automation;
		// Those of another language are said where that one is written.
		const problems = this.asked?.language === this.language ? this.shown.problems : [];
		this.place.find(".me-problems").empty();
		const list = this.place.find(".me-trouble").empty();
		for (const problem of problems) {
			const item = () => {
				const made = $(`<div class="me-problem me-${problem.level}"></div>`).text(problem.text);
				if (problem.mend && this.may_write) {
					this.small(made, problem.mend.label, null, () => this.mend(problem), "data-mend").addClass("btn-xs");
				}
				return made;
			};
			const place = problem.key
				? this.place.find(`[data-problems-of="${CSS.escape(problem.key)}"]`)
				: problem.block
				? this.place.find(`[data-problems-of-block="${CSS.escape(problem.block)}"]`)
				: $();
			if (place.length) place.append(item());
			else if (problem.block) {
				this.place.find(`[data-problems-of-block="${CSS.escape(problem.block)}"]`).append(item());
			}
			const line = $("<li></li>").append(item()).appendTo(list);
			if (problem.block && this.state.find(problem.block)) {
				this.small(line.find(".me-problem"), __("Show", null, "Message Design"), null, () => this.open_block(problem.block), "data-show").addClass("btn-xs");
			}
		}
		return ma;
	}

	draw_missing() {
		const now = document.activeElement;
		// Whoever is in a tab stays there.
		if (!now?.closest?.(".me-bar")) this.draw_bar();
	}

	// What is offered was worked out from the texts as they were when the mail was made.
	is_of_now(keys) {
		const text = (key) => this.state.text(this.language, key);
		return this.asked.language === this.language && keys.every((key) => text(key) === (this.asked.texts[key] || ""));
	}

	mend({ mend, block, key }) {
		if (!this.is_of_now(mend.texts ? Object.keys(mend.texts) : mend.copy ? [key] : [])) {
			this.say(__("The text is another one by now. It is looked at anew."));
			this.show();
			return;
		}
		if (mend.texts) this.state.set_texts(this.language, mend.texts);
		else if (mend.value) this.state.set_value(...mend.value);
		else if (mend.copy) this.state.set_text(this.language, key, this.state.text(mend.language, mend.copy));
		else if (mend.add) {
			this.opened = null;
			this.add(mend.add.type, mend.add.texts);
			return;
		}
		if (block) this.opened = block;
		this.draw_head();
		this.draw_blocks();
	}

	// -- keys ----------------------------------------------------------------------------------------------------

	// Wherever the keyboard is, as long as the editor is seen and no dialog is over it.
	key(e) {
		if (!this.state || !this.place.is(":visible") || document.querySelector(".modal.show")) return;
		const command = e.ctrlKey || e.metaKey;
		const key = e.key.toLowerCase();
		const id = e.target.closest?.("li[data-block]")?.dataset.block;
		const acts = {
			z: () => (e.shiftKey ? this.redo() : this.undo()),
			y: () => this.redo(),
			s: () => this.may_write && this.save(),
		};
		let act = command && !e.altKey ? acts[key] : null;
		// In a field they are the browser's: they go by words, or open a list.
		if (e.altKey && id && this.may_write && !e.target.matches("input, textarea, select")) {
			if (e.key === "ArrowUp") act = () => this.shift(id, -1);
			if (e.key === "ArrowDown") act = () => this.shift(id, 1);
			if (e.key === "ArrowLeft") act = () => this.step_aside(id, -1);
			if (e.key === "ArrowRight") act = () => this.step_aside(id, 1);
		}
		if (!act) return;
		e.preventDefault();
		e.stopImmediatePropagation();
		act();
	}

	// -- storing -------------------------------------------------------------------------------------------------

	// A promise. A second one, by Ctrl+S while the first one runs, is the first one: it would come too late for its `modified`.
	save() {
		if (this.saving) return this.saving;
		const ma = marketing_automation;
		const design = this.state.as_json();
		const args = { name: this.name, design, modified: this.modified };
		const mended = (xhr, again, give_up) => this.meet(xhr, args, again, give_up);
		this.saving = ma
			.call("save_design", args, { freeze: true, mended })
			.then((done) => {
				this.modified = done.modified;
				this.found.is_changed = done.is_changed;
				this.stored = JSON.parse(design);
				this.state.saved = design;
				this.indicate();
				this.say(__("Saved. Customers get it when it is put to use."));
			})
			.always(() => (this.saving = null));
		return this.saving;
	}

	// Where the design was stored by another window since, ask whose counts; returns whether that is what went wrong.
	meet(xhr, args, again, give_up) {
		if (!this.is_conflict(xhr)) return false;
		const ma = marketing_automation;
		const write_over = (found) => {
			args.modified = this.modified = found.modified;
			again();
		};
		ma.call("design", { name: this.name }).then((found) => {
			// Its form was saved, say with another company: nobody has written anything else.
			if (frappe.utils.deep_equal(found.design, this.stored)) write_over(found);
			else this.whose(found, () => write_over(found), give_up);
		}, give_up);
		return true;
	}

	is_conflict(xhr) {
		return xhr.responseJSON?.exc_type === "TimestampMismatchError";
	}

	whose(found, write_over, give_up) {
		const ma = marketing_automation;
		const answer = (act) => {
			dialog.onhide = null;
			dialog.hide();
			act();
		};
		const dialog = ma.dialog({
			title: __("Saved by Somebody Else"),
			fields: [
				{
					fieldname: "why",
					fieldtype: "HTML",
					options: `<p>${__("Since you opened this design somebody else, or you in another window, has saved it with other blocks or texts.")}</p>`,
				},
			],
			primary_action_label: __("Save Mine over It"),
			primary_action: () => answer(write_over),
			secondary_action_label: __("Load Theirs"),
			secondary_action: () =>
				answer(() => {
					this.load_theirs(found);
					give_up();
				}),
		});
		dialog.onhide = give_up;
		dialog.show();
	}

	// What was written here is one step back.
	load_theirs(found) {
		Object.assign(this.found, found);
		this.modified = found.modified;
		this.stored = found.design;
		this.state.step((data) => Object.assign(data, structuredClone(found.design)));
		this.state.saved = this.state.as_json();
		this.opened = null;
		this.after_history();
		this.indicate();
		this.say(__("Theirs is loaded. Undo brings yours back."));
	}

	// Save, say what changes for whom, ask, and write it into the Email Templates.
	publish() {
		const ma = marketing_automation;
		return $.when(this.state.is_saved() ? null : this.save())
			.then(() => ma.call("design_changes", { name: this.name }))
			.then((found) => {
				const is_copied = Object.keys(found.copied).length;
				const first = !is_copied && !this.found.version && !found.by_hand.length && !found.live.length;
				if (first) return this.write([]);
				return this.ask(found);
			});
	}

	ask({ changes, live, by_hand, copied }) {
		const ma = marketing_automation;
		const not_translated = Object.entries(copied).map(([code, number]) =>
			__("{0}: {1} texts", [this.language_label(code), number])
		);
		const list = (lines) => `<ul>${lines.map((line) => `<li>${ma.escape(line)}</li>`).join("")}</ul>`;
		const dialog = ma.dialog({
			title: __("Put to Use"),
			fields: [
				{
					fieldname: "what",
					fieldtype: "HTML",
					options: `<div class="lifecycle-why">
						${live.length ? `<p>${__("Customers of these campaigns get it from now on:")}</p>${list(live)}` : `<p>${__("No active campaign sends it yet.")}</p>`}
						${changes.length ? `<p>${__("What changes:")}</p>${list(changes)}` : ""}
						${not_translated.length ? ma.banner("orange", __("These texts are still those of another language:")) + list(not_translated) : ""}
						${by_hand.length ? ma.banner("orange", __("These Email Templates were changed by hand since. What stands there is kept in the version, and is not sent any more:")) + list(by_hand) : ""}
					</div>`,
				},
				...(by_hand.length
					? [{ fieldname: "overwrite", fieldtype: "Check", label: __("Write over what was changed by hand") }]
					: []),
			],
			primary_action_label: __("Put to Use"),
			primary_action: ({ overwrite }) => {
				if (by_hand.length && !overwrite) {
					frappe.show_alert({ message: __("Tick that it may be written over, or close this and leave it."), indicator: "orange" });
					return;
				}
				dialog.hide();
				this.write(by_hand);
			},
		});
		dialog.show();
	}

	write(overwrite) {
		const ma = marketing_automation;
		// What would be put to use is not what was seen here: whose counts is asked by a save.
		const mended = (xhr, _again, give_up) => {
			if (!this.is_conflict(xhr)) return false;
			give_up();
			this.state.saved = null;
			this.publish();
			return true;
		};
		const args = { name: this.name, modified: this.modified, overwrite };
		return ma.call("publish_design", args, { freeze: true, mended }).then((done) => {
			this.modified = done.modified;
			Object.assign(this.found, { version: done.version, is_changed: 0 });
			this.indicate();
			const left = Object.keys(done.missing).map((code) => this.language_label(code));
			this.say(
				left.length
					? __("In use: version {0}. Left as they were, for texts are missing: {1}.", [done.version, left.join(", ")])
					: __("In use: version {0}.", [done.version])
			);
			frappe.show_alert({ message: __("In use: version {0}.", [done.version]), indicator: "green" });
		});
	}

	test() {
		const ma = marketing_automation;
		const codes = Object.keys(this.state.data.texts);
		const dialog = ma.dialog({
			title: __("Send a Test"),
			fields: [
				{
					fieldname: "addresses",
					fieldtype: "Small Text",
					label: __("To These Colleagues"),
					description: __("E-mail addresses of users of this site, with commas between them."),
					default: this.found.colleague || "",
					reqd: 1,
				},
				...codes.map((code) => ({
					fieldname: `language_${code}`,
					fieldtype: "Check",
					label: __("In {0}", [this.language_label(code)]),
					default: code === this.language ? 1 : 0,
				})),
				{ fieldname: "said", fieldtype: "HTML" },
			],
			primary_action_label: __("Send", null, "Message Design"),
			primary_action: (values) => {
				const args = {
					name: this.name,
					design: this.state.as_json(),
					languages: codes.filter((code) => values[`language_${code}`]),
					addresses: values.addresses.split(/[\s,;]+/).filter(Boolean),
					reference_name: this.reference_name || "",
				};
				if (!args.languages.length) args.languages = [this.language];
				const place = dialog.fields_dict.said.$wrapper;
				ma.load(place, () => ma.ask("test_design", args, "POST"), (addresses) =>
					place.html(ma.banner("green", __("Tests are on their way to {0}.", [addresses.join(", ")])))
				);
			},
		});
		dialog.show();
	}

	// What there was, to be looked at and brought back.
	versions() {
		const ma = marketing_automation;
		const dialog = ma.dialog({ title: __("Versions"), size: "large", fields: [{ fieldname: "list", fieldtype: "HTML" }] });
		dialog.show();
		const place = dialog.fields_dict.list.$wrapper;
		ma.load(place, () => ma.ask("design_versions", { name: this.name }), (versions) => {
			if (!versions.length) {
				place.html(ma.empty(__("It was not put to use yet.")));
				return;
			}
			place.html(
				ma.table(
					[
						{ label: __("Version"), numeric: true, html: (row) => ma.number(row.version) },
						{ label: __("In Use Since"), html: (row) => ma.escape(frappe.datetime.str_to_user(row.made_at)) },
						{ label: __("By", null, "Message Design"), html: (row) => ma.escape(row.made_by) },
						{ label: __("What Changed"), html: (row) => ma.escape(row.changes || "").replace(/\n/g, "<br>") },
						{
							label: " ",
							html: (row) =>
								`<button type="button" class="btn btn-default btn-xs" data-version="${ma.escape(row.name)}">${__("Look at It")}</button>`,
						},
					],
					versions
				) + '<div class="me-version"></div>'
			);
			place.find("[data-version]").on("click", (e) => this.version(e.currentTarget.dataset.version, place.find(".me-version"), dialog));
		});
	}

	version(name, place, dialog) {
		const ma = marketing_automation;
		ma.load(place, () => ma.ask("design_version", { version: name }), (found) => {
			place.empty();
			const draw = (title, mail) => {
				$("<h4></h4>").text(`${title}: ${mail.subject}`).appendTo(place);
				$('<iframe sandbox="" referrerpolicy="no-referrer" class="me-old"></iframe>').attr({ title: __("Version {0}", [found.version]), srcdoc: mail.html }).appendTo(place);
			};
			for (const [language, mail] of Object.entries(found.written)) draw(this.language_label(language), mail);
			for (const [template, mail] of Object.entries(found.by_hand)) draw(__("Changed by hand before, in {0}", [template]), mail);
			if (!this.may_write) return;
			$(`<p><button type="button" class="btn btn-default btn-sm" data-back>${__("Go on from This Version")}</button></p>`)
				.appendTo(place)
				.on("click", () => {
					dialog.hide();
					this.state.step((data) => Object.assign(data, structuredClone(found.design)));
					this.opened = null;
					this.after_history();
				});
		});
	}
}
