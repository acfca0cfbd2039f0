"""Makes what the tests need: customers that can be reached, pins that were really sold, campaigns.

Where ERPNext is real, a pin is received by a Stock Entry and sold by a submitted Sales Invoice or Delivery Note;
the sandbox's stand-in has no Stock Entry, so there it is made as ERPNext leaves it after receipt.
"""

import hashlib
import re
from datetime import date

import frappe
from frappe.utils import add_days, getdate, now_datetime
from pypika import Criterion, Order

from marketing_automation import erpnext_schema

COMPANY = "Test Pins Ltd"
# That of the company, and so of customers without an address.
COUNTRY = "Colombia"
ITEM_GROUP = "Test Pins"
ITEM = "TEST-PIN"
SET = "TEST-SET"
TILL = "Test Till"
CASH = "Cash"
SERVICE = "TEST-SERVICE"
IN_BATCHES = "TEST-IN-BATCHES"
# Tests set the clock to days in these years.
TRAVELLED_TO = range(2026, 2029)
PLAN = "Test Plan"
PLAN_DAYS = 30
PRICE = 20
TEST_GROUP = "Test Customer Group"
# {DocType: (field of the customer, date fields)}
DATES = {
	"Quotation": ("party_name", "valid_till"),
	"Sales Order": ("customer", "delivery_date"),
	"Sales Invoice": ("customer", "due_date"),
	"Subscription": ("party", "trial_period_end", "current_invoice_end", "end_date"),
	"Contract": ("party_name", "end_date"),
}
SUBJECT = "{{ item_name }} expires on {{ expiry_date }}"
LIST = "<ul>{% for item in items %}<li>{{ item.item_name }} ({{ item.serial_no }})</li>{% endfor %}</ul>"
BODY = (
	"<p>Dear {{ customer_name }},</p><p>{{ item_name }} ({{ serial_no }}) ends in {{ days_left }} days.</p>"
)


def unique(prefix: str) -> str:
	"""Return a name that nothing has yet."""
	return f"{prefix} {frappe.generate_hash(length=8)}"


def real_erpnext() -> bool:
	"""Say whether ERPNext itself is installed, not the sandbox's stand-in."""
	return bool(frappe.db.exists("DocType", "Stock Entry"))


def make(doctype: str, **fields):
	"""Insert a document and return it."""
	doc = frappe.new_doc(doctype)
	doc.update(fields)
	doc.flags.ignore_permissions = True
	return doc.insert()


# -- the shop ----------------------------------------------------------------------------------------------------


def company() -> str:
	"""Return a company that can sell."""
	found = frappe.get_all("Company", pluck="name", order_by="creation asc", limit_page_length=1)
	if found:
		return found[0]
	if real_erpnext():
		from erpnext.setup.utils import before_tests

		before_tests()
		return company()
	return make("Company", company_name=COMPANY, abbr="TP", default_currency="USD", country=COUNTRY).name


def fiscal_years() -> None:
	"""Make the fiscal years in which tests sell, where ERPNext is real: it has that of today alone."""
	if not real_erpnext():
		return
	for year in sorted({*range(getdate().year - 3, getdate().year + 3), *TRAVELLED_TO}):
		first, last = date(year, 1, 1), date(year, 12, 31)
		# A year may begin on another day than the first of January.
		for day in (first, last):
			if frappe.db.exists(
				"Fiscal Year",
				{"year_start_date": ["<=", day], "year_end_date": [">=", day], "disabled": 0},
			):
				break
		else:
			make("Fiscal Year", year=f"Test {year}", year_start_date=first, year_end_date=last)


def second_company() -> str:
	"""Return a company that has sold nothing."""
	other = f"{COMPANY} 2"
	if not frappe.db.exists("Company", other):
		make("Company", company_name=other, abbr="TP2", default_currency="USD", country="United States")
	return other


def warehouse() -> str:
	"""Return a warehouse of the company; only where ERPNext is real."""
	return frappe.get_all(
		"Warehouse", filters={"company": company(), "is_group": 0}, pluck="name", order_by="name asc"
	)[0]


def root(tree: str) -> str:
	"""Return the root of Item Group, Customer Group or Territory."""
	return frappe.get_all(tree, filters={"lft": 1}, pluck="name", order_by="lft asc")[0]


