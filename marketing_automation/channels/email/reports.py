"""What comes back to a mailbox: the bytes of a message in, what it reports out. Pure, and nothing that comes in raises.

Understood are bounces by RFC 3464 (and 6533), complaints by RFC 5965, the header X-Failed-Recipients, and the letters of
qmail. What else a mail server writes is left to flufl.bounce, where that is installed. What a person or a machine answers
(out of office, a challenge, a forwarded bounce) reports nothing.
"""

import contextlib
import importlib
import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parseaddr
from typing import NamedTuple

from marketing_automation.channels.email.address import clean, is_address

# What a message is.
BOUNCE, COMPLAINT, OTHER = "bounce", "complaint", "other"
# A mail server's letter that nothing here understands.
UNKNOWN = "unknown"

FAILED = "failed"

# Longer ones are looked at so far.
MOST_TEXT = 200_000
MOST_PARTS = 50
MOST_RECIPIENTS = 100
# Deeper than any bounce; Python's parser calls itself for each.
MOST_NESTED = 20

DELIVERY_STATUS = ("message/delivery-status", "message/global-delivery-status")
ORIGINALS = (
	*("message/rfc822", "text/rfc822-headers", "message/rfc822-headers"),
	*("message/global", "message/global-headers", "text/rfc822"),
)
FEEDBACK = "message/feedback-report"
# Not of a complaint: the reader has taken it back.
NO_COMPLAINT = {"not-spam", "auth-failure", "dmarc"}
NESTING = re.compile(rb"boundary\s*=|^content-type:\s*message/", re.IGNORECASE | re.MULTILINE)
MAILERS = re.compile(
	r"mailer-?daemon|postmaster|mail-?daemon|mailsystem|mail\.?delivery|microsoftexchange\w*", re.IGNORECASE
)
SUBJECTS = re.compile(
	r"undeliver|deliver(?:y|ing).*(?:fail|status|problem|notif)|fail(?:ed|ure).*(?:deliver|notice)|returned mail|mail.*returned"
	r"|failure notice|no (?:se )?(?:ha podido|pudo|puede) entregar|no entregad|não entreg|falha na entrega|unzustellbar|配信|エラー",
	re.IGNORECASE,
)
MESSAGE_ID = re.compile(r"<([^<>\s@]{1,200}@[^<>\s@]{1,200})>")
MESSAGE_ID_LINE = re.compile(r"^[>\s]*message-id:\s*(<[^<>\s]+>)", re.IGNORECASE | re.MULTILINE)
FIELD = re.compile(r"^([A-Za-z][A-Za-z0-9-]*)[ \t]*:[ \t]*(.*)$")
# RFC 6533: a character by its number.
BY_NUMBER = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
# Where a letter begins to quote the message.
QUOTED = re.compile(r"\n-{2,}.*(?:copy|original|message|headers|mensaje|mensagem)", re.IGNORECASE)
QMAIL = re.compile(r"^Hi\. This is the ", re.MULTILINE)
QMAIL_RECIPIENT = re.compile(r"^<([^<>\s]+@[^<>\s]+)>:\s*$", re.MULTILINE)
QMAIL_ORIGINAL = re.compile(r"^--- (?:Below this line|Enclosed) ", re.MULTILINE)


class Outcome(NamedTuple):
	"""What became of a message for one recipient.

	address: whom it was for at last. original: whom it was sent to, where a server has kept that. action: of RFC 3464
	(failed, delayed, delivered, relayed, expanded). status: an enhanced code, or None. words: what a server said.
	"""

	address: str
	original: str | None
	action: str
	status: str | None
	words: str


class Report(NamedTuple):
	"""What a message reports.

	kind: BOUNCE, COMPLAINT, UNKNOWN or OTHER. outcomes: of a bounce, one a recipient; of a complaint who it was sent to, as
	far as that is not struck out. message_ids: of the message that it is about, the likeliest first. addressed: who this
	message itself is to, with its subject: a mailto that unsubscribes is known by them. own_id: its own Message-ID.
	"""

	kind: str
	outcomes: tuple[Outcome, ...] = ()
	message_ids: tuple[str, ...] = ()
	addressed: tuple[str, ...] = ()
	own_id: str | None = None


