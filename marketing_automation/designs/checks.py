"""What is worth mending in a design, found while it is written: a design and its mail in, problems out. Pure.

A problem says where it is, so that the editor shows it there, and how it can be mended by one click, if it can.
"""

import difflib
import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from html.parser import HTMLParser

from frappe import _

from marketing_automation.channels.texts import designed, template_text, templates
from marketing_automation.channels.texts.template_text import FILLED_IN
from marketing_automation.designs import block as contract
from marketing_automation.designs import compile as compiler
from marketing_automation.designs import design as designs
from marketing_automation.designs import text as texts
from marketing_automation.engine.brand import Brand

# Gmail clips a mail whose HTML is longer, and says so nowhere: senders agree on 102 kB, and Al Iverson measured 105
# (spamresource.com/2022/01/what-is-gmail-clipping-and-what-to-do.html).
MOST_BYTES, MANY_BYTES = 102_000, 80_000
# Email Template stores no more; phones show some forty.
MOST_SUBJECT, LONG_SUBJECT = 140, 70
ONE_BRACE = re.compile(r"(?<!\{)\{\s*([A-Za-z_]\w*)\s*\}(?!\})")
INSECURE = re.compile(r"^http://", re.IGNORECASE)
SHOUTED = re.compile(r"[!¡]{2,}|\$\$+|€€+")
# What a filter weighs, as far as a shop could say it: rules/20_phrases.cf of Apache SpamAssassin (GUARANTEED_100_PERCENT, ACT_NOW_CAPS,
# MONEY_BACK, ONE_TIME, DEAR_FRIEND, DEAR_SOMETHING, JOIN_MILLIONS, URG_BIZ, BANG_GUAR), at github.com/apache/spamassassin as of commit
# 019d291. It has such phrases in English alone.
DISLIKED = re.compile(
	r"\b(?:100% guaranteed|act now|money back guarantee|one[- ]time (?:offer|promotion)|dear (?:friend|sirs?|madam)"
	r"|join (?:thousands|millions)|urgent.{0,16}(?:notice|reply|request|response)|guaranteed?!)",
	re.IGNORECASE,
)
ANSWER = re.compile(
	r"repl(?:y|ies)|answer|write to us|call us|phone|respond|contest[ae]|escr[ií]b|ll[aá]me|tel[eé]fono|correo",
	re.IGNORECASE,
)
JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
RED, ORANGE = "red", "orange"


@dataclass(frozen=True)
class Problem:
	"""block, key: where it is, a block's id and a text's key. mend: {"label", and what the editor does}: "texts", texts by
	key; "value", (block, field, value); "add", a block with its texts; "copy", the key of a text to take from another
	language."""

	level: str
	text: str
	block: str | None = None
	key: str | None = None
	mend: dict | None = None

	def as_dict(self) -> dict:
		return asdict(self)


def problems(
	design: designs.Design, language: str, words: templates.Words, brand: Brand, made: compiler.Made | None
) -> list[Problem]:
	"""Return what is worth mending in a language, what stops it first. made: its mail, if it can be made."""
	found = [
		*_missing(design, language),
		*_copied(design, language),
		*_of_texts(design, language, words),
		*_of_addresses(design, language),
		*_of_blocks(design, language, brand),
		*(_of_mail(made, words) if made else ()),
	]
	return sorted(found, key=lambda problem: problem.level != RED)


def _missing(design: designs.Design, language: str) -> Iterator[Problem]:
	labels = _labels(design)
	for key in designs.missing(design, language):
		other = next((code for code, own in design.texts.items() if code != language and own.get(key)), None)
		yield Problem(
			RED,
			_("Missing: {0}").format(labels[key]),
			_block_of(key),
			key,
			{"label": _("Copy it from {0}").format(other), "copy": key, "language": other} if other else None,
		)


def _copied(design: designs.Design, language: str) -> Iterator[Problem]:
	for key, other in designs.copied(design, language).items():
		yield Problem(ORANGE, _("The same as in {0}. Translate it.").format(other), _block_of(key), key)


def _labels(design: designs.Design) -> dict[str, str]:
	return {
		key: f"{node.block.label}: {field.label}" if node else field.label
		for key, field, node in designs.text_fields(design.blocks)
	}


def _block_of(key: str) -> str | None:
	return key.split(".")[0] if "." in key else None


