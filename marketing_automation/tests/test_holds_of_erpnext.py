"""The holds on documents that ERPNext itself has made, and lets go by itself. Only where it is real."""

import unittest

import frappe
from frappe.utils import getdate

from marketing_automation.engine.holds import Held, all_holds
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days


class TestHoldsOfERPNext(MarketingTestCase):
	@classmethod
	def setUpClass(cls):
		super().setUpClass()
		if not factories.real_erpnext():
			raise unittest.SkipTest("The stand-in has none of ERPNext's own code.")

	def setUp(self):
		super().setUp()
		self.customer = factories.customer()

	def held(self, key: str, item_code: str | None = None, company: str | None = None):
		"""Return the document that a hold names for the customer, or None."""
		hold = all_holds()[key]
		asked = [Held(self.customer, item_code, company, "Serial No", "A serial number")]
		return hold.held(asked, hold.days or 0, in_days(0)).get(0)

	def pay_ahead(self, order, share: float = 1) -> None:
		from erpnext.accounts.doctype.payment_entry.payment_entry import get_payment_entry

		total = order.rounded_total or order.grand_total
		cash = frappe.get_cached_value("Company", order.company, "default_cash_account")
		entry = get_payment_entry("Sales Order", order.name, party_amount=total * share, bank_account=cash)
		entry.update({"reference_no": order.name, "reference_date": getdate()})
		entry.flags.ignore_permissions = True
		entry.submit()

	def deliver(self, order) -> None:
		from erpnext.selling.doctype.sales_order.sales_order import make_delivery_note

		self.submit(make_delivery_note(order.name))

	def bill(self, order, **fields):
		from erpnext.selling.doctype.sales_order.sales_order import make_sales_invoice

		doc = make_sales_invoice(order.name, ignore_permissions=True)
		doc.update(fields)
		return self.submit(doc)

	def submit(self, doc):
		doc.flags.ignore_permissions = True
		doc.submit()
		return doc

	# -- support -------------------------------------------------------------------------------------------------

	def test_an_issue_holds_until_it_is_closed_also_when_it_is_answered(self):
		issue = factories.make("Issue", subject=factories.unique("Test"), customer=self.customer)
		self.assertEqual(self.held("Open Issue"), ("Issue", issue.name))
		factories.make(
			"Communication",
			communication_medium="Email",
			communication_type="Communication",
			sent_or_received="Sent",
			subject="Re: Test",
			content="<p>We look into it.</p>",
			recipients="someone@customers.example",
			reference_doctype="Issue",
			reference_name=issue.name,
		)
		self.assertEqual(self.held("Open Issue"), ("Issue", issue.name))
		issue.reload()
		issue.status = "Closed"
		issue.save(ignore_permissions=True)
		self.assertIsNone(self.held("Open Issue"))

	def test_a_warranty_claim_holds_until_it_is_closed(self):
		claim = factories.make(
			"Warranty Claim",
			customer=self.customer,
			company=factories.company(),
			complaint_date=getdate(),
			complaint="<p>Broken</p>",
		)
		self.assertEqual(self.held("Open Warranty Claim"), ("Warranty Claim", claim.name))
		claim.status = "Closed"
		claim.save(ignore_permissions=True)
		self.assertIsNone(self.held("Open Warranty Claim"))

	# -- money ---------------------------------------------------------------------------------------------------

	def test_a_dunning_holds_until_what_it_is_about_is_paid(self):
		from erpnext.accounts.doctype.sales_invoice.sales_invoice import create_dunning

		invoice = factories.invoice(self.customer, in_days(-20))
		dunning = create_dunning(invoice.name, ignore_permissions=True)
		dunning.flags.ignore_permissions = True
		dunning.insert()
		self.assertIsNone(self.held("Unresolved Dunning"))
		dunning.submit()
		self.assertEqual(self.held("Unresolved Dunning"), ("Dunning", dunning.name))
		factories.pay(invoice, invoice.outstanding_amount / 2)
		self.assertEqual(self.held("Unresolved Dunning"), ("Dunning", dunning.name))
		factories.pay(invoice)
		self.assertIsNone(self.held("Unresolved Dunning"))

	def test_an_overdue_invoice_holds_until_it_is_paid_or_taken_back(self):
		paid, taken_back = (factories.invoice(self.customer, in_days(-days)) for days in (30, 20))
		self.assertEqual(self.held("Invoice overdue"), ("Sales Invoice", paid.name))
		factories.pay(paid)
		self.assertEqual(self.held("Invoice overdue"), ("Sales Invoice", taken_back.name))
		factories.returned(taken_back)
		self.assertIsNone(self.held("Invoice overdue"))

	# -- orders --------------------------------------------------------------------------------------------------

	def test_an_order_paid_ahead_holds_until_it_is_delivered(self):
		order = factories.sales_order(self.customer, in_days(10))
		self.assertIsNone(self.held("Order paid and not delivered"))
		self.pay_ahead(order, share=0.5)
		self.assertIsNone(self.held("Order paid and not delivered"))
		self.pay_ahead(order, share=0.5)
		self.assertEqual(self.held("Order paid and not delivered"), ("Sales Order", order.name))
		self.deliver(order)
		self.assertIsNone(self.held("Order paid and not delivered"))

	def test_an_order_billed_and_paid_holds_until_it_is_delivered(self):
		order = factories.sales_order(self.customer, in_days(10))
		invoice = self.bill(order)
		self.assertIsNone(self.held("Order paid and not delivered"))
		factories.pay(invoice)
		self.assertEqual(self.held("Order paid and not delivered"), ("Sales Order", order.name))
		self.deliver(order)
		self.assertIsNone(self.held("Order paid and not delivered"))

	def test_an_order_paid_ahead_and_closed_holds_nothing(self):
		order = factories.sales_order(self.customer, in_days(10))
		self.pay_ahead(order)
		order.reload()
		order.update_status("Closed")
		self.assertIsNone(self.held("Order paid and not delivered"))

	# -- stock ---------------------------------------------------------------------------------------------------

	def test_an_item_is_not_to_be_had_between_its_last_sale_and_the_next_receipt(self):
		key, code = "Item out of stock or disabled", factories.item(factories.unique("TEST"))
		asked = (code, factories.company())
		self.assertEqual(self.held(key, *asked), ("Item", code))
		names = factories.received(1, code)
		self.assertIsNone(self.held(key, *asked))
		self.assertEqual(self.held(key, code, factories.second_company()), ("Item", code))
		sale = factories.sold(self.customer, names)
		self.assertEqual(self.held(key, *asked), ("Item", code))
		factories.returned(sale)
		self.assertIsNone(self.held(key, *asked))
