// Who only moves through a form changes nothing. Run by sandbox/tests/test_browser.py.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { becomes, formOf, inBrowser, openNew, openReport, save, settled } = require("./harness.cjs");

const { MARKETER } = process.env;

// As long as Frappe and its lists of choices may take to come after the focus.
const rest = (page) => page.waitForTimeout(700);
const values = (page) => page.evaluate(() => ({ ...cur_frm.doc, modified: null }));

test("who tabs through a trigger, there and back, fast or slowly, empties no field", async () => {
	await inBrowser(
		async (page) => {
			await openNew(page, "To be tabbed through");
			await page.locator(".lifecycle-trigger [data-doctype='Lifecycle Trigger']").first().click();
			await formOf(page, "Lifecycle Trigger");
			const before = await values(page);
			const shown = () => page.locator('.form-layout [data-fieldname="date_field"] input').inputValue();
			for (const pause of [0, 150, 700]) {
				for (const key of ["Tab", "Shift+Tab"]) {
					const first = key === "Tab" ? "trigger_type" : "item_group";
					await page.locator(`.form-layout [data-fieldname="${first}"]`).locator("input, select").first().focus();
					for (let step = 0; step < 4; step++) {
						await page.keyboard.press(key);
						if (pause) await page.waitForTimeout(pause);
					}
					await rest(page);
					assert.equal(await shown(), "Warranty Expiry Date", `${key}, ${pause}`);
					assert.deepEqual(await values(page), before, `${key}, ${pause}`);
				}
			}
			assert.equal(await page.evaluate(() => cur_frm.is_dirty()), false);
		},
		{ as: MARKETER }
	);
});

test("who makes a trigger by keyboard, before the date fields are known, saves it as it stands", async () => {
	await inBrowser(
		async (page) => {
			await openNew(page, "To get one more");
			await page.route(/api\.date_fields/, async (route) => {
				await page.waitForTimeout(1500);
				await route.continue();
			});
			// The form asks once for all the triggers that it shows.
			await page.reload();
			await page.locator("[data-add='Lifecycle Trigger']").click();
			await formOf(page, "Lifecycle Trigger");
			const name = page.locator('.form-layout [data-fieldname="trigger_name"] input');
			await name.fill("By keyboard");
			for (let step = 0; step < 6; step++) await page.keyboard.press("Tab");
			await becomes(() => page.evaluate(() => cur_frm.doc.date_field), "warranty_expiry_date");
			await settled(page);
			await rest(page);
			assert.equal(await page.evaluate(() => cur_frm.doc.date_field), "warranty_expiry_date");
			await save(page);
		},
		{ as: MARKETER }
	);
});

test("what is begun in Date Field and left with Tab is what was marked", async () => {
	await inBrowser(
		async (page) => {
			await openNew(page, "To be completed");
			await page.locator(".lifecycle-trigger [data-doctype='Lifecycle Trigger']").first().click();
			await formOf(page, "Lifecycle Trigger");
			const input = page.locator('.form-layout [data-fieldname="date_field"] input');
			await input.fill("AMC");
			await page.locator('.form-layout [data-fieldname="date_field"] li', { hasText: "AMC Expiry Date" }).waitFor();
			await page.keyboard.press("Tab");
			await becomes(() => page.evaluate(() => cur_frm.doc.date_field), "amc_expiry_date");
			await page.evaluate(() => cur_frm.reload_doc());
			await settled(page);

			await openReport(page, "Expiring Pins");
			const filter = page.locator('.page-form:visible [data-fieldname="date_field"] input');
			await becomes(() => filter.inputValue(), "Warranty Expiry Date");
			await filter.focus();
			await page.keyboard.press("Tab");
			await rest(page);
			assert.equal(await filter.inputValue(), "Warranty Expiry Date");
		},
		{ as: MARKETER }
	);
});

test("the hours of a campaign are the customer's, and no time zone stands below them", async () => {
	await inBrowser(
		async (page) => {
			await openNew(page, "By the customer's clock");
			// Where a user's clock is another than the site's, Frappe names the site's below each time.
			await page.evaluate(() => {
				window.usual = frappe.datetime.is_system_time_zone;
				frappe.datetime.is_system_time_zone = () => false;
				return cur_frm.set_value("send_window", "Own hours");
			});
			await page.evaluate(() => cur_frm.refresh());
			await settled(page);
			const below = (field) =>
				page.evaluate((field) => cur_frm.fields_dict[field].$wrapper.find(".help-box").text(), field);
			assert.deepEqual(
				[await below("send_from"), await below("send_until")],
				["", "A time before Send From is one of the next day."]
			);
			await page.evaluate(() => (frappe.datetime.is_system_time_zone = window.usual));
		},
		{ as: MARKETER }
	);
});
