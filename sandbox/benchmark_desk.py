"""What the Desk asks as a Marketing User: seconds and queries of each screen, and of the ledger's lists and counts."""

import contextlib
import time

import benchmark_data as data
import frappe
from frappe.desk import reportview
from frappe.utils import add_days, getdate

from marketing_automation import api
from marketing_automation.engine import ledger
from marketing_automation.marketing_automation.report.campaign_performance import campaign_performance
from marketing_automation.marketing_automation.report.expiring_pins import expiring_pins
from marketing_automation.tests import factories
from marketing_automation.tests.case import statements

COLUMNS = (
	"name",
	"owner",
	"creation",
	"modified",
	"customer",
	"reference_name",
	"occurrence_date",
	"status",
	"reason",
	"campaign",
	"docstatus",
	"idx",
)
# Frappe counts a list no further.
COUNTED = 1001
# Rows of the ledger that the screens and the lists are asked about.
OF_SCREENS, OF_LISTS = 1_000_000, 5_000_000


@contextlib.contextmanager
def marketer():
	"""The session of a Marketing User."""
	frappe.set_user(factories.user("Marketing User"))
	yield
	frappe.set_user("Administrator")


def screens() -> dict:
	"""Return the seconds and the queries of each screen."""
	action = frappe.get_all("Lifecycle Action", fields=["name", "campaign"], order_by="name asc", limit=1)[0]
	today = getdate()
	asked = {
		"health": lambda: api.health(),
		"preview": lambda: api.preview(at_once=1),
		"whole_preview": lambda: api.preview(),
		"forecast": lambda: api.forecast(days=90),
		"journey": lambda: api.journey(action.campaign),
		"coming": lambda: api.coming(action.campaign),
		"message": lambda: api.mail(action.name),
		"run_question": lambda: api.run_preview(action.campaign),
		"recipes": lambda: api.recipes(),
		"due_next_week": lambda: api.due_next_week(),
		"last_run": lambda: api.last_run(),
		"why_customer": lambda: api.why_customer("BENCH-C-0000001"),
		"why_pin": lambda: api.why_reference("Serial No", "BENCH-00000001"),
		"campaign_performance": lambda: campaign_performance.execute(
			{"from_date": str(add_days(today, -365)), "to_date": str(today)}
		),
		"expiring_pins": lambda: expiring_pins.execute(
			{"from_date": str(today), "to_date": str(add_days(today, 30)), "show_all": 1}
		),
	}
	found = {}
	with marketer():
		for name, ask in asked.items():
			# What Frappe loads for a new session is not the screen's.
			ask()
			with statements() as seen:
				found[f"desk_{name}_seconds"] = seconds(ask)
			found[f"desk_{name}_queries"] = len(seen)
	return found


def lists() -> dict:
	"""Return the seconds of the slowest list, bounded count and number card, and of each."""
	month = [str(getdate().replace(day=1)), str(getdate())]
	newest, oldest = (
		frappe.get_all(ledger.DOCTYPE, fields=["*"], order_by=f"name {order}", limit=1)[0]
		for order in ("desc", "asc")
	)
	filters = {
		"all": [],
		"failed": [["status", "=", "Failed"]],
		"sent": [["status", "=", "Completed"]],
		"waiting": [["status", "in", ["Pending", "Queued"]]],
		"campaign": [["campaign", "=", newest.campaign]],
		"action_skipped": [["action", "=", newest.action], ["status", "=", "Skipped"]],
		"run": [["run", "=", newest.run]],
		"first_run": [["run", "=", oldest.run]],
		"customer": [["customer", "=", newest.customer]],
		"rare_reason": [["reason", "=", "Owner changed"]],
		"old_reason": [["reason", "=", "Returned"]],
		"unused_reason": [["reason", "=", "Outcome unknown"]],
	}
	cards = {
		"sent_this_month": [["status", "=", "Completed"], ["due_on", "between", month]],
		"failed_this_month": [["status", "=", "Failed"], ["due_on", "between", month]],
		"waiting": filters["waiting"],
	}
	found = {}
	with marketer():
		for name, conditions in filters.items():
			found[f"desk_list_{name}_seconds_5m"] = seconds(listed, conditions)
			found[f"desk_count_{name}_seconds_5m"] = seconds(counted, conditions)
		for name, conditions in cards.items():
			found[f"desk_card_{name}_seconds_5m"] = seconds(frappe.db.count, ledger.DOCTYPE, conditions)
	slowest = {
		f"desk_{kind}_seconds_5m": max(
			value for key, value in found.items() if key.startswith(f"desk_{kind}_")
		)
		for kind in ("list", "count", "card")
	}
	return {**slowest, **found}


def listed(filters: list) -> list:
	"""Return a page of the list, as the list view asks for it."""
	frappe.local.form_dict = frappe._dict(
		doctype=ledger.DOCTYPE,
		fields=frappe.as_json([f"`tab{ledger.DOCTYPE}`.`{column}`" for column in COLUMNS]),
		filters=frappe.as_json([[ledger.DOCTYPE, *condition] for condition in filters]),
		order_by=f"`tab{ledger.DOCTYPE}`.`{frappe.get_meta(ledger.DOCTYPE).sort_field}` desc",
		start=0,
		page_length=20,
		view="List",
	)
	return reportview.get()


def counted(filters: list) -> int:
	"""Return the number beside the list as Frappe 15 and 16 count it: no further than COUNTED."""
	names = frappe.get_list(
		ledger.DOCTYPE, filters=filters, pluck="name", limit_page_length=COUNTED, order_by=None
	)
	return len(names)


def seconds(work, *arguments) -> float:
	began = time.perf_counter()
	work(*arguments)
	return time.perf_counter() - began


def measure(figures, serial_nos: int) -> None:
	"""Measure the screens and the lists where there are so many serial numbers, one in a hundred due tonight."""
	data.due(serial_nos // 100)
	for rows, work in ((OF_SCREENS, screens), (OF_LISTS, lists)):
		data.ledger(rows, serial_nos)
		# A worker has answered before.
		work()
		figures.measure(work)
