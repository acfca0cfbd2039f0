"""Links: whole addresses, by https, and no shortened ones. Whether somebody is there is not asked."""

from urllib.parse import urlsplit

from frappe import _

from marketing_automation.deliverability.parts import Parts
from marketing_automation.deliverability.providers import is_within
from marketing_automation.engine.deliverability import ADVICE, MAILS, WRONG, Asked, Finding

SHORTENERS = {
	"bit.ly",
	"tinyurl.com",
	"goo.gl",
	"t.co",
	"ow.ly",
	"is.gd",
	"buff.ly",
	"rebrand.ly",
	"cutt.ly",
	"lnkd.in",
}
OTHER = ("mailto:", "tel:", "sms:", "https://wa.me", "#")
MOST_NAMED = 3


class Links:
	looks_at = MAILS

	@property
	def label(self) -> str:
		return _("Links")

	def look(self, asked: Asked) -> list[Finding]:
		found = []
		for mail in asked.mails:
			links = [link for link in Parts(mail.body).links if not link.lower().startswith(OTHER)]
			hosts = {link: (_host(link) or "") for link in links}
			# One that begins with a slash gets the site's address, as https as that is.
			no_address = [link for link in links if not hosts[link] and not link.startswith("/")]
			plain = [link for link in links if link.lower().startswith("http://")]
			short = [link for link in links if any(is_within(hosts[link], name) for name in SHORTENERS)]
			if no_address:
				found.append(
					Finding(
						WRONG,
						_("{0}: {1} leads nowhere.").format(mail.label, _named(no_address)),
						_("Write the whole address, with https://."),
					)
				)
			if plain:
				found.append(
					Finding(
						ADVICE,
						_("{0}: {1} is not encrypted; mail programs warn of it.").format(
							mail.label, _named(plain)
						),
						_("Write https:// instead of http://, if that page has it."),
					)
				)
			if short:
				found.append(
					Finding(
						ADVICE,
						_("{0}: {1} is a shortened address, as spammers use them.").format(
							mail.label, _named(short)
						),
						_("Write the whole address."),
					)
				)
		return found


def _host(link: str) -> str | None:
	try:
		return urlsplit(link).hostname
	except ValueError:
		return None


def _named(links: list[str]) -> str:
	return ", ".join(link[:100] for link in dict.fromkeys(links[:MOST_NAMED]))


CHECK = Links()
