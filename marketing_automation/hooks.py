from marketing_automation import __version__ as app_version

app_name = "marketing_automation"
app_title = "Marketing Automation"
app_publisher = "The marketing_automation developers"
app_description = (
	"Lifecycle marketing for ERPNext: the right message to each customer at the right time, once"
)
app_license = "mit"

required_apps = ["frappe/erpnext"]

# Frappe writes the fields of a DocType into its controller, and refuses a whitelisted method without types.
export_python_type_annotations = True
require_type_annotated_api_methods = True

# Installation
# ------------

after_install = "marketing_automation.install.after_install"
before_uninstall = "marketing_automation.install.before_uninstall"

# The engine
# ----------

# Times are in the site's time zone (System Settings).
scheduler_events = {
	"cron": {
		"0 1 * * *": ["marketing_automation.tasks.check_expiring_subscriptions"],
		"*/10 * * * *": ["marketing_automation.tasks.read_bounces"],
	},
	"all": ["marketing_automation.tasks.settle_deliveries"],
	"daily": ["marketing_automation.tasks.clear_suppressions"],
}

# {what a trigger can be about: object that yields due events}; the contract is in engine/source.py.
lifecycle_sources = {
	"Serial No": "marketing_automation.sources.serial_no.SOURCE",
	"Batch": "marketing_automation.sources.batch.SOURCE",
	"Subscription": "marketing_automation.sources.subscription.SOURCE",
	"Contract": "marketing_automation.sources.documents.CONTRACT",
	"Quotation": "marketing_automation.sources.documents.QUOTATION",
	"Sales Invoice": "marketing_automation.sources.documents.SALES_INVOICE",
	"Sales Order": "marketing_automation.sources.documents.SALES_ORDER",
	"Maintenance Schedule": "marketing_automation.sources.documents.MAINTENANCE_SCHEDULE",
	"Customer": "marketing_automation.sources.documents.CUSTOMER",
	"Other DocType": "marketing_automation.sources.other.SOURCE",
}

# {action type: module or object that sends}; the contract is in engine/channel.py.
lifecycle_channels = {
	"Send Email": "marketing_automation.channels.email.channel",
	"Send Webhook": "marketing_automation.channels.webhook.CHANNEL",
	"Create ToDo": "marketing_automation.channels.colleagues.TODOS",
	"Notify User": "marketing_automation.channels.colleagues.NOTIFICATIONS",
}

# {key: dotted path of a goal}; the contract is in engine/goals.py.
lifecycle_goals = {
	"Renewed": "marketing_automation.goals.renewed.GOAL",
	"Bought": "marketing_automation.goals.bought.GOAL",
	"Ordered": "marketing_automation.goals.ordered.GOAL",
	"Paid": "marketing_automation.goals.paid.GOAL",
}

# {type: object that keeps Block}: what designed messages are built of; the contract is in designs/block.py.
lifecycle_blocks = {
	"logo": "marketing_automation.blocks.logo.BLOCK",
	"heading": "marketing_automation.blocks.heading.BLOCK",
	"text": "marketing_automation.blocks.paragraph.BLOCK",
	"button": "marketing_automation.blocks.button.BLOCK",
	"picture": "marketing_automation.blocks.picture.BLOCK",
	"items": "marketing_automation.blocks.items.ITEMS",
	"item": "marketing_automation.blocks.items.ITEM",
	"quote": "marketing_automation.blocks.quote.BLOCK",
	"columns": "marketing_automation.blocks.columns.BLOCK",
	"divider": "marketing_automation.blocks.divider.BLOCK",
	"space": "marketing_automation.blocks.space.BLOCK",
	"html": "marketing_automation.blocks.own_html.BLOCK",
	"foot": "marketing_automation.blocks.foot.BLOCK",
}

