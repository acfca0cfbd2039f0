"""Renewed, for contracts: a signed one of the same template that begins later and ends later. Only reads."""

from datetime import date

import frappe
from frappe.utils import getdate

from marketing_automation.engine import long_lists
from marketing_automation.engine.goals import Asked
from marketing_automation.engine.model import Reached
from marketing_automation.goals import agreements

DOCTYPE = "Contract"


def renewed(asked: list[Asked], night: date) -> dict[int, Reached]:
	"""Return {index: the contract that renews it}. One without a template is like no other. 1 query."""
	contract = frappe.qb.DocType(DOCTYPE)
	query = (
		frappe.qb.from_(contract)
		.select(
			contract.name,
			contract.party_name,
			contract.contract_template,
			contract.start_date,
			contract.end_date,
			contract.creation,
		)
		.where(contract.party_type == "Customer")
		.where(long_lists.among(contract.party_name, "customers"))
		.where((contract.docstatus == 1) & (contract.is_signed == 1))
	)
	rows = long_lists.run(query, customers={one.customer for one in asked})
	found = [
		agreements.Agreement(
			name, customer, frozenset(filter(None, [template])), start, end, getdate(creation)
		)
		for name, customer, template, start, end, creation in rows
	]
	return agreements.renewed(asked, DOCTYPE, found, night, getdate())
