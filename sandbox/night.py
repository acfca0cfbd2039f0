"""Let a site live through one night, so that the Desk has something to show: night.py SITE. Run inside the bench.

The run goes through the queue and a worker, as in demo.py. The mails are handed to an SMTP server here, one after
the other: a job each, as Frappe has it, takes minutes. The Desk is looked at at any hour of any day, so for this night the shop is
one that writes at all hours, in a country whose law names none.
"""

import contextlib
import sys
from collections.abc import Iterator

import demo
import frappe
from frappe.installer import update_site_config

from marketing_automation.engine.settings import SETTINGS
from marketing_automation.tests import smtp_sink


def live_through(site: str) -> None:
	"""Run the night, send its mails and write down what became of them."""
	with smtp_sink.listening(smtp_sink.Sink()) as port:
		demo.connect(site)
		mail = {"mail_server": "127.0.0.1", "mail_port": port, "auto_email_id": demo.SENDER}
		for key, value in mail.items():
			update_site_config(key, value)
		frappe.conf.update(mail)
		with at_all_hours():
			demo.work(demo.NIGHT)
		for name in frappe.get_all("Email Queue", filters={"status": "Not Sent"}, pluck="name"):
			frappe.get_doc("Email Queue", name).send()
			frappe.db.commit()
		demo.work(demo.SETTLE)


@contextlib.contextmanager
def at_all_hours() -> Iterator[None]:
	"""Have messages leave at once for as long as the block runs."""
	company = frappe.get_all("Company", pluck="name", order_by="name asc")[0]
	open_always = (
		(SETTINGS, SETTINGS, {"send_from": "00:00:00", "send_until": "23:59:59", "send_on": "Every day"}),
		("Company", company, {"country": "United States"}),
	)
	before = [
		(doctype, name, frappe.db.get_value(doctype, name, list(fields), as_dict=True))
		for doctype, name, fields in open_always
	]
	_write(open_always)
	try:
		yield
	finally:
		_write(before)


def _write(values) -> None:
	for doctype, name, fields in values:
		frappe.db.set_value(doctype, name, dict(fields))
	frappe.db.commit()
	frappe.clear_cache()


live_through(sys.argv[1])
