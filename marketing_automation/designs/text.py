"""What a marketer types, as source of a template: text in, HTML or plain text with tags of Jinja out. Pure.

Only {{ names }} that exist become tags. All else is text: it is escaped for HTML, and its braces for Jinja. The marks are
**bold**, *italic*, [words](https://address), and lines that begin with "- ".
"""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass

NAME = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")
LINK = re.compile(r"\[([^\[\]\n]{1,300})\]\(([^()\s]{1,1000})\)")
# It ends where the next two stars are, whether they close it or not: otherwise each beginning would look for an end afar.
BOLD = re.compile(r"\*\*(?=\S)((?:[^*]|\*(?!\*)){1,2000}?)(?<=\S)\*\*")
ITALIC = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*]{1,2000}?)(?<=[^\s*])\*(?![\w*])")
BULLET = re.compile(r"^\s*[-•]\s+")
# Where an address may lead; what begins with a slash is of the site.
SCHEME = re.compile(r"(?:https?://[^\s/]|mailto:|tel:|/(?!/))", re.IGNORECASE)
# For private use: no text has them. They stand for a name, and for a brace.
HELD, BRACE = "\ue002", "\ue003"
PRIVATE = re.compile("[\ue000-\uf8ff]")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
HELD_NAME = re.compile(f"{HELD}(\\w+){HELD}")


@dataclass(frozen=True)
class Names:
	"""The variables of a text. as_source, in_address: take a name, return source; None if there is no such variable."""

	as_source: Callable[[str], str | None]
	in_address: Callable[[str], str | None]


def clean(text) -> str:
	"""Return what somebody typed without what nobody can type."""
	return CONTROL.sub("", PRIVATE.sub("", str(text or ""))).replace("\r\n", "\n").replace("\r", "\n")


def names_in(text: str) -> list[str]:
	"""Return the names that a text would have filled in, in their order.

	>>> names_in("Dear {{ customer_name }}: {{days_left}} {x}")
	['customer_name', 'days_left']
	"""
	return NAME.findall(clean(text))


def unknown(text: str, names: Names) -> list[str]:
	"""Return the names of a text that do not exist."""
	return [name for name in dict.fromkeys(names_in(text)) if names.as_source(name) is None]


def addresses_in(text: str) -> list[str]:
	"""Return where the links of a text lead.

	>>> addresses_in("See [this](https://a.example/{{ serial_no }}) and (that)")
	['https://a.example/{{ serial_no }}']
	"""
	return [_shown(address) for _label, address in LINK.findall(_held(clean(text)))]


def as_html(text: str, names: Names, paragraph: str = "", bullets: str = "") -> str:
	"""Return HTML: paragraphs, and lists. paragraph, bullets: the styles of <p> and <ul>."""
	blocks = [part for part in re.split(r"\n\s*\n", clean(text).strip()) if part.strip()]
	written = []
	for position, part in enumerate(blocks):
		last = ";margin:0" if position == len(blocks) - 1 else ""
		lines = [line.strip() for line in part.strip().split("\n")]
		if all(BULLET.match(line) for line in lines):
			items = "".join(f"<li>{_inline(BULLET.sub('', line), names)}</li>" for line in lines)
			written.append(f'<ul style="{bullets}{last}">{items}</ul>')
		else:
			body = "<br>\n".join(_inline(line, names) for line in lines)
			written.append(f'<p style="{paragraph}{last}">{body}</p>')
	return "\n".join(written)


def as_inline(text: str, names: Names) -> str:
	"""Return HTML for one line.

	>>> none = Names(lambda name: None, lambda name: None)
	>>> as_inline("<b> & **bold** {{ x }}", none)
	"&lt;b&gt; &amp; <strong>bold</strong> {{ '{' }}{{ '{' }} x }}"
	"""
	return _inline(" ".join(clean(text).split()), names)


def as_plain(text: str, names: Names) -> str:
	"""Return plain text, with its paragraphs; the address of a link behind its words."""
	lines = []
	for line in clean(text).strip().split("\n"):
		held = LINK.sub(
			lambda link: (
				link.group(1) if link.group(1) == link.group(2) else f"{link.group(1)}: {link.group(2)}"
			),
			_held(line.strip()),
		)
		lines.append(_finished(ITALIC.sub(r"\1", BOLD.sub(r"\1", held)), names.as_source))
	return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))


def as_attribute(text: str, names: Names) -> str:
	"""Return a line for an attribute of HTML in double quotes."""
	return _finished(html.escape(_held(" ".join(clean(text).split()))), names.as_source)


def as_line(text: str, names: Names) -> str:
	"""Return a line of plain text as it stands, such as a subject."""
	return _finished(_held(" ".join(clean(text).split())), names.as_source)


def as_address(text: str, names: Names) -> str:
	"""Return an address for an attribute; an empty one where it leads nowhere that a mail may lead to.

	>>> some = Names(lambda name: "{{ x }}", lambda name: "{{ x | urlencode }}")
	>>> as_address("https://a.example/?a=1&b={{ x }}", some), as_address("javascript:alert(1)", some)
	('https://a.example/?a=1&amp;b={{ x | urlencode }}', '')
	"""
	held = _held(clean(text).strip())
	if not SCHEME.match(held):
		return ""
	return _finished(html.escape(re.sub(r"\s", "%20", held)), names.in_address)


def as_plain_address(text: str, names: Names) -> str:
	"""Return an address for the text part."""
	held = _held(clean(text).strip())
	return _finished(re.sub(r"\s", "%20", held), names.in_address) if SCHEME.match(held) else ""


def _held(text: str) -> str:
	return NAME.sub(lambda name: f"{HELD}{name.group(1)}{HELD}", text)


def _shown(held: str) -> str:
	return HELD_NAME.sub(r"{{ \1 }}", held)


def _inline(line: str, names: Names) -> str:
	pieces, position = [], 0
	held = _held(line)
	for link in LINK.finditer(held):
		address = as_address(_shown(link.group(2)), names)
		label = _marked(link.group(1), names)
		pieces.append(_marked(held[position : link.start()], names))
		pieces.append(f'<a href="{address}" class="ma-link">{label}</a>' if address else label)
		position = link.end()
	return "".join([*pieces, _marked(held[position:], names)])


def _marked(held: str, names: Names) -> str:
	text = BOLD.sub(r"<strong>\1</strong>", html.escape(held, quote=False))
	return _finished(ITALIC.sub(r"<em>\1</em>", text), names.as_source)


def _finished(held: str, source: Callable[[str], str | None]) -> str:
	"""Put the tags in. Other braces, and those of names that do not exist, are letters."""

	def written(name) -> str:
		return source(name.group(1)) or f"{BRACE}{BRACE} {name.group(1)} }}}}"

	return HELD_NAME.sub(written, held.replace("{", BRACE)).replace(BRACE, "{{ '{' }}")