def _of_texts(design: designs.Design, language: str, words: templates.Words) -> Iterator[Problem]:
	names = compiler.names_of(words)
	known = [*compiler.kinds_of(words), compiler.IN_WORDS]
	own = design.texts.get(language, {})
	for key, field, _node in designs.asked_fields(design.blocks):
		text = own.get(key, "")
		if not text or field.kind == contract.SOURCE:
			continue
		place = {"block": _block_of(key), "key": key}
		for name in texts.unknown(text, names):
			near = difflib.get_close_matches(name, known, 1, 0.6)
			tag = re.compile(rf"\{{\{{\s*{name}\s*\}}\}}")
			mended = tag.sub(f"{{{{ {near[0]} }}}}" if near else "", text)
			label = _("Write {0}").format(f"{{{{ {near[0]} }}}}") if near else _("Take it out")
			said = _("{0} does not exist here. Customers would read it as it stands.").format(
				f"{{{{ {name} }}}}"
			)
			yield Problem(RED, said, **place, mend={"label": label, "texts": {key: mended}})
		for name in ONE_BRACE.findall(text):
			if name in known:
				mended = ONE_BRACE.sub(
					lambda one: f"{{{{ {one.group(1)} }}}}" if one.group(1) in known else one.group(), text
				)
				yield Problem(
					RED,
					_("{0} has one brace on each side. It takes two to be filled in.").format(f"{{{name}}}"),
					**place,
					mend={"label": _("Put two"), "texts": {key: mended}},
				)
				break
		yield from _disliked(text, key, field, place)


def _disliked(text: str, key: str, field, place: dict) -> Iterator[Problem]:
	if SHOUTED.search(text):
		yield Problem(
			ORANGE,
			_("Several signs in a row, such as !!, look like spam to a filter."),
			**place,
			mend={"label": _("Leave one"), "texts": {key: SHOUTED.sub(lambda found: found.group()[0], text)}},
		)
	if found := DISLIKED.search(text):
		yield Problem(
			ORANGE, _("Filters dislike “{0}”. Say it in other words.").format(found.group()), **place
		)
	letters = [char for char in texts.NAME.sub("", text) if char.isalpha()]
	if field.kind == contract.LINE and len(letters) > 6 and all(char.isupper() for char in letters):
		yield Problem(
			ORANGE,
			_("All in capitals looks like spam to a filter, and like shouting to a reader."),
			**place,
			mend={"label": _("In small letters"), "texts": {key: _small(text)}},
		)
	if key == designs.SUBJECT and len(text) > LONG_SUBJECT:
		yield Problem(
			ORANGE, _("The subject has {0} characters; phones show some 40.").format(len(text)), **place
		)


def _small(text: str) -> str:
	"""Return a text in small letters, but for its first and for the names in braces."""
	pieces = re.split(r"(\{\{.*?\}\})", text)
	small = "".join(piece if piece.startswith("{{") else piece.lower() for piece in pieces)
	return small[:1].upper() + small[1:]


def _of_addresses(design: designs.Design, language: str) -> Iterator[Problem]:
	own = design.texts.get(language, {})
	for key, field, _node in designs.asked_fields(design.blocks):
		text = own.get(key, "")
		if field.kind == contract.ADDRESS:
			addresses = [text] if text else []
		elif field.kind == contract.TEXT or field.kind == contract.LINE:
			addresses = texts.addresses_in(text)
		elif field.kind == contract.SOURCE:
			yield from _of_source(text, {"block": _block_of(key), "key": key})
			continue
		else:
			continue
		for address in addresses:
			place = {"block": _block_of(key), "key": key}
			yield from _of_address(address, place, functools.partial(text.replace, address))


class _Leads(HTMLParser):
	"""Gathers where the links and the pictures of HTML lead to, and whether a picture has words."""

	def __init__(self):
		super().__init__()
		self.links, self.pictures, self.mute = [], [], False

	def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
		found = dict(attrs)
		if tag == "a" and (address := (found.get("href") or "").strip()):
			self.links.append(address)
		elif tag == "img":
			self.pictures.append((found.get("src") or "").strip())
			# An empty one says that the picture says nothing.
			self.mute = self.mute or "alt" not in found


def _leads(source: str) -> _Leads:
	"""Return where HTML and Jinja lead to. A tag of Jinja can hold quotes and signs of HTML, so each becomes one letter."""
	found = _Leads()
	found.feed(JINJA.sub(FILLED_IN, source.replace(designed.WAY_OUT, FILLED_IN)))
	found.close()
	return found


def _with_link(source: str, old: str, new: str) -> str:
	"""Return HTML with another address in the links to one; as it was where that has a tag, or is written otherwise."""
	link = re.compile(rf"""(\bhref\s*=\s*["']?\s*){re.escape(old)}(?=[\s"'>])""", re.IGNORECASE)
	return link.sub(lambda found: found.group(1) + new, source)


