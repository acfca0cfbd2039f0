"""Telling the Marketing Managers in the Desk. Never by e-mail: it may be e-mail that does not work."""

import frappe
from frappe.utils.user import get_users_with_role


def managers(subject: str, doctype: str, name: str) -> None:
	"""Write a Notification Log for every Marketing Manager, which opens the document. The caller commits."""
	for user in get_users_with_role("Marketing Manager"):
		frappe.get_doc(
			{
				"doctype": "Notification Log",
				"type": "Alert",
				"for_user": user,
				"subject": subject,
				"document_type": doctype,
				"document_name": name,
			}
		).insert(ignore_permissions=True)
