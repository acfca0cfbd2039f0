// What marketers do with campaigns in the Desk, and what others cannot. Run by sandbox/tests/test_browser.py.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { fill, formOf, inBrowser, login, openList, save } = require("./harness.cjs");

const { MARKETER, STRANGER, PASSWORD } = process.env;

test("a marketer creates a campaign from the list", async () => {
	await inBrowser(async (page) => {
		await login(page, MARKETER, PASSWORD);
		await openList(page, "Lifecycle Campaign");
		await page.locator(".page-head:visible .primary-action").click();
		await formOf(page, "Lifecycle Campaign");
		await fill(page, "campaign_name", "Renewal in the browser");
		await fill(page, "description", "Written by hand");
		await save(page);

		await openList(page, "Lifecycle Campaign");
		await page.locator(".list-row", { hasText: "Renewal in the browser" }).waitFor();
	});
});

test("somebody who is no marketer sees no campaigns", async () => {
	await inBrowser(
		async (page) => {
			await login(page, STRANGER, PASSWORD);
			await page.goto("/app/lifecycle-campaign");
			// The Desk does not even say that there is such a page.
			await page.getByText("Page lifecycle-campaign not found").waitFor();
			const reply = await page.request.get("/api/resource/Lifecycle Campaign");
			assert.equal(reply.status(), 403);
		},
		{ allowed: /status of 404/ }
	);
});
