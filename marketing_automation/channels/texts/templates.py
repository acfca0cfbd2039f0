"""Customers' mail: an Email Template and a context in, subject and HTML out.

Rendered in an environment of our own, not Frappe's: values are escaped, an unknown variable is an error instead of
a hole in the mail, and a template reaches nothing but what it is given. (Frappe's environment escapes nothing,
prints unknown names as they stand, and hands the database and HTTP requests to whoever writes a template.)
"""

import functools
import html
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

import frappe
from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from frappe import _
from frappe.utils import getdate
from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from marketing_automation import erpnext_schema
from marketing_automation.channels.texts import designed, template_errors, template_syntax, template_text
from marketing_automation.channels.texts.template_syntax import Amount, Refused
from marketing_automation.engine.channel import Rendered
from marketing_automation.engine.language import CODE, of_the_site
from marketing_automation.engine.source import Variable, all_sources

# What a variable of a source is to a template.
KIND_OF = {
	"text": template_syntax.text(),
	"date": template_syntax.Date(),
	"number": template_syntax.Number(),
}
# (name, kind, example) of the variables of an item: what a source says of it (`Source.describe`).
Words = tuple[tuple[str, str, object], ...]
# The words of serial numbers: a template is taken to be about these where nobody says otherwise.
PINS: Words = (
	("item_name", "text", "Pin"),
	("expiry_date", "date", None),
	("serial_no", "text", "PIN-0001"),
	("item_code", "text", "PIN"),
	("date", "date", None),
)
FUNCTIONS = {
	"_": template_syntax.Function(template_syntax.translated),
	"format_date": template_syntax.Function(template_syntax.written_date),
	"in_words": template_syntax.Function(template_syntax.days_written),
}


def words_of(variables: Iterable[Variable]) -> Words:
	"""Return what templates need of a source's variables."""
	return tuple((variable.name, variable.kind, variable.example) for variable in variables)


def words_of_trigger(trigger: dict | None) -> Words:
	"""Return the words of a trigger's source (its fields as `rules.TRIGGER_FIELDS`); those of pins where no app has it."""
	source = all_sources().get(trigger.get("source")) if trigger else None
	return words_of(source.describe(trigger)) if source else PINS


def all_words() -> Words:
	"""Return the words of every source, for a template of which nobody knows yet what it is for. 1 query.

	Those of another DocType where a trigger is about it.
	"""
	triggers = [
		frappe._dict(source=key) for key, source in all_sources().items() if source.reference_doctypes()
	]
	triggers += frappe.get_all(
		"Lifecycle Trigger",
		filters={"reference_doctype": ["is", "set"]},
		fields=["source", "reference_doctype", "customer_field", "date_field", "yearly"],
		order_by="name asc",
	)
	found = {}
	for trigger in triggers:
		source = all_sources().get(trigger.source)
		if source and all(erpnext_schema.has(doctype) for doctype in (source.reference_doctype(trigger),)):
			for word in words_of_trigger(trigger):
				found.setdefault(word[0], word)
	return tuple(found.values())


def item_names_of(words: Words) -> tuple[str, ...]:
	"""Return what each of `items` has."""
	return (*(name for name, _kind, _example in words), "days_left", "days_since")


def names_of(words: Words) -> tuple[str, ...]:
	"""Return all variables of a template."""
	return ("customer_name", *item_names_of(words), "customer", "company", "campaign", "items", "pins")


VARIABLES = names_of(PINS)


@functools.lru_cache(maxsize=64)
def kinds_of(words: Words) -> dict:
	"""Return what each name is in a template. `pins` is what `items` was called first."""
	item = {name: KIND_OF[kind] for name, kind, _example in words}
	item |= {name: KIND_OF["number"] for name in ("days_left", "days_since")}
	items = template_syntax.Many(template_syntax.Item(tuple(item.items())), Amount(0, 1))
	text = KIND_OF["text"]
	return {
		"customer_name": text,
		**item,
		"customer": text,
		"company": text,
		"campaign": text,
		"items": items,
		"pins": items,
		**FUNCTIONS,
	}


# Of what a template makes; a mail server takes less.
MOST_OUTPUT = 20_000_000
MOST_SUBJECT = 1000
# Of the days on which a message could name each item, so many are looked through.
MOST_LOOKED_AT = 2


def _within_limits(pieces: Iterable[str]) -> str:
	"""Return the pieces of a rendered template as one text."""
	written, size = [], 0
	for piece in pieces:
		size += len(piece)
		if size > MOST_OUTPUT:
			raise Refused(_("A message would have more than {0} characters.").format(MOST_OUTPUT))
		written.append(piece)
	return "".join(written)


