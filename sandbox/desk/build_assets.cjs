// Builds the Desk's bundles as `bench build` does: node build_assets.cjs BENCH NODE_MODULES.
// In: every <app>/public/**/*.bundle.(js|css|scss) of the apps in sites/apps.txt. Out: sites/assets/bundles, and
// sites/assets/assets.json, in which Frappe looks up where a bundle is. Not built: right-to-left styles.

const fs = require("node:fs");
const net = require("node:net");
const path = require("node:path");
const { pathToFileURL } = require("node:url");
const esbuild = require("esbuild");
const vue = require("esbuild-plugin-vue3");
const sass = require("sass");

// Without links: esbuild names the files where they are.
const [bench, nodeModules] = process.argv.slice(2).map((folder) => fs.realpathSync(folder));
const sites = path.join(bench, "sites");
const assets = path.join(sites, "assets");
const bundles = path.join(assets, "bundles");

const apps = fs.readFileSync(path.join(sites, "apps.txt"), "utf8").split("\n").filter(Boolean);
const appFolders = apps.map((app) => path.join(bench, "apps", app));
const publicFolders = apps
	.map((app, i) => ({ app, folder: path.join(appFolders[i], app, "public") }))
	.filter(({ folder }) => fs.existsSync(folder));

// A .html file that is imported becomes a client-side template named after the file.
const templates = {
	name: "templates",
	setup(build) {
		build.onLoad({ filter: /\.html$/ }, ({ path: file }) => {
			const name = JSON.stringify(path.basename(file, ".html"));
			const text = JSON.stringify(fs.readFileSync(file, "utf8"));
			return { contents: `frappe.templates[${name}] = ${text};`, loader: "js" };
		});
	},
};

// In Frappe's styles a leading ~ means node_modules, and /assets/ is what the web server serves.
const styles = {
	name: "styles",
	setup(build) {
		const inNodeModules = {
			findFileUrl: (url) =>
				url.startsWith("~") ? pathToFileURL(path.join(nodeModules, url.slice(1))) : null,
		};
		build.onResolve({ filter: /^\/assets\// }, ({ path: url }) => ({ path: url, external: true }));
		build.onLoad({ filter: /\.scss$/ }, ({ path: file }) => {
			const { css } = sass.compile(file, {
				importers: [inNodeModules],
				loadPaths: [nodeModules, ...appFolders],
				quietDeps: true,
				logger: sass.Logger.silent,
			});
			return { contents: css, loader: "css", resolveDir: path.dirname(file) };
		});
	},
};

function entryPoints() {
	return publicFolders.flatMap(({ folder }) =>
		fs
			.readdirSync(folder, { recursive: true })
			.filter(
				(file) => /\.bundle\.(js|css|scss)$/.test(file) && !/(^|\/)(node_modules|dist)\//.test(file)
			)
			.map((file) => path.join(folder, file))
	);
}

async function build() {
	const { outputFiles, metafile } = await esbuild.build({
		entryPoints: entryPoints(),
		entryNames: "[name].[hash]",
		outdir: bundles,
		absWorkingDir: bench,
		bundle: true,
		minify: true,
		metafile: true,
		write: false,
		target: "es2017",
		logLevel: "error",
		nodePaths: [nodeModules, ...appFolders],
		plugins: [templates, styles, vue()],
		define: {
			"process.env.NODE_ENV": '"production"',
			__VUE_OPTIONS_API__: "true",
			__VUE_PROD_DEVTOOLS__: "false",
		},
	});

	fs.rmSync(bundles, { recursive: true, force: true });
	fs.mkdirSync(bundles, { recursive: true });
	const files = new Map(outputFiles.map((file) => [file.path, file]));
	const index = {};
	for (const [output, { entryPoint, cssBundle }] of Object.entries(metafile.outputs)) {
		const target = path.resolve(bench, output);
		if (!entryPoint) continue;
		let { text } = files.get(target);
		if (cssBundle) {
			// The Desk loads a bundle's script only: it has to bring the styles of its Vue components along.
			const css = files.get(path.resolve(bench, cssBundle)).text;
			text = `frappe.dom.set_style(${JSON.stringify(css)});\n${text}`;
		}
		fs.writeFileSync(target, text);
		index[path.basename(entryPoint).replace(/\.scss$/, ".css")] = `/${path.relative(sites, target)}`;
	}
	return index;
}

function link(target, at) {
	fs.rmSync(at, { recursive: true, force: true });
	fs.symlinkSync(target, at);
}

// Frappe keeps what is in assets.json in Redis, and `bench clear-cache` leaves it there.
function forgetAssets() {
	const { redis_cache } = JSON.parse(fs.readFileSync(path.join(sites, "common_site_config.json"), "utf8"));
	const { hostname, port } = new URL(redis_cache);
	const socket = net.connect(port, hostname, () => socket.end("DEL assets_json\r\n"));
}

async function main() {
	for (const { app, folder } of publicFolders) link(folder, path.join(assets, app));
	// Frappe loads some libraries as they are, when they are needed: /assets/frappe/node_modules/ace-builds/...
	link(nodeModules, path.join(bench, "apps/frappe/frappe/public/node_modules"));
	const index = await build();
	fs.writeFileSync(path.join(assets, "assets.json"), JSON.stringify(index, null, 1));
	forgetAssets();
	console.log(`${Object.keys(index).length} bundles`);
}

main();
