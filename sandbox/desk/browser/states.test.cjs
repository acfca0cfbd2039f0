// What a campaign is about to do is said before it does it, and its state is that of the server. Run by
// sandbox/tests/test_browser.py.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const harness = require("./harness.cjs");
const { activate, call, closeDialog, dialog, inBrowser, openForm, openList, openNew, settled } = harness;
const { campaignThatRan } = require("./screens.cjs");

const { MARKETER } = process.env;

// Change the campaign of the open form behind its back, as somebody else does in another tab.
const changeElsewhere = (page) =>
	page.evaluate(async () => {
		const { name } = cur_frm.doc;
		const value = { description: `Changed ${Date.now()}` };
		// Without telling the form.
		await fetch(`/api/resource/Lifecycle Campaign/${encodeURIComponent(name)}`, {
			method: "PUT",
			headers: { "Content-Type": "application/json", "X-Frappe-CSRF-Token": frappe.csrf_token },
			body: JSON.stringify(value),
		}).then((reply) => reply.ok || Promise.reject(reply.status));
	});

const isActive = (page) =>
	page.evaluate(() => frappe.db.get_value("Lifecycle Campaign", { name: cur_frm.doc.name }, "is_active").then((r) => r.message.is_active));

const row = (page, name) => page.locator(".list-row-container:visible", { has: page.getByText(name, { exact: true }) });

test("the list begins with a recipe, and an empty campaign is the second choice", async () => {
	await inBrowser(
		async (page) => {
			await openList(page, "Lifecycle Campaign");
			const blue = page.locator(".page-head:visible .primary-action");
			assert.match(await blue.innerText(), /New from Recipe/);
			const beside = page.locator(".page-head:visible").getByRole("button", { name: "New from Recipe" });
			assert.equal(await beside.count(), 1, "it stands there once");
			// Choosing rows takes the button away, and choosing none brings the same one back.
			await openNew(page, "In the list");
			await openList(page, "Lifecycle Campaign");
			await page.locator(".list-row-checkbox:visible").first().check();
			await page.locator(".list-row-checkbox:visible").first().uncheck();
			assert.match(await blue.innerText(), /New from Recipe/);
			await blue.click();
			await dialog(page).getByText("New Campaign from a Recipe").waitFor();
			await closeDialog(page);
		},
		{ as: MARKETER }
	);
});

test("an empty list offers the recipe, too", async () => {
	await inBrowser(
		async (page) => {
			await openList(page, "Lifecycle Campaign");
			await page.route(/frappe\.desk\.reportview\.get\b/, (route) => route.fulfill({ json: { message: [] } }));
			await page.evaluate(async () => {
				await cur_list.filter_area.clear();
				cur_list.last_args = null;
				await cur_list.refresh();
			});
			const offered = page.locator(".no-result:visible").getByRole("button", { name: "New from Recipe" });
			await offered.click();
			await dialog(page).getByText("New Campaign from a Recipe").waitFor();
			await closeDialog(page);
		},
		{ as: MARKETER }
	);
});

test("the list says the state of each campaign, when it sends next, and what became of its messages", async () => {
	await inBrowser(
		async (page) => {
			const ran = await campaignThatRan(page, "In the list, with numbers");
			await call(page, "make_from_recipe", {
				recipe: "subscription_renewal", campaign_name: "In the list, a draft", days: "30", language: "en",
			});
			await openList(page, "Lifecycle Campaign");
			await row(page, ran).getByText("Active", { exact: true }).waitFor();
			const cells = await row(page, ran).locator(".lifecycle-cell").allInnerTexts();
			const head = await page.locator(".list-row-head:visible").innerText();
			assert.match(head, /State\s+Next Send\s+Sent\s+Skipped\s+Failed/);
			// The two pins' other messages are due in some weeks; of today's one was skipped.
			assert.match(cells[1], /\d/);
			assert.deepEqual(cells.slice(3).map((cell) => cell.trim()), ["1", "0"]);
			const draft = await row(page, "In the list, a draft").locator(".lifecycle-cell").allInnerTexts();
			assert.deepEqual(draft.map((cell) => cell.trim()), ["Draft", "–", "0", "0", "0"]);
			await call(page, "pause", { campaign: ran });
			await openList(page, "Lifecycle Campaign");
			await row(page, ran).getByText("Paused", { exact: true }).waitFor();
		},
		{ as: MARKETER }
	);
});

