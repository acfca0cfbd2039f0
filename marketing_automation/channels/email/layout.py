"""A whole mail, made once per template: an Email Template in, the finished HTML and text parts with its tags out.

Frappe frames each mail, inlines the site's stylesheet into it and makes its text part: some fifteen milliseconds
in which little depends on the reader. Here the tags of the template are replaced by words that mean nothing, the
result goes once through Frappe's own functions, and the tags are put back. Where that could make another mail
than Frappe makes, `make` returns None, and each mail goes Frappe's way.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape

import frappe
from frappe.core.utils import html2text
from jinja2 import nodes

from marketing_automation.channels.texts.templates import (
	BODY,
	SUBJECT,
	Template,
	TemplateInvalid,
	example_context,
	fill,
	for_reader,
	one_line,
)

OPEN, CLOSE = {"if", "for"}, {"endif", "endfor"}
BLOCKS = OPEN | CLOSE | {"elif", "else", "set"}
# What makes HTML out of text: as a value it would get no style.
MARKUP_FILTERS = {"safe", "e", "escape", "forceescape", "urlize", "xmlattr", "tojson"}
BLOCK_NAME = re.compile(r"\{%[-+]?\s*(\w+)")
EXPRESSION = re.compile(r"(\{\{[-+]?)(.*?)([-+]?\}\})", re.DOTALL)
HTML_TAG = re.compile(r"<[a-zA-Z][^<>]*>")
ATTRIBUTE = re.compile(r"""([\w:-]+)="([^"]*)\"""")
# What is no text and no tag: here a value would be code.
OPAQUE = re.compile(r"<(style|script)\b.*?</\1>|<!--.*?-->", re.DOTALL | re.IGNORECASE)
STYLE = re.compile(r"<style\b", re.IGNORECASE)
TEXT_ATTRIBUTES = {"title", "alt"}
URL_ATTRIBUTES = {"href", "src"}
URL_START = re.compile(r"https?://[\w.-]+/|mailto:|tel:")
PLAIN = re.compile(r"[A-Za-z0-9._~-]*")


class Unfit(Exception):
	"""This mail, or this template, has to go Frappe's way."""


@dataclass(frozen=True)
class Layout:
	"""The parts of a mail as functions of the template's context; HTML takes the subject too, as SUBJECT_NAME, and the
	preview text, as PREVIEW_NAME, if it has one.

	text is None where only Frappe can make the text part. Both raise Unfit for a mail that has to go Frappe's way.
	"""

	html: Callable
	text: Callable | None


# No template can use it: names that are no variables are refused.
SUBJECT_NAME = "mail_subject_"
PREVIEW_NAME = "mail_preview_"


def _in_url(value) -> str:
	"""The parser that inlines styles writes other characters of an address differently."""
	if not PLAIN.fullmatch(str(value)):
		raise Unfit("value in a URL")
	return str(value)


HTML = BODY.overlay()
HTML.filters = {**BODY.filters, "in_url": _in_url}


def make(
	template: Template, framed: Callable[[str, str, str], str], has_preview: bool = False
) -> Layout | None:
	"""Return the layout of a template in the current language, or None.

	framed: makes the whole HTML of a mail of its subject, its body and its preview text, which is empty if it has none.
	"""
	try:
		layout = _make(template, framed, has_preview)
		for items in (1, 2):
			layout = _tried(layout, template, framed, has_preview, items)
		return layout
	except (Unfit, TemplateInvalid):
		return None


def _make(template: Template, framed: Callable, has_preview: bool) -> Layout:
	words = _Words(template.source, has_preview)
	whole = framed(words.subject, words.begin + words.source + words.end, words.preview)
	words.check(whole)
	html = HTML.from_string(words.with_tags(whole)).render
	try:
		text = SUBJECT.from_string(words.with_tags(html2text(words.source), ordered=True)).render
	except Unfit:
		text = None
	return Layout(html, text)


def _tried(layout: Layout, template: Template, framed: Callable, has_preview: bool, items: int) -> Layout:
	"""Return the layout without those parts that differ from Frappe's for an example; raises Unfit for the HTML."""
	values = for_reader(example_context(items, words=template.words), frappe.local.lang or "en")
	subject, body = fill(template, [template.subject, template.body], values)
	subject, preview = one_line(subject), "&lt;José & co&gt;" if has_preview else ""
	expected = framed(subject, body, preview)
	made = layout.html({**values, SUBJECT_NAME: subject, PREVIEW_NAME: unescape(preview)})
	if canonical(made) != canonical(expected):
		raise Unfit("the example's HTML")
	if layout.text and plain_words(layout.text(values)) != plain_words(html2text(body)):
		return Layout(layout.html, None)
	return layout


def canonical(html: str) -> str:
	"""Return HTML in which only what a reader or a browser sees is different from other HTML."""
	# In text and in the double-quoted attributes that the serialiser writes both forms mean the same.
	html = html.replace("&#39;", "'").replace("&#34;", '"').replace("&quot;", '"')
	# The serialiser breaks lines between elements that have no text between them.
	return " ".join(re.sub(r">\s+<", "><", html).split())


def plain_words(text: str) -> str:
	"""Return the words of a text part: without line breaks, the backslashes of Markdown and the lines of its tables."""
	return " ".join(re.sub(r"\||-{3,}", " ", text.replace("\\", "")).split())


