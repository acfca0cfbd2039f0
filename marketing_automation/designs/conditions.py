"""When a block is shown: what was chosen in, a condition of a template out. Pure.

A condition is {"all": 1 or 0, "if": [{"name", "is", "value"}], "languages": [codes]}: all or any of the comparisons, and
only in these languages. Nobody writes an expression: names are those of the source, values become constants.
"""

import json
from collections.abc import Iterable

# How many items a message has, by the name that the editor knows it by.
COUNT = "items_count"
NUMBERS = {
	"under": "{0} < {1}",
	"at_most": "{0} <= {1}",
	"equal": "{0} == {1}",
	"not_equal": "{0} != {1}",
	"at_least": "{0} >= {1}",
	"over": "{0} > {1}",
}
TEXTS = {
	"equal": "{0} == {1}",
	"not_equal": "{0} != {1}",
	"contains": "{1} in {0}",
	"filled": "{0}",
	"empty": "not {0}",
}
DATES = {"filled": "{0}", "empty": "not {0}"}
BY_KIND = {"number": NUMBERS, "text": TEXTS, "date": DATES}
WITHOUT_VALUE = {"filled", "empty"}
MOST = 8
LARGEST = 10**9


class Unclear(ValueError):
	"""A condition that cannot be asked. args: what is wrong with it (a key of WRONG in `design.py`), and its words."""


def jinja(condition: dict | None, kinds: dict[str, str]) -> str:
	"""Return an expression, empty where the block is always shown. Raises Unclear.

	kinds: {name: text, number or date} of what can be asked.

	>>> jinja({"all": 1, "if": [{"name": "days_left", "is": "under", "value": "7"}]}, {"days_left": "number"})
	'days_left < 7'
	>>> jinja({"if": [{"name": "city", "is": "equal", "value": "a\\"%}"}]}, {"city": "text"})
	'city == "a\\\\u0022\\\\u0025\\\\u007d"'
	"""
	tests = (condition or {}).get("if") or []
	if len(tests) > MOST:
		raise Unclear("many", str(MOST))
	parts = [_test(test, kinds) for test in tests]
	return (" and " if (condition or {}).get("all", 1) else " or ").join(parts)


def for_language(condition: dict | None, language: str) -> bool:
	"""Say whether a block is in the messages of a language at all.

	>>> (
	...     for_language({"languages": ["es"]}, "es"),
	...     for_language({"languages": ["es"]}, "en"),
	...     for_language(None, "en"),
	... )
	(True, False, True)
	"""
	languages = (condition or {}).get("languages") or []
	return not languages or language in languages


def names(condition: dict | None) -> Iterable[str]:
	"""Return what a condition asks for."""
	return [test.get("name") for test in (condition or {}).get("if") or []]


def _test(test: dict, kinds: dict[str, str]) -> str:
	name, sign, value = test.get("name"), test.get("is"), test.get("value")
	if name not in kinds:
		raise Unclear("unknown", str(name or ""))
	kind = kinds[name]
	if sign not in BY_KIND[kind]:
		raise Unclear("sign", str(name))
	left = "(items | length)" if name == COUNT else name
	if sign in WITHOUT_VALUE:
		return BY_KIND[kind][sign].format(left)
	if kind == "number":
		try:
			right = str(int(str(value).strip()))
		except ValueError:
			raise Unclear("number", name, str(value or "")) from None
		if abs(int(right)) > LARGEST:
			raise Unclear("number", name, str(value))
	else:
		if not str(value or "").strip():
			raise Unclear("value", name)
		right = constant(str(value).strip()[:140])
	return BY_KIND[kind][sign].format(left, right)


def constant(text: str) -> str:
	"""Return a text as a constant of Jinja in which nothing ends a tag, and nothing is HTML.

	>>> constant("50 % {{")
	'"50 \\\\u0025 \\\\u007b\\\\u007b"'
	"""
	plain = json.dumps(text)[1:-1].replace('\\"', "\\u0022")
	return '"' + "".join(f"\\u{ord(char):04x}" if char in "{}%#<>&'" else char for char in plain) + '"'
