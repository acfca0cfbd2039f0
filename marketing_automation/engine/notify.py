"""Notifications to the Marketing Managers in the Desk. Never by e-mail: it may be e-mail that does not work."""

from collections.abc import Callable

import frappe
from frappe.translate import get_user_lang
from frappe.utils.user import get_users_with_role

from marketing_automation.engine.language import in_language


def managers(subject: Callable[[], str], doctype: str, name: str) -> None:
	"""Write a Notification Log for every Marketing Manager, which opens the document. The caller commits.

	Where nobody who can log in has that role, the System Managers hear of it, and where there are none, the Administrator.

	subject: is asked for the text once for each of them, in their language.
	"""
	for user in _managers():
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


def _managers() -> list[str]:
	for role in ("Marketing Manager", "System Manager"):
		if users := _enabled(get_users_with_role(role)):
			return users
	return ["Administrator"]


def _enabled(users: list[str]) -> list[str]:
	"""Return those who can open the Desk. 1 query."""
	return frappe.get_all(
		"User",
		filters={"name": ["in", users or [""]], "enabled": 1, "user_type": "System User"},
		pluck="name",
		order_by="name asc",
	)
