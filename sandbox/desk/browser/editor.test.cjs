// A marketer changes a message without a developer: words, a button, a condition, another language, a test, and puts it to
// use. Run by sandbox/tests/test_browser.py.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { becomes, call, closeDialog, dialog, fill, fromRecipe, go, inBrowser, openForm, openList, save, settled } = require("./harness.cjs");
const { examine } = require("./axe.cjs");

const { ADMINISTRATOR, MARKETER, SPANISH_MARKETER } = process.env;
const PNG = Buffer.from(
	"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
	"base64"
);

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
			// What is chosen in a box, or brought back, leaves the keyboard where it is.
			const held = () => page.evaluate(() => document.activeElement.getAttribute("data-key") || document.activeElement.labels?.[0]?.textContent);
			await page.keyboard.press("Control+z");
			await block(page, "heading1").locator("[data-open]").press("Enter");
			const look = page.locator(".me-open select").first();
			await look.focus();
			await look.selectOption("small");
			assert.equal(await held(), "Look");
			const heading = text(page, "heading1.text");
			await heading.focus();
			await page.keyboard.press("End");
			await page.keyboard.type("!");
			await page.keyboard.press("Control+z");
			assert.equal(await held(), "heading1.text");
			// In a field Alt and an arrow are the browser's.
			await page.keyboard.press("Alt+ArrowDown");
			assert.deepEqual(await order(), before);
			// Into columns, through them and out.
			await page.locator('.me-palette:visible [data-add="columns"]').press("Enter");
			const columns = await page.locator(".me-open").getAttribute("data-block");
			assert.deepEqual((await order()).slice(1, 4), ["heading1", columns, before[2]], "columns come behind what is open");
			const moved = block(page, before[2]);
			const inside = (index) => moved.evaluate((item, index) => item.parentElement.dataset.list === index, index);
			await moved.locator("[data-open]").focus();
			await page.keyboard.press("Alt+ArrowRight");
			await becomes(() => inside(`${columns}:0`), true, "it is not in the first column");
			await moved.getByRole("button", { name: /into the next column$/ }).press("Enter");
			await becomes(() => inside(`${columns}:1`), true, "it is not in the second column");
			await page.keyboard.press("Alt+ArrowLeft");
			await page.keyboard.press("Alt+ArrowLeft");
			await becomes(() => inside(""), true, "it did not come out");
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
			await dialog(page).locator('[data-design="birthday"]').scrollIntoViewIfNeeded();
			await dialog(page).frameLocator('[data-picture="birthday"] iframe').getByText("Happy birthday!").waitFor();
			await settled(page);
			const { faults } = await examine(page);
			assert.deepEqual(faults, []);
			// The picture is the card too.
			await dialog(page).locator('[data-picture="birthday"]').click({ force: true });
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

test("nothing is lost when a design was saved elsewhere meanwhile", async () => {
	await inBrowser(
		async (page) => {
			const name = await openEditor(page, "Saved elsewhere");
			const heading = text(page, "heading1.text");
			const stored = () => call(page, "design", { name });
			const said = (words) => page.locator(".me-said:visible").getByText(words).waitFor();
			const saveElsewhere = async (words) => {
				const { design, modified } = await stored();
				design.texts.en["heading1.text"] = words;
				await call(page, "save_design", { name, design, modified });
			};
			await block(page, "heading1").locator("[data-open]").click();
			await heading.fill("Mine");
			// Its form says another company, which is no reason to ask, and an impatient hand saves twice.
			const company = await page.evaluate(async (name) => {
				const [{ name: company }] = await frappe.db.get_list("Company");
				await frappe.db.set_value("Lifecycle Message Design", name, "company", company);
				return company;
			}, name);
			await page.keyboard.press("Control+s");
			await page.keyboard.press("Control+s");
			await said("Saved. Customers get it");
			assert.equal((await stored()).design.texts.en["heading1.text"], "Mine");
			assert.equal((await stored()).company, company, "the form's company is gone");
			// Other words are.
			await saveElsewhere("Theirs");
			await heading.fill("Mine again");
			await page.keyboard.press("Control+s");
			await dialog(page).getByRole("button", { name: "Load Theirs" }).click();
			await said("Theirs is loaded.");
			await block(page, "heading1").locator("[data-open]").click();
			await becomes(() => heading.inputValue(), "Theirs", "theirs was not loaded");
			await page.keyboard.press("Control+z");
			await becomes(() => heading.inputValue(), "Mine again", "undo did not bring mine back");
			await saveElsewhere("Theirs again");
			await page.keyboard.press("Control+s");
			await dialog(page).getByRole("button", { name: "Save Mine over It" }).click();
			await said("Saved. Customers get it");
			assert.equal((await stored()).design.texts.en["heading1.text"], "Mine again");
			// Nor is anything put to use that was not seen here.
			await page.locator(".page-head:visible .primary-action").click();
			const use = dialog(page).getByRole("button", { name: "Put to Use" });
			await use.waitFor();
			await saveElsewhere("Theirs at last");
			await use.click();
			await dialog(page).getByRole("button", { name: "Save Mine over It" }).click();
			await use.click();
			await said("In use: version 2.");
			assert.equal((await stored()).design.texts.en["heading1.text"], "Mine again");
			assert.equal(await page.locator(".modal.show").count(), 0);
		},
		// What the server refuses, the browser reports.
		{ as: MARKETER, allowed: /status of 417/ }
	);
});

