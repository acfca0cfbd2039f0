"""Customers choose what they get by topics, and links in mails are made with keys of this site."""

from marketing_automation import install
from marketing_automation.engine import consent, keys, links


def execute() -> None:
	"""Make the topics and the keys. Does nothing where there are any.

	Campaigns of before have no topic of their own: they belong to that of new campaigns.
	"""
	install.make_topics()
	keys.make(links.PURPOSE)
	keys.make(consent.KEY)