class Sandbox(ImmutableSandboxedEnvironment):
	"""Jinja's sandbox, for what `template_syntax.judge` has let pass."""

	concat = staticmethod(_within_limits)

	def __init__(self, **options):
		super().__init__(undefined=StrictUndefined, **options)
		# range, lipsum, cycler and the like have no use in a mail.
		self.globals.clear()
		self.filters = {name: made for name, made in self.filters.items() if name in template_syntax.FILTERS}
		self.tests = {name: made for name, made in self.tests.items() if name in template_syntax.TESTS}


BODY = Sandbox(autoescape=True)
SUBJECT = Sandbox(autoescape=False)

# Has no width, and parts what it stands between.
WORD_JOINER = "\u2060"
# Frappe attaches the file that an `embed` in a mail's HTML names, be it in a tag or in text: site_config.json, too.
IN_WORDS_TAG = re.compile(r"\{\{-?\s*in_words\(\s*((?:[A-Za-z_]\w*\.)?[A-Za-z_]\w*)\s*\)\s*-?\}\}")
EMBED = re.compile(r"""embed(?==["'])""")

# How many days are left in the examples that a template is tried on; the first two are what every template must bear.
EXAMPLE_DAYS = (0, 30, 1, 7, 365, -1, -7, -30, -365)
# So many days after the expiry, that it is no other number of a message.
LONG_AGO = -7919

# Languages that are written from right to left, and scripts.
RIGHT_TO_LEFT = {
	*("ar", "arc", "azb", "bal", "bqi", "ckb", "dv", "fa", "glk", "he", "iw", "ji", "khw", "ks", "ku", "lrc"),
	*("mzn", "nqo", "pnb", "prs", "ps", "sd", "skr", "syr", "ug", "ur", "yi"),
}
RIGHT_TO_LEFT_SCRIPTS = {"arab", "hebr", "thaa", "syrc", "nkoo", "aran"}
LEFT_TO_RIGHT_SCRIPTS = {"latn", "cyrl", "deva"}


class TemplateInvalid(frappe.ValidationError):
	"""A template that cannot be sent; the message says what to change."""


@dataclass(frozen=True)
class Template:
	"""A compiled Email Template.

	steps: what filling it in takes at most (see `template_syntax.Amount`). says: every mail of it has a text that can
	be seen. right_to_left: most of its letters are of a script that is written so. words: what it may say of an item.
	design: of one that is a whole mail with a frame of its own.
	"""

	name: str
	source: str
	subject: Callable
	body: Callable
	steps: Amount
	says: bool
	right_to_left: bool
	words: Words = PINS
	design: "Designed | None" = None


@dataclass(frozen=True)
class Designed:
	"""A mail that was designed: sources with the marks of `designed.py`. text: None for one that was changed by hand."""

	html: str
	text: str | None

	def with_foot(self, foot: str) -> "Designed":
		"""Return it with a plain text at the end of both."""
		piece = designed.small_print(designed.braces(html.escape(foot)).replace("\n", "<br>"))
		text = None if self.text is None else f"{self.text}\n\n{designed.braces(foot)}"
		return Designed(designed.before_end(self.html, piece), text)


def load(names: set[str], words: Words = PINS) -> dict[str, Template | str]:
	"""Return each Email Template compiled, or the error (text) that it has. 1 query."""
	return {name: made for (name, _words), made in load_for({(name, words) for name in names}).items()}


def load_for(uses: set[tuple[str, Words]]) -> dict[tuple[str, Words], Template | str]:
	"""Return {(name, words): the Email Template compiled for them, or the error (text) that it has}.

	1 query, and 1 more if any was designed.
	"""
	stored = {row.name: row for row in documents({name for name, _words in uses})}
	kept = designed.written({name for name, row in stored.items() if is_designed(row)})
	templates = {}
	for name, words in uses:
		if name not in stored:
			templates[name, words] = _("The Email Template {0} does not exist.").format(name)
			continue
		try:
			templates[name, words] = compile_template(stored[name], words, kept.get(name))
		except TemplateInvalid as e:
			templates[name, words] = str(e)
	return templates


def documents(names: set[str]) -> list[dict]:
	"""Return what is stored of the Email Templates with these names. 1 query."""
	return frappe.get_all(
		"Email Template",
		filters={"name": ["in", [name for name in names if name]]},
		fields=["name", "subject", "use_html", "response", "response_html"],
		order_by="name asc",
	)


def is_designed(doc) -> bool:
	"""Say whether an Email Template is a whole mail, with a frame of its own."""
	return bool(doc.use_html) and designed.is_designed(doc.response_html or "")


