// The app's workspace: what stands in the way of sending above its blocks, and its words in the user's language.

marketing_automation.workspace = {
	is_shown() {
		const route = frappe.get_route();
		return route[0] === "Workspaces" && route[route.length - 1] === marketing_automation.WORKSPACE;
	},

	// Frappe draws all workspaces on one page, and draws the blocks of one a while after it is opened.
	opened() {
		const page = frappe.pages.Workspaces;
		if (!page) return;
		if (!this.observer) {
			this.observer = new MutationObserver(() => this.is_shown() && this.translate(page));
			this.observer.observe(page, { childList: true, subtree: true });
		}
		$(page).find(".lifecycle-workspace-health").remove();
		if (!this.is_shown() || !frappe.model.can_read("Lifecycle Campaign")) return;
		this.translate(page);
		const bar = $('<div class="lifecycle-workspace-health"></div>').hide();
		$(page).find(".layout-main-section").first().prepend(bar);
		const ma = marketing_automation;
		ma.load(
			bar,
			() => ma.ask("health"),
			(problems) => ma.draw_health(bar, problems),
			{ keep: true }
		);
	},

	// Headings: older versions of Frappe show them as they are stored. Not while they are being edited.
	translate(page) {
		for (const heading of page.querySelectorAll(".ce-header")) {
			if (heading.isContentEditable) continue;
			const walker = document.createTreeWalker(heading, NodeFilter.SHOW_TEXT);
			while (walker.nextNode()) {
				const text = walker.currentNode.data;
				const translated = __(text.trim());
				if (text.trim() && translated !== text.trim()) walker.currentNode.data = translated;
			}
		}
	},
};
