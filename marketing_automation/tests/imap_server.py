"""An IMAP server on loopback with one folder, as far as a reader needs it that leaves the mailbox as it is (RFC 3501).

Whatever would change the mailbox is refused and remembered: SELECT, STORE, EXPUNGE, COPY, MOVE, APPEND, and a FETCH without
PEEK, which would mark what it reads.
"""

import base64
import re
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
CHANGES = {"SELECT", "STORE", "EXPUNGE", "COPY", "MOVE", "APPEND", "DELETE", "RENAME", "CREATE", "CLOSE"}
PEEK = re.compile(r"BODY\.PEEK\[\]<0\.(\d+)>")
SINCE = re.compile(r"SINCE (\d{1,2})-([A-Za-z]{3})-(\d{4})")
# What an answer can be instead: the line breaks.
DROP = "drop"


class Mailbox:
	"""A folder and who may read it.

	messages: [(uid, when it arrived, raw bytes)]. commands: all that was asked, without passwords. refused: what would have
	changed something. answer: called with (command, the rest of the line) of each; returns DROP, a line to answer with, or
	None to answer as usual.
	"""

	def __init__(
		self, user: str = "bounces@company.example", password: str = "secret", folder: str = "INBOX"
	):
		self.user, self.password, self.folder = user, password, folder
		# By which XOAUTH2 lets in, where there is one.
		self.token: str | None = None
		self.uidvalidity, self.next_uid = 4711, 1
		self.messages: list[tuple[int, datetime, bytes]] = []
		self.commands: list[str] = []
		self.refused: list[str] = []
		self.answer: Callable[[str, str], str | None] | None = None

	def add(self, raw: bytes | str, arrived: datetime | None = None) -> int:
		"""Put a message into the folder; return its number."""
		raw = raw.encode() if isinstance(raw, str) else raw
		uid, self.next_uid = self.next_uid, self.next_uid + 1
		self.messages.append((uid, arrived or datetime.now(timezone.utc), raw))
		return uid

	def renumber(self) -> None:
		"""Number the messages anew, as a server does whose folder was restored."""
		self.uidvalidity += 1
		self.messages = [(number, *message[1:]) for number, message in enumerate(self.messages, 1)]
		self.next_uid = len(self.messages) + 1


