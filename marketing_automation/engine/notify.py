"""Telling the Marketing Managers in the Desk. Never by e-mail: it may be e-mail that does not work."""

from collections.abc import Callable

import frappe
from frappe.translate import get_user_lang
from frappe.utils.user import get_users_with_role

from marketing_automation.engine.language import in_language


def managers(subject: Callable[[], str], doctype: str, name: str) -> None:
	"""Write a Notification Log for every Marketing Manager, which opens the document. The caller commits.

	subject: is asked for the text once for each of them, in their language.
	"""
	for user in get_users_with_role("Marketing Manager"):
		with in_language(get_user_lang(user)):
			text = subject()
		frappe.get_doc(
			{
				"doctype": "Notification Log",
				"type": "Alert",
				"for_user": user,
				"subject": text,
				"document_type": doctype,
				"document_name": name,
			}
		).insert(ignore_permissions=True)
