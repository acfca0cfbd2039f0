"""What campaigns, triggers and actions have in common as documents."""

import frappe
from frappe import _
from frappe.model.document import Document
from frappe.utils import cint, cstr, now_datetime

from marketing_automation.engine import ledger

MANAGER = "Marketing Manager"
# The purpose of a campaign that offers nothing.
SERVICE = "Service"


class Row(Document):
	"""A row of a document's table, which changes with its document alone.

	Frappe's resource API stores a row by itself, and its document afterwards: what the document compares with is changed then.
	A document that is saved, or deleted, does not run these.
	"""

	def validate(self):
		refuse_by_itself(self)

	def on_trash(self):
		refuse_by_itself(self)


def refuse_by_itself(row) -> None:
	"""Throw when somebody saves or deletes a row of a table without its document."""
	frappe.throw(
		_("This row is a part of {0} {1}. Change it there, and save that.").format(
			_(row.parenttype or ""), frappe.bold(frappe.utils.escape_html(row.parent or ""))
		),
		frappe.PermissionError,
		title=_("Not by Itself"),
	)


def read_numbers(doc, *fields: str) -> None:
	"""Make numbers of what the Desk has sent as text, of which "0" is true. Frappe does so only after `validate`."""
	for field in fields:
		doc.set(field, cint(doc.get(field)))


def only_switched_off(doc, works_by: tuple[str, ...]) -> bool:
	"""Say whether a document is off and none of the fields that it works by changes: what is broken can be switched off.

	A table of rows counts as changed.
	"""
	before = doc.get_doc_before_save()
	return bool(
		before
		and not doc.enabled
		and all((before.get(field) or None) == (doc.get(field) or None) for field in works_by)
	)


def may_make_service(doc) -> bool:
	"""Say whether the session's user may say what goes out without anybody's consent."""
	return bool(doc.flags.ignore_permissions) or MANAGER in frappe.get_roles()


def refuse_change_of_service(doc, works_by: tuple[str, ...], *campaigns: str | None) -> None:
	"""Throw when a trigger or action changes what a Service campaign sends, and its user is no Marketing Manager. 1 query.

	Such a campaign needs no consent because a manager has said that it offers nothing. So what it sends is theirs to say as
	well, also while it is off. To switch a part off, or to name it otherwise, is anybody's. campaigns: those that the document
	belongs to, and to which it belonged.
	"""
	if may_make_service(doc):
		return
	before = doc.get_doc_before_save()
	is_same = (
		before
		and len({*campaigns}) == 1
		and (before.enabled or not doc.enabled)
		and all(_said(before, field) == _said(doc, field) for field in works_by)
	)
	names = [name for name in campaigns if name]
	if is_same or not names:
		return
	service = frappe.db.get_value("Lifecycle Campaign", {"name": ["in", names], "purpose": SERVICE})
	if service:
		frappe.throw(
			_(
				"{0} is a Service campaign: it writes to customers who have agreed to nothing, so only a Marketing Manager may change what it sends. Ask one of them, or duplicate the campaign: the copy is Marketing."
			).format(frappe.bold(frappe.utils.escape_html(service))),
			frappe.PermissionError,
			title=_("Not Yours To Change"),
		)


def _said(doc, field: str):
	"""Return what a field says, however a request writes it."""
	df = doc.meta.get_field(field)
	value = doc.get(field)
	if df.fieldtype == "Table":
		return [[cstr(row.get(of_row.fieldname)) for of_row in row.meta.fields] for row in value or ()]
	return cint(value) if df.fieldtype in ("Check", "Int") else cstr(value or "")


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


def refuse_merge(doc, merge: bool) -> None:
	"""Throw when a rename would make one of two documents, or its user may not write this one.

	What belongs to the first would go on under the second, which may be active, or somebody else's.
	"""
	if merge:
		frappe.throw(
			_("{0} cannot be merged into another document. Choose a name that is free.").format(
				frappe.bold(frappe.utils.escape_html(doc.get_title()))
			),
			title=_("Cannot Merge"),
		)
	# Some versions ask for the right on the DocType only.
	doc.check_permission("write")


def refuse_rename(doc) -> None:
	"""Throw after a document was renamed that keeps its name: the ledger's keys are made of it, or others point at it.

	Frappe asks whether a DocType may be renamed, and who may, unless the request says that it need not (`validate_rename`
	of `Document.rename`, which anybody who may read a document may call). This is asked in any case.
	"""
	frappe.throw(
		_("A document of the type {0} keeps its name.").format(frappe.bold(_(doc.doctype))),
		frappe.PermissionError,
		title=_("Cannot Rename"),
	)
