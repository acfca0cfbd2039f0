"""A design: the blocks of a message and its texts in each language. What is stored in, a checked `Design` out. Pure.

Stored as JSON: {"blocks": [block], "texts": {language: {key: text}}}. A block is {"id", "type", its fields that are the
same in all languages, "only": a condition (`conditions.py`), "columns": [[block]]}. The keys of texts are "subject",
"preheader" and "<id of a block>.<field>", so a text keeps its place while blocks are moved.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from frappe import _

from marketing_automation.designs import block as contract
from marketing_automation.designs.block import Block, Field
from marketing_automation.designs.text import NAME, SCHEME, clean

# They stand at the head of a message, not in a block. The second is a subject with tags of Jinja, taken over as it was.
SUBJECT, SUBJECT_SOURCE, PREHEADER = "subject", "subject_source", "preheader"
ID = re.compile(r"[A-Za-z0-9]{1,12}")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,2}")
WORD = re.compile(r"[^\W\d_]{3,}")
MOST_BLOCKS, MOST_LANGUAGES, MOST_TEXT, MOST_LINE, MOST_SOURCE = 120, 40, 10_000, 1000, 120_000
MOST_CHARACTERS = 1_000_000
FOOT = "foot"


class DesignInvalid(ValueError):
	"""A design that cannot be read; the message is for whoever sees it, and translated."""


@dataclass(frozen=True)
class Node:
	"""A block of a design. values: of the fields that all languages share, with what is left out filled in."""

	id: str
	type: str
	block: Block
	values: dict
	only: dict
	columns: tuple[tuple["Node", ...], ...] = ()


@dataclass(frozen=True)
class Design:
	blocks: tuple[Node, ...]
	texts: dict[str, dict[str, str]]

	@property
	def languages(self) -> list[str]:
		return list(self.texts)

	def nodes(self) -> Iterator[Node]:
		"""Yield all blocks, those that stand in others after them."""
		yield from _nodes(self.blocks)

	def as_data(self) -> dict:
		"""Return it as it is stored."""
		return {"blocks": [_as_data(node) for node in self.blocks], "texts": self.texts}


def _nodes(nodes: tuple[Node, ...]) -> Iterator[Node]:
	for node in nodes:
		yield node
		for column in node.columns:
			yield from _nodes(column)


def _as_data(node: Node) -> dict:
	data = {"id": node.id, "type": node.type, **node.values}
	if node.only:
		data["only"] = node.only
	if node.columns:
		data["columns"] = [[_as_data(one) for one in column] for column in node.columns]
	return data


def read(stored: str | dict, blocks: dict[str, Block]) -> Design:
	"""Return a design. Raises DesignInvalid for what is none.

	What a block does not know is left out, a number is brought within its limits, an unknown choice becomes the first.
	A message without a foot gets one, at its end; of several the last one stays.
	"""
	try:
		data = json.loads(stored) if isinstance(stored, str) else stored
	except (ValueError, RecursionError):
		# The second: brackets in brackets without an end.
		raise DesignInvalid(_("The design cannot be read: it is no JSON.")) from None
	if not isinstance(data, dict) or not isinstance(data.get("blocks", []), list):
		raise DesignInvalid(_("The design cannot be read: it has no list of blocks."))
	reader = _Reader(blocks)
	nodes = [reader.node(one) for one in data.get("blocks") or []]
	foot = next((node for node in reversed(nodes) if node.type == FOOT), None) or reader.node(
		{"id": reader.new_id(FOOT), "type": FOOT}
	)
	nodes = [node for node in nodes if node.type != FOOT]
	return Design((*nodes, foot), _texts(data.get("texts") or {}, (*nodes, foot)))


class _Reader:
	def __init__(self, blocks: dict[str, Block]):
		self.blocks, self.ids = blocks, set()

	def new_id(self, base: str) -> str:
		number = 1
		while f"{base}{number}" in self.ids:
			number += 1
		return f"{base}{number}"

	def node(self, data, within: bool = False) -> Node:
		if not isinstance(data, dict) or data.get("type") not in self.blocks:
			found = data.get("type") if isinstance(data, dict) else data
			raise DesignInvalid(
				_(
					"No installed app knows the block {0}. Install the app again, or take the block out."
				).format(str(found)[:60])
			)
		kind, block = data["type"], self.blocks[data["type"]]
		if within and (block.most_columns or block.fixed):
			raise DesignInvalid(_("{0} cannot stand inside of columns.").format(block.label))
		name = str(data.get("id") or "")
		if not ID.fullmatch(name) or name in self.ids:
			name = self.new_id("b")
		self.ids.add(name)
		if len(self.ids) > MOST_BLOCKS:
			raise DesignInvalid(_("A message may have {0} blocks. Shorten it.").format(MOST_BLOCKS))
		columns = ()
		if block.most_columns:
			given = data.get("columns") if isinstance(data.get("columns"), list) else []
			columns = tuple(
				tuple(self.node(one, within=True) for one in (column if isinstance(column, list) else []))
				for column in given[: block.most_columns]
			)
		values = {
			field.name: _value(field, data.get(field.name))
			for field in block.fields()
			if not field.of_language
		}
		# What every message has to have is in all of them.
		only = {} if block.fixed else _only(data.get("only"))
		return Node(name, kind, block, values, only, columns)


def _value(field: Field, given):
	if field.kind == contract.NUMBER:
		try:
			return min(max(int(given), field.least), field.most)
		except (TypeError, ValueError):
			return field.default
	if field.kind == contract.CHOICE:
		options = [value for value, _label in field.options]
		return given if given in options else (field.default or options[0])
	if given is None:
		return field.default
	return _limited(field, given)


def _limited(field: Field, given) -> str:
	if not isinstance(given, (str, int, float)):
		return ""
	most = {contract.TEXT: MOST_TEXT, contract.SOURCE: MOST_SOURCE}.get(field.kind, MOST_LINE)
	text = clean(given)
	if len(text) > most:
		raise DesignInvalid(
			_("{0} has {1} characters; it may have {2}. Shorten it.").format(field.label, len(text), most)
		)
	return text


def _only(given) -> dict:
	if not isinstance(given, dict):
		return {}
	tests = [
		{
			key: str(test.get(key) if test.get(key) is not None else "")[:140]
			for key in ("name", "is", "value")
		}
		for test in given.get("if") or []
		if isinstance(test, dict)
	]
	languages = [str(code) for code in given.get("languages") or [] if LANGUAGE.fullmatch(str(code))]
	if not tests and not languages:
		return {}
	return {"all": 1 if given.get("all", 1) else 0, "if": tests, "languages": languages}


def _texts(given, nodes: tuple[Node, ...]) -> dict[str, dict[str, str]]:
	if not isinstance(given, dict):
		raise DesignInvalid(_("The design cannot be read: it has no texts by language."))
	fields = {key: field for key, field, _node in text_fields(nodes)}
	fields[SUBJECT_SOURCE] = Field(SUBJECT_SOURCE, _("Subject"), contract.LINE, True)
	found = {}
	for language, texts in given.items():
		if not LANGUAGE.fullmatch(str(language)) or not isinstance(texts, dict):
			raise DesignInvalid(_("{0} is not the code of a language.").format(str(language)[:40]))
		found[language] = {
			key: _limited(fields[key], text)
			for key, text in texts.items()
			if key in fields and str(text or "").strip()
		}
	if len(found) > MOST_LANGUAGES:
		raise DesignInvalid(_("A design may have {0} languages.").format(MOST_LANGUAGES))
	return found


def text_fields(nodes: tuple[Node, ...]) -> Iterator[tuple[str, Field, Node | None]]:
	"""Yield (key, field, its block or None) of each text that a language has."""
	yield SUBJECT, Field(SUBJECT, _("Subject"), contract.LINE, True, True), None
	yield PREHEADER, Field(PREHEADER, _("Preview Text"), contract.LINE, True), None
	for node in _nodes(nodes):
		for field in node.block.fields():
			if field.of_language:
				yield f"{node.id}.{field.name}", field, node


def asked_fields(nodes: tuple[Node, ...]) -> Iterator[tuple[str, Field, Node | None]]:
	"""Yield those of `text_fields` that the choices of their block ask for; the others keep what was written once."""
	for key, field, node in text_fields(nodes):
		name, choice = field.shown_if or ("", "")
		if not name or node.values.get(name) == choice:
			yield key, field, node


def missing(design: Design, language: str) -> list[str]:
	"""Return the keys of the texts that a language lacks: those that are needed, and those that another one has."""
	own = design.texts.get(language, {})
	return [
		key
		for key, field, node in asked_fields(design.blocks)
		if not own.get(key)
		and not (key == SUBJECT and own.get(SUBJECT_SOURCE))
		and _is_shown(node, language)
		and (
			field.required or any(texts.get(key) for code, texts in design.texts.items() if code != language)
		)
	]


def copied(design: Design, language: str) -> dict[str, str]:
	"""Return the texts that say word for word what a language before it says: {key: that language}.

	A name, a number or a variable is the same in all languages: only texts of two words and more count.
	"""
	found, own = {}, design.texts.get(language, {})
	before = design.languages[: design.languages.index(language)] if language in design.languages else []
	for key, field, node in asked_fields(design.blocks):
		text = own.get(key, "")
		if field.kind not in (contract.TEXT, contract.LINE) or not _is_shown(node, language):
			continue
		if len(WORD.findall(NAME.sub(" ", text))) < 2:
			continue
		if other := next((code for code in before if design.texts[code].get(key) == text), None):
			found[key] = other
	return found


def _is_shown(node: Node | None, language: str) -> bool:
	languages = node.only.get("languages") if node else None
	return not languages or language in languages


def is_address(text: str) -> bool:
	"""Say whether an address leads where a mail may lead to."""
	return bool(SCHEME.match(text.strip()))
