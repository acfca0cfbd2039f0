// A campaign about a document type that the site has made itself, without code. Run by sandbox/tests/test_browser.py.

const { test } = require("node:test");
const { activate, becomes, dialog, closeDialog, fill, formOf, inBrowser, openForm, openList, openReport, save, settled } = require("./harness.cjs");

const { MARKETER } = process.env;
const NAME = "Visits in the browser";

const value = (page, field) => page.evaluate((field) => cur_frm.doc[field], field);

// Choose in a field that offers what is begun.
async function choose(page, field, begun, wanted) {
	const control = page.locator(`.form-layout [data-fieldname="${field}"]`);
	await control.locator("input").fill(begun);
	await control.locator("li", { hasText: begun }).first().waitFor();
	await page.keyboard.press("Tab");
	await becomes(() => value(page, field), wanted);
	await settled(page);
}

test("a marketer makes a campaign for a document type of the site's own, and asks why on its form", async () => {
	await inBrowser(
		async (page) => {
			await openList(page, "Lifecycle Campaign");
			await page.evaluate(
				(campaign_name) => frappe.db.insert({ doctype: "Lifecycle Campaign", campaign_name }).then(() => true),
				NAME
			);
			await openForm(page, "Lifecycle Campaign", NAME);
			await page.locator("[data-add='Lifecycle Trigger']").first().click();
			await formOf(page, "Lifecycle Trigger");
			await choose(page, "source", "On a date of another document type", "Other DocType");
			await choose(page, "reference_doctype", "Shop Visit", "Shop Visit");
			// There is one date, and one way to a customer.
			await becomes(() => value(page, "date_field"), "visit_on");
			await becomes(() => value(page, "customer_field"), "client");
			await page.locator('.form-layout [data-fieldname="days_offset"] input').focus();
			await page.waitForTimeout(300);
			await fill(page, "days_offset", "7");
			await save(page);

			await page.locator(".page-head:visible").getByRole("button", { name: "Add an Action" }).click();
			await formOf(page, "Lifecycle Action");
			await fill(page, "action_name", "Remind of the visit");
			await choose(page, "email_template", "Visit Reminder", "Visit Reminder");
			await save(page);
			await page.locator(".page-head:visible").getByRole("button", { name: "Campaign", exact: true }).click();
			await formOf(page, "Lifecycle Campaign");
			await page.locator("[data-mail]").first().click();
			await dialog(page).locator(".lifecycle-mail iframe").waitFor();
			await dialog(page).frameLocator(".lifecycle-mail iframe").getByText("Dear Ana Browser, Boiler on").waitFor();
			await closeDialog(page);
			await activate(page);

			// The Desk learns of a document type when it is loaded.
			await page.goto("/app/shop-visit/VISIT-1");
			await formOf(page, "Shop Visit");
			await page.locator(".page-head:visible").getByRole("button", { name: "View", exact: true }).click();
			await page.locator(".dropdown-menu:visible").getByText("Messages: What and Why").click();
			await dialog(page).getByText("Messages about VISIT-1").waitFor();
			await dialog(page).getByText(NAME).first().waitFor();
			await dialog(page).getByText("Remind of the visit").first().waitFor();
			await closeDialog(page);
		},
		{ as: MARKETER }
	);
});

test("the report of what no trigger catches is about a document type of the site's own, too", async () => {
	await inBrowser(
		async (page) => {
			await openReport(page, "Expiring Pins");
			const filter = (name) => page.locator(`.page-form:visible [data-fieldname="${name}"]`);
			const chosen = (name) => page.evaluate((name) => frappe.query_report.get_filter_value(name), name);
			for (const [name, begun, wanted] of [
				["source", "On a date of another document type", "Other DocType"],
				["reference_doctype", "Shop Visit", "Shop Visit"],
			]) {
				await filter(name).locator("input").fill(begun);
				await filter(name).locator("li", { hasText: begun }).first().click();
				await becomes(() => chosen(name), wanted);
			}
			await becomes(() => chosen("customer_field"), "client");
			await becomes(() => chosen("date_field"), "visit_on");
			await settled(page);
			await page.evaluate(() => frappe.query_report.set_filter_value("show_all", 1));
			await page.locator(".dt-cell__content:visible", { hasText: "VISIT-1" }).first().waitFor();
		},
		{ as: MARKETER }
	);
});
