"""Fill a site of version 0.1 as it looks in the middle of a day's work: site_of_0_1.py SITE. Run inside the bench.

Our own tables are written by SQL as version 0.1 wrote them, since its code is not here. Prints as JSON, by pin,
its customer's address and what must have become of it once the site has been migrated and a night has passed: "kept"
(its mail had left before, no other follows), "mailed" (exactly one mail), "skipped" (nobody to write to).
"""

import json
import sys
from datetime import timedelta

import frappe
from frappe.utils import add_days, getdate, now_datetime

from marketing_automation.tests import factories

# Told long ago, about pins that are no longer in ERPNext.
OLD_ROWS = 100_000
DAYS = 30
CAMPAIGN, TRIGGER, ACTION, TEMPLATE = "Renewal 0.1", "trigger01", "action01", "Offer 0.1"
LONG_AGO = "2024-01-01 01:00:00"
# As version 0.1 made it: action, doctype, name and date, joined by a character that is part of no name.
KEY = "left(sha2(concat_ws(char(31), '{action}', 'Serial No', {name}, {day}), 256), 32)"


def fill() -> dict[str, tuple[str, str]]:
	"""Fill the site; return each pin's address, and what must become of it."""
	_campaign()
	_old_rows()
	day = getdate(add_days(getdate(), DAYS))
	expected = {}
	for number, (status, reason, mail) in enumerate(_cases()):
		# One has no address until after the migration (see the test).
		email = None if reason == "No e-mail address" else ""
		customer = factories.customer(f"Customer of 0.1 no. {number:02d}", email)
		pin = factories.pin(customer, day)
		row = f"row01{number:03d}"
		if status:
			queue = _mail(row, customer, *mail) if mail else None
			_row(row, customer, pin, day, status, reason, queue)
		sent = status == "Completed" or (mail and mail[0] == "Sent")
		kept = sent or reason in ("Outcome unknown", "Template error")
		outcome = "kept" if kept else "skipped" if email is None else "mailed"
		expected[pin] = factories.address(customer), outcome
	return expected


def _cases() -> list[tuple]:
	"""Return (status, reason, (status of the mail, its send_after)) of each pin's row; None for one that is new."""
	now = now_datetime()
	leased, paced = now + timedelta(minutes=10), now + timedelta(hours=2)
	return [
		*[("Completed", None, ("Sent", leased))] * 5,
		# Sent, and not written down as Completed yet.
		*[("Queued", None, ("Sent", leased))] * 3,
		*[("Queued", None, ("Not Sent", leased))] * 5,
		*[("Queued", None, ("Not Sent", now - timedelta(minutes=10)))] * 2,
		*[("Queued", None, ("Not Sent", None))] * 2,
		*[("Queued", None, ("Not Sent", paced))] * 5,
		*[("Pending", None, None)] * 5,
		("Skipped", "No e-mail address", None),
		("Failed", "Outcome unknown", ("Error", leased)),
		("Failed", "Template error", None),
		# The next one is new: version 0.1 has not seen it.
		(None, None, None),
	]


def _campaign() -> None:
	# As a row: what our code asks when one is saved is of today's tables.
	_insert("Email Template", name=TEMPLATE, subject=factories.SUBJECT, response=factories.BODY)
	_insert(
		"Lifecycle Campaign",
		name=CAMPAIGN,
		campaign_name=CAMPAIGN,
		is_active=1,
		active_since=LONG_AGO,
		duplicate_policy="Once per expiry",
		combine_messages=0,
	)
	_insert(
		"Lifecycle Trigger",
		name=TRIGGER,
		campaign=CAMPAIGN,
		trigger_name="30 days before",
		enabled=1,
		active_since=LONG_AGO,
		trigger_type="Before Expiration",
		days_offset=DAYS,
		date_field="warranty_expiry_date",
	)
	_insert(
		"Lifecycle Action",
		name=ACTION,
		trigger=TRIGGER,
		campaign=CAMPAIGN,
		action_name="Offer",
		enabled=1,
		active_since=LONG_AGO,
		action_type="Send Email",
		email_template=TEMPLATE,
	)
	_insert(
		"Lifecycle Run",
		name="RUN-01-00001",
		run_type="Scheduled",
		status="Completed",
		night=add_days(getdate(), -1),
		started_at=now_datetime() - timedelta(days=1),
		finished_at=now_datetime() - timedelta(days=1),
	)


