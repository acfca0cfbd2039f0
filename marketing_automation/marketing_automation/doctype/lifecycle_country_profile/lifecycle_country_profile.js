frappe.ui.form.on("Lifecycle Country Profile", {
	refresh(frm) {
		marketing_automation.by_no_zone(frm);
		frm.trigger("show_shipped");
	},

	country(frm) {
		frm.trigger("show_shipped");
	},

	after_save(frm) {
		frm.trigger("show_shipped");
	},

	// What the app ships for the country, with its sources, beside what this site has put in its place.
	show_shipped(frm) {
		const wrapper = frm.get_field("shipped").$wrapper;
		if (!frm.doc.country) {
			wrapper.empty();
			return;
		}
		const country = frm.doc.country;
		marketing_automation.ready().then((ma) =>
			ma.load(
				wrapper,
				() => ma.ask("country_profile", { country }),
				(found) => {
					if (frm.doc.country === country) wrapper.html(frm.events.in_words(ma, found));
				}
			)
		);
	},

	in_words(ma, found) {
		const checked = found.checked
			? ""
			: ma.banner(
					"orange",
					__("Nobody has checked the law of this country: the strictest rules hold.")
			  );
		const table = ma.table(
			[
				{ label: __("Rule"), html: (line) => ma.escape(line.label) },
				{ label: __("As Shipped"), html: (line) => ma.escape(line.shipped) },
				{ label: __("Here"), html: (line) => (line.own ? `<b>${ma.escape(line.own)}</b>` : "") },
				{ label: __("Source", null, "Lifecycle"), html: (line) => ma.escape(line.source || "") },
			],
			found.lines
		);
		const note = found.note ? `<p>${ma.escape(found.note)}</p>` : "";
		return `${checked}${table}${note}<p><b>${ma.escape(found.disclaimer)}</b></p>`;
	},
});
