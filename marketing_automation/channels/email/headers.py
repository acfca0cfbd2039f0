"""What stands in the head of each mail beside what Frappe writes there: a message in, its headers out. No query.

Each kind is a function that returns {name: value}, and a line in `headers_of`. Values are ASCII. One that is longer than a
line is folded where it has a space, and leaves as it stands: nothing parses a finished mail and writes it out anew.
"""

import hashlib
import re
import unicodedata

import frappe

from marketing_automation.engine.channel import Message

# What tells senders apart where one provider sends for many: 5 to 15 characters.
SENDER_DIGITS = 10
MOST_OF_CAMPAIGN = 30
NO_WORD = re.compile(r"[^a-z0-9]+")


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
			(slug(message.campaign.name), slug(message.action.name), purpose, sender_id(frappe.local.site))
		)
	}


def auto_submitted(message: Message) -> dict[str, str]:
	"""Return that a clock has sent this (RFC 3834), so that no absence note answers it. People can, as to any mail."""
	return {"Auto-Submitted": "auto-generated"}


def sender_id(site: str) -> str:
	"""Return what stands for a site: the same always, and not its name."""
	return "ma" + hashlib.sha256(site.encode()).hexdigest()[:SENDER_DIGITS]


def slug(name: str) -> str:
	"""Return a name in letters and digits that a header can have, and no other name has.

	>>> slug("Renewal"), slug("Oferta: ¡última!")
	('renewal', 'oferta-ultima-462384')
	"""
	plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
	words = NO_WORD.sub("-", plain).strip("-")[:MOST_OF_CAMPAIGN].rstrip("-")
	if words == name.lower():
		return words
	digest = hashlib.sha256(name.encode()).hexdigest()[:6]
	return f"{words}-{digest}" if words else digest