def compile_template(doc, words: Words = PINS, kept: dict | None = None) -> Template:
	"""Compile an Email Template (document or dict); raises TemplateInvalid with the reason in plain words.

	kept: what its design keeps of it (`designed.written`), which only counts while the template is as it wrote it.
	"""
	whole = None
	if is_designed(doc):
		is_kept = kept and kept["written_hash"] == designed.digest(doc.subject, doc.response_html)
		whole = (kept["html"], kept["text"]) if is_kept else (doc.response_html, None)
	try:
		return _compiled(doc.name, subject_source(doc), source(doc), words, whole)
	except Refused as e:
		text = _("The Email Template {0} cannot be used. {1}").format(doc.name, e)
		cause = e
	except TemplateSyntaxError as e:
		if "comment" in (e.message or ""):
			text = _(
				"In the Email Template {0}, line {1}, a comment begins with {2} and does not end. If it is no comment, put a space between the two characters."
			).format(doc.name, e.lineno, "{#")
		else:
			text = _(
				"The Email Template {0} has a mistake in line {1}: {2}. Correct it and save again."
			).format(doc.name, e.lineno, template_errors.in_words(e))
		cause = e
	if not doc.use_html and "<table" in (doc.response or ""):
		text += " " + _(
			"In rich text, a loop or a condition round the rows of a table ends up before the table. Tick Use HTML for such a table."
		)
	raise TemplateInvalid(text) from cause


# Of each process; a batch, and the next one, need the same again.
@functools.lru_cache(maxsize=128)
def _compiled(
	name: str, subject: str, body: str, words: Words, whole: tuple[str, str | None] | None = None
) -> Template:
	judged = [template_syntax.judge(text, BODY, kinds_of(words)) for text in (subject, body)]
	always, sometimes = judged[1].always, judged[1].sometimes
	says = not template_text.may_hide(sometimes) and not template_text.is_blank(always)
	if whole:
		# They are what is sent.
		judged += [template_syntax.judge(text, BODY, kinds_of(words)) for text in whole if text]
		# What a design hides stands in none of its texts.
		says = bool(whole[1]) and template_text.is_seen(judged[-1].always)
	return Template(
		name=name,
		source=body,
		subject=SUBJECT.from_string(subject).render,
		body=BODY.from_string(body).render,
		steps=judged[0].steps + judged[1].steps,
		says=says,
		right_to_left=template_text.is_right_to_left(template_text.visible(always + sometimes)),
		words=words,
		design=Designed(*whole) if whole else None,
	)


def with_required(template: Template, subject: str, foot: str) -> Template:
	"""Return a template with what the law of a country asks for: a word that its subjects begin with, unless they have it
	already, and a text under its bodies. Both are plain texts, and may be empty."""
	made = template
	if foot:
		# Jinja's signs would be tags of the template.
		text = html.escape(foot).replace("{", "&#123;").replace("}", "&#125;").replace("\n", "<br>")
		body = f'{template.source}<p style="font-size: 12px">{text}</p>'
		compiled = _compiled(template.name, "", body, template.words)
		made = replace(template, source=compiled.source, body=compiled.body, steps=template.steps)
		if template.design:
			# Which is what is sent.
			made = replace(made, design=template.design.with_foot(foot))
	if subject:
		made = replace(made, subject=functools.partial(_begun, made.subject, subject))
	return made


def _begun(written: Callable, word: str, values: dict) -> str:
	text = written(values)
	return text if word.casefold() in text.casefold() else f"{word}: {text}"


def compile_preview(text: str, words: Words = PINS) -> Template:
	"""Compile a preview text, as the subject of a template without a body; raises TemplateInvalid."""
	try:
		return _compiled(_("Preview Text"), text, "", words)
	except (Refused, TemplateSyntaxError) as e:
		reason = str(e) if isinstance(e, Refused) else template_errors.in_words(e)
		raise TemplateInvalid(_("The preview text cannot be used. {0}").format(reason)) from e


def validate_preview(text: str, words: Words = PINS) -> None:
	"""Raise TemplateInvalid unless a preview text can be filled in. Tried on examples."""
	preview = compile_preview(text, words)
	for items in (1, 2):
		fill(preview, [preview.subject], for_reader(example_context(items, words=words), "en"))


def subject_source(doc) -> str:
	"""Return the subject's Jinja source. Where it has a < or a >, Frappe has stored it as HTML."""
	subject = HTML_SIGN.sub(lambda sign: HTML_SIGNS[sign.group(1)], doc.subject or "")
	return _in_tags(subject, functools.partial(_typed, texts=True))


