"""Give people logins: add_users.py SITE PASSWORD LOGINS, where LOGINS is JSON {email: [language, role, ...]}.

Run inside the bench.
"""

import json
import sys

import frappe

from marketing_automation.tests import factories


def add_users(password: str, logins: dict[str, list[str]]) -> None:
	"""Create the users, with these roles and no others, who have seen Frappe's own tours of the Desk."""
	factories.keeper()
	tours = frappe.get_all("Form Tour", filters={"ui_tour": 1}, pluck="name")
	seen = json.dumps({tour: {"is_complete": True} for tour in tours})
	for email, (language, *roles) in logins.items():
		user = frappe.get_doc(
			{
				"doctype": "User",
				"email": email,
				"first_name": email.partition("@")[0].capitalize(),
				"send_welcome_email": 0,
				"language": language,
				"new_password": password,
				"onboarding_status": seen,
				"roles": [{"role": role} for role in roles],
			}
		)
		# These passwords are printed on the screen anyway.
		user.flags.ignore_password_policy = True
		user.insert()


site, password, logins = sys.argv[1:]
frappe.init(site=site, sites_path=".")
frappe.connect()
frappe.set_user("Administrator")
add_users(password, json.loads(logins))
frappe.db.commit()
frappe.destroy()
