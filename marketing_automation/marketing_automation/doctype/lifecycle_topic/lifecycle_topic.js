frappe.ui.form.on("Lifecycle Topic", {
	refresh(frm) {
		frm.fields_dict.consent_field.set_data(frm.doc.__onload?.fields_that_say_yes || []);
	},
});
