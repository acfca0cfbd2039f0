// All tests in one process and one browser; run by sandbox/tests/test_browser.py.

const fs = require("node:fs");
const { after } = require("node:test");
const { closeBrowser } = require("./harness.cjs");

for (const file of fs.readdirSync(__dirname).sort()) if (file.endsWith(".test.cjs")) require(`./${file}`);
after(closeBrowser);
