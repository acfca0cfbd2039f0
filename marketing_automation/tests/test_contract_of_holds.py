"""Every hold keeps the engine's contract: those of this app, and a complete one of another app's."""

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple
from unittest.mock import patch

import frappe
from frappe.utils import now_datetime

from marketing_automation import api
from marketing_automation.checks.holds import CHECK
from marketing_automation.desk import health
from marketing_automation.engine import deliver, gate, holds, settle, waiting
from marketing_automation.engine.holds import Held, Hold, all_holds
from marketing_automation.engine.model import Reason
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.holds import do_not_disturb
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, statements
from marketing_automation.tests.factories import in_days
from marketing_automation.tests.sources_to_try import registered, template

FAKE = "On the phone"


class OnThePhone:
	"""Another app's hold, complete: customers with whom somebody speaks at this moment, kept in memory."""

	label = "On the phone with us"
	needs = {"Customer": ()}
	days = None

	def __init__(self):
		self.customers: set[str] = set()

	def held(self, asked, days, today):
		return {
			index: ("Customer", one.customer)
			for index, one in enumerate(asked)
			if one.customer in self.customers
		}


PHONE = OnThePhone()


class Kind(NamedTuple):
	"""How to make a hold hold a customer, and let go. hold: customer -> (DocType, name) of what holds; release: (customer, that)."""

	hold: Callable[[str], tuple[str, str]]
	release: Callable[[str, tuple[str, str]], None]


def _set(evidence: tuple[str, str], **fields) -> None:
	frappe.db.set_value(*evidence, fields)


def _overdue(customer: str) -> tuple[str, str]:
	return "Sales Invoice", factories.invoice(customer, in_days(-30)).name


def _order(customer: str) -> tuple[str, str]:
	return "Sales Order", factories.paid_order(customer).name


def _sold_out(customer: str) -> tuple[str, str]:
	factories.in_stock(factories.ITEM, 0)
	return "Item", factories.ITEM


def _listed(customer: str) -> tuple[str, str]:
	settings = frappe.get_single(SETTINGS)
	settings.append("do_not_disturb", {"party_type": "Customer", "party": customer})
	settings.save()
	return "Customer", customer


def _unlist(customer: str, _evidence) -> None:
	settings = frappe.get_single(SETTINGS)
	settings.do_not_disturb = [row for row in settings.do_not_disturb if row.party != customer]
	settings.save()


def _call(customer: str) -> tuple[str, str]:
	PHONE.customers.add(customer)
	return "Customer", customer


KINDS = {
	"Open Issue": Kind(
		lambda customer: ("Issue", factories.issue(customer)),
		lambda _customer, evidence: _set(evidence, status="Closed"),
	),
	"Open Warranty Claim": Kind(
		lambda customer: ("Warranty Claim", factories.warranty_claim(customer)),
		lambda _customer, evidence: _set(evidence, status="Closed"),
	),
	"Invoice overdue": Kind(_overdue, lambda _customer, evidence: factories.pay(frappe.get_doc(*evidence))),
	"Unresolved Dunning": Kind(
		lambda customer: ("Dunning", factories.dunning(customer)),
		lambda _customer, evidence: _set(evidence, status="Resolved"),
	),
	"Order paid and not delivered": Kind(
		_order, lambda _customer, evidence: factories.delivered(frappe.get_doc(*evidence))
	),
	"Item out of stock or disabled": Kind(
		_sold_out, lambda _customer, _evidence: factories.in_stock(factories.ITEM, 5)
	),
	"Do not disturb": Kind(_listed, _unlist),
	FAKE: Kind(_call, lambda customer, _evidence: PHONE.customers.discard(customer)),
}


def switch_on(*keys: str, **fields) -> None:
	"""Switch these holds on, with their usual days, and no others."""
	settings = frappe.get_single(SETTINGS)
	settings.update({"holds": [{"hold": key, "days": all_holds()[key].days} for key in keys], **fields})
	settings.save()
	frappe.db.commit()


