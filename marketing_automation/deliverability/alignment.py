"""Alignment: whether the domain that readers see is the one that SPF and DKIM speak for."""

from frappe import _

from marketing_automation.deliverability import providers
from marketing_automation.engine.deliverability import ADVICE, DOMAIN, OK, WRONG, Asked, Finding

ACCOUNTS = "List/Email Account"


class Alignment:
	looks_at = DOMAIN

	@property
	def label(self) -> str:
		return _("The sender's domain is the one that signs")

	def look(self, asked: Asked) -> list[Finding]:
		sender = asked.sender
		server = (sender.server or "").lower()
		if sender.domain in providers.FREE and not providers.is_within(server, sender.domain):
			return [
				Finding(
					WRONG,
					_("{0} is an address of {1}, and {2} may not send for them.").format(
						sender.address, sender.domain, server or _("this server")
					),
					_("Send from a domain of your own: make an Email Account for it."),
					ACCOUNTS,
				)
			]
		login = (sender.login or "").rpartition("@")[2].lower()
		if login and "." in login and not providers.aligned(login, sender.domain):
			return [
				Finding(
					ADVICE,
					_("Mails say that they come from {0}; the account logs in as one of {1}.").format(
						sender.domain, login
					),
					_(
						"Have your mail provider sign them for {0}, not for {1}: DMARC asks for the domain that readers see."
					).format(sender.domain, login),
					ACCOUNTS,
				)
			]
		return [Finding(OK, _("Mails come from {0}.").format(sender.domain))]


CHECK = Alignment()
