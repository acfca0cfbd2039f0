"""The ledger's keys are shorter, and indexes are gone that nothing needs any more."""

import frappe

from marketing_automation.engine import ledger
from marketing_automation.engine.model import KEY_LENGTH

GONE = (
	"status_modified_index",
	"campaign_status_index",
	"trigger_status_index",
	"recipient_index",
)


def execute() -> None:
	"""Cut the keys of rows from before, and drop the indexes. Does nothing where that has been done."""
	for column in ("idempotency_key", "suppression_key"):
		frappe.db.sql(
			f"update `tab{ledger.DOCTYPE}` set {column} = left({column}, {KEY_LENGTH})"
			f" where char_length({column}) > {KEY_LENGTH}"
		)
	frappe.db.commit()
	ledger.drop_indexes(GONE)
