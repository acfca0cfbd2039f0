"""What an error while sending a mail means: text of a traceback in, "temporary" or not and the words out. Pure."""

import re

# smtplib shows a reply as (550, b'5.1.1 no such user').
REPLY = re.compile(r"\(([2-5]\d\d), b?(['\"])(.*?)(?<!\\)\2")

# No reply at all: nobody answered, or the line broke. Names of exceptions, and what Frappe makes of them.
NO_CONNECTION = (
	"ConnectionRefusedError",
	"ConnectionResetError",
	"ConnectionAbortedError",
	"BrokenPipeError",
	"TimeoutError",
	"TimeoutException",
	"socket.timeout",
	"gaierror",
	"SMTPServerDisconnected",
	"SMTPConnectError",
	"No route to host",
	"Network is unreachable",
	"Invalid Outgoing Mail Server or Port",
	"Could not connect to outgoing email server",
)

# The server is there, and takes nothing from us. Names of exceptions, and what Frappe makes of them.
NO_LOGIN = (
	"SMTPAuthenticationError",
	"InvalidEmailCredentials",
	"Incorrect email or password",
	"Password not found",
	"Please check your login credentials",
)
NO_AGREEMENT = ("SSLError", "SSLCertVerificationError", "SMTPNotSupportedError", "SMTPHeloError")
LOGIN_CODES = {432, 454, 530, 534, 535, 538}
# Too busy, or closing. It is about no mail in particular.
UNAVAILABLE_CODE = 421


def replies(error: str) -> list[tuple[int, str]]:
	"""Return the mail server's replies that a traceback quotes: [(code, words)].

	>>> replies("smtplib.SMTPRecipientsRefused: {'a@b.c': (550, b'5.1.1 no such user')}")
	[(550, '5.1.1 no such user')]
	"""
	return [(int(code), words) for code, _quote, words in REPLY.findall(error)]


def is_temporary(error: str) -> bool:
	"""Say whether trying again later can help: the server said so (4xx), or nobody answered."""
	if found := replies(error):
		return all(400 <= code < 500 for code, _words in found)
	return any(name in error for name in NO_CONNECTION)


def summary(error: str) -> str:
	"""Return what a person should read first, and then the whole: the server's words, or the last line."""
	lines = [line for line in error.strip().splitlines() if line.strip()]
	first = "; ".join(f"{code} {words}" for code, words in replies(error)) or (lines[-1] if lines else "")
	return f"{first}\n\n{error.strip()}"[:2000] if first else ""


def fault_of_server(error: str) -> tuple[str, str] | None:
	"""Return what kept the server from taking any mail, ("connection" or "login"), and its words; None if it was this
	mail that it did not take.

	>>> fault_of_server("ConnectionRefusedError: [Errno 111] Connection refused")
	('connection', 'ConnectionRefusedError: [Errno 111] Connection refused')
	"""
	found = replies(error)
	codes = {code for code, _words in found}
	words = summary(error).partition("\n\n")[0]
	if codes & LOGIN_CODES or any(name in error for name in NO_LOGIN):
		return "login", words
	if UNAVAILABLE_CODE in codes or any(name in error for name in NO_AGREEMENT):
		return "connection", words
	if not found and any(name in error for name in NO_CONNECTION):
		return "connection", words
	return None
