// The controls of a block: its texts in one language or in two beside each other, its choices, and its condition.

const COMPARISONS = {
	number: ["under", "at_most", "equal", "not_equal", "at_least", "over"],
	text: ["equal", "not_equal", "contains", "filled", "empty"],
	date: ["filled", "empty"],
};
const WITHOUT_VALUE = ["filled", "empty"];

export const comparison_words = () => ({
	under: __("is under", null, "Message Design"),
	at_most: __("is at most", null, "Message Design"),
	equal: __("is", null, "Message Design"),
	not_equal: __("is not", null, "Message Design"),
	at_least: __("is at least", null, "Message Design"),
	over: __("is over", null, "Message Design"),
	contains: __("contains", null, "Message Design"),
	filled: __("is known", null, "Message Design"),
	empty: __("is not known", null, "Message Design"),
});

// A condition in words: "Only if days left is under 7".
export function condition_words(editor, only) {
	if (!only) return "";
	const words = comparison_words();
	const tests = (only.if || []).map(({ name, is, value }) =>
		[editor.label_of(name), words[is] || is, WITHOUT_VALUE.includes(is) ? "" : value]
			.filter((part) => part !== "")
			.join(" ")
	);
	const joined = tests.join(` ${only.all ? __("and", null, "Message Design") : __("or", null, "Message Design")} `);
	const languages = (only.languages || []).map((code) => editor.language_label(code)).join(", ");
	return [
		joined && __("Only if {0}", [joined]),
		languages && __("Only in {0}", [languages]),
	]
		.filter(Boolean)
		.join(". ");
}

export function draw_fields(editor, block, place) {
	const kind = editor.state.kinds[block.type];
	for (const field of kind.fields) {
		if (!editor.state.is_asked(block, field)) continue;
		place.append(field.of_language ? text_field(editor, `${block.id}.${field.name}`, field) : choice_field(editor, block, field));
	}
	if (!kind.fixed) place.append(condition(editor, block));
}

// A text of the language that is edited, and beside it that of another one.
export function text_field(editor, key, field) {
	const languages = [editor.language, ...(editor.beside ? [editor.beside] : [])];
	const wrapper = $(`<div class="me-field me-text${languages.length > 1 ? " me-beside" : ""}"></div>`);
	for (const language of languages) wrapper.append(text_control(editor, key, field, language));
	wrapper.append(`<div class="me-problems" data-problems-of="${frappe.utils.escape_html(key)}"></div>`);
	return wrapper;
}

function text_control(editor, key, field, language) {
	const ma = marketing_automation;
	const id = frappe.dom.get_unique_id();
	const label = editor.beside
		? `${field.label} (${editor.language_label(language)})`
		: field.label;
	const many = field.kind === "text" || field.kind === "source";
	const help = field.help ? `<div class="me-help" id="${id}-help">${ma.escape(field.help)}</div>` : "";
	const control = $(`<div class="me-control">
		<label for="${id}">${ma.escape(label)}${field.required ? ' <span class="me-needed" aria-hidden="true">*</span>' : ""}</label>
		${many ? '<div class="me-marks" role="group"></div>' : ""}
		${many ? `<textarea rows="${field.kind === "source" ? 10 : 4}"></textarea>` : '<input type="text">'}
		${help}</div>`);
	const input = control
		.find("textarea, input")
		.addClass("form-control")
		.attr({ id, lang: language, "data-key": key, "data-language": language, spellcheck: field.kind !== "source" })
		.val(editor.state.text(language, key));
	if (editor.language_rtl(language)) input.attr("dir", "rtl");
	if (field.help) input.attr("aria-describedby", `${id}-help`);
	if (field.required) input.attr("aria-required", "true");
	if (!editor.may_write) input.prop("readonly", true);
	input.on("input", () => editor.state.set_text(language, key, input.val()));
	input.on("focus", () => editor.focused(input, field));
	if (many && field.kind === "text") marks(control.find(".me-marks"), input, editor);
	return control;
}

