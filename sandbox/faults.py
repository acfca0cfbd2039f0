"""Break it while it works, and count: who was due, who was sent a mail, who was lost, who got it twice, what is stuck.

Run inside a bench by `make faults` (see cli.py), against a MariaDB and a Redis that are its own to restart:
faults.py SITE FOLDER [--short]. Everything else is real too: RQ workers that are killed, mails that lie in Email Queue
and go to an SMTP server on loopback, the processes of several nights at once. Only the clock is helped: what the
app does "after a quarter of an hour" is made that old. The last line is for machines.
"""

import argparse
import contextlib
import functools
import io
import multiprocessing
import os
import random
import re
import select
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from unittest.mock import patch

import frappe
import time_machine
import workers
from frappe.email.queue import flush
from frappe.installer import update_site_config
from frappe.utils import add_days, add_to_date, getdate, now_datetime
from frappe.utils.background_jobs import start_worker
from frappe.utils.password import set_encrypted_password
from services import MariaDB, Redis

from marketing_automation import erpnext_schema
from marketing_automation.channels import outbox, webhook
from marketing_automation.channels.email import bounces, mailbox, sender
from marketing_automation.engine import advance, dispatch, ledger, retry, run, settle, suppression
from marketing_automation.engine.model import COMPLETED, FAILED, OPEN, PENDING, QUEUED, WAITING, Reason
from marketing_automation.engine.settings import SETTINGS, limit
from marketing_automation.engine.transaction import committed
from marketing_automation.sources import date_field
from marketing_automation.tests import factories, http_sink, imap_server, smtp_sink

ENGINE_QUEUES = "long,default"
MAIL_QUEUE = "short"
ALL_QUEUES = f"{ENGINE_QUEUES},{MAIL_QUEUE}"
MAIL = {"mail_server": "127.0.0.1", "auto_email_id": "shop@company.example"}
OUR_TABLES = (
	*(ledger.DOCTYPE, ledger.RUN, outbox.DOCTYPE, suppression.DOCTYPE),
	*("Email Queue", "Email Queue Recipient", "Error Log"),
)
# In a fork: its parent's connection, which must not be used, nor closed, as mysqlclient's is when nothing refers to it.
INHERITED = []
# Where nobody listens.
NOBODY = "http://127.0.0.1:9/hook"
SOFT_BOUNCE = """Return-Path: <>
From: MAILER-DAEMON@mx.customers.example
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.customers.example

Final-Recipient: rfc822; {address}
Action: failed
Status: 5.2.2

--b
Content-Type: text/rfc822-headers

Message-ID: <{message}@site.example>

--b--
"""
A_WHILE = timedelta(hours=1)
SUBJECT = re.compile(rb"^Subject: (FAULT-\d+)\r?$", re.MULTILINE)


@dataclass
class Result:
	"""What a fault did. failed: not sent, and the ledger says why in the server's words."""

	fault: str
	tried: int = 0
	due: int = 0
	sent: int = 0
	failed: int = 0
	lost: int = 0
	doubled: int = 0
	stuck: int = 0
	seconds: float = 0

	@property
	def holds(self) -> bool:
		return not (self.lost or self.doubled or self.stuck)


