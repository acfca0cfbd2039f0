"""How fast it is, beside what users have today and beside what the machine can do.

Run inside a bench by `make benchmark` (see cli.py): benchmark.py SITE OUT.json PLOT.svg [--rows N] [--repeat N]. The site is filled
with a large shop and cannot be used for anything else. Each figure is measured `--repeat` times; the JSON has the medians,
and under "details" every single one.
"""

import argparse
import contextlib
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from unittest.mock import patch
from zoneinfo import ZoneInfo

import benchmark_data as data
import benchmark_desk as desk
import frappe
import time_machine
import workers
from frappe.email.doctype.notification import notification as frappe_notification
from frappe.installer import update_site_config
from frappe.utils import cint, get_system_timezone, getdate, now_datetime
from growth_plot import plot

from marketing_automation.channels.email import channel as email
from marketing_automation.channels.email import queue as email_queue
from marketing_automation.engine import (
	deliver,
	dispatch,
	gate,
	holds,
	ledger,
	plan,
	rules,
	run,
	transaction,
)
from marketing_automation.engine.settings import limit
from marketing_automation.tests import smtp_sink
from marketing_automation.tests.case import statements

LOG = Path("..") / "logs" / "benchmark-worker.log"
OURS = (ledger.DOCTYPE, ledger.RUN, "Email Queue", "Email Queue Recipient")
PARTS = ("plan", "growth", "desk", "sources", "gate", "queue", "workers", "email_campaign")
# Of each kind of document that is no invoice and no serial number; and of a night's messages, those about pins.
DATED_DOCUMENTS = 100_000
PINS_AMONG_ALL = 4000
QUEUED_MAILS = 2000
PEER_MAILS = 200
END_TO_END_MAILS = 2000
GATE_MAILS = 10_000
SETTINGS = "Marketing Automation Settings"


# What no change may go over, as far as it does not depend on the machine: ratios within a run, and queries.
LIMITS = {
	"gate_share_added": 0.2,
	"gate_queries_a_page": 15,
	"gate_queries_a_page_and_hold": 2,
	"sources_plan_share_of_limit": 1,
	"sources_plan_queries_a_page": 20,
}


class Figures:
	"""What was measured: {key: [values]}."""

	def __init__(self, repeat: int):
		self.repeat = repeat
		self.values = defaultdict(list)

	def measure(self, work, *arguments) -> None:
		"""Do `work` so many times; it returns {key: value}. Prints a line for each key."""
		results = [work(*arguments) for _ in range(self.repeat)]
		for key in results[0]:
			self.values[key] = [result[key] for result in results]
			self.show(key)

	def show(self, key: str) -> None:
		values = self.values[key]
		spread = f"{min(values):,.4g} to {max(values):,.4g}" if len(values) > 1 else ""
		print(f"  {key:<44} {self.median(key):>12,.4g}   {spread}", flush=True)

	def share(self, key: str, of: str, to: str) -> None:
		"""Write down the ratio of two medians."""
		self.values[key] = [self.median(of) / self.median(to)]
		self.show(key)

	def median(self, key: str) -> float:
		return statistics.median(self.values[key])

	def over_their_limits(self) -> list[str]:
		"""Return what is over LIMITS, a line each."""
		return [
			f"{key} is {self.median(key):.3g}, over its limit of {limit}."
			for key, limit in LIMITS.items()
			if key in self.values and self.median(key) > limit
		]

	def as_dict(self) -> dict:
		return {
			**{key: round(self.median(key), 6) for key in self.values},
			"details": {
				key: {
					"runs": [round(value, 6) for value in values],
					"spread": round(max(values) - min(values), 6),
				}
				for key, values in self.values.items()
			},
		}


# -- the site ----------------------------------------------------------------------------------------------------


def connect(site: str) -> None:
	frappe.init(site=site, sites_path=".")
	frappe.connect()
	frappe.set_user("Administrator")


def forget() -> None:
	"""Remove all that was sent."""
	frappe.db.rollback()
	for doctype in OURS:
		frappe.db.sql_ddl(f"truncate table `tab{doctype}`")
	frappe.db.commit()


