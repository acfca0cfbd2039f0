"""Let a site live through one night, so that the Desk has something to show: night.py SITE. Run inside the bench.

The run goes through the queue and a worker, as in demo.py. The mails are handed to an SMTP server here, one after
the other: a job each, as Frappe has it, takes minutes.
"""

import sys

import demo
import frappe
from frappe.installer import update_site_config

from marketing_automation.tests import smtp_sink


def live_through(site: str) -> None:
	"""Run the night, send its mails and write down what became of them."""
	with smtp_sink.listening(smtp_sink.Sink()) as port:
		demo.connect(site)
		mail = {"mail_server": "127.0.0.1", "mail_port": port, "auto_email_id": demo.SENDER}
		for key, value in mail.items():
			update_site_config(key, value)
		frappe.conf.update(mail)
		demo.work(demo.NIGHT)
		for name in frappe.get_all("Email Queue", filters={"status": "Not Sent"}, pluck="name"):
			frappe.get_doc("Email Queue", name).send()
			frappe.db.commit()
		demo.work(demo.SETTLE)


live_through(sys.argv[1])
