import frappe
from frappe import _
from frappe.model.document import Document

from marketing_automation.lifecycle import refuse_rename


class LifecycleKey(Document):
	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		purpose: DF.Data
		value: DF.Data | None
	# end: auto-generated types

	def validate(self):
		if not self.is_new():
			self._refuse()

	def after_rename(self, old: str, new: str, merge: bool = False):
		refuse_rename(self)

	def on_trash(self):
		self._refuse()

	def _refuse(self):
		frappe.throw(
			_("What was sent is only good with this key. It cannot be changed or deleted."),
			frappe.PermissionError,
			title=_("Read Only"),
		)
