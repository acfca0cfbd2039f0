from marketing_automation.lifecycle import Row


class LifecycleDoNotDisturb(Row):
	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		note: DF.Data | None
		parent: DF.Data
		parentfield: DF.Data
		parenttype: DF.Data
		party: DF.DynamicLink
		party_type: DF.Literal["Customer", "Customer Group"]
		until: DF.Date | None
	# end: auto-generated types
