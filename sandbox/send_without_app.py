"""Send the Email Templates of a site as Frappe does by itself: send_without_app.py SITE. Run inside the bench.

Prints a line of JSON for each: its name, the subject, the HTML, and the mail that waits in Email Queue.
"""

import json
import sys

import frappe

VALUES = {
	"customer_name": "Ana <Núñez>",
	"company": "Test Ltd",
	"days_left": 1,
	"item_name": "Pin",
	"serial_no": "SN-1",
	"expiry_date": "2026-12-01",
}


def send(name: str) -> dict:
	values = {**VALUES, "items": [dict(VALUES), {**VALUES, "days_left": 5}]}
	mail = frappe.get_doc("Email Template", name).get_formatted_email(values)
	frappe.sendmail(
		recipients=["ana@customers.example"],
		sender="shop@company.example",
		subject=mail["subject"],
		message=mail["message"],
		reference_doctype="User",
		reference_name="Administrator",
	)
	(queued,) = frappe.get_all("Email Queue", {"reference_doctype": "User"}, pluck="message")
	frappe.db.delete("Email Queue", {"reference_doctype": "User"})
	return {"name": name, "subject": mail["subject"], "html": mail["message"], "queued": queued}


frappe.init(site=sys.argv[1], sites_path=".")
frappe.connect()
frappe.conf.update(mail_server="127.0.0.1", mail_port=9, auto_email_id="shop@company.example")
for template in frappe.get_all("Email Template", pluck="name", order_by="name asc"):
	print(json.dumps(send(template)))
assert "marketing_automation" not in frappe.get_installed_apps()
assert not [name for name in sys.modules if name.startswith("marketing_automation")]
frappe.db.rollback()