def _of_source(source: str, place: dict) -> Iterator[Problem]:
	"""Yield what is wrong with the links and pictures of HTML that was written by hand."""
	found = _leads(source)
	for address in dict.fromkeys(found.links):
		# Where a tag says it, or another place in the same mail.
		if not address.startswith((FILLED_IN, "#")):
			for problem in _of_address(address, place, functools.partial(_with_link, source, address)):
				is_mended = problem.mend and problem.mend["texts"][place["key"]] != source
				yield replace(
					problem,
					text=problem.text.replace(FILLED_IN, "…"),
					mend=problem.mend if is_mended else None,
				)
	for address in dict.fromkeys(found.pictures):
		if not address:
			yield Problem(RED, _("A picture has no address, so customers see none."), **place)
		elif template_text.private_files(address):
			yield Problem(
				RED,
				_("The picture is private: customers cannot see it. Upload it as a public file."),
				**place,
			)
	if found.mute:
		yield Problem(
			ORANGE,
			_("A picture has no text for whoever does not see it. Write what it shows into its alt."),
			**place,
		)


def _of_address(address: str, place: dict, written: Callable[[str], str]) -> Iterator[Problem]:
	"""Yield what is wrong with an address. written: takes another one, returns the text with that in its place."""
	key = place["key"]
	if template_text.private_files(address):
		yield Problem(
			RED,
			_("{0} is private: customers cannot open it. Upload it as a public file.").format(address),
			**place,
		)
	elif INSECURE.match(address):
		mended = written(INSECURE.sub("https://", address))
		said = _("{0} does not begin with https://. Some programs warn of such a link.").format(address)
		yield Problem(ORANGE, said, **place, mend={"label": _("Write https://"), "texts": {key: mended}})
	elif not designs.is_address(address):
		mended = written(f"https://{address}")
		is_host = re.match(r"[\w-]+(\.[\w-]+)+", address)
		yield Problem(
			RED,
			_("{0} leads nowhere. An address begins with https://, mailto: or tel:.").format(address),
			**place,
			mend={"label": _("Write https://"), "texts": {key: mended}} if is_host else None,
		)


def _of_blocks(design: designs.Design, language: str, brand: Brand) -> Iterator[Problem]:
	own, ways = design.texts.get(language, {}), False
	shown = [
		node
		for node in design.nodes()
		if not node.only.get("languages") or language in node.only["languages"]
	]
	for node in shown:
		for field in node.block.fields():
			value = str(node.values.get(field.name) or "")
			if field.kind == contract.PICTURE:
				if not value:
					yield Problem(RED, _("Choose a picture, or take the block out."), node.id)
				elif template_text.private_files(value):
					yield Problem(
						RED,
						_("The picture is private: customers cannot see it. Upload it as a public file."),
						node.id,
					)
		if node.type == "button":
			if node.values.get("to") == "website" and not brand.website:
				yield Problem(
					ORANGE,
					_(
						"The brand has no website, so this button is left out. Write the website into the brand, or give the button an address."
					),
					node.id,
					mend={"label": _("An address of its own"), "value": [node.id, "to", "address"]},
				)
			elif node.values.get("to") == "address" and not own.get(key := f"{node.id}.address"):
				# Where another language has one, it is missing.
				if key not in designs.missing(design, language):
					yield Problem(RED, _("The button leads nowhere. Give it an address."), node.id, key)
			else:
				ways = True
	said = " ".join(own.values())
	ways = ways or any(
		_leads(own.get(key, "")).links
		for key, field, _node in designs.text_fields(design.blocks)
		if field.kind == contract.SOURCE
	)
	if not (ways or texts.addresses_in(said) or ANSWER.search(said)) and any(
		node.type != designs.FOOT for node in shown
	):
		yield Problem(
			ORANGE,
			_("Nothing says what to do next: no button, no link, no word about an answer."),
			mend={
				"label": _("Add a line"),
				"add": {
					"type": "text",
					"texts": {"text": _("If you have a question, simply reply to this e-mail.", language)},
				},
			},
		)


def _of_mail(made: compiler.Made, words: templates.Words) -> Iterator[Problem]:
	size = len(made.html.encode())
	if size > MANY_BYTES:
		yield Problem(
			RED if size > MOST_BYTES else ORANGE,
			_("The mail has {0} kB. Gmail shows {1} and cuts off the rest. Take blocks out.").format(
				size // 1000, MOST_BYTES // 1000
			),
		)
	if len(made.subject) > MOST_SUBJECT:
		yield Problem(
			RED,
			_("The subject is too long to be stored. Shorten it by {0} characters.").format(
				len(made.subject) - MOST_SUBJECT
			),
			key=designs.SUBJECT,
		)