def source(doc) -> str:
	"""Return the body's Jinja source."""
	if doc.use_html:
		return _with_spaced_ids(doc.response_html or "")
	return _in_tags(doc.response or "", functools.partial(_typed, texts=True))


def to_store(text: str, is_html: bool) -> str:
	"""Return an Email Template's text so that what stands in its tags means what was typed, and to Frappe as well.

	Only where it cannot be read otherwise. The rich text editor, and what is pasted from it, writes `{% if days_left &lt; 7 %}`, and so does Frappe in a subject; a stylesheet has `{#header{...}`, where a comment would begin.
	"""
	text = _with_spaced_ids(text)
	if not _can_be_read(text):
		text = _in_tags(text, functools.partial(_typed, texts=is_html))
	return text


def _can_be_read(text: str) -> bool:
	try:
		template_syntax.scan(text)
		template_syntax.parsed(text, BODY)
	except TemplateSyntaxError:
		return False
	except Refused:
		# Nothing that would be put right here.
		return True
	return True


# What an editor puts round words. Within a tag it means nothing.
INLINE = re.compile(
	r"</?(?:a|b|br|code|em|font|i|mark|s|small|span|strong|sub|sup|u)(?:\s[^<>]*)?/?>", re.IGNORECASE
)
# No more: what is text may not become a tag.
HTML_SIGNS = {"lt": "<", "gt": ">", "amp": "&"}
HTML_SIGN = re.compile("&(lt|gt|amp);")
# The others are what word processors, and phones, make of them.
QUOTED = re.compile(r"""("[^"]*"|'[^']*'|[“”„‟][^“”„‟"]*[“”„‟]|[‘’‚‛][^‘’‚‛']*[‘’‚‛])""")
# What somebody means by a sign that no keyboard has.
AS_TYPED = {"≤": "<=", "≥": ">=", "≠": "!="}
QUOTES = {"&quot;": '"', "&#34;": '"', "&#39;": "'", "&apos;": "'", "&nbsp;": " "}


def _typed(tag: str, texts: bool = False) -> str:
	"""Return a tag of Jinja as it was typed into the rich text editor. texts: also what stands between quotes."""
	tag = INLINE.sub("", tag)
	for entity, char in QUOTES.items():
		tag = tag.replace(entity, char)
	pieces = QUOTED.split(tag)
	for position, piece in enumerate(pieces):
		if texts or position % 2 == 0:
			piece = html.unescape(piece)
		if position % 2 == 0:
			piece = "".join(
				" " if char.isspace() else AS_TYPED.get(char, char)
				for char in piece
				if unicodedata.category(char) != "Cf"
			)
			# Otherwise Frappe would take it for HTML when it stores it.
			piece = re.sub(r"<(?=[a-zA-Z/!?])", "< ", piece)
		elif piece[0] not in "'\"":
			mark = '"' if piece[0] in "“”„‟" else "'"
			piece = mark + piece[1:-1] + mark
		pieces[position] = piece
	return "".join(pieces)


def _in_tags(text: str, change: Callable) -> str:
	"""Return a source with each tag of Jinja changed. One pass over it."""
	pieces, position = [], 0
	for start, end in _between(text, ("{{", "}}"), ("{%", "%}"), ("{#", "#}")):
		pieces += text[position:start], text[start:end] if text[start + 1] == "#" else change(text[start:end])
		position = end
	return "".join([*pieces, text[position:]])


# A selector in a block of a stylesheet that begins with an id: not a comment of Jinja.
ID_IN_BLOCK = re.compile(r"\{#(?=[A-Za-z_-](?:(?!#\})[^{}]){0,200}\{)")


def _with_spaced_ids(text: str) -> str:
	if "{#" not in text:
		return text
	pieces, position = [], 0
	for start, end in _between(text, ("<style", "</style"), fold=True):
		pieces += text[position:start], ID_IN_BLOCK.sub("{ #", text[start:end])
		position = end
	return "".join([*pieces, text[position:]])


def _between(text: str, *marks: tuple[str, str], fold: bool = False) -> Iterator[tuple[int, int]]:
	"""Yield where there stands, from left to right, what begins with the first and ends with the second of some marks.

	Nothing after one that does not end.
	"""
	opening = re.compile("|".join(re.escape(mark) for mark, _end in marks), re.IGNORECASE if fold else 0)
	ends, searched, position = dict(marks), text.lower() if fold else text, 0
	while found := opening.search(text, position):
		mark = ends[found.group().lower() if fold else found.group()]
		end = searched.find(mark, found.end())
		if end < 0:
			return
		position = end + len(mark)
		yield found.start(), position


