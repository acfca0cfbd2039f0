import frappe
from frappe import _
from frappe.model.document import Document


class LifecycleDesignVersion(Document):
	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		changes: DF.SmallText | None
		design: DF.Code | None
		made_at: DF.Datetime | None
		made_by: DF.Link | None
		message_design: DF.Link
		version: DF.Int
		written: DF.Code | None
	# end: auto-generated types

	def validate(self):
		if not self.is_new() or not self.flags.by_design:
			frappe.throw(
				_(
					"A version of a design stays as it is: it shows what customers got. Change the design instead."
				),
				frappe.PermissionError,
				title=_("Versions Stay"),
			)

	def on_trash(self):
		if not self.flags.by_design:
			frappe.throw(
				_("A version of a design goes only with its design."),
				frappe.PermissionError,
				title=_("Versions Stay"),
			)


def on_doctype_update():
	# Two who put a design to use at once do not both make the next version.
	frappe.db.add_unique("Lifecycle Design Version", ["message_design", "version"], "design_version")
