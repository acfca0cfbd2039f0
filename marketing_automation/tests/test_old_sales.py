"""Whoever bought a pin is found however old the sale is, and however its serial number is written there."""

from unittest.mock import patch

import frappe

from marketing_automation import api, erpnext_schema
from marketing_automation.channels.email import reach
from marketing_automation.engine.model import DueEvent
from marketing_automation.engine.names import ByName, folded, same
from marketing_automation.sources import ownership, serial_no
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, statements
from marketing_automation.tests.factories import forget_bundles, forget_owner, in_days


def write(sale, text: str, table: str | None = None) -> None:
	"""Let the text field of a sale's only line (or of its row in another table) say this."""
	frappe.db.set_value(table or f"{sale.doctype} Item", {"parent": sale.name}, "serial_no", text)


def owners(*names: str) -> list:
	"""Return (customer, reason) of each serial number."""
	rows = frappe.get_all(
		"Serial No", filters={"name": ["in", names]}, fields=serial_no.SOURCE.fields(), order_by="name asc"
	)
	by_name = dict(
		zip([row.name for row in rows], serial_no.SOURCE.owners_of(serial_no.SPEC, rows), strict=True)
	)
	return [by_name[name] for name in names]


class TestText(MarketingTestCase):
	def old_sale(self, customer: str, names: list[str], text: str, doctype: str = "Sales Invoice"):
		"""Return a sale of the time before bundles in which the serial numbers are written so."""
		sale = factories.sold(customer, names, doctype)
		forget_owner(*names)
		forget_bundles(*names)
		write(sale, text)
		return sale

	def test_whatever_stands_between_them(self):
		for doctype in ("Sales Invoice", "Delivery Note"):
			for between in (
				"\n",
				", ",
				",",
				";",
				" ; ",
				"\r\n",
				",\n",
				"\n\n",
				" ,",
				" ",
				"\t",
				"\u00a0,",
				"，",
				"、",
			):
				with self.subTest(doctype=doctype, between=between):
					ana = factories.customer()
					names = factories.received(3)
					self.old_sale(ana, names, between.join(names), doctype)
					self.assertEqual(owners(*names), [(ana, None)] * 3)

	def test_with_what_has_no_width_round_it(self):
		ana = factories.customer()
		names = factories.received(2)
		self.old_sale(ana, names, f"\ufeff{names[0]}\u200b,\u2060{names[1]}\u200e")
		self.assertEqual(owners(*names), [(ana, None)] * 2)

	def test_in_another_letter_case_and_with_spaces_round_it(self):
		ana = factories.customer()
		names = factories.received(2)
		first, second = names
		self.old_sale(ana, names, f"  {first.lower()} \n\t{second.title()}\u00a0")
		self.assertEqual(owners(*names), [(ana, None)] * 2)

	def test_with_accents_and_with_what_patterns_mean_something_else_by(self):
		ana = factories.customer()
		for name in ("Ñandú-1", "A.B*(C)", "100%_[x]", "back\\slash", "a'b\"c", "x{2}|y", "q?", "李-7"):
			with self.subTest(name):
				own = f"TEST-{name}-{frappe.generate_hash(length=6)}"
				self.old_sale(ana, factories.received(names=[own]), f"other, {own.lower()};")
				self.assertEqual(owners(own), [(ana, None)])

	def test_a_name_that_is_part_of_another_or_of_one_with_spaces_is_not_taken_for_it(self):
		ana, part = factories.customer(), f"TEST-{frappe.generate_hash(length=8)}".upper()
		longer = [f"{part}-1", f"1-{part}", f"{part} 2"]
		factories.received(names=[part, *longer])
		self.old_sale(ana, longer, ", ".join(longer))
		self.assertEqual(owners(part, *longer), [(None, "No customer"), *[(ana, None)] * 3])

	def test_the_last_sale_or_return_counts(self):
		ana, eva = factories.customer(), factories.customer()
		names = factories.received(2)
		kept, given_back = names
		first = factories.sold(ana, names)
		second = factories.returned(first)
		third = factories.sold(eva, [kept])
		forget_owner(*names)
		forget_bundles(*names)
		for sale in (first, second):
			write(sale, ",".join(names).lower())
		write(third, f"{kept};")
		self.assertEqual(owners(kept, given_back), [(eva, None), (None, "Returned")])

	def test_a_cancelled_sale_and_a_draft_do_not_count(self):
		names = factories.received()
		sale = factories.sold(factories.customer(), names)
		sale.reload()
		sale.cancel()
		forget_bundles(*names)
		write(sale, names[0])
		self.assertEqual(owners(*names), [(None, "No customer")])

	def test_many_are_looked_for_at_once(self):
		ana = factories.customer()
		alone, first, second, _unsold = names = factories.received(4)
		self.old_sale(ana, [alone], alone.lower())
		self.old_sale(ana, [first, second], f"{first}; {second.lower()}")
		with patch.object(ownership, "LONGEST_PATTERN", 20):
			self.assertEqual(owners(*names), [*[(ana, None)] * 3, (None, "No customer")])

	def test_the_night_and_why_know_them(self):
		ana = factories.customer("Test Old Ana")
		names = factories.received(2)
		self.old_sale(ana, names, ", ".join(names).lower())
		told, later = names
		factories.expire(told, in_days(30))
		factories.expire(later, in_days(40))
		factories.campaign()
		self.run_night()
		self.assertEqual(self.outcome_of(told), ("Queued", None))
		self.assertEqual([step["reference_name"] for step in api.why_customer(ana)["coming"]], [later])
		self.assertEqual(api.why_reference("Serial No", later)["customer"], ana)

	def test_of_all_that_an_item_was_sold_on_only_the_lines_that_can_be_meant_are_read(self):
		names = factories.received(30)
		forget_bundles(*names)
		self.old_sale(factories.customer(), names[:10], "\n".join(names[:10]))
		self.old_sale(factories.customer(), names[10:20], "\n".join(names[10:20]))
		(row,) = frappe.get_all("Serial No", filters={"name": names[25]}, fields=serial_no.SOURCE.fields())
		event = DueEvent(None, "Serial No", row.name, row.item_code, row.company, None, None, None)
		self.assertEqual(ownership._lines_that_name("Sales Invoice", [row.name], [row.item_code]), [])
		with statements() as for_one:
			ownership.owners([event])
		with statements() as for_all:
			owners(*names)
		# One of Serial No is the test's own.
		self.assertLessEqual(len(for_all) - 1, len(for_one) + len(ownership.erpnext_schema.sales()))


