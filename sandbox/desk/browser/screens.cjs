// Every screen of ours: its name, and how to get there. A campaign that has run must be there already.

const { answered, call, closeDialog, dialog, fromRecipe, go, openForm, openList, openReport, openWorkspace, settled } = require(
	"./harness.cjs"
);

const DOCTYPES = ["Lifecycle Campaign", "Lifecycle Trigger", "Lifecycle Action", "Lifecycle Execution Log", "Lifecycle Run"];

// Make a campaign from the recipe, run it, and wait for its end; returns its name.
async function campaignThatRan(page, name, language) {
	await openList(page, "Lifecycle Campaign");
	const campaign = await fromRecipe(page, name, language);
	await page.evaluate(
		(name) => frappe.xcall("frappe.client.set_value", { doctype: "Lifecycle Campaign", name, fieldname: "is_active", value: 1 }),
		campaign
	);
	const run = await call(page, "run_now", { campaign });
	await answered(page, (run) => marketing_automation.ready().then((ma) => ma.call("run_progress", { run })).then((r) => r.status === "Completed"), run);
	return campaign;
}

const firstOf = (page, doctype) =>
	page.evaluate(
		(doctype) => frappe.db.get_list(doctype, { order_by: "creation desc", limit: 1 }).then((rows) => rows[0].name),
		doctype
	);

// Open what is a dialog on the campaign's form, hand it over, and close it.
const onCampaign = (open) => async (page, campaign, look) => {
	if (!(await page.evaluate((name) => window.cur_frm?.doc?.name === name, campaign))) {
		await openForm(page, "Lifecycle Campaign", campaign);
	}
	await page.evaluate(open);
	await dialog(page).waitFor();
	await settled(page);
	await look();
	await closeDialog(page);
};

const opening = (visit) => async (page, campaign, look) => {
	await visit(page, campaign);
	await look();
};

const why = (doctype) => async (page, campaign, look) => {
	await openForm(page, doctype, await firstOf(page, doctype));
	await page.evaluate(() => {
		const { why } = marketing_automation;
		void (cur_frm.doctype === "Customer" ? why.customer(cur_frm.doc.name) : why.reference(cur_frm.doctype, cur_frm.doc.name));
	});
	await dialog(page).locator("h5").first().waitFor();
	await settled(page);
	await look();
	await closeDialog(page);
};

const SCREENS = {
	workspace: opening((page) => openWorkspace(page, "Marketing Automation")),
	...Object.fromEntries(DOCTYPES.map((doctype) => [`list of ${doctype}`, opening((page) => openList(page, doctype))])),
	...Object.fromEntries(
		DOCTYPES.map((doctype) => [
			`form of ${doctype}`,
			opening(async (page) => openForm(page, doctype, await firstOf(page, doctype))),
		])
	),
	"a new campaign": opening((page) => openForm(page, "Lifecycle Campaign")),
	recipe: onCampaign(() => marketing_automation.recipes.show()),
	preview: onCampaign(() => void marketing_automation.preview.show({ campaign: cur_frm.doc.name })),
	forecast: onCampaign(() => void marketing_automation.forecast.show(cur_frm.doc.name)),
	message: onCampaign(() => document.querySelector("[data-mail]").click()),
	"run now": onCampaign(() => void marketing_automation.run.confirm(cur_frm.doc.name)),
	duplicate: onCampaign(() => void cur_frm.trigger("duplicate")),
	"why, of a customer": why("Customer"),
	"why, of a serial number": why("Serial No"),
	"Campaign Performance": opening((page) => openReport(page, "Campaign Performance")),
	"Expiring Pins": opening((page) => openReport(page, "Expiring Pins")),
	"forecast page": opening(async (page) => {
		await go(page, "lifecycle-forecast");
		await page.locator(".lifecycle-calendar:visible").waitFor();
		await settled(page);
	}),
};

// Call look(name) on each screen in turn.
async function eachScreen(page, campaign, look) {
	for (const [name, visit] of Object.entries(SCREENS)) {
		await visit(page, campaign, () => look(name)).catch((error) => {
			error.message = `${name}: ${error.message}`;
			throw error;
		});
	}
}

module.exports = { campaignThatRan, eachScreen };
