"""What the browser tests look at: one customer who is told tonight and one who cannot be: browser_data.py SITE.

Run inside the bench.
"""

import sys

import frappe

from marketing_automation.tests import factories

frappe.init(site=sys.argv[1], sites_path=".")
frappe.connect()
frappe.set_user("Administrator")
factories.pin(factories.customer("Ana Browser", "ana@customers.example"), factories.in_days(30))
factories.pin(factories.customer("Mute Browser", None), factories.in_days(30))
frappe.db.commit()
frappe.destroy()
