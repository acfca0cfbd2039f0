import frappe
from frappe import _
from frappe.model.document import Document


class LifecycleSecret(Document):
	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		key: DF.Data | None
	# end: auto-generated types

	"""The key of engine/secrets.py. No role may read it, and no document is saved over it."""

	def validate(self):
		frappe.throw(
			_("The key is made once by the installation and cannot be changed by hand."),
			frappe.PermissionError,
			title=_("Read Only"),
		)

	def on_trash(self):
		frappe.throw(
			_("Without the key nobody knows who is on the suppression list. It cannot be deleted."),
			frappe.PermissionError,
			title=_("Cannot Delete"),
		)
