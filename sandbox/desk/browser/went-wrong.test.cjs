// Nothing stays at "Loading..." for ever: what went wrong is said where the answer was to be, and can be tried again.
// Run by sandbox/tests/test_browser.py.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const harness = require("./harness.cjs");
const { answered, chooseRecipe, closeDialog, dialog, fromRecipe, inBrowser, openForm, openList, settled, until } = harness;

const { MARKETER, PASSWORD } = process.env;
// The browser reports each request that fails.
const REPORTED = /ERR_|status of (4|5)\d\d|ValidationError|is not whitelisted|^undefined/;

// What is opened, the method that it waits for, and what is there when the answer has come.
const PLACES = [
	["preview", () => void marketing_automation.preview.show({ campaign: cur_frm.doc.name }), "tr"],
	["forecast", () => void marketing_automation.forecast.show(cur_frm.doc.name), ".lifecycle-calendar"],
	["mail", () => document.querySelector("[data-mail]").click(), ".lifecycle-mail iframe"],
	["why_reference", () => void marketing_automation.why.reference("Serial No", "BROWSER-1"), "h5"],
	["recipes", () => void marketing_automation.recipes.show(), '[data-recipe="subscription_renewal"]'],
];

async function openCampaign(page, name) {
	await openList(page, "Lifecycle Campaign");
	const campaign = await fromRecipe(page, name);
	await openForm(page, "Lifecycle Campaign", campaign);
	await page.locator(".lifecycle-next tr").first().waitFor();
	return campaign;
}

const api = (method) => new RegExp(`marketing_automation\\.api\\.${method}(\\?|$)`);

const WAYS = [
	["The server cannot be reached.", (route) => route.abort("connectionrefused")],
	["The server reported an error (502).", (route) => route.fulfill({ status: 502, body: "<html>Bad Gateway</html>" })],
	[
		"This cannot be done. The campaign is broken.",
		(route) =>
			route.fulfill({
				status: 417,
				json: {
					exc_type: "ValidationError",
					_server_messages: JSON.stringify([JSON.stringify({ message: "The campaign is <b>broken</b>." })]),
				},
			}),
	],
	["You are not permitted to see this.", (route) => route.fulfill({ status: 403, json: { exc_type: "PermissionError" } })],
	["The server reported an error (200).", (route) => route.fulfill({ status: 200, body: "<html>Log in to the Wi-Fi</html>" })],
];

test("whatever fails is said in the dialog that waits for it, and tried again there", async () => {
	await inBrowser(
		async (page) => {
			await openCampaign(page, "To fail");
			for (const [index, [method, open, there]] of PLACES.entries()) {
				const [text, fail] = WAYS[index % WAYS.length];
				await page.route(api(method), fail);
				await page.evaluate(open);
				const failed = dialog(page).locator(".lifecycle-failed[role=alert]");
				await failed.getByText(text).first().waitFor();
				assert.match((await failed.innerText()).replace(/\s+/g, " "), new RegExp(text.replace(/[().]/g, "\\$&")));
				assert.equal(await dialog(page).getByText("Loading...").count(), 0, method);
				// No other dialog closes it.
				await page.waitForTimeout(1200);
				assert.ok(await failed.isVisible(), `${method}: the message is gone`);
				assert.equal(await page.locator(".modal.show").count(), 1, `${method}: said once`);
				await page.unroute(api(method));
				await failed.getByRole("button", { name: "Retry" }).click();
				await dialog(page).locator(there).first().waitFor({ state: "attached" });
				assert.equal(await failed.count(), 0);
				await closeDialog(page);
			}
		},
		{ as: MARKETER, allowed: REPORTED }
	);
});

test("each way of failing is told apart", async () => {
	await inBrowser(
		async (page) => {
			await openCampaign(page, "To fail in every way");
			for (const [text, fail] of WAYS) {
				await page.route(api("preview"), fail);
				await page.getByRole("button", { name: "Preview", exact: true }).click();
				const failed = dialog(page).locator(".lifecycle-failed");
				await failed.waitFor();
				assert.ok((await failed.innerText()).replace(/\s+/g, " ").includes(text), text);
				await page.unroute(api("preview"));
				await closeDialog(page);
			}
		},
		{ as: MARKETER, allowed: REPORTED }
	);
});

