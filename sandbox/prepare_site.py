"""Make a new site ready to work, without the set-up wizard. Run inside the bench: prepare_site.py SITE."""

import sys

import frappe

from marketing_automation.tests import factories

TIME_ZONE = "America/Bogota"


def prepare() -> None:
	"""Set language, time zone and country, and mark the set-up as done."""
	if factories.real_erpnext():
		# Goes through ERPNext's own set-up when there is none yet.
		factories.company()
	settings = frappe.get_single("System Settings")
	settings.update(
		{
			"language": "en",
			"time_zone": TIME_ZONE,
			"country": "Colombia",
			"enable_scheduler": 1,
			"setup_complete": 1,
			"enable_onboarding": 1,
			"date_format": "yyyy-mm-dd",
			"time_format": "HH:mm:ss",
			"number_format": "#,###.##",
		}
	)
	settings.flags.ignore_mandatory = True
	settings.save(ignore_permissions=True)
	if frappe.db.exists("DocType", "Installed Application") and frappe.get_meta(
		"Installed Application"
	).has_field("is_setup_complete"):
		frappe.db.sql("update `tabInstalled Application` set is_setup_complete = 1")
	frappe.db.set_default("desktop:home_page", "workspace")


frappe.init(site=sys.argv[1], sites_path=".")
frappe.connect()
frappe.set_user("Administrator")
prepare()
frappe.db.commit()
frappe.destroy()
