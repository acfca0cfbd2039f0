"""What the browser tests look at: one customer who gets a message tonight, one who cannot, and two who are asked what they
want: browser_data.py SITE.

Run inside the bench.
"""

import json
import sys
from pathlib import Path

import frappe

from marketing_automation.engine import consent, links
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
# Asked whether they want offers, each in their own language.
pages = {}
for language, name in (("en", "Eve Browser"), ("es", "Elena Browser")):
	customer = factories.customer(name, f"{language}@customers.example", language=language)
	contact = frappe.db.get_value("Contact Email", {"email_id": f"{language}@customers.example"}, "parent")
	person = consent.Person(f"{language}@customers.example", contact, customer)
	asked = consent.record(consent.ASKED, person, "Offers", "double opt-in", "Offers")
	pages[language] = f"/{links.PAGE}?t={links.token(links.CONSENT, asked)}"
Path("../logs/preference-links.json").write_text(json.dumps(pages))
frappe.db.commit()
frappe.destroy()