# {key: dotted path of an object that keeps engine.gate.Check}: whether a message may go now, asked in the checks' own order.
lifecycle_checks = {
	"Suppression List": "marketing_automation.checks.suppression.CHECK",
	"Consent": "marketing_automation.checks.consent.CHECK",
	"Basis": "marketing_automation.checks.basis.CHECK",
	"Holds": "marketing_automation.checks.holds.CHECK",
	"Send window": "marketing_automation.checks.window.CHECK",
	"Frequency cap": "marketing_automation.checks.cap.CHECK",
	"Warm-up": "marketing_automation.checks.warmup.CHECK",
}

# {key: dotted path of a check}, whether mails arrive and can be read; the contract is in engine/deliverability.py.
lifecycle_deliverability = {
	"SPF": "marketing_automation.deliverability.spf.CHECK",
	"DKIM": "marketing_automation.deliverability.dkim.CHECK",
	"DMARC": "marketing_automation.deliverability.dmarc.CHECK",
	"Alignment": "marketing_automation.deliverability.alignment.CHECK",
	"PTR": "marketing_automation.deliverability.ptr.CHECK",
	"One click": "marketing_automation.deliverability.one_click.CHECK",
	"Postal address": "marketing_automation.deliverability.postal_address.CHECK",
	"Text part": "marketing_automation.deliverability.text_part.CHECK",
	"Size": "marketing_automation.deliverability.size.CHECK",
	"Links": "marketing_automation.deliverability.links.CHECK",
	"Pictures": "marketing_automation.deliverability.images.CHECK",
	"Subject": "marketing_automation.deliverability.subjects.CHECK",
	"Braces": "marketing_automation.deliverability.leftovers.CHECK",
	"Spam": "marketing_automation.deliverability.spam.CHECK",
}

# {key: dotted path of a hold}, which a site switches on in the settings; the contract is in engine/holds.py.
lifecycle_holds = {
	"Open Issue": "marketing_automation.holds.open_issue.HOLD",
	"Open Warranty Claim": "marketing_automation.holds.open_warranty_claim.HOLD",
	"Invoice overdue": "marketing_automation.holds.overdue_invoice.HOLD",
	"Unresolved Dunning": "marketing_automation.holds.dunning.HOLD",
	"Order paid and not delivered": "marketing_automation.holds.undelivered_order.HOLD",
	"Item out of stock or disabled": "marketing_automation.holds.item_not_to_be_had.HOLD",
	"Do not disturb": "marketing_automation.holds.do_not_disturb.HOLD",
}

# Older versions of Frappe do not keep what a mail server said.
after_job = ["marketing_automation.channels.email.kept_errors.remember_mail_error"]

# The page on which customers say what they want, for everybody.
page_renderer = ["marketing_automation.pages.preferences.PreferencePage"]

# Permissions
# -----------

permission_query_conditions = {
	"Lifecycle Trigger": "marketing_automation.permissions.triggers",
	"Lifecycle Action": "marketing_automation.permissions.actions",
	"Lifecycle Message Design": "marketing_automation.permissions.designs",
	"Lifecycle Design Version": "marketing_automation.permissions.versions",
	"Lifecycle Run": "marketing_automation.permissions.runs",
	"Lifecycle Execution Log": "marketing_automation.permissions.messages",
	"Lifecycle Suppression": "marketing_automation.permissions.suppressions",
}
has_permission = {
	"Lifecycle Campaign": "marketing_automation.permissions.of_campaign",
	"Lifecycle Trigger": "marketing_automation.permissions.has_permission",
	"Lifecycle Action": "marketing_automation.permissions.has_permission",
	"Lifecycle Message Design": "marketing_automation.permissions.of_design",
	"Lifecycle Design Version": "marketing_automation.permissions.of_version",
	"Lifecycle Run": "marketing_automation.permissions.has_permission",
	"Lifecycle Execution Log": "marketing_automation.permissions.of_message",
	"Lifecycle Suppression": "marketing_automation.permissions.of_suppression",
	"Email Template": "marketing_automation.template_rights.has_permission",
}

# Memory
# ------

# Days, until the administrator says otherwise in Log Settings. Older versions: compat.register_log_clearing.
default_log_clearing_doctypes = {"Lifecycle Execution Log": 730, "Lifecycle Outbox": 30}