def item_group(name: str = ITEM_GROUP, parent: str | None = None, is_group: int = 0) -> str:
	"""Return an item group below `parent` (the root without it)."""
	if not frappe.db.exists("Item Group", name):
		make(
			"Item Group",
			item_group_name=name,
			parent_item_group=parent or root("Item Group"),
			is_group=is_group,
		)
	return name


def item(code: str = ITEM, group: str = ITEM_GROUP, **fields) -> str:
	"""Return an item with serial numbers, named "<code> subscription" unless `fields` say otherwise."""
	if not frappe.db.exists("Item", code):
		make(
			"Item",
			**{
				"item_code": code,
				"item_name": f"{code} subscription",
				"item_group": item_group(group),
				"stock_uom": "Nos",
				"is_stock_item": 1,
				"has_serial_no": 1,
				**fields,
			},
		)
	return code


# -- customers ---------------------------------------------------------------------------------------------------


def customer(name: str | None = None, email: str | None = "", **fields) -> str:
	"""Return a new customer with a primary contact; email: its address, None for no contact at all."""
	doc = make(
		"Customer",
		customer_name=name or unique("Test Customer"),
		customer_type="Individual",
		customer_group=_leaf("Customer Group"),
		territory=_leaf("Territory"),
		**fields,
	)
	if email is not None:
		contact(doc.name, email or address(doc.name), is_primary_contact=1)
	return doc.name


def address(customer: str) -> str:
	"""Return the address that `customer` gets by itself."""
	return f"{re.sub('[^a-z0-9]+', '_', customer.lower())}@customers.example"


def _leaf(tree: str) -> str:
	name = f"Test {tree}"
	if not frappe.db.exists(tree, name):
		field = frappe.scrub(tree)
		make(tree, **{f"{field}_name": name, f"parent_{field}": root(tree), "is_group": 0})
	return name


def contact(customer: str, email: str | None, more: tuple[str, ...] = (), **fields) -> str:
	"""Return a new contact of a customer; its first address is the primary one."""
	emails = [{"email_id": one, "is_primary": not index} for index, one in enumerate([email, *more]) if one]
	return make(
		"Contact",
		email_ids=emails,
		links=[{"link_doctype": "Customer", "link_name": customer}],
		**{"first_name": unique("Test Contact"), **fields},
	).name


# -- pins --------------------------------------------------------------------------------------------------------


def received(
	count: int = 1, item_code: str | None = None, names: list[str] | None = None, on: date | None = None
) -> list[str]:
	"""Return new serial numbers in stock, today or since a day: `count` with names of their own, or those with these names."""
	item_code = item_code or item()
	names = names or [f"TEST-{frappe.generate_hash(length=10)}".upper() for _ in range(count)]
	if real_erpnext():
		_received({"item_code": item_code, "qty": len(names), "serial_no": "\n".join(names)}, on)
		return names
	for name in names:
		fields = {"serial_no": name, "item_code": item_code, "company": company(), "status": "Active"}
		# The stand-in has no rule for it, and tests make thousands.
		frappe.get_doc({"doctype": "Serial No", "name": name, **fields}).db_insert()
	return names


def _received(line: dict, on: date | None = None) -> None:
	entry = frappe.new_doc("Stock Entry")
	entry.update({"stock_entry_type": "Material Receipt", "company": company()})
	if on:
		entry.update({"set_posting_time": 1, "posting_date": on, "posting_time": "00:00:00"})
	entry.append(
		"items", {"t_warehouse": warehouse(), "basic_rate": 10, "use_serial_batch_fields": 1, **line}
	)
	entry.flags.ignore_permissions = True
	entry.submit()


def sold(
	customer: str, names: list[str], doctype: str = "Sales Invoice", item_code: str | None = None, **fields
):
	"""Return a submitted Sales Invoice (with update_stock), Delivery Note or POS Invoice of these serial numbers."""
	item_code = item_code or frappe.db.get_value("Serial No", names[0], "item_code")
	line = {"item_code": item_code, "qty": len(names), "serial_no": "\n".join(names)}
	return _sale(customer, line, doctype, **fields)


