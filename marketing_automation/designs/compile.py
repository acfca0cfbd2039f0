"""From a design to the mail of one language: MJML in between, HTML and text as sources of a template out.

What a marketer typed never meets the parser of MJML: words that mean nothing stand for it, and are replaced when the HTML
is done. So no text can break a mail, or become a part of it that it is not. No query.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import frappe
from frappe import _

from marketing_automation.channels.texts import designed, templates
from marketing_automation.channels.texts.designed import mark
from marketing_automation.designs import block as contract
from marketing_automation.designs import conditions, text
from marketing_automation.designs.block import Block
from marketing_automation.designs.design import (
	PREHEADER,
	SUBJECT,
	SUBJECT_SOURCE,
	Design,
	DesignInvalid,
	Node,
)

WIDTH = 600
# Below that, columns stand one under the other.
PHONE = 480
# After what each browser, and the parser of MJML, begins a new line in HTML without a change: between the parts of a table.
BREAKS = re.compile(r"(</?(?:table|tbody|tr|td)(?:\s[^<>]*)?>|<!\[endif\]-->|</div>)(?=<)")
# What can have a class; the values of attributes have no >.
ELEMENT = re.compile(r"(<mj-(?!raw)[a-z]+)([^>]*>)")
IN_WORDS = "days_in_words"
COMMON_NAMES = ("customer_name", "company", "campaign", "customer")
PARAGRAPH = "margin:0 0 14px 0"
LIST = "margin:0 0 14px 0;padding:0 0 0 20px"


class MjmlMissing(Exception):
	"""The package mjml-python is not installed."""


@dataclass(frozen=True)
class Made:
	"""A mail in one language, as sources of a template. html and text have the marks of `channels/texts/designed.py`."""

	subject: str
	html: str
	text: str


def is_able() -> bool:
	"""Say whether designs can be compiled here."""
	try:
		import mjml  # noqa: F401
	except ImportError:
		return False
	return True


def compiled(design: Design, language: str, words: templates.Words) -> Made:
	"""Return the mail of a design in a language. Raises DesignInvalid, and MjmlMissing.

	words: the variables of what the message is about (`templates.words_of_trigger`).
	"""
	return Writer(design, language, words).made()


def kinds_of(words: templates.Words) -> dict[str, str]:
	"""Return what conditions can ask for, {name: text, number or date}."""
	return {
		**{name: kind for name, kind, _example in words},
		**dict.fromkeys(COMMON_NAMES, "text"),
		**dict.fromkeys(("days_left", "days_since", conditions.COUNT), "number"),
	}


def names_of(words: templates.Words, of_item: bool = False) -> text.Names:
	"""Return the variables of a text: as a template has them, or of the item of a loop."""
	own = {name for name, _kind, _example in words} | {"days_left", "days_since"}

	def expression(name: str) -> str | None:
		if name in own:
			return f"item.{name}" if of_item else name
		if name == conditions.COUNT:
			return "items | length"
		return name if name in COMMON_NAMES else None

	def as_source(name: str) -> str | None:
		if name == IN_WORDS:
			return f"{{{{ in_words({'item.' if of_item else ''}days_left) }}}}"
		found = expression(name)
		return f"{{{{ {found} }}}}" if found else None

	def in_address(name: str) -> str | None:
		found = expression(name)
		return f"{{{{ ({found}) | string | urlencode }}}}" if found else None

	return text.Names(as_source, in_address)


@dataclass
class Words:
	"""What stands for sources while MJML is made: letters and digits that nothing else has."""

	prefix: str = field(default_factory=lambda: f"w{frappe.generate_hash(length=10)}")
	sources: list[str] = field(default_factory=list)

	def put(self, source: str) -> str:
		self.sources.append(source)
		return f"{self.prefix}{len(self.sources) - 1}z"

	def filled(self, html: str) -> str:
		found = re.compile(rf"{self.prefix}(\d+)z")
		# A source can have the words of others.
		for _depth in range(6):
			html, count = found.subn(lambda word: self.sources[int(word.group(1))], html)
			if not count:
				return html
		raise AssertionError("A word stands for itself.")


class Pen:
	"""Writes the values of one block; see `block.Pen`."""

	def __init__(self, writer: "Writer", node: Node):
		self.writer, self.node = writer, node
		self.fields = {one.name: one for one in node.block.fields()}
		self.start, self.end = ("right", "left") if writer.right_to_left else ("left", "right")

	def value(self, name: str):
		one = self.fields[name]
		assert one.kind in (contract.CHOICE, contract.NUMBER), name
		return self.node.values[name]

	def says(self, name: str) -> bool:
		return bool(self._text(name).strip())

	def html(self, name: str) -> str:
		return self.raw(text.as_html(self._text(name), self._names(name), PARAGRAPH, LIST))

	def inline(self, name: str) -> str:
		return self.raw(text.as_inline(self._text(name), self._names(name)))

	def plain(self, name: str) -> str:
		return text.as_plain(self._text(name), self._names(name))

	def address(self, name: str) -> str:
		return self.raw(text.as_address(self._text(name), self._names(name)))

	def plain_address(self, name: str) -> str:
		return text.as_plain_address(self._text(name), self._names(name))

	def in_attribute(self, name: str) -> str:
		return self.raw(text.as_attribute(self._text(name), self._names(name)))

	def source(self, name: str) -> str:
		"""Return HTML that was taken over from an Email Template, as it stands."""
		assert self.fields[name].kind == contract.SOURCE, name
		return self.raw(self.source_of(name))

	def source_of(self, name: str) -> str:
		"""Return it itself, to be read."""
		return self._text(name)

	def mark(self, name: str) -> str:
		return self.raw(mark(name))

	def plain_mark(self, name: str) -> str:
		return mark(name)

	def raw(self, source: str) -> str:
		return self.writer.words.put(source)

	def said(self, words: str) -> str:
		"""Return words of ours in the language of the mail."""
		return _(words, self.writer.language)

	def inside(self) -> list[list[tuple[Block, "Pen"]]]:
		return [
			[(one.block, Pen(self.writer, one)) for one in column if self.writer.is_in(one)]
			for column in self.node.columns
		]

	def only(self, written: str, as_text: bool = False) -> str:
		"""Return what a block wrote, with its condition round it."""
		return self.writer.only(self.node, written, as_text)

	def _text(self, name: str) -> str:
		if self.fields[name].of_language:
			return self.writer.texts.get(f"{self.node.id}.{name}", "")
		return str(self.node.values.get(name) or "")

	def _names(self, name: str) -> text.Names:
		return self.writer.names_of_item if self.fields[name].about_item else self.writer.names


class Writer:
	"""Writes one mail."""

	def __init__(self, design: Design, language: str, source_words: templates.Words):
		self.design, self.language = design, language
		self.texts = design.texts.get(language, {})
		self.right_to_left = templates.is_right_to_left(language)
		self.kinds = kinds_of(source_words)
		self.names = names_of(source_words)
		self.names_of_item = names_of(source_words, of_item=True)
		self.words = Words()

	def made(self) -> Made:
		return Made(
			subject=self.texts.get(SUBJECT_SOURCE) or text.as_line(self.texts.get(SUBJECT, ""), self.names),
			html=self.html(),
			text=self.text(),
		)

	def is_in(self, node: Node) -> bool:
		return conditions.for_language(node.only, self.language)

	def test(self, node: Node) -> str:
		"""Return the condition of a block as an expression, empty where every reader sees it."""
		try:
			return conditions.jinja(node.only, self.kinds)
		except conditions.Unclear as e:
			raise DesignInvalid(unclear(e, node)) from e

	def only(self, node: Node, written: str, as_text: bool = False) -> str:
		test = self.test(node)
		if not test or not written:
			return written
		if as_text:
			return f"{{% if {test} %}}{written}\n\n{{% endif %}}"
		return f"{self.raw(f'{{% if {test} %}}')}{written}{self.raw('{% endif %}')}"

	def pens(self) -> list[tuple[Block, Pen]]:
		return [(node.block, Pen(self, node)) for node in self.design.blocks if self.is_in(node)]

	def html(self) -> str:
		try:
			from mjml import mjml2html
		except ImportError as e:
			raise MjmlMissing from e
		body = "".join(self.sections())
		direction = "rtl" if self.right_to_left else "ltr"
		preheader = text.as_attribute(self.texts.get(PREHEADER, ""), self.names)
		title = text.as_attribute(self.texts.get(SUBJECT, ""), self.names)
		head = (
			f"<mj-title>{self.words.put(title)}</mj-title>"
			f"<mj-breakpoint width='{PHONE}px'/>"
			+ (f"<mj-preview>{self.words.put(preheader + FILLER)}</mj-preview>" if preheader else "")
			+ f"<mj-attributes><mj-all font-family='{self.words.put(mark('font'))}'/><mj-section text-align='{self.start}'/>"
			f"<mj-text align='{self.start}' font-size='16px' line-height='25px' color='{designed.INK}' padding='8px 20px'/>"
			f"<mj-table align='{self.start}' color='{designed.INK}' font-size='15px' line-height='22px' padding='8px 20px'/>"
			"</mj-attributes>"
		)
		source = (
			f"<mjml lang='{self.language.replace('_', '-')}' dir='{direction}'><mj-head>{head}</mj-head>"
			f"<mj-body width='{WIDTH}px' background-color='{designed.PAGE}' css-class='ma-page'>{body}</mj-body></mjml>"
		)
		html = mjml2html(source)
		# The classes are ours alone, and what cannot be written into tags.
		html = html.replace("<title>", f"{designed.GENERATOR}{COLOR_SCHEMES}<title>", 1)
		html = html.replace("</head>", f'<style type="text/css">{_style()}</style></head>', 1)
		html = BREAKS.sub("\\1\n", html)
		return self.words.filled(html)

	def sections(self) -> Iterator[str]:
		"""Yield the sections of all blocks, and those that begin and end the card."""
		before, joined_up = contract.ON_PAGE, []
		pens = self.pens()
		grounds = [block.ground(pen) for block, pen in pens]
		for position, (block, pen) in enumerate(pens):
			ground = grounds[position]
			if joined_up and not block.joins(pen):
				yield contract.card("".join(joined_up))
				joined_up = []
			if before == contract.ON_PAGE != ground:
				end = next(
					(i for i in range(position, len(pens)) if grounds[i] == contract.ON_PAGE), len(pens)
				)
				yield self.edge(range(position, end), pens, grounds, "10px 10px 0 0")
				first = position
			elif ground == contract.ON_PAGE != before:
				yield self.edge(range(position - 1, first - 1, -1), pens, grounds, "0 0 10px 10px")
			elif before == contract.ON_BAND and ground == contract.ON_CARD:
				joined_up.append(pens[position - 1][1].only('<mj-spacer height="12px"/>'))
				if not block.joins(pen):
					yield contract.card(joined_up.pop())
			if block.joins(pen):
				joined_up.append(pen.only(_named(block.mjml(pen), pen.node.id)))
			else:
				yield pen.only(_named(block.section(pen), pen.node.id))
			before = ground
		if joined_up:
			yield contract.card("".join(joined_up))

	def edge(self, order: Iterable[int], pens: list, grounds: list[str], corners: str) -> str:
		"""Return the rounded edge of the card, of the colour of the first of these blocks that a reader sees."""
		# (what a reader must be for it, the ground): a block without a condition ends them.
		choices = []
		for position in order:
			test = self.test(pens[position][1].node)
			if not choices or not test or choices[-1][1] != grounds[position]:
				choices.append((test, grounds[position]))
			else:
				choices[-1] = (f"{choices[-1][0]} or {test}", grounds[position])
			if not test:
				break
		while len(choices) > 1 and not choices[-1][0] and choices[-1][1] == choices[-2][1]:
			# Whoever does not see the one sees the other.
			choices[-2:] = [choices[-1]]
		written, word = [], "if"
		for test, ground in choices:
			if test:
				written.append(self.raw(f"{{% {word} {test} %}}"))
			elif word == "elif":
				written.append(self.raw("{% else %}"))
			written.append(self.cap(ground, corners))
			word = "elif"
		return "".join([*written, self.raw("{% endif %}") if choices[0][0] else ""])

	def raw(self, source: str) -> str:
		return f"<mj-raw>{self.words.put(source)}</mj-raw>"

	def cap(self, ground: str, corners: str) -> str:
		"""Return the rounded edge of the card."""
		is_card = ground == contract.ON_CARD
		color = contract.CARD if is_card else self.words.put(mark("color"))
		return (
			f'<mj-section css-class="{"ma-card" if is_card else "ma-band"}" background-color="{color}"'
			f' border-radius="{corners}" padding="0"><mj-column><mj-spacer height="14px"/></mj-column></mj-section>'
		)

	@property
	def start(self) -> str:
		return "right" if self.right_to_left else "left"

	def text(self) -> str:
		parts = [
			pen.only(written, as_text=True)
			for block, pen in self.pens()
			if (written := block.text(pen).strip())
		]
		return joined(parts)


def joined(parts: list[str]) -> str:
	"""Return the parts of a text, a blank line between them; one with a condition ends with its own."""
	return "".join(part if part.endswith("{% endif %}") else f"{part}\n\n" for part in parts).rstrip("\n")


def _named(mjml: str, block: str) -> str:
	"""Return MJML whose first element that is seen says which block it is: the editor finds it so in its picture."""
	return ELEMENT.sub(lambda tag: _with_class(tag, f"ma-block-{block}"), mjml, count=1)


def _with_class(tag, name: str) -> str:
	if 'css-class="' in tag.group():
		return tag.group().replace('css-class="', f'css-class="{name} ', 1)
	return f'{tag.group(1)} css-class="{name}"{tag.group(2)}'


# So that an inbox shows nothing of the message behind the preview text.
FILLER = "&#847;&zwnj;&nbsp;" * 25
COLOR_SCHEMES = '<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">'


def _style() -> str:
	"""Return the rules of a mail that no tag can have: those of dark mode, of links, of phones. No rule begins with an id."""
	return (
		":root{color-scheme:light dark;supported-color-schemes:light dark}\n"
		f".ma-link,.ma-card a.ma-link{{color:{mark('link')}}}\n"
		"@media only screen and (max-width:479px){"
		".ma-band h1,.ma-band h2{font-size:26px!important;line-height:32px!important}"
		".ma-item td{display:block!important;text-align:inherit!important}"
		".ma-item .ma-name{border-bottom:0!important;padding-bottom:6px!important}"
		".ma-item .ma-value{padding-top:0!important}"
		".ma-wide table{width:100%!important}"
		".ma-wide a{display:block!important}}\n"
		"@media (prefers-color-scheme:dark){"
		f"body,.ma-page{{background-color:{designed.DARK_PAGE}!important}}\n"
		f".ma-card,.ma-card>table{{background:{mark('night')}!important;background-color:{mark('night')}!important}}\n"
		f".ma-card div,.ma-card td,.ma-card th,.ma-card p,.ma-card li,.ma-card h2,.ma-card h3,.ma-ink,.ma-head div,"
		f".ma-head a{{color:{designed.DARK_INK}!important}}\n"
		f".ma-muted,.ma-card .ma-muted,.ma-card .ma-muted div,.ma-card .ma-muted p,.ma-foot div,.ma-foot a{{color:{designed.DARK_MUTED}!important}}\n"
		f".ma-card .ma-link,.ma-foot .ma-link{{color:{mark('link_in_dark')}!important}}\n"
		f".ma-soft,.ma-soft td{{background:{designed.DARK_SOFT}!important;background-color:{designed.DARK_SOFT}!important}}\n"
		f".ma-gap{{border-color:{mark('night')}!important}}\n"
		f".ma-card .ma-line-button a{{color:{mark('link_in_dark')}!important}}\n"
		f".ma-line-button td{{border-color:{mark('link_in_dark')}!important}}\n"
		f".ma-line,.ma-line td,.ma-line p{{border-color:{designed.DARK_LINE}!important}}\n"
		f".ma-band,.ma-band>table{{background:{mark('color')}!important;background-color:{mark('color')}!important}}\n"
		f".ma-band div,.ma-band h1,.ma-band h2,.ma-band p,.ma-card .ma-button a,.ma-card .ma-button p"
		f"{{color:{mark('on_color')}!important}}\n"
		"}"
	)


def unclear(error: conditions.Unclear, node: Node) -> str:
	"""Say what is wrong with a condition, and where."""
	what, *words = error.args
	said = {
		"many": _("It asks for more than {0} things."),
		"unknown": _("It asks for {0}, which does not exist here."),
		"sign": _("Choose how to compare {0}."),
		"number": _("{0} is compared with “{1}”, which is no whole number."),
		"value": _("Say what to compare {0} with."),
	}[what].format(*words)
	return _("The condition of the block {0} cannot be asked. {1}").format(node.block.label, said)


def as_json(design: Design) -> str:
	"""Return a design as it is stored."""
	return json.dumps(design.as_data(), ensure_ascii=False, indent=1)
