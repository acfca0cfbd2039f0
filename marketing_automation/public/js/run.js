// Run now: ask with the number of mails, start, and follow the real work until it is done.

marketing_automation.run = {
	EVERY: 1500,
	EVERY_WHILE_THEY_LEAVE: 5000,
	ENDED: ["Completed", "Failed", "Interrupted"],

	confirm(campaign, done) {
		const ma = marketing_automation;
		const from = document.activeElement;
		ma.call("run_preview", { campaign }, { freeze: true }).then((found) => {
			const { mails, products, others } = found.counts;
			const mail = mails
				? __("{0} will go out to customers now.", [
						`<strong>${ma.mails_about(mails, products)}</strong>`,
				  ])
				: __("No mail will go out: nobody is to get one at this moment.");
			const sentence = [mail, ...ma.others(others).map((text) => ma.escape(text))].join("<br>");
			ma.confirm(
				__("Run Now"),
				ma.what_will_happen(found, sentence),
				mails
					? ma.count(mails, __("Send 1 Mail"), __("Send {0} Mails", [ma.number(mails)]))
					: __("Run Without Mails"),
				__("Cancel"),
				() =>
					ma
						.call("run_now", { campaign }, { freeze: true })
						.then((name) => this.follow(name, done, { campaign, from })),
				from
			);
		});
	},

	// Polled, not pushed: it works on sites without a realtime server too. Until the last mail has left, as far as
	// somebody looks on: of what keeps them it shows the server's words. campaign: null for a run of all.
	follow(name, done, { campaign = null, from } = {}) {
		const ma = marketing_automation;
		const options = {
			title: __("Run {0}", [ma.escape(name)]),
			fields: [
				{ fieldname: "health", fieldtype: "HTML" },
				{ fieldname: "progress", fieldtype: "HTML" },
			],
			primary_action_label: __("Open the Message Log"),
			primary_action: () => {
				dialog.hide();
				ma.open_ledger({ run: name });
			},
		};
		const dialog = ma.dialog(options, from);
		const place = dialog.fields_dict.progress.$wrapper;
		const health = dialog.fields_dict.health.$wrapper;
		let next;
		let was_ended = false;
		dialog.onhide = () => {
			clearTimeout(next);
			ma.forget(place);
			ma.forget(health);
			done && done();
		};
		const draw_health = (problems) =>
			health.html(problems.map((problem) => ma.banner(problem.level, problem.text)).join(""));
		const draw = (progress) => {
			this.draw(place, progress);
			const ended = this.ENDED.includes(progress.status);
			if (ended) {
				if (!was_ended) done && done();
				was_ended = true;
				if (!progress.counts.Queued) return;
				ma.load(health, () => ma.ask("health", { campaign }), draw_health, { keep: true });
			}
			next = setTimeout(() => look(true), ended ? this.EVERY_WHILE_THEY_LEAVE : this.EVERY);
		};
		const look = (keep) => ma.load(place, () => ma.ask("run_progress", { run: name }), draw, { keep });
		dialog.show();
		look(false);
	},

	// Retry what failed, or send what was skipped: says how many are on their way, and why the others are not.
	again(method, args, done) {
		const ma = marketing_automation;
		const from = document.activeElement;
		ma.call(method, args, { freeze: true }).then((result) => {
			const { Pending: started = 0, "Attempts used up": exhausted, ...left } = result;
			const lines = [];
			if (started === 1) lines.push(__("1 message is on its way."));
			if (started > 1) lines.push(__("{0} messages are on their way.", [ma.number(started)]));
			if (exhausted) lines.push(`${__("Attempts used up")}: ${ma.number(exhausted)}`);
			for (const [reason, count] of Object.entries(left)) {
				lines.push(`${ma.escape(ma.reason(reason))}: ${ma.number(count)}`);
			}
			if (!lines.length) {
				lines.push(
					method === "send_skipped"
						? __(
								"None of these messages was skipped or cancelled. Choose Retry Failed for what has failed."
						  )
						: __(
								"None of these messages has failed. Choose Send Skipped for what was skipped or cancelled."
						  )
				);
			}
			const said = frappe.msgprint({
				title: started ? __("Sent Again") : __("Nothing Sent"),
				indicator: started ? "green" : "orange",
				message: lines.map((line) => `<p>${line}</p>`).join(""),
			});
			ma.adopt(said, from);
			done();
		});
	},

	draw(wrapper, progress) {
		const ma = marketing_automation;
		const { Queued } = progress.counts;
		const ended = this.ENDED.includes(progress.status);
		const percent = progress.total ? Math.floor((100 * progress.done) / progress.total) : ended ? 100 : 0;
		const words = {
			Running: __("Finding out who is to get a message…"),
			Delivering: __("Writing the mails…"),
			Completed: Queued ? __("All mails are written, and on their way.") : __("Done."),
			Failed: progress.partly
				? __("Some triggers were left out. All others run.")
				: __("The run failed."),
			Interrupted: __("The run was interrupted. It is taken up again by itself."),
		};
		const { mails, products } = progress;
		// Under way there is only how far it is; mails, and what they are about, are known when they are written.
		const of = (...statuses) =>
			statuses.reduce((sum, status) => sum + ((products || progress.counts)[status] || 0), 0);
		const counts = [
			[__("On Its Way"), of("Pending", "Queued"), "blue"],
			[__("Waiting", null, "Lifecycle"), of("Waiting"), "yellow"],
			[__("Sent", null, "Lifecycle"), of("Completed"), "green"],
			[__("Skipped", null, "Lifecycle"), of("Skipped"), "gray"],
			[__("Failed", null, "Lifecycle"), of("Failed"), "red"],
			[__("Cancelled", null, "Lifecycle"), of("Cancelled"), "gray"],
		]
			.filter(([, count]) => count)
			.map(
				([label, count, color]) =>
					`${ma.pill(label, color)} ${products ? ma.products(count) : ma.number(count)}`
			)
			.join(" &nbsp; ");
		const notes = [];
		if (mails) {
			notes.push(`${ma.mails_about(mails, (products.Queued || 0) + (products.Completed || 0))}.`);
		}
		const others = ma.others(progress.others).join(" · ");
		if (others) notes.push(`${ma.escape(others)}.`);
		if (progress.reopened) {
			notes.push(
				ma.count(
					progress.reopened,
					__("1 message that an earlier run had to skip can be sent by now, and is."),
					__("{0} messages that earlier runs had to skip can be sent by now, and are.", [
						ma.number(progress.reopened),
					])
				)
			);
		}
		if (progress.status === "Completed" && !progress.total && !progress.reopened) {
			notes.push(__("There was nothing new to send."));
		}
		if (progress.counts.Waiting) {
			notes.push(__("What waits leaves by itself when its time has come; the message log shows when."));
		}
		if (Queued) {
			notes.push(__("They leave in the next minutes; the message log shows when each is sent."));
		}
		wrapper.html(`<div role="status" data-status="${ma.escape(progress.status)}">
				<p>${ma.escape(words[progress.status] || __(progress.status))}</p>
				<div class="progress" role="progressbar" aria-valuemin="0" aria-valuemax="100"
					aria-valuenow="${percent}">
					<div class="progress-bar ${progress.status === "Failed" ? "bg-danger" : "bg-success"}"
						style="width: ${percent}%"></div>
				</div>
				<p class="mt-3">${counts}</p>
				${notes.map((note) => `<p class="text-muted">${ma.escape(note)}</p>`).join("")}
				${progress.error ? `<pre class="small">${ma.escape(progress.error)}</pre>` : ""}
			</div>`);
	},
};
