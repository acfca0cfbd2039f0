// The page on which customers say what they want: in the light and in the dark, on a desk and on a phone, in English and
// Spanish, with nothing that axe has to say. Its links are made by browser_data.py. Run by sandbox/tests/test_browser.py.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");
const { inBrowser } = require("./harness.cjs");

const AXE = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf-8");
const LINKS = () => JSON.parse(fs.readFileSync(path.join(process.env.DESK_LOGS, "preference-links.json"), "utf-8"));
const WORDS = { en: /What you want to get/, es: /Qué desea recibir/ };

async function faults(page) {
	await page.evaluate(AXE);
	return page.evaluate(async () => {
		const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
		return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)}`));
	});
}

for (const phone of [false, true]) {
	test(`the preference page ${phone ? "on a phone" : "on a desk"}, in either theme and language`, async () => {
		await inBrowser(
			async (page) => {
				for (const [language, link] of Object.entries(LINKS())) {
					for (const colorScheme of ["light", "dark"]) {
						await page.emulateMedia({ colorScheme });
						for (const url of [link, `${link}x`]) {
							await page.goto(url);
							const where = `${language} ${colorScheme} ${url === link ? "" : "unknown"}`;
							assert.deepEqual(await faults(page), [], where);
							const width = await page.evaluate(() => document.documentElement.scrollWidth);
							assert.ok(width <= (phone ? 390 : 1280), `${where} is ${width} wide`);
							if (url === link) {
								assert.match(await page.locator("main").innerText(), WORDS[language]);
								assert.equal(await page.locator("html").getAttribute("lang"), language);
							}
						}
					}
				}
				await page.emulateMedia({ colorScheme: "light" });
			},
			{ phone, allowed: /status of 404/ }
		);
	});
}

test("a customer says what they want on the preference page, without a script and with the keyboard alone", async () => {
	await inBrowser(async (page) => {
		await page.goto(LINKS().en);
		const says = async (text) => {
			await page.getByRole("status").filter({ hasText: text }).waitFor();
			assert.deepEqual(await faults(page), [], text);
		};
		const press = async (name) => {
			await page.getByRole("button", { name }).focus();
			await page.keyboard.press("Enter");
		};
		await press("Yes, I want these messages");
		await says("You get these messages from now on.");
		const news = page.getByRole("checkbox", { name: /^News/ });
		assert.ok(await news.isChecked());
		await news.focus();
		await page.keyboard.press("Space");
		await press("Save my choice");
		await says("Saved.");
		assert.ok(!(await news.isChecked()));
		await page.getByRole("radio", { name: "At most one a month" }).check();
		await press("Save how often");
		await says("Saved.");
		assert.ok(await page.getByRole("radio", { name: "At most one a month" }).isChecked());
		await press("Pause for 30 days");
		await says("You get no marketing from us until");
		await press("End the pause");
		await says("The pause is over.");
		await press("No marketing at all");
		await says("You get no more marketing from us.");
		assert.ok(!(await page.getByRole("checkbox", { name: /^Offers/ }).isChecked()));
		assert.ok(await page.getByRole("checkbox", { name: /^Service notices/ }).isChecked());
		await press("Come back");
		await says("Welcome back.");
		assert.ok(await page.getByRole("checkbox", { name: /^Offers/ }).isChecked());
		await page.getByText("What we know of you").click();
		assert.match(await page.locator("details").innerText(), /You said no/);
	});
});