def _insert(doctype: str, **fields) -> None:
	# Whatever worked on it is gone by now.
	then = now_datetime() - timedelta(hours=1)
	fields = {
		"creation": then,
		"modified": then,
		"owner": "Administrator",
		"modified_by": "Administrator",
		**fields,
	}
	columns = ", ".join(f"`{column}`" for column in fields)
	frappe.db.sql(
		f"insert into `tab{doctype}` ({columns}) values ({', '.join(['%s'] * len(fields))})",
		list(fields.values()),
	)


def _old_rows() -> None:
	key = KEY.format(action=ACTION, name="concat('OLD-', seq)", day="'2025-01-31'")
	frappe.db.sql(
		f"""insert into `tabLifecycle Execution Log`
			(name, creation, modified, owner, modified_by, customer, recipient, reference_doctype, reference_name,
			occurrence_date, status, executed_at, attempts, campaign, `trigger`, action, run, due_on, idempotency_key)
		select concat('old', lpad(seq, 7, '0')), %(then)s, %(then)s, 'Administrator', 'Administrator',
			concat('C-', seq %% 5000), 'old@customers.example', 'Serial No', concat('OLD-', seq), '2025-01-31',
			if(seq %% 50, 'Completed', 'Skipped'), %(then)s, 1, %(campaign)s, %(trigger)s, %(action)s, 'RUN-01-00001',
			'2025-01-01', {key}
		from seq_1_to_{OLD_ROWS}""",
		{"then": LONG_AGO, "campaign": CAMPAIGN, "trigger": TRIGGER, "action": ACTION},
	)


def _row(name: str, customer: str, pin: str, day, status: str, reason: str | None, mail: str | None) -> None:
	_insert(
		"Lifecycle Execution Log",
		name=name,
		customer=customer,
		recipient=factories.address(customer) if mail else None,
		reference_doctype="Serial No",
		reference_name=pin,
		item_code=factories.ITEM,
		occurrence_date=day,
		status=status,
		reason=reason,
		campaign=CAMPAIGN,
		trigger=TRIGGER,
		action=ACTION,
		run="RUN-01-00001",
		due_on=getdate(),
		email_queue=mail,
		attempts=0 if status == "Pending" else 1,
		executed_at=None if status == "Pending" else now_datetime(),
	)
	key = KEY.format(action=ACTION, name="%(pin)s", day="%(day)s")
	frappe.db.sql(
		f"update `tabLifecycle Execution Log` set idempotency_key = {key} where name = %(name)s",
		{"pin": pin, "day": str(day), "name": name},
	)


def _mail(row: str, customer: str, status: str, send_after) -> str:
	"""Write an Email Queue row as version 0.1 left it; return its name."""
	address = factories.address(customer)
	# A number, which Frappe counts up in some versions.
	name = str(1_000_000 + int(row[-3:]))
	_insert(
		"Email Queue",
		name=name,
		sender="shop@company.example",
		message=f"From: shop@company.example\nTo: {address}\nSubject: As 0.1 wrote it\n\nText",
		status=status,
		message_id=f"{row}@{frappe.local.site}",
		reference_doctype="Lifecycle Campaign",
		reference_name=CAMPAIGN,
		send_after=send_after,
	)
	_insert(
		"Email Queue Recipient",
		name=f"9{name}",
		parent=name,
		parenttype="Email Queue",
		parentfield="recipients",
		idx=1,
		recipient=address,
		status="Sent" if status == "Sent" else "Not Sent",
	)
	return name


if __name__ == "__main__":
	frappe.init(site=sys.argv[1], sites_path=".")
	frappe.connect()
	frappe.set_user("Administrator")
	expected = fill()
	frappe.db.commit()
	frappe.destroy()
	print(json.dumps(expected))
