// Takes the documentation's pictures of the Desk: screenshots.cjs FOLDER. To add one, add a line to PICTURES.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const { inBrowser, login, openForm, openList, openWorkspace, screenshot, settled } = require("./harness.cjs");

const LIMIT = 300_000;

// The file's name without .png, and how to get to what it shows.
const PICTURES = [
	{ name: "preview", visit: (page) => button(page, "Lifecycle Campaign", "Preview") },
	{ name: "run", visit: runCampaign },
	// From here on the campaign has run, so that there is something to see.
	{ name: "workspace", visit: (page) => openWorkspace(page, "Marketing Automation") },
	{ name: "recipe", visit: recipe },
	{ name: "campaign", visit: (page) => openFirst(page, "Lifecycle Campaign") },
	{ name: "forecast", visit: (page) => button(page, "Lifecycle Campaign", "Forecast") },
	{ name: "message", visit: message },
	{ name: "trigger", visit: (page) => openFirst(page, "Lifecycle Trigger") },
	{ name: "execution-log", visit: (page) => openList(page, "Lifecycle Execution Log") },
	{ name: "why", visit: (page) => button(page, "Lifecycle Execution Log", "Why? Customer") },
	{ name: "campaign-performance", visit: (page) => report(page, "Campaign Performance") },
	{ name: "expiring-pins", visit: (page) => report(page, "Expiring Pins") },
];

// Run the campaign, and wait for its end.
async function runCampaign(page) {
	await button(page, "Lifecycle Campaign", "Run Now");
	await page.locator(".modal.show").getByRole("button", { name: "Yes" }).click();
	await page.locator(".modal.show").getByText("Done.").waitFor({ timeout: 120_000 });
}

// Press a button of the oldest document's form, and wait for what it opens.
async function button(page, doctype, name) {
	await openFirst(page, doctype);
	await page.getByRole("button", { name, exact: true }).first().click();
	await page.locator(".modal.show").waitFor();
	await settled(page);
}

async function recipe(page) {
	await openList(page, "Lifecycle Campaign");
	await page.getByRole("button", { name: "New from Recipe" }).click();
	await page.locator(".modal.show").waitFor();
	await settled(page);
}

// The message of a campaign that a recipe has made.
async function message(page) {
	const campaign = await page.evaluate(() =>
		marketing_automation.call("make_from_recipe", {
			recipe: "subscription_renewal",
			campaign_name: "Renewal of subscriptions",
			days: "30, 7, 1",
			language: "en",
		})
	);
	await openForm(page, "Lifecycle Campaign", campaign);
	await page.locator("[data-mail]").first().click();
	await page.locator(".lifecycle-mail iframe").waitFor();
	await settled(page);
}

async function report(page, name) {
	await page.goto(`/app/query-report/${name}`);
	await page.locator(".report-summary:visible").waitFor();
	await settled(page);
}

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
			// Charts and dialogs slide into their place.
			await page.waitForTimeout(1000);
			const file = await screenshot(page, folder, name);
			const { size } = fs.statSync(file);
			assert.ok(size < LIMIT, `${file} has ${size} bytes; pictures in the repository have less than ${LIMIT}`);
			console.log(`  ${name}.png, ${Math.round(size / 1000)} kB`);
		}
	});
}

main(process.argv[2]);
