"""An SMTP server on loopback that takes every mail and remembers it, or misbehaves as it is told to.

As a program it writes each mail as a line of JSON to a file: python -m marketing_automation.tests.smtp_sink FILE [PORT]. It
prints its port first.
"""

import argparse
import asyncio
import json
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

DROP = "421 the line breaks"
MOST_BYTES = 50_000_000
PATH = re.compile(rb"(?:FROM|TO):\s*<([^>]*)>", re.IGNORECASE)


class Sink:
	"""Accepts mail; `mails` holds (recipients, raw bytes) of all that was accepted, oldest first.

	answer: called with a recipient for each RCPT; returns an SMTP reply to refuse with ("550 no such user"), or
	None to accept. reply: called with (recipients, raw bytes) of each mail that has come; returns an SMTP reply to
	refuse with, DROP to break the line off, or None to accept. record: called with the same of each mail before it is
	acknowledged.
	"""

	def __init__(
		self, answer: Callable | None = None, record: Callable | None = None, reply: Callable | None = None
	):
		self.mails: list[tuple[list[str], bytes]] = []
		self.answer = answer
		self.record = record
		self.reply = reply
		self.sessions: set[_Session] = set()

	def take(self, recipients: list[str], raw: bytes) -> str:
		"""Take a mail that has come, or refuse it; return the reply."""
		if refusal := self.reply and self.reply(recipients, raw):
			return refusal
		if self.record:
			self.record(recipients, raw)
		self.mails.append((recipients, raw))
		return "250 OK"

	def messages(self) -> list[EmailMessage]:
		"""Return the mails, parsed."""
		return [message_from_bytes(raw, policy=policy.default) for _recipients, raw in self.mails]


class _Session(asyncio.Protocol):
	"""One connection, as far as a client needs it that knows no extensions but size and 8-bit text (RFC 5321).

	It is a few lines of our own because it shares its cores with what is measured: aiosmtpd takes three to four times
	as much of them.
	"""

	def __init__(self, sink: Sink):
		self.sink = sink
		self.buffer = bytearray()
		self.commands = {
			b"EHLO": self._ehlo,
			b"HELO": self._helo,
			b"MAIL": self._mail,
			b"RCPT": self._rcpt,
			b"DATA": self._data,
			b"RSET": self._rset,
			b"NOOP": lambda _line: "250 OK",
			b"QUIT": self._quit,
		}
		self._begin()

	def _begin(self) -> None:
		self.sender = None
		self.recipients = []
		self.in_data = False

	def connection_made(self, transport) -> None:
		self.transport = transport
		self.sink.sessions.add(self)
		self._say("220 sink")

	def connection_lost(self, _error) -> None:
		self.sink.sessions.discard(self)

	def data_received(self, data: bytes) -> None:
		# The end may have come in two pieces.
		searched = max(len(self.buffer) - 5, 0)
		self.buffer += data
		while not self.transport.is_closing():
			end_mark = b"\r\n.\r\n" if self.in_data else b"\r\n"
			end = self.buffer.find(end_mark, searched)
			if end < 0:
				return
			searched = 0
			piece = bytes(self.buffer[:end])
			del self.buffer[: end + len(end_mark)]
			self._say(self._mail_came(piece) if self.in_data else self._command(piece))

	def _command(self, line: bytes) -> str:
		command = self.commands.get(line[:4].upper())
		return command(line) if command else "502 not here"

	def _ehlo(self, _line: bytes) -> str:
		self._begin()
		return f"250-sink\r\n250-SIZE {MOST_BYTES}\r\n250-8BITMIME\r\n250 SMTPUTF8"

	def _helo(self, _line: bytes) -> str:
		self._begin()
		return "250 sink"

	def _mail(self, line: bytes) -> str:
		path = PATH.search(line)
		if not path:
			return "501 from whom?"
		self.sender = path.group(1)
		return "250 OK"

	def _rcpt(self, line: bytes) -> str:
		path = PATH.search(line)
		if self.sender is None or not path:
			return "503 from whom, and to whom?"
		address = path.group(1).decode("utf-8", "replace")
		if refusal := self.sink.answer and self.sink.answer(address):
			return refusal
		self.recipients.append(address)
		return "250 OK"

	def _data(self, _line: bytes) -> str:
		if not self.recipients:
			return "503 to whom?"
		self.in_data = True
		# So that a mail without a single line ends as any other.
		self.buffer[:0] = b"\r\n"
		return "354 end with a dot"

	def _rset(self, _line: bytes) -> str:
		self._begin()
		return "250 OK"

	def _quit(self, _line: bytes) -> str:
		self._say("221 bye")
		self.transport.close()
		return ""

	def _mail_came(self, piece: bytes) -> str:
		# Without the line break that `_data` has put before it, and with the one that ends it.
		raw = piece.replace(b"\r\n..", b"\r\n.")[2:] + b"\r\n"
		recipients = self.recipients
		self._begin()
		reply = "552 too long" if len(raw) > MOST_BYTES else self.sink.take(recipients, raw)
		if reply == DROP:
			self.transport.abort()
		return reply

	def _say(self, reply: str) -> None:
		if reply and not self.transport.is_closing():
			self.transport.write(reply.encode() + b"\r\n")


@contextmanager
def listening(sink: Sink, port: int = 0) -> Iterator[int]:
	"""Run `sink` in a thread; the block gets its port (a free one for 0) on 127.0.0.1."""
	loop = asyncio.new_event_loop()
	server = loop.run_until_complete(loop.create_server(lambda: _Session(sink), "127.0.0.1", port))
	thread = threading.Thread(target=loop.run_forever, daemon=True)
	thread.start()

	def end():
		server.close()
		# Whoever is still connected would wait for an answer.
		for session in sink.sessions:
			session.transport.abort()
		loop.call_soon(loop.stop)

	try:
		yield server.sockets[0].getsockname()[1]
	finally:
		loop.call_soon_threadsafe(end)
		thread.join()
		loop.close()


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
