"""The outbox is cleared by Log Settings, too."""

from marketing_automation.install import register_log_clearing


def execute() -> None:
	"""Register it, in versions that do not by themselves. Does nothing where that has been done."""
	register_log_clearing()
