// What the gate makes of messages, as it is seen: who has had enough, who waits for a new domain to warm up, and what somebody
// has said by telephone. Run by sandbox/tests/test_browser.py.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const harness = require("./harness.cjs");
const { answered, call, closeDialog, dialog, formOf, inBrowser, openForm, openList, settled, until } = harness;

const { ADMINISTRATOR, MARKETER } = process.env;

// Make a campaign about what expires in so many days, and run it; returns its name. In 400 it is Rare Browser's alone, in 500 Talk
// Browser's.
async function farAhead(page, campaign_name, days) {
	await openList(page, "Lifecycle Campaign");
	const name = await call(page, "make_from_recipe", {
		recipe: "subscription_renewal", campaign_name, days, language: "en",
	});
	await switched(page, name, 1);
	const run = await call(page, "run_now", { campaign: name });
	await answered(page, (run) => marketing_automation.ready().then((ma) => ma.call("run_progress", { run })).then((r) => r.status === "Completed"), run);
	return name;
}

const switched = (page, name, value) =>
	page.evaluate(
		([name, value]) => frappe.xcall("frappe.client.set_value", { doctype: "Lifecycle Campaign", name, fieldname: "is_active", value }),
		[name, value]
	);

const nameOf = (page, doctype, filters) =>
	page.evaluate(
		([doctype, filters]) => frappe.db.get_list(doctype, { filters, limit: 1 }).then((rows) => rows[0]?.name),
		[doctype, filters]
	);

test("Why? says of a message that waits for the frequency cap until when, and which message came first", async () => {
	await inBrowser(
		async (page) => {
			const first = await farAhead(page, "Capped, the first", "400");
			const second = await farAhead(page, "Capped, the second", "400");
			const customer = await nameOf(page, "Customer", { customer_name: "Rare Browser" });
			const sent = await nameOf(page, "Lifecycle Execution Log", { campaign: first });
			await page.evaluate((customer) => marketing_automation.ready().then((ma) => ma.why.customer(customer)), customer);
			await dialog(page).getByText("Messages to Rare Browser").waitFor();
			const row = dialog(page).locator("tr", { hasText: second }).first();
			await row.getByText("Waiting").waitFor();
			assert.match(await row.innerText(), /Frequency cap, until [\d-]{10} 00:00/);
			await row.getByRole("link", { name: `Message Log ${sent}` }).click();
			await formOf(page, "Lifecycle Execution Log");
			assert.equal(await page.evaluate(() => cur_frm.doc.campaign), first);
			// Other tests look at what is active.
			for (const campaign of [first, second]) await switched(page, campaign, 0);
			await settled(page);
		},
		{ as: MARKETER }
	);
});

// Change a setting of the site.
const set = (page, fieldname, value) =>
	page.evaluate(
		([fieldname, value]) => {
			const doctype = "Marketing Automation Settings";
			return frappe.xcall("frappe.client.set_value", { doctype, name: doctype, fieldname, value });
		},
		[fieldname, value]
	);

test("a message that waits for the warm-up says so in the journey and in the message log", async () => {
	await inBrowser(
		async (page) => {
			await openList(page, "Lifecycle Campaign");
			// Before a plan begins nothing leaves.
			const begins = await page.evaluate(() => frappe.datetime.add_days(frappe.datetime.nowdate(), 2));
			const plan = (start) => set(page, "warmup_start", start ? begins : "");
			await plan(true);
			try {
				const name = await farAhead(page, "Warming up", "500");
				await openForm(page, "Lifecycle Campaign", name);
				await page.locator(".lifecycle-number", { hasText: /1\s*waiting|Waiting\s*1/i }).first().waitFor();
				await openList(page, "Lifecycle Execution Log");
				await page.evaluate(() => cur_list.filter_area.clear());
				await until(page, () => {
					const rows = [...document.querySelectorAll(".list-row")].filter((row) => row.getClientRects().length);
					return rows.some((row) => /Warm-up[^]*until/.test(row.textContent));
				});
				await openForm(page, "Lifecycle Execution Log", await nameOf(page, "Lifecycle Execution Log", { campaign: name }));
				assert.deepEqual(await page.evaluate(() => [cur_frm.doc.status, cur_frm.doc.reason]), ["Waiting", "Warm-up"]);
				await switched(page, name, 0);
			} finally {
				await plan(false);
			}
		},
		{ as: ADMINISTRATOR }
	);
});

