"""What campaigns, triggers and actions have in common as documents."""

import frappe
from frappe import _
from frappe.utils import cint, now_datetime

from marketing_automation.engine import ledger


def read_numbers(doc, *fields: str) -> None:
	"""Make numbers of what the Desk has sent as text, of which "0" is true. Frappe does so only after `validate`."""
	for field in fields:
		doc.set(field, cint(doc.get(field)))


def set_active_since(doc, switch: str, definition: tuple[str, ...] = ()) -> None:
	"""Keep `active_since`: when `switch` was last turned on, or the fields of `definition` last changed.

	What fell due before is not made up for (see engine.schedule.window). So whatever a request says of it does not count.
	"""
	before = doc.get_doc_before_save()
	was_on = before and before.get(switch) and before.active_since
	if not doc.get(switch):
		doc.active_since = None
	elif not was_on or any(doc.has_value_changed(field) for field in definition):
		doc.active_since = now_datetime()
	else:
		doc.active_since = before.active_since


def refuse_deletion_if_used(doc, field: str, switch_label: str) -> None:
	"""Throw when the ledger has rows whose `field` is this document."""
	if ledger.refers_to(field, doc.name):
		frappe.throw(
			_(
				"{0} has already handled messages, and the message log refers to it. Untick {1} instead of deleting it."
			).format(frappe.bold(frappe.utils.escape_html(doc.get_title())), frappe.bold(switch_label)),
			frappe.LinkExistsError,
			title=_("Cannot Delete"),
		)