test("activating says what the night will bring, and asks", async () => {
	await inBrowser(
		async (page) => {
			await openNew(page, "To be asked about");
			await page.getByText("If It Were Active: the Next Messages").waitFor();
			await page.locator('[data-coming][title*="would be sent in the next 7 days if the campaign were active"]').first().waitFor();
			await page.getByRole("button", { name: "Activate" }).click();
			await dialog(page).getByText(/^The night of .* will send 1 mail about 1 product\.$/).waitFor();
			await dialog(page).getByText("1 product will be skipped (No e-mail address: 1).").waitFor();
			await dialog(page).getByRole("button", { name: "Cancel" }).click();
			await settled(page);
			assert.equal(await isActive(page), 0);
			await activate(page);
			assert.equal(await isActive(page), 1);
			await page.getByText("Next Messages", { exact: true }).waitFor();
		},
		{ as: MARKETER }
	);
});

test("a campaign that was changed elsewhere is paused all the same, and not activated unseen", async () => {
	await inBrowser(
		async (page) => {
			await openNew(page, "Changed elsewhere");
			await activate(page);
			await changeElsewhere(page);
			await page.getByRole("button", { name: "Pause" }).click();
			await page.getByText("Paused. Nothing was on its way.").waitFor();
			await settled(page);
			assert.equal(await isActive(page), 0);

			await changeElsewhere(page);
			await page.getByRole("button", { name: "Activate" }).click();
			await dialog(page).getByText(/^The night of/).waitFor();
			await dialog(page).getByRole("button", { name: "Activate" }).click();
			await dialog(page).getByText("has changed this campaign since you opened it").waitFor();
			await settled(page);
			assert.equal(await isActive(page), 0);
			await closeDialog(page);
			// It has been loaded again.
			await activate(page);
			assert.equal(await isActive(page), 1);
		},
		{ as: MARKETER }
	);
});

test("what has been typed and not saved is still there after a pause", async () => {
	await inBrowser(
		async (page) => {
			await openNew(page, "Half written");
			await activate(page);
			await harness.fill(page, "description", "Half written");
			await page.getByRole("button", { name: "Pause" }).click();
			await page.getByRole("button", { name: "Activate" }).waitFor();
			await settled(page);
			assert.deepEqual(await page.evaluate(() => [cur_frm.doc.description, cur_frm.is_dirty()]), ["Half written", true]);
			await harness.save(page);
			assert.equal(await isActive(page), 0);
		},
		{ as: MARKETER }
	);
});

test("a fourth trigger and a fifth are seen whole, without scrolling sideways", async () => {
	await inBrowser(
		async (page) => {
			await openList(page, "Lifecycle Campaign");
			const name = await call(page, "make_from_recipe", {
				recipe: "subscription_renewal", campaign_name: "Five triggers", days: "60, 30, 14, 7, 1", language: "en",
			});
			await openForm(page, "Lifecycle Campaign", name);
			await page.locator(".lifecycle-step").nth(4).waitFor();
			const outside = await page.evaluate(() => {
				const journey = document.querySelector(".lifecycle-journey").getBoundingClientRect();
				return [...document.querySelectorAll(".lifecycle-step")].filter((step) => {
					const box = step.getBoundingClientRect();
					return box.right > journey.right + 1 || box.bottom > journey.bottom + 1;
				}).length;
			});
			assert.equal(outside, 0);
		},
		{ as: MARKETER }
	);
});