def _sale(customer: str, line: dict, doctype: str, **fields):
	doc = frappe.new_doc(doctype)
	doc.update({"customer": customer, "company": company(), "posting_date": getdate(), **fields})
	if doctype == "Sales Invoice":
		doc.update_stock = fields.get("update_stock", 1)
		doc.due_date = add_days(getdate(), 30)
	if doc.posting_date != getdate():
		doc.set_posting_time = 1
	line = {
		"item_name": f"{line['item_code']} subscription",
		"rate": PRICE,
		"use_serial_batch_fields": 1,
		**line,
	}
	if real_erpnext():
		line["warehouse"] = warehouse()
		if doctype == "POS Invoice":
			doc.update({"is_pos": 1, "update_stock": 1, "pos_profile": till(), "due_date": getdate()})
	doc.append("items", line)
	doc.flags.ignore_permissions = True
	if real_erpnext() and doctype == "POS Invoice":
		doc.set_missing_values()
		doc.set("payments", [{"mode_of_payment": CASH, "amount": PRICE * line["qty"]}])
		doc.insert()
	doc.submit()
	return doc


def till() -> str:
	"""Return a POS Profile of the company that is open; only where ERPNext is real."""
	if not frappe.db.exists("POS Profile", TILL):
		owner = frappe.get_cached_doc("Company", company())
		cash = frappe.get_doc("Mode of Payment", CASH)
		if company() not in [row.company for row in cash.accounts]:
			cash.append("accounts", {"company": company(), "default_account": owner.default_cash_account})
			cash.save(ignore_permissions=True)
		make(
			"POS Profile",
			name=TILL,
			company=company(),
			currency=owner.default_currency,
			warehouse=warehouse(),
			write_off_account=owner.write_off_account,
			write_off_cost_center=owner.cost_center,
			selling_price_list=frappe.db.get_value("Price List", {"selling": 1}),
			payments=[{"mode_of_payment": CASH, "default": 1, "allow_in_returns": 1}],
		)
	if frappe.get_meta("POS Settings").has_field("invoice_type"):
		# ERPNext 16 has its tills write a Sales Invoice unless it is told otherwise.
		frappe.db.set_single_value("POS Settings", "invoice_type", "POS Invoice")
	if not frappe.db.exists("POS Opening Entry", {"pos_profile": TILL, "docstatus": 1, "status": "Open"}):
		opening = {"pos_profile": TILL, "company": company(), "user": frappe.session.user}
		make(
			"POS Opening Entry",
			**opening,
			period_start_date=now_datetime(),
			posting_date=getdate(),
			balance_details=[{"mode_of_payment": CASH, "opening_amount": 0}],
		).submit()
	return TILL


def sold_in_a_set(customer: str, names: list[str], doctype: str = "Sales Invoice"):
	"""Return a submitted sale of a product bundle that has these serial numbers inside: they stand in Packed Item alone."""
	if real_erpnext():
		return _sold_in_a_real_set(customer, names, doctype)
	doc = frappe.new_doc(doctype)
	doc.update({"customer": customer, "company": company(), "posting_date": getdate(), "update_stock": 1})
	doc.append("items", {"item_code": item(SET, has_serial_no=0), "item_name": SET, "qty": 1})
	packed = {"parent_item": SET, "item_code": ITEM, "item_name": ITEM, "qty": len(names)}
	doc.append("packed_items", {**packed, "serial_no": "\n".join(names)})
	doc.flags.ignore_permissions = True
	doc.submit()
	return doc


def _sold_in_a_real_set(customer: str, names: list[str], doctype: str):
	of_set = item(f"{SET}-{len(names)}", is_stock_item=0, has_serial_no=0)
	if not frappe.db.exists("Product Bundle", {"new_item_code": of_set}):
		inside = [{"item_code": item(), "qty": len(names)}]
		make("Product Bundle", new_item_code=of_set, items=inside)
	doc = frappe.new_doc(doctype)
	doc.update({"customer": customer, "company": company(), "posting_date": getdate()})
	if doctype == "Sales Invoice":
		doc.update({"update_stock": 1, "due_date": add_days(getdate(), 30)})
	doc.append("items", {"item_code": of_set, "qty": 1, "rate": 20, "warehouse": warehouse()})
	doc.flags.ignore_permissions = True
	doc.insert()
	for packed in doc.packed_items:
		packed.update({"use_serial_batch_fields": 1, "serial_no": "\n".join(names), "warehouse": warehouse()})
	doc.submit()
	return doc


