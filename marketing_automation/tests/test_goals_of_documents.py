"""A signed contract renews the one before it, a subscription too; an order ends the follow-up, a payment the reminders."""

from unittest.mock import patch

import frappe
from frappe.utils import getdate

from marketing_automation import api
from marketing_automation.engine import deliver, ledger
from marketing_automation.engine.goals import Asked, goal_for
from marketing_automation.engine.model import DueEvent, Reached, Rule
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, statements

TEMPLATE = "Test Care"


class DocumentTestCase(MarketingTestCase):
	goal = ""
	date_field = ""

	def setUp(self):
		super().setUp()
		self.customer = factories.customer()

	def tearDown(self):
		frappe.db.rollback()
		super().tearDown()

	def asked(self, doc, occurrence, customer: str | None = None, **campaign) -> Asked:
		rule = Rule(
			frappe._dict(name="Test", goal=self.goal, **campaign),
			frappe._dict(
				name="Test",
				source=doc.doctype,
				trigger_type="Before",
				days_offset=30,
				date_field=self.date_field,
			),
			(),
		)
		event = DueEvent(rule, doc.doctype, doc.name, None, None, None, getdate(occurrence), getdate())
		return Asked(rule, event, customer or self.customer)

	def reached(self, *asked: Asked, night=None) -> list[Reached | None]:
		goal = goal_for(self.goal)
		self.assertTrue(all(goal.fits(one.rule.source) for one in asked))
		found = goal.reached(list(asked), night or getdate())
		return [found.get(index) for index in range(len(asked))]


class TestContracts(DocumentTestCase):
	goal = "Renewed"
	date_field = "end_date"

	def contract(self, ends: int, begins: int | None = None, template: str | None = TEMPLATE, **fields):
		if begins is not None:
			fields["start_date"] = factories.in_days(begins)
		return factories.contract(
			fields.pop("customer", self.customer), factories.in_days(ends), template, **fields
		)

	def test_a_later_one_of_the_same_template_renews_it(self):
		old, new = self.contract(20), self.contract(386, begins=21)

		(reached,) = self.reached(self.asked(old, old.end_date))

		self.assertEqual(reached, ("Contract", new.name, getdate(new.start_date)))

	def test_alone_it_is_not_renewed(self):
		old = self.contract(20)
		self.assertEqual(self.reached(self.asked(old, old.end_date)), [None])

	def test_what_renews_nothing(self):
		cases = {
			"another template": {"template": "Test Other Care"},
			"no template": {"template": None},
			"another customer": {"customer": factories.customer()},
			"not signed": {"is_signed": 0},
			"ends no later": {"ends": 20, "begins": 10},
			"began together": {"begins": -365},
			"began long before the end of the old one": {"begins": -200},
		}
		for case, fields in cases.items():
			with self.subTest(case):
				old = self.contract(20)
				new = self.contract(**{"ends": 386, "begins": 21, **fields})
				self.assertEqual(self.reached(self.asked(old, old.end_date)), [None])
				new.cancel()
				old.cancel()

	def test_one_that_was_cancelled_renews_nothing(self):
		old, new = self.contract(20), self.contract(386, begins=21)
		new.cancel()
		self.assertEqual(self.reached(self.asked(old, old.end_date)), [None])

	def test_one_without_a_template_is_like_no_other(self):
		old = self.contract(20, template=None)
		self.contract(386, begins=21, template=None)
		self.assertEqual(self.reached(self.asked(old, old.end_date)), [None])

	def test_one_that_has_no_end_renews(self):
		old, new = self.contract(20), self.contract(386, begins=21)
		new.db_set("end_date", None)
		self.assertIsNotNone(self.reached(self.asked(old, old.end_date))[0])

	def test_one_renews_one(self):
		first, second = self.contract(10), self.contract(20)
		self.contract(376, begins=11)

		found = self.reached(self.asked(first, first.end_date), self.asked(second, second.end_date))

		self.assertEqual([bool(one) for one in found], [True, False])

	def test_one_that_is_not_asked_about_has_its_claim(self):
		self.contract(10)
		second = self.contract(20)
		self.contract(376, begins=11)

		self.assertEqual(self.reached(self.asked(second, second.end_date)), [None])

	def test_any_number_is_one_query(self):
		asked = []
		for _ in range(3):
			customer = factories.customer()
			old = self.contract(20, customer=customer)
			self.contract(386, begins=21, customer=customer)
			asked.append(self.asked(old, old.end_date, customer))

		with statements() as seen:
			found = self.reached(*asked)

		self.assertEqual((len(seen), all(found)), (1, True))


