"""Names that we make of what a user has typed."""

from itertools import count

import frappe

LONGEST = 140


def free_name(doctype: str, text: str, ending: str = "") -> str:
	"""Return `text` with `ending`, as a name that no document has yet: cut before the ending, and numbered if taken.

	Without what Frappe refuses in a name. The database says what is taken: letter cases and accents make no other name.
	1 query, and one more for each that is taken.
	"""
	text, ending = (part.translate({ord("<"): None, ord(">"): None}) for part in (text, ending))
	# Frappe takes such a name for one that nobody has chosen.
	text = text.strip().removeprefix("New ")
	for number in count(1):
		mark = f" ({number})" if number > 1 else ""
		last = f"{mark}{ending}"[-LONGEST:].rstrip()
		name = f"{text[: LONGEST - len(last)].rstrip()}{last}".strip()
		if not frappe.db.exists(doctype, {"name": name}):
			return name