def sale_of(name: str):
	"""Return the Sales Invoice by which a serial number was sold last."""
	bundle, entry = frappe.qb.DocType("Serial and Batch Bundle"), frappe.qb.DocType("Serial and Batch Entry")
	((invoice,),) = (
		frappe.qb.from_(entry)
		.join(bundle)
		.on(bundle.name == entry.parent)
		.select(bundle.voucher_no)
		.where(entry.serial_no == name)
		.where(bundle.voucher_type == "Sales Invoice")
		.where(bundle.type_of_transaction == "Outward")
		.orderby(bundle.creation, order=Order.desc)
		.limit(1)
	).run()
	return frappe.get_doc("Sales Invoice", invoice)


def resold(name: str, customer: str) -> None:
	"""Take a serial number back and sell it to somebody else; its expiry date stays."""
	expiry = frappe.db.get_value("Serial No", name, "warranty_expiry_date")
	returned(sale_of(name))
	sold(customer, [name])
	expire(name, expiry)


def forget_owner(*names: str) -> None:
	"""Take the customer off serial numbers, where ERPNext notes it there, so that the sale itself has to be found."""
	if erpnext_schema.has_owner():
		frappe.db.set_value("Serial No", {"name": ["in", names]}, "customer", None, update_modified=False)


def forget_bundles(*names: str) -> None:
	"""Make serial numbers look as if sold before ERPNext had bundles."""
	frappe.db.delete("Serial and Batch Entry", {"serial_no": ["in", names]})


def forget_bundle_of(sale) -> None:
	"""Make a sale of a batch look as if made before ERPNext had bundles: its lines name the batch."""
	bundles = {"voucher_type": sale.doctype, "voucher_no": sale.name}
	names = frappe.get_all("Serial and Batch Bundle", filters=bundles, pluck="name", order_by="name asc")
	frappe.db.delete("Serial and Batch Entry", {"parent": ["in", names]})
	frappe.db.delete("Serial and Batch Bundle", {"name": ["in", names]})
	frappe.db.set_value(f"{sale.doctype} Item", {"parent": sale.name}, "serial_and_batch_bundle", None)


def returned(sale):
	"""Return a submitted credit note, or return note, for the whole of a sale."""
	if real_erpnext():
		from erpnext.controllers.sales_and_purchase_return import make_return_doc

		doc = make_return_doc(sale.doctype, sale.name)
		for line in doc.items:
			of_sale = {field: sale.items[0].get(field) for field in ("serial_no", "batch_no")}
			line.update({"use_serial_batch_fields": 1, **of_sale})
	else:
		doc = frappe.copy_doc(sale)
		doc.update({"is_return": 1, "return_against": sale.name})
		for line, of_sale in zip(doc.items, sale.items, strict=True):
			line.update({"qty": -line.qty, "serial_and_batch_bundle": None})
			if sale.doctype == "Sales Invoice":
				line.sales_order = of_sale.sales_order
	doc.flags.ignore_permissions = True
	doc.submit()
	return doc


def handed_over(sale, customer: str):
	"""Return the sale of what was sold before and comes back now, to another customer, with the dates that it had."""
	names = sale.items[0].serial_no.split("\n")
	dates = {name: frappe.db.get_value("Serial No", name, "warranty_expiry_date") for name in names}
	returned(sale)
	resale = sold(customer, names)
	for name, date_ in dates.items():
		expire(name, date_)
	return resale


def pins(customer: str, *expiries, date_field: str = "warranty_expiry_date", **sale) -> list[str]:
	"""Return serial numbers sold to a customer in one document, each with its expiry date."""
	# Nothing can be sold before it is there.
	names = received(len(expiries), sale.get("item_code"), on=sale.get("posting_date"))
	sold(customer, names, **sale)
	by_date = {}
	for name, expiry in zip(names, expiries, strict=True):
		by_date.setdefault(expiry, []).append(name)
	for expiry, of_date in by_date.items():
		expire(of_date, expiry, date_field)
	return names


def pin(customer: str, expires, **options) -> str:
	"""Return one serial number sold to a customer that expires on a date."""
	return pins(customer, expires, **options)[0]