test("on a contact somebody is asked for consent, and what they say by telephone is written down", async () => {
	await inBrowser(
		async (page) => {
			await openList(page, "Contact");
			// Where the button of the mail leads.
			await set(page, "public_address", "https://shop.example");
			const contact = await nameOf(page, "Contact", [["Contact Email", "email_id", "=", "talk@customers.example"]]);
			await openForm(page, "Contact", contact);
			const choose = async (label) => {
				await page.locator(".page-head:visible").getByRole("button", { name: "Marketing" }).click();
				await page.locator(".dropdown-menu:visible").getByText(label, { exact: true }).click();
			};
			await choose("Ask for Consent");
			await dialog(page).locator('[data-fieldname="topic"] select').selectOption("Offers");
			await dialog(page).getByRole("button", { name: "Send" }).click();
			await page.getByText("Sent to talk@customers.example.").waitFor();
			await settled(page);

			await choose("Write Down What They Said");
			await dialog(page).locator('[data-fieldname="agrees"] select').selectOption({ label: "They want no more" });
			await dialog(page).locator('[data-fieldname="topic"] select').selectOption("Offers");
			await dialog(page).locator('[data-fieldname="text"] textarea').fill("By telephone, on Monday: no offers");
			await dialog(page).getByRole("button", { name: "Submit" }).click();
			await page.getByText("Saved.", { exact: true }).first().waitFor();
			await settled(page);

			await choose("What They Have Said");
			await until(page, () => window.cur_list?.doctype === "Lifecycle Consent");
			await settled(page);
			const said = await page.evaluate(
				(contact) =>
					frappe.db.get_list("Lifecycle Consent", {
						filters: { contact }, fields: ["kind", "topic", "source"], order_by: "occurred_at asc",
					}),
				contact
			);
			assert.deepEqual(said.map((one) => [one.kind, one.topic, one.source]), [
				["Asked", "Offers", "Double opt-in"],
				["Withdrawn", "Offers", "By hand"],
			]);
			for (const kind of ["Asked", "Withdrawn"]) {
				await page.locator(".list-row:visible", { hasText: kind }).first().waitFor();
			}
			await set(page, "public_address", "");
		},
		{ as: ADMINISTRATOR }
	);
});

test("an entry of the suppression list is lifted on a phone, too", async () => {
	const address = `phone-${Date.now()}@customers.example`;
	await inBrowser(
		async (page) => {
			await openList(page, "Lifecycle Suppression");
			await call(page, "add_suppressions", { text: address });
			const name = await nameOf(page, "Lifecycle Suppression", { address });
			await openForm(page, "Lifecycle Suppression", name);
			await page.locator(".page-head:visible .menu-btn-group > button").click();
			await page.locator(".dropdown-menu:visible").getByText("Lift", { exact: true }).click();
			const why = dialog(page).locator('[data-fieldname="why"] textarea');
			await why.fill("She has asked for it");
			const box = await dialog(page).getByRole("button", { name: "Lift" }).boundingBox();
			assert.ok(box.x >= 0 && box.x + box.width <= 390, "its button is on the screen");
			await dialog(page).getByRole("button", { name: "Lift" }).click();
			await until(page, () => cur_frm.doc.status === "Lifted");
			await settled(page);
			assert.match(await page.locator(".page-head:visible .indicator-pill").innerText(), /Lifted/);
			const width = await page.evaluate(() => document.documentElement.scrollWidth);
			assert.ok(width <= 390, `the form is ${width} wide`);
		},
		{ as: ADMINISTRATOR, phone: true }
	);
});