class TestSubscriptions(DocumentTestCase):
	goal = "Renewed"
	date_field = "end_date"

	def subscription(self, ends: int | None, begins: int, plan: str = factories.PLAN, **fields):
		return factories.subscription(
			fields.pop("customer", self.customer),
			end=factories.in_days(ends) if ends is not None else None,
			plan_name=plan,
			start_date=factories.in_days(begins),
			**fields,
		)

	def test_a_later_one_with_the_same_plan_renews_it(self):
		old, new = self.subscription(20, -160), self.subscription(None, 0)

		(reached,) = self.reached(self.asked(old, old.end_date))

		self.assertEqual((reached.doctype, reached.name), ("Subscription", new.name))

	def test_one_with_another_plan_does_not(self):
		old = self.subscription(20, -160)
		self.subscription(None, 0, plan="Test Other Plan")
		self.assertEqual(self.reached(self.asked(old, old.end_date)), [None])

	def test_one_that_was_cancelled_does_not(self):
		old, new = self.subscription(20, -160), self.subscription(None, 0)
		new.db_set("status", "Cancelled")
		self.assertEqual(self.reached(self.asked(old, old.end_date)), [None])

	def test_one_that_began_with_it_does_not(self):
		old = self.subscription(20, -160)
		self.subscription(None, -160)
		self.assertEqual(self.reached(self.asked(old, old.end_date)), [None])

	def test_that_of_another_customer_does_not(self):
		old = self.subscription(20, -160)
		self.subscription(None, 0, customer=factories.customer())
		self.assertEqual(self.reached(self.asked(old, old.end_date)), [None])


class TestOrdered(DocumentTestCase):
	goal = "Ordered"
	date_field = "valid_till"

	def test_an_order_from_it_reaches_it(self):
		quotation = factories.quotation(self.customer, factories.in_days(5))
		order = factories.sales_order(self.customer, factories.in_days(20), ordered=quotation.items)

		(reached,) = self.reached(self.asked(quotation, quotation.valid_till))

		self.assertEqual((reached.doctype, reached.name), ("Sales Order", order.name))

	def test_without_one_it_is_open(self):
		quotation = factories.quotation(self.customer, factories.in_days(5))
		factories.sales_order(self.customer, factories.in_days(20))

		self.assertEqual(self.reached(self.asked(quotation, quotation.valid_till)), [None])

	def test_an_order_that_was_cancelled_does_not_count(self):
		quotation = factories.quotation(self.customer, factories.in_days(5))
		order = factories.sales_order(self.customer, factories.in_days(20), ordered=quotation.items)
		order.reload()
		order.cancel()

		self.assertEqual(self.reached(self.asked(quotation, quotation.valid_till)), [None])

	def test_where_erpnext_says_that_it_is_ordered_the_quotation_itself_shows_it(self):
		quotation = factories.quotation(self.customer, factories.in_days(5))
		quotation.db_set("status", "Ordered")

		(reached,) = self.reached(self.asked(quotation, quotation.valid_till))

		self.assertEqual((reached.doctype, reached.name), ("Quotation", quotation.name))

	def test_any_number_is_two_queries(self):
		asked = []
		for _ in range(3):
			quotation = factories.quotation(self.customer, factories.in_days(5))
			factories.sales_order(self.customer, factories.in_days(20), ordered=quotation.items)
			asked.append(self.asked(quotation, quotation.valid_till))

		with statements() as seen:
			found = self.reached(*asked)

		self.assertEqual((len(seen), all(found)), (2, True))


