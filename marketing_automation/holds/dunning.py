"""Dunning: the customer has been dunned, and has not paid. Only reads."""

from frappe import _

from marketing_automation.holds.of_customer import OfCustomer

HOLD = OfCustomer(
	"Dunning",
	label=lambda: _("Unresolved Dunning"),
	fields=("status",),
	which=lambda dunning, _days, _today: (dunning.docstatus == 1) & (dunning.status == "Unresolved"),
)
