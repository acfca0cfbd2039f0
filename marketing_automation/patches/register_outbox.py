"""The outbox is cleared by Log Settings, too."""

from marketing_automation import compat
from marketing_automation.hooks import default_log_clearing_doctypes


def execute() -> None:
	"""Register it, in versions that do not by themselves. Does nothing where that has been done."""
	compat.register_log_clearing(default_log_clearing_doctypes)
