"""The links in mails that lead to a customer's preferences: what a link is about in, an opaque token out, and back.

A token names a row of ours (a message, a request for consent) or, for links of version 0.1, a campaign and an address. It
is masked, so that nobody reads anything in it, and bound by an HMAC, so that nobody makes or changes one.
"""

import base64
import hashlib
import hmac
import re
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import frappe

from marketing_automation.engine import secrets
from marketing_automation.engine.settings import SETTINGS

# Below the site's address. The page is pages/preferences.py.
PAGE = "message-preferences"
TOKEN = re.compile(r"[A-Za-z0-9_-]{20,1000}")
MAC_BYTES = 12
# What a token can be about.
MESSAGE, CONSENT, OF_CAMPAIGN = "m", "c", "a"
KINDS = {MESSAGE: 1, CONSENT: 1, OF_CAMPAIGN: 2}
SEPARATOR = "\x1f"
IN_SUBJECT = re.compile(r"\bunsubscribe-([A-Za-z0-9_-]{20,1000})")
# The ledger's names, which are hex digits, take half as much.
SHORT = re.compile(r"[0-9a-f]{23}")


class About(NamedTuple):
	"""What a token is about. names: of the message; of the consent; or of the campaign, and the address."""

	kind: str
	names: tuple[str, ...]


def token(kind: str, *names: str) -> str:
	"""Return the token about something (see `About`): 32 characters for a message. 1 query in each job, for the key."""
	if kind == MESSAGE and SHORT.fullmatch(names[0]):
		plain = bytes.fromhex(f"0{names[0]}")
	else:
		plain = f"{kind}{SEPARATOR.join(names)}".encode()
	secret = secrets.key()
	mac = _mac(secret, plain)
	return base64.urlsafe_b64encode(mac + _masked(secret, mac, plain)).decode().rstrip("=")


def read(token: str | None) -> About | None:
	"""Return what a token is about; None for one that this site has not made just so. At most 1 query."""
	if not isinstance(token, str) or not TOKEN.fullmatch(token):
		return None
	secret = secrets.key()
	try:
		whole = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
	except ValueError:
		return None
	# The last character has bits that mean nothing.
	if base64.urlsafe_b64encode(whole).decode().rstrip("=") != token:
		return None
	mac, masked = whole[:MAC_BYTES], whole[MAC_BYTES:]
	plain = _masked(secret, mac, masked)
	if not masked or not hmac.compare_digest(mac, _mac(secret, plain)):
		return None
	if plain[0] < 16:
		return About(MESSAGE, (plain.hex()[1:],))
	text = plain.decode()
	about = About(text[0], tuple(text[1:].split(SEPARATOR)))
	return about if KINDS.get(about.kind) == len(about.names) else None


def _mac(secret: bytes, plain: bytes) -> bytes:
	return hmac.new(secret, b"link" + plain, hashlib.sha256).digest()[:MAC_BYTES]


def _masked(secret: bytes, mac: bytes, text: bytes) -> bytes:
	"""Return a text under a mask that belongs to its HMAC; masked once more it is what it was."""
	mask = hashlib.shake_256(secret + b"mask" + mac).digest(len(text))
	return bytes(one ^ other for one, other in zip(text, mask, strict=True))


def base_address() -> str | None:
	"""Return the address of this site as customers reach it ("https://shop.example"), or None where nobody has said it.

	The settings', else `host_name` of the site's configuration. Never what a request calls the site: that is whatever its
	sender likes. 1 query.
	"""
	said = frappe.db.get_single_value(SETTINGS, "public_address") or frappe.conf.get("host_name")
	return normal(said)


def normal(address: str | None) -> str | None:
	"""Return an address as it begins links; None for what is no address of a site."""
	address = (address or "").strip()
	if address and "://" not in address:
		address = f"http://{address}"
	address = address.rstrip("/")
	try:
		parts = urlsplit(address)
		host = parts.hostname
		# Raises for one that is no number.
		_port = parts.port
	except ValueError:
		return None
	plain = re.fullmatch(r"[\x21-\x7e]+", address) and not re.search(r"[<>\"'\\,;?#@]", address)
	return address if plain and host and parts.scheme in ("http", "https") else None


def is_secure(address: str | None) -> bool:
	"""Say whether mailbox providers can post to this address: RFC 8058 asks for https."""
	return bool(address) and address.startswith("https://")


def page(token: str, address: str | None) -> str:
	"""Return the URL of a preference page. address: from `base_address`; without one it is a guess (`site_address`)."""
	return f"{address or site_address()}/{PAGE}?t={token}"


def site_address() -> str:
	"""Return what the address of this site would be if its name were its host: better than no link, and no more than a guess."""
	return f"http://{frappe.local.site}"


def mail_address() -> str | None:
	"""Return the address that takes unsubscribes by mail, or None. 1 query."""
	return frappe.db.get_single_value(SETTINGS, "unsubscribe_address") or None


def mail_link(token: str, address: str) -> str:
	"""Return the mailto link that unsubscribes: the token is its subject."""
	return f"mailto:{quote(address, safe='@+')}?subject=unsubscribe-{token}"


def token_of_subject(subject: str | None) -> str | None:
	"""Return the token in the subject of a mail that `mail_link` has begun, or None; whatever stands around it."""
	found = IN_SUBJECT.search(subject or "")
	return found.group(1) if found else None
