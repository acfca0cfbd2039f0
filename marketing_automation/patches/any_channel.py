"""The ledger knows by which channel each message left, and what that channel knows it by: rows from before get both.

What was a link to Email Queue becomes the handle in one step of the database: a worker on old code fails without its
column from then on, and nothing is written twice. Which channel it was is filled in afterwards, and by whoever delivers.
"""

import frappe

from marketing_automation.engine import ledger

TABLE = f"tab{ledger.DOCTYPE}"
OLD = "email_queue"
NEW = "handle"
ROWS_AT_ONCE = 10_000


def execute() -> None:
	"""Change the columns and fill them, in steps that can be interrupted anywhere and taken again. Does nothing where
	that has been done."""
	_wait()
	columns = _columns()
	changes = [
		f"add column {column} varchar(140)" for column in ("channel", "provider_id") if column not in columns
	]
	if OLD in columns and NEW not in columns:
		changes.append(f"change column {OLD} {NEW} varchar(140)")
		if frappe.db.has_index(TABLE, OLD):
			changes.append(f"rename index {OLD} to {NEW}")
	if changes:
		frappe.db.sql_ddl(f"alter table `{TABLE}` {', '.join(changes)}")
	_fill()
	if {OLD, NEW} <= columns:
		# The DocType was synchronised first.
		_move()
		frappe.db.sql_ddl(f"alter table `{TABLE}` drop column {OLD}")


def _wait() -> None:
	"""Wait until the database has ended what a migration that was killed has asked of it: it goes on with that."""
	for statement in (f"lock tables `{TABLE}` write", "unlock tables"):
		frappe.db.sql_ddl(statement)


def _columns() -> set[str]:
	return set(frappe.db.sql(f"show columns from `{TABLE}`", pluck=True))


def _fill() -> None:
	"""Write the channel of each action into its rows that have none, ROWS_AT_ONCE in a transaction."""
	_by_pages(
		f"update `{TABLE}` log join `tabLifecycle Action` action on action.name = log.action"
		" set log.channel = action.action_type where log.name > %s and log.name <= %s and log.channel is null"
	)


def _move() -> None:
	"""Copy the handles that are still in the old column."""
	_by_pages(
		f"update `{TABLE}` set {NEW} = {OLD} where name > %s and name <= %s and {NEW} is null and {OLD} is not null"
	)


def _by_pages(statement: str) -> None:
	last = ""
	while names := frappe.db.sql(
		f"select name from `{TABLE}` where name > %s order by name limit {ROWS_AT_ONCE}", last, pluck=True
	):
		frappe.db.sql(statement, (last, names[-1]))
		frappe.db.commit()
		last = names[-1]
