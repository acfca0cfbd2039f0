"""The scheduler's entry points (see `scheduler_events` in hooks.py). They start the engine and nothing else."""

from marketing_automation.channels.email import bounces
from marketing_automation.engine import run, settle, suppression
from marketing_automation.engine.transaction import committed


def check_expiring_subscriptions() -> str:
	"""Start tonight's run for all active campaigns; return the name of its Lifecycle Run. Every night at 01:00."""
	return run.start()


def settle_deliveries() -> None:
	"""Read what became of the messages on their way, and take up what was interrupted. Every few minutes."""
	settle.settle()


def read_bounces() -> None:
	"""Read what has come back to the bounce mailbox, where the settings name one. Every few minutes."""
	bounces.read()


def clear_suppressions() -> None:
	"""Forget addresses and soft bounces whose time is over. Every day."""
	committed(suppression.clear)
