"""What a reader sees of a mail: HTML in, its visible text out, and what should not be there.

Braces that fill nothing in, other tools' tags, pictures that customers cannot open, nothing at all.
"""

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from html.parser import HTMLParser
from urllib.parse import unquote

# What stands where a tag of ours was: a letter that no text has.
FILLED_IN = "\ue000"
# Of many that do not end each is read to the next one, not to the end of the text.
CONDITIONAL_COMMENT = re.compile(
	r"(?:<!--)?<!(?:--)?\[(?:if[^\]<]*|endif)\](?:--)?>(?:<!-->)?", re.IGNORECASE
)
# In a style without blanks. What has no height is hidden where nothing flows out of it.
HIDDEN = re.compile(r"display:none|visibility:hidden|opacity:0(?:\.0*)?%?(?:[;!]|$)")
# Letters of no size are not seen; what stands within can have a size of its own, as in mails made by MJML.
SIZE = re.compile(r"(?:^|;)font-size:([^;!]*)")
NO_SIZE = re.compile(r"0(?:\.0*)?(?:px|pt|em|rem|%)?")
FLAT = re.compile(r"(?:^|;)(?:max-)?height:0(?:px|pt|em|%)?(?:[;!]|$)")
MAY_HIDE = re.compile(
	r"display\s*:\s*none|visibility\s*:\s*hidden|(?:font-size|opacity|height)\s*:\s*0|\bhidden\b"
	r"|<\s*(?:style|script|title|head|!)",
	re.IGNORECASE,
)
# What stands in two of these is not one word.
BLOCKS = set(
	"address article blockquote br center dd div dl dt footer h1 h2 h3 h4 h5 h6 header hr li ol p pre section table td th"
	" tr ul".split()
)
NEVER_SHOWN = {"style", "script", "head", "title", "template", "noscript"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
SHOWN = {"img", "video", "svg"}
# Letters that look empty: fillers of Hangul and Braille, joiners, selectors of variants.
LOOKS_EMPTY = re.compile("[\ufe00-\ufe0f\u180b-\u180f\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0]")
# Lookalikes that Unicode does not count as compatible.
BRACES = {"❴": "{", "❵": "}", "⦃": "{", "⦄": "}"}

PRIVATE = re.compile(r"\bprivate/+(?:\./+)*files/|(?:file|blob):/*\w", re.IGNORECASE)

WORDS = r"[A-Za-z_][\w .|:-]{0,60}?"
BROKEN = re.compile(
	rf"\\?\{{\s*\\?\{{|\{{\s*%\s*\w|\}}\s*\\?\}}|\{{\s*{FILLED_IN}+\s*\}}|\{{\s*[\w.]*{FILLED_IN}[\w.]*\s*\}}"
)
# What other tools fill in, by the names that are usual for it, in some languages. Marks that could as well be a writer's
# own ([sic], :-), $20) count only round one of these.
OF_WHOM = r"(?:(?:contact|user|customer|client|subscriber|recipient|member|lead|account|person|profile|company|merge)s?[ _.:-])?"
FIELD = OF_WHOM + "(?:{})".format(
	"|".join(
		(
			r"(?:(?:first|last|full|given|family|middle|user|nick|sur|company|customer|client|contact|account|product|item)"
			r"[ _.-]?)?names?|[fl][ _-]?names?",
			r"e?[ _-]?mail(?:[ _-]?(?:address|id))?|salutation|greeting|phone(?:[ _-]?number)?|zip[ _-]?code",
			r"(?:company|customer|client|recipient|subscriber)(?:[ _-]?(?:id|no|number|code))?|(?:order|user)[ _-]?(?:id|no|number)",
			r"expir(?:y|ation|es)(?:[ _-]?(?:date|on))?|due[ _-]?date|serial(?:[ _-]?(?:no|number))",
			r"(?:unsubscribe|view[ _-]?online|web[ _-]?version|preferences)[ _-]?(?:link|url)",
			"nombres?(?:[ _-]?(?:completo|cliente))?|apellidos?|correo(?:[ _-]?electr[oó]nico)?|clientes?|empresa|tel[eé]fono",
			"usuario|producto|fecha[ _-]?(?:de[ _-]?)?(?:vencimiento|expiraci[oó]n)",
			"(?:vor|nach|kunden|firmen)namen?|anrede|firma|kunde",
			"pr[eé]nom|nom|soci[eé]t[eé]|nome|cognome|sobrenome|azienda",
		)
	)
)
OTHER_TOOLS = re.compile(
	"|".join(
		(
			rf"\{{[^\w{{}}\n]{{0,3}}(?i:{FIELD})(?:[^\w{{}}\n][^{{}}\n]{{0,40}})?\}}",
			rf"\[[^\w\[\]\n]{{0,3}}(?i:{FIELD})[^\w\[\]\n]{{0,3}}\]",
			rf"[«‹<]\s*(?i:{FIELD})\s*[»›>]",
			rf"%(?i:{FIELD})%",
			rf"(?<!\w)(?P<mark>[#@~$!^|]{{1,2}})(?i:{FIELD})(?P=mark)(?!\w)",
			rf"(?<![\w:/.])[:$](?i:{FIELD})(?![\w:@])",
			rf"(?<![\w$])\$[(\[](?i:{FIELD})[)\]]",
			r"(?<![\w%])%(?:\d\$)?[sd](?![\w%])",
			r"\{\d{1,2}\}",
			r"\*\|[^|\n]{1,60}\|\*",
			r"\[\[[^\[\]\n]{1,60}\]\]",
			r"<<\s*[A-Za-z_][\w .]{0,60}>>",
			r"<\s*[a-z]+_[a-z_]+\s*>",
			r"<%[^%\n]{1,60}%>",
			rf"[$#@!]\{{\s*{WORDS}\s*\}}",
			r"\{\s*[!$@]?[A-Za-z_][\w.|]{0,60}\s*\}",
			r"\{!![^{}\n]{1,60}\}",
			r"%%=[^\n]{1,60}?=%%",
			r"\[%[^%\n]{1,60}%\]",
			r"%[A-Za-z_]\w{0,30}\.[\w.]{1,30}%",
			r"##[A-Za-z_]\w{1,60}##",
			r"\$[A-Z][A-Z_]{2,60}\$",
			r"\|[A-Z][A-Z_]{2,60}\|",
			r"\[[a-z]{2,30}:[a-z_]{2,30}\]",
			r"%%[A-Za-z_][\w .]{0,60}%%",
			r"\[?%[A-Za-z_]\w{2,60}%\]?",
			r"\[[A-Z][A-Z0-9_]{2,60}\]",
			r"\[\s*[a-z]+[_-][a-z_-]+\s*\]",
			r"[{\[]\s*[a-z]+(?:[A-Z][a-z]+)+\s*[}\]]",
			r"\{\s*[a-z]+-[a-z-]+\s*\}|##[a-z]+-[a-z-]+##|%[A-Za-z]+-[A-Za-z-]+%",
			r"\[\s*(?i:your|first|last|full|insert|customer|company)\b[^\[\]\n]{0,30}\]",
			r"\b__[A-Z][A-Z0-9_]{1,60}?__\b",
			r"@@\w{1,60}@@",
		)
	)
)
BARE = re.compile(r"\b[a-z]+_[a-z_]+\b")
# Before a browser takes them for tags of HTML.
AS_TAGS = re.compile(
	rf"<<?\s*([A-Za-z]\w{{1,60}})\s*>>|<([A-Za-z]+_\w{{1,60}})\s*>|<\s*(?i:{FIELD})\s*>|<\?(?:php|=)[^>]{{0,60}}"
)
# In an address, where a percent sign begins a character.
IN_ADDRESSES = re.compile(r"%[A-Za-z_]{4,60}%|\*\|[^|\n]{1,60}\|\*")
ADDRESSES = {"href", "src", "background", "action", "srcset"}


class _Reader(HTMLParser):
	"""Collects what is seen, and the values of attributes."""

	def __init__(self):
		super().__init__(convert_charrefs=True)
		self.seen, self.values, self.addresses = [], [], []
		self.pictures = 0
		# The elements that are open, each with whether it is hidden, and whether letters had a size round it; how many of
		# each, and how many are hidden; whether letters have a size here.
		self.open, self.names, self.hidden, self.sized = [], Counter(), 0, True

	def handle_starttag(self, tag, attrs):
		values = {name: value or "" for name, value in attrs}
		style = re.sub(r"\s", "", values.get("style", "")).lower()
		hidden = tag in NEVER_SHOWN or "hidden" in values or _hides(style)
		self.part(tag)
		if tag not in VOID:
			self.open.append((tag, hidden, self.sized))
			self.names[tag] += 1
			self.hidden += hidden
			if sizes := SIZE.findall(style):
				self.sized = not NO_SIZE.fullmatch(sizes[-1])
		for name, value in values.items():
			if name in ADDRESSES:
				self.addresses.append(value)
			elif name not in ("style", "class", "id"):
				self.values.append(value)
		if tag in SHOWN and not hidden and not self.hidden and not _is_pixel(values, style):
			self.pictures += tag != "img" or bool(values.get("src", "").strip())

	def handle_startendtag(self, tag, attrs):
		self.handle_starttag(tag, attrs)
		if tag not in VOID:
			self.handle_endtag(tag)

	def part(self, tag):
		if tag in BLOCKS and not self.hidden:
			self.seen.append("\n")

	def handle_endtag(self, tag):
		self.part(tag)
		while self.names[tag]:
			name, hidden, self.sized = self.open.pop()
			self.names[name] -= 1
			self.hidden -= hidden
			if name == tag:
				return

	def handle_data(self, data):
		if not self.hidden and self.sized:
			self.seen.append(data)


def _hides(style: str) -> bool:
	return bool(HIDDEN.search(style) or (FLAT.search(style) and "overflow:hidden" in style))


def _is_pixel(values: dict, style: str) -> bool:
	"""Say whether a picture has no size, or that of a dot, by its attributes or its style without blanks."""
	sides = []
	for side in ("width", "height"):
		styled = re.search(rf"(?:^|;)(?:max-)?{side}:([^;!]*)", style)
		sides.append((styled.group(1) if styled else values.get(side, "")).strip().removesuffix("px"))
	return "0" in sides or sides == ["1", "1"]


class _Seen(Exception):
	"""There is something to see."""


class _Looker(_Reader):
	"""Raises _Seen at the first that can be seen."""

	def handle_starttag(self, tag, attrs):
		super().handle_starttag(tag, attrs)
		if self.pictures:
			raise _Seen

	def handle_data(self, data):
		if not self.hidden and self.sized and is_seen(data):
			raise _Seen


def _read(source: str, reader: _Reader | None = None) -> _Reader:
	"""Read HTML. Without a reader of its own also what Outlook alone shows, in conditional comments."""
	source = _without_comments(source if reader else CONDITIONAL_COMMENT.sub("", source))
	reader = reader or _Reader()
	# A tag that does not end is read again and again, from each of its letters.
	reader.feed(f"{source}>" if source.rfind("<") > source.rfind(">") else source)
	reader.close()
	return reader


def _without_comments(source: str) -> str:
	pieces, position = [], 0
	while (start := source.find("<!--", position)) >= 0:
		pieces.append(source[position:start])
		end = source.find("-->", start + 4)
		position = end + 3 if end >= 0 else len(source)
	return "".join([*pieces, source[position:]])


def is_seen(text: str) -> bool:
	"""Say whether a text has anything that can be seen."""
	return any(
		unicodedata.category(char)[0] not in "ZC" for char in LOOKS_EMPTY.sub("", text) if not char.isspace()
	)


def may_hide(source: str) -> bool:
	"""Say whether pieces of HTML could hide what stands after them."""
	return bool(MAY_HIDE.search(source))


def is_blank(body: str) -> bool:
	"""Say whether a reader of this HTML would see neither text nor picture."""
	try:
		_read(body, _Looker())
	except _Seen:
		return False
	return True


def visible(body: str) -> str:
	"""Return what can be read of HTML, as text."""
	return "".join(_read(body).seen)


def is_right_to_left(text: str) -> bool:
	"""Say whether most letters of a text are of a script that is written from right to left."""
	directions = Counter()
	for char, count in Counter(text).items():
		directions[unicodedata.bidirectional(char)] += count
	return directions["R"] + directions["AL"] > directions["L"]


def as_read(text: str) -> str:
	"""Return a text as the eye reads it: without what has no width, and with braces that are braces."""
	for _turn in range(3):
		plain = html.unescape(text)
		if plain == text:
			break
		text = plain
	# One character by one: as a whole, a text could become eighteen times as long.
	return text.translate({ord(char): _plain(char) for char in {*text} if not char.isascii()})


def _plain(char: str) -> str:
	"""Return what a character looks like in plain letters and signs; nothing where it has no width."""
	if unicodedata.category(char) == "Cf":
		return ""
	plain = unicodedata.normalize("NFKC", char)
	return BRACES.get(char) or (plain if len(plain) <= 3 else char)


def braces(subject: str, body: str, names: set[str]) -> tuple[list[str], list[str]]:
	"""Return what was meant to be filled in and is not: what is broken of our own, and what other tools would fill in.

	subject, body: as rendered, or as written with FILLED_IN in the place of each tag. names: of the variables.
	"""
	reader = _read(body)
	texts = _each(as_read(text) for text in (subject, "".join(reader.seen), *reader.values))
	# An address inside of an address is encoded twice.
	addresses = _each(as_read(unquote(unquote(value))) for value in reader.addresses)
	broken, others = [], []
	for match in AS_TAGS.finditer(body):
		(broken if _is_ours(match.group(), names) else others).append(match.group())
	for text in (*texts, *addresses):
		found, end = [], 0
		for match in BROKEN.finditer(text):
			if match.start() >= end:
				end = match.end() + 30
				found.append(text[max(0, match.start() - 10) : end])
		broken += found
		if found:
			continue
		marked = []
		for match in OTHER_TOOLS.finditer(text):
			marked.append(match.group())
			(broken if _is_ours(match.group(), names) else others).append(match.group())
		# The name of a variable without any marks.
		if text in texts and not marked:
			others += [word for word in BARE.findall(text) if word in names]
	for value in _each(reader.addresses):
		for match in IN_ADDRESSES.finditer(value):
			(broken if _is_ours(match.group(), names) else others).append(match.group())
	return _distinct(broken), _distinct(others)


def _is_ours(tag: str, names: set[str]) -> bool:
	"""Say whether a tag in other marks names one of our variables, so that nothing else can be meant."""
	words = re.findall(r"[a-z]\w*", tag.strip("_%@").lower())
	word = words[0] if words else ""
	return word in names and ("_" in word or tag.startswith(("{", "$", "#")))


def _each(texts: Iterable[str]) -> dict[str, None]:
	"""Return the texts, each once, in their order."""
	return dict.fromkeys(texts)


def _distinct(found: list[str]) -> list[str]:
	return list(dict.fromkeys(" ".join(text.replace(FILLED_IN, "…").split())[:60] for text in found))


def private_files(body: str) -> bool:
	"""Say whether HTML shows or links to a file that only users of this site can open, or one of the writer's own."""
	return bool(PRIVATE.search(unquote(html.unescape(body)).replace("\\", "/")))
