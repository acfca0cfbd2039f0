"""A customer who has bought the next pin already is not told that the old one ends; everybody else is."""

import frappe
from frappe.utils import getdate

from marketing_automation import erpnext_schema
from marketing_automation.engine import rules
from marketing_automation.engine.model import CAN_PASS, Reason
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, statements

SKIPPED = ("Skipped", "Goal reached")
SENT = ("Queued", None)


class RenewalTestCase(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.customer = factories.customer()

	def campaign(self, *triggers: dict, **fields):
		return factories.campaign(
			*(triggers or ({"days_offset": 30}, {"days_offset": 7}, {"days_offset": 1})),
			**{"goal": "Renewed", **fields},
		)

	def bought(
		self, expires: int, posted: int, customer: str | None = None, count: int = 1, **sale
	) -> list[str]:
		"""Return serial numbers that a customer bought in one sale, `posted` days ago, and that expire in so many days."""
		names = factories.received(count, sale.pop("item_code", None))
		doc = factories.sold(customer or self.customer, names, **sale)
		doc.db_set("posting_date", factories.in_days(-posted), update_modified=False)
		factories.expire(names, factories.in_days(expires))
		self.sale = doc
		return names

	def pin(self, expires: int = 30, posted: int = 335, **options) -> str:
		"""Return a serial number of a year that ends in so many days."""
		return self.bought(expires, posted, **options)[0]

	def cancel_sale(self) -> None:
		"""Cancel the last sale, as of the day on which it was made: ERPNext values again all that was sold since."""
		self.sale.reload()
		self.sale.db_set("posting_date", getdate(), update_modified=False)
		self.sale.cancel()

	def next_pin(self, posted: int = 3, **options) -> str:
		"""Return the purchase of the next year's."""
		return self.bought(395, posted, **options)[0]


class TestTheCustomerHasTheNextOne(RenewalTestCase):
	def test_who_has_bought_the_next_pin_is_not_written_to_and_the_row_names_the_sale(self):
		pin = self.pin()
		self.next_pin()
		self.campaign()

		run = self.run_night()

		self.assertEqual(self.outcome_of(pin), SKIPPED)
		(row,) = self.ledger()
		self.assertEqual((row.evidence_doctype, row.evidence_name), ("Sales Invoice", self.sale.name))
		self.assertEqual((row.customer, run.skipped), (self.customer, 1))
		self.assertEqual(self.mails(), [])

	def test_who_has_bought_nothing_is_written_to(self):
		pin = self.pin()
		self.campaign()

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SENT)

	def test_last_call_is_not_sent_either(self):
		pin = self.pin(1, posted=364)
		self.next_pin(posted=20)
		self.campaign()

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SKIPPED)

	def test_a_campaign_without_a_goal_writes_to_everybody(self):
		pin = self.pin()
		self.next_pin()
		self.campaign(goal=None)

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SENT)

	def test_what_another_customer_has_bought_renews_nothing(self):
		pin = self.pin()
		self.next_pin(customer=factories.customer())
		self.campaign()

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SENT)

	def test_a_delivery_note_shows_it_too(self):
		pin = self.pin()
		self.next_pin(doctype="Delivery Note")
		self.campaign()

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SKIPPED)
		self.assertEqual(self.ledger()[0].evidence_doctype, "Delivery Note")

	def test_the_till_shows_it_too(self):
		pin = self.pin()
		self.next_pin(doctype="POS Invoice")
		self.campaign()

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SKIPPED)
		self.assertEqual(self.ledger()[0].evidence_doctype, "POS Invoice")

	def test_the_text_of_a_sale_from_before_erpnext_15_shows_it_too(self):
		pin = self.pin()
		renewal = self.next_pin()
		factories.forget_bundles(pin, renewal)
		frappe.db.set_value("Sales Invoice Item", {"parent": self.sale.name}, "serial_and_batch_bundle", None)
		factories.forget_owner(renewal)
		self.campaign()

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SKIPPED)
		self.assertEqual(self.ledger()[0].evidence_name, self.sale.name)

	def test_the_sale_counts_where_serial_no_does_not_name_its_customer(self):
		pin = self.pin()
		factories.forget_owner(pin, self.next_pin())
		self.campaign()

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SKIPPED)

	def test_a_sale_of_another_company_counts_for_who_has_the_next_pin_has_it(self):
		pin = self.pin()
		renewal = self.next_pin()
		other, own = factories.second_company(), self.sale.company
		self.addCleanup(self.sale.db_set, "company", own, update_modified=False, commit=True)
		self.sale.db_set("company", other, update_modified=False)
		frappe.db.set_value("Serial No", renewal, "company", other, update_modified=False)
		self.campaign(company=factories.company())

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SKIPPED)

	def test_a_sale_with_a_date_to_come_counts(self):
		pin = self.pin()
		self.next_pin(posted=-2)
		self.campaign()

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SKIPPED)

	def test_a_pin_that_nobody_knows_the_sale_of_is_renewed_too(self):
		if not erpnext_schema.has_owner():
			self.skipTest("Without a sale nobody knows the customer.")
		(pin,) = factories.received(1)
		frappe.db.set_value("Serial No", pin, {"customer": self.customer, "status": "Delivered"})
		factories.expire(pin, factories.in_days(30))
		frappe.db.delete("Serial and Batch Entry", {"serial_no": pin})
		self.next_pin()
		self.campaign()

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SKIPPED)


