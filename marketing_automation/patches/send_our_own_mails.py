"""Frappe's queue never sends our mails by itself any more, and sending is bound to this site."""

import frappe

from marketing_automation.channels.email import sender
from marketing_automation.engine import identity, ledger
from marketing_automation.engine.model import QUEUED
from marketing_automation.engine.settings import SETTINGS

PAGE_SIZE = 1000


def execute() -> None:
	"""Take the mails that wait out of the reach of Frappe's queue, and bind the site. Does nothing the second time.

	Those that were to be sent now, or at a time of the throttle's, are looked at again by `settle` once nobody has moved
	them for a quarter of an hour, and then sent. Commits after each page.
	"""
	identity.bind_if_new()
	frappe.db.delete("Singles", {"doctype": SETTINGS, "field": "paced_until"})
	frappe.db.commit()
	last = ""
	while rows := frappe.get_all(
		ledger.DOCTYPE,
		filters={"status": QUEUED, "channel": sender.ACTION_TYPE, "name": [">", last]},
		fields=["name", "handle"],
		order_by="name asc",
		limit_page_length=PAGE_SIZE,
	):
		frappe.db.set_value(
			sender.DOCTYPE,
			{
				"name": ["in", [row.handle for row in rows if row.handle] or [""]],
				"status": "Not Sent",
			},
			"send_after",
			sender.OUT_OF_REACH,
			# It says since when nobody has moved the mail, and so when its job must be over.
			update_modified=False,
		)
		frappe.db.commit()
		last = rows[-1].name
