"""What the tests of sources share: something of each kind that is due on a day, and what a trigger about it says."""

from collections.abc import Callable
from contextlib import contextmanager
from typing import NamedTuple
from unittest.mock import patch

import frappe

from marketing_automation import hooks
from marketing_automation.tests import factories

BIRTHDAY = "test_day_of_the_year"


class Kind(NamedTuple):
	"""A source: the date that its triggers go by, and how something of a customer's gets that date; returns its name."""

	date_field: str
	make: Callable[[str, object], str]

	def trigger(self, source: str, **fields) -> dict:
		"""Return a trigger about it: 7 days before, unless `fields` say otherwise."""
		return {"source": source, "date_field": self.date_field, "days_offset": 7, **fields}


def _day_of_a_customer(customer: str, day) -> str:
	frappe.db.set_value("Customer", customer, BIRTHDAY, day)
	return customer


def forget_dates() -> None:
	"""Take the dates off all that tests have made for customers."""
	factories.forget_dates()
	customer = frappe.qb.DocType("Customer")
	frappe.qb.update(customer).set(customer[BIRTHDAY], None).where(customer[BIRTHDAY].isnotnull()).run()


KINDS = {
	"Serial No": Kind("warranty_expiry_date", factories.pin),
	"Batch": Kind("expiry_date", lambda customer, day: factories.batch(day, customer)),
	"Subscription": Kind("end_date", lambda customer, day: factories.subscription(customer, end=day).name),
	"Contract": Kind("end_date", lambda customer, day: factories.contract(customer, day).name),
	"Quotation": Kind("valid_till", lambda customer, day: factories.quotation(customer, day).name),
	"Sales Invoice": Kind("due_date", lambda customer, day: factories.invoice(customer, day).name),
	"Sales Order": Kind("delivery_date", lambda customer, day: factories.sales_order(customer, day).name),
	"Maintenance Schedule": Kind(
		"scheduled_date", lambda customer, day: factories.maintenance_schedule(customer, day).name
	),
	"Customer": Kind(BIRTHDAY, _day_of_a_customer),
}
TEMPLATE = ("Dear {{ customer_name }}", "<p>{{ customer_name }}: {{ date }}, {{ days_left }} days left.</p>")


def template() -> str:
	"""Return an Email Template that is right for messages about anything."""
	return factories.template(*TEMPLATE)


@contextmanager
def registered(hook: str, **entries: str):
	"""Have entries in a hook of ours, {key: dotted path}, as another app would have them in its own."""
	with patch.dict(getattr(hooks, hook), entries):
		_forget_hooks()
		try:
			yield
		finally:
			# The patch is undone after this.
			for key in entries:
				getattr(hooks, hook).pop(key, None)
			_forget_hooks()


def _forget_hooks() -> None:
	frappe.cache().delete_value("app_hooks")
	if hasattr(frappe.local, "request_cache"):
		frappe.local.request_cache.clear()
