"""Triggers are about any date of ERPNext, so what they say, and what the ledger says of them, names no expiry."""

import frappe

from marketing_automation.engine import ledger

TRIGGER_TYPES = {"Before Expiration": "Before", "On Expiration": "On", "After Expiration": "After"}
POLICIES = {"Once per expiry": "Once per date"}
REASONS = {
	"Already told": "Already sent",
	"Expired meanwhile": "Date passed",
	"Expiry changed": "Date changed",
	"Serial number not found": "Not found",
}
ROWS_AT_ONCE = 10_000


def execute() -> None:
	"""Put the new words in the place of the old ones. Does nothing where that has been done, and can be interrupted.

	What a trigger of before is about is in the new column from the beginning: it is the column's default.
	"""
	for old, new in TRIGGER_TYPES.items():
		_rewrite("Lifecycle Trigger", "trigger_type", old, new)
	for old, new in POLICIES.items():
		_rewrite("Lifecycle Campaign", "duplicate_policy", old, new)
	for old, new in REASONS.items():
		_rewrite(ledger.DOCTYPE, "reason", old, new)


def _rewrite(doctype: str, column: str, old: str, new: str) -> None:
	"""Replace a value of a column, ROWS_AT_ONCE in a transaction."""
	while names := frappe.db.sql(
		f"select name from `tab{doctype}` where {column} = %s limit {ROWS_AT_ONCE}", old, pluck=True
	):
		frappe.db.sql(f"update `tab{doctype}` set {column} = %s where name in %s", (new, tuple(names)))
		frappe.db.commit()