def expire(names: list[str] | str, on, date_field: str = "warranty_expiry_date") -> None:
	"""Set the expiry date of serial numbers, as a renewal does."""
	names = [names] if isinstance(names, str) else names
	frappe.db.set_value("Serial No", {"name": ["in", names]}, date_field, on, update_modified=False)


def in_days(days: int) -> date:
	"""Return the date in so many days, in the site's time zone."""
	return getdate(add_days(getdate(), days))


# -- ERPNext's other dates ---------------------------------------------------------------------------------------


def submitted(doctype: str, **fields):
	"""Insert and submit a document and return it."""
	doc = frappe.new_doc(doctype)
	doc.update(fields)
	doc.flags.ignore_permissions = True
	doc.insert()
	doc.submit()
	return doc


def service(code: str = SERVICE, **fields) -> str:
	"""Return an item that is in no stock, for what is offered, ordered, billed and looked after."""
	return item(code, is_stock_item=0, has_serial_no=0, **fields)


def quotation(customer: str, valid_till, *item_codes: str, **fields):
	"""Return an open Quotation of these items (a service without any) that runs out on a date, which may be past."""
	return submitted(
		"Quotation",
		**{
			"quotation_to": "Customer",
			"party_name": customer,
			"company": company(),
			"transaction_date": min(getdate(), getdate(valid_till)),
			"valid_till": valid_till,
			"items": _lines(*item_codes),
			**fields,
		},
	)


def sales_order(customer: str, delivery_date, *item_codes: str, ordered=(), **fields):
	"""Return an open Sales Order that is to be delivered on a date, which may be past.

	ordered: lines of a Quotation, which are what is ordered.
	"""
	lines = _lines(*item_codes)
	if ordered:
		lines = [
			{
				**_line(line.item_code),
				"qty": line.qty,
				"prevdoc_docname": line.parent,
				"quotation_item": line.name,
			}
			for line in ordered
		]
	return submitted(
		"Sales Order",
		**{
			"customer": customer,
			"company": company(),
			"transaction_date": min(getdate(), getdate(delivery_date)),
			"delivery_date": delivery_date,
			"items": [{**line, "delivery_date": delivery_date} for line in lines],
			**fields,
		},
	)


def invoice(customer: str, due_date, *item_codes: str, paid: bool = False, **fields):
	"""Return a Sales Invoice that is due on a date, which may be past, and is paid or not."""
	doc = submitted(
		"Sales Invoice",
		**{
			"customer": customer,
			"company": company(),
			"posting_date": min(getdate(), getdate(due_date)),
			"set_posting_time": 1,
			"due_date": due_date,
			"items": _lines(*item_codes),
			**fields,
		},
	)
	if paid:
		pay(doc)
	return doc


def pay(invoice, amount: float | None = None) -> None:
	"""Pay a Sales Invoice, or so much of it."""
	if real_erpnext():
		from erpnext.accounts.doctype.payment_entry.payment_entry import get_payment_entry

		cash = frappe.get_cached_value("Company", invoice.company, "default_cash_account")
		entry = get_payment_entry("Sales Invoice", invoice.name, party_amount=amount, bank_account=cash)
		entry.update({"reference_no": invoice.name, "reference_date": getdate()})
		entry.flags.ignore_permissions = True
		entry.submit()
		invoice.reload()
	else:
		invoice.pay(amount or invoice.outstanding_amount)


def batch(
	expires, *customers: str, item_code: str | None = None, more: int = 0, since: date | None = None, **sale
) -> str:
	"""Return a batch that expires on a date, which may be past, one of which was sold to each of these customers.

	more: how many there are besides. since: when it was received, if not today.
	"""
	item_code = item_code or item(IN_BATCHES, has_serial_no=0, has_batch_no=1)
	name = make("Batch", batch_id=unique("TEST"), item=item_code).name
	if real_erpnext():
		_received({"item_code": item_code, "qty": (len(customers) or 1) + more, "batch_no": name}, since)
	for customer in customers:
		sold_of(customer, name, **sale)
	# ERPNext sells nothing that has expired.
	frappe.db.set_value("Batch", name, "expiry_date", expires, update_modified=False)
	return name


