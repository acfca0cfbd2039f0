"""Where Frappe's versions differ, and what of Frappe is used that it does not offer to apps, in one place.

Imports nothing of this app, so whatever is above can use it. What belongs to mails alone is in channels/email.
"""

import contextlib
from collections.abc import Iterator

import frappe
from frappe.model.rename_doc import get_link_fields
from frappe.sessions import get_csrf_token
from frappe.translate import get_translation_dict_from_file
from frappe.utils.jinja import get_jenv
from frappe.utils.verified_command import verify_request
from frappe.website import serve
from frappe.website.path_resolver import PathResolver


def extend_bootinfo(bootinfo: dict) -> None:
	"""Hook: give an English Desk our plain words (translations/en.csv), in versions that leave English as it is.

	Newer ones have read them already, and fetch all words apart from the boot.
	"""
	messages = bootinfo.get("__messages")
	if messages is not None and frappe.local.lang == "en":
		path = frappe.get_app_path("marketing_automation", "translations", "en.csv")
		for source, plain in get_translation_dict_from_file(path, "en", "marketing_automation").items():
			messages.setdefault(source, plain)


def changed_rows() -> int:
	"""Return how many rows the session's last statement has written. No query."""
	return frappe.db._cursor.rowcount


def link_fields_to(doctype: str) -> list[dict]:
	"""Return the Link fields that point at a DocType: [{"parent", "fieldname", "issingle"}]. Cached by Frappe."""
	return get_link_fields(doctype)


def template_environment():
	"""Return the Jinja environment in which Frappe renders templates, with all that they can reach."""
	return get_jenv()


def request_ip() -> str | None:
	"""Return the address that the request comes from, None where there is no request."""
	return frappe.local.request_ip


def csrf_token() -> str | None:
	"""Return what a form has to carry, as `csrf_token`, for whoever is logged in; None for guests, of whom nothing is asked."""
	return None if frappe.session.user == "Guest" else get_csrf_token()


def is_signed() -> bool:
	"""Say whether the request is a GET with a signature of this site; if not, the answer is Frappe's page for such links.

	A signature that stands there twice, or has letters that none has, Frappe takes for an error of its own.
	"""
	try:
		return bool(verify_request())
	except (TypeError, ValueError):
		frappe.respond_as_web_page(
			frappe._("Invalid Link"),
			frappe._("This link is invalid or expired. Please make sure you have pasted correctly."),
		)
		return False


def redirect(location: str) -> None:
	"""Have the answer to the request of a whitelisted method lead somewhere else on this site."""
	frappe.local.response["type"] = "redirect"
	frappe.local.response["location"] = location


@contextlib.contextmanager
def no_message_of_errors() -> Iterator[None]:
	"""Within it, what is thrown is not shown to the user as it is: frappe.throw has already noted it for the answer."""
	said = len(frappe.local.message_log)
	try:
		yield
	except Exception:
		del frappe.local.message_log[said:]
		raise


def page_of_print(doctype: str, name: str, print_format: str | None) -> str | None:
	"""Return a print as the page that a PDF is made of, in versions that would print the page of an error; None in newer ones,
	which raise it."""
	if hasattr(serve, "get_response_without_exception_handling"):
		return None
	asked = frappe.local.form_dict
	frappe.local.form_dict = frappe._dict(
		doctype=doctype, name=name, format=print_format, no_letterhead=False
	)
	try:
		_endpoint, page = PathResolver("printview").resolve()
		return str(page.render().data, "utf-8")
	finally:
		frappe.local.form_dict = asked


def register_log_clearing(days_of: dict[str, int]) -> None:
	"""Have Log Settings clear these DocTypes, in versions without the hook `default_log_clearing_doctypes`.

	days_of: {DocType: days}. What an administrator has set stays.
	"""
	log_settings = frappe.get_single("Log Settings")
	known = {row.ref_doctype for row in log_settings.logs_to_clear}
	for doctype, days in days_of.items():
		if doctype not in known:
			log_settings.register_doctype(doctype, days)
	log_settings.save(ignore_permissions=True)
