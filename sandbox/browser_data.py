"""What the browser tests look at: one customer who gets a message tonight and one who cannot: browser_data.py SITE.

Run inside the bench.
"""

import sys

import frappe

from marketing_automation.tests import factories

frappe.init(site=sys.argv[1], sites_path=".")
frappe.connect()
frappe.set_user("Administrator")
for pin, name, email in (
	("BROWSER-1", "Ana Browser", "ana@customers.example"),
	("BROWSER-2", "Mute Browser", None),
):
	factories.sold(factories.customer(name, email), factories.received(names=[pin]))
	factories.expire(pin, factories.in_days(30))
frappe.db.commit()
frappe.destroy()