class _Session(socketserver.StreamRequestHandler):
	def handle(self) -> None:
		self.box: Mailbox = self.server.box
		self.is_in, self.is_open = False, False
		self.say("* OK [CAPABILITY IMAP4rev1] here")
		while line := self.rfile.readline(70_000):
			tag, command, rest = [*line.decode("utf-8", "replace").strip().split(" ", 2), "", ""][:3]
			if command.upper() == "UID":
				command, rest = [*rest.split(" ", 1), ""][:2]
				command = f"UID {command}"
			command = command.upper()
			self.box.commands.append(command if command == "LOGIN" else f"{command} {rest}".strip())
			said = self.box.answer and self.box.answer(command, rest)
			if said == DROP:
				return
			answer = said or self.answer(command, rest)
			self.say(f"{tag} {answer}")
			if command == "LOGOUT":
				return

	def say(self, text: str) -> None:
		self.wfile.write(text.encode() + b"\r\n")

	def answer(self, command: str, rest: str) -> str:
		name = command.removeprefix("UID ")
		if name in CHANGES:
			self.box.refused.append(f"{command} {rest}")
			return "NO this would change the mailbox"
		if name == "CAPABILITY":
			self.say("* CAPABILITY IMAP4rev1")
			return "OK done"
		if name == "NOOP":
			return "OK done"
		if name == "LOGOUT":
			self.say("* BYE")
			return "OK done"
		if name == "LOGIN":
			asked = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', rest)
			self.is_in = [one or other for one, other in asked] == [self.box.user, self.box.password]
			return "OK in" if self.is_in else "NO [AUTHENTICATIONFAILED] wrong user or password"
		if name == "AUTHENTICATE":
			return self.authenticate(rest)
		if not self.is_in:
			return "NO log in first"
		if name == "EXAMINE":
			if rest.strip('"') != self.box.folder:
				return "NO [NONEXISTENT] there is no such folder"
			self.is_open = True
			self.say(f"* {len(self.box.messages)} EXISTS")
			self.say("* 0 RECENT")
			self.say("* FLAGS ()")
			self.say(f"* OK [UIDVALIDITY {self.box.uidvalidity}] numbered")
			self.say(f"* OK [UIDNEXT {self.box.next_uid}] next")
			return "OK [READ-ONLY] open"
		if not self.is_open:
			return "BAD open a folder first"
		if command == "UID SEARCH":
			return self.search(rest)
		if command == "UID FETCH":
			return self.fetch(rest)
		return f"BAD {command} is not known here"

	def authenticate(self, mechanism: str) -> str:
		if mechanism != "XOAUTH2":
			return "NO this mechanism is not known here"
		self.say("+ ")
		said = base64.b64decode(self.rfile.readline(10_000)).decode()
		self.is_in = (
			bool(self.box.token) and said == f"user={self.box.user}\1auth=Bearer {self.box.token}\1\1"
		)
		if self.is_in:
			return "OK in"
		# As Google and Microsoft do: why not, and an empty answer is waited for.
		self.say("+ " + base64.b64encode(b'{"status":"401","schemes":"bearer"}').decode())
		if self.rfile.readline(10_000).strip():
			return "BAD an empty answer was waited for"
		return "NO [AUTHENTICATIONFAILED] Invalid credentials"

	def search(self, rest: str) -> str:
		messages = list(self.box.messages)
		if rest.startswith("UID "):
			low = int(rest[4:].split(":")[0])
			highest = max((uid for uid, _when, _raw in messages), default=0)
			# As real servers do: "*" is the last message, whatever comes before it.
			found = [uid for uid, _when, _raw in messages if uid >= min(low, highest)]
		elif match := SINCE.fullmatch(rest):
			since = datetime(int(match[3]), MONTHS.index(match[2]) + 1, int(match[1]), tzinfo=timezone.utc)
			found = [uid for uid, when, _raw in messages if when >= since]
		else:
			return "BAD what is searched for?"
		self.say("* SEARCH" + "".join(f" {uid}" for uid in found))
		return "OK done"

	def fetch(self, rest: str) -> str:
		numbers, items = rest.split(" ", 1)
		peek = PEEK.search(items)
		if not peek or re.search(r"\bBODY\[|RFC822(?!\.SIZE)", items):
			self.box.refused.append(f"UID FETCH {rest}")
			return "NO this would mark what it reads"
		asked = {int(number) for number in numbers.split(",")}
		for sequence, (uid, when, raw) in enumerate(list(self.box.messages), 1):
			if uid in asked:
				part = raw[: int(peek[1])]
				date = f"{when.day:02}-{MONTHS[when.month - 1]}-{when.year} {when:%H:%M:%S %z}"
				self.wfile.write(
					f'* {sequence} FETCH (UID {uid} INTERNALDATE "{date}" BODY[]<0> {{{len(part)}}}\r\n'.encode()
					+ part
					+ b")\r\n"
				)
		return "OK done"


class _Server(socketserver.ThreadingTCPServer):
	allow_reuse_address = True
	daemon_threads = True

	def __init__(self, box: Mailbox, context: ssl.SSLContext | None):
		super().__init__(("127.0.0.1", 0), _Session)
		self.box, self.context = box, context

	def get_request(self):
		connection, address = super().get_request()
		if self.context:
			connection = self.context.wrap_socket(connection, server_side=True)
		return connection, address

	def handle_error(self, request, client_address):
		"""A reader that was killed, or that refuses a certificate, is what some tests are about."""


@contextmanager
def listening(box: Mailbox, context: ssl.SSLContext | None = None) -> Iterator[int]:
	"""Serve a mailbox for as long as the block runs; yields the port. context: with it TLS is spoken from the first byte."""
	server = _Server(box, context)
	thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
	thread.start()
	try:
		yield server.server_address[1]
	finally:
		server.shutdown()
		server.server_close()
		thread.join(timeout=5)


def slowly(seconds: float) -> Callable[[str, str], None]:
	"""Return an `answer` that lets a reader wait so long for each fetch."""

	def answer(command: str, _rest: str) -> None:
		if command == "UID FETCH":
			time.sleep(seconds)

	return answer