test("who has no connection reads that, on the form and in a dialog, and goes on when it is back", async () => {
	await inBrowser(
		async (page) => {
			await openCampaign(page, "Without a connection");
			await page.context().setOffline(true);
			await page.getByRole("button", { name: "Forecast", exact: true }).click();
			await dialog(page).getByText("You are offline.").waitFor();
			await page.context().setOffline(false);
			await dialog(page).getByRole("button", { name: "Retry" }).click();
			await dialog(page).locator(".lifecycle-calendar").waitFor();
			await closeDialog(page);

			await page.context().setOffline(true);
			await page.evaluate(() => cur_frm.trigger("draw_journey"));
			await page.locator(".lifecycle-steps").getByText("You are offline.").waitFor();
			// What is asked with a click says it too.
			await page.evaluate(() => marketing_automation.run.confirm(cur_frm.doc.name));
			await dialog(page).getByText("Try again when you are connected.").waitFor();
			await page.context().setOffline(false);
			await dialog(page).getByRole("button", { name: "Retry" }).click();
			await dialog(page).getByText("Cancel").waitFor();
			await closeDialog(page);
			await page.locator(".lifecycle-steps").getByRole("button", { name: "Retry" }).click();
			await page.locator(".lifecycle-journey").waitFor();
			await settled(page);
		},
		{ as: MARKETER, allowed: REPORTED }
	);
});

test("who was logged out reads that, logs in in another window, and goes on", async () => {
	await inBrowser(
		async (page) => {
			await openCampaign(page, "Logged out");
			const cookies = await page.context().cookies();
			await page.context().clearCookies();
			await page.getByRole("button", { name: "Preview", exact: true }).click();
			await dialog(page).getByText("Your session is over.").waitFor();
			const way = await dialog(page).getByRole("link", { name: "Log In Again" }).getAttribute("href");
			assert.match(way, /^\/login\?redirect-to=%2Fapp%2Flifecycle-campaign/);
			await page.request.post("/api/method/login", { form: { usr: MARKETER, pwd: PASSWORD } });
			await dialog(page).getByRole("button", { name: "Retry" }).click();
			await dialog(page).locator("tr", { hasText: "Ana Browser" }).waitFor();
			await closeDialog(page);
			await page.context().addCookies(cookies);
		},
		{ as: MARKETER, allowed: REPORTED }
	);
});

test("an error over a dialog is closed by Escape, and what was typed below it stays", async () => {
	await inBrowser(
		async (page) => {
			await openList(page, "Lifecycle Campaign");
			await page.evaluate(() => marketing_automation.recipes.show());
			const recipe = dialog(page);
			const name = recipe.locator('[data-fieldname="campaign_name"] input');
			await chooseRecipe(page);
			await name.fill("Typed with care");
			await recipe.locator('[data-fieldname="days"] input').fill("thirty");
			await recipe.getByRole("button", { name: "Make the Campaign" }).click();
			await page.locator(".modal.lifecycle-dialog.show .lifecycle-failed").getByText("Give the days as numbers").waitFor();
			await harness.escape(page);
			assert.equal(await page.locator(".modal.show").count(), 1);
			assert.equal(await name.inputValue(), "Typed with care");
			const hasKeyboard = () => page.evaluate(() => cur_dialog.$wrapper[0].contains(document.activeElement));
			await harness.becomes(hasKeyboard, true, "the keyboard left it");
			// Separated as one likes.
			await recipe.locator('[data-fieldname="days"] input').fill("30; 7 1");
			await recipe.getByRole("button", { name: "Make the Campaign" }).click();
			await page.locator(".lifecycle-step").nth(2).waitFor();
		},
		{ as: MARKETER, allowed: REPORTED }
	);
});

test("what is asked with a click after the session is over says how to go on", async () => {
	await inBrowser(
		async (page) => {
			await openCampaign(page, "Logged out before a click");
			const cookies = await page.context().cookies();
			await page.context().clearCookies();
			await page.locator(".page-head:visible").getByRole("button", { name: "Activate" }).click();
			await dialog(page).getByText("Log in again, here or in another window, and try again.").waitFor();
			await dialog(page).getByRole("link", { name: "Log In Again" }).waitFor();
			assert.equal(await page.locator(".modal.show .msgprint").getByText("not permitted").count(), 0);
			await closeDialog(page);
			await page.context().addCookies(cookies);
		},
		{ as: MARKETER, allowed: REPORTED }
	);
});

test("whatever fails after a click is said, once, and tried again there", async () => {
	await inBrowser(
		async (page) => {
			const campaign = await openCampaign(page, "Clicked");
			const clicks = [
				["run_preview", (name) => void marketing_automation.run.confirm(name), /Run Without Mails|Send \d/],
				["retry", () => void marketing_automation.run.again("retry", { names: ["-"] }, () => {}), /Nothing Sent|None of these/],
				["duplicate", () => document.querySelector(".modal.show .btn-modal-primary").click(), /Clicked \(Copy\)/],
			];
			for (const [index, [method, click, there]] of clicks.entries()) {
				if (method === "duplicate") {
					await page.evaluate(() => cur_frm.trigger("duplicate"));
					await until(page, () => document.querySelectorAll(".modal.show").length === 1);
				}
				const [text, fail] = WAYS[index];
				await page.route(api(method), fail);
				await page.evaluate(click, campaign);
				const said = page.locator(".modal.lifecycle-dialog.show", { has: page.locator(".lifecycle-failed") });
				await said.waitFor();
				await page.waitForTimeout(1200);
				const words = (await said.innerText()).replace(/\s+/g, " ");
				for (const part of text.split(". ")) assert.ok(words.includes(part.replace(/\.$/, "")), `${method}: ${words}`);
				assert.equal(await page.locator(".modal.show").count(), 1, `${method}: said once`);
				await page.unroute(api(method));
				await said.getByRole("button", { name: "Retry" }).click();
				await page.getByText(there).locator("visible=true").first().waitFor();
				if (method !== "duplicate") await closeDialog(page);
			}
		},
		{ as: MARKETER, allowed: REPORTED }
	);
});

