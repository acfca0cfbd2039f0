import frappe
from frappe.model.document import Document

from marketing_automation.designs import store
from marketing_automation.desk import designing


class LifecycleMessageDesign(Document):
	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		from marketing_automation.marketing_automation.doctype.lifecycle_design_template.lifecycle_design_template import (
			LifecycleDesignTemplate,
		)

		action: DF.Link | None
		company: DF.Link | None
		design: DF.Code | None
		design_name: DF.Data
		gallery: DF.Data | None
		is_changed: DF.Check
		published_at: DF.Datetime | None
		published_by: DF.Link | None
		templates: DF.Table[LifecycleDesignTemplate]
		version: DF.Int
	# end: auto-generated types

	def __init__(self, *args, **kwargs):
		super().__init__(*args, **kwargs)
		# The user's default company is not what an empty one means.
		self.dont_update_if_missing = ["company"]

	def validate(self):
		if not self.flags.by_design:
			store.keep_what_was_written(self)
		store.check(self)

	def on_trash(self):
		designing.refuse_deletion(self)
		for version in frappe.get_all(
			store.VERSION, filters={"message_design": self.name}, pluck="name", order_by="name asc"
		):
			doc = frappe.get_doc(store.VERSION, version)
			doc.flags.by_design = True
			doc.delete(ignore_permissions=True)
