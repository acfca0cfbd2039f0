"""Unsubscribing by one click: Gmail and Yahoo ask for it, and for https."""

from frappe import _

from marketing_automation.engine.deliverability import DOMAIN, OK, WRONG, Asked, Finding
from marketing_automation.engine.links import is_secure

SETTINGS = "Form/Marketing Automation Settings"


class OneClick:
	looks_at = DOMAIN

	@property
	def label(self) -> str:
		return _("Unsubscribing by one click")

	def look(self, asked: Asked) -> list[Finding]:
		mend = _(
			"Write the site's address in the settings, with https://, or have host_name set in the site's configuration."
		)
		if not asked.is_marketing and not is_secure(asked.address):
			# Only marketing has to have it.
			return []
		if not asked.address:
			return [
				Finding(
					WRONG,
					_(
						"Nobody has said how customers reach this site, so mails have no unsubscribe button of the mailbox."
					),
					mend,
					SETTINGS,
				)
			]
		if not is_secure(asked.address):
			return [
				Finding(
					WRONG,
					_("Customers reach this site by {0}, and mailboxes post to https only.").format(
						asked.address
					),
					mend,
					SETTINGS,
				)
			]
		return [Finding(OK, _("Mailboxes can unsubscribe by {0}.").format(asked.address))]


CHECK = OneClick()
