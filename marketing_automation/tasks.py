"""The scheduler's entry points (see `scheduler_events` in hooks.py). They start the engine and nothing else."""

import frappe

from marketing_automation.engine import run, settle


def check_expiring_subscriptions() -> str:
	"""Start tonight's run for all active campaigns; return the name of its Lifecycle Run. Every night at 01:00."""
	return run.start()


def settle_deliveries() -> None:
	"""Read what became of the messages on their way, and take up what was interrupted. Every few minutes."""
	settle.settle()


def send_what_waits() -> None:
	"""With a throttle, send what has room by now. Every minute; without a throttle it ends at once."""
	# Of what happens every minute Frappe is to keep no log.
	frappe.db.set_value(
		"Scheduled Job Type",
		{"method": "marketing_automation.tasks.send_what_waits", "create_log": 1},
		"create_log",
		0,
	)
	settle.send_what_waits()
