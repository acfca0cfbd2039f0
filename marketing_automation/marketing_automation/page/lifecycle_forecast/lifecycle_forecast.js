frappe.pages["lifecycle-forecast"].on_page_load = function (wrapper) {
	const page = frappe.ui.make_app_page({
		parent: wrapper,
		title: __("Message Forecast"),
		single_column: true,
	});
	const campaign = page.add_field({
		fieldname: "campaign",
		label: __("Campaign"),
		fieldtype: "Link",
		options: "Lifecycle Campaign",
		change: () => show(),
	});
	const body = $('<div class="lifecycle-forecast-page frappe-card"></div>').appendTo(page.main);
	function show() {
		marketing_automation.ready().then((ma) => ma.forecast.draw(body, campaign.get_value() || null));
	}
	show();
};
