// Takes the documentation's pictures of the Desk: screenshots.cjs FOLDER. To add one, add a line to PICTURES.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const { inBrowser, login, openForm, openList, screenshot } = require("./harness.cjs");

const LIMIT = 300_000;

// The file's name without .png, and how to get to what it shows.
const PICTURES = [
	{ name: "campaign", visit: (page) => openFirst(page, "Lifecycle Campaign") },
	{ name: "execution-log", visit: (page) => openList(page, "Lifecycle Execution Log") },
];

// Open the oldest document of this kind, or a new one's form where there is none.
async function openFirst(page, doctype) {
	const [first] = await page.evaluate(
		(doctype) => frappe.db.get_list(doctype, { order_by: "creation asc", limit: 1 }),
		doctype
	);
	await openForm(page, doctype, first?.name);
}

async function main(folder) {
	fs.mkdirSync(folder, { recursive: true });
	await inBrowser(async (page) => {
		await login(page, process.env.DESK_USER, process.env.DESK_PASSWORD);
		for (const { name, visit } of PICTURES) {
			await visit(page);
			const file = await screenshot(page, folder, name);
			const { size } = fs.statSync(file);
			assert.ok(size < LIMIT, `${file} has ${size} bytes; pictures in the repository have less than ${LIMIT}`);
			console.log(`  ${name}.png, ${Math.round(size / 1000)} kB`);
		}
	});
}

main(process.argv[2]);
