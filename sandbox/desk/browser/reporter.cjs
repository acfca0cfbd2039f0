// What a run of the browser tests says in the end: each test that failed, with its error, and then the names of the others.
// For node's --test-reporter.

module.exports = async function* reporter(events) {
	const passed = [];
	const failed = [];
	for await (const { type, data } of events) {
		if (type === "test:pass" && data.skip === undefined) passed.push(line(data));
		if (type === "test:fail") failed.push(`${line(data)}\n${indented(reason(data.details.error))}`);
	}
	if (failed.length) yield `${failed.length} FAILED:\n\n${failed.join("\n\n")}\n\n`;
	yield `${passed.length} passed:\n${passed.join("\n")}\n`;
};

const line = ({ name, details }) => `  ${name} (${(details.duration_ms / 1000).toFixed(1)} s)`;
const indented = (text) => text.replace(/^/gm, "    ");

// The test's own error; node wraps one of its own round it.
function reason(error) {
	const own = error.cause instanceof Error ? error.cause : error;
	return own.stack || String(own);
}
