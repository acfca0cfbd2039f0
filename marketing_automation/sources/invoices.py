"""What a customer still has to pay of an invoice. Only reads."""

import frappe
from pypika.functions import Coalesce, Sum

from marketing_automation import erpnext_schema

INVOICE = "Sales Invoice"
# Less than the smallest coin. What is open of an invoice is more than this.
NOTHING = 0.005


def still_open(invoice):
	"""Return the term of what is open of an invoice of this table, less what its credit notes give back.

	Since ERPNext 15 a credit note usually keeps its own amount, below zero, until somebody reconciles the two. Till then
	the invoice stands there as unpaid, or overdue, although everything was taken back. One reading of an index for each
	row that is looked at.
	"""
	if not erpnext_schema.has(INVOICE, "return_against"):
		return invoice.outstanding_amount
	note = frappe.qb.DocType(INVOICE).as_("credit_note")
	given_back = (
		frappe.qb.from_(note)
		.select(Sum(note.outstanding_amount))
		.where(note.return_against == invoice.name)
		.where((note.docstatus == 1) & (note.is_return == 1))
	)
	return invoice.outstanding_amount + Coalesce(given_back, 0)


# What is not read as it stands: (field, function of the table that returns a term), for a Spec.
RECKONED = (("outstanding_amount", still_open),)