class HoldsTestCase(MarketingTestCase):
	def setUp(self):
		super().setUp()
		PHONE.customers.clear()
		self.enterContext(registered("lifecycle_holds", **{FAKE: f"{__name__}.PHONE"}))
		self.assertIs(gate.checks()["Holds"], CHECK)
		# Whatever else the gate asks has tests of its own.
		self.enterContext(patch.object(gate, "checks", lambda: {"Holds": CHECK}))
		factories.in_stock(factories.ITEM, 5)

	def campaign(self, *triggers, **fields):
		return factories.campaign(*triggers, **{"purpose": "Marketing", **fields})

	def due(self) -> tuple[str, str]:
		"""Return a customer, and what of theirs is due tonight."""
		customer = factories.customer()
		return customer, factories.pin(customer, in_days(30))

	def about(self, customer: str, item_code: str | None = None, company: str | None = None) -> Held:
		return Held(customer, item_code or factories.ITEM, company, "Serial No", "A serial number")

	def held(self, key: str, *customers: str, days: int | None = None) -> dict[int, tuple[str, str]]:
		hold = all_holds()[key]
		days = hold.days or 0 if days is None else days
		return hold.held([self.about(customer) for customer in customers], days, in_days(0))


class TestContract(HoldsTestCase):
	def each(self):
		for key, kind in KINDS.items():
			with self.subTest(key):
				self._reset()
				PHONE.customers.clear()
				factories.in_stock(factories.ITEM, 5)
				yield key, kind

	def test_each_that_is_registered_here_is_tried(self):
		self.assertEqual({*all_holds()}, {*KINDS})

	def test_it_has_all_that_a_hold_has(self):
		for key, _kind in self.each():
			hold = all_holds()[key]
			self.assertIsInstance(hold, Hold)
			self.assertTrue(hold.label)
			self.assertTrue(holds.is_there(hold), hold.needs)

	def test_it_holds_whom_it_is_about_and_nobody_else_and_lets_go(self):
		for key, kind in self.each():
			ana, ben = factories.customer(), factories.customer()
			self.assertEqual(self.held(key, ana, ben), {})
			evidence = kind.hold(ana)
			found = self.held(key, ben, ana)
			self.assertEqual(found[1], evidence)
			if evidence[0] != "Item":
				self.assertEqual(set(found), {1})
			self.assertTrue(frappe.db.exists(*evidence))
			kind.release(ana, evidence)
			self.assertEqual(self.held(key, ana, ben), {})

	def test_names_are_compared_as_the_database_compares_them(self):
		for key, kind in self.each():
			ana = factories.customer()
			evidence = kind.hold(ana)
			if key != FAKE:
				self.assertEqual(self.held(key, ana.upper()), {0: evidence})
			kind.release(ana, evidence)

	def test_it_makes_two_queries_at_most_however_many_are_asked_about(self):
		for key, kind in self.each():
			customers = [factories.customer() for _ in range(4)]
			evidences = [kind.hold(customer) for customer in customers]
			# Once without: Frappe reads its metas.
			self.held(key, *customers)
			with statements() as seen:
				self.held(key, *customers)
			self.assertLessEqual(len(seen), 2, seen)
			self.assertTrue(all(query.lower().startswith("select") for query in seen))
			for customer, evidence in zip(customers, evidences, strict=True):
				kind.release(customer, evidence)

	def test_what_it_holds_waits_is_asked_again_each_day_and_goes(self):
		for key, kind in self.each():
			ana, pin = self.due()
			evidence = kind.hold(ana)
			switch_on(key)
			self.campaign()
			self.run_night()
			(row,) = self.ledger(reference_name=pin)
			self.assertEqual(
				(row.status, row.reason, row.due_at.date(), row.evidence_doctype, row.evidence_name),
				("Waiting", Reason.ON_HOLD, in_days(1), *evidence),
			)
			(told,) = api.why_customer(ana)["history"]
			self.assertEqual((told["evidence_doctype"], told["evidence_name"]), evidence)
			with self.at(f"{in_days(1)} 00:30"):
				settle.settle()
			(row,) = self.ledger(reference_name=pin)
			self.assertEqual((row.status, row.due_at.date()), ("Waiting", in_days(2)))
			kind.release(ana, evidence)
			with self.at(f"{in_days(2)} 00:30"):
				settle.settle()
			(row,) = self.ledger(reference_name=pin)
			self.assertEqual((row.status, row.reason, row.evidence_name), ("Queued", None, None))

	def test_off_it_holds_nothing(self):
		for _key, kind in self.each():
			ana, pin = self.due()
			evidence = kind.hold(ana)
			self.campaign()
			self.run_night()
			self.assertEqual(self.outcome_of(pin), ("Queued", None))
			kind.release(ana, evidence)

	def test_a_site_without_what_it_reads_is_not_offered_it(self):
		for key, _kind in self.each():
			if key == FAKE:
				continue
			hold = all_holds()[key]
			doctype, fields = next(iter(hold.needs.items()))
			for needs in ({"No Such DocType": ()}, {doctype: (*fields, "no_such_field")}):
				with self.subTest(needs=needs):
					self.assertFalse(holds.is_there(_Needing(needs)))


