// Takes the documentation's pictures of a mail: mails.cjs FOLDER, named after the language of the mail. MAILS is a folder of their
// HTML, one file a language; ASSETS the app's public folder, whose pictures are in them. In light and dark, on a desk and a phone.

const fs = require("node:fs");
const path = require("node:path");
const { chromium } = require("playwright-core");

const WIDTHS = { desktop: 800, phone: 390 };
const ARGUMENTS = ["--disable-gpu", ...(process.getuid() === 0 ? ["--no-sandbox"] : [])];

// Nothing is fetched but the mail and the app's own pictures.
function answer(route) {
	const { pathname, protocol } = new URL(route.request().url());
	if (protocol === "file:") return route.continue();
	const asset = path.join(process.env.ASSETS, pathname.replace(/^\/assets\/marketing_automation\//, ""));
	const is_ours = pathname.startsWith("/assets/marketing_automation/") && fs.existsSync(asset);
	return is_ours ? route.fulfill({ path: asset }) : route.abort();
}

async function main(folder) {
	fs.mkdirSync(folder, { recursive: true });
	const file = path.resolve(process.env.MAILS, `${path.basename(folder)}.html`);
	const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ARGUMENTS });
	try {
		for (const colorScheme of ["light", "dark"]) {
			for (const [device, width] of Object.entries(WIDTHS)) {
				const isMobile = device === "phone";
				const context = await browser.newContext({ colorScheme, isMobile, viewport: { width, height: 700 } });
				const page = await context.newPage();
				await page.route("**/*", answer);
				await page.goto(`file://${file}`);
				const wide = await page.evaluate(() => document.documentElement.scrollWidth);
				if (wide > width) throw new Error(`${file} is ${wide} pixels wide on a screen of ${width}`);
				await page.screenshot({ path: path.join(folder, `mail-${device}-${colorScheme}.png`), fullPage: true });
				await context.close();
			}
		}
	} finally {
		await browser.close();
	}
}

main(process.argv[2]).catch((error) => {
	console.error(error);
	process.exit(1);
});
