// The suppression list: addresses come to it by hand and leave it by an administrator. Run by sandbox/tests/test_browser.py.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { call, dialog, closeDialog, formOf, inBrowser, openList, settled } = require("./harness.cjs");

const { ADMINISTRATOR, MARKETER } = process.env;

const rowOf = (page, address) => page.locator(".list-row-container:visible", { has: page.getByText(address) });
const newAddress = () => `browser-${Date.now()}@customers.example`;

test("addresses that are pasted are on the list, and what is none is named", async () => {
	const address = newAddress();
	await inBrowser(async (page) => {
		await openList(page, "Lifecycle Suppression");
		await page.locator(".page-head:visible").getByRole("button", { name: "Add Addresses" }).click();
		await dialog(page).locator('[data-fieldname="text"] textarea').fill(`${address}\nnobody <b>here</b>`);
		await dialog(page).getByRole("button", { name: "Add Addresses" }).click();
		await dialog(page).getByText("New on the list: 1").waitFor();
		assert.match(await dialog(page).innerText(), /nobody <b>here<\/b>/);
		await closeDialog(page);
		await rowOf(page, address).waitFor();
		assert.match(await rowOf(page, address).innerText(), /Suppressed/);
	}, { as: ADMINISTRATOR });
});

test("only an administrator lifts an entry, and says why", async () => {
	const address = newAddress();
	await inBrowser(async (page) => {
		await openList(page, "Lifecycle Suppression");
		await call(page, "add_suppressions", { text: address });
	}, { as: ADMINISTRATOR });
	await inBrowser(
		async (page) => {
			await openList(page, "Lifecycle Suppression");
			assert.equal(await page.getByRole("button", { name: "Add Addresses" }).count(), 0);
			await rowOf(page, address).getByText(address).click();
			await formOf(page, "Lifecycle Suppression");
			assert.equal(await page.locator('.page-head:visible [data-label="Lift"]').count(), 0);
		},
		{ as: MARKETER }
	);
	await inBrowser(async (page) => {
		await openList(page, "Lifecycle Suppression");
		await rowOf(page, address).getByText(address).click();
		await formOf(page, "Lifecycle Suppression");
		await page.locator('.page-head:visible button[data-label="Lift"]').click();
		await dialog(page).locator('[data-fieldname="why"] textarea').fill("She has asked for it");
		await dialog(page).getByRole("button", { name: "Lift" }).click();
		await page.waitForFunction(() => cur_frm.doc.status === "Lifted");
		await settled(page);
		assert.match(await page.locator(".page-head:visible .indicator-pill").innerText(), /Lifted/);
		assert.match(await page.locator(".form-layout:visible").first().innerText(), /She has asked for it/);
	}, { as: ADMINISTRATOR });
});