def activate(names: list[str]) -> None:
	"""Switch these campaigns on, and the others off."""
	frappe.db.set_value("Lifecycle Campaign", {}, "is_active", 0)
	frappe.db.set_value("Lifecycle Campaign", {"name": ["in", names]}, "is_active", 1)
	for doctype in ("Lifecycle Campaign", "Lifecycle Trigger", "Lifecycle Action"):
		frappe.db.set_value(doctype, {}, "active_since", None)
	frappe.db.commit()


def new_run() -> str:
	doc = frappe.new_doc(ledger.RUN)
	doc.update({"run_type": "Manual", "status": "Running", "night": getdate(), "started_at": now_datetime()})
	doc.flags.by_engine = True
	doc.insert(ignore_permissions=True)
	frappe.db.commit()
	return doc.name


def pages():
	"""Yield tonight's plan."""
	return plan.plan(plan.windows_for_day(rules.load(), getdate()), getdate())


@contextlib.contextmanager
def clock():
	"""Yield a function that returns the seconds since the block began; after it, how long it took."""
	began = time.perf_counter()
	ended = None
	yield lambda: (ended or time.perf_counter()) - began
	ended = time.perf_counter()


# -- plan and claim ----------------------------------------------------------------------------------------------


def planning() -> dict:
	with statements() as seen, clock() as seconds:
		due = sum(len(page) for page in pages())
	with clock() as scan:
		frappe.db.sql(
			"select count(*) from `tabSerial No` where date_add(warranty_expiry_date, interval 0 day) = curdate()"
		)
	frappe.db.rollback()
	return {
		"plan_seconds_1m_10k": seconds(),
		"plan_due": due,
		"plan_queries_1m_10k": len(seen),
		"plan_pages_of_serial_no": sum("`tabSerial No`" in query for query in seen),
		"limit_serial_no_scan_seconds": scan(),
	}


def goals() -> dict:
	"""Plan the same night with the goal Renewed and without any."""
	result = {}
	for key, goal in (("no_goal", ""), ("goal", "Renewed")):
		frappe.db.set_value("Lifecycle Campaign", {}, "goal", goal)
		frappe.db.commit()
		with statements() as seen, clock() as seconds:
			messages = [message for page in pages() for message in page]
		result[f"plan_seconds_1m_10k_{key}"] = seconds()
		result[f"plan_queries_1m_10k_{key}"] = len(seen)
		result[f"plan_goal_reached_{key}"] = sum(bool(message.event.reached) for message in messages)
	frappe.db.set_value("Lifecycle Campaign", {}, "goal", "")
	frappe.db.commit()
	return result


def all_sources() -> dict:
	"""Plan a night over every source that is a document of ERPNext's, and scan each of their tables once, bare."""
	with statements() as seen, clock() as seconds:
		sizes = [len(page) for page in pages()]
	dates = {("Serial No", "warranty_expiry_date"): PINS_AMONG_ALL, **data.DATED}
	with clock() as scans:
		for doctype, field in dates:
			frappe.db.sql(
				f"select count(*) from `tab{doctype}` where date_add(`{field}`, interval 0 day) = curdate()"
			)
	frappe.db.rollback()
	if (due := sum(sizes)) != sum(dates.values()):
		raise RuntimeError(f"{due} messages are due, of {sum(dates.values())}.")
	return {
		"sources_plan_seconds": seconds(),
		"sources_plan_due": due,
		"sources_plan_queries_a_page": len(seen) / len(sizes),
		"limit_sources_scan_seconds": scans(),
		"sources_plan_share_of_limit": seconds() / (2 * scans() + 0.5),
	}


def planning_memory(site: str) -> dict:
	"""In a process of its own, as memory once taken is not given back."""
	command = [sys.executable, __file__, site, "-", "-", "--memory"]
	done = subprocess.run(command, capture_output=True, text=True, check=True)
	return {"plan_extra_memory_mb_200k_due": float(done.stdout.strip().splitlines()[-1])}


def memory() -> None:
	"""Print by how many MB planning the night has raised the peak of this process."""
	# A connected site with its rules is what any job starts with.
	rules.load()
	before = peak_kb()
	for page in pages():
		del page
	print((peak_kb() - before) / 1024)


def peak_kb() -> int:
	"""Return the most memory that this process has ever had. (getrusage counts what its parent had, too.)"""
	for line in Path("/proc/self/status").read_text().splitlines():
		if line.startswith("VmHWM:"):
			return int(line.split()[1])
	raise RuntimeError("This system does not tell the peak of a process's memory.")


