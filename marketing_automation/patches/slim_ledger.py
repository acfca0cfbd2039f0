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
	# The other key is made anew by `key_by_customer`.
	frappe.db.sql(
		f"update `tab{ledger.DOCTYPE}` set suppression_key = left(suppression_key, {KEY_LENGTH})"
		f" where char_length(suppression_key) > {KEY_LENGTH}"
	)
	frappe.db.commit()
	ledger.drop_indexes(GONE)