def validate(doc, combines: bool = False, after: bool = False, words: Words = PINS) -> list[str]:
	"""Raise TemplateInvalid unless this Email Template can be sent; return what is worth a look (texts), if it can.

	doc: a document or dict; what counts is what is stored, for Frappe changes rich text when it stores it. combines:
	its campaign puts a customer's items into one message. after: its trigger comes after the expiry. Tried on examples,
	so that mistakes that only some days or a missing value bring out show as well.
	"""
	template = compile_template(doc, words)
	other_tools = _check_braces(template, doc)
	warnings, blank, untitled, cases = [], [], [], 0
	# {body: whether it is empty}: most examples make the same one.
	looked_at = {}
	for position, (case, example) in enumerate(examples(words)):
		cases += 1
		try:
			# What it says is looked at below.
			subject, body = fill(template, [template.subject, template.body], for_reader(example, "en"))
		except TemplateInvalid as e:
			if position < 2:
				raise
			warnings.append(f"{case}: {e}")
			continue
		if body not in looked_at:
			_check_size(template, body)
			_check_files(template, body)
			looked_at[body] = not template.says and template_text.is_blank(body)
		if looked_at[body]:
			blank.append(case)
		if not template_text.is_seen(one_line(subject)):
			untitled.append(case)
	if len(blank) == cases:
		raise TemplateInvalid(
			_("The Email Template {0} has no text. Write the message first.").format(template.name)
		)
	if len(untitled) == cases:
		raise TemplateInvalid(
			_("The Email Template {0} has no subject. Write one first.").format(template.name)
		)
	if combines and not _names_each_item(template):
		raise TemplateInvalid(
			_(
				"The campaign puts all items of a customer into one message, but the Email Template {0} does not name each of them. List them, for example {1}, or switch {2} off in the campaign."
			).format(
				template.name,
				"{% for item in items %}{{ item.item_name }}{% endfor %}",
				_("One Message a Customer a Day"),
			)
		)
	if blank:
		warnings.append(
			_("The Email Template {0} has no text for some, who get no message: {1}.").format(
				template.name, ", ".join(blank)
			)
		)
	if untitled:
		warnings.append(
			_("The Email Template {0} has no subject for some, who get no message: {1}.").format(
				template.name, ", ".join(untitled)
			)
		)
	return [*warnings, *other_tools, *(_negative_days(template) if after else [])]


def examples(words: Words = PINS) -> Iterator[tuple[str, dict]]:
	"""Yield (what is special about it, a context) for what templates are tried on."""
	for position, days in enumerate(EXAMPLE_DAYS):
		yield _when(days), example_context(position % 2 + 1, days, words=words)
	yield _("without a company"), example_context(1, 30, company=None, words=words)


def _when(days: int) -> str:
	if days == 0:
		return _("On the day")
	if days == 1:
		return _("1 day before")
	return (_("{0} days before") if days > 0 else _("{0} days after")).format(abs(days))


def _check_braces(template: Template, doc) -> list[str]:
	"""Refuse what was meant to be filled in and is not; return what to say about other tools' marks."""
	broken, others = _marks(template, doc)
	if broken:
		raise TemplateInvalid(
			_(
				"In the Email Template {0}, customers would read {1}. A variable is written {2}: two braces on each side, and nothing else between them."
			).format(template.name, ", ".join(broken[:5]), "{{ customer_name }}")
		)
	if not others:
		return []
	return [
		_(
			"In the Email Template {0}, customers will read {1} as it stands. If it is to be filled in, write a variable, such as {2}."
		).format(template.name, ", ".join(others[:5]), "{{ customer_name }}")
	]


def _marks(template: Template, doc) -> tuple[list[str], list[str]]:
	"""Return what looks like a variable in an Email Template and is none: see `template_text.braces`."""
	names = {*names_of(template.words), "item", "pin"}
	subject, body = fill(
		template,
		[template.subject, template.body],
		for_reader(example_context(2, 30, words=template.words), "en"),
	)
	_check_size(template, body)
	broken, others = template_text.braces(subject, body, names)
	for more, found in zip(
		(broken, others),
		template_text.braces(_without_tags(subject_source(doc)), _without_tags(template.source), names),
		strict=True,
	):
		more += [text for text in found if text not in more]
	return broken, others


def _without_tags(source: str) -> str:
	"""Return a source with a letter that no text has in the place of each tag."""
	pieces = []
	for _line, kind, text in BODY.lex(source):
		if kind == "data":
			pieces.append(text)
		elif kind in ("variable_end", "block_end"):
			pieces.append(template_text.FILLED_IN if kind == "variable_end" else "")
	return "".join(pieces)