class TestWhatIsNoRenewal(RenewalTestCase):
	def test_pins_bought_together_never_renew_each_other(self):
		pin, *_others = self.bought(395, posted=335, count=5)
		factories.expire(pin, factories.in_days(30))
		self.campaign(renewal_window=3650)

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SENT)
		self.assertEqual(len(self.ledger()), 1)

	def test_pins_bought_on_one_day_by_two_sales_were_bought_together(self):
		pin = self.pin()
		self.next_pin(posted=335)
		self.campaign(renewal_window=3650)

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SENT)

	def test_a_purchase_long_before_is_another_pin_not_a_renewal(self):
		pin = self.pin()
		self.next_pin(posted=100)
		self.campaign()

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SENT)

	def test_the_window_is_counted_from_the_pins_date(self):
		within, beyond = self.pin(), self.pin(customer=(other := factories.customer()))
		# Thirty days before the date there are: thirty more, and not a day more than that.
		self.next_pin(posted=30)
		self.next_pin(posted=31, customer=other)
		self.campaign()

		self.run_night()

		self.assertEqual(self.outcome_of(within), SKIPPED)
		self.assertEqual(self.outcome_of(beyond), SENT)

	def test_a_campaigns_own_window_counts_in_its_place(self):
		early, late = self.pin(), self.pin(customer=(other := factories.customer()))
		self.next_pin(posted=100)
		self.next_pin(posted=101, customer=other)
		self.campaign(renewal_window=130)

		self.run_night()

		self.assertEqual(self.outcome_of(early), SKIPPED)
		self.assertEqual(self.outcome_of(late), SENT)

	def test_of_a_pin_of_a_month_only_the_second_half_counts(self):
		early, late = self.pin(7, posted=23), self.pin(7, posted=23, customer=(other := factories.customer()))
		self.bought(37, posted=9)
		self.bought(37, posted=8, customer=other)
		self.campaign()

		self.run_night()

		self.assertEqual(self.outcome_of(early), SENT)
		self.assertEqual(self.outcome_of(late), SKIPPED)

	def test_a_pin_that_ends_no_later_is_no_renewal(self):
		pin = self.pin()
		same_day = self.bought(30, posted=3)[0]
		self.campaign()

		self.run_night()

		self.assertEqual((self.outcome_of(pin), self.outcome_of(same_day)), (SENT, SENT))

	def test_a_pin_without_a_date_is_no_renewal(self):
		pin = self.pin()
		factories.expire(self.next_pin(), None)
		self.campaign()

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SENT)

	def test_what_has_come_back_is_no_renewal(self):
		pin = self.pin()
		renewal = self.next_pin()
		factories.returned(self.sale)
		factories.expire(renewal, factories.in_days(395))
		self.campaign()

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SENT)

	def test_what_has_been_cancelled_is_no_renewal(self):
		pin = self.pin()
		renewal = self.next_pin()
		self.cancel_sale()
		factories.expire(renewal, factories.in_days(395))
		self.campaign()

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SENT)

	def test_what_has_gone_on_to_somebody_else_is_no_renewal(self):
		pin = self.pin()
		renewal = self.next_pin()
		factories.resold(renewal, factories.customer())
		self.campaign()

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SENT)

	def test_what_came_back_and_was_sold_to_them_again_counts_by_its_last_sale(self):
		pin = self.pin()
		renewal = self.next_pin(posted=200)
		factories.resold(renewal, self.customer)
		self.campaign()

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SKIPPED)
		self.assertEqual(self.ledger()[0].evidence_name, factories.sale_of(renewal).name)

	def test_another_item_is_no_renewal(self):
		pin = self.pin()
		self.next_pin(item_code=factories.item("TEST-OTHER-PIN"))
		self.campaign()

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SENT)

	def test_of_a_past_night_only_what_was_sold_by_then_is_known(self):
		self.pin(20, posted=345)
		self.next_pin(posted=3)
		campaign = self.campaign()

		from marketing_automation.desk import preview
		from marketing_automation.engine.visibility import Visibility

		day = factories.in_days(-10)
		self.assertEqual(preview.of_day([campaign.name], day, Visibility())["counts"]["send"], 1)
		self.sale.db_set("posting_date", day, update_modified=False)
		self.assertEqual(preview.of_day([campaign.name], day, Visibility())["reasons"], {"Goal reached": 1})


