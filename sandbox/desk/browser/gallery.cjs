// Takes the pictures of the gallery's designs: gallery.cjs MAILS FOLDER. MAILS has one HTML file a design and language, of
// gallery_mails.py. Each is taken as on a phone and as on a computer, in light and in dark, beside each other.

const fs = require("node:fs");
const path = require("node:path");
const { chromium } = require("playwright-core");

const WIDTHS = [640, 390];
const SCHEMES = ["light", "dark"];

async function main(mails, folder) {
	fs.mkdirSync(folder, { recursive: true });
	const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
	try {
		for (const file of fs.readdirSync(mails).filter((name) => name.endsWith(".html"))) {
			const html = fs.readFileSync(path.join(mails, file), "utf-8");
			for (const colorScheme of SCHEMES) {
				for (const width of WIDTHS) {
					const context = await browser.newContext({ viewport: { width, height: 400 }, colorScheme, offline: true });
					const page = await context.newPage();
					await page.setContent(html);
					const wide = await page.evaluate(() => document.documentElement.scrollWidth);
					if (wide > width) throw new Error(`${file} is ${wide} pixels wide on a screen of ${width}.`);
					const name = file.replace(/\.html$/, `.${width}.${colorScheme}.png`);
					await page.screenshot({ path: path.join(folder, name), fullPage: true });
					await context.close();
				}
			}
		}
	} finally {
		await browser.close();
	}
}

main(process.argv[2], process.argv[3]);
