"""Dunning: the customer has been dunned, and has not paid. Only reads.

ERPNext resolves a Dunning when a payment arrives. A credit note that nobody has reconciled leaves it as it is, so what is open
of its invoices is looked at as well.
"""

from datetime import date

import frappe
from frappe import _
from pypika.terms import ExistsCriterion

from marketing_automation import erpnext_schema
from marketing_automation.holds.of_customer import OfCustomer
from marketing_automation.sources.invoices import INVOICE, NOTHING, still_open

LINE = "Overdue Payment"


def _unresolved(dunning, _days: int, _today: date):
	says_so = (dunning.docstatus == 1) & (dunning.status == "Unresolved")
	if not erpnext_schema.has(LINE, "sales_invoice"):
		return says_so
	line, invoice = frappe.qb.DocType(LINE), frappe.qb.DocType(INVOICE)
	lines = (
		frappe.qb.from_(line)
		.select(line.name)
		.where((line.parent == dunning.name) & (line.parenttype == "Dunning"))
	)
	of_open = lines.join(invoice).on(invoice.name == line.sales_invoice).where(still_open(invoice) > NOTHING)
	# One that names no invoice cannot be paid by itself.
	return says_so & (ExistsCriterion(of_open) | ExistsCriterion(lines).negate())


HOLD = OfCustomer(
	"Dunning",
	label=lambda: _("Unresolved Dunning"),
	fields=("status",),
	which=_unresolved,
)
