"""What the lines of a quotation, an order or an invoice add up to, in the company's currency."""

import frappe
from frappe.utils import flt


def set_totals(doc) -> None:
	"""Set the amount of each line and the grand total."""
	doc.currency = doc.currency or frappe.get_cached_value("Company", doc.company, "default_currency")
	for line in doc.items:
		line.amount = flt(line.rate) * flt(line.qty)
	doc.grand_total = sum(line.amount for line in doc.items)