class TestVariantsAndGroups(RenewalTestCase):
	def variants(self) -> tuple[str, str]:
		"""Return two variants of one template."""
		template = factories.item("TEST-TEMPLATE", has_serial_no=1)
		one, other = factories.item("TEST-TEMPLATE-1Y"), factories.item("TEST-TEMPLATE-2Y")
		for code in (one, other):
			frappe.db.set_value("Item", code, "variant_of", template)
		frappe.db.set_value("Item", template, "has_variants", 1)
		return one, other

	def test_a_variant_of_the_same_template_renews(self):
		one, other = self.variants()
		pin = self.pin(item_code=one)
		self.next_pin(item_code=other)
		self.campaign()

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SKIPPED)

	def test_an_item_of_the_same_group_renews_only_if_the_campaign_says_so(self):
		pin = self.pin()
		self.next_pin(item_code=factories.item("TEST-OTHER-PIN"))
		self.campaign({"days_offset": 30}, renews_in_group=1)
		self.campaign({"days_offset": 30})

		self.run_night()

		self.assertEqual(
			sorted((row.status, row.reason) for row in self.ledger(reference_name=pin)), [SENT, SKIPPED]
		)

	def test_an_item_of_another_group_never_renews(self):
		pin = self.pin()
		self.next_pin(item_code=factories.item("TEST-FAR-PIN", "Test Far Pins"))
		self.campaign(renews_in_group=1)

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SENT)


class TestOnePurchaseRenewsOnePin(RenewalTestCase):
	def test_it_renews_the_one_that_ends_first_and_the_other_is_written_about(self):
		first, second = self.pin(7, posted=358), self.pin(30)
		self.next_pin()
		self.campaign()

		self.run_night()

		self.assertEqual((self.outcome_of(first), self.outcome_of(second)), (SKIPPED, SENT))

	def test_one_that_is_not_due_tonight_has_its_claim_too(self):
		self.pin(12, posted=353)
		pin = self.pin(30)
		self.next_pin()
		self.campaign()

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SENT)

	def test_one_that_ended_before_the_purchase_has_none(self):
		self.pin(-5, posted=370)
		pin = self.pin(7, posted=358)
		self.next_pin()
		self.campaign()

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SKIPPED)

	def test_one_that_the_campaign_still_writes_about_has_one(self):
		ended, pin = self.pin(-5, posted=370), self.pin(7, posted=358)
		self.next_pin()
		self.campaign({"days_offset": 7}, {"trigger_type": "After", "days_offset": 5})

		self.run_night()

		self.assertEqual((self.outcome_of(ended), self.outcome_of(pin)), (SKIPPED, SENT))

	def test_one_that_ended_long_ago_is_renewed_by_what_was_bought_since(self):
		pin = self.pin(-60, posted=425)
		self.next_pin(posted=2)
		self.campaign({"trigger_type": "After", "days_offset": 60})

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SKIPPED)

	def test_two_purchases_renew_two(self):
		first, second = self.pin(7, posted=358), self.pin(30)
		self.bought(395, posted=3, count=2)
		self.campaign()

		self.run_night()

		self.assertEqual((self.outcome_of(first), self.outcome_of(second)), (SKIPPED, SKIPPED))

	def test_of_five_pins_two_of_which_are_renewed_three_are_written_about(self):
		pins = self.bought(30, posted=335, count=5)
		self.bought(395, posted=3, count=2)
		self.campaign()

		self.run_night()

		outcomes = [self.outcome_of(pin) for pin in sorted(pins)]
		self.assertEqual(outcomes, [SKIPPED, SKIPPED, SENT, SENT, SENT])

	def test_of_what_came_back_in_part_the_rest_counts(self):
		pins = self.bought(30, posted=335, count=2)
		bought = self.bought(395, posted=3, count=2)
		sale = self.sale
		self.returned_in_part(sale, bought[:1])
		factories.expire(bought[0], factories.in_days(395))
		self.campaign()

		self.run_night()

		self.assertEqual([self.outcome_of(pin) for pin in sorted(pins)], [SKIPPED, SENT])

	def returned_in_part(self, sale, names: list[str]) -> None:
		if factories.real_erpnext():
			from erpnext.controllers.sales_and_purchase_return import make_return_doc

			doc = make_return_doc(sale.doctype, sale.name)
		else:
			doc = frappe.copy_doc(sale)
			doc.update({"is_return": 1, "return_against": sale.name})
		for line in doc.items:
			line.update(
				{
					"qty": -len(names),
					"use_serial_batch_fields": 1,
					"serial_no": "\n".join(names),
					"serial_and_batch_bundle": None,
				}
			)
		doc.flags.ignore_permissions = True
		doc.submit()

	def test_what_renews_is_a_pin_to_be_renewed_itself(self):
		old, middle = self.pin(1, posted=31), self.bought(30, posted=2)[0]
		self.bought(60, posted=1)
		self.campaign(renewal_window=31)

		self.run_night()

		# The first purchase renews the old one, the second the first.
		self.assertEqual((self.outcome_of(old), self.outcome_of(middle)), (SKIPPED, SKIPPED))
		evidence = {row.reference_name: row.evidence_name for row in self.ledger()}
		self.assertEqual(evidence[old], factories.sale_of(middle).name)

	def test_each_campaign_pairs_for_itself(self):
		pin = self.pin()
		self.next_pin()
		self.campaign({"days_offset": 30})
		self.campaign({"days_offset": 30})

		self.run_night()

		rows = self.ledger(reference_name=pin)
		self.assertEqual([(row.status, row.reason) for row in rows], [SKIPPED, SKIPPED])