def _check_size(template: Template, body: str) -> None:
	"""Refuse a body that is too large to be looked through: a short template with loops can make one."""
	try:
		template_syntax.check_size(body)
	except Refused as e:
		raise TemplateInvalid(
			_("The Email Template {0} makes too much of a few items. {1}").format(template.name, e)
		) from e


def _check_files(template: Template, body: str) -> None:
	if EMBED.search(html.unescape(body)):
		raise TemplateInvalid(
			_(
				"The Email Template {0} embeds a file by its path. Show pictures by their address instead: {1}."
			).format(template.name, '<img src="https://...">')
		)
	if template_text.private_files(body):
		raise TemplateInvalid(
			_(
				"The Email Template {0} has a picture or a link to a file that customers cannot open, for it is private. Open the file in the list of files, switch Is Private off, and put in its new address."
			).format(template.name)
		)


def _names_each_item(template: Template) -> bool:
	"""Say whether a message about three items reads as another one when any of them is."""
	looked_at = 0
	for days in (7, 30, 1, 0, -1, -30):
		bodies = []
		for changed in range(4):
			example = example_context(3, days, words=template.words)
			if changed:
				example["items"][changed - 1].update(
					{name: f"Another {given}" for name, kind, given in template.words if kind == "text"}
				)
				example.update(example["items"][0])
			bodies += fill(template, [template.body], for_reader(example, "en"))
		# What nobody sees, in a comment, a link or a hidden part, names nothing.
		if bodies[0] not in bodies[1:] and looked_at < MOST_LOOKED_AT:
			looked_at += 1
			seen = [template_text.visible(body) for body in bodies]
			if seen[0] not in seen[1:]:
				return True
	return False


def _negative_days(template: Template) -> list[str]:
	subject, body = fill(
		template,
		[template.subject, template.body],
		for_reader(example_context(1, LONG_AGO, words=template.words), "en"),
	)
	if str(LONG_AGO) not in subject + template_text.visible(body):
		return []
	return [
		_(
			"After the expiry, the Email Template {0} writes a number of days below zero, such as -15. Use {1}, or say something else with {2}."
		).format(template.name, "{{ days_since }}", "{% if days_left < 0 %}")
	]


def example_context(
	items: int, days_left: int | None = None, company: str | None = "Company", words: Words = PINS
) -> dict:
	"""Return a context as `context` makes it, with made-up values, whose names differ from item to item.

	days_left: of all items; without it one item has its date today, two in a month.
	"""
	days = 30 * (items > 1) if days_left is None else days_left
	day = getdate() + timedelta(days=days)
	examples = [
		{name: day if kind == "date" else _numbered(given, number) for name, kind, given in words}
		for number in range(1, items + 1)
	]
	message = {"customer": "C-0001", "customer_name": "Ana", "company": company, "campaign": "Campaign"}
	return context(message, examples, getdate())


def _numbered(example, number: int):
	"""Return an example for one of several items: PIN-0001, PIN-0002."""
	return f"{example[:-1]}{number}" if isinstance(example, str) and example.endswith("1") else example


def context(message: dict, items: list[dict], today: date) -> dict:
	"""Return what a template sees.

	message: customer, customer_name, company, campaign. items: the source's variables, `date` (date) among them, the most
	urgent first; the values of the first stand at the top level too. today: the day of sending, in the site's time zone.
	"""
	seen = []
	for item in items:
		days_left = (item["date"] - today).days
		seen.append({**_inert(item), "days_left": days_left, "days_since": -days_left})
	return {**_inert(message), **seen[0], "items": seen, "pins": seen}


def _inert(values: dict) -> dict:
	"""Return values in which Frappe finds nothing to do: no comment of HTML, where Email Queue puts its links in
	wherever it stands, and no file to embed.
	"""
	return {
		key: value.replace("<!", f"<{WORD_JOINER}!").replace("embed=", f"embed{WORD_JOINER}=")
		if isinstance(value, str)
		else value
		for key, value in values.items()
	}


def without_embeds(framed: str) -> str:
	"""Return a mail's HTML, as Frappe has framed it, in which there is no file for Frappe to attach."""
	return EMBED.sub(f"embed{WORD_JOINER}", framed)


def render(template: Template, values: dict, language: str) -> Rendered:
	"""Render for one reader. language: a code such as es or es-MX; dates are written out in it.

	Raises TemplateInvalid, which names the template and says what went wrong.
	"""
	subject, body = fill(template, [template.subject, template.body], for_reader(values, language))
	return Rendered(one_line(subject), body)


