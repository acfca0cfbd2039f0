"""What happens when the app comes and goes. ERPNext's and Frappe's schema is not touched by either."""

import csv
import io
import os
from pathlib import Path

import click
import frappe
from frappe.permissions import add_permission, reset_perms, update_permission_property
from frappe.utils import create_batch, now_datetime

from marketing_automation import compat, erpnext_schema, leftovers
from marketing_automation.channels.email import lists
from marketing_automation.channels.texts import templates
from marketing_automation.engine import consent, identity, secrets, suppression
from marketing_automation.engine.language import of_the_site
from marketing_automation.engine.schedule import AFTER
from marketing_automation.hooks import default_log_clearing_doctypes

# What goes away with the module, and can be named elsewhere.
OF_MODULE = (
	"Report",
	"Page",
	"Workspace",
	"Number Card",
	"Dashboard Chart",
	"Dashboard",
	"Module Onboarding",
)
# The characters that a field of Data has, unless it says another number.
MOST_OF_DATA = 140
ROLES = ("Marketing Manager", "Marketing User")
# Marketers write the messages. Frappe grants that on Email Template to System Managers only.
TEMPLATE_PERMISSIONS = {
	"Marketing Manager": ("write", "create", "delete"),
	"Marketing User": ("write", "create"),
}

# What customers can unsubscribe from, to begin with: name, description, whether it is about what they have. The names are
# translated where somebody reads them.
TOPICS = (
	("Renewals", "When something of yours expires, and how to renew it.", False),
	("Offers", "Offers, and reminders of what you have asked about.", False),
	("News", "What is new, and greetings.", False),
	("Service notices", "What you need to know about what you have bought.", True),
)
DEFAULT_TOPIC = "Renewals"


def after_install() -> None:
	"""Store the settings' defaults, make the key and the topics, bind sending to this site, have old rows cleared, and let marketers
	write Email Templates.

	Says what is missing where ERPNext has not all that the app needs.
	"""
	settings = frappe.get_single("Marketing Automation Settings")
	for field in ("send_from", "send_until"):
		# Frappe fills the time of day into each Time field of a new document, whatever its default.
		settings.set(field, settings.meta.get_field(field).default)
	settings.save(ignore_permissions=True)
	secrets.make()
	identity.bind()
	make_topics()
	compat.register_log_clearing(default_log_clearing_doctypes)
	for role, rights in TEMPLATE_PERMISSIONS.items():
		add_permission("Email Template", role)
		for right in rights:
			update_permission_property("Email Template", role, 0, right, 1, validate=False)
	if complaint := erpnext_schema.complaint():
		# To whoever runs bench install-app; the Desk goes on saying it.
		click.secho(complaint, fg="red")


def make_topics() -> None:
	"""Make the topics to begin with, unless the site has any. The caller commits."""
	if frappe.db.count(consent.TOPIC):
		return
	for name, description, is_service in TOPICS:
		topic = {"topic_name": name, "description": description, "is_service": is_service}
		frappe.get_doc({"doctype": consent.TOPIC, "is_default": name == DEFAULT_TOPIC, **topic}).insert(
			ignore_permissions=True
		)


