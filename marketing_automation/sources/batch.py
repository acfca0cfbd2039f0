"""Batches and their expiry: one event for each customer who has bought of a batch, less returns. Only reads.

Sales name a batch in their bundles; those of the time before bundles in their lines.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date

import frappe
from frappe import _
from frappe.query_builder.functions import Sum
from pypika.functions import Abs, IfNull

from marketing_automation import erpnext_schema
from marketing_automation.engine import long_lists
from marketing_automation.engine.model import DueEvent, Reason, Rule
from marketing_automation.engine.names import ByName, folded, same
from marketing_automation.engine.visibility import Visibility
from marketing_automation.sources import ownership, sales
from marketing_automation.sources.date_field import DateSource
from marketing_automation.sources.spec import COMPANY, OWNER, Spec

COMPANIES = "companies"

SPEC = Spec(
	"Batch",
	title=lambda: _("When a batch expires"),
	timing=lambda: (_("Before expiration"), _("On expiration"), _("After expiration")),
	date_fields=("expiry_date",),
	# A batch is nobody's: its sales say who has bought of it, and from which company.
	customer="",
	company=None,
	item="item",
	is_sale=True,
)


class Batches(DateSource):
	"""A batch is everybody's who has bought of it and has not given all of it back."""

	is_shared = True

	def completed(self, spec: Spec, rows: list[dict], keep: bool = False) -> list[dict]:
		"""Return a row for each customer who has bought of a batch. Queries: those of `buyers`.

		keep: of a batch that nobody has bought of, one without a customer.
		"""
		found, made = buyers({row["name"] for row in rows}), []
		for row in rows:
			of_batch = found.get(row["name"], {})
			for customer, companies in sorted(of_batch.items()):
				of_company = {OWNER: customer, COMPANIES: companies, COMPANY: companies[-1]}
				made.append(frappe._dict(row, **of_company))
			if keep and not of_batch:
				made.append(frappe._dict(row, **{OWNER: None, COMPANIES: [], COMPANY: None}))
		return made

	def is_of_company(self, company: str | None, row: dict) -> bool:
		return not company or any(same(company, one) for one in row[COMPANIES])

	def company_of(self, row: dict, rule: Rule | None) -> str | None:
		company = rule.campaign["company"] if rule else None
		return company if company and self.is_of_company(company, row) else row[COMPANY]

	def makes_event(self, row: dict) -> bool:
		return bool(row[OWNER])

	def candidate(self, candidates: list[dict], row: dict) -> list[dict]:
		"""Return the row of the message's customer; else one without a customer, who has given it back."""
		own = [one for one in candidates if same(one[OWNER], row.customer)]
		return own or [frappe._dict(candidates[0], **{OWNER: None})]

	def owners(self, events: list[DueEvent]) -> list[tuple[str | None, str | None]]:
		"""Return (customer, reason) for each event: nobody where all was given back. No query: the event knows."""
		return [(event.customer, None if event.customer else Reason.RETURNED) for event in events]

	def sold_on(self, events: list[DueEvent]) -> list[date | None]:
		"""Return when the customer of each event has last bought of the batch's item. At most 2 queries."""
		last = {}
		for line in sales.lines({event.customer for event in events if event.customer}, date.min):
			key = folded(line.customer), folded(line.item)
			last[key] = max(line.on, last.get(key, line.on))
		return [
			last.get((folded(event.customer), folded(event.item_code)))
			if event.customer and event.item_code
			else None
			for event in events
		]

	def tells_owner(self, spec: Spec) -> bool:
		return False

	def _is_counted(self, spec: Spec, rule: Rule, visible: Visibility) -> bool:
		return False

	def owned_by(self, trigger, customer: str, visible: Visibility, most: int) -> list[str]:
		"""Return the batches that a customer has bought of, the first `most` by name. Queries: one for each DocType of sales,
		and one of all lines."""
		names = set()
		for doctype in erpnext_schema.sales():
			sale = frappe.qb.DocType(doctype)
			query, bundle, entry = ownership.bundled()
			query = (
				query.join(sale)
				.on((bundle.voucher_no == sale.name) & (bundle.voucher_type == doctype))
				.select(entry.batch_no)
				.distinct()
				.where((sale.customer == customer) & (sale.docstatus == 1))
				.where(entry.batch_no != "")
			)
			names.update(name for (name,) in query.run())
		lines = [
			query.where(long_lists.among(sale.customer, "customers"))
			for query, _line, sale in _lines_of_batches()
		]
		found = long_lists.run(ownership.all_of(lines), customers=[customer])
		names.update(name for name, *_sale in found)
		return sorted(names)[:most]


