"""A campaign that was active once is Paused, not a Draft. Of those that were paused before, the ledger knows it."""

import frappe


def execute() -> None:
	"""Fill in `paused_at` where it is missing, with the last change. Does nothing where that has been done. 1 query."""
	frappe.db.sql(
		"""update `tabLifecycle Campaign` campaign set paused_at = modified
		where is_active = 0 and paused_at is null and (
			ifnull(pause_reason, '') != ''
			or exists (select 1 from `tabLifecycle Execution Log` log where log.campaign = campaign.name)
		)"""
	)