class Site:
	"""A site with pins that can be made due, and what its scheduler and its marketer would do."""

	def __init__(self, name: str, folder: Path, sink: smtp_sink.Sink, most: int):
		self.name = name
		self.log = folder / "worker.log"
		self.services = {"MariaDB": MariaDB(folder / "mariadb"), "Redis": Redis(folder / "redis")}
		self.sink = sink
		# A receiver of webhooks, where a fault is about one.
		self.hook: http_sink.Sink | None = None
		self.connect()
		self.pins = self._sell(most)

	def connect(self) -> None:
		"""Connect anew, as each process of the site does; the last connection may be gone."""
		if getattr(frappe.local, "db", None):
			with contextlib.suppress(Exception):
				frappe.db.close()
			# With what it has kept, such as the mail server of before.
			frappe.release_local(frappe.local)
		frappe.init(site=self.name, sites_path=".", force=True)
		frappe.connect()
		frappe.set_user("Administrator")

	def _sell(self, count: int) -> list[str]:
		"""Return the names of so many pins, each of a customer of its own."""
		item, company = factories.item(), factories.company()
		pins = [f"FAULT-{number:05}" for number in range(count)]
		_bulk(
			"Customer",
			{"name": "customer {0}", "customer_name": "{0}", "email_id": "{0}@customers.example"},
			pins,
		)
		_bulk(
			"Serial No",
			{
				**{"name": "{0}", "serial_no": "{0}", "status": "Delivered"},
				**({"customer": "customer {0}"} if erpnext_schema.has_owner() else {}),
				**{"item_code": item, "company": company},
			},
			pins,
		)
		sold = {"name": "{0}", "docstatus": 1, "company": company, "posting_date": getdate()}
		_bulk("Sales Invoice", {**sold, "customer": "customer {0}"}, pins)
		voucher = {"voucher_type": "Sales Invoice", "voucher_no": "{0}", "type_of_transaction": "Outward"}
		_bulk("Serial and Batch Bundle", {**sold, **voucher, "item_code": item}, pins)
		parent = {"parent": "{0}", "parenttype": "Serial and Batch Bundle", "parentfield": "entries"}
		_bulk("Serial and Batch Entry", {"name": "{0}", **parent, "serial_no": "{0}"}, pins)
		template = factories.template(
			subject="{{ serial_no }}", response="{{ customer_name }} {{ days_left }}"
		)
		factories.campaign(email_template=template)
		frappe.db.commit()
		return pins

	def reset(self, count: int) -> None:
		"""Forget everything that was sent, and let `count` pins be due tonight."""
		self.connect()
		self.services["Redis"].flush()
		for doctype in OUR_TABLES:
			frappe.db.delete(doctype)
		table = frappe.qb.DocType("Serial No")
		frappe.qb.update(table).set(table.warranty_expiry_date, None).run()
		frappe.qb.update(table).set(table.warranty_expiry_date, add_days(getdate(), 30)).where(
			table.name.isin(self.pins[:count])
		).run()
		frappe.db.set_value("Lifecycle Campaign", {}, {"is_active": 1, "pause_reason": None})
		# Small enough that several jobs share the work.
		frappe.db.set_single_value(SETTINGS, "chunk_size", max(count // 8, 10))
		frappe.db.commit()
		self.sink.mails.clear()
		self.sink.answer = self.sink.reply = None
		if self.hook:
			self.hook.calls.clear()
			self.hook.news.clear()
			self.hook.answer = lambda headers, body: http_sink.OK

	@contextlib.contextmanager
	def told_by_webhook(self) -> Iterator[str]:
		"""Have the campaign call a receiver on loopback, for as long as the block runs; yields its URL."""
		self.hook = http_sink.Sink(webhook.new_secret())
		with http_sink.listening(self.hook) as url:
			self.connect()
			frappe.db.set_single_value(SETTINGS, "private_webhooks", 1)
			action = frappe.get_doc("Lifecycle Action", {"trigger": ["is", "set"]})
			action.update(
				{"action_type": "Send Webhook", "webhook_url": url, "webhook_secret": self.hook.secret}
			).save()
			frappe.db.commit()
			try:
				yield url
			finally:
				self.connect()
				action.reload()
				action.update({"action_type": "Send Email"}).save()
				frappe.db.commit()
				self.hook = None

	def waiting_calls(self) -> list[str]:
		"""Return the handles of the webhooks that wait."""
		frappe.db.rollback()
		return frappe.get_all(outbox.DOCTYPE, {"status": outbox.WAITING}, pluck="name", order_by="name asc")

	def pending(self) -> int:
		"""Return how many rows are not handed over yet, plus runs that have not claimed theirs."""
		frappe.db.rollback()
		return frappe.db.count(ledger.DOCTYPE, {"status": PENDING}) + frappe.db.count(
			ledger.RUN, {"status": "Running"}
		)

	def unsent(self) -> list[str]:
		"""Return the mails that are ours to send."""
		frappe.db.rollback()
		filters = {
			"status": "Not Sent",
			"send_after": sender.OUT_OF_REACH,
			"modified": [">", now_datetime() - sender.FRESH_FOR],
		}
		return [
			str(name)
			for name in frappe.get_all("Email Queue", filters=filters, pluck="name", order_by="name asc")
		]

	def let_time_pass(self) -> None:
		"""Make everything as old as it has to be for `settle` to take it up."""
		# The transaction of a worker that was just killed may hold its locks for a moment yet.
		committed(self._age)

	@staticmethod
	def _age() -> None:
		long_ago = add_to_date(now_datetime(), days=-1)
		for doctype, filters, field in (
			(ledger.DOCTYPE, {"status": PENDING}, "modified"),
			(ledger.RUN, {"status": "Running"}, "modified"),
			("Email Queue", {"status": ["in", ["Not Sent", "Sending"]]}, "modified"),
			(outbox.DOCTYPE, {"status": ["in", [outbox.WAITING, outbox.SENDING]]}, "modified"),
			# Not whether it `is set`: newer versions ask that with <> '', which MariaDB refuses of a date in an UPDATE.
			(ledger.DOCTYPE, {"next_attempt_at": [">", "1900-01-01"]}, "next_attempt_at"),
		):
			frappe.db.set_value(doctype, filters, field, long_ago, update_modified=False)

	def recover(self, rounds: int = 12) -> None:
		"""Do what a scheduler and workers do in the hours after, until nothing is open."""
		for _round in range(rounds):
			self.connect()
			self.let_time_pass()
			settle.settle()
			# Frappe's own queue, too: it is to find nothing of ours.
			self.flush_mails()
			self.work_off(ALL_QUEUES)
			settle.settle()
			if not self.pending() and not frappe.db.count(ledger.DOCTYPE, {"status": QUEUED}):
				return

	def work_off(self, queues: str) -> None:
		"""Have a worker empty these queues."""
		at_once([functools.partial(self._work, queues, burst=True)], self)

	@contextlib.contextmanager
	def working(self, count: int, queues: str) -> Iterator[None]:
		"""Have so many workers work for as long as the block runs; leaving it kills them."""
		processes = [fork(functools.partial(self._work, queues), self) for _ in range(count)]
		try:
			yield
		finally:
			for process in processes:
				workers.kill(process.pid)
				process.join()

	def _work(self, queues: str, burst: bool = False) -> None:
		with self.log.open("a") as log:
			for stream in (sys.stdout, sys.stderr):
				os.dup2(log.fileno(), stream.fileno())
		start_worker(queue=queues, burst=burst)

	def flush_mails(self) -> None:
		"""Send what Email Queue sends by itself as the scheduler does: in this process, or by workers."""
		with contextlib.suppress(frappe.ValidationError):
			# Newer versions send in this process, and raise when too many mails fail.
			flush()
		frappe.db.rollback()

	def sent(self) -> Counter:
		"""Return how many mails about each pin the mail server has taken; or of how many keys the receiver of webhooks has,
		which takes each key once."""
		if self.hook:
			about = {
				headers["webhook-id"]: said["data"]["items"][0]["serial_no"]
				for headers, said in self.hook.calls
			}
			return Counter(about[key] for key in self.hook.news)
		return Counter(SUBJECT.search(raw).group(1).decode() for _recipients, raw in self.sink.mails)

	def count(self, result: Result, due: int) -> None:
		"""Add up what became of the pins that were due."""
		frappe.db.rollback()
		sent = self.sent()
		rows = frappe.get_all(
			ledger.DOCTYPE, fields=["reference_name", "status", "reason", "error"], order_by="name asc"
		)
		failed = {
			row.reference_name
			for row in rows
			if row.status == FAILED and row.error and row.reference_name not in sent
		}
		completed = {row.reference_name for row in rows if row.status == COMPLETED}
		result.due += due
		result.sent += len(sent)
		result.failed += len(failed)
		# Sent means both: the server has it, and the ledger says so.
		result.lost += len(set(self.pins[:due]) - failed - (set(sent) & completed))
		result.doubled += sum(sent.values()) - len(sent) + self.twice_in_the_queue()
		result.stuck += sum(row.status in OPEN for row in rows)
		result.stuck += frappe.db.count(ledger.RUN, {"status": ["in", ["Running", "Delivering"]]})

	@staticmethod
	def twice_in_the_queue() -> int:
		"""Return how many mails too many Email Queue has, were none ever sent."""
		live = Counter(
			frappe.get_all(
				"Email Queue",
				filters={"status": ["!=", "Error"]},
				pluck="message_id",
				order_by="creation asc",
			)
		)
		return sum(live.values()) - len(live)


def _bulk(doctype: str, values: dict, names: list[str]) -> None:
	now = now_datetime()
	common = {"owner": "Administrator", "modified_by": "Administrator", "creation": now, "modified": now}
	rows = [[*(str(value).format(name) for value in values.values()), *common.values()] for name in names]
	frappe.db.bulk_insert(doctype, [*values, *common], rows, ignore_duplicates=True)


# -- the faults --------------------------------------------------------------------------------------------------


def kills(site: Site, result: Result, times: int, rows: int) -> None:
	"""Kill the worker that plans, claims, delivers and sends, at random moments, and start another one."""
	while result.tried < times:
		site.reset(rows)
		run.start()
		while result.tried < times and (site.pending() or site.unsent()):
			# Sometimes mails are sent as soon as there are some, sometimes when all are delivered.
			queues = random.choice([ALL_QUEUES, f"{MAIL_QUEUE},{ENGINE_QUEUES}"])
			with site.working(1, queues):
				time.sleep(random.uniform(0.05, 2))
			result.tried += 1
			# Those whose job was killed, and those whose job is still to come: two jobs for one mail.
			dispatch.enqueue(sender.ACTION_TYPE, site.unsent())
			if random.random() < 0.5:
				site.let_time_pass()
				settle.settle()
		site.recover()
		look_up_unknown(site)
		site.count(result, rows)


def our_sender_killed(site: Site, result: Result, times: int, rows: int) -> None:
	"""Kill our sending job in the middle of it, and let another one go on."""
	while result.tried < times:
		site.reset(rows)
		run.start()
		site.work_off(ENGINE_QUEUES)
		# So slow that a kill hits a mail in the air, or the commit between two.
		site.sink.reply = lambda recipients, raw: time.sleep(0.01)
		while result.tried < times and (unsent := site.unsent()):
			dispatch.enqueue(sender.ACTION_TYPE, unsent)
			before = len(site.sink.mails)
			with site.working(1, MAIL_QUEUE):
				wait_until(lambda before=before: len(site.sink.mails) > before, 30)
				time.sleep(random.uniform(0, 0.2))
			result.tried += 1
			site.services["Redis"].flush()
		site.sink.reply = None
		site.recover()
		look_up_unknown(site)
		site.count(result, rows)


def look_up_unknown(site: Site) -> None:
	"""Do what the ledger asks a person to do with rows whose outcome is unknown.

	They are looked up in the server's log by their Message-ID, and retried if they are not there.
	"""
	taken = site.sent()
	unknown = frappe.get_all(
		ledger.DOCTYPE,
		filters={"reason": Reason.OUTCOME_UNKNOWN},
		fields=["name", "reference_name"],
		order_by="name asc",
	)
	print(
		f"    {len(unknown)} outcomes unknown, {sum(row.reference_name in taken for row in unknown)} of them taken"
	)
	retry.retry([row.name for row in unknown if row.reference_name not in taken])
	site.recover()
	for row in unknown:
		if row.reference_name in taken:
			# Sent, as the server's log shows; the ledger cannot know.
			frappe.db.set_value(ledger.DOCTYPE, row.name, "status", COMPLETED)
	frappe.db.commit()


def nights(site: Site, result: Result, times: int, rows: int) -> None:
	"""Four runs at once in processes of their own, every second one by hand, and four workers for what they share out."""
	(campaign,) = frappe.get_all("Lifecycle Campaign", pluck="name")
	with site.working(4, ENGINE_QUEUES):
		for _ in range(times):
			site.reset(rows)
			at_once([_night, functools.partial(_night, campaign)] * 2, site)
			wait_until(lambda: not site.pending(), 60)
			result.tried += 1
			site.recover()
			site.count(result, rows)


def _night(campaign: str | None = None) -> None:
	"""One night in this process, as two scheduler processes that do not know of each other would start it, or with a
	campaign, as a marketer would by hand."""
	run.execute(run.begin("Manual" if campaign else "Scheduled", campaign))


def restarts(site: Site, result: Result, service: str, times: int, rows: int) -> None:
	"""Restart a service while a worker delivers; every second time it dies instead of ending."""
	for number in range(times):
		site.reset(rows)
		run.start()
		with site.working(2, ENGINE_QUEUES):
			# In the middle: some are handed over, some are not.
			wait_until(lambda: frappe.db.count("Email Queue") > rows // 10, 30, site)
			with contextlib.redirect_stdout(io.StringIO()):
				site.services[service].restart(signal.SIGKILL if number % 2 else signal.SIGTERM)
		result.tried += 1
		site.recover()
		site.count(result, rows)


def restarts_while_sending(site: Site, result: Result, times: int, rows: int) -> None:
	"""Restart MariaDB while our job sends: what it has just sent it cannot write down."""
	for number in range(times):
		site.reset(rows)
		run.start()
		site.work_off(ENGINE_QUEUES)
		site.sink.reply = lambda recipients, raw: time.sleep(0.01)
		dispatch.enqueue(sender.ACTION_TYPE, site.unsent())
		with site.working(1, MAIL_QUEUE):
			wait_until(lambda: len(site.sink.mails) > rows // 10, 30)
			with contextlib.redirect_stdout(io.StringIO()):
				site.services["MariaDB"].restart(signal.SIGKILL if number % 2 else signal.SIGTERM)
			time.sleep(1)
		result.tried += 1
		site.sink.reply = None
		site.recover()
		look_up_unknown(site)
		site.count(result, rows)


def flushed(site: Site, result: Result, times: int, rows: int) -> None:
	"""Empty Redis while a worker delivers: the jobs that were queued are gone."""
	for _ in range(times):
		site.reset(rows)
		run.start()
		with site.working(1, ENGINE_QUEUES):
			wait_until(lambda: frappe.db.count("Email Queue") > rows // 10, 30, site)
			site.services["Redis"].flush()
			time.sleep(1)
		result.tried += 1
		site.recover()
		site.count(result, rows)


def smtp_refuses(site: Site, result: Result, rows: int) -> None:
	"""550 for one recipient: that row is Failed with the server's words, the others go on."""
	site.reset(rows)
	refused = site.pins[rows // 2]
	site.sink.answer = lambda address: (
		"550 5.1.1 no such user" if address.upper().startswith(refused) else None
	)
	deliver_tonight(site)
	row = frappe.get_all(ledger.DOCTYPE, filters={"reference_name": refused}, fields=["status", "error"])[0]
	# Otherwise it counts as lost.
	if "550 5.1.1 no such user" not in (row.error or ""):
		frappe.db.set_value(ledger.DOCTYPE, {"reference_name": refused}, "error", None)
		frappe.db.commit()
	result.tried += 1
	site.count(result, rows)


def smtp_greylists(site: Site, result: Result, rows: int) -> None:
	"""451 for every recipient, twice; the ledger's retry brings them through."""
	site.reset(rows)
	seen = Counter()

	def answer(address):
		seen[address] += 1
		return "451 4.7.1 try again later" if seen[address] <= 2 else None

	site.sink.answer = answer
	deliver_tonight(site)
	result.tried += 1
	site.count(result, rows)


def smtp_drops(site: Site, result: Result, rows: int) -> None:
	"""The line breaks in the middle of every second mail, before the server has it."""
	site.reset(rows)
	seen = Counter()

	def reply(recipients, raw):
		seen[recipients[0]] += 1
		return smtp_sink.DROP if seen[recipients[0]] == 1 and sum(seen.values()) % 2 else None

	site.sink.reply = reply
	deliver_tonight(site)
	result.tried += 1
	site.count(result, rows)


def smtp_down(site: Site, result: Result, rows: int) -> None:
	"""Nobody answers for three rounds, then the server is back."""
	site.reset(rows)
	port = frappe.conf.mail_port
	update_site_config("mail_port", 9, validate=False)
	run.start()
	seen = Counter()
	for _round in range(3):
		site.work_off(ALL_QUEUES)
		site.connect()
		seen.update(frappe.get_all(ledger.DOCTYPE, pluck="status", order_by="name asc"))
		site.let_time_pass()
		settle.settle()
	update_site_config("mail_port", port, validate=False)
	deliver_the_rest(site)
	result.tried += 1
	site.count(result, rows)
	# Some must have been seen to fail and none to be sent, or nothing was tried.
	if seen[COMPLETED] or not seen[FAILED]:
		result.lost += rows


def mail_worker_killed(site: Site, result: Result, times: int, rows: int) -> None:
	"""Kill the worker that hands mails to the server, lose its job, and let `settle` find what is left."""
	site.reset(rows)
	# So slow that most kills hit a mail in the air.
	site.sink.reply = lambda recipients, raw: time.sleep(0.2)
	run.start()
	site.work_off(ENGINE_QUEUES)
	while result.tried < times and frappe.db.count("Email Queue", {"status": "Not Sent"}):
		with site.working(1, MAIL_QUEUE):
			time.sleep(random.uniform(0.1, 1))
		result.tried += 1
		# To Redis the job of a killed worker runs for some minutes yet.
		site.services["Redis"].flush()
		frappe.db.rollback()
		site.let_time_pass()
		settle.settle()
		site.work_off(ENGINE_QUEUES)
	site.sink.reply = None
	site.recover()
	look_up_unknown(site)
	site.count(result, rows)


def jobs_lost(site: Site, result: Result, times: int, rows: int) -> None:
	"""The worker dies between two pages of a night, and Redis forgets its jobs; customers with pins on both pages get one
	mail, also where one page is taken up before the other (every second time)."""
	pairs = rows // 2
	for number in range(times):
		site.reset(rows)
		customers = share_customers(site.pins[:rows], pairs)
		with contextlib.suppress(Lost):
			claim_two_pages(pairs)
		site.services["Redis"].flush()
		if number % 2:
			first_page = frappe.get_all(
				ledger.DOCTYPE, pluck="name", order_by="name asc", limit_page_length=pairs
			)
			# Longer ago than rows are left alone, and not so long that the run counts as killed again and again.
			age = -limit("resume_after_minutes") * settle.GIVE_RUNS // 2
			before = add_to_date(now_datetime(), minutes=age)
			frappe.db.set_value(
				ledger.DOCTYPE, {"name": ["in", first_page]}, "modified", before, update_modified=False
			)
			frappe.db.commit()
			settle.settle()
			site.work_off(ALL_QUEUES)
		result.tried += 1
		site.recover()
		sent = Counter(recipients[0] for recipients, _raw in site.sink.mails)
		completed = frappe.get_all(ledger.DOCTYPE, {"status": COMPLETED}, pluck="name", order_by="name asc")
		result.due += rows
		result.sent += len(completed)
		result.lost += rows - len(completed) + len(customers) - len(sent)
		result.doubled += sum(sent.values()) - len(sent)
		result.stuck += frappe.db.count(ledger.DOCTYPE, {"status": ["in", [PENDING, QUEUED]]})
	share_customers(site.pins[:rows], rows)
	frappe.db.set_value("Lifecycle Campaign", {}, "combine_messages", 0)
	frappe.db.commit()


class Lost(Exception):
	"""The worker is gone."""


def share_customers(pins: list[str], count: int) -> list[str]:
	"""Let `count` customers have these pins, in turn, and have the campaign combine them; return the customers."""
	names = [f"customer {pin}" for pin in pins[:count]]
	for number, pin in enumerate(pins):
		frappe.db.set_value("Serial No", pin, "customer", names[number % count], update_modified=False)
	frappe.db.set_value("Lifecycle Campaign", {}, "combine_messages", 1)
	frappe.db.commit()
	return names


def claim_two_pages(size: int) -> None:
	"""Execute tonight's run with pages of `size` pins until the second is claimed, and no further."""
	claim, pages = run._claim, []

	def claiming(messages, name):
		claimed = claim(messages, name)
		frappe.db.commit()
		pages.append(claimed)
		if len(pages) == 2:
			raise Lost
		return claimed

	name = run.begin("Scheduled", None)
	with patch.object(date_field, "PAGE_SIZE", size), patch.object(run, "_claim", claiming):
		run._execute(name)


def suspended(site: Site, result: Result, times: int, rows: int) -> None:
	"""Sending is suspended, before the mails are handed over or after, and resumed."""
	for number in range(times):
		site.reset(rows)
		after = number % 2
		suspend(site, not after)
		run.start()
		site.work_off(ENGINE_QUEUES)
		suspend(site, True)
		site.work_off(ALL_QUEUES)
		site.connect()
		site.let_time_pass()
		settle.settle()
		site.flush_mails()
		site.work_off(ALL_QUEUES)
		frappe.db.rollback()
		sent_meanwhile = len(site.sink.mails)
		waiting = frappe.db.count(ledger.DOCTYPE, {"status": PENDING})
		suspend(site, False)
		result.tried += 1
		site.recover()
		site.count(result, rows)
		result.lost += sent_meanwhile + rows - waiting


def webhook_answers(site: Site, result: Result, times: int, rows: int, answers: list) -> None:
	"""The receiver answers so to some calls, and takes others; and nothing but that is wrong with it a day later."""
	with site.told_by_webhook():
		for _time in range(times):
			site.reset(rows)
			site.hook.answer = at_first(answers)
			deliver_tonight(site)
			site.hook.answer = lambda headers, body: http_sink.OK
			deliver_the_rest(site)
			result.tried += 1
			site.count(result, rows)


def at_first(answers: list) -> Callable:
	"""Return what answers so to the first calls of most messages, and takes each before its attempts are used up."""
	calls = Counter()

	def answer(headers: dict, body: dict):
		calls[headers["webhook-id"]] += 1
		taken = calls[headers["webhook-id"]] > 3 or random.random() < 0.25
		return http_sink.OK if taken else random.choice(answers)

	return answer


def webhook_job_killed(site: Site, result: Result, times: int, rows: int) -> None:
	"""Kill the job that calls a slow receiver, in the middle of it, and let another one go on."""
	with site.told_by_webhook():
		while result.tried < times:
			site.reset(rows)
			run.start()
			site.work_off(ENGINE_QUEUES)
			site.hook.answer = slowly
			while result.tried < times and (waiting := site.waiting_calls()):
				dispatch.enqueue("Send Webhook", waiting)
				before = len(site.hook.calls)
				with site.working(1, MAIL_QUEUE):
					wait_until(lambda before=before: len(site.hook.calls) > before, 30)
					time.sleep(random.uniform(0, 0.2))
				result.tried += 1
				site.services["Redis"].flush()
			deliver_the_rest(site)
			site.count(result, rows)


def slowly(headers: dict, body: dict) -> tuple:
	time.sleep(0.02)
	return http_sink.OK


def receiver_killed(site: Site, result: Result, times: int, rows: int) -> None:
	"""The receiver goes away in the middle of a night, and comes back when all have tried it in vain."""
	with site.told_by_webhook() as url:
		for _time in range(times):
			site.reset(rows)
			run.start()
			site.work_off(ENGINE_QUEUES)
			most = len(site.hook.calls) + rows // 3
			site.hook.answer = lambda headers, body, most=most: (
				http_sink.OK if len(site.hook.calls) < most else http_sink.RESET
			)
			site.work_off(MAIL_QUEUE)
			frappe.db.set_value("Lifecycle Action", {"webhook_url": url}, "webhook_url", NOBODY)
			frappe.db.commit()
			site.recover(rounds=2)
			frappe.db.set_value("Lifecycle Action", {"webhook_url": NOBODY}, "webhook_url", url)
			frappe.db.commit()
			site.hook.answer = lambda headers, body: http_sink.OK
			deliver_the_rest(site)
			result.tried += 1
			site.count(result, rows)


def tick_killed(site: Site, result: Result, times: int, rows: int) -> None:
	"""Kill the tick that takes up what has waited for its hour, at random moments, until it has taken up all."""
	while result.tried < times:
		site.reset(rows)
		opens = now_datetime() + timedelta(hours=2)
		window(site, send_window="Own hours", send_from=opens.time(), send_until=(opens + A_WHILE).time())
		run.start()
		site.work_off(ENGINE_QUEUES)
		if waiting() != rows:
			raise RuntimeError(f"{waiting()} rows of {rows} wait for their hour.")
		window(site, send_window="Any time")
		frappe.db.set_value(
			ledger.DOCTYPE, {"status": WAITING}, "due_at", add_to_date(now_datetime(), hours=-1)
		)
		frappe.db.commit()
		with patch.object(advance, "PAGE_SIZE", 10):
			while result.tried < times and waiting():
				tick = fork(advance.advance, site)
				time.sleep(random.uniform(0.01, 0.4))
				workers.kill(tick.pid)
				tick.join()
				result.tried += 1
		site.recover()
		look_up_unknown(site)
		site.count(result, rows)


def window(site: Site, **fields) -> None:
	"""Have the campaign leave in these hours."""
	frappe.db.set_value("Lifecycle Campaign", {}, {"send_on": "Every day", **fields})
	frappe.db.commit()


def waiting() -> int:
	"""Return how many messages wait for their hour."""
	frappe.db.rollback()
	return frappe.db.count(ledger.DOCTYPE, {"status": WAITING})


def mailbox_reader_killed(site: Site, result: Result, times: int, rows: int) -> None:
	"""Kill the job that reads the bounce mailbox, at random moments, until it has read all: each address has had two soft
	bounces, of two messages, and each message is in the mailbox twice."""
	box = imap_server.Mailbox()
	pins = site.pins[:rows]
	for letter in range(4):
		for pin in pins:
			box.add(
				SOFT_BOUNCE.format(address=f"{pin}@customers.example".lower(), message=f"{pin}-{letter % 2}")
			)
	box.answer = imap_server.slowly(0.05)
	with imap_server.listening(box) as port, patch.object(mailbox, "AT_ONCE", 5):
		while result.tried < times:
			site.reset(1)
			read_bounces_from(box, port)
			while result.tried < times and bookmark() < len(box.messages):
				reader = fork(bounces.read, site)
				time.sleep(random.uniform(0.1, 1.5))
				workers.kill(reader.pid)
				reader.join()
				result.tried += 1
				frappe.db.rollback()
			at_once([bounces.read], site)
			frappe.db.rollback()
			counts = {
				row.address: row.soft_bounces
				for row in frappe.get_all(
					suppression.DOCTYPE, fields=["address", "soft_bounces"], order_by="name asc"
				)
			}
			result.due += rows
			result.sent += len(counts)
			result.lost += sum(counts.get(f"{pin}@customers.example".lower(), 0) < 2 for pin in pins)
			result.doubled += sum(max(count - 2, 0) for count in counts.values())
			# Nothing may have been marked, either.
			result.stuck += len(box.messages) - bookmark() + len(box.refused)
	frappe.db.set_single_value(SETTINGS, "mailbox_enabled", 0)
	frappe.db.commit()


def read_bounces_from(box: imap_server.Mailbox, port: int) -> None:
	"""Have the settings name a mailbox on loopback that nobody has read yet."""
	for field, value in {
		"mailbox_enabled": 1,
		"mailbox_server": "127.0.0.1",
		"mailbox_port": port,
		"mailbox_security": mailbox.PLAIN,
		"mailbox_user": box.user,
		"mailbox_folder": box.folder,
		"mailbox_state": "",
	}.items():
		frappe.db.set_single_value(SETTINGS, field, value)
	set_encrypted_password(SETTINGS, SETTINGS, box.password, "mailbox_password")
	frappe.db.commit()


def bookmark() -> int:
	"""Return the number of the last message of the bounce mailbox that is read and written down."""
	state = frappe.parse_json(frappe.db.get_singles_dict(SETTINGS).get("mailbox_state") or "{}")
	return state.get("uid", 0)


def suspend(site: Site, suspended: bool) -> None:
	frappe.db.set_default("suspend_email_queue", int(suspended))
	frappe.db.commit()
	frappe.clear_cache()
	site.connect()


def clock_jumps(site: Site, result: Result, times: int, rows: int) -> None:
	"""Workers whose clock is hours ahead or behind deliver and send, and are killed; then it is right again."""
	for number in range(times):
		site.reset(rows)
		ahead = timedelta(hours=3 if number % 2 else -3)
		run.start()
		for queues, shift in ((ENGINE_QUEUES, ahead), (MAIL_QUEUE, -ahead), (ALL_QUEUES, ahead)):
			with time_machine.travel(datetime.now(timezone.utc) + shift), site.working(1, queues):
				# The clock of this process has jumped, too.
				wait_in_truth(1.5)
			settle.settle()
		result.tried += 1
		site.recover()
		look_up_unknown(site)
		site.count(result, rows)


def wait_in_truth(seconds: float) -> None:
	"""Wait so long by a clock that does not jump."""
	select.select([], [], [], seconds)


def deliver_tonight(site: Site) -> None:
	"""Run the night, with mails sent by our job, through all retries."""
	run.start()
	site.work_off(ALL_QUEUES)
	deliver_the_rest(site)


def deliver_the_rest(site: Site) -> None:
	site.recover(rounds=6)
	while frappe.db.count(ledger.DOCTYPE, {"next_attempt_at": ["is", "set"]}):
		site.recover(rounds=6)


def fork(work: Callable, site: Site) -> multiprocessing.Process:
	"""Run a function in a process with a connection of its own: a fork of this one, which has all that jobs import, so
	that a kill hits their work and not their imports."""

	def connected():
		INHERITED.append(frappe.local.db)
		frappe.local.db = None
		site.connect()
		work()

	process = multiprocessing.get_context("fork").Process(target=connected)
	process.start()
	return process


def at_once(works: list[Callable], site: Site) -> None:
	"""Run functions at the same time, each in a process of its own; raises when one fails."""
	processes = [fork(work, site) for work in works]
	for process in processes:
		process.join()
	codes = [process.exitcode for process in processes]
	if any(codes):
		raise RuntimeError(f"Processes at the same time have ended with {codes}.")


def wait_until(done: Callable, seconds: float, site: Site | None = None) -> None:
	"""Wait until `done()`, or so many seconds."""
	deadline = time.monotonic() + seconds
	while time.monotonic() < deadline:
		if site:
			frappe.db.rollback()
		if done():
			return
		time.sleep(0.1)


# -- the table ---------------------------------------------------------------------------------------------------


def faults(site: Site, short: bool) -> list[tuple[str, Callable]]:
	"""Return every fault: (what it is called, a function of a Result that does it)."""
	rows = 60 if short else 120
	mails = 6 if short else 20
	times = 1 if short else 3
	return [
		("worker killed", lambda r: kills(site, r, 3 if short else 50, 150 if short else 2000)),
		("four nights at once", lambda r: nights(site, r, 2 if short else 20, rows)),
		("MariaDB restarted", lambda r: restarts(site, r, "MariaDB", 1 if short else 5, rows)),
		("MariaDB, sending", lambda r: restarts_while_sending(site, r, 1 if short else 5, rows)),
		("Redis restarted", lambda r: restarts(site, r, "Redis", 1 if short else 5, rows)),
		("Redis flushed", lambda r: flushed(site, r, 1 if short else 5, rows)),
		("SMTP 550 for one", lambda r: smtp_refuses(site, r, mails)),
		("SMTP 451 for all", lambda r: smtp_greylists(site, r, mails)),
		("SMTP drops the line", lambda r: smtp_drops(site, r, mails)),
		("SMTP down", lambda r: smtp_down(site, r, mails)),
		(
			"sending job killed",
			lambda r: our_sender_killed(site, r, 2 if short else 30, 60 if short else 500),
		),
		("mail worker killed", lambda r: mail_worker_killed(site, r, 2 if short else 10, mails)),
		("jobs lost, two pages", lambda r: jobs_lost(site, r, 2 if short else 5, rows)),
		("sending suspended", lambda r: suspended(site, r, 2 if short else 6, rows)),
		("tick killed", lambda r: tick_killed(site, r, 4 if short else 40, 60 if short else 500)),
		("the clock jumps", lambda r: clock_jumps(site, r, 2 if short else 6, rows)),
		("webhook 500", lambda r: webhook_answers(site, r, times, mails, [(500, {}, b"sorry")])),
		("webhook 429", lambda r: webhook_answers(site, r, times, mails, [(429, {"retry-after": "1"}, b"")])),
		(
			"webhook garbage",
			lambda r: webhook_answers(
				site, r, times, mails, [http_sink.GARBAGE, http_sink.RESET, http_sink.LOST]
			),
		),
		("webhook job killed", lambda r: webhook_job_killed(site, r, 2 if short else 20, rows)),
		(
			"mailbox reader killed",
			lambda r: mailbox_reader_killed(site, r, 4 if short else 40, 30 if short else 100),
		),
		("receiver killed", lambda r: receiver_killed(site, r, times, mails * 2)),
	]


COLUMNS = ("tried", "due", "sent", "failed", "lost", "doubled", "stuck")


def main() -> int:
	"""Do every fault; 0 when nobody was lost, nobody got a mail twice, and nothing is stuck."""
	parser = argparse.ArgumentParser(description=__doc__)
	parser.add_argument("site")
	parser.add_argument("folder", type=Path)
	parser.add_argument("--short", action="store_true")
	parser.add_argument("--only", nargs="+", default=[""], help="a part of the faults' names")
	arguments = parser.parse_args()
	signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
	sink = smtp_sink.Sink()
	results = []
	with smtp_sink.listening(sink) as port:
		frappe.init(site=arguments.site, sites_path=".")
		for key, value in {**MAIL, "mail_port": port}.items():
			update_site_config(key, value, validate=False)
		site = Site(arguments.site, arguments.folder, sink, 150 if arguments.short else 2000)
		print(f"\n{'fault':<22}" + "".join(f"{column:>9}" for column in COLUMNS) + "  seconds", flush=True)
		for fault, work in faults(site, arguments.short):
			if not any(part in fault for part in arguments.only):
				continue
			result = Result(fault)
			began = time.monotonic()
			work(result)
			result.seconds = time.monotonic() - began
			results.append(result)
			numbers = "".join(f"{getattr(result, column):>9}" for column in COLUMNS)
			print(f"{fault:<22}{numbers}{result.seconds:>9.0f}", flush=True)
	total = {
		column: sum(getattr(result, column) for result in results) for column in COLUMNS if column != "failed"
	}
	print("faults: " + " ".join(f"{column}={number}" for column, number in total.items()), flush=True)
	return 0 if results and all(result.holds for result in results) else 1


if __name__ == "__main__":
	sys.exit(main())