def buyers(batches: Iterable[str]) -> dict[str, dict[str, list[str]]]:
	"""Return {batch: {customer: the companies that they have bought it from}} of those who have kept some of it.

	Queries: 2, and one for each DocType of sales.
	"""
	if not (batches := list(batches)):
		return {}
	query, bundle, entry = ownership.bundled()
	query = (
		query.select(
			entry.batch_no,
			bundle.type_of_transaction,
			bundle.voucher_type,
			bundle.voucher_no,
			bundle.company,
			Sum(Abs(entry.qty)),
		)
		.where(long_lists.among(entry.batch_no, "batches"))
		.where(bundle.voucher_type.isin(erpnext_schema.sales()))
		.where(bundle.type_of_transaction.isin(["Inward", "Outward"]))
		.groupby(
			entry.batch_no,
			bundle.type_of_transaction,
			bundle.voucher_type,
			bundle.voucher_no,
			bundle.company,
		)
	)
	moved = long_lists.run(query, sparse=True, batches=batches)
	of_vouchers = ownership.sales_of_vouchers(
		{(voucher_type, voucher_no) for _batch, _way, voucher_type, voucher_no, *_more in moved}
	)
	kept, written = defaultdict(float), {}
	own = ByName((name, name) for name in batches)
	for batch, way, voucher_type, voucher_no, company, quantity in moved:
		if sale := of_vouchers.get((voucher_type, voucher_no)):
			# The database takes ana and Ana for one customer, and so does who counts what they have kept.
			customer = written.setdefault(folded(sale.customer), sale.customer)
			kept[own.get(batch), customer, company] += float(quantity or 0) * (1 if way == "Outward" else -1)
	lines = [
		query.where(long_lists.among(line.batch_no, "batches")) for query, line, _sale in _lines_of_batches()
	]
	for batch, name, company, quantity in long_lists.run(
		ownership.all_of(lines), sparse=True, batches=batches
	):
		customer = written.setdefault(folded(name), name)
		kept[own.get(batch), customer, company] += float(quantity or 0)
	by_customer, found = defaultdict(float), defaultdict(lambda: defaultdict(list))
	for (batch, customer, _company), quantity in kept.items():
		by_customer[batch, customer] += quantity
	for (batch, customer, company), quantity in sorted(kept.items(), key=lambda entry: entry[1]):
		if by_customer[batch, customer] > 0 and quantity > 0:
			found[batch][customer].append(company)
	return found


def _lines_of_batches() -> list[tuple]:
	"""Return (query, table of the lines, sale) for each kind of lines that can name a batch without a bundle.

	Each query has batch, customer, company and quantity, which is negative in returns: for another condition to narrow it. A
	line counts where stock moves: not that of an invoice for a delivery note, nor of a till that an invoice has closed.
	"""
	found = []
	for doctype in erpnext_schema.sales():
		for line in ownership.lines_of(doctype):
			table = line.get_table_name().removeprefix("tab")
			if not erpnext_schema.has(table, "batch_no"):
				continue
			sale, quantity = frappe.qb.DocType(doctype), line[erpnext_schema.quantity_of(table)]
			query = (
				frappe.qb.from_(line)
				.join(sale)
				.on((sale.name == line.parent) & (line.parenttype == doctype))
				.select(line.batch_no, sale.customer, sale.company, Sum(quantity))
				.where((sale.docstatus == 1) & (line.batch_no != ""))
				.groupby(line.batch_no, sale.customer, sale.company)
			)
			if erpnext_schema.has(doctype, "update_stock") and doctype != erpnext_schema.TILL:
				query = query.where(sale.update_stock == 1)
			if erpnext_schema.has(doctype, "consolidated_invoice") and doctype == erpnext_schema.TILL:
				query = query.where(IfNull(sale.consolidated_invoice, "") == "")
			found.append((ownership.without_bundle(query, line), line, sale))
	return found


SOURCE = Batches(SPEC)