class TestPaid(DocumentTestCase):
	goal = "Paid"
	date_field = "due_date"

	def test_an_invoice_that_is_paid_reaches_it(self):
		invoice = factories.invoice(self.customer, factories.in_days(5), paid=True)

		(reached,) = self.reached(self.asked(invoice, invoice.due_date))

		# The payment shows it, or where there is none the invoice.
		self.assertEqual(reached.doctype, "Payment Entry" if factories.real_erpnext() else "Sales Invoice")
		if not factories.real_erpnext():
			self.assertEqual(reached.name, invoice.name)

	def test_one_that_is_open_does_not(self):
		invoice = factories.invoice(self.customer, factories.in_days(5))
		self.assertEqual(self.reached(self.asked(invoice, invoice.due_date)), [None])

	def test_one_that_is_paid_in_part_does_not(self):
		invoice = factories.invoice(self.customer, factories.in_days(5))
		factories.pay(invoice, invoice.outstanding_amount / 2)
		self.assertEqual(self.reached(self.asked(invoice, invoice.due_date)), [None])

	def test_one_that_a_credit_note_takes_back_reaches_it_and_the_note_shows_it(self):
		invoice = factories.invoice(self.customer, factories.in_days(5))
		note = factories.returned(invoice)
		# As ERPNext leaves it until somebody reconciles the two.
		self.assertEqual(
			frappe.db.get_value("Sales Invoice", invoice.name, "outstanding_amount"), factories.PRICE
		)

		(reached,) = self.reached(self.asked(invoice, invoice.due_date))

		self.assertEqual((reached.doctype, reached.name), ("Sales Invoice", note.name))

	def test_one_of_which_a_credit_note_takes_back_a_part_does_not(self):
		invoice = factories.invoice(self.customer, factories.in_days(5))
		note = factories.returned(invoice)
		frappe.db.set_value("Sales Invoice", note.name, "outstanding_amount", -factories.PRICE / 2)
		self.assertEqual(self.reached(self.asked(invoice, invoice.due_date)), [None])


