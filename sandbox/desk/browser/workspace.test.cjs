// The workspace says what stands in the way of sending, and speaks the user's language. Run by
// sandbox/tests/test_browser.py.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { inBrowser, openList, openWorkspace, settled, until } = require("./harness.cjs");

const { MARKETER, SPANISH_MARKETER } = process.env;

test("the workspace says what stands in the way of sending", async () => {
	await inBrowser(
		async (page) => {
			const problems = [{ level: "red", text: "Sending is suspended.", route: "List/Lifecycle Run" }];
			await page.route(/marketing_automation\.api\.health/, (route) => route.fulfill({ json: { message: problems } }));
			await openWorkspace(page, "Marketing Automation");
			const bar = page.locator(".lifecycle-workspace-health:visible [role=alert]");
			await bar.getByText("Sending is suspended.").waitFor();
			await bar.getByRole("link", { name: "Open It" }).click();
			await until(page, () => window.cur_list?.doctype === "Lifecycle Run");
			// It is asked again by each visit, and there is one bar.
			await openWorkspace(page, "Marketing Automation");
			await bar.getByText("Sending is suspended.").waitFor();
			assert.equal(await page.locator(".lifecycle-workspace-health").count(), 1);
			await page.unrouteAll();
			await page.route(/marketing_automation\.api\.health/, (route) => route.fulfill({ json: { message: [] } }));
			await openList(page, "Lifecycle Run");
			await openWorkspace(page, "Marketing Automation");
			await settled(page);
			assert.equal(await bar.count(), 0);
		},
		{ as: MARKETER }
	);
});

test("a Spanish marketer reads the first steps and the headings in Spanish", async () => {
	await inBrowser(
		async (page) => {
			await openWorkspace(page, "Marketing Automation");
			const step = page.locator(".onboarding-step-body:visible");
			// The one that is open is the first that nobody has done yet.
			await page.locator(".onboarding-step:visible").first().click();
			await step.getByText("En la lista de campañas elija").waitFor();
			await page.locator(".ce-header:visible", { hasText: "Tus atajos" }).waitFor();
			await page.locator(".ce-header:visible", { hasText: "Todo lo demás" }).waitFor();
			for (const title of await page.locator(".onboarding-step:visible").all()) {
				await title.click();
				assert.doesNotMatch(await step.innerText(), /\b(the|and|your)\b/);
			}
		},
		{ as: SPANISH_MARKETER }
	);
});

test("a product that was given back is not called a mail that was", async () => {
	await inBrowser(
		async (page) => {
			await openList(page, "Lifecycle Execution Log");
			const label = (page) =>
				page.evaluate(() => [
					marketing_automation.reason("Returned"),
					$(cur_list.page.fields_dict.reason.$input).find('option[value="Returned"]').text(),
					// A word of other screens', which is not ours to change.
					__("Returned"),
				]);
			assert.deepEqual(await label(page), ["Producto devuelto", "Producto devuelto", await page.evaluate(() => frappe._messages.Returned || "Returned")]);
			assert.notEqual((await label(page))[2], "Producto devuelto");
			// As long as nobody chooses one, the list is of all.
			const chosen = () => page.evaluate(() => cur_list.page.fields_dict.reason.get_value() || "");
			assert.equal(await chosen(), "");
			assert.deepEqual(await page.evaluate(() => cur_list.get_filters_for_args().map((filter) => filter[1])), []);
		},
		{ as: SPANISH_MARKETER }
	);
});
