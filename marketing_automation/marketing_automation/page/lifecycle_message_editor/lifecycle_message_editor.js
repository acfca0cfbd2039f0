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
		const editors = (wrapper.lifecycle_editors = wrapper.lifecycle_editors || new Map());
		const here = wrapper.lifecycle_editor;
		// What was typed and not saved is still there when somebody comes back, whatever they have opened meanwhile.
		if (here && here.name !== name && !here.put_away()) editors.delete(here.name);
		if (editors.has(name)) editors.get(name).come_back();
		else editors.set(name, new ma.MessageEditor(wrapper.lifecycle_page, name));
		wrapper.lifecycle_editor = editors.get(name);
	});
};
