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
				// All at once: the list may be drawn anew between two questions. Titles may come after the rows.
				const cells = await page.waitForFunction(() => {
					const rows = [...document.querySelectorAll(".list-row")].filter((row) => row.getClientRects().length);
					const row = rows.find((row) => row.textContent.includes("Mute Browser"));
					return (
						row?.textContent.includes("Renewal offer") &&
						[...row.querySelectorAll(".lifecycle-cell")].map((cell) => {
							const { left, right } = cell.getBoundingClientRect();
							return { text: cell.innerText.trim(), is_within: left >= 0 && right <= innerWidth };
						})
					);
				});
				const [customer, message, state, when] = await cells.jsonValue();
				assert.deepEqual([customer, message, state], [
					{ text: "Mute Browser", is_within: true },
					{ text: "Renewal offer", is_within: true },
					{ text: "No e-mail address", is_within: true },
				]);
				assert.match(when.text, /^[\d./-]{8,10} \d{1,2}:\d\d$/);
				assert.ok(when.is_within);
			},
			{ as: MARKETER, phone }
		);
	});
}
