// Will the mails arrive, and can they be read (api.deliverability)? In a bar that says how much there is to mend, and opens.

marketing_automation.arrival = {
	// args: {campaign}, or nothing for the site's own sender.
	draw(wrapper, args = {}, again = 0) {
		const ma = marketing_automation;
		return ma.load(
			wrapper,
			() => ma.ask("deliverability", { ...args, again }),
			(found) => {
				// It was open when it was asked for again.
				wrapper.html(this.html(found, Boolean(again)));
				wrapper.find("[data-route]").on("click", (e) => {
					frappe.set_route(...e.currentTarget.dataset.route.split("/"));
					return false;
				});
				wrapper.find("[data-again]").on("click", () => this.draw(wrapper, args, 1));
			},
			{ keep: true, loading: "" }
		);
	},

	html(found, open) {
		if (!found.length) return "";
		const ma = marketing_automation;
		const worst = found[0].level;
		const level = { red: "red", orange: "", gray: "gray", green: "green" }[worst];
		return `<details class="lifecycle-banner lifecycle-arrival-bar ${level}" ${open ? "open" : ""}>
			<summary>${ma.escape(this.summary(found))}</summary>
			<ul class="lifecycle-arrival">${found.map((row) => this.row(row)).join("")}</ul>
			<button type="button" class="btn btn-xs btn-default" data-again="1">${__("Look Again")}</button>
		</details>`;
	},

	summary(found) {
		const count = (level) => found.filter((row) => row.level === level).length;
		const [wrong, advice, unknown] = ["red", "orange", "gray"].map(count);
		const parts = [];
		if (wrong) parts.push(wrong === 1 ? __("1 thing to mend") : __("{0} things to mend", [wrong]));
		if (advice) parts.push(advice === 1 ? __("1 thing to look at") : __("{0} things to look at", [advice]));
		if (unknown) parts.push(unknown === 1 ? __("1 thing not known") : __("{0} things not known", [unknown]));
		return parts.length
			? __("Will the mails arrive? {0}", [parts.join(", ")])
			: __("Will the mails arrive? Nothing speaks against it");
	},

	row({ check, level, text, mend, route }) {
		const ma = marketing_automation;
		const words = {
			red: __("To mend"),
			orange: __("To look at"),
			gray: __("Not known"),
			green: __("Good", null, "Lifecycle"),
		};
		const open = route ? ` <a data-route="${ma.escape(route)}" href="#">${__("Open It")}</a>` : "";
		return `<li>${ma.pill(words[level], level)} <strong>${ma.escape(check)}</strong>
			<div>${ma.escape(text)}</div>
			${mend ? `<div>${ma.escape(mend)}${open}</div>` : ""}</li>`;
	},
};
