// What marketers do with campaigns in the Desk by hand, and what others cannot. Run by sandbox/tests/test_browser.py.

const assert = require("node:assert/strict");
const { after, test } = require("node:test");
const { closeBrowser, dialog, fill, formOf, inBrowser, openForm, openList, openWorkspace, save, settled } = require(
	"./harness.cjs"
);

const { MARKETER, STRANGER } = process.env;

after(closeBrowser);

test("a marketer creates a campaign from the list, for all companies", async () => {
	await inBrowser(
		async (page) => {
			await openList(page, "Lifecycle Campaign");
			// As on a site where ERPNext knows one company.
			await page.evaluate(() => (frappe.boot.user.defaults.company = "Somebody Ltd"));
			await page.locator(".page-head:visible .primary-action").click();
			await formOf(page, "Lifecycle Campaign");
			await fill(page, "campaign_name", "Renewal in the browser");
			await fill(page, "description", "Written by hand");
			await save(page);
			assert.ok(!(await page.evaluate(() => cur_frm.doc.company)), "no company was chosen");
			await page.getByText("This campaign has no trigger yet.").waitFor();

			await openList(page, "Lifecycle Campaign");
			await page.locator(".list-row", { hasText: "Renewal in the browser" }).waitFor();
		},
		{ as: MARKETER }
	);
});

test("the first steps lead from the workspace to a campaign", async () => {
	await inBrowser(
		async (page) => {
			await openWorkspace(page, "Marketing Automation");
			await page.locator(".onboarding-step.active").waitFor();
			assert.deepEqual(await page.locator(".step-title > div:last-child").allTextContents(), [
				"Make Your First Campaign",
				"Look at What It Would Do",
				"Send Yourself a Test",
				"Find Pins That Nobody Hears About",
				"Activate It and Follow the Messages",
			]);
			await page.getByRole("button", { name: "Open the campaigns" }).click();
			await dialog(page).getByText("Choose New from Recipe, at the top of this list.").waitFor();
			await page.keyboard.press("Escape");
			await page.getByRole("button", { name: "New from Recipe" }).waitFor();

			await openWorkspace(page, "Marketing Automation");
			await page.locator(".onboarding-step.complete", { hasText: "Make Your First Campaign" }).waitFor();
			await page.locator(".onboarding-step.active", { hasText: "Look at What It Would Do" }).waitFor();
		},
		{ as: MARKETER }
	);
});

test("who is no marketer sees nothing of it and is told nothing", async () => {
	await inBrowser(
		async (page) => {
			await page.goto("/app/lifecycle-campaign");
			// The Desk does not even say that there is such a page.
			await page.getByText("Page lifecycle-campaign not found").waitFor();
			assert.equal(await page.locator(".sidebar-item-label", { hasText: "Marketing Automation" }).count(), 0);
			for (const doctype of ["Campaign", "Trigger", "Action", "Execution Log", "Run"]) {
				const reply = await page.request.get(`/api/resource/Lifecycle ${doctype}`);
				assert.equal(reply.status(), 403, doctype);
			}
			for (const method of ["preview", "forecast", "health", "recipes", "due_next_week"]) {
				const reply = await page.request.get(`/api/method/marketing_automation.api.${method}`);
				assert.equal(reply.status(), 403, method);
			}
			await page.goto("/app/lifecycle-forecast");
			await page.getByText("Page lifecycle-forecast not found").or(page.getByText("Not permitted")).first().waitFor();
			assert.equal(await page.locator(".lifecycle-calendar").count(), 0);

			await openForm(page, "Customer", await page.evaluate(() => frappe.db.get_list("Customer", { limit: 1 }).then((rows) => rows[0].name)));
			await settled(page);
			assert.equal(await page.getByText("Messages: What and Why").count(), 0);
		},
		{ as: STRANGER, allowed: /status of 40[34]|PermissionError/ }
	);
});