def sold_of(customer: str, batch: str, doctype: str = "Sales Invoice", qty: int = 1, **fields):
	"""Return a submitted sale of so many of a batch."""
	item_code = frappe.db.get_value("Batch", batch, "item")
	return _sale(customer, {"item_code": item_code, "qty": qty, "batch_no": batch}, doctype, **fields)


def plan(name: str = PLAN) -> str:
	"""Return a Subscription Plan that is billed every 30 days."""
	if not frappe.db.exists("Subscription Plan", name):
		make(
			"Subscription Plan",
			plan_name=name,
			item=service(),
			currency=_currency(),
			price_determination="Fixed Rate",
			cost=PRICE,
			billing_interval="Day",
			billing_interval_count=PLAN_DAYS,
		)
	return name


def subscription(customer: str, end=None, period_end=None, trial_end=None, plan_name: str = PLAN, **fields):
	"""Return a Subscription that ends on a date, or whose first period or trial ends then.

	end: at least 60 days after it began, so it began three periods before, or today if that is earlier.
	"""
	if trial_end:
		start = add_days(trial_end, 1 - PLAN_DAYS)
		fields = {"trial_period_start": start, "trial_period_end": trial_end, **fields}
	elif period_end:
		start = add_days(period_end, 1 - PLAN_DAYS)
	else:
		start = min(getdate(), getdate(add_days(end or getdate(), -3 * PLAN_DAYS)))
	return make(
		"Subscription",
		**{
			"party_type": "Customer",
			"party": customer,
			"company": company(),
			"start_date": start,
			"end_date": end,
			"plans": [{"plan": plan(plan_name), "qty": 1}],
			**fields,
		},
	)


def contract(customer: str, end_date, template: str | None = None, **fields):
	"""Return a signed Contract that ends on a date, made from a Contract Template of this title, or without one."""
	if template and not frappe.db.exists("Contract Template", template):
		make("Contract Template", title=template, contract_terms="<p>Terms</p>")
	return submitted(
		"Contract",
		**{
			"party_type": "Customer",
			"party_name": customer,
			"is_signed": 1,
			"start_date": add_days(min(getdate(), getdate(end_date)), -365),
			"end_date": end_date,
			"contract_template": template,
			"contract_terms": "<p>Terms</p>",
			**fields,
		},
	)


def maintenance_schedule(customer: str, *dates, item_code: str | None = None, **fields):
	"""Return a submitted Maintenance Schedule with a visit on each of these dates, which may be past."""
	of_item = {"item_code": item_code or service()}
	of_item["item_name"] = frappe.db.get_value("Item", of_item["item_code"], "item_name")
	days = sorted(getdate(day) for day in dates)
	return submitted(
		"Maintenance Schedule",
		**{
			"customer": customer,
			"company": company(),
			"transaction_date": min(getdate(), days[0]),
			"items": [
				{
					**of_item,
					"start_date": add_days(days[0], -30),
					"end_date": add_days(days[-1], 1),
					"periodicity": "Random",
					"no_of_visits": len(days),
				}
			],
			"schedules": [{**of_item, "scheduled_date": day} for day in days],
			**fields,
		},
	)


def issue(customer: str, **fields) -> str:
	"""Return an open Issue of a customer."""
	return make("Issue", subject=unique("Test"), customer=customer, **fields).name


def warranty_claim(customer: str, **fields) -> str:
	"""Return an open Warranty Claim of a customer."""
	usual = {
		"status": "Open",
		"complaint_date": getdate(),
		"complaint": "<p>Broken</p>",
		"company": company(),
	}
	return make("Warranty Claim", **{**usual, "customer": customer, **fields}).name


def dunning(customer: str, *invoices: str, **fields) -> str:
	"""Return a submitted Dunning that is not resolved, as ERPNext leaves it, of these invoices."""
	doc = frappe.new_doc("Dunning")
	usual = {"company": company(), "posting_date": getdate(), "status": "Unresolved", "docstatus": 1}
	doc.update({**usual, "customer": customer, **fields})
	doc.name = unique("DUNN")
	doc.db_insert()
	for index, invoice in enumerate(invoices, 1):
		line = frappe.new_doc("Overdue Payment")
		line.update(
			{"parent": doc.name, "parenttype": "Dunning", "parentfield": "overdue_payments", "idx": index}
		)
		line.update({"sales_invoice": invoice, "name": unique("LINE")})
		if real_erpnext():
			# What is asked when a payment arrives.
			line.payment_schedule = frappe.db.get_value("Payment Schedule", {"parent": invoice})
		line.db_insert()
	return doc.name


