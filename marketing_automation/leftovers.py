"""What points at documents that go away with the app: found by the fields of every DocType, not by a list of them.

A row that is about nothing else (a User Permission, a Notification, a Custom Field) is deleted with its child rows, and
so is, in turn, what points at it. One that has a life of its own (a File, a Communication, an Email Account) is only
freed of it. Nothing is touched but rows that name what goes.
"""

import json
from collections import defaultdict

import frappe
from frappe.model import table_fields
from frappe.utils import create_batch

# The field that points is optional, and the row is nothing without it.
ABOUT = {
	"Comment",
	"Custom Role",
	"Dashboard Chart",
	"Desktop Icon",
	"Discussion Topic",
	"Document Share Key",
	"Energy Point Log",
	"Form Tour",
	"Global Search DocType",
	"List Filter",
	"Notification Log",
	"Number Card",
	"Reminder",
	"Server Script",
	"Session Default",
	"Submission Queue",
	"Tag Link",
	"ToDo",
	"User Permission",
	"View Log",
	"Workflow Action",
}
# What was sent stays as it was.
KEPT = {"Email Queue"}
# Fields that hold the name of a DocType without being a link to one.
NAMED_IN_TEXT = (
	("Custom DocPerm", "parent"),
	("Custom Role", "ref_doctype"),
	("List View Settings", "name"),
)
# In the layout of a workspace: the type of a block, which is the stem of its field, by the DocType of its row.
BLOCKS = {
	"Workspace Shortcut": "shortcut",
	"Workspace Number Card": "number_card",
	"Workspace Chart": "chart",
	"Workspace Quick List": "quick_list",
}


def remove(going: dict[str, list[str]]) -> None:
	"""Remove what points at the documents that go: {DocType: names}. The caller commits.

	Some queries for each kind of document that goes and each field that can point at it.
	"""
	ours = set(going["DocType"])
	_remove_fields(ours)
	_remove_texts(ours)
	_remove_user_settings(ours)
	todo = [(doctype, sorted(names)) for doctype, names in going.items() if names]
	seen = {(doctype, name) for doctype, names in todo for name in names}
	while todo:
		doctype, names = todo.pop()
		for pointer in _pointers(doctype, ours):
			gone = {(pointer.doctype, name) for name in pointer.release(names)} - seen
			seen |= gone
			if gone:
				todo.append((pointer.doctype, sorted(name for _doctype, name in gone)))


class _Pointer:
	"""A field that can name a document of some DocType."""

	def __init__(self, doctype: str, field: str, needed: bool, meta, where: dict | None = None):
		self.doctype, self.field, self.needed, self.meta = doctype, field, needed, meta
		# Of a Dynamic Link: what the field must hold that says to which DocType it leads.
		self.where = where or {}

	def release(self, names: list[str]) -> list[str]:
		"""Delete the rows that name any of these documents, or empty the field; return the names of what was deleted."""
		if self.meta.issingle:
			frappe.db.delete(
				"Singles", {"doctype": self.doctype, "field": self.field, "value": ["in", names]}
			)
			return []
		rows = [
			name
			for some in create_batch(names, 1000)
			for name in frappe.get_all(
				self.doctype,
				filters={self.field: ["in", some], **self.where},
				pluck="name",
				order_by="name asc",
			)
		]
		if not rows:
			return []
		if (self.needed or self.doctype in ABOUT) and not self.meta.is_submittable:
			_delete(self.doctype, rows, self.meta)
			return [str(row) for row in rows] if not self.meta.istable else []
		# With what stands in it only because of this field.
		fields = {self.field, *(df.fieldname for df in self.meta.get("fields", {"options": self.field}))}
		if self.doctype == "File":
			fields.add("attached_to_field")
		for some in create_batch(rows, 1000):
			frappe.db.set_value(
				self.doctype,
				{"name": ["in", some]},
				{field: None for field in fields if self.meta.has_field(field)},
				update_modified=False,
			)
		# File names its document in a field of text.
		if self.doctype == "File":
			frappe.db.set_value(
				"File", {"name": ["in", rows]}, "attached_to_name", None, update_modified=False
			)
		return []