def claiming() -> dict:
	"""Claim the night, claim it again, and insert the same rows with nothing but SQL."""
	forget()
	result = {}
	for key in ("claim_rows_per_second", "claim_known_rows_per_second"):
		name, seconds, rows = new_run(), 0, 0
		for page in pages():
			with clock() as taken:
				transaction.committed(run._claim, page, name)
			seconds += taken()
			rows += len(page)
		result[key] = rows / seconds
	result["limit_insert_rows_per_second"] = raw_insert(ledger.DOCTYPE)
	return result


def raw_insert(doctype: str, at_once: int = 2000) -> float:
	"""Insert the rows of a table once more, into a copy of it, as text that is ready; return the rows a second."""
	frappe.db.sql_ddl("drop table if exists `benchmark_copy`")
	frappe.db.sql_ddl(f"create table `benchmark_copy` like `tab{doctype}`")
	rows = frappe.db.sql(f"select * from `tab{doctype}` order by name limit 10000")
	cursor = frappe.db._cursor
	values = "(" + ", ".join(["%s"] * len(rows[0])) + ")"
	texts = [
		"insert into `benchmark_copy` values "
		+ ", ".join(cursor.mogrify(values, row) for row in rows[first : first + at_once])
		for first in range(0, len(rows), at_once)
	]
	with clock() as seconds:
		for text in texts:
			cursor.execute(text)
			frappe.db.commit()
	frappe.db.sql_ddl("drop table `benchmark_copy`")
	return len(rows) / seconds()


# -- queue -------------------------------------------------------------------------------------------------------


def claimed(name: str | None = None) -> list[dict]:
	"""Claim the night; return what is Pending."""
	forget()
	name = name or new_run()
	for page in pages():
		transaction.committed(ledger.claim, page, name)
	return ledger.pending({"run": name})


def timed(shares: dict, key: str, function):
	"""Return the function, with the time that it takes added up under `key`."""

	def wrapper(*arguments, **options):
		with clock() as seconds:
			result = function(*arguments, **options)
		shares[key] += seconds()
		return result

	return wrapper


def queueing() -> dict:
	"""Deliver what is claimed in this process, without sending; where the time is left, in shares."""
	rows, shares, longest = claimed(), defaultdict(float), [0.0]
	committed = transaction.committed

	def watched(work, *arguments):
		with clock() as seconds:
			result = committed(work, *arguments)
		longest[0] = max(longest[0], seconds())
		return result

	with contextlib.ExitStack() as stack:
		stack.enter_context(patch.object(dispatch, "enqueue"))
		stack.enter_context(patch.object(deliver, "committed", watched))
		for key, place, name in (
			("look_again", deliver, "look_again"),
			("compose", email, "compose"),
			("email_queue_rows", email, "hand_over"),
			("ledger_update", ledger, "update"),
			("commit", frappe.db, "commit"),
		):
			stack.enter_context(patch.object(place, name, timed(shares, key, getattr(place, name))))
		with clock() as seconds:
			for chunk in deliver.cut(rows, limit("chunk_size")):
				# As in a job of its own.
				frappe.local.lifecycle_made = {}
				deliver.deliver([row.name for row in chunk])
	queued = frappe.db.count("Email Queue")
	result = {f"queue_share_{key}": share / seconds() for key, share in shares.items()}
	inserting, building = raw_insert("Email Queue", 100), rendering()
	return {
		"queue_mails_per_second": queued / seconds(),
		**result,
		"queue_longest_transaction_seconds": longest[0],
		"limit_email_queue_insert_rows_per_second": inserting,
		"limit_render_and_mime_mails_per_second": building,
		"limit_queue_mails_per_second": 1 / (1 / inserting + 1 / building),
	}


def designed_queueing() -> dict:
	"""The same with a design of the gallery instead of the template."""
	templates = data.designed()
	before = frappe.get_all("Lifecycle Action", fields=["name", "email_template"], order_by="name asc")
	frappe.db.set_value("Lifecycle Action", {}, "email_template", templates["en"])
	frappe.db.commit()
	try:
		result = queueing()
		mail = frappe.db.get_value("Email Queue", {}, "message")
	finally:
		for action in before:
			frappe.db.set_value("Lifecycle Action", action.name, "email_template", action.email_template)
		frappe.db.commit()
	if "Stay with us" not in mail:
		raise RuntimeError("The benchmark has not sent the design.")
	return {
		"designed_mails_per_second": result["queue_mails_per_second"],
		"designed_share_compose": result["queue_share_compose"],
		"designed_mail_bytes": len(mail),
	}