class TestAskedAgain(RenewalTestCase):
	def test_who_buys_between_the_claim_and_the_sending_gets_nothing(self):
		pin = self.pin()
		self.campaign()
		self.claim_only()
		self.next_pin()
		self.deliver()

		self.assertEqual(self.outcome_of(pin), SKIPPED)
		self.assertEqual(self.ledger()[0].evidence_name, self.sale.name)
		self.assertEqual(self.mails(), [])

	def test_when_the_purchase_is_cancelled_the_next_run_sends_it_after_all(self):
		pin = self.pin()
		self.next_pin()
		self.campaign()
		self.run_night()
		self.assertEqual(self.outcome_of(pin), SKIPPED)

		self.cancel_sale()
		self.run_night()

		self.assertEqual(self.outcome_of(pin), SENT)
		(row,) = self.ledger()
		self.assertEqual((row.evidence_doctype, row.evidence_name), (None, None))
		self.assertEqual(len(self.mails()), 1)

	def test_when_the_purchase_comes_back_the_next_run_sends_it_after_all(self):
		pin = self.pin()
		self.next_pin()
		self.campaign()
		self.run_night()

		factories.returned(self.sale)
		self.run_night()

		self.assertEqual(self.outcome_of(pin), SENT)

	def test_as_long_as_it_stands_nobody_can_send_it_by_hand(self):
		from marketing_automation.engine import retry

		self.pin()
		self.next_pin()
		self.campaign()
		self.run_night()
		(row,) = self.ledger()

		self.assertEqual(retry.send_skipped([row.name]), {"Goal reached": 1})
		self.assertIn(Reason.GOAL_REACHED, CAN_PASS)

	def test_a_customer_who_was_merged_into_the_one_who_has_bought_has_renewed(self):
		pin = self.pin()
		self.next_pin(customer=(other := factories.customer()))
		frappe.rename_doc("Customer", self.customer, other, merge=True, show_alert=False)
		self.campaign()

		self.run_night()

		self.assertEqual(self.outcome_of(pin), SKIPPED)

	def test_a_once_per_customer_message_that_was_not_needed_can_go_out_for_the_next_product(self):
		pin = self.pin()
		self.next_pin()
		self.campaign({"days_offset": 30}, duplicate_policy="Once per customer")
		self.run_night()
		self.assertEqual(self.outcome_of(pin), SKIPPED)
		self.assertIsNone(self.ledger()[0].suppression_key)

		other = self.pin(item_code=factories.item("TEST-OTHER-PIN"))
		self.run_night()

		self.assertEqual(self.outcome_of(other), SENT)

	def test_a_combined_message_leaves_out_what_is_renewed(self):
		pins = self.bought(30, posted=335, count=3)
		self.next_pin()
		self.campaign({"days_offset": 30}, combine_messages=1)

		self.run_night()

		self.assertEqual([self.outcome_of(pin) for pin in sorted(pins)], [SKIPPED, SENT, SENT])
		(mail,) = self.mails()
		self.assertNotIn(sorted(pins)[0], mail.message)
		self.assertIn(sorted(pins)[1], mail.message)

	def claim_only(self) -> None:
		from unittest.mock import patch

		from marketing_automation.engine import deliver

		with patch.object(deliver, "enqueue", return_value=0):
			self.run_night()

	def deliver(self) -> None:
		from marketing_automation.engine import deliver, ledger

		deliver.enqueue(ledger.pending({}))


