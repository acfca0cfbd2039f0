from marketing_automation.lifecycle import Row


class LifecycleDesignTemplate(Row):
	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		email_template: DF.Link
		html: DF.Code | None
		language: DF.Link
		parent: DF.Data
		parentfield: DF.Data
		parenttype: DF.Data
		text: DF.Code | None
		written_at: DF.Datetime | None
		written_hash: DF.Data | None
	# end: auto-generated types
