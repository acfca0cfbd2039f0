"""Blocks: what a designed message is built of. One object each, named in the hook `lifecycle_blocks` by its key, which is
the `type` of a block in a design: `{"button": "marketing_automation.blocks.button.BLOCK"}`.

An app adds one by a line in its hooks and an object that keeps `Block`. A block never writes what a marketer typed by
itself: it asks its pen, which escapes it.
"""

from typing import NamedTuple, Protocol

import frappe

# The kinds of fields: several lines with marks such as **bold**; one line of plain text; an address; one of some choices;
# a whole number; a public picture; HTML and Jinja as they stand in an Email Template.
TEXT, LINE, ADDRESS, CHOICE, NUMBER, PICTURE, SOURCE = (
	*("text", "line", "address", "choice", "number"),
	*("picture", "source"),
)


class Field(NamedTuple):
	"""What can be said of a block.

	of_language: each language has its own. required: without it there is nothing to show. options: (value, label) of a
	choice. about_item: variables in it are those of the item in turn. least, most: of a number. shown_if: (field, choice) of
	the block without which nobody is asked for it, and nothing is made of it.
	"""

	name: str
	label: str
	kind: str = LINE
	of_language: bool = False
	required: bool = False
	options: tuple[tuple[str, str], ...] = ()
	default: str | int = ""
	about_item: bool = False
	help: str = ""
	least: int = 0
	most: int = 1000
	shown_if: tuple[str, str] | None = None


class Pen(Protocol):
	"""What writes the values of one block: made by `compile.py`, for one language.

	All that is returned is a word that stands for a source, so a block can put it anywhere in its MJML.
	"""

	# "left" or "right": where lines begin, and where they end.
	start: str
	end: str

	def value(self, field: str) -> str | int:
		"""Return what was chosen: a choice or a number, never a text."""

	def says(self, field: str) -> bool:
		"""Say whether a field has anything."""

	def html(self, field: str) -> str:
		"""Return a text as HTML: paragraphs where it has several lines."""

	def inline(self, field: str) -> str:
		"""Return a text as HTML that fits into a line."""

	def plain(self, field: str) -> str:
		"""Return a text without marks, for the text part."""

	def address(self, field: str) -> str:
		"""Return an address, for an attribute."""

	def plain_address(self, field: str) -> str:
		"""Return an address, for the text part."""

	def in_attribute(self, field: str) -> str:
		"""Return a line, for an attribute."""

	def mark(self, name: str) -> str:
		"""Return what stands for something of the brand: see `channels/texts/designed.py`."""

	def plain_mark(self, name: str) -> str:
		"""Return the same for the text part."""

	def source(self, field: str) -> str:
		"""Return HTML and Jinja as they were written by hand."""

	def source_of(self, field: str) -> str:
		"""Return the same itself, to be read."""

	def raw(self, source: str) -> str:
		"""Return what stands for HTML, or a tag of Jinja, of the block's own."""

	def said(self, words: str) -> str:
		"""Return words of ours in the language of the mail."""

	def only(self, written: str, as_text: bool = False) -> str:
		"""Return what the block wrote, with its condition round it."""

	def inside(self) -> list[list[tuple["Block", "Pen"]]]:
		"""Return the blocks that stand in this one, by its columns."""


# What a block stands on: the page, the white card of the message, or a band in the brand's colour.
ON_PAGE, ON_CARD, ON_BAND = "page", "card", "band"
CARD = "#ffffff"


def card(inside: str, padding: str = "0 12px", css: str = "ma-card", ground: str = CARD) -> str:
	"""Return a section of the card, of one column."""
	return (
		f'<mj-section css-class="{css}" background-color="{ground}" padding="{padding}">'
		f"<mj-column>{inside}</mj-column></mj-section>"
	)


class Block(Protocol):
	"""What the editor and the compiler ask of a block."""

	# The name of one of Frappe's icons.
	icon: str = "file"
	# One that each message has exactly once and that nobody can take away.
	fixed: bool = False
	# One that nobody adds: it comes with an Email Template that was written by hand.
	offered: bool = True
	# How many lists of other blocks it has at most.
	most_columns: int = 0

	@property
	def label(self) -> str:
		"""Return what a marketer calls it."""
		return self.__class__.__name__

	def fields(self) -> list[Field]:
		"""Return what can be said of it."""
		return []

	def ground(self, pen: Pen) -> str:
		"""Return what it stands on."""
		return ON_CARD

	def joins(self, pen: Pen) -> bool:
		"""Say whether it stands in one section with the blocks round it: each section makes a mail larger."""
		return self.ground(pen) == ON_CARD and not self.most_columns

	def mjml(self, pen: Pen) -> str:
		"""Return MJML that stands in a column: whole elements, one under the other."""
		return ""

	def section(self, pen: Pen) -> str:
		"""Return MJML that stands in a message by itself: one section, whose css-class begins with that of its ground."""
		return card(self.mjml(pen))

	def text(self, pen: Pen) -> str:
		"""Return its part of the text part, without blank lines round it; empty where it has none."""
		return ""


def all_blocks() -> dict[str, Block]:
	"""Return the blocks of all installed apps, {type: block}, in the order of the apps."""
	return {
		key: frappe.get_attr(paths[-1]) for key, paths in frappe.get_hooks("lifecycle_blocks", {}).items()
	}
