"""POSTs to addresses that users have chosen: none into the site's own network, none that hangs, no redirect followed."""

import contextlib
import http.client
import ipaddress
import re
import socket
import ssl
import threading
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urlsplit

import frappe
from frappe import _
from frappe.utils import cint

from marketing_automation.engine.settings import SETTINGS

SECONDS_TO_CONNECT = 5
SECONDS_TO_ANSWER = 15
# All of a call, however slowly it goes on.
SECONDS_IN_ALL = 25
LONGEST_ANSWER = 2000
LONGEST_WAIT = 24 * 60 * 60
# Networks that IANA has given away for use behind somebody's door, but that Python counts as global.
NOT_OURS = tuple(map(ipaddress.ip_network, ("100.64.0.0/10", "192.0.0.0/24", "64:ff9b::/96", "2002::/16")))
SCHEMES = {"https": 443, "http": 80}


class Refused(Exception):
	"""An address that is not called; the text says why, and what to do."""


class NoAnswer(Exception):
	"""Nobody has answered, or not in time, or not as HTTP does."""


@dataclass(frozen=True)
class Answer:
	"""Status, the beginning of the body as text, and the seconds that we were asked to wait."""

	status: int
	text: str
	retry_after: int | None


def private_allowed() -> bool:
	"""Say whether an administrator lets webhooks go to the site's own network, and unencrypted. 1 query."""
	return bool(cint(frappe.db.get_single_value(SETTINGS, "private_webhooks")))


def problem(url: str, private: bool, resolve: bool = True) -> str | None:
	"""Return why a URL would not be called, or None. private: from `private_allowed`. resolve: also look up its addresses."""
	try:
		parts = _parts(url, private)
		if resolve:
			_addresses(parts, private)
	except Refused as e:
		return str(e)
	except NoAnswer as e:
		return _("Nobody is known by the name in {0}: {1}").format(url, e)
	return None


def post(url: str, body: bytes, headers: dict[str, str], private: bool) -> Answer:
	"""POST a body and return the answer, whatever its status; raises Refused or NoAnswer. No query."""
	parts = _parts(url, private)
	addresses = _addresses(parts, private)
	target = parts.path or "/"
	if parts.query:
		target += f"?{parts.query}"
	try:
		with _connected(parts, addresses) as connection:
			connection.request(
				"POST", target, body, {**headers, "host": _host_header(parts), "connection": "close"}
			)
			response = connection.getresponse()
			text = response.read(LONGEST_ANSWER).decode("utf-8", "replace")
			return Answer(response.status, text, _seconds(response.headers.get("retry-after")))
	except (OSError, http.client.HTTPException, ValueError) as e:
		# ssl.SSLError and time-outs are OSErrors; ValueError is what some garbage raises.
		raise NoAnswer(f"{type(e).__name__}: {e}"[:300]) from e


def _parts(url: str, private: bool) -> SplitResult:
	"""Return a URL's parts; raises Refused where they are not ones that are called."""
	try:
		parts = urlsplit(url)
		port = parts.port
	except ValueError:
		parts, port = None, None
	if (
		not parts
		or parts.scheme not in SCHEMES
		or not parts.hostname
		or port == 0
		or re.search(r"[\s\x00-\x1f\x7f\\]", url)
		or not url.isascii()
	):
		raise Refused(_("{0} is no URL such as https://example.com/hook.").format(url[:200]))
	if parts.username or parts.password:
		raise Refused(_("The URL has a password in it, which would be shown. The signature says who calls."))
	if parts.scheme != "https" and not private:
		raise Refused(_("The URL begins with http: what is sent could be read on its way. Use https."))
	return parts


def _addresses(parts: SplitResult, private: bool) -> list[tuple]:
	"""Return the socket addresses of a URL; raises Refused where any lies in the site's own network, NoAnswer for none."""
	try:
		found = socket.getaddrinfo(
			parts.hostname, parts.port or SCHEMES[parts.scheme], type=socket.SOCK_STREAM
		)
	except (OSError, UnicodeError) as e:
		raise NoAnswer(str(e)) from e
	if not private:
		for *_family, address in found:
			if not is_public(address[0]):
				raise Refused(
					_(
						"{0} leads to {1}, which is in this site's own network. A System Manager can allow that in Marketing Automation Settings."
					).format(parts.hostname, address[0])
				)
	return found


def is_public(address: str) -> bool:
	"""Say whether an IP address is one of the internet's, whatever it is written as.

	>>> (
	...     is_public("127.0.0.1"),
	...     is_public("::ffff:10.0.0.1"),
	...     is_public("169.254.169.254"),
	...     is_public("93.184.216.34"),
	... )
	(False, False, False, True)
	"""
	ip = ipaddress.ip_address(address.partition("%")[0])
	ip = getattr(ip, "ipv4_mapped", None) or ip
	if any(ip in network for network in NOT_OURS if network.version == ip.version):
		return False
	return ip.is_global and not ip.is_multicast


@contextlib.contextmanager
def _connected(parts: SplitResult, addresses: list[tuple]):
	"""Yield a connection to one of these addresses, and to no other that the name may lead to by now."""
	sock, error = None, None
	for family, kind, protocol, _name, address in addresses:
		sock = socket.socket(family, kind, protocol)
		sock.settimeout(SECONDS_TO_CONNECT)
		try:
			sock.connect(address)
			break
		except OSError as e:
			sock.close()
			sock, error = None, e
	if not sock:
		raise error or OSError("no address")
	# Shut down, not closed: whoever waits for it wakes up.
	timer = threading.Timer(SECONDS_IN_ALL, _shut_down, [sock])
	timer.daemon = True
	timer.start()
	try:
		sock.settimeout(SECONDS_TO_ANSWER)
		if parts.scheme == "https":
			sock = ssl.create_default_context().wrap_socket(sock, server_hostname=parts.hostname)
		connection = http.client.HTTPConnection(parts.hostname, parts.port)
		connection.sock = sock
		yield connection
	finally:
		timer.cancel()
		sock.close()


def _shut_down(sock: socket.socket) -> None:
	with contextlib.suppress(OSError):
		sock.shutdown(socket.SHUT_RDWR)


def _host_header(parts: SplitResult) -> str:
	host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
	return f"{host}:{parts.port}" if parts.port and parts.port != SCHEMES[parts.scheme] else host


def _seconds(header: str | None) -> int | None:
	"""Return the seconds of a header Retry-After, which has a number or a date; None where it says nothing."""
	text = (header or "").strip()
	if text.isdigit() and len(text) < 10:
		seconds = int(text)
	else:
		try:
			seconds = (parsedate_to_datetime(text) - datetime.now(timezone.utc)).total_seconds()
		except (TypeError, ValueError):
			return None
	return min(max(int(seconds), 0), LONGEST_WAIT)
