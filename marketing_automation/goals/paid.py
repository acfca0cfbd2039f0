"""Paid: nothing of an invoice is open any more, credit notes included. Only reads."""

from datetime import date

import frappe
from frappe import _

from marketing_automation import erpnext_schema
from marketing_automation.engine import long_lists
from marketing_automation.engine.goals import Asked
from marketing_automation.engine.model import Reached
from marketing_automation.engine.names import ByName, folded
from marketing_automation.sources.invoices import INVOICE, NOTHING, still_open

PAYMENT = "Payment Entry"


class Paid:
	"""The goal of a campaign that reminds of invoices."""

	fields = ()

	@property
	def label(self) -> str:
		"""What the form calls it."""
		return _("Paid", context="Lifecycle Goal")

	def fits(self, source: str) -> bool:
		"""Say whether what a source finds can be paid."""
		return source == INVOICE

	def validate(self, campaign) -> None:
		"""It asks nothing of the campaign."""

	def reached(self, asked: list[Asked], night: date) -> dict[int, Reached]:
		"""Return {index: the last payment, else the last credit note, else the invoice itself} of invoices with nothing open.

		At most 3 queries.
		"""
		invoice = frappe.qb.DocType(INVOICE)
		query = (
			frappe.qb.from_(invoice)
			.select(invoice.name, invoice.posting_date)
			.where(long_lists.among(invoice.name, "names"))
			.where((invoice.docstatus == 1) & (still_open(invoice) <= NOTHING))
		)
		paid = ByName(long_lists.run(query, names={one.event.reference_name for one in asked}))
		payments = _payments(list(paid)) if paid else {}
		unpaid = [name for name in paid if folded(name) not in payments]
		shown = {**(_credit_notes(unpaid) if unpaid else {}), **payments}
		found = {}
		for index, one in enumerate(asked):
			if name := paid.written(one.event.reference_name):
				found[index] = shown.get(folded(name)) or Reached(INVOICE, name, paid[name])
		return found


def _payments(names: list[str]) -> dict[str, Reached]:
	"""Return the last submitted payment of each invoice that has one. At most 1 query."""
	if not erpnext_schema.has(PAYMENT):
		return {}
	payment, reference = frappe.qb.DocType(PAYMENT), frappe.qb.DocType("Payment Entry Reference")
	query = (
		frappe.qb.from_(reference)
		.join(payment)
		.on(payment.name == reference.parent)
		.select(reference.reference_name, payment.name, payment.posting_date)
		.where((reference.reference_doctype == INVOICE) & (payment.docstatus == 1))
		.where(long_lists.among(reference.reference_name, "names"))
		.orderby(payment.posting_date)
		.orderby(payment.creation)
	)
	return {
		folded(invoice): Reached(PAYMENT, name, day)
		for invoice, name, day in long_lists.run(query, names=names)
	}


def _credit_notes(names: list[str]) -> dict[str, Reached]:
	"""Return the last submitted credit note of each invoice that has one. At most 1 query."""
	if not erpnext_schema.has(INVOICE, "return_against"):
		return {}
	note = frappe.qb.DocType(INVOICE)
	query = (
		frappe.qb.from_(note)
		.select(note.return_against, note.name, note.posting_date)
		.where((note.docstatus == 1) & (note.is_return == 1))
		.where(long_lists.among(note.return_against, "names"))
		.orderby(note.posting_date)
		.orderby(note.creation)
	)
	return {
		folded(invoice): Reached(INVOICE, name, day)
		for invoice, name, day in long_lists.run(query, sparse=True, names=names)
	}


GOAL = Paid()
