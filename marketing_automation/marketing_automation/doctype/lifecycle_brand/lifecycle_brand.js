// A mail in the brand beside its fields, light and dark, drawn anew with each change.

const FIELDS = [
	...["company", "sender_name", "website", "logo", "color", "link_color", "font"],
	...["postal_address", "foot_text", "links"],
];

const draw = frappe.utils.debounce((frm) => frm.trigger("draw_preview"), 400);

frappe.ui.form.on("Lifecycle Brand", {
	before_load(frm) {
		// Frappe fills in the default company. Here an empty one stands for all of them.
		if (frm.is_new() && !frappe.defaults.get_user_permissions().Company) frm.doc.company = "";
	},

	refresh(frm) {
		frm.trigger("draw_preview");
	},

	draw_preview(frm) {
		const ma = marketing_automation;
		const place = frm.fields_dict.preview.$wrapper;
		const fields = Object.fromEntries(FIELDS.map((field) => [field, frm.doc[field] || ""]));
		fields.name = frm.doc.brand_name || "";
		fields.links = (frm.doc.links || []).map(({ label, url }) => ({ label, url }));
		ma.load(
			place,
			() => ma.ask("brand_preview", { fields }, "POST"),
			({ html, colors }) => {
				place.html(`<ul class="text-muted">${colors.map((text) => `<li>${ma.escape(text)}</li>`).join("")}</ul>
					<iframe class="lifecycle-brand-mail" sandbox title="${__("Preview")}"></iframe>`);
				place.find("iframe").attr("srcdoc", html);
			},
			{ keep: true }
		);
	},

	...Object.fromEntries(FIELDS.map((field) => [field, draw])),
});

frappe.ui.form.on("Lifecycle Brand Link", { label: draw, url: draw, links_remove: draw });
