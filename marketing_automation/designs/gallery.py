"""The gallery: ready-made designs, as data.

A design is a folder named in the hook `lifecycle_gallery` (of this app or any other), relative to its app. Its
`design.json` has `name`; `title`, `description` and `group`, which are translated; `source`, the key of the source whose
variables it uses; and `design`, as `designs/design.py` reads it, with its texts in each language.
"""

import json
from pathlib import Path

import frappe
from frappe import _

from marketing_automation.designs import design as designs
from marketing_automation.designs import store


def all_designs() -> dict[str, dict]:
	"""Return the gallery's designs of every installed app by name."""
	found = {}
	for app in frappe.get_installed_apps():
		for path in frappe.get_hooks("lifecycle_gallery", app_name=app):
			file = Path(frappe.get_app_path(app, *path.split("/"))) / "design.json"
			design = json.loads(file.read_text(encoding="utf-8"))
			found[design["name"]] = design
	return found


def named(name: str) -> dict:
	"""Return a design of the gallery; throws where there is none of that name."""
	found = all_designs().get(name)
	if not found:
		frappe.throw(
			_("The gallery has no design {0}.").format(frappe.bold(frappe.utils.escape_html(name))),
			frappe.DoesNotExistError,
		)
	return found


def languages(design: dict) -> list[str]:
	"""Return the languages in which a design of the gallery has all its texts."""
	read = store.read(design["design"])
	return sorted(code for code in read.languages if not designs.missing(read, code))
