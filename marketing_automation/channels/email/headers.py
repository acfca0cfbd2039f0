"""What stands in the head of each mail beside what Frappe writes there: a message in, its headers out. No query.

Each kind is a function that returns {name: value}, and a line in `headers_of`. A value is ASCII and stands in one line: Python
encodes the words of a longer one when Email Queue sends it. List-Unsubscribe, which is longer, is in `mime`.
"""

import functools
import hashlib
import re
import unicodedata

import frappe

from marketing_automation.engine.channel import Message

# What tells senders apart where one provider sends for many: 5 to 15 characters.
SENDER_DIGITS = 10
# Of a name, so that all of the header stands in one line.
MOST_OF_CAMPAIGN, MOST_OF_ACTION = 16, 10
NO_WORD = re.compile(r"[^a-z0-9]+")
# What no value may have: it would end the header.
BREAK = re.compile(r"[^ -~]")
LINE = 78


def headers_of(message: Message) -> dict[str, str]:
	"""Return the headers of a message: {name: value}. No query."""
	return {
		**feedback_id(message),
		**auto_submitted(message),
	}


def feedback_id(message: Message) -> dict[str, str]:
	"""Return by what Gmail's Postmaster Tools tell complaints apart: campaign, action, purpose, and who sends.

	Each part is for itself and the same in all mails of it; none names a customer.
	"""
	purpose = (message.campaign.get("purpose") or "Marketing").lower()
	return {
		"Feedback-ID": ":".join(
			(
				slug(message.campaign.name, MOST_OF_CAMPAIGN),
				slug(message.action.name, MOST_OF_ACTION),
				purpose,
				sender_id(frappe.local.site),
			)
		)
	}


def auto_submitted(message: Message) -> dict[str, str]:
	"""Return that a clock has sent this (RFC 3834), so that no absence note answers it. People can, as to any mail."""
	return {"Auto-Submitted": "auto-generated"}


@functools.lru_cache(maxsize=8)
def sender_id(site: str) -> str:
	"""Return what stands for a site: the same always, and not its name."""
	return "ma" + hashlib.sha256(site.encode()).hexdigest()[:SENDER_DIGITS]


@functools.lru_cache(maxsize=256)
def slug(name: str, most: int) -> str:
	"""Return a name in letters and digits that a header can have, and no other name has; `most` of them, and a digest.

	>>> slug("Renewal", 16), slug("Oferta: ¡última!", 16)
	('renewal', 'oferta-ultima-462384')
	"""
	plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
	words = NO_WORD.sub("-", plain).strip("-")[:most].rstrip("-")
	if words == name.lower():
		return words
	digest = hashlib.sha256(name.encode()).hexdigest()[:6]
	return f"{words}-{digest}" if words else digest


def written(headers: dict[str, str]) -> str:
	"""Return headers as they stand in a mail. Raises ValueError for what would not stand in one line.

	>>> written({"Auto-Submitted": "auto-generated"})
	'Auto-Submitted: auto-generated\\r\\n'
	"""
	lines = [f"{name}: {value}" for name, value in headers.items()]
	for line in lines:
		if len(line) > LINE or BREAK.search(line):
			raise ValueError(f"No header: {line}")
	return "".join(f"{line}\r\n" for line in lines)