class _Words:
	"""A template's source in which a word stands for each tag."""

	def __init__(self, source: str, has_preview: bool = False):
		self.prefix = f"w{frappe.generate_hash(length=10)}"
		self.tags = []
		self.word = re.compile(rf"{self.prefix}(\d+)z")
		if any(filter.name in MARKUP_FILTERS for filter in BODY.parse(source).find_all(nodes.Filter)):
			raise Unfit("a filter that makes HTML")
		self.source = "".join(self._replaced(source))
		self.body_tags = len(self.tags)
		self.subject = self._word(f"{{{{ {SUBJECT_NAME} }}}}")
		self.preview = self._word(f"{{{{ {PREVIEW_NAME} }}}}") if has_preview else ""
		self.begin, self.end = self._word(""), self._word("")

	def _word(self, tag: str) -> str:
		self.tags.append(tag)
		return f"{self.prefix}{len(self.tags) - 1}z"

	def _replaced(self, source: str):
		tag = ""
		for _line, kind, text in BODY.lex(source):
			if kind.startswith("raw"):
				raise Unfit("raw")
			if kind == "data":
				yield text
				continue
			tag += text
			if kind == "comment_end":
				tag = ""
			elif kind in ("variable_end", "block_end"):
				if kind == "block_end" and not self._is_known(tag):
					raise Unfit(tag)
				yield self._word(tag)
				tag = ""

	@staticmethod
	def _is_known(tag: str) -> bool:
		name = BLOCK_NAME.match(tag).group(1)
		# {% set x %}...{% endset %} holds HTML; {% set x = ... %} a value.
		return name in BLOCKS and (name != "set" or "=" in tag)

	def check(self, framed: str) -> None:
		"""Raise Unfit unless each word stands where its tag stood, and in a place where a value is text."""
		head, begin, rest = framed.partition(self.begin)
		body, end, foot = rest.partition(self.end)
		if not (begin and end) or self.subject not in head or self.preview not in head:
			raise Unfit("lost")
		head = head.replace(self.subject, "", 1).replace(self.preview, "", 1)
		if any(self.word.search(part) for part in (head, foot)):
			raise Unfit("doubled")
		if not self._same_structure(self._structure(self.source), self._structure(body)):
			raise Unfit("another structure")
		if any(self.word.search(opaque.group()) for opaque in OPAQUE.finditer(self.source)):
			raise Unfit("in a style, script or comment")
		if STYLE.search(self.source) and any(self._depth(word) for word in self._structure(self.source)):
			raise Unfit("a style that may depend on a condition")
		for tag in HTML_TAG.finditer(body):
			self._check_attributes(tag.group())

	def _structure(self, html: str) -> list[str]:
		"""Return the HTML tags and the words in their order."""
		# Styles move to the head.
		found = re.finditer(rf"<(/?[a-zA-Z][\w:-]*)|{self.word.pattern}", OPAQUE.sub("", html))
		return [match.group().lstrip("<").lower() for match in found]

	def _same_structure(self, source: list[str], framed: list[str]) -> bool:
		"""Say whether both are the same. The frame opens a paragraph, which the first block of the body closes."""
		depth, position, closed = 0, 0, False
		for item in framed:
			if position < len(source) and item == source[position]:
				position += 1
				depth += self._depth(item)
			elif item == "/p" and not depth and not closed:
				closed = True
			else:
				return False
		return position == len(source)

	def _depth(self, item: str) -> int:
		word = self.word.fullmatch(item)
		block = BLOCK_NAME.match(self.tags[int(word.group(1))]) if word else None
		return (block.group(1) in OPEN) - (block.group(1) in CLOSE) if block else 0

	def _check_attributes(self, tag: str) -> None:
		allowed = 0
		for name, value in ATTRIBUTE.findall(tag):
			words = self.word.findall(value)
			if any(not self.tags[int(word)].startswith("{{") for word in words):
				raise Unfit("a block in an attribute")
			if name in TEXT_ATTRIBUTES or (name in URL_ATTRIBUTES and URL_START.match(value)):
				allowed += len(words)
		if allowed != len(self.word.findall(tag)):
			raise Unfit("in a tag")

	def with_tags(self, text: str, ordered: bool = False) -> str:
		"""Return Jinja source: `text` with the tags in the place of their words. ordered: raise Unfit if any is lost."""
		found = [int(number) for number in self.word.findall(text)]
		if ordered and found != list(range(self.body_tags)):
			raise Unfit("lost or doubled")
		in_urls = {
			int(number)
			for tag in HTML_TAG.findall(text)
			for name, value in ATTRIBUTE.findall(tag)
			if name in URL_ATTRIBUTES
			for number in self.word.findall(value)
		}
		pieces, last = [], 0
		for match in self.word.finditer(text):
			pieces.append(_literal(text[last : match.start()]))
			number = int(match.group(1))
			tag = self.tags[number]
			pieces.append(EXPRESSION.sub(r"\1 (\2) | in_url \3", tag) if number in in_urls else tag)
			last = match.end()
		return "".join([*pieces, _literal(text[last:])])


def _literal(text: str) -> str:
	"""Return Jinja source that writes `text` as it stands."""
	return text.replace("{", "{{ '{' }}")
