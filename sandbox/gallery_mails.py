"""Write the gallery's designs as mails with made-up values: gallery_mails.py SITE FOLDER, one file each and language.

Run inside the bench.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import frappe

from marketing_automation.channels.texts import designed, templates
from marketing_automation.designs import compile as compiler
from marketing_automation.designs import gallery, store
from marketing_automation.engine.brand import brand_of

# A shop as it could be, in the place of what a site for tests has.
SHOP = {
	"title": "Casa Lumen",
	"logo": None,
	"website": "https://casa-lumen.example",
	"address": ("Calle Mayor 12", "28013 Madrid"),
	"links": (
		("Instagram", "https://social.example/casa-lumen"),
		("Help", "https://casa-lumen.example/help"),
	),
	"foot": "",
}
EXAMPLES = {
	"item_name": "Premium Plan",
	"plan": "Premium Plan",
	"serial_no": "CL-2048",
	"batch": "L-118",
	"quotation": "SAL-QTN-0042",
	"sales_invoice": "ACC-SINV-0193",
	"sales_order": "SAL-ORD-0087",
	"contract": "Service Contract 2026",
	"subscription": "ACC-SUB-0031",
	"maintenance_schedule": "MAT-MSH-0007",
	"grand_total": "€ 480.00",
	"outstanding_amount": "€ 480.00",
}
DAYS = {
	"payment_reminder": -3,
	"payment_open": -14,
	"win_back": -21,
	"thanks_for_renewing": 365,
	"last_day": 1,
	"review_request": -5,
}

site, folder = sys.argv[1], Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
frappe.init(site=site, sites_path=".")
frappe.connect()
frappe.set_user("Administrator")
brand = replace(brand_of(None), **SHOP)
for name, design in gallery.all_designs().items():
	words = templates.words_of_trigger(frappe._dict(source=design["source"]))
	for language in gallery.languages(design):
		made = compiler.compiled(store.read(design["design"]), language, words)
		context = templates.example_context(1, DAYS.get(name, 7), "Casa Lumen", words)
		for values in (context, *context["items"]):
			values.update({key: text for key, text in EXAMPLES.items() if key in values})
		values = templates.for_reader(context, language)
		subject = templates.SUBJECT.from_string(made.subject).render(values)
		html = templates.BODY.from_string(designed.branded(made.html, brand)).render(values)
		text = templates.SUBJECT.from_string(designed.branded_text(made.text, brand)).render(values)
		(folder / f"{name}.{language}.html").write_text(html, encoding="utf-8")
		(folder / f"{name}.{language}.json").write_text(json.dumps({"subject": subject, "text": text}))
frappe.destroy()