test("another design is opened and nothing of this one is lost, nor is any text mended by old advice", async () => {
	await inBrowser(
		async (page) => {
			const other = await openEditor(page, "Opened in between");
			const name = await openEditor(page, "Left unsaved");
			const open = async (design) => {
				await go(page, `lifecycle-message-editor/${encodeURIComponent(design)}`);
				await page.locator(".me-name-of-design:visible").getByText(design, { exact: true }).waitFor();
				await settled(page);
			};
			const heading = text(page, "heading1.text");
			await block(page, "heading1").locator("[data-open]").click();
			await heading.fill("Kept");
			await mail(page).getByText("Kept").waitFor();
			await open(other);
			await page.locator(".desk-alert").getByText("is not saved yet").waitFor();
			await mail(page).getByText("Stay with us").waitFor();
			assert.equal(await page.locator(".me-page").count(), 1, "only one of them is there");
			await open(name);
			await mail(page).getByText("Kept").waitFor();
			assert.equal(await heading.inputValue(), "Kept");
			// A condition that is typed over is 7 again after one step back.
			await page.locator(".me-open .me-condition summary").click();
			await page.locator(".me-open .me-condition").getByRole("button", { name: "Add a Condition" }).click();
			const under = page.locator(".me-open .me-test input");
			await under.fill("14");
			await page.locator(".me-page:visible [data-undo]").click();
			await becomes(() => under.inputValue(), "7", "the step before was changed with it");
			await page.locator(".me-page:visible [data-undo]").click();
			await becomes(() => under.count(), 0, "the condition is still there");
			// Advice on a text that is another one by now is not taken.
			await heading.fill("Now!!!");
			const advice = block(page, "heading1").locator("[data-mend]").first();
			await advice.waitFor();
			let answer;
			const asked = new Promise((done) => (answer = done));
			await page.route(/show_design/, (route) => asked.then(() => route.continue()));
			await heading.fill("Later!!!");
			await advice.click();
			assert.equal(await heading.inputValue(), "Later!!!");
			await page.locator(".me-said:visible").getByText("The text is another one by now").waitFor();
			answer();
			await mail(page).getByText("Later!!!").waitFor();
			await settled(page);
			await page.unroute(/show_design/);
			await heading.fill("Later still!!!");
			await mail(page).getByText("Later still!!!").waitFor();
			await advice.click();
			await becomes(() => heading.inputValue(), "Later still!", "advice on the text as it is was not taken");
			// A language goes with a click, and comes back with another.
			await page.locator('.me-tabs:visible [data-tab="es"]').click();
			await page.locator(".me-tabs:visible [data-remove-language]").click();
			await becomes(() => page.locator('.me-tabs:visible [data-tab="es"]').count(), 0, "Spanish is still there");
			assert.equal(await page.evaluate(() => document.activeElement.dataset.tab), "en");
			await page.locator(".me-page:visible [data-undo]").click();
			await page.locator('.me-tabs:visible [data-tab="es"]').waitFor();
			// A language that is undone is not beside the other one any more.
			await page.locator(".me-tabs:visible [data-add-language]").click();
			await dialog(page).locator('[data-fieldname="language"] select').selectOption("fr");
			await dialog(page).getByRole("button", { name: "Add", exact: true }).click();
			await page.locator('.me-tabs:visible [data-tab="fr"]').waitFor();
			await page.locator(".me-page:visible [data-undo]").click();
			await becomes(() => page.locator('.me-tabs:visible [data-tab="fr"]').count(), 0, "French is still there");
			await becomes(() => text(page, "subject").evaluate((input) => input.closest(".me-text").querySelectorAll("input").length), 1, "one language is beside itself");
			await page.keyboard.press("Control+s");
			await page.locator(".me-said:visible").getByText("Saved").waitFor();
		},
		{ as: MARKETER }
	);
});

