// A marketer's way from a recipe to the answer why, and what they do with a campaign on that way. Run by
// sandbox/tests/test_browser.py on a site where two pins expire in 30 days: Ana's, and that of somebody without an address.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const { test } = require("node:test");
const harness = require("./harness.cjs");
const { activate, becomes, chooseRecipe, closeDialog, dialog, formOf, inBrowser, openForm, openList, openNew, openReport } = harness;
const { save, settled, until } = harness;
const { campaignThatRan } = require("./screens.cjs");

const { MARKETER } = process.env;
const CAMPAIGN = "Renewal from a recipe";

// The number under a label in the journey's first message.
async function number(page, label) {
	const cell = page.locator(".lifecycle-action").first().locator(".lifecycle-number", { hasText: label });
	return Number(await cell.locator("strong").innerText());
}

// Do what starts a download; returns the file's lines.
async function downloaded(page, start) {
	const [download] = await Promise.all([page.waitForEvent("download"), start()]);
	return fs.readFileSync(await download.path(), "utf-8").replace(/^\uFEFF/, "").trim().split(/\r?\n/);
}

test("from a recipe to the answer why", async () => {
	await inBrowser(async (page) => {
		await openList(page, "Lifecycle Campaign");
		await page.locator(".page-head:visible").getByRole("button", { name: "New from Recipe" }).click();
		await chooseRecipe(page);
		const languages = dialog(page).locator('[data-fieldname="language"] option');
		await languages.nth(1).waitFor({ state: "attached" });
		assert.deepEqual(await languages.allTextContents(), ["English", "Spanish"]);
		await settled(page);
		await dialog(page).locator('[data-fieldname="campaign_name"] input').fill(CAMPAIGN);
		await dialog(page).getByRole("button", { name: "Make the Campaign" }).click();
		await formOf(page, "Lifecycle Campaign");
		await page.locator(".lifecycle-journey").waitFor();
		assert.equal(await page.locator(".lifecycle-step").count(), 3);
		// Two fall due, and one of them has no address.
		await page.locator(".lifecycle-number", { hasText: "+ 1 skipped" }).waitFor();
		await page.locator(".lifecycle-next tr", { hasText: "Ana Browser" }).waitFor();
		assert.equal(await page.getByRole("button", { name: "Run Now" }).count(), 0, "it is not active yet");

		await page.getByRole("button", { name: "Preview", exact: true }).click();
		await dialog(page).locator("tr", { hasText: "Ana Browser" }).getByText("Would Be Sent").waitFor();
		await dialog(page).locator("tr", { hasText: "No e-mail address" }).waitFor();
		await closeDialog(page);

		await page.getByRole("button", { name: "Forecast", exact: true }).click();
		await dialog(page).locator(".lifecycle-day.level-4").first().waitFor();
		await dialog(page).locator(".lifecycle-forecast-chart svg").waitFor();
		await closeDialog(page);

		await page.locator("[data-mail]").first().click();
		const mail = dialog(page).frameLocator(".lifecycle-mail iframe");
		await mail.getByText("Dear Ana Browser,").waitFor();
		await dialog(page).locator('[data-fieldname="language"] select').selectOption("es");
		await mail.getByText("Hola, Ana Browser:").waitFor();
		await dialog(page).getByRole("button", { name: "Send Me a Test" }).click();
		await page.getByText(`A test is on its way to ${MARKETER}`).waitFor();
		await closeDialog(page);

		await activate(page);
		await page.getByRole("button", { name: "Run Now" }).click();
		await dialog(page).getByText("1 mail about 1 product will go out to customers now.").waitFor();
		await dialog(page).getByText("1 product will be skipped (No e-mail address: 1).").waitFor();
		await dialog(page).getByRole("button", { name: "Cancel" }).waitFor();
		await dialog(page).getByRole("button", { name: "Send 1 Mail" }).click();
		await dialog(page).getByText("Done.").waitFor();
		// What was asked, and in the same words.
		await dialog(page).getByText("1 mail about 1 product.").waitFor();
		await dialog(page).getByText(/Skipped\s*1 product/).waitFor();
		await closeDialog(page);
		await becomes(async () => [await number(page, "Sent"), await number(page, "Skipped")], [1, 1]);
		await becomes(() => number(page, "In 7 Days"), 0, "today's are sent, and no more are coming");

		await page.locator(".lifecycle-action").first().locator(".lifecycle-number", { hasText: "Sent" }).click();
		await until(page, () => window.cur_list?.doctype === "Lifecycle Execution Log");
		await becomes(() => page.locator(".list-row-container:visible .list-row").count(), 1);
		await page.locator(".list-row:visible", { hasText: "Ana Browser" }).getByText("Sent", { exact: true }).waitFor();
		// What is chosen there can be tried again.
		await page.locator(".list-row:visible .list-row-checkbox").check();
		await page.getByRole("button", { name: "Actions" }).click();
		await page.locator(".dropdown-menu:visible", { hasText: "Retry Failed" }).waitFor();
		await page.keyboard.press("Escape");
		await page.getByRole("button", { name: "Why?" }).first().click();
		await dialog(page).getByText("Messages to Ana Browser").waitFor();
		await dialog(page).locator("tr", { hasText: CAMPAIGN }).filter({ hasText: /Queued|Sent/ }).waitFor();
		await dialog(page).locator("tr", { hasText: "Coming" }).first().waitFor();
	}, { as: MARKETER });
});