def paid_order(customer: str, **fields):
	"""Return a Sales Order that is paid in advance and not delivered."""
	doc = sales_order(customer, in_days(10), **fields)
	doc.db_set("advance_paid", doc.get("rounded_total") or doc.grand_total)
	return doc


def billed(order):
	"""Return an invoice of the whole of a Sales Order, not paid."""
	if real_erpnext():
		from erpnext.selling.doctype.sales_order.sales_order import make_sales_invoice

		doc = make_sales_invoice(order.name, ignore_permissions=True)
		doc.flags.ignore_permissions = True
		doc.submit()
		return doc
	lines = [{**_line(line.item_code), "sales_order": order.name} for line in order.items]
	return invoice(order.customer, in_days(30), items=lines)


def delivered(order):
	"""Return a delivery note of the whole of a Sales Order."""
	if real_erpnext():
		from erpnext.selling.doctype.sales_order.sales_order import make_delivery_note

		doc = make_delivery_note(order.name)
		doc.flags.ignore_permissions = True
		doc.submit()
		return doc
	lines = [{**_line(line.item_code), "against_sales_order": order.name} for line in order.items]
	return submitted(
		"Delivery Note", customer=order.customer, company=order.company, posting_date=getdate(), items=lines
	)


def in_stock(item_code: str, quantity: float, of_company: str | None = None) -> None:
	"""Say how much of an item there is in a warehouse of a company; the table alone, as the end of all movements."""
	of_company = of_company or company()
	found = frappe.get_all(
		"Warehouse",
		filters={"company": of_company, "is_group": 0},
		pluck="name",
		order_by="name asc",
		limit_page_length=1,
	)
	place = found[0] if found else make("Warehouse", warehouse_name="Test Store", company=of_company).name
	frappe.db.delete("Bin", {"item_code": item_code, "warehouse": place})
	doc = frappe.new_doc("Bin")
	doc.update({"item_code": item_code, "warehouse": place, "actual_qty": quantity})
	doc.name = frappe.generate_hash(length=10)
	doc.db_insert()


def field_of_the_site(doctype: str, fieldname: str, fieldtype: str = "Date", **fields) -> str:
	"""Return a field that this site has added to a DocType. Remove it with `remove_field` when the test ends."""
	if frappe.db.exists("Custom Field", {"dt": doctype, "fieldname": fieldname}):
		# Tests that were stopped half way have left it.
		remove_field(doctype, fieldname)
	label = fieldname.replace("_", " ").title()
	make("Custom Field", dt=doctype, fieldname=fieldname, fieldtype=fieldtype, label=label, **fields)
	return fieldname


def remove_field(doctype: str, fieldname: str) -> None:
	"""Take a field of the site away again, with its column."""
	name = frappe.db.get_value("Custom Field", {"dt": doctype, "fieldname": fieldname})
	frappe.delete_doc("Custom Field", name, ignore_missing=True, force=True)
	if frappe.db.has_column(doctype, fieldname):
		frappe.db.sql_ddl(f"alter table `tab{doctype}` drop column `{fieldname}`")
	frappe.db.commit()


def forget_dates() -> None:
	"""Take the dates off all that these factories have made for customers, so that nothing of it is due any more."""
	customer = frappe.qb.DocType("Customer")
	mine = frappe.qb.from_(customer).select(customer.name).where(customer.customer_group == TEST_GROUP)
	for doctype, (party, *dates) in DATES.items():
		_without_dates(doctype, frappe.qb.DocType(doctype)[party].isin(mine), dates)
	schedule = frappe.qb.DocType("Maintenance Schedule")
	mine = frappe.qb.from_(schedule).select(schedule.name).where(schedule.customer.isin(mine))
	visit = frappe.qb.DocType("Maintenance Schedule Detail")
	_without_dates("Maintenance Schedule Detail", visit.parent.isin(mine), ["scheduled_date"])
	_without_dates("Batch", frappe.qb.DocType("Batch").name.like("TEST %"), ["expiry_date"])
	serial = frappe.qb.DocType("Serial No").name.like("TEST-%")
	_without_dates("Serial No", serial, ["warranty_expiry_date", "amc_expiry_date"])