test("the answer to an earlier question does not replace that to a later one", async () => {
	await inBrowser(
		async (page) => {
			await openCampaign(page, "Two questions");
			const held = [];
			await page.route(api("preview"), (route) =>
				held.length ? route.continue() : held.push(route)
			);
			await page.getByRole("button", { name: "Preview", exact: true }).click();
			await dialog(page).getByText("Loading...").waitFor();
			await until(page, () => frappe.request.ajax_count > 0);
			// A day on which nothing is due.
			await page.evaluate(() => cur_dialog.set_value("date", frappe.datetime.add_days(frappe.datetime.get_today(), 2)));
			await dialog(page).getByText("Nothing is due on this day.").waitFor();
			await held[0].continue();
			await settled(page);
			assert.ok(await dialog(page).getByText("Nothing is due on this day.").isVisible());
			assert.equal(await dialog(page).locator("tr", { hasText: "Ana Browser" }).count(), 0);
			await closeDialog(page);

			// Nor does a failure.
			const failing = [];
			await page.unroute(api("preview"));
			await page.route(api("mail"), (route) => (failing.length ? route.continue() : failing.push(route)));
			await page.locator("[data-mail]").first().click();
			await dialog(page).getByText("Loading...").waitFor();
			await dialog(page).locator('[data-fieldname="language"] select').waitFor();
			await page.evaluate(() => cur_dialog.set_value("reference_name", "BROWSER-1"));
			await dialog(page).locator(".lifecycle-mail iframe").waitFor();
			await failing[0].abort();
			await settled(page);
			assert.ok(await dialog(page).locator(".lifecycle-mail iframe").isVisible());
			assert.equal(await dialog(page).locator(".lifecycle-failed").count(), 0);
		},
		{ as: MARKETER, allowed: REPORTED }
	);
});

test("a run whose progress cannot be asked says so, and is followed on", async () => {
	await inBrowser(
		async (page) => {
			const campaign = await openCampaign(page, "Followed");
			await page.evaluate(
				(name) => frappe.xcall("frappe.client.set_value", { doctype: "Lifecycle Campaign", name, fieldname: "is_active", value: 1 }),
				campaign
			);
			await page.route(api("run_progress"), (route) => route.abort());
			await page.evaluate((name) => void marketing_automation.run.confirm(name), campaign);
			await dialog(page).locator(".btn-modal-primary:visible").click();
			await dialog(page).locator(".lifecycle-failed").waitFor();
			await page.unroute(api("run_progress"));
			await dialog(page).getByRole("button", { name: "Retry" }).click();
			await dialog(page).locator('[data-status="Completed"]').waitFor();
			await dialog(page).getByText("Done.").waitFor();
			await dialog(page).getByText("Sent", { exact: true }).waitFor();
		},
		{ as: MARKETER, allowed: REPORTED }
	);
});

test("that a test is on its way, or why not, is said in the dialog where it is seen", async () => {
	await inBrowser(
		async (page) => {
			await openCampaign(page, "To be tested");
			await page.locator("[data-mail]").first().click();
			await dialog(page).locator(".lifecycle-mail iframe").waitFor();
			const send = dialog(page).getByRole("button", { name: "Send Me a Test" });
			await page.route(api("send_test"), (route) => route.abort());
			await send.click();
			await dialog(page).getByText("The server cannot be reached.").waitFor();
			await page.unroute(api("send_test"));
			await send.click();
			const said = dialog(page).getByText(`A test is on its way to ${MARKETER}`);
			await said.waitFor();
			const onTop = await said.evaluate((element) => {
				const { left, top, width, height } = element.getBoundingClientRect();
				return element.contains(document.elementFromPoint(left + width / 2, top + height / 2));
			});
			assert.ok(onTop, "something lies over it");
			assert.equal(await dialog(page).locator(".lifecycle-failed").count(), 0);
			// It belongs to what was looked at.
			await dialog(page).locator('[data-fieldname="language"] select').selectOption("es");
			await said.waitFor({ state: "detached" });
			await answered(page, () => Boolean(document.querySelector(".modal.show .lifecycle-mail iframe")));
		},
		{ as: MARKETER, allowed: REPORTED }
	);
});
