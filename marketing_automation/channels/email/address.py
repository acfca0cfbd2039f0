"""E-mail addresses as people write them: text in, one address, or what is wrong with it, out. Pure.

What can be meant in one way only is cleaned: a name round the address, `mailto:`, characters that nobody sees, a full
stop at the end, a domain in its own script. Two addresses are never one: nobody can know which of them is meant.
"""

import re
import unicodedata
from email import message_from_string, policy
from email.message import Message
from email.utils import formataddr
from functools import lru_cache
from urllib.parse import unquote

import idna
from frappe import _
from frappe.utils import validate_email_address

MOST_CHARACTERS = 140
MOST_OF_NAME = 60
# What has a meaning of its own in a header.
PARTING = re.compile(r'["\\,;:<>@()\[\]]')
# Nearly every address, and nothing that Frappe refuses.
PLAIN = re.compile(
	r"[a-z0-9]+(?:[._+-][a-z0-9]+)*@(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+[a-z]{2,}", re.ASCII | re.IGNORECASE
)
# Frappe takes a list of addresses, or one with a name, where one address is meant.
SEPARATORS = re.compile(r"[\s,;<>]")
ADDRESS = re.compile(r"[^\s,;<>()\"']+@[^\s,;<>()\"']+")
WITH_NAME = re.compile(r"(?P<name>[^<>]*)<\s*(?P<address>[^<>]*)>", re.DOTALL)
WITH_COMMENT = re.compile(r"(?P<address>\S+@\S+)\s*\([^()@]*\)")
QUOTED_NAME = re.compile(r'\s*"(?:[^"\\]|\\.)*"\s*')
QUOTED_LOCAL_PART = re.compile(r'"(?P<local>[A-Za-z0-9._+-]+)"@(?P<domain>[^"@]+)')


def clean(text: str | None) -> str:
	"""Return the address that is meant by a text, or the text without what nobody sees where that is not one address.

	>>> clean("Ana <ana@x.example>"), clean("mailto:ana@x.example\\u200b"), clean(" ana@x.example. ")
	('ana@x.example', 'ana@x.example', 'ana@x.example')
	>>> clean("ana@bücher.example"), clean("a@x.example, b@x.example")
	('ana@xn--bcher-kva.example', 'a@x.example, b@x.example')
	"""
	text = text or ""
	if PLAIN.fullmatch(text):
		return text
	text = _visible(text)
	if text.lower().startswith("mailto:"):
		text = unquote(text[len("mailto:") :].split("?")[0]).strip()
	match = WITH_NAME.fullmatch(text)
	if match and not _is_address_too(match["name"], match["address"]):
		text = match["address"].strip()
	elif match := WITH_COMMENT.fullmatch(text):
		text = match["address"]
	text = _without_ends(text)
	found = ADDRESS.findall(text)
	if len(found) > 1 and not ADDRESS.sub("", text).strip(" ,;\t") and len({*map(str.lower, found)}) == 1:
		# The same one twice.
		text = found[0]
	if match := QUOTED_LOCAL_PART.fullmatch(text):
		text = f"{match['local']}@{match['domain']}"
	local, at, domain = text.rpartition("@")
	if at and not domain.isascii():
		try:
			text = f"{local}@{idna.encode(domain, uts46=True).decode()}"
		except idna.IDNAError:
			return text
	return text


def _visible(text: str) -> str:
	"""Return a text without characters that have no width, other spaces and wide letters made plain."""
	text = "".join(char for char in text if unicodedata.category(char) != "Cf")
	return (text if text.isascii() else unicodedata.normalize("NFKC", text)).strip()


def _without_ends(text: str) -> str:
	"""Return a text without what is no part of an address at its ends."""
	text = text.strip(" \t\r\n,;:").rstrip(".")
	if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" and text.count(text[0]) == 2:
		return text[1:-1].strip().rstrip(".")
	return text


def _is_address_too(name: str, address: str) -> bool:
	"""Say whether the name before <address> is another address."""
	return not QUOTED_NAME.fullmatch(name) and any(
		found.lower() != address.strip().lower() for found in ADDRESS.findall(name)
	)


def is_address(text: str) -> bool:
	"""Say whether this is one e-mail address, as it stands, that can be in a header."""
	if len(text) > MOST_CHARACTERS or SEPARATORS.search(text):
		return False
	# Frappe's parser would take longer than all else that is done about a message before it is due.
	if PLAIN.fullmatch(text) and "undisclosed-recipient" not in text:
		return True
	# Some versions return the address in small letters, or nothing.
	return (validate_email_address(text) or "").lower() == text.lower()


def problem(text: str) -> str | None:
	"""Return why a cleaned text is no address to write to, in words for the marketer; None if it is one."""
	if is_address(text):
		return None
	if len(ADDRESS.findall(text)) > 1:
		return _("Two addresses in one field: {0}. Leave one, and add the other in a row of its own.").format(
			text
		)
	if len(text) > MOST_CHARACTERS:
		return _("The address is longer than {0} characters: {1}").format(MOST_CHARACTERS, text[:60])
	local, at, domain = text.rpartition("@")
	if not at:
		return _("There is no @ in the address: {0}").format(text)
	if not local or not domain:
		return _("Something is missing before or after the @: {0}").format(text)
	if re.search(r"\s", text):
		return _("There is a space or a line break in the address: {0}").format(" ".join(text.split()))
	if '"' in text:
		return _("Addresses with quotation marks cannot be written to: {0}").format(text)
	if "@" in local:
		return _("There are two @ in the address: {0}").format(text)
	if not local.isascii():
		return _("Mail servers do not take the letters before the @: {0}").format(text)
	if "." not in domain:
		return _("The part after the @ is no domain: {0}").format(text)
	return _("This is no address that mail can be sent to: {0}").format(text)


@lru_cache(maxsize=256)
def mailbox(name: str | None, address: str) -> str:
	"""Return a mailbox for a header, in which no character of the name parts it in two.

	>>> mailbox("Shop, Inc", "a@b.example"), mailbox("Ñandú, Inc", "a@b.example"), mailbox("", "a@b.example")
	('"Shop, Inc" <a@b.example>', '"Ñandú, Inc" <a@b.example>', 'a@b.example')
	"""
	name = _cut(" ".join((name or "").split()))
	if name.isascii():
		return formataddr((name, address))
	# Python writes an encoded name out again without the quotes that it needs.
	whole = f'"{_escaped(name)}" <{address}>'
	if _stays_one(whole, address):
		return whole
	plain = " ".join(PARTING.sub(" ", name).split())
	return f'"{plain}" <{address}>'


def _stays_one(whole: str, address: str) -> bool:
	"""Say whether a mailbox is still this one address in a header as Frappe 15 and 16 write it: encoded, and broken into lines."""
	for header in ("From", "Reply-To"):
		message = Message(policy.SMTP)
		message[header] = whole
		# Once for Email Queue, in one line, and once more from there for the server, broken into several.
		for _time in range(2):
			message = message_from_string(message.as_string(), policy=policy.SMTP)
		if [box.addr_spec for box in message[header].addresses] != [address]:
			return False
	return True


def _escaped(name: str) -> str:
	return name.replace("\\", "\\\\").replace('"', '\\"')


def _cut(name: str) -> str:
	"""Return a name that fits into one line of a header: Python breaks a longer one without its quotes."""
	while len(_escaped(name)) > MOST_OF_NAME:
		name = name[:-1].rstrip()
	return name
