"""Whoever is renamed, or merged into another, gets a message once: what was sent under either name counts."""

from unittest.mock import patch

import frappe

from marketing_automation import api
from marketing_automation.engine import deliver, ledger
from marketing_automation.engine.model import suppression_key
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, caches_kept
from marketing_automation.tests.factories import in_days

ONCE = {"duplicate_policy": "Once per customer"}
# What has become of a customer's message when they are merged with another.
STAGES = ("Pending", "Queued", "Completed", "Skipped")


def merged(doctype: str, old: str, new: str) -> None:
	with caches_kept():
		frappe.rename_doc(doctype, old, new, force=True, merge=True)
	frappe.db.commit()


class TestCustomersMerged(MarketingTestCase):
	def two(self, stages: tuple[str, str], **campaign) -> tuple[str, str]:
		"""Return two customers, each with a pin whose message has come so far."""
		customers = factories.customer(), factories.customer()
		pins = [factories.pin(customer, in_days(30)) for customer in customers]
		factories.campaign(**campaign)
		for customer, stage in zip(customers, stages, strict=True):
			frappe.db.set_value("Customer", customer, "disabled", stage == "Skipped")
		with patch.object(deliver, "enqueue"):
			self.run_night()
		# All mails that there are at the moment leave together.
		for pin, stage in sorted(zip(pins, stages, strict=True), key=lambda entry: entry[1] != "Completed"):
			if stage in ("Queued", "Completed"):
				deliver.deliver([row.name for row in self.ledger(reference_name=pin)])
			if stage == "Completed":
				self.mail_sent()
		for customer in customers:
			frappe.db.set_value("Customer", customer, "disabled", 0)
		frappe.db.commit()
		return customers

	def told(self) -> int:
		"""Let everything go out that can, for some days; return how many mails have left or are about to."""
		for days in (0, 1, 2):
			with self.at(f"{in_days(days)} 12:00"):
				deliver.deliver([row.name for row in self.ledger(status="Pending")])
				self.run_night()
				api.send_skipped([row.name for row in self.ledger(status=["in", ["Skipped", "Cancelled"]])])
				self.mail_sent()
		rows = self.ledger(status=["in", ["Pending", "Queued", "Completed"]])
		self.assertEqual({row.handle for row in rows}, {str(mail.name) for mail in self.mails()})
		return len(self.mails())

	def test_at_every_stage_under_once_per_customer(self):
		for combine in (0, 1):
			for first in STAGES:
				for second in STAGES:
					if first == second == "Completed":
						# Two mails that had left before anybody knew that it is one person.
						continue
					with self.subTest(f"{first} into {second}, combine {combine}"):
						self._reset()
						old, new = self.two((first, second), **ONCE, combine_messages=combine)
						merged("Customer", old, new)
						self.assertEqual(self.told(), 1)

	def test_what_has_left_counts_whichever_name_it_had(self):
		for stages in (("Completed", "Pending"), ("Pending", "Completed")):
			with self.subTest(stages):
				self._reset()
				old, new = self.two(stages, **ONCE)
				merged("Customer", old, new)
				self.assertEqual(
					sorted((row.status, row.reason) for row in self.ledger()),
					[("Completed", None), ("Skipped", "Already sent")],
				)
				(told,) = self.ledger(status="Completed")
				self.assertEqual(told.suppression_key, suppression_key(told.action, new))

	def test_once_per_expiry_both_pins_are_told(self):
		old, new = self.two(("Pending", "Pending"))
		merged("Customer", old, new)
		self.assertEqual(self.told(), 2)

	def test_a_pin_that_both_have_had_is_told_once(self):
		"""It has changed hands from the one to the other, and they were one."""
		for first, second in (
			("Completed", "Pending"),
			("Queued", "Pending"),
			("Pending", "Pending"),
			("Completed", "Skipped"),
			("Skipped", "Pending"),
		):
			with self.subTest(f"{first}, {second}"):
				self._reset()
				old, new = factories.customer(), factories.customer()
				(pin,) = factories.received()
				sale = factories.sold(old, [pin])
				factories.expire(pin, in_days(30))
				factories.campaign()
				frappe.db.set_value("Customer", old, "disabled", first == "Skipped")
				frappe.db.set_value("Customer", new, "disabled", second == "Skipped")
				with patch.object(deliver, "enqueue"):
					self.run_night()
					if first in ("Queued", "Completed"):
						deliver.deliver([row.name for row in self.ledger()])
					if first == "Completed":
						self.mail_sent()
					frappe.db.set_value("Customer", {"name": ["in", [old, new]]}, "disabled", 0)
					factories.handed_over(sale, new)
					frappe.db.set_value("Customer", new, "disabled", second == "Skipped")
					self.run_night()
				frappe.db.set_value("Customer", {"name": ["in", [old, new]]}, "disabled", 0)
				self.assertEqual(len(self.ledger()), 2)
				merged("Customer", old, new)
				self.assertEqual(self.told(), 1)

	def test_a_mail_that_has_not_left_yet_is_taken_back(self):
		old, new = self.two(("Queued", "Queued"), **ONCE)
		merged("Customer", old, new)
		self.assertEqual(
			sorted((row.status, row.reason) for row in self.ledger()),
			[("Cancelled", "Already sent"), ("Queued", None)],
		)
		self.assertEqual(len(self.mails()), 1)


