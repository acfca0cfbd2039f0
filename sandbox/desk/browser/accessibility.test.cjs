// Who cannot see well, sees no colours, or uses no mouse can work with our screens, in the light and in the dark. What axe
// has to say of each of them is asked where all are visited (screens.test.cjs). Run by sandbox/tests/test_browser.py.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { becomes, closeDialog, dialog, escape, fromRecipe, go, inBrowser, openForm, openList, openNew, PATIENCE, settled, until } = require(
	"./harness.cjs"
);
const { examine } = require("./axe.cjs");
const { campaignThatRan } = require("./screens.cjs");

const { MARKETER } = process.env;
test("what is off, in the way, on its way or went wrong is read by all as well", async () => {
	await inBrowser(
		async (page) => {
			await openList(page, "Lifecycle Campaign");
			const campaign = await fromRecipe(page, "In every state");
			const problems = ["red", "orange"].map((level) => ({ level, text: "In the way.", route: "List/Lifecycle Run" }));
			await page.route(/api\.health/, (route) => route.fulfill({ json: { message: problems } }));
			await page.route(/api\.journey/, async (route) => {
				const response = await route.fetch({ timeout: PATIENCE });
				const json = await response.json();
				const [first, second] = json.message;
				first.enabled = first.actions[0].enabled = second.actions[0].enabled = 0;
				second.actions[0].counts = { Pending: 1, Queued: 2, Completed: 3, Failed: 4, Skipped: 5, Cancelled: 6 };
				await route.fulfill({ response, json });
			});
			await page.route(/api\.coming/, (route) => route.abort());
			await openForm(page, "Lifecycle Campaign", campaign);
			await page.locator(".lifecycle-action.off").first().waitFor();
			await page.locator(".lifecycle-banner", { hasText: "In the way." }).nth(1).waitFor();
			await page.locator(".lifecycle-failed").waitFor();
			const { seen, faults } = await examine(page);
			assert.ok(seen);
			assert.deepEqual(faults, []);
		},
		{ as: MARKETER, allowed: /ERR_FAILED/ }
	);
});

