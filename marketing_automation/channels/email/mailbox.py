"""A mailbox as it is looked at: settings and a bookmark in, raw messages out. It stays as it is.

The session is of Python's own imaplib: what it takes is LOGIN (or AUTHENTICATE by a token), EXAMINE, SEARCH and FETCH, all of
RFC 3501, and nothing is to be installed. EXAMINE opens the folder for reading alone and BODY.PEEK sets no mark, so whoever reads the mailbox besides
(a person, Frappe) finds it as if nobody had been here. Called outside any transaction.
"""

import contextlib
import imaplib
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import NamedTuple

from frappe import _

# Seconds in which the server has to answer.
PATIENCE = 30
# Of one message so much is read: what a server says comes first in a bounce, and what it returns comes last.
MOST_BYTES = 400_000
# So many are asked for at once.
AT_ONCE = 20
# The first look at a mailbox goes so far back.
FIRST_LOOK = timedelta(days=30)

TLS, STARTTLS, PLAIN = "TLS", "STARTTLS", "None"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
UID = re.compile(rb"\bUID (\d+)")
ARRIVED = re.compile(rb'INTERNALDATE "([^"]+)"')
UIDVALIDITY = re.compile(rb"\d+")


class Unreadable(Exception):
	"""The mailbox cannot be read; the text is what the server, or the network, says."""


@dataclass(frozen=True)
class Mailbox:
	"""Where bounces arrive, as the settings say. token: of OAuth, by which is logged in where there is one."""

	server: str
	port: int
	security: str
	user: str
	password: str
	folder: str
	token: str | None = None

	@property
	def identity(self) -> str:
		"""What a bookmark belongs to."""
		return f"{self.user}@{self.server}/{self.folder}"


class Bookmark(NamedTuple):
	"""How far a mailbox has been read. Where its server counts anew (another uidvalidity), uid says nothing."""

	uidvalidity: int
	uid: int


class Fetched(NamedTuple):
	"""One message: its number, when it arrived (aware of its time zone, or None), and its bytes, MOST_BYTES at most."""

	uid: int
	arrived: datetime | None
	raw: bytes


class Session:
	"""An open mailbox; leave it by `close`."""

	def __init__(self, mailbox: Mailbox):
		with _said():
			self._imap = _connected(mailbox)
		try:
			with _said():
				_log_in(self._imap, mailbox)
				_answer(self._imap.select(_quoted(mailbox.folder), readonly=True))
				(validity,) = self._imap.response("UIDVALIDITY")[1] or [None]
				found = UIDVALIDITY.search(validity or b"")
				if not found:
					raise Unreadable(
						_("The server does not number the messages of the folder (UIDVALIDITY).")
					)
				self.uidvalidity = int(found.group())
		except BaseException:
			self.close()
			raise

	def new(self, bookmark: Bookmark | None, today: date) -> list[int]:
		"""Return the numbers of the messages that have come since a bookmark, in their order; without one, or where it says
		nothing, those of FIRST_LOOK."""
		known = bookmark.uid if bookmark and bookmark.uidvalidity == self.uidvalidity else 0
		criteria = ["UID", f"{known + 1}:*"] if known else ["SINCE", _imap_date(today - FIRST_LOOK)]
		with _said():
			(found,) = _answer(self._imap.uid("SEARCH", *criteria)) or [b""]
		# The server names the last message, too, where none is as high as that.
		return sorted({uid for uid in map(int, (found or b"").split()) if uid > known})

	def fetch(self, uids: list[int]) -> Iterator[Fetched]:
		"""Yield the messages of these numbers that are still there, in their order."""
		if not uids:
			return
		numbers = ",".join(map(str, uids))
		with _said():
			lines = _answer(
				self._imap.uid("FETCH", numbers, f"(UID INTERNALDATE BODY.PEEK[]<0.{MOST_BYTES}>)")
			)
		found = {}
		for number, line in enumerate(lines):
			if not isinstance(line, tuple):
				continue
			# What belongs to a message stands before its bytes, and after them.
			after = lines[number + 1] if number + 1 < len(lines) else b""
			about = line[0] + b" " + (after if isinstance(after, bytes) else b"")
			if uid := UID.search(about):
				found[int(uid.group(1))] = Fetched(int(uid.group(1)), _arrived(about), line[1][:MOST_BYTES])
		yield from (found[uid] for uid in uids if uid in found)

	def close(self) -> None:
		with contextlib.suppress(imaplib.IMAP4.error, OSError):
			self._imap.logout()


