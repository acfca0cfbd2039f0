// What marketers do with campaigns in the Desk by hand, and what others cannot. Run by sandbox/tests/test_browser.py.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const harness = require("./harness.cjs");
const { activate, closeDialog, dialog, fill, formOf, inBrowser, openForm, openList, openNew, openWorkspace } = harness;
const { openReport, save, settled } = harness;

const { MARKETER, STRANGER } = process.env;

test("a marketer creates a campaign from the list, for all companies", async () => {
	await inBrowser(
		async (page) => {
			await openList(page, "Lifecycle Campaign");
			// As on a site where ERPNext knows one company.
			const before = await page.evaluate(() => frappe.boot.user.defaults.company);
			await page.evaluate(() => (frappe.boot.user.defaults.company = "Somebody Ltd"));
			await page.locator(".page-head:visible .menu-btn-group > button").click();
			await page.locator(".dropdown-menu:visible").getByText("New Empty Campaign").click();
			await formOf(page, "Lifecycle Campaign");
			await fill(page, "campaign_name", "Renewal in the browser");
			await fill(page, "description", "Written by hand");
			await save(page);
			assert.ok(!(await page.evaluate(() => cur_frm.doc.company)), "no company was chosen");
			await page.evaluate((before) => (frappe.boot.user.defaults.company = before), before);
			await page.getByText("This campaign has no trigger yet.").waitFor();

			await openList(page, "Lifecycle Campaign");
			await page.locator(".list-row", { hasText: "Renewal in the browser" }).waitFor();
		},
		{ as: MARKETER }
	);
});

test("triggers and actions are added, opened and switched off in the journey", async () => {
	await inBrowser(
		async (page) => {
			await openNew(page, "To be extended");
			const step = page.locator(".lifecycle-step").first();
			for (const doctype of ["Lifecycle Trigger", "Lifecycle Action"]) {
				const box = step.locator(`[data-switch][data-doctype="${doctype}"]`);
				const name = await box.getAttribute("data-switch");
				await box.uncheck();
				await settled(page);
				const enabled = await page.evaluate(
					([doctype, name]) => frappe.db.get_value(doctype, { name }, "enabled").then((r) => r.message.enabled),
					[doctype, name]
				);
				assert.equal(enabled, 0, doctype);
			}
			await page.locator(".lifecycle-step.off .lifecycle-action.off").waitFor();

			await page.locator("[data-add='Lifecycle Trigger']").click();
			await formOf(page, "Lifecycle Trigger");
			assert.equal(await page.evaluate(() => cur_frm.doc.campaign), "To be extended");
			await fill(page, "trigger_name", "Two months before");
			// Frappe's number fields make a number of whatever has the focus a tenth of a second after they had it.
			await page.locator('.form-layout [data-fieldname="days_offset"] input').focus();
			await page.waitForTimeout(300);
			await fill(page, "days_offset", "60");
			await save(page);
			await page.getByRole("button", { name: "Campaign", exact: true }).click();
			await formOf(page, "Lifecycle Campaign");
			const added = page.locator(".lifecycle-step", { hasText: "Two months before" });
			await added.getByText("Before expiration: 60 days").waitFor();
			await added.locator("[data-add='Lifecycle Action']").click();
			await formOf(page, "Lifecycle Action");
			assert.ok(await page.evaluate(() => cur_frm.doc.trigger), "it knows its trigger");
		},
		{ as: MARKETER }
	);
});

test("what is refused stays as it was", async () => {
	await inBrowser(
		async (page) => {
			await openNew(page, "To be refused");
			await activate(page);
			const box = (doctype) => page.locator(".lifecycle-step").first().locator(`[data-switch][data-doctype="${doctype}"]`);
			for (const doctype of ["Lifecycle Action", "Lifecycle Trigger"]) {
				await box(doctype).uncheck();
				await settled(page);
			}
			await box("Lifecycle Trigger").click();
			await dialog(page).getByText("The trigger has no enabled action.").waitFor();
			await settled(page);
			assert.ok(!(await box("Lifecycle Trigger").isChecked()));
			await closeDialog(page);

			const empty = await page.evaluate(() =>
				frappe.db.insert({ doctype: "Lifecycle Campaign", campaign_name: "Without a trigger" }).then((doc) => doc.name)
			);
			await openForm(page, "Lifecycle Campaign", empty);
			await page.getByRole("button", { name: "Activate" }).click();
			await dialog(page).getByText("has no enabled trigger").waitFor();
			await settled(page);
			const after = await page.evaluate(() => [Boolean(cur_frm.is_dirty()), Number(cur_frm.doc.is_active)]);
			assert.deepEqual(after, [false, 0]);
		},
		// The Desk reports what was refused, and that a save was.
		{ as: MARKETER, allowed: /status of 417|ValidationError|^undefined/ }
	);
});

