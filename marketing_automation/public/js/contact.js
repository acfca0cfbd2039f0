// On a contact's form: ask whether they want to hear from us, and write down what they have said elsewhere.
frappe.ui.form.on("Contact", {
	refresh(frm) {
		if (frm.is_new() || !frappe.model.can_write("Lifecycle Campaign")) return;
		const group = __("Marketing");
		frm.add_custom_button(__("Ask for Consent"), () => ask(frm), group);
		frm.add_custom_button(__("Write Down What They Said"), () => write_down(frm), group);
		frm.add_custom_button(
			__("What They Have Said"),
			() => frappe.set_route("List", "Lifecycle Consent", { contact: frm.doc.name }),
			group
		);
	},
});

const topics = () =>
	frappe.xcall("marketing_automation.api.topics").then((found) => [{ value: "", label: "" }, ...found]);

async function ask(frm) {
	const options = await topics();
	frappe.prompt(
		[
			{ fieldname: "topic", fieldtype: "Select", label: __("Topic", null, "Lifecycle Topic"), options, reqd: 1 },
			{
				fieldtype: "HTML",
				options: `<p class="text-muted">${__(
					"They get one mail with a link, and agree on the page that it leads to. Ask only who has wished for it."
				)}</p>`,
			},
		],
		({ topic }) =>
			frappe
				.xcall("marketing_automation.api.ask_for_consent", { contact: frm.doc.name, topic })
				.then((address) => frappe.show_alert({ message: __("Sent to {0}.", [address]), indicator: "green" })),
		__("Ask for Consent"),
		__("Send")
	);
}

async function write_down(frm) {
	const options = await topics();
	options[0].label = __("All marketing");
	const agrees = [
		{ value: "0", label: __("They want no more") },
		{ value: "1", label: __("They agree") },
	];
	frappe.prompt(
		[
			{ fieldname: "agrees", fieldtype: "Select", label: __("What They Said"), options: agrees, reqd: 1, default: "0" },
			{ fieldname: "topic", fieldtype: "Select", label: __("Topic", null, "Lifecycle Topic"), options },
			{ fieldname: "text", fieldtype: "Small Text", label: __("In Which Words, When and Where"), reqd: 1 },
		],
		(values) =>
			frappe
				.xcall("marketing_automation.api.write_down_consent", { contact: frm.doc.name, ...values })
				.then(() => frappe.show_alert({ message: __("Saved."), indicator: "green" })),
		__("Write Down What They Said")
	);
}