class TestWhatItCosts(RenewalTestCase):
	def test_a_campaign_without_a_goal_asks_nothing(self):
		self.pin()
		self.next_pin()
		asked = []
		for campaign in (self.campaign(goal=None), self.campaign()):
			with statements() as seen:
				self.plan(campaign.name)
			# A sale may be read for whose a pin is; only a goal leaves returns out.
			asked.append(any("tabSales Invoice" in query and "`is_return`=0" in query for query in seen))

		self.assertEqual(asked, [False, True])

	def test_the_queries_are_as_many_for_one_pin_as_for_many(self):
		# Of whom nobody has renewed the gate asks, too.
		self.pin()
		for _ in range(2):
			self.pin(customer=(one := factories.customer()))
			self.next_pin(customer=one)
		self.campaign()
		# What is read once and kept is none of it.
		self.plan()
		with statements() as few:
			self.plan()
		for _ in range(6):
			self.pin(customer=(one := factories.customer()))
			self.next_pin(customer=one)
		self.bought(30, posted=335, count=4)
		with statements() as many:
			messages = self.plan()

		self.assertEqual(len(messages), 13)
		self.assertEqual(len(many), len(few))

	def test_where_nobody_has_bought_anything_lately_it_is_a_few_queries(self):
		self.pin()
		with_goal, without = self.campaign(), self.campaign(goal=None)
		counts = []
		for campaign in (with_goal, without):
			with statements() as seen:
				self.plan(campaign.name)
			counts.append(len(seen))

		self.assertLessEqual(counts[0] - counts[1], 4)

	def test_the_customer_of_serial_no_is_never_searched_for(self):
		self.pin()
		self.next_pin()
		self.campaign()

		with statements() as seen:
			self.plan()

		self.assertEqual([query for query in seen if "`tabSerial No`.`customer` IN" in query], [])

	def plan(self, campaign: str | None = None) -> list:
		from marketing_automation.engine import plan

		loaded = rules.load([campaign] if campaign else None)
		windows = plan.windows_for_day(loaded, getdate())
		return [message for page in plan.plan(windows, getdate()) for message in page]


class TestWhatTheDeskShows(RenewalTestCase):
	def test_the_preview_counts_it_and_names_the_sale(self):
		from marketing_automation.desk import preview
		from marketing_automation.engine.visibility import Visibility

		pin = self.pin()
		self.next_pin()
		campaign = self.campaign()

		found = preview.of_day([campaign.name], getdate(), Visibility())

		self.assertEqual((found["counts"]["skip"], found["reasons"]), (1, {"Goal reached": 1}))
		(row,) = found["rows"]
		self.assertEqual(row["evidence_name"], self.sale.name)
		self.run_night()
		(row,) = preview.of_day([campaign.name], getdate(), Visibility())["rows"]
		self.assertEqual((row["outcome"], row["evidence_name"]), ("known", self.sale.name))
		self.assertTrue(pin)

	def test_why_says_it_before_the_night_and_after(self):
		from marketing_automation.desk import insight
		from marketing_automation.engine.visibility import Visibility

		pin = self.pin()
		self.next_pin()
		campaign = self.campaign({"days_offset": 30})

		(step,) = [
			step
			for step in self.why(insight, pin, campaign, Visibility())["steps"]
			if step["action"] and step["customer"]
		]
		self.assertIn("Goal reached", step["why"])
		self.assertEqual((step["evidence_doctype"], step["evidence_name"]), ("Sales Invoice", self.sale.name))
		self.run_night()
		(row,) = self.why(insight, pin, campaign, Visibility())["history"]
		self.assertEqual(row["evidence_name"], self.sale.name)

	def why(self, insight, pin: str, campaign, visible) -> dict:
		return insight.why_reference("Serial No", pin, [campaign.name], visible)
