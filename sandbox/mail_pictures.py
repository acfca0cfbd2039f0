"""Write mails to be photographed: mail_pictures.py SITE FOLDER, on a site for tests, where nothing stays of it.

Each file is a mail of a recipe as it leaves, in a brand: FOLDER/en.html, FOLDER/es.html.
"""

import sys
from pathlib import Path

import frappe

from marketing_automation.channels.email import channel as email
from marketing_automation.engine import rules
from marketing_automation.recipes import all_recipes, cook
from marketing_automation.tests import factories

RECIPE = "subscription_renewal"
BRAND = {
	"brand_name": "Pin Shop",
	"sender_name": "Pin Shop",
	"logo": "/assets/marketing_automation/images/logo.svg",
	"website": "https://pins.example",
	"color": "#5b3fd6",
	"postal_address": "Carrera 7 # 12-34\n110311 Bogotá",
	"links": [
		{"label": "pins.example", "url": "https://pins.example"},
		{"label": "Instagram", "url": "https://instagram.example/pins"},
	],
}


def write(folder: Path) -> None:
	"""Write the first message of the recipe, in each of its languages."""
	factories.brand(**BRAND)
	factories.company()
	factories.item()
	recipe = all_recipes()[RECIPE]
	campaign = cook(recipe, "Pictures", {"Before": [30]}, "en", {})
	frappe.db.set_value("Lifecycle Action", {"campaign": campaign.name}, "preview_text", "{{ item_name }}")
	(rule,) = rules.load([campaign.name], active_only=False)
	for mail in email.examples(rule.campaign, rule.actions[0]):
		language = mail.label.rpartition("(")[2].rstrip(")")
		(folder / f"{language}.html").write_text(mail.html, encoding="utf-8")


if __name__ == "__main__":
	site, target = sys.argv[1:]
	frappe.init(site=site, sites_path=".")
	frappe.connect()
	frappe.set_user("Administrator")
	frappe.flags.in_test = True
	frappe.conf.update({"mail_server": "127.0.0.1", "mail_port": 9, "auto_email_id": "shop@company.example"})
	write(Path(target))
	frappe.db.rollback()
	frappe.destroy()
