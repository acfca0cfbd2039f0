"""What a refusal says: the codes and words of a mail server in, whose fault it is out. Pure.

The table is by RFC 3463. Only what names the mailbox is held against an address for good; what speaks of the sender or
of the message never is. What could be either is counted, and expires.
"""

import re
from typing import NamedTuple

from marketing_automation.channels.email import smtp_errors
from marketing_automation.engine.suppression import HARD, SOFT

# The sender's fault, or the message's.
SENDER = "sender"

ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
BASIC = re.compile(r"(?<![\d.])([245]\d\d)(?=[ \-]|$)")

# There is no such mailbox, or no such domain, or it takes nothing any more. 5.1.10: the domain says that it takes no mail.
NO_MAILBOX = {"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"}
# The message is too large, has a form that is not taken, or came in a way that is not.
OF_MESSAGE = {"5.3.4", "5.2.3", "5.1.7", "5.1.8"}
# Security or policy; content.
OF_SENDER = ("5.7.", "5.6.")
# A full mailbox is no temporary failure to its server, and passes all the same.
FULL = {"5.2.2"}

# Where the code says nothing, the words may. In the order in which they are asked.
WORDS_OF_SENDER = re.compile(
	r"spam|unsolicited|black ?list|block ?list|blocked|dnsbl|\brbl\b|spamhaus|reputation|relay(?:ing)? (?:access )?denied"
	r"|unable to relay|relay not permitted|not permitted to relay|dmarc|\bspf\b|\bdkim\b|policy|virus|malware|too large"
	# A server that cannot look the sender up says "not found" of a domain, too.
	r"|sender(?:'s)? (?:domain|address|host|server|verif|not |unknown)|(?:cuenta|dominio|direcci[oó]n) del remitente"
	r"|remitente (?:no|rechaz)|\bhelo\b|\behlo\b|\bptr\b|reverse (?:dns|lookup)|client host"
	r"|size limit|not authori[sz]ed|authentication (?:is )?required|rate limit|too many (?:connections|messages)",
	re.IGNORECASE,
)
WORDS_OF_FULL = re.compile(
	r"over ?quota|quota (?:is )?exceeded|exceeded (?:its |the |his |their )?(?:storage|quota|mailbox|email)|mailbox (?:is |size limit )?(?:full|exceeded)"
	r"|insufficient (?:system )?storage|out of storage|buz[oó]n (?:est[aá] )?lleno|caixa (?:postal|de correio) (?:est[aá] )?cheia|postfach (?:ist )?voll",
	re.IGNORECASE,
)
WORDS_OF_NO_MAILBOX = re.compile(
	r"(?:no such|unknown|invalid|nonexistent|non-existent|unrouteable|undeliverable) (?:user|recipient|mailbox|address|account|local)"
	r"|(?:user|recipient|mailbox|address|account)(?: address)?(?: you tried to reach)?(?:\s*\S+@\S+)? (?:unknown|not found|does(?: not|n't) exist|is (?:unknown|invalid|disabled|inactive|not valid)|disabled|invalid)"
	r"|user (?:unknown|doesn't have an?)|mailbox unavailable|no mailbox (?:here )?by that name|not our customer|doesn't have an? \S+ account"
	r"|(?:host|domain)(?: or domain)? (?:name )?not found|domain does not exist|nxdomain"
	r"|no existe|desconocid[oa]|n[aã]o existe|desconhecid[oa]|nicht (?:gefunden|bekannt|vorhanden)|unbekannt",
	re.IGNORECASE,
)


class Meaning(NamedTuple):
	"""What a refusal says: HARD, SOFT or SENDER, and the code that says it, as short as it can be."""

	verdict: str
	code: str | None


def enhanced(text: str | None) -> str | None:
	"""Return the first enhanced status code of a text (5.1.1), or None.

	>>> (
	...     enhanced("550-5.1.1 The email account does not exist"),
	...     enhanced("smtp; 550 no"),
	...     enhanced("host 10.5.1.1"),
	... )
	('5.1.1', None, None)
	"""
	match = ENHANCED.search(text or "")
	return ".".join(str(int(part)) for part in match.groups()) if match else None


def basic(text: str | None) -> int | None:
	"""Return the first reply code of SMTP of a text (550), or None.

	>>> basic("smtp; 550 5.1.1 no such user"), basic("5.1.1"), basic("host 192.0.2.250 said: 452 try later")
	(550, None, 452)
	"""
	match = BASIC.search(text or "")
	return int(match.group(1)) if match else None


def meaning(status: str | None, words: str | None = None, reply: int | None = None) -> Meaning | None:
	"""Return what a refusal says, or None where nothing does.

	status: an enhanced code, as a bounce's Status field has it. words: what the server said, its codes included. reply:
	its SMTP code, where that is known apart.

	>>> meaning("5.1.1").verdict, meaning("5.2.2").verdict, meaning("5.7.1").verdict, meaning("4.4.7").verdict
	('hard', 'soft', 'sender', 'soft')
	>>> meaning("5.0.0", "550 5.1.1 no such user").code, meaning(None, "550 Mailbox unavailable").verdict
	('5.1.1', 'hard')
	"""
	words = words or ""
	code = enhanced(status)
	said = enhanced(words)
	# x.0.0 means "something": the server's words may know more.
	if said and (not code or code.endswith(".0.0")):
		code = said
	reply = reply or basic(words)
	if not code and not reply:
		return Meaning(_of_words(words) or SOFT, None) if words else None
	short = code or str(reply)
	if code:
		if code in NO_MAILBOX:
			return Meaning(HARD, short)
		if code in FULL or code.startswith("4."):
			return Meaning(SOFT, short)
		if code in OF_MESSAGE or code.startswith(OF_SENDER):
			return Meaning(SENDER, short)
		if code.startswith("2."):
			return None
	elif 200 <= reply < 400:
		return None
	elif reply < 500:
		return Meaning(SOFT, short)
	return Meaning(_of_words(words) or SOFT, short)


def _of_words(words: str) -> str | None:
	if WORDS_OF_SENDER.search(words):
		return SENDER
	if WORDS_OF_FULL.search(words):
		return SOFT
	if WORDS_OF_NO_MAILBOX.search(words):
		return HARD
	return None


def of_sending(error: str) -> Meaning | None:
	"""Return what a refusal in an SMTP session says, by the traceback that it left; None where it is about no recipient.

	>>> of_sending("smtplib.SMTPRecipientsRefused: {'a@b.c': (550, b'5.1.1 no such user')}").verdict
	'hard'
	"""
	after_data = "SMTPDataError" in error
	found = smtp_errors.replies(error)
	if not found or not (after_data or "SMTPRecipientsRefused" in error):
		return None
	reply, words = found[-1]
	said = meaning(None, words, reply)
	if after_data and said and said.verdict != SENDER and not enhanced(words):
		# The whole message had come, so it may as well be what the server does not like.
		return None
	return said