def _pointers(doctype: str, ours: set[str]) -> list[_Pointer]:
	"""Return every field of others that can name a document of a DocType. 2 queries."""
	found = []
	for kind, parent in (("DocField", "parent"), ("Custom Field", "dt")):
		for row in frappe.get_all(
			kind,
			filters={"fieldtype": ["in", ["Link", "Dynamic Link"]]},
			fields=[
				f"{parent} as doctype",
				*("fieldname", "fieldtype", "options", "reqd", "mandatory_depends_on"),
			],
			order_by="name asc",
		):
			if row.doctype in ours | KEPT:
				continue
			needed = bool(row.reqd or row.mandatory_depends_on)
			if row.fieldtype == "Link" and row.options == doctype:
				found.append((row.doctype, row.fieldname, needed, None))
			elif row.fieldtype == "Dynamic Link" and row.options:
				found.append((row.doctype, row.fieldname, needed, {row.options: doctype}))
	pointers = []
	for name, field, needed, where in found:
		if not frappe.db.exists("DocType", name):
			continue
		meta = frappe.get_meta(name)
		if meta.get("is_virtual") or not (meta.issingle or frappe.db.table_exists(name)):
			continue
		columns = {field, *(where or ())}
		if meta.issingle and where:
			continue
		if meta.issingle or all(frappe.db.has_column(name, column) for column in columns):
			# A row of a table that leads somewhere is nothing without it.
			pointers.append(_Pointer(name, field, needed or bool(where and meta.istable), meta, where))
	return pointers


def _delete(doctype: str, names: list, meta) -> None:
	"""Delete documents with their child rows; of rows of a workspace also the blocks that show them."""
	if doctype in BLOCKS:
		_remove_blocks(doctype, names)
	for some in create_batch(names, 1000):
		for df in meta.get("fields", {"fieldtype": ["in", list(table_fields)]}):
			frappe.db.delete(
				df.options, {"parenttype": doctype, "parent": ["in", [str(name) for name in some]]}
			)
		frappe.db.delete(doctype, {"name": ["in", some]})


def _remove_blocks(doctype: str, names: list) -> None:
	"""Take the blocks of some rows out of the layouts of their workspaces."""
	kind, labels = BLOCKS[doctype], defaultdict(set)
	for row in frappe.get_all(
		doctype, filters={"name": ["in", names]}, fields=["parent", "label"], order_by="name asc"
	):
		labels[row.parent].add(row.label)
	for workspace, gone in labels.items():
		content = frappe.db.get_value("Workspace", workspace, "content")
		if not content:
			continue
		blocks = json.loads(content)
		left = [
			block
			for block in blocks
			if block.get("type") != kind or block.get("data", {}).get(f"{kind}_name") not in gone
		]
		if len(left) < len(blocks):
			frappe.db.set_value("Workspace", workspace, "content", json.dumps(left), update_modified=False)


def _remove_fields(ours: set[str]) -> None:
	"""Remove fields of other DocTypes that lead to ours: custom ones, of custom DocTypes, and changed by a customisation."""
	leads = {"fieldtype": ["in", ["Link", *table_fields]], "options": ["in", list(ours)]}
	for row in frappe.get_all("Custom Field", filters=leads, fields=["dt", "fieldname"], order_by="name asc"):
		frappe.db.delete("Property Setter", {"doc_type": row.dt, "field_name": row.fieldname})
	frappe.db.delete("Custom Field", leads)
	frappe.db.delete("DocField", {**leads, "parent": ["not in", list(ours)]})
	frappe.db.delete("Property Setter", {"property": "options", "value": ["in", list(ours)]})


def _remove_texts(ours: set[str]) -> None:
	for doctype, field in NAMED_IN_TEXT:
		if frappe.db.table_exists(doctype):
			names = frappe.get_all(
				doctype, filters={field: ["in", list(ours)]}, pluck="name", order_by="name asc"
			)
			if names:
				_delete(doctype, names, frappe.get_meta(doctype))


def _remove_user_settings(ours: set[str]) -> None:
	"""Forget how users have set up our lists: in the table, and in Redis, from where Frappe fills it."""
	frappe.db.delete("__UserSettings", {"doctype": ["in", list(ours)]})
	for key in frappe.cache().hgetall("_user_settings") or {}:
		name = frappe.as_unicode(key)
		if name.split("::")[0] in ours:
			frappe.cache().hdel("_user_settings", name)