class TestRenamed(MarketingTestCase):
	def test_a_customer_keeps_both_keys_and_is_not_told_again(self):
		for policy in ("Once per date", "Once per customer"):
			with self.subTest(policy):
				self._reset()
				ana = factories.customer()
				factories.pin(ana, in_days(30))
				factories.campaign(duplicate_policy=policy)
				self.run_night()
				self.mail_sent()
				with caches_kept():
					frappe.rename_doc("Customer", ana, f"{ana} NEW", force=True)
				again = self.run_night()
				(row,) = self.ledger()
				self.assertEqual((again.due, again.known, row.status), (1, 1, "Completed"))
				self.assertEqual(row.message_key, ledger.key_of(row))
				if policy == "Once per customer":
					self.assertEqual(row.suppression_key, suppression_key(row.action, f"{ana} NEW"))

	def test_while_it_is_claimed_it_is_delivered_to_the_new_name(self):
		ana = factories.customer()
		factories.pin(ana, in_days(30))
		factories.campaign(**ONCE)
		with patch.object(deliver, "enqueue"):
			self.run_night()
		with caches_kept():
			frappe.rename_doc("Customer", ana, f"{ana} NEW", force=True)
		deliver.deliver([row.name for row in self.ledger()])
		(row,) = self.ledger()
		self.assertEqual((row.status, row.customer), ("Queued", f"{ana} NEW"))

	def test_one_with_thousands_of_messages_in_seconds(self):
		ana = factories.customer()
		pins = factories.pins(ana, *[in_days(30)] * 300)
		factories.campaign()
		with patch.object(deliver, "enqueue"):
			self.run_night()
		with caches_kept():
			frappe.rename_doc("Customer", ana, f"{ana} NEW", force=True)
		self.assertEqual(
			{row.message_key for row in self.ledger()}, {ledger.key_of(row) for row in self.ledger()}
		)
		self.assertEqual(len(self.ledger(customer=f"{ana} NEW")), len(pins))


class TestSerialNumbersMerged(MarketingTestCase):
	def test_two_names_of_one_pin_are_told_once(self):
		for told in (0, 1):
			with self.subTest(told=told):
				self._reset()
				old, new = factories.pins(factories.customer(), in_days(30), in_days(30))
				factories.campaign()
				with patch.object(deliver, "enqueue"):
					self.run_night()
				if told:
					deliver.deliver([row.name for row in self.ledger(reference_name=old)])
				merged("Serial No", old, new)
				deliver.deliver([row.name for row in self.ledger(status="Pending")])
				self.run_night()
				self.assertEqual(
					sorted((row.reference_name, row.status) for row in self.ledger()),
					[(new, "Queued"), (new, "Skipped")],
				)
				self.assertEqual(len(self.mails()), 1)
