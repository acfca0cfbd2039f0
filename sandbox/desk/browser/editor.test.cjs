// A marketer changes a message without a developer: words, a button, a condition, another language, a test, and puts it to
// use. Run by sandbox/tests/test_browser.py.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { becomes, closeDialog, dialog, fromRecipe, go, inBrowser, openForm, openList, settled } = require("./harness.cjs");
const { examine } = require("./axe.cjs");

const { MARKETER, SPANISH_MARKETER } = process.env;

const block = (page, id) => page.locator(`.me-page:visible li[data-block="${id}"]`);
const mail = (page) => page.frameLocator(".me-frame:visible iframe");
const text = (page, key) => page.locator(`.me-page:visible [data-key="${key}"]`).first();

// Make a campaign from the recipe and open the editor on its first message; returns the name of the design.
async function openEditor(page, campaign, language = "en") {
	await openList(page, "Lifecycle Campaign");
	await fromRecipe(page, campaign, language);
	const [design] = await page.evaluate(
		(campaign) =>
			frappe.db.get_list("Lifecycle Message Design", {
				filters: { design_name: ["like", `${campaign}%`], gallery: "renewal" },
				order_by: "creation asc",
			}),
		campaign
	);
	await go(page, `lifecycle-message-editor/${encodeURIComponent(design.name)}`);
	await page.locator(".me-frame:visible iframe").waitFor();
	await settled(page);
	return design.name;
}

test("a word, a button with a condition, and it is in use in so many clicks", async () => {
	await inBrowser(
		async (page) => {
			const asked = [];
			page.on("request", (request) => {
				if (!request.url().startsWith(process.env.DESK_URL) && !/^(data|blob|about):/.test(request.url())) asked.push(request.url());
			});
			const design = await openEditor(page, "Edited");
			let clicks = 0;
			const click = async (locator) => {
				clicks += 1;
				await locator.click();
			};
			// A word: two clicks, to the block and into its text.
			await click(mail(page).getByText("Stay with us"));
			await click(text(page, "heading1.text"));
			await text(page, "heading1.text").fill("Stay with us, please");
			await mail(page).getByText("Stay with us, please").waitFor();
			assert.equal(clicks, 2);
			// A variable is clicked in.
			await text(page, "heading1.text").press("End");
			await page.locator('.me-open [data-word="customer_name"]').click();
			assert.match(await text(page, "heading1.text").inputValue(), /please\{\{ customer_name \}\}$/);
			await mail(page).getByText("Stay with us, pleaseAna Browser").waitFor();
			// A button: three clicks.
			clicks = 0;
			await click(page.locator('.me-palette:visible [data-add="button"]'));
			const added = await page.locator(".me-open").getAttribute("data-block");
			await text(page, `${added}.text`).fill("Ask us");
			await page.locator(".me-open select").first().selectOption("address");
			await text(page, `${added}.address`).fill("https://shop.example/ask");
			await mail(page).getByText("Ask us").waitFor();
			// A condition: two more.
			await click(page.locator(".me-open .me-condition summary"));
			await click(page.locator(".me-open .me-condition").getByRole("button", { name: "Add a Condition" }));
			assert.equal(clicks, 3);
			await block(page, added).getByText(/Only if .* is under 7/).first().waitFor();
			await mail(page).getByText("Ask us").waitFor({ state: "detached" });
			// Undone, and done again.
			await page.locator(".me-page:visible [data-undo]").click();
			await mail(page).getByText("Ask us").waitFor();
			await page.keyboard.press("Control+Shift+z");
			await mail(page).getByText("Ask us").waitFor({ state: "detached" });
			// Spanish lacks the button's words: said, and mended by a click.
			await page.locator('.me-tabs:visible [data-tab="es"]').click();
			await page.locator(`.me-trouble:visible`).getByText("Missing: Button").first().waitFor();
			await block(page, added).locator("[data-mend]").first().click();
			await text(page, `${added}.text`).fill("Pregúntenos");
			await becomes(() => page.locator(".me-trouble:visible .me-red").count(), 1, "its address is missing still");
			await block(page, added).locator("[data-mend]").first().click();
			await becomes(() => page.locator(".me-trouble:visible .me-red").count(), 0, "nothing is missing any more");
			// To be used: saved, what changes is said, and asked.
			await page.locator(".page-head:visible .primary-action").click();
			await dialog(page).getByText("Added: Button").waitFor();
			await dialog(page).getByRole("button", { name: "Put to Use" }).click();
			await page.locator(".me-said:visible").getByText("In use: version 2.").waitFor();
			const [template] = await page.evaluate(
				(design) => frappe.db.get_doc("Lifecycle Message Design", design).then((doc) => doc.templates.map((row) => row.email_template)),
				design
			);
			const { response_html } = await page.evaluate((name) => frappe.db.get_doc("Email Template", name), template);
			assert.match(response_html, /Stay with us, please\{\{ customer_name \}\}/);
			assert.match(response_html, /days_left < 7/);
			assert.deepEqual(asked, [], "the editor asked another host");
		},
		{ as: MARKETER }
	);
});

