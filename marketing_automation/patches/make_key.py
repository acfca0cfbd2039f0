"""Hashes of addresses and signed links have a key of their own."""

from marketing_automation.engine import secrets


def execute() -> None:
	"""Make it. Does nothing where that has been done."""
	secrets.make()
