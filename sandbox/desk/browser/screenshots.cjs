// Takes the documentation's pictures of the Desk: screenshots.cjs FOLDER, in the language of the user DESK_USER, on the
// demonstration's site before its first night. To add one, add a line to PICTURES.

const fs = require("node:fs");
const harness = require("./harness.cjs");
const { call, chooseRecipe, closeBrowser, dialog, fromRecipe, inBrowser, openForm, openList, openReport, openWorkspace } = harness;
const { answered, screenshot, settled, until } = harness;

// The file's name without .png, and how to get to what it shows.
const PICTURES = [
	{ name: "recipe", visit: recipe },
	{ name: "preview", visit: (page) => onCampaign(page, (name) => void marketing_automation.preview.show({ campaign: name })) },
	{ name: "run", visit: runCampaign },
	// From here on the campaign has run, so that there is something to see.
	{ name: "first-steps", visit: (page) => openWorkspace(page, "Marketing Automation"), languages: ["en"] },
	{ name: "workspace", visit: workspace },
	{ name: "campaign", visit: (page) => onCampaign(page) },
	{ name: "forecast", visit: (page) => onCampaign(page, (name) => void marketing_automation.forecast.show(name)) },
	{ name: "message", visit: message },
	{ name: "trigger", visit: (page) => openFirst(page, "Lifecycle Trigger") },
	{ name: "execution-log", visit: messageLog },
	{ name: "why", visit: why },
	{ name: "campaign-performance", visit: (page) => openReport(page, "Campaign Performance") },
	{ name: "expiring-pins", visit: (page) => openReport(page, "Expiring Pins") },
];

let campaign, language;

// Open the campaign, and what this function opens of it.
async function onCampaign(page, open) {
	await openForm(page, "Lifecycle Campaign", campaign);
	await page.locator(".lifecycle-next tr").first().waitFor();
	if (!open) return;
	await page.evaluate(open, campaign);
	await dialog(page).waitFor();
	await settled(page);
}

// Run the campaign, and wait for its end.
async function runCampaign(page) {
	await onCampaign(page, (name) => void marketing_automation.run.confirm(name));
	await dialog(page).locator(".btn-modal-primary:visible").click();
	await dialog(page).locator('[data-status="Completed"]').waitFor({ timeout: 120_000 });
}

// Without the first steps above it, when the mails have left.
async function workspace(page) {
	const waiting = { filters: { status: "Queued" } };
	await answered(page, (waiting) => frappe.db.count("Lifecycle Execution Log", waiting).then((left) => !left), waiting);
	await openWorkspace(page, "Marketing Automation");
	await page.locator(".onboarding-widget-box .widget-control div").first().click();
	await settled(page);
}

async function messageLog(page) {
	await openList(page, "Lifecycle Execution Log");
	// What this user once looked for is remembered longer than the site.
	await page.evaluate(() => cur_list.filter_area.clear());
	await page.locator(".list-row:visible").first().waitFor();
	await settled(page);
}

async function recipe(page) {
	await openList(page, "Lifecycle Campaign");
	await page.evaluate(() => marketing_automation.recipes.show());
	await chooseRecipe(page);
	await settled(page);
}

async function message(page) {
	await onCampaign(page, () => document.querySelector("[data-mail]").click());
	await dialog(page).locator('[data-fieldname="language"] select').selectOption(language);
	await settled(page);
	await page.locator(".lifecycle-mail iframe").waitFor();
}

async function why(page) {
	const [row] = await page.evaluate(() =>
		frappe.db.get_list("Lifecycle Execution Log", { fields: ["customer"], filters: { status: "Completed" }, order_by: "creation asc", limit: 1 })
	);
	await page.evaluate((customer) => void marketing_automation.why.customer(customer), row.customer);
	await dialog(page).locator("table").first().waitFor();
	await settled(page);
}

// Open the first document of this kind that the campaign has.
async function openFirst(page, doctype) {
	const [first] = await page.evaluate(
		([doctype, campaign]) => frappe.db.get_list(doctype, { filters: { campaign }, order_by: "creation asc", limit: 1 }),
		[doctype, campaign]
	);
	await openForm(page, doctype, first.name);
}

// Whether charts have grown their bars, and each number card has its number. Asked in the page.
function drawn() {
	// Pages that were left are still there, unseen.
	const seen = (selector) => [...document.querySelectorAll(selector)].filter((element) => element.getClientRects().length);
	const charts = seen("svg").filter((svg) => svg.querySelector("rect.bar"));
	const bars = charts.flatMap((svg) => [...svg.querySelectorAll("rect.bar")]);
	const cards = seen(".number-widget-box");
	return (
		!charts.some((svg) => svg.querySelector("animate")) &&
		(!bars.length || bars.some((bar) => Number(bar.getAttribute("height")) > 0)) &&
		cards.every((card) => card.querySelector(".widget-content .number"))
	);
}

// Make the recipe's campaign, in the user's language, the only active one.
async function prepare(page) {
	await openList(page, "Lifecycle Campaign");
	language = await page.evaluate(() => frappe.boot.lang);
	const [{ title }] = await call(page, "recipes");
	campaign = await fromRecipe(page, title, language);
	await page.evaluate(async (campaign) => {
		for (const { name } of await frappe.db.get_list("Lifecycle Campaign")) {
			const is_active = Number(name === campaign);
			await frappe.xcall("frappe.client.set_value", { doctype: "Lifecycle Campaign", name, fieldname: { is_active } });
		}
	}, campaign);
}

async function main(folder) {
	fs.mkdirSync(folder, { recursive: true });
	await inBrowser(
		async (page) => {
			await prepare(page);
			for (const { name, visit, languages } of PICTURES) {
				if (languages && !languages.includes(language)) continue;
				await visit(page);
				// Dialogs slide into their place.
				await page.waitForTimeout(1000);
				await page.waitForFunction(drawn);
				await screenshot(page, folder, name);
				// What was opened for this picture is not to be behind the next one.
				await page.evaluate(() => $(".modal.show").modal("hide"));
				await until(page, () => !document.querySelector(".modal.show"));
			}
		},
		{ as: process.env.DESK_USER }
	);
}

main(process.argv[2]).finally(closeBrowser);
