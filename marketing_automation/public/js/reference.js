// On the form of whatever messages can be about: what was sent about it, and why. It runs while the form is set up.
frappe.ui.form.on(cur_frm.doctype, marketing_automation.REFERENCE);
