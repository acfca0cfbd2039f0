// What a marketer needs is in sight on a phone, and the message log says the same there as on a desk. Run by
// sandbox/tests/test_browser.py.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { activate, dialog, closeDialog, fromRecipe, inBrowser, openForm, openList, settled } = require("./harness.cjs");
const { campaignThatRan } = require("./screens.cjs");

const { MARKETER } = process.env;

test("on a phone the main actions of a campaign are not behind three dots", async () => {
	await inBrowser(
		async (page) => {
			await openList(page, "Lifecycle Campaign");
			const blue = page.locator(".page-head:visible .primary-action");
			assert.match(await blue.innerText(), /New from Recipe/);
			await openForm(page, "Lifecycle Campaign", await fromRecipe(page, "On a phone"));
			const actions = page.locator(".lifecycle-actions");
			await actions.getByRole("button", { name: "Preview" }).click();
			await dialog(page).getByText("Preview: On a phone").waitFor();
			await closeDialog(page);
			await actions.getByRole("button", { name: "See the Message" }).click();
			await dialog(page).locator(".lifecycle-mail iframe").waitFor();
			await closeDialog(page);
			await actions.getByRole("button", { name: "Activate" }).click();
			await dialog(page).getByText(/^The night of/).waitFor();
			await dialog(page).getByRole("button", { name: "Activate" }).click();
			await actions.getByRole("button", { name: "Run Now" }).waitFor();
			await actions.getByRole("button", { name: "Pause" }).click();
			await actions.getByRole("button", { name: "Activate" }).waitFor();
			await settled(page);
		},
		{ as: MARKETER, phone: true }
	);
});

test("on a desk they are Frappe's buttons alone", async () => {
	await inBrowser(
		async (page) => {
			await openList(page, "Lifecycle Campaign");
			await openForm(page, "Lifecycle Campaign", await fromRecipe(page, "On a desk"));
			await page.locator(".lifecycle-actions").waitFor({ state: "attached" });
			assert.ok(!(await page.locator(".lifecycle-actions").isVisible()));
			await activate(page);
		},
		{ as: MARKETER }
	);
});

for (const phone of [false, true]) {
	test(`the message log says to whom, what, what became of it and when, ${phone ? "on a phone" : "on a desk"}`, async () => {
		await inBrowser(
			async (page) => {
				await campaignThatRan(page, phone ? "Logged on a phone" : "Logged on a desk");
				await openList(page, "Lifecycle Execution Log");
				await page.evaluate(() => cur_list.filter_area.clear());
				await settled(page);
				const row = page.locator(".list-row:visible", { hasText: "Mute Browser" }).first();
				for (const text of ["Mute Browser", "Renewal offer", "No e-mail address"]) {
					const cell = row.locator(".lifecycle-cell", { hasText: text });
					await cell.waitFor();
					const { x, width } = await cell.boundingBox();
					assert.ok(x >= 0 && x + width <= (phone ? 390 : 1280), `${text} is within the screen`);
				}
				const when = await row.locator(".lifecycle-cell").last().innerText();
				assert.match(when, /^\s*[\d./-]{8,10} \d{1,2}:\d\d\s*$/);
			},
			{ as: MARKETER, phone }
		);
	});
}