@contextlib.contextmanager
def _said() -> Iterator[None]:
	"""Have whatever goes wrong with the server be Unreadable, with what was said."""
	try:
		yield
	except (imaplib.IMAP4.error, OSError, ValueError) as error:
		text = " ".join(
			str(part.decode("utf-8", "replace") if isinstance(part, bytes) else part) for part in error.args
		)
		raise Unreadable(f"{type(error).__name__}: {text}"[:300]) from error


def _connected(mailbox: Mailbox) -> imaplib.IMAP4:
	if mailbox.security == TLS:
		return imaplib.IMAP4_SSL(
			mailbox.server, mailbox.port, ssl_context=ssl.create_default_context(), timeout=PATIENCE
		)
	imap = imaplib.IMAP4(mailbox.server, mailbox.port, timeout=PATIENCE)
	if mailbox.security != PLAIN:
		try:
			imap.starttls(ssl.create_default_context())
		except BaseException:
			imap.shutdown()
			raise
	return imap


def _log_in(imap: imaplib.IMAP4, mailbox: Mailbox) -> None:
	if not mailbox.token:
		imap.login(mailbox.user, mailbox.password)
		return
	said = []

	def answer(challenge: bytes) -> str:
		"""Say who we are; to whatever comes after that, which is why the server refuses, say nothing (XOAUTH2)."""
		said.append(challenge.decode("utf-8", "replace"))
		return "" if len(said) > 1 else f"user={mailbox.user}\1auth=Bearer {mailbox.token}\1\1"

	try:
		imap.authenticate("XOAUTH2", answer)
	except imaplib.IMAP4.error as error:
		raise imaplib.IMAP4.error(*error.args, *said[1:]) from error


def _answer(answer: tuple[str, list]) -> list:
	"""Return what a server answers; raises when that is no."""
	status, data = answer
	if status != "OK":
		raise imaplib.IMAP4.error(*[part for part in data if part] or [status])
	return data


def _quoted(folder: str) -> str:
	"""Return a folder's name as IMAP writes it: in quotation marks, and letters beside ASCII in its own UTF-7.

	>>> _quoted("INBOX"), _quoted("Correo devuelto"), _quoted("Devueltos & señales")
	('"INBOX"', '"Correo devuelto"', '"Devueltos &- se&APE-ales"')
	"""
	pieces = []
	for text in re.findall(r"[ -~]+|[^ -~]+", folder):
		if text.isascii() and text.isprintable():
			pieces.append(text.replace("&", "&-"))
		else:
			# "+4kQ-" of UTF-7, with another sign and a comma for the slash.
			pieces.append("&" + text.encode("utf-7").decode().strip("+-").replace("/", ",") + "-")
	return '"' + "".join(pieces).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _imap_date(day: date) -> str:
	return f"{day.day:02}-{MONTHS[day.month - 1]}-{day.year:04}"


def _arrived(about: bytes) -> datetime | None:
	"""Return when a message arrived, by its INTERNALDATE: "17-Jul-2026 02:44:25 -0700"."""
	found = ARRIVED.search(about)
	if not found:
		return None
	try:
		day, clock, zone = found.group(1).decode("ascii").split()
		number, month, year = day.split("-")
		hours, minutes, seconds = map(int, clock.split(":"))
		shift = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5])) * (-1 if zone[0] == "-" else 1)
		return datetime(
			*(int(year), MONTHS.index(month) + 1, int(number), hours, minutes, seconds),
			tzinfo=timezone(shift),
		)
	except (ValueError, IndexError):
		return None