class _Needing(NamedTuple):
	needs: dict


class TestHeld(HoldsTestCase):
	"""What is held, and what not; and how long."""

	def test_service_messages_are_not_held(self):
		"""A payment reminder must not wait because the invoice is overdue."""
		ana, pin = self.due()
		factories.invoice(ana, in_days(-30))
		switch_on("Invoice overdue")
		self.campaign(purpose="Service")
		self.run_night()
		self.assertEqual(self.outcome_of(pin), ("Queued", None))

	def test_a_campaign_that_does_not_heed_holds_sends(self):
		ana, pin = self.due()
		factories.issue(ana)
		switch_on("Open Issue")
		self.campaign(heeds_holds=0)
		self.run_night()
		self.assertEqual(self.outcome_of(pin), ("Queued", None))

	def test_a_hold_that_raises_is_named_and_the_others_go_on(self):
		_ana, pin = self.due()
		ben, held_pin = self.due()
		with_goal = self.due()[1]
		factories.issue(ben)
		switch_on(FAKE, "Open Issue")
		self.campaign()
		with patch.object(OnThePhone, "held", side_effect=ValueError("no such table")):
			self.run_night()
			(row,) = self.ledger(reference_name=pin)
			self.assertEqual(
				(row.status, row.reason, row.error), ("Waiting", Reason.CHECK_FAILED, PHONE.label)
			)
			self.assertLess(row.due_at, now_datetime() + timedelta(hours=2))
			# What another one holds is held by that one.
			self.assertEqual(self.outcome_of(held_pin), ("Waiting", Reason.ON_HOLD))
			self.assertEqual(self.outcome_of(with_goal), ("Waiting", Reason.CHECK_FAILED))
			(failure,) = gate.failures()
			self.assertEqual((failure.key, failure.part, failure.label), ("Holds", FAKE, PHONE.label))
			texts = [problem["text"] for problem in health.problems([])]
			self.assertTrue(any(text.startswith(f"{PHONE.label} cannot be") for text in texts), texts)
			settle.report_failed_checks()
			self.assertTrue(
				frappe.db.exists("Error Log", {"method": ["like", f"%The check Holds ({FAKE}) failed%"]})
			)
		with self.at(str(now_datetime() + timedelta(hours=2))[:19]):
			settle.settle()
		self.assertEqual(self.outcome_of(pin), ("Queued", None))
		(row,) = self.ledger(reference_name=pin)
		self.assertIsNone(row.error)

	def test_what_no_hold_is_asked_about_goes_while_one_raises(self):
		_ana, pin = self.due()
		switch_on(FAKE)
		self.campaign(purpose="Service")
		with patch.object(OnThePhone, "held", side_effect=ValueError("no such table")):
			self.run_night()
		self.assertEqual(self.outcome_of(pin), ("Queued", None))

	def test_what_waits_by_a_hold_that_the_settings_let_go_is_asked_about_at_once(self):
		ana, pin = self.due()
		evidence = _listed(ana)
		switch_on("Do not disturb")
		self.campaign()
		self.run_night()
		self.assertEqual(self.outcome_of(pin), ("Waiting", Reason.ON_HOLD))
		self.waits_ended.reset_mock()
		frappe.get_single(SETTINGS).update({"chunk_size": 77}).save()
		self.assertEqual(self.waits_ended.call_count, 0)
		_unlist(ana, evidence)
		(reasons,), _options = self.waits_ended.call_args
		self.assertEqual(reasons, [Reason.ON_HOLD])
		frappe.db.commit()
		with patch.object(frappe, "enqueue") as enqueued:
			type(self).real_end_soon(reasons)
		options = enqueued.call_args.kwargs
		self.assertTrue(options.pop("enqueue_after_commit") and options.pop("queue"))
		frappe.get_attr(enqueued.call_args.args[0])(**options)
		settle.settle()
		self.assertEqual(self.outcome_of(pin), ("Queued", None))

	real_end_soon = staticmethod(waiting.end_soon)

	def test_what_has_waited_so_many_days_is_skipped_with_the_document(self):
		ana, pin = self.due()
		name = factories.issue(ana)
		switch_on("Open Issue", held_days=3)
		self.campaign()
		self.run_night()
		for day in (1, 2):
			with self.at(f"{in_days(day)} 00:30"):
				settle.settle()
			self.assertEqual(self.outcome_of(pin), ("Waiting", Reason.ON_HOLD))
		with self.at(f"{in_days(3)} 00:30"):
			settle.settle()
		(row,) = self.ledger(reference_name=pin)
		self.assertEqual(
			(row.status, row.reason, row.evidence_doctype, row.evidence_name),
			("Skipped", Reason.ON_HOLD, "Issue", name),
		)

	def test_or_sent_where_the_settings_say_so(self):
		ana, pin = self.due()
		factories.issue(ana)
		switch_on("Open Issue", held_days=1, when_held="Send")
		self.campaign()
		self.run_night()
		self.assertEqual(self.outcome_of(pin), ("Waiting", Reason.ON_HOLD))
		with self.at(f"{in_days(1)} 00:30"):
			settle.settle()
		self.assertEqual(self.outcome_of(pin), ("Queued", None))

	def test_a_hold_that_comes_before_it_leaves_holds_it_too(self):
		ana, pin = self.due()
		switch_on("Open Issue")
		self.campaign()
		with patch.object(deliver, "enqueue"):
			self.run_night()
		self.assertEqual(self.outcome_of(pin)[0], "Pending")
		factories.issue(ana)
		frappe.db.commit()
		deliver.deliver([row.name for row in self.ledger()])
		self.assertEqual(self.outcome_of(pin), ("Waiting", Reason.ON_HOLD))

	def test_whoever_reaches_the_goal_waits_no_more(self):
		ana, _pin = self.due()
		quotation = factories.quotation(ana, in_days(5))
		factories.issue(ana)
		switch_on("Open Issue")
		self.campaign(
			{"source": "Quotation", "days_offset": 5, "date_field": "valid_till"},
			goal="Ordered",
			email_template=template(),
		)
		self.run_night()
		self.assertEqual(self.outcome_of(quotation.name), ("Waiting", Reason.ON_HOLD))
		factories.sales_order(ana, in_days(10), ordered=quotation.items)
		frappe.db.commit()
		with self.at(f"{in_days(1)} 00:30"):
			settle.settle()
		self.assertEqual(self.outcome_of(quotation.name), ("Skipped", Reason.GOAL_REACHED))

	def test_the_preview_says_what_is_held(self):
		ana, _pin = self.due()
		factories.issue(ana)
		switch_on("Open Issue")
		campaign = self.campaign()
		(row,) = api.preview(campaign.name)["rows"]
		self.assertEqual((row["status"], row["reason"]), ("Waiting", Reason.ON_HOLD))

	def test_a_hold_that_raises_has_its_messages_wait_and_breaks_nothing(self):
		_ana, pin = self.due()
		switch_on(FAKE)
		self.campaign()
		PHONE.customers = None
		self.addCleanup(setattr, PHONE, "customers", set())
		self.run_night()
		self.assertEqual(self.outcome_of(pin), ("Waiting", Reason.CHECK_FAILED))

	def test_two_queries_more_for_each_hold_that_is_on(self):
		for _ in range(3):
			self.due()
		self.campaign()
		none = self._queries()
		switch_on(*KINDS)
		self.assertLessEqual(self._queries(), none + 2 * len(KINDS))

	def _queries(self) -> int:
		"""Return how many queries the check makes for a page."""
		found, judge = [], type(CHECK).judge

		def counted(check, asked, at):
			with statements() as seen:
				answer = judge(check, asked, at)
			found.append(len(seen))
			return answer

		with patch.object(type(CHECK), "judge", counted):
			# Once without: Frappe reads its metas.
			api.preview()
			api.preview()
		return found[-1]


