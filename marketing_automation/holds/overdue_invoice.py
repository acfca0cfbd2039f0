"""Invoice overdue for more than so many days: who owes money is asked for it, and offered nothing meanwhile. Only reads."""

from datetime import date

from frappe import _

from marketing_automation.engine import schedule
from marketing_automation.holds.of_customer import OfCustomer
from marketing_automation.sources.invoices import NOTHING, still_open

DAYS = 7


def _overdue(invoice, days: int, today: date):
	return (
		(invoice.docstatus == 1)
		& (invoice.is_return == 0)
		& (still_open(invoice) > NOTHING)
		& (invoice.due_date < (schedule.shifted(today, -days) or date.min))
	)


HOLD = OfCustomer(
	"Sales Invoice",
	label=lambda: _("Invoice overdue"),
	fields=("is_return", "outstanding_amount", "due_date"),
	which=_overdue,
	days=DAYS,
)