def check_says(template: Template, subject: str, body: str | None) -> None:
	"""Raise TemplateInvalid where a reader would see no subject, or neither text nor picture. body: None if it is known
	to have some (`template.says`)."""
	if not template_text.is_seen(subject):
		raise TemplateInvalid(
			_("The Email Template {0} leaves the subject of this message empty.").format(template.name)
		)
	if len(subject) > MOST_SUBJECT:
		raise TemplateInvalid(
			_("The Email Template {0} makes a subject of more than {1} characters.").format(
				template.name, MOST_SUBJECT
			)
		)
	if not template.says and template_text.is_blank(body):
		raise TemplateInvalid(
			_(
				"The Email Template {0} leaves this message empty: there is nothing in it that a reader could see."
			).format(template.name)
		)


def for_reader(values: dict, language: str) -> dict:
	"""Return a context (see `context`) as the reader of a language sees it, with the functions of templates."""
	items = [_printable(item, language) for item in values["items"]]
	return {
		**_printable(values, language),
		"items": items,
		"pins": items,
		"_": lambda text: _translated(text, language),
		"format_date": lambda value, style="long": format_date(value.date, style, locale=locale_of(language)),
		"in_words": lambda days: days_in_words(int(days), language),
	}


def days_in_words(days: int, language: str) -> str:
	"""Return when something is that is so many days ahead, or with less than none so many days past."""
	if days == 0:
		return _("today", language, context="Days in words")
	if days == 1:
		return _("tomorrow", language, context="Days in words")
	if days == -1:
		return _("yesterday", language, context="Days in words")
	words = (
		_("in {0} days", language, context="Days in words")
		if days > 0
		else _("{0} days ago", language, context="Days in words")
	)
	return words.format(abs(days))


def words_written_out(source: str, language: str, most: int | None = None, is_past: bool = False) -> str:
	"""Return a template that says `in_words` without it, for whoever fills it in without this app.

	most: so many characters it may have; it says as much as fits, and in a form that is too long for all of it only of what is ahead,
	or with is_past of what is past.

	>>> words_written_out("It ends {{ in_words(days_left) }}.", "en", 100)
	'It ends {{ {0:"today",1:"tomorrow"}.get(days_left,"in %s days"|format(days_left)) }}.'
	"""
	for form in (_all_days, _days_one_way, _only_the_number):
		written_out = IN_WORDS_TAG.sub(lambda tag, form=form: form(tag.group(1), language, is_past), source)
		if most is None or len(written_out) <= most:
			break
	return written_out


def _all_days(days: str, language: str, is_past: bool) -> str:
	today, tomorrow, yesterday = (days_in_words(number, language) for number in (0, 1, -1))
	ahead = days_in_words(2, language).replace("2", f"{{{{ {days} }}}}")
	past = days_in_words(-2, language).replace("2", f"{{{{ -{days} }}}}")
	return (
		f"{{% if {days} == 0 %}}{today}{{% elif {days} == 1 %}}{tomorrow}{{% elif {days} == -1 %}}{yesterday}"
		f"{{% elif {days} > 0 %}}{ahead}{{% else %}}{past}{{% endif %}}"
	)


def _days_one_way(days: str, language: str, is_past: bool) -> str:
	near, far, number = (-1, -2, f"-{days}") if is_past else (1, 2, days)
	today, next_to_it = (json.dumps(days_in_words(one, language), ensure_ascii=False) for one in (0, near))
	others = json.dumps(days_in_words(far, language).replace("2", "%s"), ensure_ascii=False)
	return f"{{{{ {{0:{today},{near}:{next_to_it}}}.get({days},{others}|format({number})) }}}}"


def _only_the_number(days: str, language: str, is_past: bool) -> str:
	return f"{{{{ {days} }}}}"


def _printable(values: dict, language: str) -> dict:
	"""Return values in which dates are written out, and nothing stands for None, which would be printed as a word."""
	return {
		key: "" if value is None else written(value, language) if isinstance(value, date) else value
		for key, value in values.items()
	}


def _translated(text: str, language: str) -> str:
	translation = frappe._(text, language)
	if translation != text and (
		len(translation) > 3 * len(text) + template_syntax.VALUE or template_syntax.WIDE.search(translation)
	):
		raise Refused(_("The translation of {0} is too long.").format(text))
	return translation


def fill(template: Template, parts: list[Callable], values: dict) -> list[str]:
	"""Return compiled parts of a template, filled in. Raises TemplateInvalid as `render` does."""
	try:
		template_syntax.check_work(template.steps, len(values["items"]))
		return [part(values) for part in parts]
	except (
		TemplateError,
		Refused,
		ArithmeticError,
		AttributeError,
		LookupError,
		TypeError,
		ValueError,
	) as e:
		raise TemplateInvalid(
			_(
				"The Email Template {0} cannot be filled in: {1}. Available: {2}; in each of items: {3}."
			).format(
				template.name,
				template_errors.in_words(e),
				", ".join(names_of(template.words)),
				", ".join(item_names_of(template.words)),
			)
		) from e