class TestSingleHolds(HoldsTestCase):
	"""Where each begins and ends."""

	def test_an_issue_that_is_answered_and_not_closed_is_open(self):
		for status, holds_it in (("Open", 1), ("Replied", 1), ("On Hold", 1), ("Resolved", 0), ("Closed", 0)):
			ana = factories.customer()
			_set(("Issue", factories.issue(ana)), status=status)
			self.assertEqual(len(self.held("Open Issue", ana)), holds_it, status)

	def test_of_two_issues_the_older_one_is_named(self):
		ana = factories.customer()
		first, second = factories.issue(ana), factories.issue(ana)
		_set(("Issue", second), creation="2020-01-01")
		self.assertEqual(self.held("Open Issue", ana), {0: ("Issue", second)})
		self.assertNotEqual(first, second)

	def test_an_invoice_is_overdue_after_so_many_days_and_not_on_that_day(self):
		ana = factories.customer()
		factories.invoice(ana, in_days(-7))
		self.assertEqual(self.held("Invoice overdue", ana, days=7), {})
		self.assertEqual(len(self.held("Invoice overdue", ana, days=6)), 1)
		self.assertEqual(len(self.held("Invoice overdue", ana, days=0)), 1)

	def test_what_is_due_today_or_paid_is_not_overdue(self):
		ana = factories.customer()
		factories.invoice(ana, in_days(0))
		factories.invoice(ana, in_days(-30), paid=True)
		self.assertEqual(self.held("Invoice overdue", ana, days=0), {})

	def test_a_draft_or_a_cancelled_dunning_duns_nobody(self):
		ana = factories.customer()
		factories.dunning(ana, docstatus=0)
		factories.dunning(ana, docstatus=2, status="Cancelled")
		self.assertEqual(self.held("Unresolved Dunning", ana), {})

	def test_a_dunning_holds_as_long_as_one_of_its_invoices_is_open_less_what_credit_notes_give_back(self):
		ana = factories.customer()
		paid, taken_back = (factories.invoice(ana, in_days(-20)) for _number in range(2))
		name = factories.dunning(ana, paid.name, taken_back.name)
		self.assertEqual(self.held("Unresolved Dunning", ana), {0: ("Dunning", name)})
		factories.pay(paid)
		self.assertEqual(self.held("Unresolved Dunning", ana), {0: ("Dunning", name)})
		# Nobody reconciles the note, so ERPNext leaves the dunning as it is.
		factories.returned(taken_back)
		self.assertEqual(frappe.db.get_value("Dunning", name, "status"), "Unresolved")
		self.assertEqual(self.held("Unresolved Dunning", ana), {})

	def test_an_order_is_paid_when_a_credit_note_gives_the_rest_of_its_bill_back(self):
		ana = factories.customer()
		order = factories.sales_order(ana, in_days(10))
		bill = factories.billed(order)
		factories.pay(bill, factories.PRICE / 4)
		note = factories.returned(bill)
		frappe.db.set_value("Sales Invoice", note.name, "outstanding_amount", -factories.PRICE * 3 / 4)
		frappe.db.set_value("Sales Invoice Item", {"parent": note.name}, "qty", 0)
		frappe.db.set_value("Sales Order", order.name, "per_billed", 100)
		self.assertEqual(self.held("Order paid and not delivered", ana), {0: ("Sales Order", order.name)})

	def test_an_order_whose_bill_was_taken_back_holds_nothing(self):
		ana = factories.customer()
		order = factories.sales_order(ana, in_days(10))
		factories.returned(factories.billed(order))
		frappe.db.set_value("Sales Order", order.name, "per_billed", 100)
		self.assertEqual(self.held("Order paid and not delivered", ana), {})

	def test_an_order_that_is_not_paid_holds_nothing(self):
		ana = factories.customer()
		order = factories.sales_order(ana, in_days(10))
		self.assertEqual(self.held("Order paid and not delivered", ana), {})
		bill = factories.billed(order)
		self.assertEqual(self.held("Order paid and not delivered", ana), {})
		factories.pay(bill)
		self.assertEqual(self.held("Order paid and not delivered", ana), {0: ("Sales Order", order.name)})
		factories.delivered(order)
		self.assertEqual(self.held("Order paid and not delivered", ana), {})

	def test_an_order_paid_in_the_currency_of_the_account_is_paid(self):
		ana = factories.customer()
		order = factories.paid_order(ana)
		order.db_set({"party_account_currency": "EUR", "base_grand_total": order.advance_paid * 4000})
		order.db_set({"base_rounded_total": 0})
		self.assertEqual(self.held("Order paid and not delivered", ana), {})
		order.db_set("advance_paid", order.base_grand_total)
		self.assertEqual(len(self.held("Order paid and not delivered", ana)), 1)

	def test_an_order_that_is_closed_or_needs_no_delivery_holds_nothing(self):
		for fields in ({"status": "Closed"}, {"skip_delivery_note": 1}, {"status": "On Hold"}):
			ana = factories.customer()
			factories.paid_order(ana).db_set(fields)
			self.assertEqual(self.held("Order paid and not delivered", ana), {}, fields)

	def test_an_item_is_to_be_had_where_its_company_has_some(self):
		hold, ana = all_holds()["Item out of stock or disabled"], "ana"
		code = factories.item("TEST-STOCK")
		factories.in_stock(code, 0)
		factories.in_stock(code, 3, factories.second_company())
		mine, theirs = factories.company(), factories.second_company()
		asked = [self.about(ana, code, company) for company in (mine, theirs, None)]
		self.assertEqual(hold.held(asked, 0, in_days(0)), {0: ("Item", code)})

	def test_what_another_warehouse_owes_does_not_hide_what_there_is(self):
		hold = all_holds()["Item out of stock or disabled"]
		code = factories.item("TEST-STOCK-2")
		factories.in_stock(code, -8)
		factories.in_stock(code, 3, factories.second_company())
		self.assertEqual(hold.held([self.about("ana", code)], 0, in_days(0)), {})

	def test_an_item_that_is_disabled_or_has_ended_is_not_to_be_had(self):
		hold, asked = (
			all_holds()["Item out of stock or disabled"],
			[self.about("ana", factories.service("TEST-ENDED"))],
		)
		for fields, held in (
			({"disabled": 1}, 1),
			({"disabled": 0}, 0),
			({"end_of_life": in_days(0)}, 1),
			({"end_of_life": in_days(1)}, 0),
			({"end_of_life": None}, 0),
		):
			frappe.db.set_value("Item", "TEST-ENDED", fields)
			self.assertEqual(len(hold.held(asked, 0, in_days(0))), held, fields)

	def test_what_is_about_no_item_or_one_that_is_gone_is_not_held(self):
		hold = all_holds()["Item out of stock or disabled"]
		asked = [Held("ana", None, None, "Sales Invoice", "1"), self.about("ana", "No such item")]
		self.assertEqual(hold.held(asked, 0, in_days(0)), {})

	def test_a_group_on_the_list_holds_those_of_the_groups_below_it(self):
		ana = factories.customer()
		group = frappe.db.get_value("Customer", ana, "customer_group")
		outer = frappe.db.get_value("Customer Group", group, "parent_customer_group")
		for listed in (group, outer):
			frappe.get_single(SETTINGS).update(
				{"do_not_disturb": [{"party_type": "Customer Group", "party": listed}]}
			).save()
			self.assertEqual(self.held("Do not disturb", ana), {0: ("Customer Group", listed)})

	def test_a_line_of_the_list_ends_after_its_last_day(self):
		ana = factories.customer()
		for until, held in ((in_days(-1), 0), (in_days(0), 1), (None, 1)):
			frappe.get_single(SETTINGS).update(
				{"do_not_disturb": [{"party_type": "Customer", "party": ana, "until": until}]}
			).save()
			self.assertEqual(len(self.held("Do not disturb", ana)), held, until)

	def test_a_customer_without_a_group_is_in_none(self):
		ana = factories.customer()
		group = frappe.db.get_value("Customer", ana, "customer_group")
		frappe.db.set_value("Customer", ana, "customer_group", None)
		self.assertEqual(do_not_disturb._in_groups({ana}, [group]), {})