def rendering() -> float:
	"""Fill in and build the same mails with nothing else, and return how many a second."""
	from email import policy
	from email.mime.multipart import MIMEMultipart
	from email.mime.text import MIMEText

	from frappe.email.email_body import EMail, get_formatted_html
	from frappe.email.queue import get_unsubscribe_message

	from marketing_automation.channels.email import layout
	from marketing_automation.channels.texts import templates

	account = email_queue.account_for(None, email.REFERENCE_DOCTYPE)
	# Sets how Python writes UTF-8 in mails.
	EMail(recipients=["a@b.example"], email_account=account)
	template = templates.load({"Benchmark"})["Benchmark"]
	link = get_unsubscribe_message("Unsubscribe", None)
	made = layout.make(
		template,
		lambda subject, body, _preview: get_formatted_html(
			subject, body, email_account=account, unsubscribe_link=link
		),
	)
	values = {**templates.for_reader(templates.example_context(1), "es"), layout.SUBJECT_NAME: "x"}
	count = 500
	with clock() as seconds:
		for _ in range(count):
			root = MIMEMultipart("mixed", policy=policy.SMTPUTF8)
			alternative = MIMEMultipart("alternative", policy=policy.SMTPUTF8)
			root.attach(alternative)
			for kind, part in (("plain", made.text), ("html", made.html)):
				alternative.attach(MIMEText(part(values), kind, "utf-8", policy=policy.SMTPUTF8))
			for key in ("Subject", "From", "To", "Date", "Message-Id"):
				root[key] = "x"
			root.as_string(policy=policy.SMTPUTF8)
	return count / seconds()


def peers(name: str) -> dict:
	"""Frappe's Notification on the same serial numbers, by its own code, and sendmail alone."""
	forget()
	with clock() as scan:
		frappe.get_all("Serial No", filters={"warranty_expiry_date": frappe.utils.add_days(getdate(), 30)})
	frappe.db.set_value("Notification", name, "enabled", 1)
	frappe.clear_cache()
	with clock() as seconds:
		frappe_notification.trigger_notifications(None, method="daily")
	queued = frappe.db.count("Email Queue")
	frappe.db.set_value("Notification", name, "enabled", 0)
	frappe.db.commit()
	forget()
	body = (
		frappe.db.get_value("Email Template", "Benchmark", "response_html").replace("{", "").replace("%", "")
	)
	with clock() as bare:
		for number in range(PEER_MAILS):
			frappe.sendmail(
				recipients=[f"customer{number}@customers.example"],
				subject="x",
				message=body,
				reference_doctype="Lifecycle Campaign",
				reference_name="Benchmark 0",
				unsubscribe_message="Unsubscribe",
			)
	frappe.db.commit()
	sent = frappe.db.count("Email Queue")
	if not queued:
		raise RuntimeError("Frappe's Notification has queued nothing.")
	return {
		# Not the table's scan, which is as long for one mail as for all.
		"notification_mails_per_second": queued / (seconds() - scan()),
		"sendmail_mails_per_second": sent / bare(),
	}


def email_campaign() -> dict:
	"""ERPNext's Email Campaign, by its own scheduled function: a mail to each of so many contacts."""
	from erpnext.crm.doctype.email_campaign.email_campaign import send_email_to_leads_or_contacts

	forget()
	with clock() as seconds:
		send_email_to_leads_or_contacts()
		frappe.db.commit()
	if (queued := frappe.db.count("Email Queue")) != PEER_MAILS:
		raise RuntimeError(f"ERPNext's Email Campaign has queued {queued} mails of {PEER_MAILS}.")
	return {"email_campaign_mails_per_second": PEER_MAILS / seconds()}


# -- the gate ----------------------------------------------------------------------------------------------------