def before_uninstall() -> None:
	"""Take back what the removal of the module's DocTypes leaves behind."""
	_keep_unsubscribes()
	_keep_suppressions()
	_finish_templates()
	ours = _of_module("DocType")
	# They name no module, so that Frappe does not know whose they are.
	steps = frappe.get_all(
		"Onboarding Step Map", filters={"parent": "Marketing Automation"}, pluck="step", order_by="idx asc"
	)
	_remove_navigation()
	_remove_unsent_mails()
	# One that holds for all mail stays, and is only no longer of a campaign.
	frappe.db.delete(
		"Email Unsubscribe", {"reference_doctype": "Lifecycle Campaign", "global_unsubscribe": 0}
	)
	leftovers.remove({"DocType": ours, **{doctype: _of_module(doctype) for doctype in OF_MODULE}})
	if steps:
		frappe.db.delete("Onboarding Step", {"name": ["in", steps]})
	# The counters of Lifecycle Run, one a year.
	frappe.db.delete("Series", {"name": ["like", "RUN-____-"]})
	frappe.db.delete("Custom DocPerm", {"role": ["in", ROLES], "parent": ["in", [*ours, "Email Template"]]})
	_reset_template_permissions()
	for role in ROLES:
		# Newer versions of Frappe use a role of the same name for documents of their own.
		if not frappe.db.exists("DocPerm", {"role": role, "parent": ["not in", ours]}):
			_remove_role(role)
	frappe.db.delete("Logs To Clear", {"ref_doctype": ["in", list(default_log_clearing_doctypes)]})
	frappe.db.delete("Scheduled Job Type", {"method": ["like", "marketing_automation.%"]})
	frappe.db.delete("Patch Log", {"patch": ["like", "marketing_automation.%"]})
	# The password of the bounce mailbox, and the secrets of webhooks.
	frappe.db.delete("__Auth", {"doctype": ["in", ours]})
	frappe.db.delete("Singles", {"doctype": ["in", ["Marketing Automation Settings", secrets.DOCTYPE]]})
	frappe.clear_cache()


def _of_module(doctype: str) -> list[str]:
	if not frappe.db.exists("DocType", doctype):
		return []
	return frappe.get_all(
		doctype, filters={"module": "Marketing Automation"}, pluck="name", order_by="name asc"
	)


def _keep_unsubscribes() -> None:
	"""Write who has unsubscribed from what, and who has agreed to what, to a file of the site, and say where it is.

	Nobody may be written to again because the app was away. Not made to hold for all mail: they want their invoices.
	"""
	rows = frappe.get_all(
		"Email Unsubscribe",
		filters={"reference_doctype": "Lifecycle Campaign", "global_unsubscribe": 0},
		fields=["email", "reference_name as campaign", "creation as at"],
		order_by="creation asc, name asc",
	)
	rows += frappe.get_all(
		consent.DOCTYPE,
		fields=["address as email", "campaign", "occurred_at as at", "topic", "kind"],
		order_by="occurred_at asc, name asc",
	)
	if not rows:
		return
	file = io.StringIO()
	writer = csv.writer(file)
	writer.writerow(("email", "campaign", "unsubscribed_on", "topic", "what"))
	writer.writerows(
		(row.email, row.campaign, row.at, row.topic or "", row.kind or consent.WITHDRAWN) for row in rows
	)
	path = _kept("unsubscribed-from-campaigns", file.getvalue())
	print(
		f"{len(rows)} unsubscribes and consents were written to {path}. Keep that file: the app forgets them."
	)


def _keep_suppressions() -> None:
	"""Write the suppression list to a file of the site, and say where it is: it can be imported again.

	What it knows by a hash alone is lost with the key.
	"""
	if not frappe.db.exists("DocType", suppression.DOCTYPE):
		return
	text, count, nameless = lists.exported()
	if count > nameless:
		path = _kept("suppressed-addresses", text)
		print(
			f"{count - nameless} suppressed addresses were written to {path}. Keep that file: the app forgets them."
		)


def _finish_templates() -> None:
	"""Write out in the Email Templates what only this app can fill in, so that Frappe's own mails go on using them.

	All else in them is plain Jinja, and the look of the company stands there already.
	"""
	fields = ("subject", "response", "response_html")
	found = frappe.get_all(
		"Email Template",
		or_filters={field: ["like", "%in_words(%"] for field in fields},
		fields=["name", *fields],
		order_by="name asc",
	)
	names = [row.name for row in found]
	languages, after = _languages_of(names), _after_their_date(names)
	most = frappe.get_meta("Email Template").get_field("subject").length or MOST_OF_DATA
	for row in found:
		language = languages.get(row.name) or of_the_site()
		finished = {
			field: templates.words_written_out(
				row[field] or "", language, most if field == "subject" else None, row.name in after
			)
			for field in fields
		}
		frappe.db.set_value("Email Template", row.name, finished, update_modified=False)


