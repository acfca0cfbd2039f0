"""Open Warranty Claim: something that the customer has bought is broken, and not mended yet. Only reads."""

from frappe import _

from marketing_automation.holds.of_customer import OfCustomer

HOLD = OfCustomer(
	"Warranty Claim",
	label=lambda: _("Open Warranty Claim"),
	fields=("status",),
	which=lambda claim, _days, _today: claim.status.isin(["Open", "Work In Progress"]),
)
