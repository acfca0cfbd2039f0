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
				(one) => `<li><button type="button" class="me-card" data-design="${ma.escape(one.name)}">
					<span class="me-card-group">${ma.escape(one.group)}</span>
					<strong>${ma.escape(one.title)}</strong>
					<span>${ma.escape(one.description)}</span>
					${one.fits ? "" : `<span class="me-card-group">${__("Made for something else: some of its words have to be changed.")}</span>`}
				</button></li>`
			)
			.join("");
		place.html(`<ul class="me-cards">
			<li><button type="button" class="me-card" data-design="">
				<strong>${__("An empty message")}</strong><span>${__("With your logo and the foot.")}</span></button></li>
			${cards}</ul>`);
		place.find("[data-design]").on("click", (e) => make(e.currentTarget.dataset.design || null));
	});
	return dialog;
}
