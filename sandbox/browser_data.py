"""What the browser tests look at: one customer who gets a message tonight, one who cannot, one who wants few messages, one with
whom somebody speaks, two who are asked what they want, and a document type of the site's own: browser_data.py SITE.

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
# In so many days nothing else expires, so that only campaigns that look so far ahead write to them.
rare, talk = (
	factories.customer(f"{name} Browser", f"{name.lower()}@customers.example") for name in ("Rare", "Talk")
)
for customer, pin, days in ((rare, "BROWSER-3", 400), (talk, "BROWSER-4", 500)):
	factories.sold(customer, factories.received(names=[pin]))
	factories.expire(pin, factories.in_days(days))
contact = frappe.db.get_value("Contact Email", {"email_id": "rare@customers.example"}, "parent")
person = consent.Person("rare@customers.example", contact, rare)
consent.record(consent.LESS_OFTEN, person, None, "page", "At most one a month", messages=1, days=30)
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
factories.make(
	"DocType",
	name="Shop Visit",
	module="Custom",
	custom=1,
	autoname="prompt",
	fields=[
		{"fieldname": "client", "label": "Client", "fieldtype": "Link", "options": "Customer", "reqd": 1},
		{"fieldname": "visit_on", "label": "Visit On", "fieldtype": "Date"},
		{"fieldname": "topic", "label": "Topic", "fieldtype": "Data"},
	],
	permissions=[
		{"role": "System Manager", "read": 1, "write": 1, "create": 1},
		{"role": "Marketing User", "read": 1},
	],
)
ana = frappe.db.get_value("Customer", {"customer_name": "Ana Browser"})
factories.make("Shop Visit", name="VISIT-1", client=ana, visit_on=factories.in_days(7), topic="Boiler")
factories.make(
	"Email Template",
	name="Visit Reminder",
	subject="Your visit",
	response="<p>Dear {{ customer_name }}, {{ topic }} on {{ visit_on }}.</p>",
)
frappe.db.commit()
frappe.destroy()
