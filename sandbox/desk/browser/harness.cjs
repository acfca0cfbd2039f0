// What browser tests and pictures share: a page of Chromium on the site at DESK_URL, and the Desk's usual moves.
// An error in the page's JavaScript fails the visit in which it happens.

const assert = require("node:assert/strict");
const path = require("node:path");
const { chromium } = require("playwright-core");

// Sandbox sites have no realtime server; the Desk keeps asking for one. On a phone Frappe draws no onboarding, and its
// own editor complains.
const FRAPPE = /socket\.io|Block «onboarding» skipped/;

// Call visit(page) with a new page in a new session; throws what it throws, or the errors that the page reported.
// allowed: a pattern for reported errors that this visit is about, such as /403/. When a visit fails, a picture of its
// last moment is in the bench's logs.
async function inBrowser(visit, { allowed } = {}) {
	// Chromium's own sandbox does not work for root.
	const browser = await chromium.launch({
		executablePath: process.env.CHROMIUM,
		args: process.getuid() === 0 ? ["--no-sandbox"] : [],
	});
	try {
		const page = await browser.newPage({
			baseURL: process.env.DESK_URL,
			viewport: { width: 1280, height: 800 },
			locale: "en-US",
			timezoneId: "America/Bogota",
		});
		page.setDefaultTimeout(30000);
		const errors = collectErrors(page);
		try {
			await visit(page);
			const unexpected = errors.filter((error) => !allowed?.test(error));
			assert.deepEqual(unexpected, [], "the page reported errors");
		} catch (error) {
			const picture = await screenshot(page, process.env.DESK_LOGS, "browser-failure");
			error.message += `\nThe page then: ${page.url()}, see ${picture}. It reported: ${errors.join("; ") || "nothing"}`;
			throw error;
		}
	} finally {
		await browser.close();
	}
}

function collectErrors(page) {
	const errors = [];
	page.on("pageerror", (error) => errors.push(error.stack || String(error)));
	page.on("console", (message) => {
		const { url } = message.location();
		if (message.type() !== "error" || FRAPPE.test(url) || FRAPPE.test(message.text())) return;
		errors.push(`${message.text()} (${url})`);
	});
	return errors;
}

// Log in on the login page, and wait for the Desk.
async function login(page, user, password) {
	await page.goto("/login");
	await page.locator("#login_email").fill(user);
	await page.locator("#login_password").fill(password);
	await page.locator(".form-login .btn-login").click();
	await page.waitForURL(/\/(app|desk)/);
	await settled(page);
}

// Wait until the Desk is there and asks the server for nothing any more.
async function settled(page) {
	await page.waitForFunction(() => window.frappe?.boot && frappe.request.ajax_count === 0);
	// A reply may lead to the next question.
	await page.waitForTimeout(300);
	await page.waitForFunction(() => frappe.request.ajax_count === 0);
}

const slug = (name) => name.toLowerCase().replaceAll(" ", "-");

async function openWorkspace(page, title) {
	await page.goto(`/app/${slug(title)}`);
	// A workspace may have no block that this user sees, but its editor is always there.
	await page.locator(".codex-editor").first().waitFor({ state: "attached" });
	await settled(page);
}

async function openList(page, doctype) {
	await page.goto(`/app/${slug(doctype)}`);
	await page.waitForFunction((doctype) => window.cur_list?.doctype === doctype, doctype);
	await settled(page);
}

// Open a document's form, or that of a new document when there is no name.
async function openForm(page, doctype, name) {
	await page.goto(`/app/${slug(doctype)}/${name ? encodeURIComponent(name) : "new"}`);
	await formOf(page, doctype);
}

// Wait for the form of a document of this kind.
async function formOf(page, doctype) {
	await page.waitForFunction((doctype) => window.cur_frm?.doctype === doctype && cur_frm.doc, doctype);
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
	await settled(page);
	const { saved, message } = await page.evaluate(() => ({
		saved: !cur_frm.is_dirty() && !cur_frm.is_new(),
		message: $(".modal:visible .modal-body").text().trim(),
	}));
	assert.ok(saved, `the form was not saved: ${message}`);
}

// Write a picture of what is seen into a folder; returns its path.
async function screenshot(page, folder, name) {
	const file = path.join(folder, `${name}.png`);
	await page.screenshot({ path: file, animations: "disabled", caret: "hide" });
	return file;
}

module.exports = { inBrowser, login, settled, openWorkspace, openList, openForm, formOf, fill, save, screenshot };