test("a campaign is paused and resumed", async () => {
	await inBrowser(
		async (page) => {
			await openNew(page, "To be paused");
			await page.locator(".page-head .indicator-pill:visible", { hasText: "Draft" }).waitFor();
			await activate(page);
			let drawn = 0;
			page.on("request", (request) => /marketing_automation\.api\.journey/.test(request.url()) && drawn++);
			await page.getByRole("button", { name: "Pause" }).click();
			await page.locator(".page-head .indicator-pill:visible", { hasText: "Paused" }).waitFor();
			await page.getByText("Paused. Nothing was on its way.").waitFor();
			// With the form, and then again: the numbers follow what is taken back.
			await becomes(() => drawn > 1, true, "the journey is drawn again");
			await settled(page);
			assert.equal(await page.getByRole("button", { name: "Run Now" }).count(), 0);
			await activate(page);
			await page.getByRole("button", { name: "Run Now" }).waitFor();
			await page.locator(".page-head .indicator-pill:visible", { hasText: /^\s*Active\s*$/ }).waitFor();
		},
		{ as: MARKETER }
	);
});

test("what was not sent is sent by hand from its form, or it is said why not", async () => {
	await inBrowser(
		async (page) => {
			const campaign = await campaignThatRan(page, "To be sent by hand");
			const skipped = await page.evaluate(
				(campaign) => frappe.db.get_value("Lifecycle Execution Log", { campaign, status: "Skipped" }, "name").then((r) => r.message.name),
				campaign
			);
			await openForm(page, "Lifecycle Execution Log", skipped);
			await page.getByRole("button", { name: "Send It" }).click();
			await dialog(page).getByText("Nothing Sent").waitFor();
			assert.equal((await dialog(page).locator(".msgprint").innerText()).trim(), "No e-mail address: 1");
			await closeDialog(page);
			await page.evaluate((name) => marketing_automation.run.again("retry", { names: [name] }, () => {}), skipped);
			await dialog(page).getByText("None of these messages has failed. Choose Send Skipped").waitFor();
		},
		{ as: MARKETER }
	);
});

test("a copy has its triggers and actions, and is not active", async () => {
	await inBrowser(
		async (page) => {
			await openNew(page, "To be copied");
			await page.evaluate(() => void cur_frm.trigger("duplicate"));
			await dialog(page).getByRole("button", { name: "Duplicate" }).click();
			await until(page, () => window.cur_frm?.doc?.name === "To be copied (Copy)");
			await page.locator(".lifecycle-step").nth(2).waitFor();
			await page.getByRole("button", { name: "Activate" }).waitFor();
		},
		{ as: MARKETER }
	);
});

test("a trigger is narrowed with the filter builder", async () => {
	await inBrowser(
		async (page) => {
			await openNew(page, "To be narrowed");
			await page.locator(".lifecycle-trigger [data-doctype='Lifecycle Trigger']").first().click();
			await formOf(page, "Lifecycle Trigger");
			// Frappe 16 shows the document's title there.
			const back = await page.locator("#navbar-breadcrumbs, .page-head:visible .navbar-breadcrumbs").innerText();
			assert.match(back, /To be narrowed|30 days before/);
			const filters = page.locator(".lifecycle-filters");
			await filters.locator(".add-filter").click();
			const field = filters.locator(".fieldname-select-area input");
			await field.fill("Serial No");
			await filters.locator(".fieldname-select-area li", { hasText: /^Serial No/ }).first().click();
			await filters.locator(".filter-field input").fill("BROWSER-2");
			await filters.locator(".filter-field input").press("Tab");
			await until(page, () => (cur_frm.doc.filters || "").includes("BROWSER-2"));
			await save(page);
			await page.reload();
			await formOf(page, "Lifecycle Trigger");
			await page.locator(".lifecycle-filters .filter-field").waitFor();
			const shown = () => page.locator(".lifecycle-filters .filter-field input").inputValue();
			await becomes(async () => /BROWSER-2/.test(await shown()), true, "the filter is shown");

			await page.getByRole("button", { name: "Campaign", exact: true }).click();
			await formOf(page, "Lifecycle Campaign");
			await page.getByRole("button", { name: "Preview", exact: true }).click();
			await dialog(page).locator("tr", { hasText: "BROWSER-2" }).waitFor();
			assert.equal(await dialog(page).locator("tr", { hasText: "BROWSER-1" }).count(), 0);
		},
		{ as: MARKETER }
	);
});

// Let the server's first answer be the beginning only, and the whole come later.
async function asOfABigNight(page, route) {
	const response = await route.fetch({ timeout: harness.PATIENCE });
	const json = await response.json();
	if (/at_once=1/.test(route.request().postData() || route.request().url())) json.message.complete = false;
	else await page.waitForTimeout(500);
	await route.fulfill({ response, json });
}