def read(raw: bytes) -> Report:
	"""Return what a message reports."""
	message = message_from_bytes(_shallow(raw[: 4 * MOST_TEXT]), policy=policy.compat32)
	parts = list(_parts(message))
	addressed = [_header(message, name) for name in ("Subject", "To", "Delivered-To", "X-Original-To")]
	own = MESSAGE_ID.search(_header(message, "Message-ID"))
	own_id = own.group(1) if own else None
	kind, outcomes = _judged(message, parts)
	ids = tuple(dict.fromkeys(_ids(message, parts))) if kind != OTHER else ()
	return Report(kind, outcomes, ids, tuple(filter(None, addressed)), own_id)


def _judged(message: Message, parts: list[Message]) -> tuple[str, tuple[Outcome, ...]]:
	"""Return the kind of a message, and what it says of its recipients."""
	feedback = [part for part in parts if part.get_content_type() == FEEDBACK]
	if feedback:
		return _complaint(feedback[0], parts)
	statuses = [part for part in parts if part.get_content_type() in DELIVERY_STATUS]
	if statuses:
		outcomes = [outcome for part in statuses for outcome in _outcomes(_raw_text(part))]
		if outcomes:
			return BOUNCE, tuple(outcomes[:MOST_RECIPIENTS])
	if not _is_from_a_mailer(message) or _is_an_answer(message):
		return OTHER, ()
	outcomes = _failed_recipients(message, parts) or _of_qmail(parts) or _of_flufl(message, parts)
	if outcomes:
		return BOUNCE, tuple(outcomes[:MOST_RECIPIENTS])
	return UNKNOWN, ()


def _is_from_a_mailer(message: Message) -> bool:
	"""Say whether a mail server has written a message by itself, as far as its headers tell."""
	local, _at, _domain = parseaddr(_header(message, "From"))[1].partition("@")
	is_mailer = bool(MAILERS.fullmatch(local))
	has_no_sender = _header(message, "Return-Path").strip() == "<>"
	if message.get("X-Failed-Recipients"):
		return is_mailer or has_no_sender
	return is_mailer or (has_no_sender and bool(SUBJECTS.search(_header(message, "Subject"))))


def _is_an_answer(message: Message) -> bool:
	"""Say whether a machine answers in the place of the reader: out of office, a challenge, a receipt."""
	if message.get_content_type() == "multipart/report":
		return str(message.get_param("report-type") or "").lower() == "disposition-notification"
	if message.get("X-Failed-Recipients"):
		return False
	for name in ("X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Response-From"):
		if message.get(name):
			return True
	precedence = _header(message, "Precedence").strip().lower()
	return precedence == "auto_reply" or "vacation" in _header(message, "Auto-Submitted").lower()


# -- bounces -----------------------------------------------------------------------------------------------------


def _outcomes(text: str) -> Iterator[Outcome]:
	"""Yield the recipients of a delivery-status part: groups of fields, the first one about the message (RFC 3464)."""
	for block in re.split(r"\n[ \t]*\n", text):
		fields = _fields(block)
		address = _address_of(fields.get("final-recipient"))
		original = _address_of(fields.get("original-recipient"))
		if not (address or original) or not ("action" in fields or "status" in fields):
			continue
		status = (fields.get("status") or "").split()
		code = status[0] if status else None
		action = fields.get("action", "").split(";")[0].split()
		said = fields.get("diagnostic-code") or ""
		# Not every server says what it has done: its code does.
		done = action[0].lower() if action else (FAILED if (code or "5").startswith("5") else "delayed")
		yield Outcome(address or original, original, done, code, _type_off(said)[:2000])


def _fields(block: str) -> dict[str, str]:
	"""Return {name in small letters: value} of a group of fields; what is continued on more lines in one."""
	fields, name = {}, None
	for line in block.split("\n"):
		if line[:1] in (" ", "\t") and name:
			fields[name] += " " + line.strip()
		elif match := FIELD.match(line.rstrip("\r")):
			name = match.group(1).lower()
			# The first one counts, as in a header.
			if name in fields:
				name = f"{name} again"
			fields[name] = match.group(2).strip()
		else:
			name = None
	return fields


def _type_off(value: str) -> str:
	"""Return the value of a field without its type: "smtp; 550 no" is "550 no"."""
	kind, semicolon, rest = value.partition(";")
	return rest.strip() if semicolon and re.fullmatch(r"\s*[\w-]{1,20}\s*", kind) else value.strip()


