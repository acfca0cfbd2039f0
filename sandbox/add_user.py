"""Give somebody a login: add_user.py SITE EMAIL PASSWORD LANGUAGE ROLE...

Run inside the bench.
"""

import json
import sys

import frappe

from marketing_automation.tests import factories


def add_user(email: str, password: str, language: str, roles: list[str]) -> None:
	"""Create the user, with these roles and no others, who has seen Frappe's own tours of the Desk."""
	factories.keeper()
	tours = frappe.get_all("Form Tour", filters={"ui_tour": 1}, pluck="name")
	user = frappe.get_doc(
		{
			"doctype": "User",
			"email": email,
			"first_name": email.partition("@")[0].capitalize(),
			"send_welcome_email": 0,
			"language": language,
			"new_password": password,
			"onboarding_status": json.dumps({tour: {"is_complete": True} for tour in tours}),
			"roles": [{"role": role} for role in roles],
		}
	)
	# These passwords are printed on the screen anyway.
	user.flags.ignore_password_policy = True
	user.insert()


site, email, password, language, *roles = sys.argv[1:]
frappe.init(site=site, sites_path=".")
frappe.connect()
frappe.set_user("Administrator")
add_user(email, password, language, roles)
frappe.db.commit()
frappe.destroy()
