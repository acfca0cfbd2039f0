// A design while it is edited, without a browser: public/js/message_editor/state.js is asked itself.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");

const SOURCE = path.join(__dirname, "../../../marketing_automation/public/js/message_editor/state.js");

const line = (name, more = {}) => ({ name, of_language: true, options: [], ...more });
const KINDS = [
	{ type: "text", fields: [line("text", { required: true })] },
	{ type: "columns", columns: 3, fields: [{ name: "shares", default: "", options: [["1:1"], ["1:1:1"]] }] },
	{ type: "foot", fixed: true, fields: [line("text")] },
];

const TWO_TEXTS = {
	blocks: [
		{ id: "c", type: "columns", shares: "1:1", columns: [[{ id: "a", type: "text" }, { id: "b", type: "text" }], []] },
		{ id: "foot1", type: "foot" },
	],
	texts: { en: { subject: "Hello", "a.text": "One", "b.text": "Two" }, es: { "a.text": "Uno", "b.text": "Dos" } },
};

// The state of a design. A page takes the file as a module by its place; for node a file of this name is none.
async function stateOf(data, kinds = KINDS) {
	const { DesignState } = await import(`data:text/javascript,${encodeURIComponent(fs.readFileSync(SOURCE, "utf8"))}`);
	return new DesignState(data, kinds);
}

test("columns are doubled with all that stands in them, each with an id of its own", async () => {
	const state = await stateOf(TWO_TEXTS);
	const id = state.duplicate("c");
	const all = [...state.lists()].flat().map((block) => block.id);
	assert.equal(new Set(all).size, all.length, `an id stands there twice: ${all}`);
	const [first, second] = state.find(id).block.columns[0];
	for (const [language, words] of [["en", ["One", "Two"]], ["es", ["Uno", "Dos"]]]) {
		assert.deepEqual([first, second].map((block) => state.text(language, `${block.id}.text`)), words);
	}
	state.set_text("en", `${first.id}.text`, "Other");
	assert.equal(state.text("en", `${second.id}.text`), "Two");
	assert.equal(state.text("en", "a.text"), "One");
});

test("what is taken out leaves no texts behind for the next block, and undo brings them back", async () => {
	const state = await stateOf(TWO_TEXTS);
	const id = state.add("text", "en", { list: "c:1", texts: { text: "Three" } });
	state.set_text("es", `${id}.text`, "Tres");
	const before = state.as_json();
	state.remove(id);
	const again = state.add("text", "en", { list: "c:1" });
	assert.equal(again, id, "this is about an id that is given again");
	assert.deepEqual(["en", "es"].map((code) => state.text(code, `${again}.text`)), ["", ""]);
	state.undo();
	state.undo();
	assert.equal(state.as_json(), before);
	// With columns goes what stands in them; the subject belongs to no block.
	state.remove("c");
	assert.deepEqual(state.data.texts, { en: { subject: "Hello" }, es: {} });
});