def _languages_of(names: list[str]) -> dict[str, str]:
	"""Return {Email Template: the language that it is written in}, as far as a design or an action says it. 3 queries."""
	languages = {}
	for doctype in ("Lifecycle Action", "Lifecycle Action Translation", "Lifecycle Design Template"):
		rows = frappe.get_all(
			doctype,
			filters={"email_template": ["in", names], "language": ["is", "set"]},
			fields=["email_template", "language"],
			order_by="creation asc, name asc",
		)
		languages.update((row.email_template, row.language) for row in rows)
	return languages


def _after_their_date(names: list[str]) -> set[str]:
	"""Return those of these Email Templates that are sent after a date. 3 queries."""
	triggers = frappe.get_all(
		"Lifecycle Trigger", filters={"trigger_type": AFTER}, pluck="name", order_by="name asc"
	)
	actions = frappe.get_all(
		"Lifecycle Action",
		filters={"trigger": ["in", triggers]},
		fields=["name", "email_template"],
		order_by="name asc",
	)
	translations = frappe.get_all(
		"Lifecycle Action Translation",
		filters={"parent": ["in", [action.name for action in actions]]},
		pluck="email_template",
		order_by="name asc",
	)
	return {*translations, *(action.email_template for action in actions)} & set(names)


def _kept(stem: str, text: str) -> Path:
	"""Write a text to a private file of the site that nobody else reads; return its path."""
	name = f"{stem}-{now_datetime():%Y-%m-%d-%H%M%S}.csv"
	path = Path(frappe.get_site_path("private", "files", name)).absolute()
	path.parent.mkdir(parents=True, exist_ok=True)
	with open(path, "x", newline="", encoding="utf-8") as file:
		path.chmod(0o600)
		file.write(text)
		file.flush()
		os.fsync(file.fileno())
	return path


def _remove_unsent_mails() -> None:
	"""Remove our mails that have not left, which Frappe would send all the same. What was sent stays."""
	# Nobody would be there to take the answer to their link to unsubscribe.
	names = frappe.get_all(
		"Email Queue",
		filters={
			"reference_doctype": "Lifecycle Campaign",
			"status": ["not in", ["Sending", "Sent", "Partially Sent"]],
		},
		pluck="name",
		order_by="name asc",
	)
	for some in create_batch(names, 1000):
		frappe.db.delete("Email Queue Recipient", {"parent": ["in", [str(name) for name in some]]})
		frappe.db.delete("Email Queue", {"name": ["in", some]})


def _remove_navigation() -> None:
	"""Remove the sidebar and the icon, which Frappe 16 does only after its last commit."""
	for doctype, rows in (("Workspace Sidebar", "Workspace Sidebar Item"), ("Desktop Icon", "Has Role")):
		if not frappe.db.exists("DocType", doctype) or not frappe.get_meta(doctype).has_field("app"):
			continue
		names = frappe.get_all(doctype, filters={"app": "marketing_automation"}, pluck="name")
		if names:
			frappe.db.delete(rows, {"parenttype": doctype, "parent": ["in", names]})
			frappe.db.delete(doctype, {"name": ["in", names]})


def _remove_role(role: str) -> None:
	for doctype in ("DocPerm", "Custom DocPerm", "Has Role"):
		frappe.db.delete(doctype, {"role": role})
	frappe.delete_doc("Role", role, force=True, ignore_permissions=True, ignore_missing=True)


def _reset_template_permissions() -> None:
	"""Go back to Frappe's own permissions of Email Template, unless an administrator has changed them too."""
	rights = [
		"role",
		"permlevel",
		"if_owner",
		"read",
		"write",
		"create",
		"delete",
		"export",
		"share",
		"report",
	]

	def permissions(doctype):
		rows = frappe.get_all(
			doctype, filters={"parent": "Email Template"}, fields=rights, order_by="idx asc"
		)
		return sorted(tuple(row.values()) for row in rows)

	if permissions("Custom DocPerm") == permissions("DocPerm"):
		reset_perms("Email Template")
