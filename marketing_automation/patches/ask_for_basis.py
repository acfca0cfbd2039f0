"""Sites from before there was a basis of messages, and hours in which they leave.

A site that has campaigns goes on writing: what has no basis is sent, and the message log shows that it has none, until
somebody has declared in the settings that the addresses were got lawfully, and says there that nothing is sent without a
basis. The bar of the Desk asks for it. The hours are the usual ones at once: a message that would have left at night leaves in
the morning.
"""

import frappe

from marketing_automation.engine.settings import SETTINGS

WINDOW = ("send_from", "send_until", "send_on")


def execute() -> None:
	"""Fill in the hours, and let a site that has campaigns go on without asking for a basis. 8 queries at most."""
	meta = frappe.get_meta(SETTINGS)
	stored = frappe.db.get_singles_dict(SETTINGS)
	values = {field: meta.get_field(field).default for field in WINDOW}
	if frappe.get_all("Lifecycle Campaign", limit_page_length=1, order_by="name asc"):
		values["basis_needed"] = 0
	elif stored.get("basis_needed") is None:
		values["basis_needed"] = meta.get_field("basis_needed").default
	for field, value in values.items():
		frappe.db.set_single_value(SETTINGS, field, value, update_modified=False)