test("the editor is read by all, in the light and in the dark, and with everything open", async () => {
	await inBrowser(
		async (page) => {
			await openEditor(page, "Read by all");
			await block(page, "text1").locator("[data-open]").click();
			await page.locator(".me-open .me-condition summary").click();
			await page.locator(".me-beside-select:visible").selectOption("es");
			await page.locator(".me-beside textarea").nth(1).waitFor();
			await settled(page);
			const { seen, faults } = await examine(page);
			assert.ok(seen);
			assert.deepEqual(faults, []);
		},
		{ as: MARKETER }
	);
});

test("blocks are moved, doubled and taken out by keyboard alone", async () => {
	await inBrowser(
		async (page) => {
			await openEditor(page, "By keyboard");
			const order = () => page.locator(".me-page:visible .me-edit > .me-blocks > li").evaluateAll((items) => items.map((item) => item.dataset.block));
			const before = await order();
			await block(page, before[1]).locator("[data-open]").focus();
			await page.keyboard.press("Alt+ArrowDown");
			await becomes(order, [before[0], before[2], before[1], ...before.slice(3)], "it did not move");
			await page.keyboard.press("Control+z");
			await becomes(order, before, "it did not go back");
			await block(page, before[1]).getByRole("button", { name: /^Take/ }).press("Enter");
			await becomes(order, before.filter((id) => id !== before[1]), "it is still there");
			assert.equal(await block(page, before[before.length - 1]).getByRole("button", { name: /^Take/ }).count(), 0, "the foot cannot be taken out");
			// What was not saved is not to be asked about when the next visit begins.
			await page.keyboard.press("Control+s");
			await page.locator(".me-said:visible").getByText("Saved").waitFor();
		},
		{ as: MARKETER }
	);
});

test("a test goes to a colleague in each language, and versions can be looked at", async () => {
	await inBrowser(
		async (page) => {
			await openEditor(page, "Tested");
			await page.locator(".page-head:visible .menu-btn-group button").click();
			await page.locator(".page-head:visible").getByText("Send a Test").click();
			await dialog(page).locator('[data-fieldname="language_es"] input').first().check();
			await dialog(page).getByRole("button", { name: "Send", exact: true }).click();
			await dialog(page).getByText("Tests are on their way to").waitFor();
			await closeDialog(page);
			await page.locator(".page-head:visible .menu-btn-group button").click();
			await page.locator(".page-head:visible").getByText("Versions").click();
			await dialog(page).getByRole("button", { name: "Look at It" }).first().click();
			await dialog(page).frameLocator("iframe").first().getByText("Stay with us").waitFor();
			await closeDialog(page);
		},
		{ as: MARKETER }
	);
});

test("on a phone one writes, and looks, in turn", async () => {
	await inBrowser(
		async (page) => {
			await openList(page, "Lifecycle Campaign");
			await fromRecipe(page, "Edited on a phone");
			const [design] = await page.evaluate(() =>
				frappe.db.get_list("Lifecycle Message Design", { filters: { design_name: ["like", "Edited on a phone%"] }, order_by: "creation asc" })
			);
			await go(page, `lifecycle-message-editor/${encodeURIComponent(design.name)}`);
			await block(page, "heading1").locator("[data-open]").click();
			await text(page, "heading1.text").fill("From a phone");
			await page.locator(".me-views:visible").getByRole("button", { name: "Look" }).click();
			await mail(page).getByText("From a phone").waitFor();
			const wide = await page.evaluate(() => document.documentElement.scrollWidth);
			assert.ok(wide <= 390, `the page is ${wide} pixels wide`);
			await page.keyboard.press("Control+s");
			await page.locator(".me-said:visible").getByText("Saved").waitFor();
		},
		{ as: MARKETER, phone: true }
	);
});

test("an action leads to the editor, and the gallery to a new design", async () => {
	await inBrowser(
		async (page) => {
			await openList(page, "Lifecycle Campaign");
			const campaign = await fromRecipe(page, "From an action");
			const [action] = await page.evaluate(
				(campaign) => frappe.db.get_list("Lifecycle Action", { filters: { campaign }, order_by: "creation asc" }),
				campaign
			);
			await openForm(page, "Lifecycle Action", action.name);
			await page.locator(".page-head:visible").getByRole("button", { name: "Edit the Message" }).click();
			await page.locator(".me-frame:visible iframe").waitFor();
			await openList(page, "Lifecycle Message Design");
			await page.locator(".page-head:visible .primary-action").click();
			await dialog(page).locator('[data-fieldname="title"] input').fill("From the gallery");
			await dialog(page).locator('[data-design="birthday"]').waitFor();
			await settled(page);
			const { faults } = await examine(page);
			assert.deepEqual(faults, []);
			await dialog(page).locator('[data-design="birthday"]').click();
			await mail(page).getByText("Happy birthday!").waitFor();
		},
		{ as: MARKETER }
	);
});

test("the editor speaks Spanish", async () => {
	await inBrowser(
		async (page) => {
			await openEditor(page, "En español", "es");
			await page.locator(".me-palette:visible").getByText("+ Botón").waitFor();
			await mail(page).getByText("Siga con nosotros").waitFor();
		},
		{ as: SPANISH_MARKETER }
	);
});
