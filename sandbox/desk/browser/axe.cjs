// What axe, which looks for what keeps people out, finds in our part of a page.

const fs = require("node:fs");

const AXE = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf-8");
// What we draw, and the dialogs that we open. Of a list, that is our cells: its rows are Frappe's.
const OURS = '[class*="lifecycle-"]:not(.lifecycle-list), .modal.show.lifecycle-dialog';
// Frappe's own within them: the theme's blue buttons, whose letters are too faint on some versions; the parts of its
// filter builder; and those of its fields that it draws over and over.
const FRAPPES = [".btn-primary", ".filter-box", ".awesomplete ul", ".datepicker"];

// Return what axe has against our part of the page in this theme, in words. seen: whether there is any such part.
async function faults(page, theme) {
	if (!(await page.evaluate(() => Boolean(window.axe)))) {
		await page.evaluate(AXE);
		// The colours of a theme are there at once, and not half those of the other.
		await page.addStyleTag({ content: "* { transition: none !important; }" });
	}
	return page.evaluate(
		async ([ours, frappes, theme]) => {
			document.documentElement.setAttribute("data-theme", theme);
			// Behind a dialog there is nothing to do, and a dialog that was closed is still there, unseen.
			const top = [...document.querySelectorAll(".modal.show")].pop();
			const found = [...document.querySelectorAll(ours)].filter(
				(it) => it.getClientRects().length && (!top || top.contains(it))
			);
			const outer = found.filter((it) => !found.some((other) => other !== it && other.contains(it)));
			outer.forEach((it) => (it.dataset.examined = "1"));
			const rules = { "label-content-name-mismatch": { enabled: true } };
			const what = { include: ["[data-examined]"], exclude: frappes };
			const { violations } = outer.length ? await axe.run(what, { rules, resultTypes: ["violations"] }) : { violations: [] };
			outer.forEach((it) => delete it.dataset.examined);
			document.documentElement.setAttribute("data-theme", "light");
			return {
				seen: Boolean(outer.length),
				faults: violations.flatMap(({ id, nodes }) =>
					nodes.map((node) => `${theme}: ${id}: ${node.html.slice(0, 160)} (${node.failureSummary.split("\n").pop().trim()})`)
				),
			};
		},
		[OURS, FRAPPES, theme]
	);
}

// The faults in both themes, and whether there is anything of ours.
async function examine(page) {
	const light = await faults(page, "light");
	const dark = await faults(page, "dark");
	return { seen: light.seen, faults: [...light.faults, ...dark.faults] };
}

module.exports = { examine };