class TestSwitches(HoldsTestCase):
	"""The settings say which holds are on."""

	def test_one_that_this_site_has_not_is_refused(self):
		with self.refused("Row 1", "No such hold", "Choose another one"):
			frappe.get_single(SETTINGS).update({"holds": [{"hold": "No such hold"}]}).save()

	def test_one_that_is_there_twice_is_refused(self):
		with self.refused("Row 2", "is on already"):
			frappe.get_single(SETTINGS).update(
				{"holds": [{"hold": "Open Issue"}, {"hold": "Open Issue"}]}
			).save()

	def test_days_are_filled_in_where_a_hold_takes_them_and_nowhere_else(self):
		settings = frappe.get_single(SETTINGS)
		settings.update({"holds": [{"hold": "Invoice overdue"}, {"hold": "Open Issue", "days": 9}]}).save()
		settings.reload()
		self.assertEqual(
			[(row.hold, row.days) for row in settings.holds], [("Invoice overdue", 7), ("Open Issue", 0)]
		)

	def test_no_day_at_all_can_be_chosen(self):
		settings = frappe.get_single(SETTINGS)
		settings.update({"holds": [{"hold": "Invoice overdue", "days": 0}]}).save()
		settings.reload()
		self.assertEqual(settings.holds[0].days, 0)

	def test_days_that_make_no_sense_are_refused(self):
		with self.refused("between 0 and 3650"):
			frappe.get_single(SETTINGS).update({"holds": [{"hold": "Invoice overdue", "days": 4000}]}).save()

	def test_one_whose_app_is_gone_holds_nothing_back_and_is_named(self):
		switch_on(FAKE, "Open Issue")
		mine = {key: hold for key, hold in all_holds().items() if key != FAKE}
		with patch.object(holds, "all_holds", lambda: mine):
			self.assertEqual([switch.key for switch in holds.switched_on()], ["Open Issue"])
			self.assertEqual(holds.lost(), [FAKE])
			self.assertIn(FAKE, " ".join(problem["text"] for problem in api.health()))
		self.assertNotIn(FAKE, str(api.health()))

	def test_the_form_offers_what_the_site_has(self):
		offered = {one["value"]: one["days"] for one in api.holds()}
		self.assertEqual(set(offered), set(KINDS))
		self.assertEqual((offered["Invoice overdue"], offered["Open Issue"]), (7, None))
