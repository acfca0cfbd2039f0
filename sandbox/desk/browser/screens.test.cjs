// Every screen of ours opens without an error, speaks the user's language, fits on a phone, and keeps nobody out. Run by
// sandbox/tests/test_browser.py.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");
const { examine } = require("./axe.cjs");
const { inBrowser, openForm, openList } = require("./harness.cjs");
const { campaignThatRan, eachScreen } = require("./screens.cjs");

const { MARKETER, SPANISH_MARKETER } = process.env;
const SPANISH = path.resolve(__dirname, "../../../marketing_automation/translations/es.csv");
// A link to a document type does not show what that is called, nor the sidebar of Frappe 16 what an app is called.
const FRAPPES_OWN = '[data-fieldname="reference_doctype"] *, .header-subtitle';

test("every screen opens without an error, and axe finds no fault in it, in either theme", async () => {
	await inBrowser(
		async (page) => {
			const campaign = await campaignThatRan(page, "Every screen");
			const examined = [];
			const found = [];
			await eachScreen(page, campaign, async (name) => {
				const { seen, faults } = await examine(page);
				if (seen) examined.push(name);
				found.push(...faults.map((fault) => `${name}: ${fault}`));
			});
			assert.deepEqual(found, []);
			assert.ok(examined.length >= 11, `only ${examined} have something of ours`);
		},
		{ as: MARKETER }
	);
});

test("on a phone a Spanish marketer reads Spanish, nothing is wider than the screen, and axe finds no fault", async () => {
	const english = wordsWithSpanish();
	await inBrowser(
		async (page) => {
			const campaign = await campaignThatRan(page, "Cada pantalla", "es");
			// What others have called theirs is no word of ours.
			for (const name of await namesOnTheSite(page)) english.delete(name);
			const found = [];
			await eachScreen(page, campaign, async (name) => {
				found.push(...(await examine(page)).faults.map((fault) => `${name}: ${fault}`));
				const { width, texts } = await seen(page);
				// Frappe's onboarding is a little wider than this phone.
				if (name !== "workspace") assert.ok(width <= 390, `${name} is ${width} wide`);
				assert.deepEqual(texts.filter((text) => english.has(text)), [], name);
			});
			assert.deepEqual(found, []);
		},
		{ as: SPANISH_MARKETER, phone: true }
	);
});

test("a short label that other screens have, too, is in the user's language", async () => {
	await inBrowser(
		async (page) => {
			await campaignThatRan(page, "Con etiquetas cortas", "es");
			await openList(page, "Lifecycle Execution Log");
			const filters = { recipient: ["is", "set"] };
			const row = await page.evaluate((filters) => frappe.db.get_list("Lifecycle Execution Log", { filters, limit: 1 }).then(([one]) => one.name), filters);
			await openForm(page, "Lifecycle Execution Log", row);
			const label = (field) => page.locator(`.form-layout [data-fieldname="${field}"] .control-label`).first();
			assert.equal((await label("recipient").textContent()).trim(), "Destinatario");
			assert.equal((await label("run").textContent()).trim(), "Ejecución");
		},
		{ as: SPANISH_MARKETER }
	);
});

function namesOnTheSite(page) {
	return page.evaluate(async () => {
		const names = (doctype, field) => frappe.db.get_list(doctype, { fields: [field], limit: 0 }).then((rows) => rows.map((row) => row[field]));
		return [...(await names("Lifecycle Trigger", "trigger_name")), ...(await names("Lifecycle Action", "action_name"))];
	});
}

// The page's width, and all that it says: texts, and what is read out or shown when the pointer rests.
function seen(page) {
	return page.evaluate((frappesOwn) => {
		const texts = new Set();
		const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
		while (walker.nextNode()) {
			const element = walker.currentNode.parentElement;
			if (element.closest("script, style") || element.matches(frappesOwn) || !element.offsetParent) continue;
			texts.add(walker.currentNode.data.replace(/\s+/g, " ").trim());
		}
		for (const element of document.querySelectorAll("[title], [aria-label], [placeholder]")) {
			if (!element.offsetParent) continue;
			for (const attribute of ["title", "aria-label", "placeholder"]) {
				texts.add((element.getAttribute(attribute) || "").trim());
			}
		}
		return { width: document.documentElement.scrollWidth, texts: [...texts] };
	}, FRAPPES_OWN);
}

// The English of es.csv whose Spanish is another. What has a context is left out: older versions of Frappe know none.
function wordsWithSpanish() {
	const cell = /^("(?:[^"]|"")*"|[^,]*),("(?:[^"]|"")*"|[^,]*)$/;
	const plain = (text) => (text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text);
	const rows = fs.readFileSync(SPANISH, "utf-8").trim().split("\n").map((line) => cell.exec(line)).filter(Boolean).map((cells) => cells.slice(1).map(plain));
	assert.ok(rows.length > 400);
	return new Set(rows.filter(([english, spanish]) => english !== spanish).map(([english]) => english));
}