test("what is seen is exported, from the preview and from the reports", async () => {
	await inBrowser(
		async (page) => {
			await openNew(page, "To be exported");
			await page.route(/marketing_automation\.api\.preview/, (route) => asOfABigNight(page, route));
			await page.getByRole("button", { name: "Preview", exact: true }).click();
			const counting = dialog(page).getByText("Still counting. These are the first 2.");
			await counting.waitFor();
			await dialog(page).locator("tr", { hasText: "Ana Browser" }).waitFor();
			await counting.waitFor({ state: "detached" });
			await dialog(page).locator(".lifecycle-count", { hasText: "Would Be Sent" }).click();
			const preview = await downloaded(page, () => dialog(page).getByRole("button", { name: "Export" }).click());
			assert.equal(preview.length, 2);
			assert.match(preview[1], /Would Be Sent.*Ana Browser.*BROWSER-1.*ana@customers\.example/);

			await openReport(page, "Expiring Pins");
			await page.evaluate(() => frappe.query_report.export_report());
			await dialog(page).locator('[data-fieldname="file_format"] select').selectOption("CSV");
			const report = await downloaded(page, () => dialog(page).locator(".modal-footer .btn-primary, .btn-modal-primary").first().click());
			assert.match(report[0], /Serial No.*Problem.*Customer Name/);
			assert.ok(report.some((line) => /BROWSER-2.*No e-mail address/.test(line)), report.join("\n"));
		},
		{ as: MARKETER }
	);
});

// Close every dialog by keyboard.
async function escapeAll(page) {
	while (await page.locator(".modal.show").count()) await harness.escape(page);
}

test("it all works by keyboard", async () => {
	await inBrowser(
		async (page) => {
			await openNew(page, "All by keyboard");
			const press = async (locator, key = "Enter") => {
				await locator.focus();
				await page.keyboard.press(key);
			};
			const inDialog = () => page.evaluate(() => Boolean(document.activeElement.closest(".modal.show")));

			await press(page.getByRole("button", { name: "Forecast", exact: true }));
			const day = dialog(page).locator(".lifecycle-day.level-4").first();
			await day.waitFor();
			// The focus is in the dialog, and Tab leads from one day to the next.
			await day.focus();
			const date = await day.getAttribute("data-day");
			await page.keyboard.press("Shift+Tab");
			await page.keyboard.press("Tab");
			assert.equal(await page.evaluate(() => document.activeElement.dataset.day), date);
			await page.keyboard.press("Enter");
			await dialog(page).locator("tr", { hasText: "Ana Browser" }).waitFor();
			assert.ok(await inDialog());
			await escapeAll(page);

			// Each part of the journey is reached with Tab, in the order in which it is read.
			await page.locator(".lifecycle-step [data-open]").first().focus();
			const order = [];
			for (let step = 0; step < 8; step++) {
				order.push(
					await page.evaluate(() => {
						const { open, doctype, switch: box, mail, coming, ledger, status } = document.activeElement.dataset;
						return open ? `open ${doctype}` : box ? `switch ${doctype}` : mail ? "mail" : coming ? "coming" : ledger ? status : "?";
					})
				);
				await page.keyboard.press("Tab");
			}
			assert.deepEqual(order, [
				...["open Lifecycle Trigger", "switch Lifecycle Trigger", "open Lifecycle Action", "switch Lifecycle Action"],
				...["mail", "coming", "Completed", "Skipped,Cancelled"],
			]);
			await press(page.locator("[data-mail]").first());
			await dialog(page).locator(".lifecycle-mail iframe").waitFor();
			await escapeAll(page);

			await openList(page, "Lifecycle Campaign");
			await press(page.getByRole("button", { name: "New from Recipe" }));
			await press(dialog(page).locator('[data-recipe="subscription_renewal"]'));
			const name = dialog(page).locator('[data-fieldname="campaign_name"] input');
			await settled(page);
			await name.fill("Made by keyboard");
			await page.keyboard.press("Tab");
			await press(dialog(page).getByRole("button", { name: "Make the Campaign" }));
			await until(page, () => window.cur_frm?.doc?.name === "Made by keyboard");
		},
		{ as: MARKETER }
	);
});

test("what stands in the way of sending is said above the journey", async () => {
	await inBrowser(
		async (page) => {
			const problems = [{ level: "red", text: "Sending is suspended.", route: "List/Lifecycle Run" }];
			await page.route(/marketing_automation\.api\.health/, (route) => route.fulfill({ json: { message: problems } }));
			await openNew(page, "In the way");
			const bar = page.locator(".lifecycle-banner.red[role=alert]");
			await bar.getByText("Sending is suspended.").waitFor();
			await bar.getByRole("link", { name: "Open It" }).click();
			await until(page, () => window.cur_list?.doctype === "Lifecycle Run");
		},
		{ as: MARKETER }
	);
});
