"""What Jinja says of a mistake in a template: an error in, plain words in the user's language out, with what to do.

Jinja speaks English, and to programmers. What is not known here is handed on as it is.
"""

import re

from frappe import _

from marketing_automation.channels.texts import template_syntax

QUOTES = "“”„‟‘’‚‛«»‹›`´"
WORDS = {"&": "and", "|": "or", "!": "not"}
# What ends, and what it belongs to.
BEGINNINGS = {"endif": "if", "else": "if", "elif": "if", "endfor": "for", "endset": "set", "endwith": "with"}


def in_words(error: Exception) -> str:
	"""Return what is wrong, as sentences, the last without its full stop. error: of Jinja, or of what a template calls."""
	text = getattr(error, "message", None) or str(error)
	for pattern, words in KNOWN:
		if match := pattern.search(text):
			return words(*match.groups()).rstrip(".")
	if isinstance(error, KeyError):
		return _few_values().rstrip(".")
	if isinstance(error, TypeError):
		return _("A number stands where a text belongs, or a text where a number belongs")
	return text.rstrip(".")


def _tag(name: str) -> str:
	return f"{{% {name} %}}"


def _token(name: str) -> str:
	"""Return what one reads for the name of a token of Jinja's."""
	return {
		"end of print statement": "}}",
		"end of statement block": "%}",
		"end of template": _("the end of the text"),
		"name": _("a name"),
		"integer": _("a number"),
		"string": _("a text in quotation marks"),
	}.get(name, name)


def _open(name: str) -> str:
	return _("{0} begins and does not end. Write {1} where it is to end.").format(
		_tag(name), _tag(f"end{name}")
	)


def _wrong_end(found: str, name: str) -> str:
	if found in BEGINNINGS:
		return _("{0} stands where {1} is still open. Write {2} first.").format(
			_tag(found), _tag(name), _tag(f"end{name}")
		)
	return _unknown(found)


def _unknown(name: str) -> str:
	if name in BEGINNINGS:
		return _("{0} belongs to nothing: there is no {1} before it that is open.").format(
			_tag(name), _tag(BEGINNINGS[name])
		)
	return _("There is no {0}. Available: {1}.").format(_tag(name), template_syntax.TAGS)


def _cut_off(expected: str | None) -> str:
	if expected in ("end of print statement", "end of statement block"):
		end = _token(expected)
		return _("A tag begins with {0} and does not end. Write {1} behind it.").format(
			{"}}": "{{", "%}": "{%"}[end], end
		)
	return _("A tag begins and does not end. Write {0} or {1} behind it.").format("}}", "%}")


def _unexpected_char(char: str) -> str:
	if char in QUOTES:
		return _("{0} is no quotation mark in a tag. Write {1} or {2}.").format(char, "'", '"')
	if char in WORDS:
		return _("{0} cannot stand in a tag. Write {1}.").format(char, WORDS[char])
	if char in ("'", '"'):
		return _("A text begins with {0} and does not end.").format(char)
	return _("{0} cannot stand there.").format(char)


def _unexpected(found: str, expected: str | None = None) -> str:
	if found == "end of template":
		return _cut_off(expected)
	if expected and expected not in ("end of print statement", "end of statement block"):
		return _missing_before(found, expected)
	if found == "=":
		return _("{0} cannot stand there. What is compared has {1} between it.").format("=", "==")
	if found.startswith("end of "):
		return _("Something is missing before {0}.").format(_token(found))
	if found in ("}", "%"):
		return _("A tag ends with {0} or {1}, not with one sign.").format("}}", "%}")
	return _("{0} cannot stand there.").format(_token(found))


def _missing_before(found: str, expected: str) -> str:
	return _("Before {0} there has to be {1}.").format(_token(found), _token(expected))


def _few_values() -> str:
	return _("Behind the text stands format, with fewer values than the text has places for.")


KNOWN = [
	(re.compile(pattern, re.DOTALL), words)
	for pattern, words in (
		(
			r"^Encountered unknown tag '(.+?)'\..*innermost block that needs to be closed is '(\w+)'",
			_wrong_end,
		),
		(r"^Encountered unknown tag '(.+?)'", _unknown),
		(r"^Unexpected end of template.*innermost block that needs to be closed is '(\w+)'", _open),
		(r"^Missing end of raw directive", lambda: _open("raw")),
		(r"^unexpected end of template(?:, expected '(.+)')?", _cut_off),
		(r"^unexpected char (?:'|\")(.)", _unexpected_char),
		(r"^expected token '(.+)', got '(.+)'", lambda expected, found: _unexpected(found, expected)),
		(r"^unexpected '(.+?)'(?:, expected '(.+)')?$", _unexpected),
		(r"^Expected an expression, got '(.+)'", _unexpected),
		(r"^tag name expected", lambda: _unexpected("end of statement block")),
		(r"by zero", lambda: _("It divides by zero.")),
		(
			r"^'(.+)' not supported between",
			lambda sign: _("By {0} a text is compared with a number, or with nothing.").format(sign),
		),
		(
			r"object has no element|index out of range$(?<!tuple index out of range)",
			lambda: _(
				"It wants more of a list or text than there is. Ask first how long it is, with {0}."
			).format("| length"),
		),
		(
			r"sequence was empty",
			lambda: _("It wants one of a list that is empty. Ask first, with {0}.").format("{% if %}"),
		),
		(
			r"there is no (?:previous|next) item",
			lambda: _(
				"The first has none before it, and the last none after it. Ask with {0} or {1}."
			).format("loop.first", "loop.last"),
		),
		(
			r"Invalid isoformat string: (.+)",
			lambda text: _("{0} is no date. Write it like {1}.").format(text, "'2026-12-31'"),
		),
		(
			r"Invalid (?:length for )?field: (.+)",
			lambda text: _("{0} is no way to write a date. Write short, medium, long, full, or {1}.").format(
				text, "'d MMMM y'"
			),
		),
		(r"^Replacement index|tuple index out of range", _few_values),
		(
			r"^Unknown format code|^Single '[{}]'|format string|before end of string",
			lambda: _("In the text before format, what is in braces cannot be filled in. Write {0}.").format(
				"{0}"
			),
		),
		(
			r"^'(.+)' is undefined|has no attribute '(.+)'",
			lambda name, attribute: _("{0} has no value.").format(name or attribute),
		),
	)
]
