"""One night and the morning after it on demonstration data, through the scheduler's queue, a worker and a real SMTP conversation.

Run inside the bench: demo.py SITE DAY. Ends with 0 only if the sums reconcile; its last line is for machines.
"""

import sys
from collections import Counter
from datetime import date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import clock
import frappe
import workers
from demo_data import COMPLAINS, RENEWED
from frappe.installer import update_site_config
from frappe.utils import add_days, getdate

from marketing_automation.tests import smtp_sink

SENDER = "shop@company.example"
NIGHT = "marketing_automation.tasks.check_expiring_subscriptions"
SETTLE = "marketing_automation.tasks.settle_deliveries"
GOAL_REACHED = "Goal reached"
ON_HOLD = "On hold"
FLUSH = "frappe.email.queue.flush"
LOG = Path("..") / "logs" / "demo-worker.log"
AT_NIGHT, IN_THE_MORNING = time(1), time(9, 5)


def main(site: str, day: date) -> int:
	"""Play the night of a day and its morning, the night once more, and compare what was due, what the ledger says and what arrived."""
	sink = smtp_sink.Sink()
	with smtp_sink.listening(sink) as port:
		connect(site)
		for key, value in {"mail_server": "127.0.0.1", "mail_port": port, "auto_email_id": SENDER}.items():
			update_site_config(key, value)
		go_to(day, AT_NIGHT)
		expected = count_due()
		print(
			f"\n{expected} messages are due on {day:%A} {day} ({time_zone()}). It is one o'clock in the morning."
		)
		work(NIGHT)
		deliver_mail()
		work(SETTLE)
		at_night = Counter(row.status for row in ledger())
		print(
			f"{at_night['Waiting']} wait for the hours in which the shop writes; {len(sink.mails)} mails have left."
		)
		by_night = len(sink.mails)
		go_to(day, IN_THE_MORNING)
		work(SETTLE)
		deliver_mail()
		work(SETTLE)
		rows = ledger()
		print(f"\nIt is five past nine, and {len(sink.mails)} mails have left.")
		show(rows, sink)
		before = len(rows)
		work(NIGHT)
		deliver_mail()
		work(SETTLE)
		again = ledger()
		runs = frappe.get_all("Lifecycle Run", fields=["*"], order_by="name asc")
	print("\nThe same night again")
	for run in runs:
		print(
			f"  {run.name}  {run.status:<10} due {run.due:>4}  already known {run.known:>4}  completed {run.completed:>4}  "
			f"skipped {run.skipped:>3}  failed {run.failed:>2}  {run.duration:.1f} s"
		)
	return reconcile(expected, again, runs, sink, second_run_new=len(again) - before, by_night=by_night)


def go_to(day: date, hour: time) -> None:
	"""Make it an hour of a day in the site's time zone, here and for the workers."""
	clock.go_to(datetime.combine(day, hour, ZoneInfo(time_zone())))


def connect(site: str) -> None:
	"""(Re)connect to the site, so that what others have written is seen."""
	frappe.init(site=site, sites_path=".")
	frappe.connect()
	frappe.set_user("Administrator")


def time_zone() -> str:
	return frappe.db.get_single_value("System Settings", "time_zone")


def count_due() -> int:
	"""Count what is due tonight without the engine: documents on the dates that the triggers wait for."""
	triggers = frappe.get_all("Lifecycle Trigger", {"enabled": 1}, ["source", "trigger_type", "days_offset"])
	sign = {"Before": 1, "On": 0, "After": -1}
	return sum(
		DUE_ON[trigger.source](add_days(getdate(), sign[trigger.trigger_type] * trigger.days_offset))
		for trigger in triggers
	)


def _sold_of_batches(expiry_date) -> int:
	"""Count the sales of batches that expire on a date. In the demonstration each is to a customer of its own."""
	batches = frappe.get_all("Batch", {"expiry_date": expiry_date}, pluck="name")
	sold = {"batch_no": ["in", batches], "docstatus": 1}
	return frappe.db.count("Sales Invoice Item", sold) if batches else 0


DUE_ON = {
	"Serial No": lambda day: frappe.db.count("Serial No", {"warranty_expiry_date": day}),
	"Quotation": lambda day: frappe.db.count("Quotation", {"valid_till": day, "status": "Open"}),
	"Sales Invoice": lambda day: frappe.db.count(
		"Sales Invoice", {"due_date": day, "docstatus": 1, "outstanding_amount": [">", 0]}
	),
	"Batch": _sold_of_batches,
}


def work(method: str) -> None:
	"""Queue a scheduled job as the scheduler does, and let a worker do it and what follows from it."""
	job = frappe.get_doc("Scheduled Job Type", {"method": method})
	job.enqueue(force=True)
	frappe.db.commit()
	workers.work_off(LOG)
	frappe.db.rollback()


