"""DKIM: whether the domain publishes a key by which its mails' signatures are checked (RFC 6376)."""

import base64
import binascii

from frappe import _

from marketing_automation.deliverability import providers
from marketing_automation.engine.deliverability import ADVICE, DOMAIN, OK, UNKNOWN, WRONG, Asked, Finding

SETTINGS = "Form/Marketing Automation Settings"
# Of the key as it is published, which has some 38 bytes round the number.
SHORTEST, SHORT = 1024, 2048


def tags(record: str) -> dict[str, str]:
	"""Return the tags of a record such as "v=DKIM1; k=rsa; p=...".

	>>> tags("v=DKIM1; p=a b")
	{'v': 'DKIM1', 'p': 'ab'}
	"""
	pairs = (part.partition("=") for part in record.split(";") if "=" in part)
	return {name.strip().lower(): "".join(value.split()) for name, _sign, value in pairs}


def bits(key: str) -> int | None:
	"""Return about how long an RSA key is; None for what is no key."""
	try:
		length = len(base64.b64decode(key, validate=True))
	except (binascii.Error, ValueError):
		return None
	return next((size for size in (4096, 3072, 2048, 1024, 768, 512) if length >= size // 8), 0)


class Dkim:
	looks_at = DOMAIN

	@property
	def label(self) -> str:
		return _("DKIM: mails are signed")

	def look(self, asked: Asked) -> list[Finding]:
		sender, provider = asked.sender, providers.of_server(asked.sender.server)
		selectors = sender.selectors or (provider.selectors if provider else ())
		found = {
			selector: record
			for selector in selectors
			for record in asked.dns.ask(f"{selector}._domainkey.{sender.domain}", "TXT")
			if "p" in tags(record)
		}
		if found:
			return [self._key(sender.domain, selector, tags(record)) for selector, record in found.items()]
		# Asked last: some servers deny that a name is there under which there are only others.
		if not asked.dns.exists(f"_domainkey.{sender.domain}"):
			return [
				Finding(
					WRONG,
					_("{0} publishes no DKIM key, so its mails are not signed by it.").format(sender.domain),
					_(
						"Switch DKIM on for {0} at your mail provider, and add the record that it shows to the DNS."
					).format(sender.domain),
				)
			]
		return [self._none(asked, selectors)]

	def _none(self, asked: Asked, selectors: tuple[str, ...]) -> Finding:
		if asked.sender.selectors:
			return Finding(
				WRONG,
				_("There is no DKIM key of {0} under {1}.").format(asked.sender.domain, ", ".join(selectors)),
				_("Correct the DKIM selectors in the settings, or add the record to the DNS."),
				SETTINGS,
			)
		return Finding(
			UNKNOWN,
			_("{0} publishes keys, but not under a name that is known here.").format(asked.sender.domain),
			_(
				"Open a mail that you have sent, look for s= in its DKIM-Signature, and write that in the settings as DKIM selector."
			),
			SETTINGS,
		)

	def _key(self, domain: str, selector: str, key: dict[str, str]) -> Finding:
		if not key["p"]:
			return Finding(
				WRONG,
				_("The DKIM key {0} of {1} has been withdrawn.").format(selector, domain),
				_("Have your mail provider make a new one, and add its record to the DNS."),
			)
		length = bits(key["p"]) if key.get("k", "rsa") == "rsa" else SHORT
		if length is None or length < SHORTEST:
			return Finding(
				WRONG,
				_("The DKIM key {0} of {1} is too short, or is not written as a key.").format(
					selector, domain
				),
				_("Have your mail provider make one of 2048 bits, and copy its record without a line break."),
			)
		if length < SHORT:
			return Finding(
				ADVICE,
				_("The DKIM key {0} of {1} has {2} bits.").format(selector, domain, length),
				_("Have your mail provider make one of 2048 bits."),
			)
		return Finding(OK, _("{0} publishes the DKIM key {1}.").format(domain, selector))


CHECK = Dkim()
