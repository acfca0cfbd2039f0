// The dialog that makes a campaign from a recipe: which one, and only what that one asks.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { chooseRecipe, dialog, formOf, inBrowser, openList, settled } = require("./harness.cjs");

const { MARKETER } = process.env;

// Which of the dialog's questions are seen.
const asked = (page) =>
	dialog(page)
		.locator(".frappe-control[data-fieldname]:visible")
		.evaluateAll((controls) => controls.map((control) => control.dataset.fieldname).filter((name) => !["about", "state"].includes(name)));

test("a recipe is chosen first, and asks only what it needs", async () => {
	await inBrowser(
		async (page) => {
			await openList(page, "Lifecycle Campaign");
			await page.getByRole("button", { name: "New from Recipe" }).first().click();
			const recipes = dialog(page).locator("[data-recipe]");
			await recipes.first().waitFor();
			assert.equal(await recipes.count(), 9);
			assert.deepEqual(await asked(page), ["choices"], "nothing is asked yet");
			assert.equal(await dialog(page).getByRole("button", { name: "Make the Campaign" }).isVisible(), false);
			const birthday = dialog(page).locator('[data-recipe="birthday"]');
			assert.ok(await birthday.isDisabled());
			assert.match(await birthday.innerText(), /Customize Form/);

			await chooseRecipe(page, "payment_reminder");
			await settled(page);
			const common = ["language", "sender", "company", "combine_messages"];
			assert.deepEqual(await asked(page), ["campaign_name", "days", "days_after", ...common]);
			assert.equal(await dialog(page).locator('[data-fieldname="days_after"] input').inputValue(), "3, 14");
			// It is of service, and this marketer is no manager.
			await dialog(page).getByText("Yours will be Marketing").waitFor();

			await dialog(page).getByRole("button", { name: "Choose Another Recipe" }).click();
			await chooseRecipe(page, "quotation_follow_up");
			await settled(page);
			assert.deepEqual(await asked(page), ["campaign_name", "days", ...common]);
			assert.equal(await dialog(page).getByText("Yours will be Marketing").count(), 0);
			await dialog(page).locator('[data-fieldname="campaign_name"] input').fill("Quotations from a recipe");
			await dialog(page).getByRole("button", { name: "Make the Campaign" }).click();
			await formOf(page, "Lifecycle Campaign");
			await page.locator(".lifecycle-step").nth(1).waitFor();
			assert.equal(await page.locator(".lifecycle-step").count(), 2);
		},
		{ as: MARKETER }
	);
});