def _address_of(value: str | None) -> str | None:
	"""Return the address in a recipient's field, or None: "rfc822; ana@x.example", "utf-8; \\x{E1}na@x.example"."""
	if not value:
		return None
	text = _type_off(value)
	text = BY_NUMBER.sub(lambda match: _character(match.group(1)), text)
	return _one(text)


def _character(number: str) -> str:
	code = int(number, 16)
	return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else ""


def _one(text: str) -> str | None:
	"""Return the one address of a text, cleaned; None where there is none."""
	address = clean(text[:500])
	if address and is_address(address):
		return address
	found = [box for _name, box in getaddresses([text[:500]]) if "@" in box]
	address = clean(found[0]) if len(found) == 1 else ""
	if address and is_address(address):
		return address
	# Letters beside ASCII before the @: what we send to none of, and others may.
	local, at, domain = address.rpartition("@")
	return address if at and local and "." in domain and not re.search(r"[\s<>,;]", address) else None


def _failed_recipients(message: Message, parts: list[Message]) -> list[Outcome]:
	"""Return what a server says that names the failed in a header (Exim, Gmail)."""
	value = ", ".join(str(one) for one in message.get_all("X-Failed-Recipients", []))
	addresses = [address for part in re.split(r"[,\s]+", value[:5000]) if part and (address := _one(part))]
	text = _first_text(parts)
	return [
		Outcome(address, None, FAILED, None, _words_about(address, text, addresses)) for address in addresses
	]


def _of_qmail(parts: list[Message]) -> list[Outcome]:
	"""Return what a letter of qmail says (QSBMF): a paragraph a recipient, above a copy of the message."""
	text = _first_text(parts)
	start = QMAIL.search(text)
	if not start:
		return []
	end = QMAIL_ORIGINAL.search(text, start.end())
	text = text[start.start() : end.start() if end else len(text)]
	found = []
	for match in QMAIL_RECIPIENT.finditer(text):
		words = text[match.end() :].lstrip("\n").split("\n\n")[0]
		if address := _one(match.group(1)):
			found.append(Outcome(address, None, FAILED, None, " ".join(words.split())[:2000]))
	return found


def _of_flufl(message: Message, parts: list[Message]) -> list[Outcome]:
	"""Return what flufl.bounce finds, where it is installed."""
	library = flufl()
	if not library:
		return []
	try:
		temporary, permanent = library.all_failures(message)
	except Exception:
		# It is handed what anybody may have sent, and guards its patterns against none of it: a letter that it does not
		# survive is one that nobody understands, and is counted as that.
		return []
	text = _first_text(parts)
	found = []
	for action, addresses in (("delayed", temporary), (FAILED, permanent)):
		names = [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in addresses]
		good = [address for name in sorted(names) if (address := _one(name))]
		found += [Outcome(address, None, action, None, _words_about(address, text, good)) for address in good]
	return found


def flufl():
	"""Return the library flufl.bounce, or None where it is not installed."""
	with contextlib.suppress(ImportError):
		return importlib.import_module("flufl.bounce")
	return None


def _words_about(address: str, text: str, addresses: list[str]) -> str:
	"""Return what a letter says of an address: what follows it, up to the next of those that it names (`addresses`), or to
	where the message itself is quoted."""
	at = text.lower().find(address.lower())
	said = text[at + len(address) : at + len(address) + 1000] if at >= 0 else text[:1000]
	said = QUOTED.split(said, maxsplit=1)[0]
	for other in addresses:
		if other != address and (end := said.lower().find(other.lower())) >= 0:
			said = said[:end]
	return " ".join(said.strip(" >:\n\t").split())[:600]


# -- complaints --------------------------------------------------------------------------------------------------


def _complaint(part: Message, parts: list[Message]) -> tuple[str, tuple[Outcome, ...]]:
	"""Return what a feedback report says (RFC 5965)."""
	fields = _fields(_raw_text(part).replace("\n\n", "\n"))
	kind = fields.get("feedback-type", "abuse").split(";")[0].strip().lower()
	if kind in NO_COMPLAINT:
		return OTHER, ()
	addresses = [_one(fields[name]) for name in ("original-rcpt-to", "removal-recipient") if fields.get(name)]
	words = f"Feedback-Type: {kind}" + (f", {fields['user-agent']}" if fields.get("user-agent") else "")
	unique = dict.fromkeys(filter(None, addresses))
	return COMPLAINT, tuple(Outcome(address, None, FAILED, None, words[:500]) for address in unique)


