// A marketer's way from a recipe to the answer why, and every screen of ours without an error. Run by
// sandbox/tests/test_browser.py on a site where two pins expire in 30 days: Ana's, and that of somebody without an address.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { formOf, inBrowser, login, openForm, openList, openWorkspace, settled } = require("./harness.cjs");

const { MARKETER, STRANGER, PASSWORD } = process.env;
const CAMPAIGN = "Renewal from a recipe";

// The dialog on top.
const dialog = (page) => page.locator(".modal.show").last();

async function close(page) {
	await dialog(page).locator(".btn-modal-close:visible").click();
	await page.locator(".modal.show").waitFor({ state: "detached" });
}

// The number under a label in the journey's first message.
async function number(page, label) {
	const cell = page.locator(".lifecycle-action").first().locator(".lifecycle-number", { hasText: label });
	return Number(await cell.locator("strong").innerText());
}

test("from a recipe to the answer why", async () => {
	await inBrowser(async (page) => {
		await login(page, MARKETER, PASSWORD);

		await openList(page, "Lifecycle Campaign");
		await page.getByRole("button", { name: "New from Recipe" }).click();
		await dialog(page).locator('[data-fieldname="campaign_name"] input').fill(CAMPAIGN);
		await dialog(page).getByRole("button", { name: "Make the Campaign" }).click();
		await formOf(page, "Lifecycle Campaign");
		await page.locator(".lifecycle-journey").waitFor();
		assert.equal(await page.locator(".lifecycle-step").count(), 3);
		assert.equal(await page.getByRole("button", { name: "Run Now" }).count(), 0, "it is not active yet");

		await page.getByRole("button", { name: "Preview", exact: true }).click();
		await dialog(page).locator("tr", { hasText: "Ana Browser" }).getByText("Would Be Told").waitFor();
		await dialog(page).locator("tr", { hasText: "No e-mail address" }).waitFor();
		await close(page);

		await page.getByRole("button", { name: "Forecast", exact: true }).click();
		await dialog(page).locator(".lifecycle-day.level-4").first().waitFor();
		await dialog(page).locator(".lifecycle-forecast-chart svg").waitFor();
		await close(page);

		await page.locator("[data-mail]").first().click();
		const mail = dialog(page).frameLocator(".lifecycle-mail iframe");
		await mail.getByText("Dear Ana Browser,").waitFor();
		await dialog(page).locator('[data-fieldname="language"] select').selectOption("es");
		await mail.getByText("Hola, Ana Browser:").waitFor();
		await dialog(page).getByRole("button", { name: "Send Me a Test" }).click();
		await page.getByText(`A test is on its way to ${MARKETER}`).waitFor();
		await close(page);

		await page.getByRole("button", { name: "Activate" }).click();
		await page.getByRole("button", { name: "Run Now" }).waitFor();
		await settled(page);
		await page.getByRole("button", { name: "Run Now" }).click();
		await dialog(page).getByText("1 mail will go out to a customer now.").waitFor();
		await dialog(page).getByRole("button", { name: "Yes" }).click();
		await dialog(page).getByText("Done.").waitFor();
		await close(page);
		await settled(page);
		assert.deepEqual([await number(page, "Told"), await number(page, "Skipped")], [1, 1]);

		await page.locator(".lifecycle-action").first().locator(".lifecycle-number", { hasText: "Told" }).click();
		await page.waitForFunction(() => window.cur_list?.doctype === "Lifecycle Execution Log");
		await settled(page);
		assert.equal(await page.locator(".list-row-container:visible .list-row").count(), 1);
		await page.getByRole("button", { name: "Why?" }).first().click();
		await dialog(page).getByText("Messages to Ana Browser").waitFor();
		await dialog(page).locator("tr", { hasText: /Queued|Completed/ }).waitFor();
		await dialog(page).locator("tr", { hasText: "Coming" }).first().waitFor();
	});
});

test("every screen opens without an error", async () => {
	await inBrowser(async (page) => {
		await login(page, MARKETER, PASSWORD);
		await openWorkspace(page, "Marketing Automation");
		await page.getByText("Told This Month").waitFor();
		for (const doctype of ["Lifecycle Campaign", "Lifecycle Trigger", "Lifecycle Action", "Lifecycle Run"]) {
			await openList(page, doctype);
			const name = await page.evaluate(
				(doctype) => frappe.db.get_list(doctype, { limit: 1 }).then((rows) => rows[0]?.name),
				doctype
			);
			await openForm(page, doctype, name);
		}
		for (const doctype of ["Customer", "Serial No"]) {
			const name = await page.evaluate(
				(doctype) => frappe.db.get_list(doctype, { limit: 1 }).then((rows) => rows[0].name),
				doctype
			);
			await openForm(page, doctype, name);
			await page.evaluate(() => {
				const why = marketing_automation.why;
				return cur_frm.doctype === "Customer"
					? why.customer(cur_frm.doc.name)
					: why.serial_no(cur_frm.doc.name);
			});
			await dialog(page).getByText("What Happened").waitFor();
		}
		for (const report of ["Campaign Performance", "Expiring Pins"]) {
			await page.goto(`/app/query-report/${report}`);
			await page.locator(".report-summary:visible").waitFor();
			await settled(page);
		}
		await page.goto("/app/lifecycle-forecast");
		await page.locator(".lifecycle-calendar").waitFor();
		await settled(page);
	});
});

test("on a phone nothing is wider than the screen", async () => {
	await inBrowser(async (page) => {
		await page.setViewportSize({ width: 390, height: 844 });
		await login(page, MARKETER, PASSWORD);
		await openForm(page, "Lifecycle Campaign", CAMPAIGN);
		await page.locator(".lifecycle-journey").waitFor();
		const width = () => page.evaluate(() => document.documentElement.scrollWidth);
		assert.ok((await width()) <= 390, "the campaign");
		await page.evaluate((campaign) => void marketing_automation.preview.show({ campaign }), CAMPAIGN);
		await dialog(page).locator(".lifecycle-table tbody tr").first().waitFor();
		assert.ok((await width()) <= 390, "the preview");
	});
});

test("who is no marketer is told nothing", async () => {
	await inBrowser(
		async (page) => {
			await login(page, STRANGER, PASSWORD);
			for (const method of ["preview", "forecast", "health", "recipes", "due_next_week"]) {
				const reply = await page.request.get(`/api/method/marketing_automation.api.${method}`);
				assert.equal(reply.status(), 403, method);
			}
			await page.goto("/app/lifecycle-forecast");
			await page.locator(".lifecycle-calendar").waitFor({ state: "detached" });
		},
		{ allowed: /status of 40[34]|PermissionError/ }
	);
});