test("a message is read on a phone and as plain text", async () => {
	await inBrowser(
		async (page) => {
			await openNew(page, "To be read");
			await page.locator("[data-mail]").first().click();
			const shown = dialog(page).locator('[data-fieldname="width"] select');
			await dialog(page).locator(".lifecycle-mail.desktop iframe").waitFor();
			const width = async () => (await dialog(page).locator(".lifecycle-mail iframe").boundingBox()).width;
			const desktop = await width();
			await shown.selectOption("phone");
			await dialog(page).locator(".lifecycle-mail.phone iframe").waitFor();
			assert.ok((await width()) < 420 && desktop > 600, `${await width()} and ${desktop} wide`);
			await shown.selectOption("text");
			assert.match(await dialog(page).locator(".lifecycle-mail.text pre").innerText(), /Dear Ana Browser,/);
		},
		{ as: MARKETER }
	);
});

test("a message leads to its text, and the text says which words there are", async () => {
	await inBrowser(
		async (page) => {
			await openNew(page, "To be reworded");
			await page.locator("[data-mail]").first().click();
			await dialog(page).getByRole("link", { name: "Email Template" }).click();
			await formOf(page, "Email Template");
			await page.locator(".lifecycle-words").getByText("{{ customer_name }}", { exact: true }).waitFor();
			await harness.becomes(() => page.locator(".modal.show").count(), 0);
			await harness.becomes(() => page.getByText("Email Reply Example").count(), 0);
			await page.locator(".page-head:visible").getByRole("button", { name: "See the Message" }).click();
			await dialog(page).locator(".lifecycle-mail iframe").waitFor();
			await closeDialog(page);
			await page.locator(".page-head:visible").getByRole("button", { name: "Campaign", exact: true }).click();
			await formOf(page, "Lifecycle Campaign");
			assert.equal(await page.evaluate(() => cur_frm.doc.name), "To be reworded");
		},
		{ as: MARKETER }
	);
});

test("whatever others have named is text", async () => {
	const name = '"<img src=x onerror=alert(1)>"';
	const found = { customer: "C", customer_name: name, email: null, left: [], history: [], coming: [], withheld: [], inactive: [] };
	await inBrowser(
		async (page) => {
			await openReport(page, "Expiring Pins");
			const cell = await page.evaluate(
				(name) =>
					frappe.query_report.report_settings.formatter(name, [], { fieldtype: "Data" }, {}, (value) => value),
				name
			);
			assert.ok(!cell.includes("<"), cell);
			await page.route(/why_customer/, (route) => route.fulfill({ json: { message: found } }));
			await page.evaluate(() => void marketing_automation.why.customer("<b>C</b>"));
			await dialog(page).getByText(`Messages to ${name}`).waitFor();
			assert.equal(await dialog(page).locator("img, b").count(), 0);
		},
		{ as: MARKETER }
	);
});

test("why is asked on the forms of customer and serial number", async () => {
	await inBrowser(
		async (page) => {
			await openForm(page, "Serial No", "BROWSER-1");
			const customer = await page.evaluate(() => cur_frm.doc.customer);
			for (const [doctype, name, title] of [
				["Serial No", "BROWSER-1", "Messages about BROWSER-1"],
				["Customer", customer, "Messages to Ana Browser"],
			]) {
				await openForm(page, doctype, name);
				await page.locator(".page-head:visible").getByRole("button", { name: "View", exact: true }).click();
				await page.locator(".dropdown-menu:visible").getByText("Messages: What and Why").click();
				await dialog(page).getByText(title).waitFor();
				await dialog(page).getByText("What Happened").waitFor();
				await closeDialog(page);
			}
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
			await harness.escape(page);
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
			for (const route of ["lifecycle-campaign", "lifecycle-forecast"]) {
				await page.goto(`/app/${route}`);
				// The Desk does not even say that there is such a page; that of Frappe 16 says so of all that are not theirs.
				await page.getByText(`Page ${route} not found`).or(page.getByText("Not permitted")).first().waitFor();
				assert.equal(await page.locator(".lifecycle-calendar").count(), 0);
			}
			await page.goto("/app");
			await settled(page);
			const ours = page.locator(".sidebar-item-label, .desktop-icon", { hasText: "Marketing Automation" });
			assert.equal(await ours.count(), 0);
			for (const doctype of ["Campaign", "Trigger", "Action", "Execution Log", "Run"]) {
				const reply = await page.request.get(`/api/resource/Lifecycle ${doctype}`);
				assert.equal(reply.status(), 403, doctype);
			}
			for (const method of ["preview", "forecast", "health", "recipes", "due_next_week"]) {
				const reply = await page.request.get(`/api/method/marketing_automation.api.${method}`);
				assert.equal(reply.status(), 403, method);
			}
			await openForm(page, "Customer", await page.evaluate(() => frappe.db.get_list("Customer", { limit: 1 }).then((rows) => rows[0].name)));
			await settled(page);
			assert.equal(await page.getByText("Messages: What and Why").count(), 0);
		},
		{ as: STRANGER, allowed: /status of 40[34]|PermissionError/ }
	);
});
