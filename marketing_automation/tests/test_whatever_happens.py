"""Whatever happens to pins, customers and nights, in any order: each owner gets a message once, and nobody is forgotten."""

from collections import Counter
from unittest.mock import patch

import frappe
from frappe.utils import add_days, getdate
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from marketing_automation import api
from marketing_automation.engine import deliver, settle
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, caches_kept
from marketing_automation.tests.factories import in_days

PIN, CUSTOMER = st.integers(0, 2), st.integers(0, 2)
NIGHT = st.just(("night_passes",))
# What happens, by the name of the method below, with what to. Without nights nothing does.
HAPPENINGS = st.one_of(
	NIGHT,
	NIGHT,
	st.sampled_from([("jobs_are_lost",), ("server_takes",), ("server_refuses",), ("sent_by_hand",)]),
	st.tuples(st.just("is_sold"), PIN, CUSTOMER),
	st.tuples(st.just("is_sold"), PIN, CUSTOMER),
	st.tuples(st.just("comes_back"), PIN),
	st.tuples(st.just("gets_another_date_or_its_old_one"), PIN),
	st.tuples(st.just("freezes_or_thaws"), CUSTOMER),
	st.tuples(st.just("freezes_or_thaws"), CUSTOMER),
	st.tuples(st.just("is_renamed"), CUSTOMER),
	st.tuples(st.just("is_merged"), CUSTOMER, CUSTOMER),
)
TOLD = ("Pending", "Queued", "Completed")


