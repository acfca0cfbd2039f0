"""An SMTP server on loopback that takes every mail and remembers it, or misbehaves as it is told to.

As a program it writes each mail as a line of JSON to a file: python -m marketing_automation.tests.smtp_sink FILE [PORT]. It
prints its port first.
"""

import argparse
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP


class Sink:
	"""Accepts mail; `mails` holds (recipients, raw bytes) of all that was accepted, oldest first.

	answer: called with a recipient for each RCPT; returns an SMTP reply to refuse with ("550 no such user"), or
	None to accept. record: called with (recipients, raw bytes) of each mail before it is acknowledged.
	"""

	def __init__(self, answer: Callable | None = None, record: Callable | None = None):
		self.mails: list[tuple[list[str], bytes]] = []
		self.answer = answer
		self.record = record

	async def handle_RCPT(self, server, session, envelope, address, options):
		refusal = self.answer(address) if self.answer else None
		if refusal:
			return refusal
		envelope.rcpt_tos.append(address)
		return "250 OK"

	async def handle_DATA(self, server, session, envelope):
		mail = (list(envelope.rcpt_tos), envelope.original_content)
		if self.record:
			self.record(*mail)
		self.mails.append(mail)
		return "250 OK"

	def messages(self) -> list[EmailMessage]:
		"""Return the mails, parsed."""
		return [message_from_bytes(raw, policy=policy.default) for _recipients, raw in self.mails]

	def wait_for(self, count: int, seconds: float) -> bool:
		"""Wait until `count` mails have come; return whether they have within so many seconds."""
		deadline = time.monotonic() + seconds
		while len(self.mails) < count and time.monotonic() < deadline:
			time.sleep(0.05)
		return len(self.mails) >= count


@contextmanager
def listening(sink: Sink, port: int = 0) -> Iterator[int]:
	"""Run `sink` in a thread; the block gets its port (a free one for 0) on 127.0.0.1."""
	controller = _Controller(sink, hostname="127.0.0.1", port=port, ready_timeout=30)
	controller.start()
	try:
		yield controller.server.sockets[0].getsockname()[1]
	finally:
		controller.stop()


class _Controller(Controller):
	def factory(self):
		return SMTP(self.handler, enable_SMTPUTF8=True, data_size_limit=50_000_000)

	def _trigger_server(self):
		# aiosmtpd connects to itself to see that it works; with port 0 it must first learn the port.
		self.port = self.server.sockets[0].getsockname()[1]
		super()._trigger_server()


def main() -> None:
	"""Run until SIGTERM."""
	parser = argparse.ArgumentParser(description=__doc__)
	parser.add_argument("file", type=Path)
	parser.add_argument("port", type=int, nargs="?", default=0)
	arguments = parser.parse_args()
	stop = threading.Event()
	signal.signal(signal.SIGTERM, lambda *_: stop.set())
	with arguments.file.open("a") as out:

		def record(recipients, raw):
			out.write(json.dumps({"recipients": recipients, "mail": raw.decode("utf-8", "replace")}) + "\n")
			out.flush()

		with listening(Sink(record=record), arguments.port) as port:
			print(port, flush=True)
			stop.wait()


if __name__ == "__main__":
	sys.exit(main())
