// A click on a number shows the rows that it counts, and no others. Run by sandbox/tests/test_browser.py.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const harness = require("./harness.cjs");
const { answered, becomes, inBrowser, openForm, openList, openWorkspace, settled } = harness;
const { campaignThatRan } = require("./screens.cjs");

const { MARKETER } = process.env;
const LOG = "Lifecycle Execution Log";

// Wait until the message log shows these rows and no others: those of the list's last visit are there until its filters
// are. wanted: their names, sorted.
async function lists(page, wanted, message) {
	const seen = () =>
		page.evaluate((log) => (window.cur_list?.doctype === log ? cur_list.data.map(({ name }) => name).sort() : log), LOG);
	await becomes(seen, wanted, message);
	// And it stays like that.
	await settled(page);
	await page.locator(".list-row:visible, .no-result:visible").first().waitFor();
	assert.deepEqual(await seen(), wanted, message);
}

// The campaign's rows with these statuses, as the database has them.
const rowsOf = (page, filters) =>
	page.evaluate(
		([log, filters]) =>
			frappe.db.get_list(log, { filters, limit: 0, fields: ["name"] }).then((rows) => rows.map(({ name }) => name).sort()),
		[LOG, filters]
	);

test("a number of the journey opens its rows, whatever the log has shown before", async () => {
	await inBrowser(
		async (page) => {
			const campaigns = [await campaignThatRan(page, "Counted"), await campaignThatRan(page, "Counted too")];
			await answered(page, (log) => frappe.db.count(log, { filters: { status: "Queued" } }).then((left) => !left), LOG);
			await openList(page, LOG);
			// Each is met for the first time by this page, and once more.
			for (const campaign of [...campaigns, ...campaigns]) {
				for (const [label, status] of [["Sent", "Completed"], ["Skipped", "Skipped"]]) {
					await openForm(page, "Lifecycle Campaign", campaign);
					const number = page.locator(".lifecycle-action:visible").first().locator(".lifecycle-number", { hasText: label });
					await number.waitFor();
					await becomes(() => number.locator("strong").innerText(), "1", `${campaign}: ${label}`);
					await number.click();
					await lists(page, await rowsOf(page, { campaign, status }), `${campaign}: ${label}`);
				}
			}
		},
		{ as: MARKETER }
	);
});

test("and after the page was loaded anew, and from the form's connections and a run", async () => {
	await inBrowser(
		async (page) => {
			const campaign = await campaignThatRan(page, "Loaded anew");
			const all = await rowsOf(page, { campaign });
			const skipped = await rowsOf(page, { campaign, status: "Skipped" });
			await openForm(page, "Lifecycle Campaign", campaign);
			await page.locator(".lifecycle-action:visible .lifecycle-number", { hasText: "Skipped" }).first().click();
			await lists(page, skipped);
			// The list comes back with the filters of the last visit, and with their rows.
			await page.goto(`/app/lifecycle-execution-log`);
			await lists(page, skipped);

			await openForm(page, "Lifecycle Campaign", campaign);
			await page.evaluate((campaign) => marketing_automation.open_ledger({ campaign }), campaign);
			await lists(page, all);

			const run = await page.evaluate(
				(campaign) => frappe.db.get_list("Lifecycle Run", { filters: { campaign }, limit: 1 }).then((rows) => rows[0].name),
				campaign
			);
			await openForm(page, "Lifecycle Run", run);
			await page.getByRole("button", { name: "Message Log" }).click();
			await lists(page, all);
		},
		{ as: MARKETER }
	);
});

test("a number card opens the rows that it counts", async () => {
	await inBrowser(
		async (page) => {
			await campaignThatRan(page, "On the cards");
			await openWorkspace(page, "Marketing Automation");
			const cards = page.locator('.number-widget-box:visible:has-text("Skipped"), .number-widget-box:visible:has-text("Failed")');
			await cards.first().locator(".number").waitFor();
			for (let index = 0; index < (await cards.count()); index++) {
				await openWorkspace(page, "Marketing Automation");
				const card = cards.nth(index);
				await card.locator(".number").waitFor();
				const label = (await card.innerText()).trim().replace(/\s+/g, " ");
				const status = /Skipped/.test(label) ? "Skipped" : "Failed";
				const rows = await rowsOf(page, { status });
				// Of this month are all that this site has.
				await becomes(async () => Number((await card.locator(".number").innerText()).trim()), rows.length, label);
				await card.locator(".number").click();
				const seen = () =>
					page.evaluate(
						(log) => (window.cur_list?.doctype === log ? cur_list.data.map(({ status }) => status) : log),
						LOG
					);
				await becomes(seen, Array(Math.min(rows.length, 20)).fill(status), label);
			}
		},
		{ as: MARKETER }
	);
});

test("what has not left is not counted as sent", async () => {
	await inBrowser(
		async (page) => {
			await openList(page, "Lifecycle Campaign");
			const campaign = await harness.fromRecipe(page, "Not gone yet");
			await page.route(/api\.journey/, async (route) => {
				const response = await route.fetch({ timeout: harness.PATIENCE });
				const json = await response.json();
				json.message[0].actions[0].counts = { Pending: 1, Queued: 12, Completed: 2, Failed: 0, Skipped: 0, Cancelled: 0 };
				await route.fulfill({ response, json });
			});
			await openForm(page, "Lifecycle Campaign", campaign);
			const number = (label) => page.locator(".lifecycle-action").first().locator(".lifecycle-number", { hasText: label });
			await number("On Its Way").waitFor();
			assert.equal(await number("On Its Way").locator("strong").innerText(), "13");
			assert.match(await number("On Its Way").getAttribute("class"), /blue/);
			assert.equal(await number("Sent").locator("strong").innerText(), "2");
			assert.equal(await number("On Its Way").getAttribute("data-status"), "Pending,Queued");

			// The same when a run is followed, with what the mail server says.
			const counts = { Pending: 0, Queued: 12, Completed: 0, Failed: 0, Skipped: 1, Cancelled: 0 };
			const progress = { status: "Completed", due: 13, known: 0, error: null, counts, done: 13, total: 13 };
			await page.route(/api\.run_progress/, (route) => route.fulfill({ json: { message: progress } }));
			await page.route(/api\.health/, (route) =>
				route.fulfill({ json: { message: [{ level: "red", text: "The mail server cannot be reached." }] } })
			);
			await page.evaluate((campaign) => marketing_automation.run.follow("RUN", null, { campaign }), campaign);
			const shown = harness.dialog(page);
			await shown.getByText("All mails are written, and on their way.").waitFor();
			await shown.getByText("On Its Way 12").waitFor();
			await shown.getByText("The mail server cannot be reached.").waitFor();
			assert.equal(await shown.getByText("Sent", { exact: true }).count(), 0);
			// It is followed until they have left.
			Object.assign(counts, { Queued: 0, Completed: 12 });
			await shown.getByText("Sent 12").waitFor();
			await shown.getByText("Done.").waitFor();
		},
		{ as: MARKETER }
	);
});
