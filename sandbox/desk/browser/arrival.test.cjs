// Whether mails arrive, and what they look like, in the Desk. Run by sandbox/tests/test_browser.py.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const harness = require("./harness.cjs");
const { inBrowser, openForm, openNew, settled } = harness;

const { MARKETER } = process.env;

test("a bar on the campaign says what keeps mails from arriving, and how to mend it", async () => {
	await inBrowser(
		async (page) => {
			await openNew(page, "Will it arrive");
			const bar = page.locator(".lifecycle-arrives details:visible");
			await bar.locator("summary").click();
			// The sandbox's site is reached by http, and its company has no address.
			const one_click = bar.locator("li", { hasText: "Unsubscribing by one click" });
			await one_click.getByText("To mend").waitFor();
			await one_click.getByText("https://").first().waitFor();
			await bar.locator("[data-again]").click();
			await settled(page);
			assert.ok(await page.locator(".lifecycle-arrives details[open]:visible").count(), "it stays open");
		},
		{ as: MARKETER }
	);
});

test("the form of a brand shows a mail in it, and says which colours could not be read", async () => {
	await inBrowser(
		async (page) => {
			await openForm(page, "Lifecycle Brand");
			// This marketer may look at brands; managers make them.
			await page.evaluate(() =>
				cur_frm.set_value({ sender_name: "Pins of Ana", postal_address: "1 Main Street", color: "#ffcc00" })
			);
			await page.getByText("Text on #ffcc00 is black").waitFor();
			await page.getByText("could hardly be read on white").waitFor();
			const mail = page.frameLocator(".lifecycle-brand-mail:visible");
			await mail.getByText("Pins of Ana, 1 Main Street").waitFor();
			assert.equal(
				await mail.locator(".lifecycle-button").evaluate((button) => getComputedStyle(button).backgroundColor),
				"rgb(255, 204, 0)"
			);
		},
		{ as: MARKETER }
	);
});
