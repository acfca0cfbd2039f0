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

test("three columns can be used, of new columns and of old ones with two lists", async () => {
	const state = await stateOf(TWO_TEXTS);
	const shown = (id) => state.columns_of(state.find(id).block).length;
	const id = state.add("columns", "en");
	for (const columns of ["c", id]) {
		assert.equal(shown(columns), 2);
		state.set_value(columns, "shares", "1:1:1");
		assert.equal(shown(columns), 3);
	}
	const before = state.as_json();
	assert.ok(state.move("b", "c:2", 0));
	assert.equal(state.find("c").block.columns[2][0].id, "b");
	state.undo();
	assert.equal(state.as_json(), before, "undo takes the list for it back too");
	// What stands in a third column is seen where there are two again.
	const text = state.add("text", "en", { list: `${id}:2` });
	state.set_value(id, "shares", "1:1");
	assert.equal(shown(id), 3);
	assert.ok(state.find(text));
});

test("a text that the choices of a block do not ask for is not missing", async () => {
	const address = line("address", { shown_if: ["to", "own"] });
	const button = { type: "button", fields: [{ name: "to", options: [["website"], ["own"]] }, line("text"), address] };
	const state = await stateOf(
		{ blocks: [{ id: "b", type: "button", to: "own" }], texts: { en: { subject: "A", "b.address": "https://a.example" }, es: { subject: "B" } } },
		[button]
	);
	assert.deepEqual(state.missing("es"), ["b.address"]);
	state.set_value("b", "to", "website");
	assert.deepEqual(state.missing("es"), []);
});

test("a language is taken out with what is for its readers alone", async () => {
	const data = structuredClone(TWO_TEXTS);
	const [columns] = data.blocks;
	columns.columns[0][0].only = { all: 1, if: [], languages: ["es"] };
	columns.columns[0][1].only = { all: 1, if: [], languages: ["en", "es"] };
	const state = await stateOf(data);
	const before = state.as_json();
	assert.ok(state.remove_language("es"));
	assert.deepEqual(Object.keys(state.data.texts), ["en"]);
	assert.equal(state.find("a"), null, "English readers would get it");
	assert.deepEqual(state.find("b").block.only.languages, ["en"]);
	state.undo();
	assert.equal(state.as_json(), before);
	state.remove_language("es");
	assert.equal(state.remove_language("en"), false, "a design has a language");
});

test("a block steps aside into columns, through them, and out again", async () => {
	const data = structuredClone(TWO_TEXTS);
	data.blocks.splice(1, 0, { id: "t", type: "text" });
	const state = await stateOf(data);
	const where = (id, by) => state.move(id, ...state.beside(id, by));
	where("t", 1);
	assert.deepEqual(state.find("c").block.columns[0].map(({ id }) => id), ["a", "b", "t"]);
	where("t", 1);
	assert.deepEqual(state.find("c").block.columns[1].map(({ id }) => id), ["t"]);
	assert.equal(state.beside("t", 1), null, "there is no third column");
	where("t", -1);
	where("t", -1);
	assert.deepEqual(state.data.blocks.map(({ id }) => id), ["c", "t", "foot1"]);
	assert.equal(state.beside("t", -1), null);
	assert.equal(state.beside("c", 1), null, "columns stand in no columns");
	assert.equal(state.beside("foot1", 1), null);
});
