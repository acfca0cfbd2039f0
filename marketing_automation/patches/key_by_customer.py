"""The key of a message says for whom it is: rows of version 0.1 get theirs, and their old column goes.

Until all is there the new column has a name that no code knows, and then the two change places in one step: a worker on
old code fails without its column, and one on new code cannot claim by keys that are only half there.
"""

import frappe

from marketing_automation.engine import ledger

TABLE = f"tab{ledger.DOCTYPE}"
OLD = "idempotency_key"
NEW = "message_key"
IN_THE_MAKING = "message_key_in_the_making"
ROWS_AT_ONCE = 10_000


def execute() -> None:
	"""Make the keys, in steps that can be interrupted anywhere and taken again. Does nothing where that has been done."""
	_wait()
	columns = _columns()
	if OLD in columns and NEW not in columns:
		if IN_THE_MAKING not in columns:
			frappe.db.sql_ddl(
				f"alter table `{TABLE}` add column {IN_THE_MAKING} varchar(140),"
				f" add unique index {NEW} ({IN_THE_MAKING})"
			)
		_fill(IN_THE_MAKING)
		frappe.db.sql_ddl(
			f"alter table `{TABLE}` drop column {OLD}, change column {IN_THE_MAKING} {NEW} varchar(140)"
		)
	# What a worker on old code has still written meanwhile; and all of it where the DocType was synchronised first.
	_fill(NEW)
	if OLD in _columns():
		frappe.db.sql_ddl(f"alter table `{TABLE}` drop column {OLD}")
	_part_twins()


def _wait() -> None:
	"""Wait until the database has ended what a migration that was killed has asked of it: it goes on with that."""
	for statement in (f"lock tables `{TABLE}` write", "unlock tables"):
		frappe.db.sql_ddl(statement)


def _columns() -> set[str]:
	return set(frappe.db.sql(f"show columns from `{TABLE}`", pluck=True))


def _fill(column: str) -> None:
	"""Make the key of each row that has another, ROWS_AT_ONCE in a transaction; a twin of another row is left out."""
	last = ""
	while names := frappe.db.sql(
		f"select name from `{TABLE}` where name > %s order by name limit {ROWS_AT_ONCE}", last, pluck=True
	):
		frappe.db.sql(
			f"update ignore `{TABLE}` set {column} = {ledger.KEY_IN_SQL}"
			f" where name > %s and name <= %s and not ({column} <=> {ledger.KEY_IN_SQL})",
			(last, names[-1]),
		)
		frappe.db.commit()
		last = names[-1]


def _part_twins() -> None:
	"""Leave the key to one of two rows about the same, which merges of serial numbers have made."""
	for doctype, name in frappe.db.sql(
		f"select distinct reference_doctype, reference_name from `{TABLE}`"
		f" where not ({NEW} <=> {ledger.KEY_IN_SQL})"
	):
		ledger.rekey({"reference_doctype": doctype, "reference_name": name})
		frappe.db.commit()
