"""After a rename or a merge: the ledger's keys are made true, and what would reach somebody twice is taken back."""

import frappe

from marketing_automation.engine import ledger
from marketing_automation.engine.channel import by_channel
from marketing_automation.engine.model import CANCELLED, QUEUED, Reason

FIELDS = ["name", "action", "channel", "handle", "run"]


def after_customer(old: str, new: str) -> None:
	"""Look after the messages of a customer that was renamed, or merged into another. The caller commits."""
	_take_back(ledger.rename_customer(old, new))


def after_reference(doctype: str, old: str, new: str) -> None:
	"""Look after the messages about a serial number, or another reference, that was renamed or merged."""
	_take_back(ledger.rename_reference(doctype, old, new))


def _take_back(names: set[str]) -> None:
	"""Take Queued rows back whose customer gets the same by another message, as far as that has not left yet."""
	if not names:
		return
	rows = {row.name: row for row in _queued({"name": ["in", list(names)]})}
	if handles := {row.handle for row in rows.values() if row.handle}:
		rows |= {row.name: row for row in _queued({"handle": ["in", list(handles)]})}
	withdrawn = set()
	for channel, of_channel in by_channel(rows.values()):
		withdrawn |= channel.withdraw(of_channel)
	ledger.update(
		{name: {"status": CANCELLED, "reason": Reason.ALREADY_SENT, "handle": None} for name in withdrawn},
		was=QUEUED,
	)


def _queued(filters: dict) -> list[dict]:
	return frappe.get_all(
		ledger.DOCTYPE, filters={"status": QUEUED, **filters}, fields=FIELDS, order_by="name asc"
	)
