from frappe.model.document import Document


class LifecycleTemplate(Document):
	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		email_template: DF.Link
		origin: DF.Literal[
			"Written by a marketer", "Recipe", "Copied with its campaign", "Released by a System Manager"
		]
		released_by: DF.Link | None
		released_on: DF.Datetime | None
	# end: auto-generated types

	"""An Email Template that marketers may edit; written by template_rights.py alone."""
