"""Where Frappe's versions differ, in one place."""

import frappe
from frappe.translate import get_translation_dict_from_file


def extend_bootinfo(bootinfo: dict) -> None:
	"""Hook: give an English Desk our plain words (translations/en.csv), in versions that leave English as it is.

	Newer ones have read them already, and fetch all words apart from the boot.
	"""
	messages = bootinfo.get("__messages")
	if messages is not None and frappe.local.lang == "en":
		path = frappe.get_app_path("marketing_automation", "translations", "en.csv")
		for source, plain in get_translation_dict_from_file(path, "en", "marketing_automation").items():
			messages.setdefault(source, plain)
