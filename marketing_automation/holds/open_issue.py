"""Open Issue: the customer waits for an answer to a question or a complaint. Only reads."""

from frappe import _

from marketing_automation.holds.of_customer import OfCustomer

HOLD = OfCustomer(
	"Issue",
	label=lambda: _("Open Issue"),
	fields=("status",),
	which=lambda issue, _days, _today: issue.status.isin(["Open", "Replied", "On Hold"]),
)
