// The way to a design: one of the gallery, or an empty one.

// options: {action, title, from}. The name of the new design goes to `made`.
export function choose_design({ action = null, title = "", made }) {
	const ma = marketing_automation;
	const dialog = ma.dialog({
		title: __("Choose a Design"),
		size: "large",
		fields: [
			{ fieldname: "title", fieldtype: "Data", label: __("Name of the Design"), reqd: 1, default: title },
			{ fieldname: "designs", fieldtype: "HTML" },
		],
	});
	dialog.show();
	const place = dialog.fields_dict.designs.$wrapper;
	const make = (from_gallery) => {
		const name = dialog.get_value("title");
		if (!name) {
			frappe.show_alert({ message: __("Give the design a name first."), indicator: "orange" });
			dialog.fields_dict.title.$input.trigger("focus");
			return;
		}
		ma.call("new_design", { title: name, from_gallery, action }, { freeze: true }).then((design) => {
			dialog.hide();
			made(design);
		});
	};
	ma.load(place, () => ma.ask("design_gallery", { action }), (designs) => {
		const cards = designs
			.map(
				(one) => `<li class="me-card-place"><div class="me-card-picture" data-picture="${ma.escape(one.name)}"></div><button type="button" class="me-card" data-design="${ma.escape(one.name)}">
					<span class="me-card-group">${ma.escape(one.group)}</span>
					<strong>${ma.escape(one.title)}</strong>
					<span>${ma.escape(one.description)}</span>
					${one.fits ? "" : `<span class="me-card-group">${__("Made for something else: some of its words have to be changed.")}</span>`}
				</button></li>`
			)
			.join("");
		place.html(`<ul class="me-cards">
			<li class="me-card-place"><button type="button" class="me-card" data-design="">
				<strong>${__("An empty message")}</strong><span>${__("With your logo and the foot.")}</span></button></li>
			${cards}</ul>`);
		draw_pictures(place, action);
		place.find("[data-design]").on("click", (e) => make(e.currentTarget.dataset.design || null));
	});
	return dialog;
}

// A picture of each design, in the brand of the action's company, as soon as its card is seen.
function draw_pictures(place, action) {
	const ma = marketing_automation;
	const watch = new IntersectionObserver((entries) => {
		for (const { target, isIntersecting } of entries) {
			if (!isIntersecting) continue;
			watch.unobserve(target);
			const name = target.dataset.picture;
			ma.load($(target), () => ma.ask("gallery_picture", { name, action }), ({ html, language }) => {
				const title = __("Picture of {0}", [$(target).next().find("strong").text()]);
				$('<iframe sandbox="" referrerpolicy="no-referrer" tabindex="-1" scrolling="no"></iframe>')
					.attr({ title, lang: language, srcdoc: html })
					.appendTo($(target).empty());
			});
		}
	});
	place.find("[data-picture]").each((_index, one) => watch.observe(one));
}