def in_direction(body: str, template: Template, action: dict, language: str) -> str:
	"""Return a mail's body (HTML, or a layout's source) in the direction in which its language is written.

	language: from `language_of`. Whatever it is, a text whose letters are written from the right is read from there.
	"""
	if template.design or not reads_from_the_right(template, action, language):
		return body
	lang = f' lang="{html.escape(language.replace("_", "-"))}"' if is_right_to_left(language) else ""
	return f'<div dir="rtl"{lang}>{body}</div>'


def reads_from_the_right(template: Template, action: dict, language: str) -> bool:
	"""Say whether a message is read from the right: by its letters, or by the language that it is in."""
	return template.right_to_left or (is_right_to_left(language) and bool(_of_language(action, language)))


def is_right_to_left(language: str | None) -> bool:
	"""Say whether a language, by its code (ar, fa-IR, ku-Latn), is written from right to left."""
	base, *subtags = (language or "").lower().replace("_", "-").split("-")
	if LEFT_TO_RIGHT_SCRIPTS.intersection(subtags):
		return False
	return base in RIGHT_TO_LEFT or bool(RIGHT_TO_LEFT_SCRIPTS.intersection(subtags))


def one_line(text: str) -> str:
	"""Return text that is safe in a header: one line, no control characters, no placeholder of Email Queue."""
	text = "".join(" " if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char for char in text)
	return re.sub(r"\s+", " ", text).replace("<!", f"<{WORD_JOINER}!").strip()


class WrittenDate(str):
	"""A date in words (December 23, 2026; 23 de diciembre de 2026) that is compared as a date.

	Against another one, a date, or a text such as 2026-12-23. Equal are those of the same words.
	"""

	def __new__(cls, words: str, value: date):
		made = super().__new__(cls, words)
		made.date = value
		return made

	def lower(self) -> "WrittenDate":
		"""What Jinja sorts by where letters count as the same, small or capital."""
		return WrittenDate(super().lower(), self.date)

	def __lt__(self, other) -> bool:
		return self.date < _date_of(other)

	def __le__(self, other) -> bool:
		return self.date <= _date_of(other)

	def __gt__(self, other) -> bool:
		return self.date > _date_of(other)

	def __ge__(self, other) -> bool:
		return self.date >= _date_of(other)


def _date_of(value) -> date:
	if isinstance(value, WrittenDate):
		return value.date
	return value if isinstance(value, date) else date.fromisoformat(value)


@functools.lru_cache(maxsize=4096)
def written(value: date, language: str) -> WrittenDate:
	"""Return a date in the words of a language."""
	return WrittenDate(format_date(value, "long", locale=locale_of(language)), value)


def locale_of(language: str | None) -> Locale:
	"""Return the locale of a language code, or that of its base language, or English."""
	code = (language or "en").replace("-", "_")
	for candidate in (code, code.split("_")[0]):
		try:
			return Locale.parse(candidate)
		except (UnknownLocaleError, ValueError):
			continue
	return Locale("en")


def template_for(action: dict, language: str | None) -> str | None:
	"""Return the name of the Email Template for a language: its own, else its base language's, else the default."""
	return _of_language(action, language) or action["email_template"]


def preview_for(action: dict, language: str | None) -> str | None:
	"""Return the preview text that belongs to the Email Template of a language, or None."""
	if _of_language(action, language):
		return _in_language(action.get("previews", {}), language)
	return action.get("preview_text")


def _of_language(action: dict, language: str | None) -> str | None:
	return _in_language(action["templates"], language)


def _in_language(by_language: dict, language: str | None) -> str | None:
	of_code = {_normal(code): value for code, value in by_language.items()}
	code = _normal(language or "")
	return of_code.get(code) or of_code.get(code.split("-")[0])


def language_of(action: dict, language: str | None) -> str:
	"""Return the language that a reader's message is in, for its dates and what is translated in it.

	Their own where the template is written in it, or in another form of it (es for es-MX); else that of the action's
	default template: a date in words of another language is a hole in the text.
	"""
	written_in = action.get("language") or of_the_site()
	if not language or not CODE.fullmatch(language):
		return written_in
	base = _base(language)
	translated = {_normal(code) for code in action["templates"]} & {_normal(language), base}
	return language if translated or base == _base(written_in) else written_in


def _normal(code: str) -> str:
	return code.lower().replace("_", "-")


def _base(code: str) -> str:
	return _normal(code).split("-")[0]