def _without_dates(doctype: str, made_here, dates: list[str]) -> None:
	table = frappe.qb.DocType(doctype)
	update = frappe.qb.update(table).where(made_here)
	for field in dates:
		update = update.set(table[field], None)
	update.where(Criterion.any(table[field].isnotnull() for field in dates)).run()


def _lines(*item_codes: str) -> list[dict]:
	return [_line(item_code) for item_code in item_codes or (service(),)]


def _line(item_code: str) -> dict:
	line = {"item_code": item_code, "qty": 1, "rate": PRICE}
	line["item_name"] = frappe.db.get_value("Item", item_code, "item_name")
	if real_erpnext() and frappe.db.get_value("Item", item_code, "is_stock_item"):
		line["warehouse"] = warehouse()
	return line


def _currency() -> str:
	return frappe.get_cached_value("Company", company(), "default_currency")


# -- campaigns ---------------------------------------------------------------------------------------------------


def template(subject: str = SUBJECT, response: str = BODY, **fields) -> str:
	"""Return a new Email Template."""
	return make("Email Template", name=unique("Test"), subject=subject, response=response, **fields).name


def usual_template(combined: bool = False) -> str:
	"""Return the Email Template of whoever needs none of their own. combined: it names each item."""
	name = "Test Renewal Offers" if combined else "Test Renewal Offer"
	if not frappe.db.exists("Email Template", name):
		make("Email Template", name=name, subject=SUBJECT, response=BODY + LIST * combined)
	return name


def trigger(campaign: str, **fields):
	"""Return a new trigger: 30 days before, unless `fields` say otherwise."""
	return make(
		"Lifecycle Trigger",
		**{"campaign": campaign, "trigger_name": unique("Test"), "days_offset": 30, **fields},
	)


def action(trigger: str, email_template: str | None = None, **fields):
	"""Return a new action that sends an e-mail."""
	return make(
		"Lifecycle Action",
		**{
			"trigger": trigger,
			"action_name": unique("Test"),
			"email_template": email_template or usual_template(),
			**fields,
		},
	)


def campaign(*triggers: dict, active: bool = True, email_template: str | None = None, **fields):
	"""Return a campaign with a trigger for each dict of fields (30 days before without any), each with an action.

	Its messages leave at any time and need no basis, unless the fields say otherwise.
	"""
	usual = {"campaign_name": unique("Test"), "purpose": "Service", "send_window": "Any time"}
	doc = make("Lifecycle Campaign", **{**usual, **fields})
	if doc.company and not fields.get("company"):
		# Where there is a default company, new documents get it.
		doc.db_set("company", None)
	for of_trigger in triggers or ({},):
		action(
			trigger(doc.name, **of_trigger).name,
			email_template or usual_template(combined=bool(doc.combine_messages)),
		)
	if active:
		doc.is_active = 1
		doc.save(ignore_permissions=True)
	return doc


def brand(**fields):
	"""Return a Lifecycle Brand, of all companies unless the fields say otherwise."""
	# Where there is a default company, new documents get it.
	return make("Lifecycle Brand", **{"brand_name": unique("Test"), "company": "", **fields})


def keeper() -> None:
	"""Make a first user: Frappe makes that one a System Manager, whatever roles they were to have."""
	email = "keeper@users.example"
	if not frappe.db.exists("User", email):
		make("User", email=email, first_name="Test", send_welcome_email=0)


def user(*roles: str, sees: dict[str, str] | None = None, **fields) -> str:
	"""Return the user with these roles and fields, who by user permissions sees only `sees`: {DocType: name}.

	The same one for the same: Frappe forgets all that it has cached when a user is made.
	"""
	keeper()
	digest = hashlib.sha256(repr((roles, sees, fields)).encode()).hexdigest()[:8]
	email = f"{frappe.scrub(roles[0])}-{digest}@users.example"
	if not frappe.db.exists("User", email):
		make(
			"User",
			email=email,
			first_name="Test",
			send_welcome_email=0,
			roles=[{"role": role} for role in roles],
			**fields,
		)
		for doctype, name in (sees or {}).items():
			make("User Permission", user=email, allow=doctype, for_value=name)
	return email
