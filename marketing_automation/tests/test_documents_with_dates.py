"""The documents that have dates are what ERPNext makes of them: submitted, with its status, for the customer.

On the sandbox's stand-in this shows that it does as ERPNext does; on ERPNext itself, that the tests know ERPNext.
"""

import frappe

from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days


class DocumentsWithDates(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.customer = factories.customer()

	def status(self, doc) -> str:
		return frappe.db.get_value(doc.doctype, doc.name, "status")

	def test_a_quotation_is_open_until_it_is_ordered(self):
		one, two = factories.service(), factories.service("TEST-SERVICE-2")
		quotation = factories.quotation(self.customer, in_days(3), one, two)
		self.assertEqual((quotation.docstatus, self.status(quotation)), (1, "Open"))
		self.assertEqual(quotation.grand_total, 2 * factories.PRICE)
		order = factories.sales_order(self.customer, in_days(9), ordered=quotation.items)
		self.assertEqual(self.status(quotation), "Ordered")
		order.cancel()
		self.assertEqual(self.status(quotation), "Open")

	def test_of_a_quotation_a_part_can_be_ordered(self):
		items = factories.service(), factories.service("TEST-SERVICE-2")
		quotation = factories.quotation(self.customer, in_days(3), *items)
		factories.sales_order(self.customer, in_days(9), ordered=quotation.items[:1])
		self.assertEqual(self.status(quotation), "Partially Ordered")

	def test_a_quotation_may_have_run_out(self):
		quotation = factories.quotation(self.customer, in_days(-3))
		self.assertEqual((quotation.docstatus, self.status(quotation)), (1, "Open"))

	def test_a_sales_order_is_to_be_delivered(self):
		for days in (5, -5):
			order = factories.sales_order(self.customer, in_days(days))
			self.assertEqual((order.docstatus, self.status(order)), (1, "To Deliver and Bill"))
			self.assertEqual(order.items[0].delivery_date, in_days(days))

	def test_an_invoice_is_unpaid_overdue_or_paid(self):
		unpaid = factories.invoice(self.customer, in_days(3))
		overdue = factories.invoice(self.customer, in_days(-3))
		paid = factories.invoice(self.customer, in_days(3), paid=True)
		partly = factories.invoice(self.customer, in_days(3))
		factories.pay(partly, factories.PRICE / 4)
		self.assertEqual(
			[
				(self.status(invoice), invoice.outstanding_amount)
				for invoice in (unpaid, overdue, paid, partly)
			],
			[
				("Unpaid", factories.PRICE),
				("Overdue", factories.PRICE),
				("Paid", 0),
				("Partly Paid", factories.PRICE * 3 / 4),
			],
		)

	def test_a_credit_note_is_a_return(self):
		invoice = factories.invoice(self.customer, in_days(3))
		note = factories.returned(invoice)
		self.assertEqual((self.status(note), note.grand_total), ("Return", -factories.PRICE))

	def test_a_cancelled_invoice_says_so(self):
		invoice = factories.invoice(self.customer, in_days(3))
		invoice.cancel()
		self.assertEqual(self.status(invoice), "Cancelled")

	def test_a_batch_is_sold_to_several_customers(self):
		other = factories.customer()
		for doctype in ("Sales Invoice", "Delivery Note"):
			name = factories.batch(in_days(-1), self.customer, other, doctype=doctype)
			self.assertEqual(frappe.db.get_value("Batch", name, "expiry_date"), in_days(-1))
			bundles = frappe.get_all("Serial and Batch Entry", {"batch_no": name}, pluck="parent")
			sold = frappe.get_all(
				"Serial and Batch Bundle",
				filters={"name": ["in", bundles], "type_of_transaction": "Outward", "docstatus": 1},
				pluck="voucher_no",
			)
			customers = frappe.get_all(doctype, {"name": ["in", sold]}, pluck="customer")
			self.assertCountEqual(customers, [self.customer, other])

	def test_what_comes_back_of_a_batch_is_a_bundle_inward(self):
		name = factories.batch(in_days(9), self.customer)
		((bundle,),) = frappe.get_all(
			"Serial and Batch Entry",
			filters={"batch_no": name, "qty": ["<", 0]},
			fields=["parent"],
			as_list=True,
		)
		sale = frappe.get_doc(
			"Sales Invoice", frappe.db.get_value("Serial and Batch Bundle", bundle, "voucher_no")
		)
		back = factories.returned(sale)
		found = frappe.get_all(
			"Serial and Batch Bundle",
			filters={"voucher_no": back.name},
			fields=["type_of_transaction", "total_qty"],
		)
		self.assertEqual([(row.type_of_transaction, row.total_qty) for row in found], [("Inward", 1)])

	def test_a_subscription_is_active_or_on_trial(self):
		ends = factories.subscription(self.customer, in_days(10))
		period = factories.subscription(self.customer, period_end=in_days(10))
		trial = factories.subscription(self.customer, trial_end=in_days(10))
		self.assertEqual([self.status(ends), self.status(period)], ["Active", "Active"])
		# ERPNext 15 has another spelling.
		self.assertIn(self.status(trial), ("Trialing", "Trialling"))
		self.assertEqual(
			[ends.end_date, period.current_invoice_end, trial.trial_period_end], [in_days(10)] * 3
		)

	def test_a_contract_is_active_until_its_end(self):
		active = factories.contract(self.customer, in_days(10), "Test Terms")
		ended = factories.contract(self.customer, in_days(-10))
		self.assertEqual([active.docstatus, ended.docstatus], [1, 1])
		self.assertEqual([self.status(active), self.status(ended)], ["Active", "Inactive"])
		self.assertEqual(active.contract_template, "Test Terms")

	def test_a_maintenance_schedule_has_its_visits(self):
		schedule = factories.maintenance_schedule(self.customer, in_days(-2), in_days(4))
		self.assertEqual((schedule.docstatus, self.status(schedule)), (1, "Submitted"))
		dates = frappe.get_all(
			"Maintenance Schedule Detail",
			filters={"parent": schedule.name, "completion_status": "Pending"},
			pluck="scheduled_date",
		)
		self.assertCountEqual(dates, [in_days(-2), in_days(4)])

	def test_a_site_can_have_a_birthday_on_its_customers(self):
		factories.field_of_the_site("Customer", "test_birthday")
		self.addCleanup(factories.remove_field, "Customer", "test_birthday")
		name = factories.customer(test_birthday="1990-02-28")
		self.assertEqual(str(frappe.db.get_value("Customer", name, "test_birthday")), "1990-02-28")

	def test_nothing_of_it_is_due_in_the_next_test(self):
		names = [
			(factories.quotation(self.customer, in_days(3)), "valid_till"),
			(factories.sales_order(self.customer, in_days(3)), "delivery_date"),
			(factories.invoice(self.customer, in_days(3)), "due_date"),
			(factories.subscription(self.customer, in_days(3)), "end_date"),
			(factories.contract(self.customer, in_days(3)), "end_date"),
			(factories.maintenance_schedule(self.customer, in_days(3)).schedules[0], "scheduled_date"),
			(frappe.get_doc("Batch", factories.batch(in_days(3), self.customer)), "expiry_date"),
		]
		factories.forget_dates()
		self.assertEqual(
			[frappe.db.get_value(doc.doctype, doc.name, field) for doc, field in names], [None] * len(names)
		)
