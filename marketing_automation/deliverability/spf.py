"""SPF: whether the domain says who may send for it (RFC 7208)."""

import ipaddress
import re

from frappe import _

from marketing_automation.deliverability import providers
from marketing_automation.engine.deliverability import (
	ADVICE,
	DOMAIN,
	OK,
	WRONG,
	Asked,
	Dns,
	Finding,
)

MOST_LOOKUPS = 10
TERM = re.compile(r"(?P<sign>[+~?-]?)(?P<name>[A-Za-z]+\d?)(?:[:=](?P<value>[^/]*))?(?P<length>/.*)?$")
ASKS = {"include", "a", "mx", "ptr", "exists", "redirect"}


class Record:
	"""All that a domain's SPF says, with what it includes. Raises NoAnswer."""

	def __init__(self, dns: Dns, domain: str):
		self.lookups, self.includes, self.all, self.networks, self.hosts = 0, set(), None, [], set()
		self.unread = []
		self._dns = dns
		self._seen: set[str] = set()
		self._read(domain, is_own=True)

	def _read(self, domain: str, is_own: bool) -> None:
		if domain in self._seen or len(self._seen) > MOST_LOOKUPS:
			return
		self._seen.add(domain)
		texts = records(self._dns, domain)
		if len(texts) != 1:
			self.unread.append(domain)
			return
		for text in texts[0].split()[1:]:
			term = TERM.match(text)
			if term:
				self._take(term, domain, is_own)

	def _take(self, term, domain: str, is_own: bool) -> None:
		name, value = term["name"].lower(), (term["value"] or "").rstrip(".").lower()
		self.lookups += name in ASKS
		if name == "all" and is_own:
			self.all = term["sign"] or "+"
		elif name in ("ip4", "ip6"):
			# In ip6 a colon parts numbers, too.
			whole = term.string.split(":", 1)[1]
			try:
				self.networks.append(ipaddress.ip_network(whole, strict=False))
			except ValueError:
				self.unread.append(term.string)
		elif name in ("a", "mx"):
			self.hosts.add((name, value or domain))
		elif name in ("include", "redirect") and value and "%" not in value:
			self.includes.add(value)
			self._read(value, is_own=is_own and name == "redirect")
		elif name in ("exists", "ptr") or "%" in value:
			self.unread.append(term.string)

	def permits(self, address: str) -> bool:
		"""Say whether an address is among those that may send. Raises NoAnswer."""
		ip = ipaddress.ip_address(address)
		if any(ip.version == network.version and ip in network for network in self.networks):
			return True
		kind = "A" if ip.version == 4 else "AAAA"
		for mechanism, host in self.hosts:
			names = [host] if mechanism == "a" else self._dns.ask(host, "MX")
			if any(address in self._dns.ask(name, kind) for name in names):
				return True
		return False


def records(dns: Dns, domain: str) -> list[str]:
	"""Return the SPF records of a domain. Raises NoAnswer."""
	texts = dns.ask(domain, "TXT")
	return [text for text in texts if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")]


class Spf:
	looks_at = DOMAIN

	@property
	def label(self) -> str:
		return _("SPF: who may send for the domain")

	def look(self, asked: Asked) -> list[Finding]:
		domain, provider = asked.sender.domain, providers.of_server(asked.sender.server)
		example = f"v=spf1 include:{provider.spf[0]} ~all" if provider else "v=spf1 a mx ~all"
		found = records(asked.dns, domain)
		if not found:
			return [
				Finding(
					WRONG,
					_(
						"{0} has no SPF record. Large providers refuse its mail, or put it with the spam."
					).format(domain),
					_("Add a TXT record to {0} in its DNS, such as: {1}").format(domain, example),
				)
			]
		if len(found) > 1:
			return [
				Finding(
					WRONG,
					_("{0} has {1} SPF records. Then none of them counts.").format(domain, len(found)),
					_("Put them into one TXT record, which begins with v=spf1."),
				)
			]
		record = Record(asked.dns, domain)
		problems = self._problems(asked, record, provider)
		return problems or [Finding(OK, _("{0} says who may send for it.").format(domain))]

	def _problems(self, asked: Asked, record: Record, provider) -> list[Finding]:
		domain, problems = asked.sender.domain, []
		if record.all == "+":
			problems.append(
				Finding(
					WRONG,
					_("The SPF record of {0} lets anybody send for it (+all).").format(domain),
					_("End it with ~all instead."),
				)
			)
		if record.lookups > MOST_LOOKUPS:
			problems.append(
				Finding(
					WRONG,
					_(
						"The SPF record of {0} makes {1} look-ups. With more than {2} it does not count."
					).format(domain, record.lookups, MOST_LOOKUPS),
					_("Take out what is not used any more."),
				)
			)
		if provider and not record.includes.intersection(provider.spf):
			problems.append(
				Finding(
					ADVICE,
					_("The SPF record of {0} does not name {1}, by whom mail is sent.").format(
						domain, provider.title
					),
					_("Add include:{0} to it, unless {1} says that you need not.").format(
						provider.spf[0], provider.title
					),
				)
			)
		if not provider and not record.unread and asked.sender.server:
			problems += self._server(asked, record)
		return problems

	def _server(self, asked: Asked, record: Record) -> list[Finding]:
		"""Say what is wrong where the server of the account, which is nobody's that we know, may not send."""
		addresses = public_addresses(asked.dns, asked.sender.server)
		if not addresses or any(record.permits(address) for address in addresses):
			return []
		return [
			Finding(
				ADVICE,
				_("The SPF record of {0} does not name {1} ({2}).").format(
					asked.sender.domain, asked.sender.server, ", ".join(addresses)
				),
				_("If that server delivers mail itself, add {0} to it.").format(
					" ".join(f"ip{ipaddress.ip_address(one).version}:{one}" for one in addresses)
				),
			)
		]


def public_addresses(dns: Dns, server: str) -> list[str]:
	"""Return the addresses of a server by which others see it; none for one of this network. Raises NoAnswer."""
	try:
		found = [str(ipaddress.ip_address(server))]
	except ValueError:
		found = [*dns.ask(server, "A"), *dns.ask(server, "AAAA")]
	return [one for one in found if ipaddress.ip_address(one).is_global]


CHECK = Spf()