class TestSet(MarketingTestCase):
	"""What is sold inside of a product bundle stands in Packed Item alone."""

	def test_by_its_bundle_and_by_its_text(self):
		for doctype in ("Sales Invoice", "Delivery Note"):
			with self.subTest(doctype):
				ana = factories.customer()
				names = factories.received(2)
				sale = factories.sold_in_a_set(ana, names, doctype)
				forget_owner(*names)
				self.assertEqual(owners(*names), [(ana, None)] * 2)
				forget_bundles(*names)
				write(sale, ", ".join(names).lower(), "Packed Item")
				self.assertEqual(owners(*names), [(ana, None)] * 2)
				for name in names:
					factories.expire(name, in_days(35))
				factories.campaign()
				coming = {step["reference_name"] for step in api.why_customer(ana)["coming"]}
				self.assertEqual(coming, set(names))


class TestLetters(MarketingTestCase):
	"""To the database the case of letters is nothing; so it is to us."""

	def test_a_bundle_s_entry(self):
		ana = factories.customer()
		pin = factories.pin(ana, in_days(30))
		forget_owner(pin)
		frappe.db.set_value("Serial and Batch Entry", {"serial_no": pin}, "serial_no", pin.lower())
		self.assertEqual(owners(pin), [(ana, None)])
		factories.campaign()
		self.run_night()
		self.assertEqual(self.outcome_of(pin), ("Queued", None))

	def test_the_customer_of_a_sale(self):
		ana = factories.customer("Test Letters Ana")
		pin = factories.pin(ana, in_days(30))
		forget_owner(pin)
		frappe.db.set_value("Sales Invoice", factories.sale_of(pin).name, "customer", ana.upper())
		campaign = factories.campaign(duplicate_policy="Once per customer")
		self.run_night()
		(row,) = self.ledger()
		# One name a customer: by another one they could get the message once more.
		self.assertEqual((row.status, row.customer), ("Queued", ana))
		self.assertEqual(api.why_customer(ana.lower())["customer_name"], "Test Letters Ana")
		self.assertEqual(campaign.name, row.campaign)

	def test_the_item_its_group_and_the_company(self):
		group = factories.item_group("Test Letters")
		code = factories.item("TEST-LETTERS", group=group)
		pin = factories.pin(factories.customer(), in_days(30), item_code=code)
		frappe.db.set_value(
			"Serial No", pin, {"item_code": code.lower(), "company": factories.company().upper()}
		)
		self.addCleanup(
			frappe.db.set_value, "Serial No", pin, {"item_code": code, "company": factories.company()}
		)
		campaign = factories.campaign({"item_group": group}, company=factories.company())
		self.assertEqual(api.forecast(campaign.name)["total"], 1)
		(row,) = api.preview(campaign.name)["rows"]
		self.assertEqual((row["item_name"], row["outcome"]), ("TEST-LETTERS subscription", "send"))

	def test_an_unsubscribe_with_other_letters_or_a_space(self):
		for written in (str.upper, lambda email: f"{email} "):
			ana = factories.customer()
			pin = factories.pin(ana, in_days(30))
			left = factories.make("Email Unsubscribe", email=factories.address(ana), global_unsubscribe=1)
			frappe.db.set_value("Email Unsubscribe", left.name, "email", written(factories.address(ana)))
			factories.campaign()
			self.run_night()
			self.assertEqual(
				{(row.status, row.reason) for row in self.ledger(reference_name=pin)},
				{("Skipped", "Unsubscribed")},
			)

	def test_the_contact_that_a_customer_names(self):
		ana = factories.customer()
		chosen = factories.contact(ana, "chosen.letters@customers.example")
		frappe.db.set_value("Customer", ana, "customer_primary_contact", chosen.upper())
		self.assertEqual(reach.reach({ana})[ana].address, "chosen.letters@customers.example")

	def test_what_is_one_name_here_is_one_name_to_the_database(self):
		for one, other in (
			("Ana", "ANA"), ("José", "jose"), ("José", "Jose\u0301"), ("Ana", "Ana  "), ("STRASSE", "straße"),
			("Ana", " Ana"), ("Ana", "Anna"), ("Løve", "Love"), ("กิ", "กี"), ("Ana-1", "Ana 1"), ("", None),
			("क", "कि"), ("שלום", "שלום"), ("Ⅷ", "viii"), ("й", "и"),
		):  # fmt: skip
			with self.subTest(one=one, other=other):
				((equal,),) = frappe.db.sql(
					"select convert(%s using utf8mb4) collate utf8mb4_unicode_ci = convert(%s using utf8mb4)",
					(one, other or ""),
				)
				self.assertEqual(same(one, other), bool(equal))

	def test_two_names_that_could_both_be_meant_are_not_guessed(self):
		found = ByName({"Ana": 1, "ANA": 2, "Eva": 3})
		self.assertEqual(
			[found.get(name) for name in ("Ana", "ANA", "ana", "eva", "", None)], [1, 2, None, 3, None, None]
		)
		self.assertEqual(folded("EVA "), "eva")


class TestStale(MarketingTestCase):
	"""A site that comes from ERPNext 14 shows customers on Serial No who may have given it back since."""

	def setUp(self):
		super().setUp()
		if not erpnext_schema.has_owner():
			self.skipTest("Serial No names no customer here")

	def test_there_the_last_movement_decides(self):
		ana, eva = factories.customer(), factories.customer()
		resold, _given_back, untouched = names = factories.pins(ana, *[in_days(30)] * 3)
		factories.returned(factories.sale_of(resold))
		factories.sold(eva, [resold])
		forget_bundles(untouched)
		frappe.db.set_value("Serial No", {"name": ["in", names]}, "customer", ana)
		columns = frappe.db.get_table_columns("Serial No")
		self.assertEqual(owners(resold), [(ana, None)])
		before = frappe.db.has_column
		frappe.db.has_column = lambda doctype, column: column in (*columns, erpnext_schema.OF_ERPNEXT_14)
		self.addCleanup(setattr, frappe.db, "has_column", before)
		self.assertEqual(owners(*names), [(eva, None), (None, "Returned"), (ana, None)])
