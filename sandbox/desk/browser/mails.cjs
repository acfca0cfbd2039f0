// Takes the documentation's pictures of mails: mails.cjs FOLDER. MAILS is a folder of their HTML, one file a language; ASSETS
// the app's public folder, whose pictures are in them. Each mail is shown in light and in dark, on a desk and on a phone.

const fs = require("node:fs");
const path = require("node:path");
const { chromium } = require("playwright-core");

const WIDTHS = { desktop: 800, phone: 390 };
const ARGUMENTS = ["--disable-gpu", ...(process.getuid() === 0 ? ["--no-sandbox"] : [])];

async function main(folder) {
	const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ARGUMENTS });
	try {
		for (const file of fs.readdirSync(process.env.MAILS).filter((name) => name.endsWith(".html"))) {
			const language = path.basename(file, ".html");
			const target = language === "en" ? folder : path.join(folder, language);
			fs.mkdirSync(target, { recursive: true });
			for (const colorScheme of ["light", "dark"]) {
				for (const [device, width] of Object.entries(WIDTHS)) {
					const context = await browser.newContext({
						colorScheme,
						viewport: { width, height: 700 },
						isMobile: device === "phone",
					});
					const page = await context.newPage();
					// Nothing is fetched but the app's own pictures.
					await page.route("**/*", (route) => {
						const { pathname, protocol } = new URL(route.request().url());
						const asset = path.join(process.env.ASSETS, pathname.replace(/^\/assets\/marketing_automation\//, ""));
						return protocol === "file:"
							? route.continue()
							: pathname.startsWith("/assets/marketing_automation/") && fs.existsSync(asset)
							? route.fulfill({ path: asset })
							: route.abort();
					});
					await page.goto(`file://${path.resolve(process.env.MAILS, file)}`);
					const wide = await page.evaluate(() => document.documentElement.scrollWidth);
					if (wide > width) throw new Error(`${file} is ${wide} pixels wide on a screen of ${width}`);
					await page.screenshot({ path: path.join(target, `mail-${device}-${colorScheme}.png`), fullPage: true });
					await context.close();
				}
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
