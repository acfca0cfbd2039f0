// Run now: ask with the number of mails, start, and follow the real work until it is done.

marketing_automation.run = {
	EVERY: 1500,
	ENDED: ["Completed", "Failed", "Interrupted"],

	confirm(campaign, done) {
		const ma = marketing_automation;
		ma.call("run_preview", { campaign }, { freeze: true }).then(({ counts, reasons, problems }) => {
			const lines = [
				counts.mails > 1
					? __("<strong>{0} mails</strong> will go out to customers now.", [ma.number(counts.mails)])
					: counts.mails
					? __("<strong>1 mail</strong> will go out to a customer now.")
					: __("No mail will go out: nobody is to be told at this moment."),
			];
			if (counts.skip + counts.fail) {
				const why = Object.entries(reasons)
					.map(([reason, count]) => `${ma.escape(__(reason))}: ${ma.number(count)}`)
					.join(", ");
				lines.push(__("{0} will be skipped ({1}).", [ma.number(counts.skip + counts.fail), why]));
			}
			if (counts.known) {
				lines.push(__("{0} were handled before and are left alone.", [ma.number(counts.known)]));
			}
			const banners = problems
				.map((problem) => ma.banner(problem.level, problem.text))
				.join("");
			frappe.confirm(banners + lines.map((line) => `<p>${line}</p>`).join(""), () =>
				ma.call("run_now", { campaign }, { freeze: true }).then((name) => this.follow(name, done))
			);
		});
	},

	// Polled, not pushed: it works on sites without a realtime server too.
	follow(name, done) {
		const dialog = new frappe.ui.Dialog({
			title: __("Run {0}", [marketing_automation.escape(name)]),
			fields: [{ fieldname: "progress", fieldtype: "HTML" }],
			primary_action_label: __("Open the Message Log"),
			primary_action: () => {
				dialog.hide();
				marketing_automation.open_ledger({ run: name });
			},
		});
		let open = true;
		dialog.onhide = () => {
			open = false;
			done && done();
		};
		const look = () =>
			marketing_automation.call("run_progress", { run: name }).then((progress) => {
				if (!open) return;
				this.draw(dialog.fields_dict.progress.$wrapper, progress);
				if (this.ENDED.includes(progress.status)) {
					done && done();
				} else {
					setTimeout(() => open && look(), this.EVERY);
				}
			});
		dialog.show();
		dialog.fields_dict.progress.$wrapper.html(marketing_automation.loading());
		look();
	},

	// Retry what failed, or send what was skipped: says how many are on their way, and why the others are not.
	again(method, args, done) {
		const ma = marketing_automation;
		ma.call(method, args, { freeze: true }).then((result) => {
			const { Pending: started = 0, "Attempts used up": exhausted, ...left } = result;
			const lines = [];
			if (started === 1) lines.push(__("1 message is on its way."));
			if (started > 1) lines.push(__("{0} are on their way.", [ma.number(started)]));
			if (exhausted) lines.push(`${__("Attempts used up")}: ${ma.number(exhausted)}`);
			for (const [reason, count] of Object.entries(left)) {
				lines.push(`${ma.escape(__(reason))}: ${ma.number(count)}`);
			}
			if (!lines.length) {
				lines.push(
					method === "send_skipped"
						? __("None of these messages was skipped or cancelled. Choose Retry Failed for what has failed.")
						: __("None of these messages has failed. Choose Send Skipped for what was skipped or cancelled.")
				);
			}
			frappe.msgprint({
				title: started ? __("Sent Again") : __("Nothing Sent"),
				indicator: started ? "green" : "orange",
				message: lines.map((line) => `<p>${line}</p>`).join(""),
			});
			done();
		});
	},

	draw(wrapper, progress) {
		const ma = marketing_automation;
		const ended = this.ENDED.includes(progress.status);
		const percent = progress.total
			? Math.floor((100 * progress.done) / progress.total)
			: ended
			? 100
			: 0;
		const words = {
			Running: __("Finding out who is to be told…"),
			Delivering: __("Writing the mails…"),
			Completed: __("Done."),
			Failed: __("The run failed."),
			Interrupted: __("The run was interrupted. It is taken up again by itself."),
		};
		const counts = Object.entries(progress.counts)
			.filter(([, count]) => count)
			.map(([status, count]) => `${ma.status(status)} ${ma.number(count)}`)
			.join(" &nbsp; ");
		const notes = [];
		if (progress.reopened) {
			notes.push(
				__("{0} that earlier runs had to skip can be sent by now, and are.", [ma.number(progress.reopened)])
			);
		}
		if (progress.status === "Completed" && !progress.total && !progress.reopened) {
			notes.push(__("There was nothing new to tell."));
		}
		if (progress.counts.Queued) {
			notes.push(__("Queued mails leave in the next minutes; the message log shows when each is completed."));
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
