"""Use the app as people do, so that there is something to leave behind: use_app.py SITE. Run inside the bench.

A night tells two customers; one mail leaves and one still waits. Somebody comments on the campaign, shares it and
gives it to somebody to do, and the managers are notified of it.
"""

import sys
from unittest.mock import patch

import frappe

from marketing_automation.engine import drain, run
from marketing_automation.tests import factories
from marketing_automation.tests.case import mail_account


def use() -> None:
	"""Leave something in every table in which the use of the app does."""
	for _number in range(2):
		factories.pin(factories.customer(), factories.in_days(30))
	with mail_account(), patch.object(drain, "enqueue"):
		campaign = factories.campaign()
		frappe.db.commit()
		run.start()
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


frappe.init(site=sys.argv[1], sites_path=".")
frappe.connect()
frappe.set_user("Administrator")
frappe.flags.in_test = True
use()
frappe.db.commit()
