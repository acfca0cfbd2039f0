// What a mail is about can be attached to it, where that is something to print and its marketer may. Run by
// sandbox/tests/test_browser.py.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { call, chooseRecipe, dialog, fromRecipe, inBrowser, openForm, openList, save, settled } = require("./harness.cjs");

const { ADMINISTRATOR, MARKETER } = process.env;

const attach = (page) => page.locator('.form-layout:visible .frappe-control[data-fieldname="attach_print"]:visible');
const actionOf = (page, campaign) =>
	page
		.evaluate((campaign) => frappe.db.get_list("Lifecycle Action", { filters: { campaign }, order_by: "creation asc" }), campaign)
		.then(([action]) => action.name);
const followUp = (page, campaign_name, more = {}) =>
	call(page, "make_from_recipe", { recipe: "quotation_follow_up", campaign_name, days: "3", language: "en", ...more });

test("an action offers to attach the quotation by its name, and nothing where there is no print of it", async () => {
	await inBrowser(
		async (page) => {
			await openList(page, "Lifecycle Campaign");
			await openForm(page, "Lifecycle Action", await actionOf(page, await followUp(page, "With a quotation")));
			await attach(page).getByText("Attach the Quotation").waitFor();
			await attach(page).locator("input[data-fieldname]").check();
			await page.locator('.form-layout:visible .frappe-control[data-fieldname="print_format"]').waitFor();
			await save(page);
			assert.equal(await page.evaluate(() => cur_frm.doc.attach_print), 1);
			await openForm(page, "Lifecycle Action", await actionOf(page, await fromRecipe(page, "Without a quotation")));
			await settled(page);
			assert.equal(await attach(page).count(), 0);
		},
		{ as: ADMINISTRATOR }
	);
});

test("who may not print quotations is not offered to attach them", async () => {
	await inBrowser(
		async (page) => {
			await openList(page, "Lifecycle Campaign");
			await openForm(page, "Lifecycle Action", await actionOf(page, await followUp(page, "Without a print")));
			await settled(page);
			assert.equal(await attach(page).count(), 0);
		},
		{ as: MARKETER }
	);
});

test("the recipe for quotations asks whether to attach them, and does not suggest it", async () => {
	await inBrowser(
		async (page) => {
			await openList(page, "Lifecycle Campaign");
			await page.getByRole("button", { name: "New from Recipe" }).first().click();
			await chooseRecipe(page, "quotation_follow_up");
			const box = dialog(page).locator('input[data-fieldname="attach_print"]');
			await box.waitFor();
			assert.equal(await box.isChecked(), false);
		},
		{ as: ADMINISTRATOR }
	);
});