class TestWhateverHappens(MarketingTestCase):
	@settings(
		deadline=None, max_examples=10, suppress_health_check=list(HealthCheck), phases=(Phase.generate,)
	)
	@given(st.lists(HAPPENINGS, min_size=4, max_size=14), st.booleans(), st.booleans())
	def test_each_owner_is_told_once_and_nobody_is_forgotten(self, happenings, once, combine):
		self._reset()
		self.once, self.day, self.today = once, 0, in_days(0)
		self.customers = [factories.customer() for _ in range(3)]
		self.pins = factories.received(3)
		# By pin: the last sale and its customer's number.
		self.sales, self.owners = {}, {}
		# What two customers had got before they became one.
		self.had_before = Counter()
		# Due on the first night.
		self.expiry, self.another = getdate(add_days(self.today, 31)), getdate(add_days(self.today, 91))
		factories.expire(self.pins, self.expiry)
		factories.campaign(
			combine_messages=int(combine),
			duplicate_policy="Once per customer" if once else "Once per date",
		)
		# One is in stock, and one has an owner who cannot be sent anything.
		self.is_sold(0, 0)
		self.is_sold(1, 1)
		self.freezes_or_thaws(1)
		for what, *which in happenings:
			getattr(self, what)(*which)
			frappe.db.commit()
			self.check_once()
		self.what_was_lost_is_taken_up()
		self.night_passes()
		self.check_once()
		self.check_nobody_is_forgotten()

	# -- what happens --------------------------------------------------------------------------------------------

	def clock(self, hour: int):
		return self.at(f"{add_days(self.today, self.day)} {hour:02}:00")

	def night_passes(self) -> None:
		self.day += 1
		with self.clock(1):
			self.run_night()

	def jobs_are_lost(self) -> None:
		with patch.object(deliver, "enqueue"):
			self.night_passes()

	def what_was_lost_is_taken_up(self) -> None:
		with self.clock(20):
			settle.settle()

	def server_takes(self) -> None:
		self.mails_end(status="Sent")

	def server_refuses(self) -> None:
		self.mails_end(status="Error", error="smtplib.SMTPDataError: (554, b'no')")

	def mails_end(self, **fields) -> None:
		frappe.db.set_value("Email Queue", {"status": "Not Sent"}, fields)
		with self.clock(2):
			frappe.db.commit()
			settle.settle()

	def sent_by_hand(self) -> None:
		with self.clock(3):
			api.retry([row.name for row in self.ledger(status="Failed")])
			api.send_skipped([row.name for row in self.ledger(status=["in", ["Skipped", "Cancelled"]])])

	def is_sold(self, pin: int, customer: int) -> None:
		"""To a customer, back from another if need be."""
		self.comes_back(pin)
		self.sales[pin] = self.keeping_its_date(
			pin, factories.sold, self.customers[customer], [self.pins[pin]]
		)
		self.owners[pin] = customer

	def comes_back(self, pin: int) -> None:
		if sale := self.sales.pop(pin, None):
			self.keeping_its_date(pin, factories.returned, frappe.get_doc(sale.doctype, sale.name))
			del self.owners[pin]

	def keeping_its_date(self, pin: int, work, *arguments):
		date_ = frappe.db.get_value("Serial No", self.pins[pin], "warranty_expiry_date")
		# ERPNext sells nothing to a customer who is frozen, and takes nothing back; here only the message matters.
		frozen = [name for name in set(self.customers) if frappe.db.get_value("Customer", name, "is_frozen")]
		self.freeze(frozen, 0)
		result = work(*arguments)
		self.freeze(frozen, 1)
		factories.expire(self.pins[pin], date_)
		return result

	@staticmethod
	def freeze(customers: list[str], frozen: int) -> None:
		for name in customers:
			frappe.db.set_value("Customer", name, "is_frozen", frozen)

	def gets_another_date_or_its_old_one(self, pin: int) -> None:
		there = frappe.db.get_value("Serial No", self.pins[pin], "warranty_expiry_date") == self.expiry
		factories.expire(self.pins[pin], self.another if there else self.expiry)

	def freezes_or_thaws(self, customer: int) -> None:
		frozen = frappe.db.get_value("Customer", self.customers[customer], "is_frozen")
		self.freeze([self.customers[customer]], not frozen)

	def is_renamed(self, customer: int) -> None:
		self.rename(self.customers[customer], factories.unique("Test Renamed"))

	def is_merged(self, customer: int, into: int) -> None:
		old, new = self.customers[customer], self.customers[into]
		if old != new:
			self.rename(old, new, merge=True)
			rows = self.ledger(status="Completed", customer=new)
			self.had_before |= Counter(map(self.message, rows)) | self.mails_of(rows)

	def rename(self, old: str, new: str, **options) -> None:
		with caches_kept():
			frappe.rename_doc("Customer", old, new, force=True, **options)
		self.customers = [new if name == old else name for name in self.customers]
		self.had_before = Counter(
			{(*key[:-1], new if key[-1] == old else key[-1]): count for key, count in self.had_before.items()}
		)

	# -- what holds ----------------------------------------------------------------------------------------------

	@staticmethod
	def message(row) -> tuple:
		return row.action, row.reference_name, row.occurrence_date, row.customer

	@staticmethod
	def mails_of(rows) -> Counter:
		"""Return {(action, customer): how many mails these rows are, or become}."""
		mails = {(row.action, row.customer, row.handle or row.run) for row in rows}
		return Counter((action, customer) for action, customer, _mail in mails)

	def check_once(self) -> None:
		rows = self.ledger(status=["in", TOLD])
		counts = Counter(map(self.message, rows))
		if self.once:
			counts |= self.mails_of(rows)
		for key, count in counts.items():
			self.assertLessEqual(count, max(1, self.had_before[key]), key)

	def check_nobody_is_forgotten(self) -> None:
		if self.day > 8:
			return
		for pin, customer in self.owners.items():
			name, owner = self.pins[pin], self.customers[customer]
			due = frappe.db.get_value("Serial No", name, "warranty_expiry_date") == self.expiry
			known = self.ledger(reference_name=name, occurrence_date=self.expiry)
			if not due or not known or frappe.db.get_value("Customer", owner, "is_frozen"):
				continue
			about = {} if self.once else {"reference_name": name, "occurrence_date": self.expiry}
			handled = self.ledger(customer=owner, status=["in", [*TOLD, "Failed"]], **about)
			self.assertTrue(handled, (name, owner, self.ledger()))
