"""Finished mails: what is the same in all mails of an account, made once by Frappe; subject, address and text in.

Frappe builds the MIME of each mail anew and, when it is sent, parses it and writes it out once more to fill in what
it has left open (the address, the link to unsubscribe). Here one mail is built by Frappe and taken apart, and the
others are that one with their own parts, complete. Email Queue's `send` would send them byte by byte as they are.
Where that does not hold, there is no frame or no mail, and Frappe's way is taken.
"""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from email import policy as policies
from email.headerregistry import UniqueUnstructuredHeader
from email.parser import Parser
from email.policy import EmailPolicy
from email.quoprimime import body_encode
from email.utils import formatdate

import frappe
from frappe.email.email_body import EMBED_PATTERN, sanitize_email_header
from frappe.utils import strip

# What Email Queue fills in when it sends.
UNSUBSCRIBE_URL, RECIPIENT = "<!--unsubscribe_url-->", "<!--recipient-->"
PLACEHOLDERS = (UNSUBSCRIBE_URL, RECIPIENT, "<!--email_open_check-->", "<!--cc_message-->")

# Addresses that Frappe, a header and a server all read as one address.
PLAIN_ADDRESS = re.compile(
	r"[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*@([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}"
)
BOUNDARY = re.compile(r'boundary="([^"]+)"')
DATE = re.compile(r"^Date: .*(?=\r\n)", re.MULTILINE)
# Longer lines of headers are broken anew by whoever parses them.
LINE = 78
LINE_BREAK = "\r\n"
# A hook of ours on outgoing mails has nothing to do with mails of ours.
OURS = "marketing_automation."


ONE_CLICK = "List-Unsubscribe=One-Click"
URI = re.compile(r"<[^<>\s]+>")


class UriList(UniqueUnstructuredHeader):
	"""A header that holds addresses in angle brackets, such as List-Unsubscribe.

	Python writes what is longer than a line as encoded words, which no mailbox provider reads in an address (RFC 2369). So it
	is broken between two addresses, and an address stays in one piece.
	"""

	def fold(self, *, policy):
		uris = URI.findall(self)
		if ",".join(uris) != "".join(self.split()):
			return super().fold(policy=policy)
		return f"{self.name}: " + f",{policy.linesep} ".join(uris) + policy.linesep


# All of Python's policies for mail share it, Frappe's too, so that Email Queue's own `send` writes it like this as well.
policies.SMTP.header_factory.map_to_type("List-Unsubscribe", UriList)


@dataclass(frozen=True)
class Parts:
	"""What is different in each mail: text without placeholders.

	way_out: the addresses of List-Unsubscribe, in its order. headers: more of them, as `headers.written` has them.
	"""

	subject: str
	recipient: str
	message_id: str
	text: str
	html: str
	way_out: tuple[str, ...] = ()
	headers: str = ""


SAMPLE = Parts(
	subject="The subject 4711",
	recipient="sample@customers.example",
	message_id="sample-4711@site.example",
	text="The text 4711",
	html="<p>The HTML 4711</p>",
	way_out=("https://sample.example/4711", "mailto:sample@sample.example?subject=4711"),
)
# Has what is written otherwise than it stands.
EXAMPLE = Parts(
	subject="«José», “50 % = 1/2” and more: a subject that is longer than one line of a header can be 🎉",
	recipient="example+4712@customers.example",
	message_id="example-4712@site.example",
	text="From José: 50 % = 1/2 \n.\n\n" + "ñ" * 100 + "\n",
	html="<p>From José: 50 % = 1/2 </p>\n.\n" + "<b>x</b>" * 100,
	way_out=(
		"https://a.host.whose.name.is.rather.long.for.a.line.of.a.header.example/"
		+ "example?t="
		+ "4712" * 9,
		"mailto:example+4712@example.example?subject=4712",
	),
)


@dataclass(frozen=True)
class Frame:
	"""What is the same in all mails of an account.

	row: the fields of Email Queue; those that differ are an example's. texts: the message without what differs;
	order: which of the slots of `filled` stands between them.
	"""

	row: dict
	texts: tuple[str, ...]
	order: tuple[int, ...]
	policy: EmailPolicy

	def filled(self, parts: Parts) -> str | None:
		"""Return the finished message, or None for a mail that has to be built by Frappe."""
		plain = PLAIN_ADDRESS.fullmatch(parts.recipient) and strip(parts.subject)
		if not plain or EMBED_PATTERN.search(parts.html):
			return None
		headers = (
			_subject(parts.subject, self.policy),
			f"Message-Id: <{parts.message_id}>",
			f"To: {parts.recipient}",
			f"Date: {formatdate()}",
		)
		if any(len(line) > LINE for header in headers for line in header.split(LINE_BREAK)):
			return None
		slots = (*headers, _encoded(parts.text), _encoded(parts.html), way_out_header(parts.way_out))
		between = (
			piece
			for number, text in zip(self.order, self.texts[1:], strict=True)
			for piece in (slots[number], text)
		)
		return "".join([parts.headers, self.texts[0], *between])