def gate_costs() -> dict:
	"""Plan, claim and deliver a night of marketing without any check and with all of them; and what holds cost besides.

	Nothing is sent. Without and with are the same rows, one after the other.
	"""
	held = sorted(holds.offered())
	without = _night_through([], [])
	all_checks = _night_through(gate.checks(), [])
	with_holds = _night_through(gate.checks(), held)
	pages_of_plan = without["pages"]
	for night in (without, all_checks):
		if night["queued"] != GATE_MAILS:
			raise RuntimeError(f"{night['queued']} mails of {GATE_MAILS} are queued.")
	return {
		"gate_seconds_10k_without": without["seconds"],
		"gate_seconds_10k_with": all_checks["seconds"],
		"gate_share_added": all_checks["seconds"] / without["seconds"] - 1,
		"gate_queries_a_page": (all_checks["queries"] - without["queries"]) / pages_of_plan,
		"gate_queries_a_page_and_hold": (with_holds["queries"] - all_checks["queries"])
		/ pages_of_plan
		/ len(held),
		"gate_mails_queued": all_checks["queued"],
	}


@contextlib.contextmanager
def a_working_day():
	"""Have this process live on a Wednesday, at an hour at which shops write."""
	days = (2 - getdate().weekday()) % 7
	moment = datetime.combine(getdate() + timedelta(days=days), datetime.min.time().replace(hour=10))
	with time_machine.travel(moment.replace(tzinfo=ZoneInfo(get_system_timezone())), tick=True):
		yield


def _make_all(purpose: str, send_window: str) -> None:
	frappe.db.set_value("Lifecycle Campaign", {}, {"purpose": purpose, "send_window": send_window})
	frappe.db.commit()


def _night_through(checks, held: list[str]) -> dict:
	"""Return the seconds of a night, the queries and pages of its plan, and how many mails it has queued."""
	forget()
	settings = frappe.get_single(SETTINGS)
	settings.update({"addresses_lawful": 1, "cap_messages": 3, "cap_days": 7})
	settings.set("holds", [{"hold": key} for key in held])
	settings.save()
	frappe.db.commit()
	name, found = new_run(), Counter()
	with patch.object(gate, "checks", lambda: dict(checks)), patch.object(dispatch, "enqueue"):
		# What a process asks once only: its settings, and which fields there are.
		for _page in pages():
			pass
		frappe.db.rollback()
		with clock() as seconds:
			with statements() as seen:
				planned = list(pages())
			for page in planned:
				transaction.committed(ledger.claim, page, name)
			for chunk in deliver.cut(ledger.pending({"run": name}), limit("chunk_size")):
				frappe.local.lifecycle_made = {}
				deliver.deliver([row.name for row in chunk])
	found |= {"seconds": seconds(), "queries": len(seen), "pages": len(planned)}
	return {**found, "queued": frappe.db.count("Email Queue")}


# -- workers -----------------------------------------------------------------------------------------------------


def until(done, seconds: float = 300) -> None:
	"""Wait until `done()`; raises RuntimeError after so many seconds."""
	deadline = time.monotonic() + seconds
	while not done():
		if time.monotonic() > deadline:
			raise RuntimeError(f"Not done in {seconds} s. The workers' log is in {LOG.resolve()}.")
		time.sleep(0.05)
		frappe.db.rollback()


@contextlib.contextmanager
def idle_workers(count: int, queues: str):
	"""Have workers that have started and wait for work; yields their process ids."""
	with workers.working(count, LOG, queues) as started:
		# They import for some seconds.
		time.sleep(5)
		yield [worker.pid for worker in started]


def end_to_end(sink: smtp_sink.Sink) -> dict:
	"""From the start of the night to the last mail in the sink."""
	forget()
	sink.mails.clear()
	with idle_workers(2, workers.QUEUES) as pids:
		before = cpu_seconds(pids)
		with clock() as seconds:
			run.start("Manual")
			until(lambda: len(sink.mails) >= END_TO_END_MAILS)
			taken = seconds()
		until(lambda: frappe.db.count(ledger.DOCTYPE, {"status": "Completed"}) >= END_TO_END_MAILS)
		# What their last jobs have used counts when they have ended.
		until(lambda: not any(workers.children(pid) for pid in pids))
		used = {key: seconds - before[key] for key, seconds in cpu_seconds(pids).items()}
	return {
		"end_to_end_mails_per_second_2_workers": END_TO_END_MAILS / taken,
		**{f"end_to_end_cpu_ms_{key}": value / END_TO_END_MAILS * 1000 for key, value in used.items()},
		"end_to_end_cpu_ms": sum(used.values()) / END_TO_END_MAILS * 1000,
	}


