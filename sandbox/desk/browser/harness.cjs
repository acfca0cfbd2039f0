// What browser tests and pictures share: a page of Chromium on the site at DESK_URL, and the Desk's usual moves.
// An error in the page's JavaScript fails the visit in which it happens.
//
// A user's visits are to one page, as a marketer has it open all day: what one has left behind, the next one meets.

const assert = require("node:assert/strict");
const path = require("node:path");
const { isDeepStrictEqual } = require("node:util");
const { chromium } = require("playwright-core");

// Sandbox sites have no realtime server; the Desk keeps asking for one. On a phone Frappe draws no onboarding, and its
// own editor complains. Its charts draw themselves anew when their page is left, and find no room.
const FRAPPE = /socket\.io|Block «onboarding» skipped|<\w+> attribute \w+: (A negative value|Expected \w+, ".*NaN)/;
// Frappe's own tours of the Desk look for a route before there is one, if the machine is slow; its charts draw
// themselves anew for a page that was left.
const FRAPPES_SCRIPTS = /init_onboarding_tour|boundDrawFn/;

// How long a test waits for what is to come, in milliseconds: a machine that has other work may be ten times as slow.
const PATIENCE = 120_000;
// How long a whole visit may take, in milliseconds. What waits in the page for what never comes has no limit of its own.
const VISIT = 4 * PATIENCE;

const ARGUMENTS = [
	// What it draws with a processor's help costs as much again.
	"--disable-gpu",
	// Its own sandbox does not work for root.
	...(process.getuid() === 0 ? ["--no-sandbox"] : []),
];

let browser;
// Of each user, on a desk and on a phone: the page, and the errors that it has reported.
const pages = new Map();

// Call visit(page) with a user's page; throws what it throws, or the errors that the page reported.
// as: whose page it is. phone: on one. allowed: a pattern for reported errors that this visit is about, such as /403/.
// When a visit fails, a picture of its last moment is in the bench's logs, and the next one begins with a new page.
async function inBrowser(visit, { as, phone, allowed } = {}) {
	const key = `${as} ${phone}`;
	if (!pages.has(key)) pages.set(key, await openPage(as, phone));
	const { page, errors } = pages.get(key);
	try {
		await within(VISIT, visit(page));
		const unexpected = errors.splice(0).filter((error) => !allowed?.test(error));
		assert.deepEqual(unexpected, [], "the page reported errors");
		await leave(page);
	} catch (error) {
		// A page that hangs cannot be drawn, and must not hold up the others.
		const picture = await screenshot(page, process.env.DESK_LOGS, "browser-failure").catch(() => "no picture");
		error.message += `\nThe page then: ${page.url()}, see ${picture}. It reported: ${errors.join("; ") || "nothing"}`;
		pages.delete(key);
		await page.context().close();
		throw error;
	}
}

// A promise of what another one is of; broken when that takes longer than so many milliseconds.
async function within(limit, promise) {
	let timer;
	const late = new Promise((_, refuse) => {
		timer = setTimeout(() => refuse(new Error(`not done within ${limit / 1000} s`)), limit);
	});
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// Let go of what only this visit wanted: its dialogs, and its answers instead of the server's.
async function leave(page) {
	await page.unrouteAll();
	await until(page, () => {
		// A dialog that still moves does not hear it.
		window.$?.(".modal.show").modal("hide");
		return !document.querySelector(".modal.show");
	});
}

async function openPage(user, phone) {
	browser ??= await chromium.launch({ executablePath: process.env.CHROMIUM, args: ARGUMENTS });
	const context = await browser.newContext({
		baseURL: process.env.DESK_URL,
		viewport: phone ? { width: 390, height: 844 } : { width: 1280, height: 800 },
		locale: "en-US",
		timezoneId: "America/Bogota",
		// Nobody watches how a dialog slides in.
		reducedMotion: "reduce",
	});
	if (user) await login(context, user, process.env.PASSWORD);
	const page = await context.newPage();
	page.setDefaultTimeout(PATIENCE);
	return { page, errors: collectErrors(page) };
}

// All visits of a process share one browser; the last one to leave closes it.
async function closeBrowser() {
	await browser?.close();
	browser = undefined;
	pages.clear();
}

function collectErrors(page) {
	const errors = [];
	page.on("pageerror", (error) => {
		const text = error.stack || String(error);
		if (!FRAPPES_SCRIPTS.test(text)) errors.push(text);
	});
	page.on("console", (message) => {
		const { url } = message.location();
		if (message.type() !== "error" || FRAPPE.test(url) || FRAPPE.test(message.text())) return;
		errors.push(`${message.text()} (${url})`);
	});
	return errors;
}

// Log in, as the login page does. The Desk is loaded by the first visit.
async function login(context, user, password) {
	const reply = await context.request.post("/api/method/login", { form: { usr: user, pwd: password } });
	assert.equal(reply.status(), 200, `${user} could not log in`);
}

// Wait until condition(argument) holds in the page. To ask at each frame, as Playwright does by itself, keeps a core busy.
const until = (page, condition, argument) => page.waitForFunction(condition, argument, { polling: 100 });

// As `until`, for a condition that asks the server: there Playwright takes the promise of an answer for the answer.
async function answered(page, condition, argument) {
	while (!(await page.evaluate(condition, argument))) await page.waitForTimeout(500);
}

// Ask until the answer is the wanted one; throws with the last answer when that does not come.
async function becomes(ask, wanted, message) {
	const end = Date.now() + PATIENCE;
	for (;;) {
		const found = await ask();
		if (isDeepStrictEqual(found, wanted)) return;
		if (Date.now() > end) assert.deepEqual(found, wanted, message);
		await new Promise((done) => setTimeout(done, 100));
	}
}

// Wait until the Desk is there, asks the server for nothing, and has begun nothing new when it was looked at again: a
// reply may lead to the next question. What a question leads to is better waited for by itself.
async function settled(page) {
	await page.evaluate(() => (window.calm = 0));
	await until(page, () => {
		const is_calm = window.frappe?.boot && frappe.request.ajax_count === 0 && !window.$?.active;
		window.calm = is_calm ? (window.calm || 0) + 1 : 0;
		return window.calm > 3;
	});
}

const slug = (name) => name.toLowerCase().replaceAll(" ", "-");

// Go to a page of the Desk: from where one is in it, as a click does, or by loading it.
async function go(page, route) {
	const there = await page.evaluate(() => Boolean(window.frappe?.boot));
	if (!there) return page.goto(`/app/${route}`);
	await page.evaluate((route) => frappe.set_route(route), route);
}

async function openWorkspace(page, title) {
	await go(page, slug(title));
	// A workspace may have no block that this user sees, but its editor is always there.
	await page.locator(".codex-editor").first().waitFor({ state: "attached" });
	await settled(page);
}

async function openList(page, doctype) {
	await go(page, slug(doctype));
	await until(page, (doctype) => window.cur_list?.doctype === doctype, doctype);
	await settled(page);
	// Where no realtime server tells it of changes, the Desk shows a list as it has last seen it, and asks the same
	// only once in three seconds.
	await page.evaluate(() => {
		cur_list.last_args = null;
		void cur_list.refresh();
	});
	await settled(page);
}

async function openReport(page, name) {
	await go(page, `query-report/${name}`);
	await until(page, (name) => window.frappe.query_report?.report_name === name, name);
	await page.locator(".report-summary:visible").waitFor();
	await settled(page);
}

// Open a document's form, or that of a new document when there is no name.
async function openForm(page, doctype, name) {
	await go(page, `${slug(doctype)}/${name ? encodeURIComponent(name) : "new"}`);
	await until(page, (name) => (name ? window.cur_frm?.doc?.name === name : window.cur_frm?.is_new()), name);
	await formOf(page, doctype);
}

// Wait for the form of a document of this kind.
async function formOf(page, doctype) {
	await until(page, (doctype) => window.cur_frm?.doctype === doctype && cur_frm.doc, doctype);
	await settled(page);
}

// Write into a field of the open form as a person does.
async function fill(page, field, value) {
	const control = page.locator(`.form-layout [data-fieldname="${field}"]`).locator("input, textarea");
	await control.first().fill(value);
	await control.first().press("Tab");
}

// Save the open form; throws with what the Desk says if it is not saved.
async function save(page) {
	await page.locator('.page-head:visible button[data-label="Save"]').click();
	const outcome = await page.waitForFunction(
		() => {
			if (!cur_frm.is_dirty() && !cur_frm.is_new()) return "saved";
			return $(".modal.show .modal-body").text().trim();
		},
		undefined,
		{ polling: 100 }
	);
	assert.equal(await outcome.jsonValue(), "saved", "the form was not saved");
	await settled(page);
}

// Write a picture of what is seen into a folder; returns its path.
async function screenshot(page, folder, name) {
	const file = path.join(folder, `${name}.png`);
	await page.screenshot({ path: file, animations: "disabled", caret: "hide", timeout: 30_000 });
	return file;
}

// The dialog on top.
const dialog = (page) => page.locator(".modal.show").last();

// Wait until no dialog moves: meanwhile Bootstrap hears neither a click nor a key that closes one.
const stillness = (page) =>
	until(page, () => [...document.querySelectorAll(".modal")].every((it) => !$(it).data("bs.modal")?._isTransitioning));

async function closeDialog(page) {
	await stillness(page);
	await dialog(page).locator(".btn-modal-close:visible").click();
	await becomes(() => page.locator(".modal.show").count(), 0, "a dialog is still open");
}

// Close the dialog on top by keyboard, and no other.
async function escape(page) {
	await stillness(page);
	const open = await page.locator(".modal.show").count();
	assert.ok(open, "no dialog is open");
	await page.keyboard.press("Escape");
	await becomes(() => page.locator(".modal.show").count(), open - 1, "Escape did not close it");
	await stillness(page);
}

// Call one of the app's methods as the Desk does; throws what the server refuses. (The Desk's own way of asking has a
// dialog say it, and waits for Retry.)
const call = (page, method, args) =>
	page.evaluate(
		async ([method, args]) => {
			const ma = await marketing_automation.ready();
			const refused = (xhr) => Promise.reject(new Error(ma.trouble(xhr).text));
			return ma.request(method, args, "POST").then((reply) => reply.message, refused);
		},
		[method, args]
	);

// Choose a recipe in the dialog that offers them.
const chooseRecipe = (page, name = "subscription_renewal") => dialog(page).locator(`[data-recipe="${name}"]`).click();

// Make the recipe's campaign, inactive; returns its name. The Desk must be there.
const fromRecipe = (page, campaign_name, language = "en") =>
	call(page, "make_from_recipe", { recipe: "subscription_renewal", campaign_name, days: "30, 7, 1", language });

// Make the recipe's campaign and open it.
async function openNew(page, name) {
	await openList(page, "Lifecycle Campaign");
	await openForm(page, "Lifecycle Campaign", await fromRecipe(page, name));
	await page.locator(".lifecycle-journey").waitFor();
}

// Switch the campaign of the open form on, as its marketer does who has read what that will bring.
async function activate(page) {
	await page.locator(".page-head:visible").getByRole("button", { name: "Activate" }).click();
	await dialog(page).getByText(/^The night of/).waitFor();
	await dialog(page).getByRole("button", { name: "Activate" }).click();
	await page.locator(".page-head:visible").getByRole("button", { name: "Pause" }).waitFor();
	await settled(page);
}

module.exports = {
	...{ inBrowser, closeBrowser, until, answered, becomes, settled, go, openWorkspace, openList, openReport, openForm, formOf, fill },
	...{ PATIENCE, activate, save, screenshot, dialog, stillness, closeDialog, escape, call, chooseRecipe, fromRecipe, openNew },
};
