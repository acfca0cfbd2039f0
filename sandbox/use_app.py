"""Use the app as people do, so that there is something to leave behind: use_app.py SITE. Run inside the bench.

A night writes to two customers; one mail leaves and one still waits. Somebody comments on the campaign, shares it and
gives it to somebody to do, and the managers are notified of it. Others have unsubscribed. And whatever Frappe lets users
build round a DocType has been built round ours: what is about nothing else, and what has a life of its own.
"""

import sys
from unittest.mock import patch

import frappe
from frappe.model.naming import is_autoincremented
from frappe.utils.password import set_encrypted_password

from marketing_automation.engine import consent, dispatch, run, suppression
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.tests import designs, factories
from marketing_automation.tests.case import mail_account


def use() -> None:
	"""Leave something in every table in which the use of the app does."""
	for _number in range(2):
		factories.pin(factories.customer(), factories.in_days(30))
	with mail_account(), patch.object(dispatch, "enqueue"):
		campaign = factories.campaign()
		frappe.db.commit()
		run.start()
	designs.designed(designs.everything("en", "es"))
	factories.make(
		"Email Template",
		name="By Hand",
		subject="{{ item_name }}: {{ in_words(days_left) }}",
		response="<p>Dear {{ customer_name }}</p>",
	)
	first, _second = frappe.get_all("Email Queue", pluck="name", order_by="creation asc, name asc")
	frappe.db.set_value("Email Queue", first, "status", "Sent")
	of_campaign = (campaign.doctype, campaign.name)
	campaign.add_comment("Comment", "Who has written this?")
	for doctype, fields, values in (
		("DocShare", ("share_doctype", "share_name"), {"user": "Administrator", "read": 1}),
		("ToDo", ("reference_type", "reference_name"), {"description": "Look at it"}),
		(
			"Notification Log",
			("document_type", "document_name"),
			{"type": "Alert", "for_user": "Administrator", "subject": "It has paused itself"},
		),
	):
		factories.make(doctype, **dict(zip(fields, of_campaign, strict=True)), **values)
	for email, everything in (("gone@customers.example", 0), ("silent@customers.example", 1)):
		insert(
			"Email Unsubscribe",
			email=email,
			reference_doctype=campaign.doctype,
			reference_name=campaign.name,
			global_unsubscribe=everything,
		)
	consent.record(
		consent.WITHDRAWN, consent.Person("left@customers.example"), None, "page", "No marketing at all"
	)
	suppression.add([suppression.Added("bounced@customers.example", None, suppression.HARD_BOUNCE)], "Import")
	set_encrypted_password(SETTINGS, SETTINGS, "secret", "mailbox_password")
	build_round_it(campaign)


def insert(doctype: str, **fields) -> None:
	"""Write a row as it stands: what its own checks are is of no interest here."""
	if not frappe.db.exists("DocType", doctype):
		return
	doc = frappe.get_doc({"doctype": doctype, **fields})
	doc.name = fields.get("name") or f"Kept {frappe.generate_hash(length=8)}"
	if is_autoincremented(doctype, frappe.get_meta(doctype)):
		doc.name = None
	doc.db_insert()


def build_round_it(campaign) -> None:
	"""Leave a row in whatever can point at a DocType."""
	dt, name = campaign.doctype, campaign.name
	# About nothing but ours.
	for doctype, fields in (
		("User Permission", {"user": "Administrator", "allow": dt, "for_value": name}),
		(
			"User Permission",
			{"user": "Administrator", "allow": "Company", "for_value": "x", "applicable_for": dt},
		),
		("Custom Field", {"dt": dt, "fieldname": "of_ours", "fieldtype": "Data", "label": "Of ours"}),
		("Custom Field", {"dt": "ToDo", "fieldname": "to_ours", "fieldtype": "Link", "options": dt}),
		("Property Setter", {"doc_type": dt, "property": "hidden", "field_name": "sender", "value": "1"}),
		("Notification", {"document_type": dt, "event": "New", "subject": "Look"}),
		("Assignment Rule", {"document_type": dt, "assign_condition": "True"}),
		("List Filter", {"reference_doctype": dt, "filter_name": "Mine", "filters": "[]"}),
		("List View Settings", {"name": dt}),
		("Kanban Board", {"reference_doctype": dt, "field_name": "duplicate_policy"}),
		("Calendar View", {"reference_doctype": dt}),
		("Client Script", {"dt": dt, "script": "//"}),
		("Server Script", {"reference_doctype": dt, "script_type": "DocType Event", "script": "pass"}),
		("Webhook", {"webhook_doctype": dt, "webhook_docevent": "on_update"}),
		("Web Form", {"doc_type": dt, "title": "Form"}),
		("Print Format", {"doc_type": dt}),
		("Report", {"name": "Kept Report of ours", "ref_doctype": dt, "report_type": "Report Builder"}),
		("Auto Email Report", {"report": "Kept Report of ours", "report_type": "Report Builder"}),
		("Auto Email Report", {"report": "Campaign Performance"}),
		("Dashboard Chart", {"name": "Kept Chart", "document_type": dt, "chart_type": "Count"}),
		("Number Card", {"name": "Kept Card", "document_type": dt, "label": "Kept"}),
		("Tag Link", {"document_type": dt, "document_name": name, "tag": "x"}),
		("Document Follow", {"ref_doctype": dt, "ref_docname": name, "user": "Administrator"}),
		("Data Import", {"reference_doctype": dt, "import_type": "Insert New Records"}),
		("Milestone Tracker", {"document_type": dt, "track_field": "is_active"}),
		("Workflow", {"document_type": dt, "workflow_state_field": "x"}),
		("Document Naming Rule", {"document_type": dt, "prefix": "x"}),
		("Custom DocPerm", {"parent": dt, "role": "Sales User", "read": 1}),
		("Comment", {"reference_doctype": "Report", "reference_name": "Campaign Performance"}),
	):
		insert(doctype, **fields)
	frappe.db.sql(
		"insert into `__UserSettings` (user, doctype, data) values ('Administrator', %s, '{}')", (dt,)
	)
	# With a life of its own.
	attached = {"attached_to_doctype": dt, "attached_to_name": name}
	insert("File", name="Kept File", file_name="a.txt", file_url="/files/a.txt", **attached)
	insert("Communication", name="Kept Mail", subject="Hi", reference_doctype=dt, reference_name=name)
	insert("Email Account", name="Kept Account", email_id="a@kept.example", append_to=dt)
	insert("Event", name="Kept Event", subject="Talk")
	participant = {"parent": "Kept Event", "parenttype": "Event", "parentfield": "event_participants"}
	insert("Event Participants", **participant, reference_doctype=dt, reference_docname=name)
	blocks = [
		{"type": "shortcut", "data": {"shortcut_name": label, "col": 4}} for label in ("Lifecycle", "Mine")
	]
	insert("Workspace", name="Kept Workspace", title="Kept", label="Kept", content=frappe.as_json(blocks))
	for label, link_to in (("Lifecycle", dt), ("Mine", "ToDo")):
		insert(
			"Workspace Shortcut",
			parent="Kept Workspace",
			parenttype="Workspace",
			parentfield="shortcuts",
			type="DocType",
			link_to=link_to,
			label=label,
		)


frappe.init(site=sys.argv[1], sites_path=".")
frappe.connect()
frappe.set_user("Administrator")
frappe.flags.in_test = True
use()
frappe.db.commit()