# -- parts -------------------------------------------------------------------------------------------------------


def _shallow(raw: bytes) -> bytes:
	"""Return a message up to where it has more boundaries than a bounce: Python follows them one inside the other. What a
	server says comes first, and what it returns last."""
	for number, match in enumerate(NESTING.finditer(raw)):
		if number == MOST_NESTED:
			return raw[: match.start()]
	return raw


def _parts(message: Message) -> Iterator[Message]:
	"""Yield a message's own parts, those of multiparts one by one, and none of what a message inside it has: a bounce
	that somebody forwards is no bounce."""
	left, count = [message], 0
	while left and count < MOST_PARTS:
		part = left.pop(0)
		count += 1
		if part.get_content_maintype() == "multipart" and part.is_multipart():
			left[:0] = part.get_payload()
		else:
			yield part


def _raw_text(part: Message) -> str:
	"""Return the text of a part, also where Python has parsed it, as it does what is of the type message."""
	payload = part.get_payload()
	if not isinstance(payload, list):
		return _decoded(part)
	blocks = []
	for block in payload:
		lines = [f"{name}: {_plain(value)}" for name, value in block.raw_items()]
		rest = _decoded(block)
		blocks.append("\n".join(lines) + (f"\n\n{rest}" if rest else ""))
	text = "\n\n".join(blocks)
	encoding = _header(part, "Content-Transfer-Encoding").strip().lower()
	if encoding in ("base64", "quoted-printable") and ":" not in text.split("\n")[0]:
		# Against the standard, and seen.
		whole = Message()
		whole["Content-Transfer-Encoding"] = encoding
		whole.set_payload(text)
		text = _decoded(whole)
	return text.replace("\r\n", "\n")[:MOST_TEXT]


def _decoded(part: Message) -> str:
	"""Return the text of a part that is none of messages."""
	if part.is_multipart():
		return ""
	try:
		data = part.get_payload(decode=True)
	except (ValueError, LookupError, TypeError, AssertionError):
		data = None
	if not isinstance(data, bytes):
		return _plain(part.get_payload())[:MOST_TEXT]
	charset = str(part.get_param("charset") or "utf-8")
	try:
		text = data[:MOST_TEXT].decode(charset, "replace")
	except (LookupError, ValueError):
		text = data[:MOST_TEXT].decode("utf-8", "replace")
	return text.replace("\r\n", "\n")


def _plain(value) -> str:
	"""Return a text of Python's parser as it can be written: it keeps bytes that are no ASCII as halves of characters."""
	return str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _header(message: Message, name: str) -> str:
	"""Return a header, decoded, in one line; empty where there is none."""
	values = (value for key, value in message.raw_items() if key.lower() == name.lower())
	text = _plain(next(values, ""))[:5000]
	pieces = []
	try:
		for piece, charset in decode_header(text):
			pieces.append(piece.decode(charset or "utf-8", "replace") if isinstance(piece, bytes) else piece)
	except (ValueError, LookupError, MessageError):
		pieces = [text]
	return " ".join("".join(pieces).split())


def _first_text(parts: list[Message]) -> str:
	"""Return the first text of a message: what its server has written, in plain text if it has."""
	texts = [
		part
		for part in parts
		if part.get_content_maintype() == "text" and part.get_content_type() not in ORIGINALS
	]
	plain = [part for part in texts if part.get_content_type() == "text/plain"]
	if plain:
		return _decoded(plain[0])
	return re.sub(r"<[^<>]*>", " ", _decoded(texts[0]).replace("<br", "\n<br")) if texts else ""


def _ids(message: Message, parts: list[Message]) -> Iterator[str]:
	"""Yield the Message-IDs of the message that another one is about."""
	for part in parts:
		if part.get_content_type() in ORIGINALS:
			if part.is_multipart():
				inner = part.get_payload()[0]
				yield from MESSAGE_ID.findall(_header(inner, "Message-ID"))
				if not inner.keys():
					yield from _ids_of_text(_raw_text(part))
			else:
				yield from _ids_of_text(_decoded(part))
	for name in ("In-Reply-To", "References"):
		yield from reversed(MESSAGE_ID.findall(_header(message, name)))
	yield from _ids_of_text(_first_text(parts))


def _ids_of_text(text: str) -> Iterator[str]:
	for found in MESSAGE_ID_LINE.findall(text):
		yield from MESSAGE_ID.findall(found)