// Buttons that put the marks round what is selected.
function marks(place, input, editor) {
	place.attr("aria-label", __("How the text looks"));
	const round = (before, after = before) => {
		const element = input[0];
		const { selectionStart: start, selectionEnd: end, value } = element;
		const chosen = value.slice(start, end) || __("text", null, "Message Design");
		element.value = value.slice(0, start) + before + chosen + after + value.slice(end);
		element.focus();
		element.setSelectionRange(start + before.length, start + before.length + chosen.length);
		input.trigger("input");
	};
	const list = () => {
		const element = input[0];
		const { selectionStart: start, selectionEnd: end, value } = element;
		const begin = value.lastIndexOf("\n", start - 1) + 1;
		const lines = value.slice(begin, end).split("\n").map((line) => `- ${line.replace(/^- /, "")}`);
		element.value = value.slice(0, begin) + lines.join("\n") + value.slice(end);
		element.focus();
		input.trigger("input");
	};
	const buttons = [
		["B", __("Bold"), () => round("**")],
		["I", __("Italic", null, "Message Design"), () => round("*")],
		["•", __("List", null, "Message Design"), list],
		["↗", __("Link", null, "Message Design"), () => round("[", "](https://)")],
	];
	for (const [sign, label, act] of buttons) {
		$(`<button type="button" class="btn btn-default btn-xs me-mark"></button>`)
			.text(sign)
			.attr({ "aria-label": label, title: label })
			.prop("disabled", !editor.may_write)
			.on("click", act)
			.appendTo(place);
	}
}

function choice_field(editor, block, field) {
	const ma = marketing_automation;
	const id = frappe.dom.get_unique_id();
	const wrapper = $(`<div class="me-field me-control"><label for="${id}">${ma.escape(field.label)}</label></div>`);
	const value = block[field.name];
	const set = (given, redraw) => {
		editor.state.set_value(block.id, field.name, given);
		if (redraw) editor.draw_blocks();
	};
	if (field.kind === "choice") {
		const options = field.options.map(
			([option, label]) =>
				`<option value="${ma.escape(option)}"${option === value ? " selected" : ""}>${ma.escape(label)}</option>`
		);
		$(`<select class="form-control" id="${id}">${options.join("")}</select>`)
			.prop("disabled", !editor.may_write)
			.on("change", (e) => set(e.target.value, true))
			.appendTo(wrapper);
	} else if (field.kind === "picture") {
		draw_picture(editor, block, field, wrapper, id, set);
	} else {
		$(`<input class="form-control" id="${id}">`)
			.attr(field.kind === "number" ? { type: "number", min: field.least, max: field.most } : { type: "text" })
			.val(value)
			.prop("readonly", !editor.may_write)
			.on("input", (e) => set(field.kind === "number" ? Number(e.target.value) : e.target.value))
			.appendTo(wrapper);
	}
	if (field.help) wrapper.append(`<div class="me-help">${ma.escape(field.help)}</div>`);
	return wrapper;
}

// A picture is uploaded as a public file, made fit for mails, and asked for what it shows.
function draw_picture(editor, block, field, wrapper, id, set) {
	const ma = marketing_automation;
	const value = block[field.name];
	if (value) $('<img class="me-picture" alt="">').attr("src", value).appendTo(wrapper);
	$(`<button type="button" class="btn btn-default btn-sm" id="${id}"></button>`)
		.text(value ? __("Choose Another Picture") : __("Choose a Picture"))
		.prop("disabled", !editor.may_write)
		.on("click", () => {
			new frappe.ui.FileUploader({
				allow_multiple: false,
				make_attachments_public: true,
				folder: "Home/Attachments",
				restrictions: { allowed_file_types: ["image/png", "image/jpeg", "image/gif"] },
				on_success: (file) =>
					ma.call("mail_picture", { file_url: file.file_url }, { freeze: true }).then((made) => {
						set(made.file_url, true);
						frappe.show_alert({
							message: __("{0} × {1} pixels, {2} kB.", [made.width, made.height, made.kb]),
							indicator: "green",
						});
						editor.ask_for_alt(block);
					}),
			});
		})
		.appendTo(wrapper);
}

