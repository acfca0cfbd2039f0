// lifecycle-message-editor/<name of a Message Design>
frappe.pages["lifecycle-message-editor"].on_page_load = function (wrapper) {
	wrapper.lifecycle_page = frappe.ui.make_app_page({
		parent: wrapper,
		title: __("Message Editor"),
		single_column: true,
	});
};

frappe.pages["lifecycle-message-editor"].on_page_show = function (wrapper) {
	const name = frappe.get_route().slice(1).join("/");
	if (!name) {
		frappe.set_route("List", "Lifecycle Message Design");
		return;
	}
	const loaded = marketing_automation.ready().then((ma) => ma.load_editor());
	loaded.then((ma) => {
		// What was typed and not saved is still there when somebody comes back.
		if (wrapper.lifecycle_editor?.name === name) {
			wrapper.lifecycle_editor.come_back();
			return;
		}
		wrapper.lifecycle_editor?.close();
		wrapper.lifecycle_editor = new ma.MessageEditor(wrapper.lifecycle_page, name);
	});
};
