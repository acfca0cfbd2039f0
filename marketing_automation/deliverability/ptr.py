"""PTR: whether the address of the server has a name, and the name that address."""

import ipaddress

from frappe import _

from marketing_automation.deliverability import providers
from marketing_automation.deliverability.spf import public_addresses
from marketing_automation.engine.deliverability import ADVICE, DOMAIN, OK, UNKNOWN, Asked, Finding


class Ptr:
	looks_at = DOMAIN

	@property
	def label(self) -> str:
		return _("PTR: the server's address has a name")

	def look(self, asked: Asked) -> list[Finding]:
		server = asked.sender.server
		if not server or providers.of_server(server):
			# Of its own servers a provider takes care itself.
			return []
		addresses = public_addresses(asked.dns, server)
		if not addresses:
			return [
				Finding(
					UNKNOWN,
					_(
						"{0} is a server of your own network: by which address it delivers is not known here."
					).format(server),
					_("Ask its administrator whether that address has a PTR record."),
				)
			]
		return [self._address(asked, address) for address in addresses]

	def _address(self, asked: Asked, address: str) -> Finding:
		names = asked.dns.ask(ipaddress.ip_address(address).reverse_pointer, "PTR")
		kind = "A" if "." in address else "AAAA"
		if any(address in asked.dns.ask(name, kind) for name in names):
			return Finding(OK, _("{0} is {1}.").format(address, names[0]))
		text = (
			_("The address {0} is called {1}, and that name leads elsewhere.").format(
				address, ", ".join(names)
			)
			if names
			else _("The address {0} of the mail server has no name.").format(address)
		)
		return Finding(
			ADVICE,
			text,
			_(
				"Have whoever gave you the address set its PTR record to {0}, if that server delivers mail itself."
			).format(asked.sender.server),
		)


CHECK = Ptr()