user_data_fields = [
	{"doctype": "Lifecycle Suppression", "filter_by": "address", "redact_fields": ["address", "words"]},
	{"doctype": "Lifecycle Execution Log", "filter_by": "recipient", "redact_fields": ["recipient", "error"]},
	# The key that stands for the address stays, so that who has unsubscribed stays unsubscribed.
	{"doctype": "Lifecycle Consent", "filter_by": "address", "redact_fields": ["address", "text"]},
]

# Folders of ready-made campaigns, relative to the app; the contract is in recipes/__init__.py.
lifecycle_recipes = [
	"recipes/subscription_renewal",
	"recipes/subscription_end",
	"recipes/contract_renewal",
	"recipes/quotation_follow_up",
	"recipes/payment_reminder",
	"recipes/warranty_end",
	"recipes/batch_expiry",
	"recipes/maintenance_visit",
	"recipes/birthday",
]

# Folders of ready-made designs, relative to the app; the contract is in designs/gallery.py.
lifecycle_gallery = [
	"gallery/renewal",
	"gallery/renewal_reminder",
	"gallery/last_day",
	"gallery/thanks_for_renewing",
	"gallery/win_back",
	"gallery/subscription_question",
	"gallery/subscription_reminder",
	"gallery/contract_offer",
	"gallery/contract_reminder",
	"gallery/quotation_question",
	"gallery/quotation_last_days",
	"gallery/payment_coming",
	"gallery/payment_due",
	"gallery/payment_reminder",
	"gallery/payment_open",
	"gallery/warranty_end",
	"gallery/maintenance_visit",
	"gallery/batch_expiry",
	"gallery/review_request",
	"gallery/birthday",
]

# The Desk
# --------

add_to_apps_screen = [
	{
		"name": app_name,
		"title": app_title,
		"logo": "/assets/marketing_automation/images/logo.svg",
		"route": "/app/marketing-automation",
		"has_permission": "marketing_automation.api.may_open",
	}
]

# It fetches marketing_automation.bundle.js and .css (`bench build`) where one of our screens opens. The version keeps
# browsers from running an older one.
app_include_js = [f"/assets/marketing_automation/js/start.js?v={app_version}"]

extend_bootinfo = [
	# Notices nights that were not run also where the scheduler is off.
	"marketing_automation.boot.extend_bootinfo",
	"marketing_automation.compat.extend_bootinfo",
]

doctype_js = {
	"Contact": "public/js/contact.js",
	"Customer": "public/js/customer.js",
	"Email Template": "public/js/email_template.js",
	**{
		doctype: "public/js/reference.js"
		for doctype in (
			*("Serial No", "Batch", "Subscription", "Contract", "Quotation"),
			*("Sales Invoice", "Sales Order", "Maintenance Schedule"),
		)
	},
}

# Documents of others
# -------------------

doc_events = {
	"Email Template": {
		# Frappe compiles it in `validate`, and changes it when it stores it.
		"before_validate": "marketing_automation.events.prepare_email_template",
		"on_update": "marketing_automation.events.check_email_template",
		"after_insert": "marketing_automation.template_rights.after_insert",
		"before_rename": "marketing_automation.template_rights.before_rename",
		"after_rename": "marketing_automation.template_rights.after_rename",
		"on_trash": "marketing_automation.template_rights.on_trash",
	},
	"Email Queue": {
		"before_insert": "marketing_automation.channels.email.mailings.before_insert",
	},
	"Customer": {
		"after_rename": "marketing_automation.events.after_rename",
	},
	# Whatever a message can be about, a DocType of the site's own included.
	"*": {
		"after_rename": "marketing_automation.events.after_rename_of_reference",
	},
}

# What was sent must not stop anyone from deleting a customer or a serial number.
ignore_links_on_delete = [
	"Lifecycle Execution Log",
	"Lifecycle Run",
	"Lifecycle Template",
	"Lifecycle Outbox",
	"Lifecycle Consent",
	"Lifecycle Message Design",
	"Lifecycle Design Template",
	"Lifecycle Design Version",
]