class TestInACampaign(MarketingTestCase):
	"""Between the claim and the sending the customer does it: nothing is sent, and the row says what they did."""

	def setUp(self):
		super().setUp()
		factories.forget_dates()
		self.customer = factories.customer()

	def outcome(self, source: str, date_field: str, goal: str, doc, meanwhile) -> tuple:
		"""Return (status, reason, evidence) of the row about a document that ends in five days; meanwhile: what happens."""
		template = factories.template("Hello {{ customer_name }}", "<p>Hello {{ customer_name }}.</p>")
		trigger = {"source": source, "date_field": date_field, "days_offset": 5}
		factories.campaign(trigger, email_template=template, goal=goal)
		with patch.object(deliver, "enqueue", return_value=0):
			self.run_night()
		done = meanwhile()
		deliver.enqueue(ledger.pending({}))
		(row,) = self.ledger(reference_name=doc.name)
		return row.status, row.reason, row.evidence_doctype, row.evidence_name, done

	def test_a_quotation_that_is_ordered(self):
		quotation = factories.quotation(self.customer, factories.in_days(5))

		def order() -> str:
			return factories.sales_order(self.customer, factories.in_days(20), ordered=quotation.items).name

		*found, order = self.outcome("Quotation", "valid_till", "Ordered", quotation, order)

		self.assertEqual(found, ["Skipped", "Goal reached", "Sales Order", order])

	def test_an_invoice_that_is_paid(self):
		invoice = factories.invoice(self.customer, factories.in_days(5))

		*found, _done = self.outcome(
			"Sales Invoice", "due_date", "Paid", invoice, lambda: factories.pay(invoice)
		)

		self.assertEqual(found[:2], ["Skipped", "Goal reached"])

	def test_why_names_the_order_of_a_quotation_that_was_ordered_before_its_night(self):
		quotation = factories.quotation(self.customer, factories.in_days(5))
		waiting = factories.quotation(self.customer, factories.in_days(9))
		order = factories.sales_order(self.customer, factories.in_days(20), ordered=quotation.items)
		frappe.db.set_value("Quotation", quotation.name, "status", "Ordered")
		template = factories.template("Hello {{ customer_name }}", "<p>Hello {{ customer_name }}.</p>")
		trigger = {"source": "Quotation", "date_field": "valid_till", "days_offset": 5}
		factories.campaign(trigger, email_template=template, goal="Ordered")
		# It is not open, so it is not due, and makes no row.
		self.run_night()
		self.assertEqual(self.ledger(), [])

		(step,) = api.why_reference("Quotation", quotation.name)["steps"]
		self.assertEqual(step["state"], "Not due")
		self.assertIn("The trigger does not take it.", step["why"])
		self.assertIn("The goal is reached: Ordered.", step["why"])
		self.assertEqual((step["evidence_doctype"], step["evidence_name"]), ("Sales Order", order.name))

		(step,) = api.why_reference("Quotation", waiting.name)["steps"]
		self.assertEqual((step["state"], step["evidence_name"]), ("Coming", None))

	def test_why_names_the_payment_of_an_invoice_that_was_paid_before_its_night(self):
		invoice = factories.invoice(self.customer, factories.in_days(5), paid=True)
		template = factories.template("Hello {{ customer_name }}", "<p>Hello {{ customer_name }}.</p>")
		trigger = {"source": "Sales Invoice", "date_field": "due_date", "days_offset": 5}
		factories.campaign(trigger, email_template=template, goal="Paid")
		self.run_night()
		self.assertEqual(self.ledger(), [])
		(step,) = api.why_reference("Sales Invoice", invoice.name)["steps"]
		self.assertIn("The goal is reached: Paid.", step["why"])
		shows = "Payment Entry" if factories.real_erpnext() else "Sales Invoice"
		self.assertEqual(step["evidence_doctype"], shows)

	def test_a_contract_that_has_a_successor(self):
		contract = factories.contract(self.customer, factories.in_days(5), TEMPLATE)

		def sign() -> str:
			return factories.contract(
				self.customer, factories.in_days(370), TEMPLATE, start_date=factories.in_days(6)
			).name

		*found, successor = self.outcome("Contract", "end_date", "Renewed", contract, sign)

		self.assertEqual(found, ["Skipped", "Goal reached", "Contract", successor])

	def test_a_purchase_ends_what_is_said_about_a_quotation_where_that_is_the_goal(self):
		quotation = factories.quotation(self.customer, factories.in_days(5))

		def buy() -> str:
			return factories.sold(self.customer, factories.received(1)).name

		*found, sale = self.outcome("Quotation", "valid_till", "Bought", quotation, buy)

		self.assertEqual(found, ["Skipped", "Goal reached", "Sales Invoice", sale])

	def test_what_nobody_does_anything_about_is_sent(self):
		quotation = factories.quotation(self.customer, factories.in_days(5))

		status, reason, *_evidence = self.outcome(
			"Quotation", "valid_till", "Ordered", quotation, lambda: None
		)

		self.assertEqual((status, reason), ("Queued", None))

	def test_the_sale_of_a_batch_is_no_purchase_that_a_notice_about_it_has_led_to(self):
		name = factories.batch(factories.in_days(5), self.customer)
		batch = frappe.get_doc("Batch", name)

		status, reason, *_evidence = self.outcome("Batch", "expiry_date", "Bought", batch, lambda: None)

		self.assertEqual((status, reason), ("Queued", None))