test("the colour and the logo are changed in the brand, two clicks from the message, which shows them", async () => {
	await inBrowser(
		async (page) => {
			const design = await openEditor(page, "In our colours");
			let clicks = 0;
			const click = async (locator) => {
				clicks += 1;
				await locator.click();
			};
			await click(page.locator(".page-head:visible .menu-btn-group button"));
			await click(page.locator(".page-head:visible .dropdown-menu:visible").getByText("Brand of Mails"));
			await page.waitForFunction(() => cur_frm?.doctype === "Lifecycle Brand" && cur_frm.is_new());
			assert.equal(clicks, 2);
			await settled(page);
			const brand = "Browser's Brand";
			try {
				await fill(page, "brand_name", brand);
				await fill(page, "color", "#8a1c5b");
				await page.getByText("Text on #8a1c5b is white").waitFor();
				// The logo: attach, choose the file, upload.
				await page.locator('.form-layout:visible [data-fieldname="logo"] .btn-attach').click();
				await dialog(page).locator('input[type="file"]').first().setInputFiles({ name: "browser-logo.png", mimeType: "image/png", buffer: PNG });
				await dialog(page).getByRole("button", { name: "Upload" }).last().click();
				await page.waitForFunction(() => cur_frm.doc.logo);
				assert.match(await page.evaluate(() => cur_frm.doc.logo), /^\/files\/browser-logo/, "customers can see it");
				await save(page);
				await go(page, `lifecycle-message-editor/${encodeURIComponent(design)}`);
				await mail(page).locator('img[src*="browser-logo"]').first().waitFor();
				const is_there = () =>
					mail(page).locator("body").evaluate((body) =>
						[...body.querySelectorAll("*")].some((one) => getComputedStyle(one).backgroundColor === "rgb(138, 28, 91)")
					);
				await becomes(is_there, true, "nothing has the new colour");
				// The next time the menu leads to it.
				await page.locator(".page-head:visible .menu-btn-group button").click();
				await page.locator(".page-head:visible .dropdown-menu:visible").getByText("Brand of Mails").click();
				await page.waitForFunction((brand) => cur_frm?.doc?.brand_name === brand, brand);
				await settled(page);
			} finally {
				// All other messages would have it, too.
				await page.evaluate((name) => frappe.db.exists("Lifecycle Brand", name).then((is) => is && frappe.db.delete_doc("Lifecycle Brand", name)), brand);
			}
		},
		{ as: ADMINISTRATOR }
	);
});

test("a whole message is translated beside the original, tested and put to use, in a click for each block", async () => {
	await inBrowser(
		async (page) => {
			const design = await openEditor(page, "All in German");
			let clicks = 0;
			const click = async (locator) => {
				clicks += 1;
				await locator.click();
			};
			// A language more, with the texts of the first beside: two clicks, and the choice between.
			await click(page.locator(".me-tabs:visible [data-add-language]"));
			await dialog(page).locator('[data-fieldname="language"] select').selectOption("de");
			await click(dialog(page).getByRole("button", { name: "Add", exact: true }));
			await page.locator('.me-tabs:visible [data-tab="de"][aria-pressed="true"]').waitFor();
			assert.equal(clicks, 2);
			clicks = 0;
			let blocks = 0;
			const translated = async (fields) => {
				const keys = await fields.evaluateAll((inputs) => inputs.filter((input) => input.value).map((input) => input.dataset.key));
				for (const key of keys) {
					// What is filled in, and where it leads, is the same in each language.
					const field = page.locator(`.me-page:visible [data-key="${key}"][data-language="de"]`);
					await field.fill((await field.inputValue()).replace(/^/, "Auf Deutsch: "));
				}
				return keys.length;
			};
			assert.equal(await translated(page.locator('.me-head:visible [data-language="de"]')), 2, "subject and preview text");
			for (const id of await page.locator(".me-page:visible .me-edit li[data-block]").evaluateAll((items) => items.map((item) => item.dataset.block))) {
				await click(block(page, id).locator("[data-open]").first());
				await page.locator(`.me-page:visible li[data-block="${id}"].me-open`).waitFor();
				blocks += 1;
				await translated(block(page, id).locator('textarea[data-language="de"], input[data-language="de"]:not([data-key$="address"])'));
			}
			assert.equal(clicks, blocks);
			assert.ok(blocks > 4);
			await mail(page).getByText("Auf Deutsch: Stay with us").waitFor();
			await becomes(() => page.locator(".me-trouble:visible .me-red").count(), 0, "nothing is missing");
			// A test in German alone.
			await page.locator(".page-head:visible .menu-btn-group button").click();
			await page.locator(".page-head:visible").getByText("Send a Test").click();
			const languages = dialog(page).locator('[data-fieldname^="language_"] input[type="checkbox"]');
			for (const box of await languages.all()) await box.uncheck();
			await dialog(page).locator('[data-fieldname="language_de"] input').first().check();
			await dialog(page).getByRole("button", { name: "Send", exact: true }).click();
			await dialog(page).getByText("Tests are on their way to").waitFor();
			await closeDialog(page);
			await page.locator(".page-head:visible .primary-action").click();
			await dialog(page).getByRole("button", { name: "Put to Use" }).click();
			await page.locator(".me-said:visible").getByText("In use: version 2.").waitFor();
			const written = await page.evaluate(
				(design) =>
					frappe.db
						.get_doc("Lifecycle Message Design", design)
						.then((doc) => Promise.all(doc.templates.map((row) => frappe.db.get_doc("Email Template", row.email_template).then((template) => [row.language, template.subject])))),
				design
			);
			const subjects = Object.fromEntries(written);
			assert.deepEqual(Object.keys(subjects).sort(), ["de", "en", "es"]);
			assert.match(subjects.de, /^Auf Deutsch: /);
			assert.doesNotMatch(subjects.en, /Auf Deutsch/);
		},
		{ as: MARKETER }
	);
});
