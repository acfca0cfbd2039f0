"""Live through a night on a site that was migrated, and print as JSON what arrived: night_after.py SITE.

Run inside the bench. {"mails": {address: how many arrived}, "rows": {serial number: [status, ...]}}.
"""

import json
import sys
from collections import Counter, defaultdict

import demo
import frappe
from frappe.installer import update_site_config

from marketing_automation.tests import factories, smtp_sink

ROUNDS = 5


def live_through(site: str) -> dict:
	"""Run a night and what follows it, twice, with workers and a mail server; return what came of it."""
	sink = smtp_sink.Sink()
	with smtp_sink.listening(sink) as port:
		demo.connect(site)
		for key, value in {
			"mail_server": "127.0.0.1",
			"mail_port": port,
			"auto_email_id": demo.SENDER,
		}.items():
			update_site_config(key, value)
		# At any hour: that messages wait for theirs is for other tests.
		frappe.db.set_value("Lifecycle Campaign", {}, {"purpose": "Service", "send_window": "Any time"})
		frappe.db.commit()
		for _round in range(ROUNDS):
			demo.work(demo.SETTLE)
		for _night in range(2):
			demo.work(demo.NIGHT)
			demo.work(demo.FLUSH)
			demo.work(demo.SETTLE)
	rows = defaultdict(list)
	for row in frappe.get_all(
		"Lifecycle Execution Log",
		filters={"item_code": factories.ITEM},
		fields=["reference_name", "status"],
		order_by="name asc",
	):
		rows[row.reference_name].append(row.status)
	return {
		"mails": Counter(recipient for recipients, _raw in sink.mails for recipient in recipients),
		"rows": rows,
	}


if __name__ == "__main__":
	print(json.dumps(live_through(sys.argv[1])))