// How a colour stands out against another, as WCAG counts it: 1 to 21.
function contrast(one, other) {
	const light = (colour) => {
		const [r, g, b] = colour.map((part) => (part / 255 <= 0.03928 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
	return (high + 0.05) / (low + 0.05);
}

test("the more messages a day has, the more it stands out, and every bar is seen, in either theme", async () => {
	await inBrowser(
		async (page) => {
			await campaignThatRan(page, "More and less");
			await go(page, "lifecycle-forecast");
			await page.locator(".lifecycle-calendar:visible").waitFor();
			await settled(page);
			for (const theme of ["light", "dark"]) {
				const { ground, days, bars } = await page.evaluate((theme) => {
					document.documentElement.setAttribute("data-theme", theme);
					const parts = (colour) => colour.match(/[\d.]+/g).slice(0, 3).map(Number);
					const shown = document.createElement("i");
					document.querySelector(".lifecycle-forecast-page").append(shown);
					const ground = parts(getComputedStyle(document.querySelector(".lifecycle-forecast-page")).backgroundColor);
					const days = [1, 2, 3, 4].map((level) => {
						shown.className = `lifecycle-day level-${level}`;
						const { backgroundColor, color } = getComputedStyle(shown);
						return { level, colour: parts(backgroundColor), text: parts(color) };
					});
					shown.className = "";
					const bars = marketing_automation.forecast.COLORS.map((colour) => {
						shown.style.color = colour;
						return parts(getComputedStyle(shown).color);
					});
					shown.remove();
					document.documentElement.setAttribute("data-theme", "light");
					return { ground, days, bars };
				}, theme);
				const steps = days.map(({ colour }) => contrast(colour, ground));
				assert.deepEqual([...steps].sort((a, b) => a - b), steps, `${theme}: ${steps}`);
				for (const { level, colour, text } of days) assert.ok(contrast(colour, text) >= 4.5, `${theme}: level ${level}`);
				for (const bar of bars) assert.ok(contrast(bar, ground) >= 3, `${theme}: ${bar} on ${ground}`);
			}
		},
		{ as: MARKETER }
	);
});

test("a day of the calendar is called by its date and what it has", async () => {
	await inBrowser(
		async (page) => {
			await openNew(page, "Days with names");
			await page.getByRole("button", { name: "Forecast", exact: true }).click();
			const day = dialog(page).locator(".lifecycle-day.level-4").first();
			await day.waitFor();
			const date = new Date(`${await day.getAttribute("data-day")}T12:00:00`);
			const words = date.toLocaleDateString("en", { weekday: "long", day: "numeric", month: "long", year: "numeric" });
			const count = await day.locator("strong").innerText();
			const named = dialog(page).getByRole("button", { name: `${date.getDate()} ${count} Messages ${words}` });
			assert.equal(await named.getAttribute("data-day"), await day.getAttribute("data-day"));
		},
		{ as: MARKETER }
	);
});

// Wait until it has the focus, which comes back when the dialog has gone; what is drawn anew is looked for again.
const focused = (locator) => becomes(() => locator.evaluate((it) => it === document.activeElement), true, `${locator} has the focus`);
const inDialog = (page) => page.evaluate(() => Boolean(document.activeElement.closest(".modal.show")));

test("the keyboard goes into each dialog, Escape closes it, and then it goes on where it was", async () => {
	await inBrowser(
		async (page) => {
			const campaign = await campaignThatRan(page, "There and back");
			await openForm(page, "Lifecycle Campaign", campaign);
			await page.locator(".lifecycle-journey").waitFor();
			await settled(page);
			const openers = [
				page.getByRole("button", { name: "Preview", exact: true }),
				page.getByRole("button", { name: "Forecast", exact: true }),
				page.getByRole("button", { name: "Run Now" }),
				page.locator("[data-mail]").first(),
				page.locator("[data-coming]").first(),
			];
			const through = async (opener) => {
				await opener.focus();
				await page.keyboard.press("Enter");
				await dialog(page).waitFor();
				await settled(page);
				await until(page, () => document.activeElement.closest(".modal.show"));
				await escape(page);
				await focused(opener);
			};
			for (const opener of openers) await through(opener);

			// One dialog over another.
			await openers[1].focus();
			await page.keyboard.press("Enter");
			const day = dialog(page).locator(".lifecycle-day").first();
			await day.waitFor();
			await settled(page);
			await day.focus();
			await page.keyboard.press("Enter");
			await page.locator(".lifecycle-preview.show").waitFor();
			await settled(page);
			assert.ok(await inDialog(page));
			await escape(page);
			await focused(day);
			await escape(page);
			await focused(openers[1]);

			// A part of the journey that is drawn anew keeps it.
			const box = page.locator("[data-switch]").first();
			await box.focus();
			await page.keyboard.press("Space");
			await page.locator(".lifecycle-step.off").waitFor();
			await settled(page);
			await focused(page.locator("[data-switch]").first());
			await page.keyboard.press("Space");
			await becomes(() => page.locator(".lifecycle-step.off").count(), 0);

			await openList(page, "Lifecycle Campaign");
			await through(page.getByRole("button", { name: "New from Recipe" }));
			await openForm(page, "Lifecycle Execution Log", await page.evaluate(() => frappe.db.get_list("Lifecycle Execution Log", { limit: 1 }).then((rows) => rows[0].name)));
			await through(page.getByRole("button", { name: "Why? Customer" }));
			await through(page.getByRole("button", { name: "Why? Serial No" }));

			// From a menu, which is closed by then: on what opens it.
			await openForm(page, "Serial No", "BROWSER-1");
			const menu = page.locator(".page-head:visible").getByRole("button", { name: "View", exact: true });
			await menu.click();
			await page.locator(".dropdown-menu:visible").getByText("Messages: What and Why").click();
			await dialog(page).getByText("What Happened").waitFor();
			await settled(page);
			await escape(page);
			await focused(menu);
		},
		{ as: MARKETER }
	);
});

test("where one reads from the right, our screens run from the right", async () => {
	await inBrowser(
		async (page) => {
			await page.route(/api\.health/, (route) => route.fulfill({ json: { message: [{ level: "red", text: "In the way." }] } }));
			await openNew(page, "From the right");
			await page.locator(".lifecycle-banner", { hasText: "In the way." }).waitFor();
			await page.getByRole("button", { name: "Preview", exact: true }).click();
			await dialog(page).locator(".lifecycle-count").first().waitFor();
			const found = await page.evaluate(() => {
				document.documentElement.dir = "rtl";
				const style = (selector) => getComputedStyle(document.querySelector(selector));
				const [first, second] = [...document.querySelectorAll(".lifecycle-step")].map((step) => step.getBoundingClientRect().left);
				const dot = getComputedStyle(document.querySelector(".lifecycle-step"), "::after");
				const seen = {
					banner: [style(".lifecycle-banner").borderRightWidth, style(".lifecycle-banner").borderLeftWidth],
					count: style(".lifecycle-count").textAlign,
					dot: dot.right,
					order: first > second,
				};
				document.documentElement.dir = "ltr";
				return seen;
			});
			assert.deepEqual(found, { banner: ["3px", "0px"], count: "start", dot: "0px", order: true });
			await closeDialog(page);
		},
		{ as: MARKETER }
	);
});
