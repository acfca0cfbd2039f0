"""Customers choose what they get by topics."""

from marketing_automation import install


def execute() -> None:
	"""Make the topics to begin with. Does nothing where there are any.

	Campaigns of before have no topic of their own: they belong to that of new campaigns.
	"""
	install.make_topics()
