"""A DNS server on loopback that knows what it is told, and keeps silent when it is told to."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset


class Zone:
	"""records: {(name, kind): [text]}, all in small letters. silent: answers nothing. broken: says that something is wrong.

	asked: the names of the questions that have come, oldest first.
	"""

	def __init__(self, records: dict[tuple[str, str], list[str]]):
		self.records = records
		self.silent = False
		self.broken = False
		self.asked: list[tuple[str, str]] = []

	def answer(self, wire: bytes) -> bytes | None:
		query = dns.message.from_wire(wire)
		(question,) = query.question
		name = question.name.to_text(omit_final_dot=True).lower()
		kind = dns.rdatatype.to_text(question.rdtype)
		self.asked.append((name, kind))
		if self.silent:
			return None
		response = dns.message.make_response(query)
		response.flags |= dns.flags.RA
		found = self.records.get((name, kind), [])
		if self.broken:
			response.set_rcode(dns.rcode.SERVFAIL)
		elif found:
			texts = [_quoted(text) if kind == "TXT" else text for text in found]
			response.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *texts))
		elif not any(known == name or known.endswith(f".{name}") for known, _kind in self.records):
			response.set_rcode(dns.rcode.NXDOMAIN)
		return response.to_wire()


def _quoted(text: str) -> str:
	"""Return a text in pieces of at most 255 characters, as the DNS has it."""
	pieces = [text[start : start + 255] for start in range(0, len(text), 255)] or [""]
	return " ".join(f'"{piece}"' for piece in pieces)


@contextmanager
def listening(zone: Zone) -> Iterator[dns.resolver.Resolver]:
	"""Run a server in a thread; the block gets a resolver that asks it."""
	server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	server.bind(("127.0.0.1", 0))
	server.settimeout(0.1)
	ends = threading.Event()

	def serve():
		while not ends.is_set():
			try:
				wire, client = server.recvfrom(4096)
			except TimeoutError:
				continue
			if answer := zone.answer(wire):
				server.sendto(answer, client)

	thread = threading.Thread(target=serve, daemon=True)
	thread.start()
	resolver = dns.resolver.Resolver(configure=False)
	resolver.nameservers, resolver.port = ["127.0.0.1"], server.getsockname()[1]
	resolver.cache = None
	try:
		yield resolver
	finally:
		ends.set()
		thread.join()
		server.close()