// "Only if days left is under 7", "only in Spanish".
function condition(editor, block) {
	// Never changed in place: it is the design's, and a step remembers what was before it.
	let only = block.only || { all: 1, if: [], languages: [] };
	const wrapper = $('<details class="me-field me-condition"></details>');
	const words = condition_words(editor, block.only);
	const summary = $("<summary></summary>").text(words || __("Shown to everyone. Only for some?")).appendTo(wrapper);
	if (editor.open_conditions.has(block.id)) wrapper.attr("open", "");
	wrapper.on("toggle", () => editor.open_conditions[wrapper[0].open ? "add" : "delete"](block.id));
	// typed: what is typed without a pause is one step.
	const change = (next, redraw = true, typed = null) => {
		only = next;
		editor.state.set_only(block.id, next, typed);
		if (redraw) editor.draw_blocks();
		else summary.text(condition_words(editor, next) || __("Shown to everyone. Only for some?"));
	};
	const with_test = (index, test) => ({ ...only, if: only.if.map((one, i) => (i === index ? test : one)) });
	only.if.forEach((test, index) => {
		const row = $('<div class="me-test"></div>').appendTo(wrapper);
		const kind = editor.kind_of(test.name);
		select(
			row,
			__("What is compared"),
			editor.askable().map(({ name, label }) => [name, label]),
			test.name,
			(name) => change(with_test(index, { name, is: COMPARISONS[editor.kind_of(name)][0], value: "" }))
		);
		const signs = comparison_words();
		select(
			row,
			__("How it is compared"),
			COMPARISONS[kind].map((sign) => [sign, signs[sign]]),
			test.is,
			(is) => change(with_test(index, { ...test, is }))
		);
		if (!WITHOUT_VALUE.includes(test.is)) {
			$('<input class="form-control">')
				.attr({ type: kind === "number" ? "number" : "text", "aria-label": __("What it is compared with") })
				.val(test.value)
				.on("input", (e) => {
					test = { ...test, value: e.target.value };
					change(with_test(index, test), false, `${block.id} only ${index}`);
				})
				.appendTo(row);
		}
		button(row, "×", __("Take this condition out"), () =>
			change({ ...only, if: only.if.filter((_one, i) => i !== index) })
		);
	});
	const add = { name: "days_left", is: "under", value: "7" };
	button(wrapper, __("Add a Condition"), null, () => {
		editor.open_conditions.add(block.id);
		change({ ...only, if: [...only.if, add] });
	});
	if (only.if.length > 1) {
		select(
			wrapper,
			__("Which of them"),
			[
				["1", __("All of them")],
				["0", __("Any of them")],
			],
			String(only.all),
			(all) => change({ ...only, all: Number(all) })
		);
	}
	const codes = Object.keys(editor.state.data.texts);
	if (codes.length > 1) {
		const group = $(`<fieldset class="me-languages"><legend>${__("Only in these languages")}</legend></fieldset>`).appendTo(wrapper);
		for (const code of codes) {
			const box = $(`<label><input type="checkbox"> <span></span></label>`).appendTo(group);
			box.find("span").text(editor.language_label(code));
			box.find("input")
				.prop("checked", only.languages.includes(code))
				.on("change", (e) =>
					change({
						...only,
						languages: e.target.checked
							? [...only.languages, code]
							: only.languages.filter((one) => one !== code),
					})
				);
		}
	}
	if (!editor.may_write) wrapper.find("input, select, button").prop("disabled", true);
	return wrapper;
}

function select(place, label, options, value, act) {
	const ma = marketing_automation;
	const html = options.map(
		([option, words]) =>
			`<option value="${ma.escape(option)}"${option === value ? " selected" : ""}>${ma.escape(words)}</option>`
	);
	return $(`<select class="form-control">${html.join("")}</select>`)
		.attr("aria-label", label)
		.on("change", (e) => act(e.target.value))
		.appendTo(place);
}

function button(place, text, label, act) {
	const made = $('<button type="button" class="btn btn-default btn-xs"></button>').text(text).on("click", act).appendTo(place);
	if (label) made.attr({ "aria-label": label, title: label });
	return made;
}