def cpu_seconds(worker_pids: list[int]) -> dict[str, float]:
	"""Return what each has used of the cores until now; the mail server is a thread of this process."""
	return {
		"workers": sum(map(cpu_of, worker_pids)),
		"database": cpu_of(int(Path(frappe.db.sql("select @@pid_file")[0][0]).read_text())),
		"redis": cpu_of(frappe.cache().info()["process_id"]),
		"mail_server": time.process_time(),
	}


def cpu_of(pid: int) -> float:
	"""Return the seconds of a process and of its children that have ended, in user mode and in the kernel."""
	fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
	return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def scaling(count: int) -> dict:
	"""Queueing alone with so many workers; nothing is sent meanwhile."""
	rows = claimed()
	frappe.db.set_default("suspend_email_queue", 1)
	frappe.db.commit()
	try:
		with idle_workers(count, "long,default"), clock() as seconds:
			deliver.enqueue(rows)
			until(lambda: not frappe.db.count(ledger.DOCTYPE, {"status": "Pending"}))
			taken = seconds()
		queued = frappe.db.count("Email Queue")
	finally:
		frappe.db.set_default("suspend_email_queue", 0)
		frappe.db.commit()
	if queued != len(rows):
		raise RuntimeError(f"{queued} mails of {len(rows)} rows.")
	return {f"queue_mails_per_second_{count}_workers": queued / taken}


# -- growth ------------------------------------------------------------------------------------------------------


def growth_of_table(rows: int) -> float:
	data.due(1000)
	with clock() as seconds:
		for page in pages():
			del page
	frappe.db.rollback()
	return seconds()


def growth_of_due(count: int) -> tuple[float, float]:
	"""Return the seconds that planning and claiming take."""
	forget()
	data.due(count)
	name, planned, claiming = new_run(), 0, 0
	began = time.perf_counter()
	for page in pages():
		planned += time.perf_counter() - began
		with clock() as taken:
			transaction.committed(run._claim, page, name)
		claiming += taken()
		began = time.perf_counter()
	return planned, claiming


def main() -> int:
	"""Measure everything and write it down."""
	parser = argparse.ArgumentParser(description=__doc__)
	parser.add_argument("site")
	parser.add_argument("out")
	parser.add_argument("plot")
	parser.add_argument("--rows", type=int, default=1_000_000)
	parser.add_argument("--repeat", type=int, default=3)
	parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
	parser.add_argument("--memory", action="store_true")
	arguments = parser.parse_args()
	# Ended from outside it still ends its workers and puts the site's configuration back.
	signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
	connect(arguments.site)
	if arguments.memory:
		memory()
		return 0
	if not frappe.conf.allow_tests:
		raise SystemExit(
			f"{arguments.site} does not allow tests (site_config.json: allow_tests): it is filled with a shop."
		)
	sink = smtp_sink.Sink()
	with smtp_sink.listening(sink) as port:
		mail = {"mail_server": "127.0.0.1", "mail_port": port, "auto_email_id": "shop@company.example"}
		# With tests allowed, some versions ask Redis before each query.
		with configured({**mail, "allow_tests": False}):
			figures, over = measured(arguments, sink)
	Path(arguments.out).write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
	print("\n".join(over))
	return int(bool(over))


@contextlib.contextmanager
def configured(values: dict):
	"""Have these values in the site's configuration, for this process and for others."""
	before = {key: frappe.conf.get(key) for key in values}

	def write(values: dict) -> None:
		for key, value in values.items():
			# That word removes it.
			update_site_config(key, "None" if value is None else value, validate=False)
		frappe.conf.update(values)

	write(values)
	try:
		yield
	finally:
		write(before)


