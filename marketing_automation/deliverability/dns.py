"""The DNS, asked with patience that ends: a name in, its records out, or that nobody knows.

"There is none" and "nobody has answered" are different things: only the first is somebody's mistake. Whoever waited twice in
vain stops asking, so that a site without a network has its answer within seconds.
"""

import time

from marketing_automation.engine.deliverability import NoAnswer

# Seconds for one question, and for all of them.
PATIENCE, ALL = 2.0, 12.0
MOST_IN_VAIN = 2


def of_the_system():
	"""Return the resolver of this machine; raises NoAnswer without the library, or without a configuration."""
	try:
		import dns.exception
		import dns.resolver
	except ImportError as e:
		raise NoAnswer("dnspython") from e
	try:
		return dns.resolver.Resolver()
	except dns.exception.DNSException as e:
		raise NoAnswer(str(e)) from e


class Resolver:
	"""Asks each question once. resolver: one of dnspython's; that of the system without it."""

	def __init__(self, resolver=None):
		self._resolver = resolver
		self._answers: dict[tuple[str, str], list[str] | None] = {}
		self._deadline = time.monotonic() + ALL
		self._in_vain = 0

	def ask(self, name: str, kind: str) -> list[str]:
		return self._known(name, kind) or []

	def exists(self, name: str) -> bool:
		return self._known(name, "TXT") is not None

	def _known(self, name: str, kind: str) -> list[str] | None:
		"""Return the records, None where there is no such name."""
		key = name.lower().rstrip("."), kind
		if key not in self._answers:
			self._answers[key] = self._asked(*key)
		return self._answers[key]

	def _asked(self, name: str, kind: str) -> list[str] | None:
		if self._in_vain >= MOST_IN_VAIN or time.monotonic() > self._deadline:
			raise NoAnswer(name)
		if self._resolver is None:
			self._resolver = of_the_system()
		import dns.exception
		import dns.name
		import dns.resolver

		try:
			answer = self._resolver.resolve(name, kind, lifetime=PATIENCE, search=False)
		except dns.resolver.NXDOMAIN:
			return None
		except dns.resolver.NoAnswer:
			return []
		except (dns.resolver.LifetimeTimeout, dns.resolver.NoNameservers, OSError) as e:
			self._in_vain += 1
			raise NoAnswer(name) from e
		except dns.exception.DNSException as e:
			# No name that the DNS can have, or an answer that nobody understands.
			raise NoAnswer(name) from e
		self._in_vain = 0
		return [_as_text(record) for record in answer]


def _as_text(record) -> str:
	if hasattr(record, "strings"):
		return b"".join(record.strings).decode("utf-8", "replace")
	if hasattr(record, "exchange"):
		return str(record.exchange).rstrip(".")
	return str(getattr(record, "target", record)).rstrip(".")