def make(build: Callable[[Parts], tuple[EmailPolicy, dict]], ways_out: int = 0) -> Frame | None:
	"""Return the frame of an Email Account's mails; None where each of them has to be built by Frappe.

	build: has Frappe build a mail; returns the policy by which it is written out, and its row of Email Queue. ways_out: how
	many addresses List-Unsubscribe has; 0 for none.
	"""
	if any(not path.startswith(OURS) for path in frappe.get_hooks("make_email_body_message")):
		return None
	sample = replace(SAMPLE, way_out=SAMPLE.way_out[:ways_out])
	policy, row = build(sample)
	message = sent(row["message"], SAMPLE.recipient, policy)
	slots = [
		_subject(SAMPLE.subject, policy),
		f"Message-Id: <{SAMPLE.message_id}>",
		f"To: {SAMPLE.recipient}",
		(DATE.search(message) or [""])[0],
		SAMPLE.text,
		SAMPLE.html,
		*([way_out_header(sample.way_out)] if ways_out else []),
	]
	pieces = re.split("(" + "|".join(map(re.escape, slots)) + ")", message)
	texts, between = pieces[::2], pieces[1::2]
	if sorted(between) != sorted(slots):
		return None
	# Python's boundaries have characters that no quoted-printable text has, so they are good for every text.
	if not all("==" in boundary for boundary in BOUNDARY.findall(message)):
		return None
	frame = Frame(row, tuple(texts), tuple(slots.index(slot) for slot in between), policy)
	return frame if _holds(frame, build, ways_out) else None


def _holds(frame: Frame, build: Callable, ways_out: int) -> bool:
	"""Say whether the frame makes of another example what Frappe makes of it."""
	example = replace(EXAMPLE, way_out=EXAMPLE.way_out[:ways_out])
	policy, row = build(example)
	filled = frame.filled(example)
	different = {"message", "message_id", "recipients"}
	return (
		filled is not None
		and comparable(filled) == comparable(sent(row["message"], EXAMPLE.recipient, policy))
		and all(row[field] == value for field, value in frame.row.items() if field not in different)
	)


def sent(message: str, recipient: str, policy: EmailPolicy) -> str:
	"""Return a message of Email Queue as its `send` hands it to the server, but for the link to unsubscribe."""
	return Parser(policy=policy).parsestr(message.replace(RECIPIENT, recipient)).as_string()


def completed(part: str, recipient: str, unsubscribe_url: str) -> str:
	"""Return a text or HTML part with its placeholders filled in.

	Nothing is left of those for several recipients, and for tracking: that belongs to a Communication.
	"""
	values = {UNSUBSCRIBE_URL: unsubscribe_url, RECIPIENT: recipient}
	for placeholder in PLACEHOLDERS:
		part = part.replace(placeholder, values.get(placeholder, ""))
	return part


def comparable(message: str) -> str:
	"""Return a message without what is random in it: its boundaries, and the time."""
	for number, boundary in enumerate(BOUNDARY.findall(message)):
		message = message.replace(boundary, f"boundary {number}")
	return DATE.sub("Date: ", message, count=1)


def way_out_header(uris: tuple[str, ...]) -> str:
	"""Return the header List-Unsubscribe as it is sent, without its last line break; empty where there is no way out."""
	return "List-Unsubscribe: " + f",{LINE_BREAK} ".join(f"<{uri}>" for uri in uris) if uris else ""


def _subject(subject: str, policy: EmailPolicy) -> str:
	"""Return the header as it is sent, without its last line break: written out, read again and broken into lines."""
	name, value = policy.header_store_parse("Subject", sanitize_email_header(strip(subject)))
	queued = policy.clone(max_line_length=0).fold(name, value)
	return policy.fold(*policy.header_source_parse([queued])).removesuffix(LINE_BREAK)


def _encoded(text: str) -> str:
	"""Return a body as Python's `email` writes it out in UTF-8, which Frappe has set to quoted-printable."""
	if "\r" in text:
		return body_encode(text.encode().decode("latin-1")).replace("\n", LINE_BREAK)
	# Each line by itself, which gives the same: most lines of a designed mail are those of the one before.
	return LINE_BREAK.join(map(_encoded_line, text.split("\n")))


@functools.lru_cache(maxsize=8192)
def _encoded_line(line: str) -> str:
	return body_encode(line.encode().decode("latin-1")).replace("\n", LINE_BREAK)