def measured(arguments, sink: smtp_sink.Sink) -> tuple[dict, list[str]]:
	"""Return all figures, and what is over its limit."""
	figures, curves = Figures(arguments.repeat), {"table": [], "plan": [], "claim": []}
	if not frappe.db.exists("Customer", "BENCH-C-0000001"):
		data.factories.item(data.ITEM)
		data.customers()
		data.campaigns()
		data.notification()
	campaigns = frappe.get_all("Lifecycle Campaign", pluck="name", order_by="name asc")
	activate(campaigns)
	first = 1 + frappe.db.count("Serial No", {"name": ["like", "BENCH-%"]})
	for rows in (arguments.rows // 100, arguments.rows // 10, arguments.rows):
		if first <= rows:
			data.serial_numbers(first, rows)
			first = rows + 1
			curves["table"].append((rows, growth_of_table(rows)))
	print(
		f"\n{arguments.rows:,} serial numbers, {data.CUSTOMERS:,} customers, {len(data.OFFSETS)} triggers",
		flush=True,
	)
	if "plan" in arguments.parts:
		data.due(10_000)
		figures.measure(planning)
		figures.measure(goals)
		figures.measure(claiming)
		data.due(min(200_000, arguments.rows // 5))
		figures.measure(planning_memory, arguments.site)
		figures.share("claim_share_of_limit", "claim_rows_per_second", "limit_insert_rows_per_second")
	if "growth" in arguments.parts and curves["table"]:
		for count in (100, 1000, 10_000, 100_000):
			planned, claiming_seconds = growth_of_due(min(count, arguments.rows))
			curves["plan"].append((count, planned))
			curves["claim"].append((count, claiming_seconds))
		Path(arguments.plot).write_text(plot(curves))
	if "desk" in arguments.parts:
		desk.measure(figures, arguments.rows)
		forget()
	if "sources" in arguments.parts:
		if not frappe.db.count("Quotation", {"name": ["like", "BENCH-%"]}):
			data.dated_documents(DATED_DOCUMENTS)
		activate(campaigns + data.campaigns_of_all_sources())
		data.all_due(PINS_AMONG_ALL)
		figures.measure(all_sources)
	activate(
		[frappe.db.get_value("Lifecycle Trigger", {"days_offset": 30, "source": "Serial No"}, "campaign")]
	)
	if "gate" in arguments.parts:
		with a_working_day():
			data.due(GATE_MAILS, (30,))
			_make_all("Marketing", "As in the settings")
			figures.measure(gate_costs)
			_make_all(data.PURPOSE, data.SEND_WINDOW)
	if "queue" in arguments.parts:
		data.due(PEER_MAILS, (30,))
		figures.measure(peers, "Benchmark")
		data.due(QUEUED_MAILS, (30,))
		figures.measure(queueing)
		figures.share(
			"queue_ratio_to_notification", "queue_mails_per_second", "notification_mails_per_second"
		)
		figures.measure(designed_queueing)
		figures.share(
			"designed_ratio_to_notification", "designed_mails_per_second", "notification_mails_per_second"
		)
		figures.share("queue_ratio_to_sendmail", "queue_mails_per_second", "sendmail_mails_per_second")
		figures.share("queue_share_of_limit", "queue_mails_per_second", "limit_queue_mails_per_second")
	if "workers" in arguments.parts:
		data.due(END_TO_END_MAILS, (30,))
		figures.measure(end_to_end, sink)
		for count in (1, 2, 4):
			figures.measure(scaling, count)
		for count in (2, 4):
			many = f"queue_mails_per_second_{count}_workers"
			figures.share(f"workers_{count}_speedup", many, "queue_mails_per_second_1_workers")
	if "email_campaign" in arguments.parts and data.factories.real_erpnext():
		data.email_campaigns(PEER_MAILS)
		figures.measure(email_campaign)
		if "queue" in arguments.parts:
			figures.share(
				"queue_ratio_to_email_campaign", "queue_mails_per_second", "email_campaign_mails_per_second"
			)
	made = {**figures.as_dict(), "growth": curves, "machine": machine()}
	return made, figures.over_their_limits()


def machine() -> dict:
	return {
		"cores": os.cpu_count(),
		"load": [round(load, 1) for load in os.getloadavg()],
		"python": platform.python_version(),
		"frappe": frappe.__version__,
		"database": frappe.db.sql("select version()")[0][0],
		"email_stylesheet_bytes": stylesheet_bytes(),
	}


def stylesheet_bytes() -> int:
	"""Return how much style each mail gets: without any the comparison would flatter neither nor mean anything."""
	from frappe.utils.jinja_globals import bundled_asset

	paths = [bundled_asset(path).lstrip("/") for path in frappe.get_hooks("email_css")]
	return sum(cint(os.path.getsize(path)) for path in paths if os.path.exists(path))


if __name__ == "__main__":
	sys.exit(main())
