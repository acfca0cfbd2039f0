"""Will the mails arrive, and can they be read? The contract of the checks, and which there are. Asks nobody by itself.

A check is an object that keeps `Check`, named in the hook `lifecycle_deliverability` {key: dotted path}. One more check is one
more small file. Whatever the database says is read before (desk/deliverability.py), so that no check needs it: those of
the sender's domain ask the DNS, outside of any transaction, and the others look at mails.
"""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import frappe

from marketing_automation.engine.brand import Brand

# WRONG: it costs mails. ADVICE: it may. UNKNOWN: nobody could find out, so nothing is said against the domain.
OK, WRONG, ADVICE, UNKNOWN = "green", "red", "orange", "gray"
# What a check looks at. Those of the domain are asked once for a sender, the others for a campaign's mails.
DOMAIN, MAILS = "domain", "mails"


class NoAnswer(Exception):
	"""The DNS has not answered, or could not be asked: nobody knows."""


class Dns(Protocol):
	def ask(self, name: str, kind: str) -> list[str]:
		"""Return the records (TXT, A, AAAA, MX, PTR) of a name as texts, [] where there are none; raise NoAnswer."""
		...

	def exists(self, name: str) -> bool:
		"""Say whether there is such a name, or one below it; raise NoAnswer."""
		...


@dataclass(frozen=True)
class Sender:
	"""Who sends, by a campaign and its Email Account.

	login: the name by which the account logs in. selectors: of DKIM, from the settings.
	"""

	address: str
	domain: str
	login: str | None = None
	server: str | None = None
	selectors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mail:
	"""One template of an action, filled in with an example.

	label: what a marketer calls it. html: the whole; body, body_text: what the template has made, as HTML and as text.
	subjects: {what is special about an example: subject}. names: the variables that it may have.
	"""

	label: str
	subject: str
	html: str
	body: str
	body_text: str
	subjects: dict[str, str] = field(default_factory=dict)
	names: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Asked:
	"""What is looked at. address: that of the site as customers reach it, where somebody has said it.

	countries: those in which customers or the company are and whose law wants the sender's postal address in an advertisement.
	"""

	sender: Sender
	dns: Dns
	mails: tuple[Mail, ...] = ()
	brand: Brand | None = None
	is_marketing: bool = True
	address: str | None = None
	countries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
	"""What a check has found. text: what is so; mend: what to do about it; route: where, in the Desk."""

	level: str
	text: str
	mend: str = ""
	route: str | None = None


@runtime_checkable
class Check(Protocol):
	# DOMAIN or MAILS.
	looks_at: str

	@property
	def label(self) -> str:
		"""What is checked, translated."""
		...

	def look(self, asked: Asked) -> list[Finding]:
		"""Return what is found; nothing where there is nothing to say. Raises NoAnswer where the DNS does not answer."""
		...


def checks() -> dict[str, Check]:
	"""Return the checks by their keys, in the order of the hooks."""
	return {
		key: frappe.get_attr(paths[-1])
		for key, paths in frappe.get_hooks("lifecycle_deliverability", {}).items()
	}