def deliver_mail() -> None:
	"""Let Frappe send what is in the Email Queue, some hundred mails at a time."""
	while waiting := frappe.db.count("Email Queue", {"status": "Not Sent"}):
		work(FLUSH)
		if frappe.db.count("Email Queue", {"status": "Not Sent"}) == waiting:
			raise RuntimeError(f"The Email Queue does not move: {waiting} mails wait. See {LOG.resolve()}.")


def ledger() -> list:
	return frappe.get_all("Lifecycle Execution Log", fields=["*"], order_by="creation asc, name asc")


def show(rows: list, sink: smtp_sink.Sink) -> None:
	"""Print the outcome by status and reason, and one whole mail."""
	print("\nThe ledger")
	for (status, reason), count in sorted(Counter((row.status, row.reason or "") for row in rows).items()):
		print(f"  {status:<10} {reason:<22} {count:>4}")
	print("\nBy campaign")
	for (campaign, status), count in sorted(Counter((row.campaign, row.status) for row in rows).items()):
		print(f"  {campaign:<26} {status:<10} {count:>4}")
	for row in rows:
		if row.reason == GOAL_REACHED:
			print(
				f"\n{_name(row)} was not written to about {row.reference_name}: {row.evidence_doctype} "
				f"{row.evidence_name} shows that it is renewed."
			)
		if row.reason == ON_HOLD:
			print(
				f"\n{_name(row)} is not written to about {row.reference_name} before {row.evidence_doctype} {row.evidence_name} is "
				f"closed. It is asked again at {row.due_at}."
			)
	print(f"\n{len(sink.mails)} mails arrived. One of them, whole:\n")
	spanish = [mail for mail in sink.messages() if "vence" in mail["Subject"]]
	message = (spanish or sink.messages())[0]
	for name in ("From", "To", "Subject", "Date", "Message-Id"):
		print(f"  {name}: {message[name]}")
	for kind in ("plain", "html"):
		print(f"\n  -- {message.get_body((kind,)).get_content_type()}")
		for line in message.get_body((kind,)).get_content().splitlines():
			print(f"  {line}".rstrip())


def _name(row) -> str:
	return frappe.db.get_value("Customer", row.customer, "customer_name")


def reconcile(
	expected: int, rows: list, runs: list, sink: smtp_sink.Sink, second_run_new: int, by_night: int
) -> int:
	"""Print what does not add up, and the last line; return the exit code."""
	count = Counter(row.status for row in rows)
	mails = {row.handle for row in rows if row.status == "Completed"}
	arrived = Counter(recipient for recipients, _mail in sink.mails for recipient in recipients)
	written = {row.handle: row.recipient for row in rows if row.status == "Completed"}
	first = runs[0]
	problems = [
		text
		for text, wrong in {
			"not all that is due has a ledger row": expected != len(rows),
			"rows are left without an outcome": len(rows)
			!= count["Completed"] + count["Waiting"] + count["Skipped"] + count["Failed"],
			"something left by night": by_night != 0,
			"mails that arrived are not those of the completed rows": len(sink.mails) != len(mails),
			"mails did not go to the recipients of the ledger": arrived != Counter(written.values()),
			"the run's counts are not those of the ledger": (
				first.due,
				first.completed,
				first.waiting,
				first.skipped,
				first.failed,
			)
			!= (len(rows), count["Completed"], count["Waiting"], count["Skipped"], count["Failed"]),
			"the second run wrote to somebody again": second_run_new != 0,
			"nobody was sent anything": not count["Completed"],
			"a campaign was sent to nobody": {row.campaign for row in rows if row.status == "Completed"}
			!= set(frappe.get_all("Lifecycle Campaign", {"is_active": 1}, pluck="name")),
			"who has renewed was not left out, or somebody else was": [
				_name(row) for row in rows if row.reason == GOAL_REACHED
			]
			!= [RENEWED],
			"who has a complaint does not wait, or somebody else does": [
				_name(row) for row in rows if row.reason == ON_HOLD
			]
			!= [COMPLAINS],
			"something waits for nothing": {row.reason for row in rows if row.status == "Waiting"}
			- {ON_HOLD, "Frequency cap"},
			"somebody had two mails in one morning": max(arrived.values()) > 1,
		}.items()
		if wrong
	]
	for problem in problems:
		print(f"\nWRONG: {problem}.")
	print(
		f"\ndemo: due={expected} completed={count['Completed']} waiting={count['Waiting']} "
		f"skipped={count['Skipped']} failed={count['Failed']} mails={len(sink.mails)} second_run_new={second_run_new}"
	)
	return int(bool(problems))


if __name__ == "__main__":
	sys.exit(main(sys.argv[1], date.fromisoformat(sys.argv[2])))
