"""What a template may be made of: Jinja source in, a judgement of its syntax tree out, before anything compiles it.

Jinja works constants out while it compiles, so a limit on what runs comes too late for `{{ 'a' | slice(3000000000) }}`.
Here everything that is not on the lists below is refused, each with what to use instead, and what is left is counted:
how many steps and characters the template needs at most, once and for each item. So nothing that passes grows faster
than the number of items: no text that doubles, no loop over all items in another one.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from frappe import _
from jinja2 import Environment, TemplateSyntaxError, nodes

# In characters, pictures that stand in the text itself not counted: they become files when it is saved.
MOST_SOURCE = 200_000
MOST_TAGS = 1_000
# A newsletter has some three thousand. To read so many, as often as it takes, is a matter of a second or two.
MOST_ELEMENTS = 10_000
MOST_IN_TAGS = 50_000
MOST_DEPTH = 40
MOST_BLOCKS = 12
# In steps and characters (see `Amount`). MOST_WORK is some seconds; the limit for each item lets a row of a thousand
# letters with twenty variables be filled in 16,000 times.
MOST_FIXED = 5_000_000
MOST_EACH = 100_000
MOST_WORK = 200_000_000
STEP = 20
# The longest value that a variable can have; those of ERPNext are 140 characters.
VALUE = 300
# A text that is worked on as one: joined, replaced, repeated.
MOST_TEXT = 1_000_000
MOST_DIGITS = 40

EMBEDDED = re.compile(r"data:[\w/+.-]{1,60};base64,[A-Za-z0-9+/=\s]+")
TAG = re.compile(r"\{\{|\{%|\{#")

TAGS = "if, elif, else, for, set, with, raw"
TAG_NAMES = {
	nodes.Macro: "macro",
	nodes.CallBlock: "call",
	nodes.FilterBlock: "filter",
	nodes.Include: "include",
	nodes.Import: "import",
	nodes.FromImport: "from",
	nodes.Extends: "extends",
	nodes.Block: "block",
	nodes.ScopedEvalContextModifier: "autoescape",
}
SIGNS = {nodes.Pow: "**", nodes.Dict: "{ }"}

# The filters that give back a text, and how much longer it can get.
TEXT_FILTERS = {
	**dict.fromkeys(("upper", "lower", "capitalize", "title"), 2),
	**dict.fromkeys(("trim", "striptags", "string", "safe"), 1),
	**dict.fromkeys(("e", "escape", "forceescape"), 6),
	"urlencode": 12,
}
LIST_FILTERS = ("sort", "unique", "reverse", "list")
CHOICES = ("first", "last", "min", "max")
BY_TEST = ("select", "reject", "selectattr", "rejectattr")
NUMBER_FILTERS = ("round", "abs", "int", "float")
FILTERS = (
	*TEXT_FILTERS,
	*LIST_FILTERS,
	*CHOICES,
	*BY_TEST,
	*NUMBER_FILTERS,
	*("default", "d", "truncate", "replace", "join", "length", "count", "wordcount", "map", "sum", "groupby"),
)
TESTS = (
	*("defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "true", "false"),
	*("even", "odd", "divisibleby", "upper", "lower", "in"),
	*(
		"==",
		"eq",
		"equalto",
		"!=",
		"ne",
		"<",
		"lt",
		"lessthan",
		"<=",
		"le",
		">",
		"gt",
		"greaterthan",
		">=",
		"ge",
	),
)
# Of a text, and how much longer what they give back can get.
METHODS = {
	**dict.fromkeys(("upper", "lower", "title", "capitalize"), 2),
	**dict.fromkeys(("strip", "lstrip", "rstrip"), 1),
}
MORE_METHODS = ("replace", "split", "startswith", "endswith", "format")
LOOP = {
	**dict.fromkeys(("index", "index0", "revindex", "revindex0", "length"), "number"),
	**dict.fromkeys(("first", "last"), "flag"),
}
# In what `format` fills in: a width of four digits, or one that is filled in itself.
WIDE = re.compile(r"\{[^{}]*(\{|\d{4})")
DATE_STYLE = re.compile(r"[\w .,/:'’-]{1,40}")


class Refused(Exception):
	"""What is wrong with a template, in words for the marketer; without its name."""


@dataclass(frozen=True)
class Amount:
	"""So much once, and so much more for each item. group: of a group, whose items are each counted once in all."""

	fixed: int = 0
	each: int = 0
	group: object = None

	def __add__(self, other: "Amount") -> "Amount":
		return Amount(self.fixed + other.fixed, self.each + other.each, _shared(self, other))

	def times(self, factor: int) -> "Amount":
		return replace(self, fixed=self.fixed * factor, each=self.each * factor)

	def of_each(self, other: "Amount") -> "Amount":
		"""Return so many times the other amount."""
		if self.each and other.each:
			raise _too_much()
		return Amount(
			self.fixed * other.fixed,
			self.fixed * other.each + self.each * other.fixed,
			_shared(self, other),
		)

	def most(self, other: "Amount") -> "Amount":
		return Amount(max(self.fixed, other.fixed), max(self.each, other.each), _shared(self, other))


def _shared(one: Amount, other: Amount):
	"""Return the group that two amounts are of: that of both, or of the one that has items."""
	if not (one.each and other.each):
		return one.group if one.each else other.group
	return one.group if one.group is other.group else None


# -- the kinds of values. Equal ones are of the same kind. --------------------------------------------------------


@dataclass(frozen=True)
class Text:
	"""size: in characters. written: the text itself, where it stands in the template."""

	size: Amount
	written: str | None = None


@dataclass(frozen=True)
class Number:
	digits: int = 10


@dataclass(frozen=True)
class Flag:
	"""Yes or no."""


@dataclass(frozen=True)
class Nothing:
	"""None, or what a condition without `else` leaves."""


@dataclass(frozen=True)
class Mixed:
	"""A list or a single value, which nobody knows before: only good for a condition."""


@dataclass(frozen=True)
class Date:
	"""A date in words."""


@dataclass(frozen=True)
class Item:
	"""One of the things that a message is about. fields: {name: kind}."""

	fields: tuple


@dataclass(frozen=True)
class Many:
	"""A list of values of one kind. count: how many."""

	of: object
	count: Amount


@dataclass(frozen=True)
class Groups:
	"""What `groupby` makes of a list."""

	by: object
	of: object
	count: Amount

	def group(self, owner) -> "Group":
		return Group(self.by, Many(self.of, Amount(0, 1, owner)))


@dataclass(frozen=True)
class Group:
	by: object
	list: Many


@dataclass(frozen=True)
class Loop:
	of: object


@dataclass(frozen=True)
class Function:
	"""result: takes the judge, the call's node and its arguments (kinds), returns a kind."""

	result: Callable


@dataclass(frozen=True)
class Method:
	of: Text
	name: str


@dataclass(eq=False)
class Frame:
	"""A loop. times: how often it runs at most; None for one over items."""

	times: int | None


@dataclass(frozen=True)
class Judged:
	"""A template that may be compiled.

	steps: what it needs at most, in steps and characters. always: the text that stands outside of all tags, where every
	reader gets it; sometimes: what stands in blocks.
	"""

	steps: Amount
	always: str
	sometimes: str


def check_work(steps: Amount, items: int) -> None:
	"""Raise Refused where filling in a message about so many items would take too long."""
	if steps.fixed + steps.each * items > MOST_WORK:
		raise Refused(
			_("A message about {0} items would get too long. Write less for each of them.").format(items)
		)


def judge(source: str, environment: Environment, variables: dict) -> Judged:
	"""Return what is known of a template, unless it must not be compiled: then raise Refused, or TemplateSyntaxError.

	variables: {name: kind}, all that a template can use.
	"""
	scan(source)
	tree = parsed(source, environment)
	check_shape(tree)
	if refused := tree.find(tuple(TAG_NAMES)):
		raise _refused_tag(refused, TAG_NAMES[type(refused)])
	_check_names(tree, variables)
	judge = _Judge(variables)
	judge.block(tree.body)
	if judge.steps.fixed > MOST_FIXED or judge.steps.each > MOST_EACH:
		raise _too_much()
	return Judged(judge.steps, *_texts(tree))


def scan(source: str) -> None:
	"""Raise Refused on a source that is too large to be read at all. One pass over it."""
	check_size(source)
	starts = [match.start() for match in TAG.finditer(source)]
	if len(starts) > MOST_TAGS:
		raise Refused(
			_("It has {0} tags, such as {1}; a message may have {2}. Shorten it.").format(
				len(starts), "{{ }}", MOST_TAGS
			)
		)
	inside = 0
	for start, following in zip(starts, [*starts[1:], len(source)], strict=False):
		close = {"{{": "}}", "{%": "%}", "{#": "#}"}[source[start : start + 2]]
		end = source.find(close, start, following)
		# Without an end the rest is code to whoever reads it, until the next one.
		inside += 0 if close == "#}" else (end if end >= 0 else following) - start
	if inside > MOST_IN_TAGS:
		raise Refused(
			_(
				"It has {0} characters inside of tags, such as {1}; a message may have {2}. Shorten it."
			).format(inside, "{{ }}", MOST_IN_TAGS)
		)


def check_size(source: str) -> None:
	"""Raise Refused on HTML, a template or what it makes of an example, that has too much to be looked through."""
	length = len(EMBEDDED.sub("", source)) if "base64" in source else len(source)
	if length > MOST_SOURCE:
		raise Refused(
			_("It has {0} characters; a message may have {1}. Shorten it.").format(length, MOST_SOURCE)
		)
	if (elements := source.count("<")) > MOST_ELEMENTS:
		raise Refused(
			_("It has {0} tags, such as {1}; a message may have {2}. Shorten it.").format(
				elements, "<p>", MOST_ELEMENTS
			)
		)


def parsed(source: str, environment: Environment) -> nodes.Template:
	"""Return the syntax tree of a source that `scan` has let pass; nothing in it is worked out."""
	try:
		return environment.parse(source)
	except RecursionError as e:
		raise _too_deep() from e
	except TemplateSyntaxError:
		raise
	except (ValueError, OverflowError) as e:
		# A number with more digits than Python reads.
		raise Refused(_("It has a number that is too large.")) from e


def check_shape(tree: nodes.Template) -> None:
	"""Raise Refused on what is nested too deep. Not recursive: the tree may be deeper than Python can go."""
	waiting = [(tree, 0, 0)]
	while waiting:
		node, depth, blocks = waiting.pop()
		if isinstance(node, (nodes.For, nodes.If, nodes.With, nodes.AssignBlock)):
			blocks += 1
		if depth > MOST_DEPTH or blocks > MOST_BLOCKS or len(getattr(node, "elif_", ())) > MOST_DEPTH:
			raise _too_deep()
		waiting += [(child, depth + 1, blocks) for child in node.iter_child_nodes()]


def _check_names(tree: nodes.Template, variables: dict) -> None:
	"""Raise Refused on a name that is neither a variable nor set anywhere in the template."""
	names = [node for node in tree.find_all(nodes.Name)]
	stored = {node.name for node in names if node.ctx != "load"}
	unknown = {node.name for node in names} - stored - {*variables, "loop"}
	if unknown:
		raise Refused(
			_("It uses {0}, which does not exist. Available: {1}.").format(
				", ".join(sorted(unknown)),
				", ".join(name for name, kind in variables.items() if not isinstance(kind, Function)),
			)
		)


def _texts(tree: nodes.Template) -> tuple[str, str]:
	"""Return what stands outside of all tags, for every reader, and what stands in blocks, for some."""
	of_all = [part for node in tree.body if isinstance(node, nodes.Output) for part in node.nodes]
	always = [part for part in of_all if isinstance(part, nodes.TemplateData)]
	known = set(map(id, always))
	return (
		"".join(part.data for part in always),
		"".join(part.data for part in tree.find_all(nodes.TemplateData) if id(part) not in known),
	)


def _refused_tag(node: nodes.Node, name: str) -> Refused:
	return Refused(
		_("Line {0}: {1} cannot be used in a message. Available: {2}.").format(
			node.lineno, f"{{% {name} %}}", TAGS
		)
	)


def _too_deep() -> Refused:
	return Refused(_("Too much stands inside of each other. Take conditions and brackets apart."))


def _too_much() -> Refused:
	return Refused(
		_(
			"It takes too long: a loop or a list inside of a loop, or a text that grows. Work it out once before the loop, with {0}; to put items together use {1}."
		).format("{% set ... %}", "{% for group in items | groupby('item_name') %}")
	)


class _Judge:
	"""Goes through a syntax tree as the template runs, and knows the kind and size of each value."""

	def __init__(self, variables: dict):
		self.scope = dict(variables)
		self.frames = []
		self.steps = Amount()

	# -- counting ----------------------------------------------------------------------------------------------

	def _over_items(self) -> Frame | None:
		return next((frame for frame in reversed(self.frames) if frame.times is None), None)

	def _times(self) -> int:
		times = 1
		for frame in self.frames:
			times *= frame.times or 1
		return times

	def spend(self, amount: Amount) -> None:
		"""Count what is needed here, as often as this place is come to."""
		times, frame = self._times(), self._over_items()
		if frame and amount.each and amount.group is not frame:
			raise _too_much()
		if frame:
			spent = Amount(0, (amount.fixed + amount.each) * times)
		else:
			spent = Amount(amount.fixed, amount.each).times(times)
		self.steps = Amount(self.steps.fixed + spent.fixed, self.steps.each + spent.each)
		if self.steps.fixed > MOST_WORK or self.steps.each > MOST_WORK:
			raise _too_much()

	# -- statements --------------------------------------------------------------------------------------------

	def block(self, statements: list) -> None:
		for node in statements:
			handler = getattr(self, f"do_{type(node).__name__}", None)
			if not handler:
				raise _refused_tag(node, type(node).__name__.lower())
			self.spend(Amount(STEP))
			handler(node)

	def do_Output(self, node) -> None:
		for part in node.nodes:
			if isinstance(part, nodes.TemplateData):
				self.spend(Amount(len(part.data)))
			else:
				kind = self.value(part)
				self.spend(self._sized(kind, part).size)

	def do_If(self, node) -> None:
		self.value(node.test)
		before = dict(self.scope)
		ends = []
		tests = [branch.test for branch in node.elif_]
		bodies = [node.body, *(branch.body for branch in node.elif_), node.else_ or []]
		for test in tests:
			self.value(test)
		for body in bodies:
			self.scope = dict(before)
			self.block(body)
			ends.append(self.scope)
		self.scope = {}
		for name in dict.fromkeys(name for end in ends for name in end):
			kinds = [end[name] for end in ends if name in end]
			kind = kinds[0]
			for other in kinds[1:]:
				kind = self.either(kind, other, node)
			self.scope[name] = kind

	def do_For(self, node) -> None:
		if node.recursive:
			raise Refused(_("Line {0}: a loop cannot be recursive.").format(node.lineno))
		over, before = self.value(node.iter), dict(self.scope)
		if not isinstance(over, (Many, Groups)):
			raise Refused(_("Line {0}: only a list can be looped over, such as items.").format(node.lineno))
		outer = self._over_items()
		if over.count.each:
			if outer and over.count.group is not outer:
				raise _too_much()
			frame = Frame(None)
		else:
			frame = Frame(max(1, over.count.fixed))
		of = over.group(frame) if isinstance(over, Groups) else over.of
		self.frames.append(frame)
		self._store(node.target, of)
		self.scope["loop"] = Loop(of)
		self.spend(Amount(STEP))
		if node.test:
			self.value(node.test)
		self.block(node.body)
		self.frames.pop()
		self.scope = dict(before)
		self.block(node.else_ or [])
		self.scope = before

	def do_Assign(self, node) -> None:
		self._store(node.target, self.value(node.node))

	def do_AssignBlock(self, node) -> None:
		if node.filter:
			raise _refused_tag(node, "set ... | filter")
		before, steps = dict(self.scope), self.steps
		self.block(node.body)
		self.scope = before
		needed = (self.steps.fixed - steps.fixed, self.steps.each - steps.each)
		times, frame = self._times(), self._over_items()
		if frame:
			size = Amount(0, needed[1] // times, frame)
		else:
			size = Amount(needed[0] // times, needed[1] // times)
		self._store(node.target, self._text(size, node))

	def do_With(self, node) -> None:
		before = dict(self.scope)
		values = [self.value(value) for value in node.values]
		for target, kind in zip(node.targets, values, strict=True):
			self._store(target, kind)
		self.block(node.body)
		self.scope = before

	def _store(self, target, kind) -> None:
		if isinstance(target, nodes.Name):
			if isinstance(kind, (Function, Method, Loop)):
				raise Refused(_("Line {0}: {1} cannot be set.").format(target.lineno, target.name))
			self.scope[target.name] = kind
		elif isinstance(target, nodes.Tuple) and isinstance(kind, Group) and len(target.items) == 2:
			for part, of in zip(target.items, (kind.by, kind.list), strict=True):
				self._store(part, of)
		else:
			raise Refused(_("Line {0}: set one variable at a time.").format(target.lineno))

	# -- expressions -------------------------------------------------------------------------------------------

	def value(self, node):
		"""Return the kind of an expression."""
		handler = getattr(self, f"of_{type(node).__name__}", None)
		if not handler:
			raise Refused(
				_("Line {0}: {1} cannot be used in a message.").format(
					node.lineno, SIGNS.get(type(node), type(node).__name__)
				)
			)
		self.spend(Amount(STEP))
		return handler(node)

	def of_Name(self, node):
		if node.name not in self.scope:
			raise Refused(
				_("Line {0}: {1} is not set here. Set it before, outside of loops.").format(
					node.lineno, node.name
				)
			)
		return self.scope[node.name]

	def of_Const(self, node):
		value = node.value
		if value is None:
			return Nothing()
		if isinstance(value, bool):
			return Flag()
		if isinstance(value, str):
			return Text(Amount(len(value)), value)
		if isinstance(value, int) and abs(value) >= 10**15:
			raise Refused(_("Line {0}: the number is too large.").format(node.lineno))
		return Number(25 if isinstance(value, float) else 15)

	def of_List(self, node):
		kinds = [self.value(item) for item in node.items]
		kind = kinds[0] if kinds else Nothing()
		for other in kinds[1:]:
			kind = self.either(kind, other, node)
		return Many(kind, Amount(len(kinds)))

	of_Tuple = of_List

	def of_Getattr(self, node):
		return self._part(node, self.value(node.node), node.attr)

	def of_Getitem(self, node):
		of = self.value(node.node)
		if isinstance(node.arg, nodes.Slice):
			return self._slice(node, of)
		if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
			return self._part(node, of, node.arg.value)
		if not isinstance(self.value(node.arg), Number):
			raise Refused(_("Line {0}: only a number can stand in [ ].").format(node.lineno))
		if isinstance(of, Many):
			return of.of
		if isinstance(of, Groups):
			return Group(of.by, Many(of.of, of.count))
		if isinstance(of, (Text, Date)):
			return Text(Amount(1))
		raise Refused(_("Line {0}: only a list or a text can stand before [ ].").format(node.lineno))

	def _slice(self, node, of):
		for edge in (node.arg.start, node.arg.stop, node.arg.step):
			if edge is not None and not isinstance(self.value(edge), Number):
				raise Refused(_("Line {0}: only a number can stand in [ ].").format(node.lineno))
		if isinstance(of, Many):
			self.spend(of.count)
			stop = node.arg.stop
			if isinstance(stop, nodes.Const) and isinstance(stop.value, int) and stop.value >= 0:
				return Many(of.of, Amount(stop.value if of.count.each else min(of.count.fixed, stop.value)))
			return of
		if isinstance(of, (Text, Date)):
			return Text(self._sized(of, node).size)
		raise Refused(_("Line {0}: only a list or a text can stand before [ ].").format(node.lineno))

	def _part(self, node, of, name: str):
		"""Return the kind of what stands behind a dot."""
		if isinstance(of, Item):
			available = dict(of.fields)
		elif isinstance(of, Group):
			available = {"grouper": of.by, "list": of.list}
		elif isinstance(of, Loop):
			kinds = {"number": Number(), "flag": Flag()}
			available = {key: kinds[kind] for key, kind in LOOP.items()}
			available |= {"previtem": of.of, "nextitem": of.of, "cycle": Function(_cycle)}
		elif isinstance(of, (Text, Date, Number)):
			text = self._sized(of, node)
			names = () if isinstance(of, Number) else (*METHODS, *MORE_METHODS)
			available = {key: Method(text, key) for key in names}
		else:
			available = {}
		if name not in available:
			raise Refused(
				_("Line {0}: {1} does not exist there. Available: {2}.").format(
					node.lineno, name, ", ".join(available) or "-"
				)
			)
		return available[name]

	def of_Call(self, node):
		if node.dyn_args or node.dyn_kwargs:
			raise Refused(_("Line {0}: * cannot stand in a call.").format(node.lineno))
		called = self.value(node.node)
		arguments = [self.value(argument) for argument in node.args]
		named = {argument.key: self.value(argument.value) for argument in node.kwargs}
		if isinstance(called, Function):
			return called.result(self, node, arguments, named)
		if isinstance(called, Method):
			return self._method(node, called, arguments, named)
		raise Refused(_("Line {0}: only _, format_date and in_words can be called.").format(node.lineno))

	def _method(self, node, method: Method, arguments: list, named: dict):
		text, name = method.of, method.name
		if name == "format":
			return self._format(node, text, [*arguments, *named.values()])
		if named:
			raise Refused(_("Line {0}: give {1} what it needs without a name.").format(node.lineno, name))
		sizes = [self._sized(argument, node) for argument in arguments]
		if name in METHODS:
			return self._text(text.size.times(METHODS[name]), node)
		if name == "replace":
			return self._replaced(node, text, sizes)
		self.spend(text.size)
		if name == "split":
			if text.size.each:
				raise _too_much()
			return Many(Text(text.size), Amount(text.size.fixed + 1))
		return Flag()

	def _format(self, node, text: Text, arguments: list):
		sizes = [self._sized(argument, node).size for argument in arguments]
		if text.written is None:
			raise Refused(
				_("Line {0}: format only works on a text that is written in the template.").format(
					node.lineno
				)
			)
		if WIDE.search(text.written):
			raise Refused(_("Line {0}: {1} would be too wide.").format(node.lineno, text.written[:100]))
		longest = Amount()
		for size in sizes:
			longest = longest.most(size)
		# A translation can have them more than once.
		fields = 2 * text.written.count("{") + 10
		return self._text(text.size + (longest + Amount(1000)).times(fields), node)

	def _replaced(self, node, text: Text, sizes: list):
		if len(sizes) < 2:
			raise Refused(_("Line {0}: replace needs what to replace, and by what.").format(node.lineno))
		old, new = sizes[0], sizes[1]
		found = (text.size + Amount(1)) if not old.written else text.size
		return self._text(text.size + found.of_each(new.size), node)

	def of_Filter(self, node):
		name = node.name
		if node.node is None or name not in FILTERS:
			raise Refused(
				_("Line {0}: the filter {1} cannot be used in a message. Available: {2}.").format(
					node.lineno, name, ", ".join(sorted(FILTERS))
				)
			)
		if node.dyn_args or node.dyn_kwargs:
			raise Refused(_("Line {0}: * cannot stand in a call.").format(node.lineno))
		of = self.value(node.node)
		arguments = [self.value(argument) for argument in node.args]
		named = {argument.key: self.value(argument.value) for argument in node.kwargs}
		given = {**dict(enumerate(arguments)), **named}
		if name in TEXT_FILTERS:
			return self._text(self._sized(of, node).size.times(TEXT_FILTERS[name]), node)
		if name in ("default", "d"):
			return self.either(of, given.get(0, given.get("default_value", Text(Amount()))), node)
		if name in ("length", "count"):
			return Number()
		if name in NUMBER_FILTERS:
			return self._number(node, of, given)
		if name == "truncate":
			end = self._sized(given.get("end", given.get(2, Text(Amount(3)))), node)
			return self._text(self._sized(of, node).size + end.size, node)
		if name == "replace":
			return self._replaced(
				node, self._sized(of, node), [self._sized(kind, node) for kind in given.values()]
			)
		if name == "wordcount":
			self.spend(self._sized(of, node).size)
			return Number()
		if name == "reverse" and isinstance(of, (Text, Date)):
			return self._text(self._sized(of, node).size, node)
		return self._of_list(node, of, given)

	def _of_list(self, node, of, given: dict):
		name = node.name
		if isinstance(of, Groups) and name in ("first", "last", "list", "reverse"):
			return Group(of.by, Many(of.of, of.count)) if name in CHOICES else of
		if isinstance(of, (Text, Date)) and name in ("first", "last"):
			return Text(Amount(1))
		if not isinstance(of, Many):
			raise Refused(_("Line {0}: {1} is for lists, such as items.").format(node.lineno, name))
		self.spend(of.count.times(STEP))
		if name == "join":
			separator = self._sized(given.get(0, given.get("d", Text(Amount()))), node)
			attribute = given.get(1, given.get("attribute"))
			kind = self._attribute(node, of.of, attribute) if attribute else of.of
			return self._text(of.count.of_each(self._sized(kind, node).size + separator.size), node)
		if name == "map":
			return Many(self._mapped(node, of.of, given), of.count)
		if name in BY_TEST:
			return self._chosen(node, of, given)
		attribute = given.get("attribute")
		if name == "groupby":
			by = self._attribute(node, of.of, given.get(0, attribute))
			return Groups(by, of.of, of.count)
		if name == "sum":
			kind = self._attribute(node, of.of, given.get(0, attribute)) if given else of.of
			if not isinstance(kind, Number):
				raise Refused(_("Line {0}: {1} is for numbers.").format(node.lineno, name))
			return Number(kind.digits + 10)
		key = self._attribute(node, of.of, attribute) if attribute else of.of
		if name in ("sort", "min", "max", "unique") and not isinstance(key, (Text, Number, Date, Flag)):
			raise Refused(
				_("Line {0}: say by what, for example {1}.").format(
					node.lineno, f"items | {name}(attribute='expiry_date')"
				)
			)
		return of.of if name in CHOICES else of

	def _attribute(self, node, of, attribute):
		"""Return the kind of an attribute that is given by its name; several, for sorting, by commas."""
		if not isinstance(attribute, Text) or attribute.written is None:
			raise Refused(
				_("Line {0}: say by what, for example {1}.").format(
					node.lineno, f"items | {node.name}(attribute='expiry_date')"
				)
			)
		kinds = [self._part(node, of, name.strip()) for name in attribute.written.split(",")]
		if any(isinstance(kind, Method) for kind in kinds):
			raise Refused(
				_("Line {0}: {1} does not exist there. Available: {2}.").format(
					node.lineno, attribute.written, "-"
				)
			)
		return kinds[0]

	def _mapped(self, node, of, given: dict):
		if "attribute" in given:
			return self.either(
				self._attribute(node, of, given["attribute"]), given.get("default", Nothing()), node
			)
		name = given.get(0)
		if len(given) == 1 and isinstance(name, Text) and name.written in TEXT_FILTERS:
			return Text(self._sized(of, node).size.times(TEXT_FILTERS[name.written]))
		raise Refused(
			_("Line {0}: say by what, for example {1}.").format(
				node.lineno, "items | map(attribute='item_name')"
			)
		)

	def _chosen(self, node, of: Many, given: dict):
		position = 1 if node.name.endswith("attr") else 0
		if position:
			self._attribute(node, of.of, given.get(0))
		test = given.get(position)
		if test and not (isinstance(test, Text) and test.written in TESTS):
			raise Refused(
				_("Line {0}: the test cannot be used in a message. Available: {1}.").format(
					node.lineno, ", ".join(TESTS)
				)
			)
		if isinstance(given.get(position + 1), (Many, Groups)):
			self.spend(of.count.of_each(given[position + 1].count))
		return of

	def _number(self, node, of, given: dict):
		text = self._sized(of, node)
		if text.size.each or text.size.fixed > 1000:
			raise _too_much()
		if node.name == "round" and not self._small(node, 0, "precision", 10):
			raise Refused(_("Line {0}: the number is too large.").format(node.lineno))
		if node.name == "int" and not self._small(node, 1, "base", 36):
			raise Refused(_("Line {0}: the number is too large.").format(node.lineno))
		return Number(MOST_DIGITS // 2)

	@staticmethod
	def _small(node, position: int, name: str, most: int) -> bool:
		"""Say whether an argument, if there is one, is a number written in the template that is not too large."""
		given = [*node.args[position : position + 1], *(one.value for one in node.kwargs if one.key == name)]
		return all(
			isinstance(one, nodes.Const) and isinstance(one.value, int) and abs(one.value) <= most
			for one in given
		)

	def of_Test(self, node):
		if node.name not in TESTS or node.dyn_args or node.dyn_kwargs:
			raise Refused(
				_("Line {0}: the test cannot be used in a message. Available: {1}.").format(
					node.lineno, ", ".join(TESTS)
				)
			)
		of = self.value(node.node)
		others = [self.value(argument) for argument in node.args]
		self._compared([of, *others])
		return Flag()

	def of_Compare(self, node):
		self._compared([self.value(node.expr), *(self.value(operand.expr) for operand in node.ops)])
		return Flag()

	def _compared(self, kinds: list) -> None:
		for kind in kinds:
			if isinstance(kind, (Many, Groups)):
				self.spend(kind.count)
			elif isinstance(kind, Text):
				self.spend(kind.size)

	def of_And(self, node):
		return self.either(self.value(node.left), self.value(node.right), node)

	of_Or = of_And

	def of_Not(self, node):
		self.value(node.node)
		return Flag()

	def of_CondExpr(self, node):
		self.value(node.test)
		kind = self.value(node.expr1)
		return self.either(kind, self.value(node.expr2) if node.expr2 else Nothing(), node)

	def of_Neg(self, node):
		return self._calculated(node, "-", [self.value(node.node)])

	def of_Pos(self, node):
		return self._calculated(node, "+", [self.value(node.node)])

	def of_Add(self, node):
		kinds = [self.value(node.left), self.value(node.right)]
		if all(isinstance(kind, (Text, Date)) for kind in kinds):
			return self._joined(node, kinds)
		return self._calculated(node, "+", kinds)

	def of_Sub(self, node):
		return self._calculated(node, "-", [self.value(node.left), self.value(node.right)])

	def of_Mul(self, node):
		return self._calculated(node, "*", [self.value(node.left), self.value(node.right)])

	def of_Div(self, node):
		return self._calculated(node, "/", [self.value(node.left), self.value(node.right)])

	def of_FloorDiv(self, node):
		return self._calculated(node, "//", [self.value(node.left), self.value(node.right)])

	def of_Mod(self, node):
		return self._calculated(node, "%", [self.value(node.left), self.value(node.right)])

	def _calculated(self, node, sign: str, kinds: list):
		if not all(isinstance(kind, (Number, Flag)) for kind in kinds):
			raise Refused(
				_("Line {0}: {1} is for numbers. Texts are put together by {2}.").format(
					node.lineno, sign, "~"
				)
			)
		digits = [kind.digits if isinstance(kind, Number) else 1 for kind in kinds]
		result = sum(digits) if sign == "*" else max(digits) + 1
		if result > MOST_DIGITS:
			raise Refused(_("Line {0}: the number is too large.").format(node.lineno))
		return Number(result)

	def of_Concat(self, node):
		return self._joined(node, [self.value(part) for part in node.nodes])

	def _joined(self, node, kinds: list):
		size = Amount()
		for kind in kinds:
			size += self._sized(kind, node).size
		return self._text(size, node)

	# -- kinds -------------------------------------------------------------------------------------------------

	def _text(self, size: Amount, node) -> Text:
		"""Return a text that is made here, and count what making it takes."""
		if size.fixed > MOST_TEXT or size.each > MOST_EACH:
			raise _too_much()
		self.spend(size)
		return Text(size)

	def _sized(self, kind, node) -> Text:
		"""Return a single value as the text that it is printed as."""
		if isinstance(kind, Text):
			return kind
		if isinstance(kind, Number):
			return Text(Amount(kind.digits + 2))
		if isinstance(kind, (Flag, Nothing)):
			return Text(Amount(5))
		if isinstance(kind, Date):
			return Text(Amount(60))
		if isinstance(kind, (Method, Function)):
			raise Refused(_("Line {0}: put brackets behind it: {1}.").format(node.lineno, "( )"))
		raise Refused(
			_("Line {0}: a list cannot be used as a text. Take its entries one by one: {1}.").format(
				node.lineno, "{% for item in items %}{{ item.item_name }}{% endfor %}"
			)
		)

	def either(self, one, other, node):
		"""Return the kind of what is either of them."""
		if one == other or isinstance(other, Nothing):
			return one
		if isinstance(one, Nothing):
			return other
		if isinstance(one, Number) and isinstance(other, Number):
			return Number(max(one.digits, other.digits))
		single = (Text, Number, Flag, Date)
		if isinstance(one, single) and isinstance(other, single):
			return Text(self._sized(one, node).size.most(self._sized(other, node).size))
		if isinstance(one, Many) and isinstance(other, Many):
			return Many(self.either(one.of, other.of, node), one.count.most(other.count))
		return Mixed()


def _cycle(judge: _Judge, node, arguments: list, named: dict):
	kind = arguments[0] if arguments else Nothing()
	for other in arguments[1:]:
		kind = judge.either(kind, other, node)
	return kind


def translated(judge: _Judge, node, arguments: list, named: dict):
	"""The kind of `_("...")`."""
	if len(arguments) != 1 or named or not isinstance(arguments[0], Text):
		raise Refused(_('Line {0}: write _("...") with one text in it.').format(node.lineno))
	text = arguments[0]
	return replace(judge._text(text.size.times(3) + Amount(VALUE), node), written=text.written)


def written_date(judge: _Judge, node, arguments: list, named: dict):
	"""The kind of `format_date(expiry_date, "short")`."""
	style = arguments[1] if len(arguments) > 1 else named.get("style", Text(Amount(), "long"))
	if not (
		arguments
		and isinstance(arguments[0], Date)
		and isinstance(style, Text)
		and DATE_STYLE.fullmatch(style.written or "")
	):
		raise Refused(
			_("Line {0}: write {1}, with short, medium, long or full.").format(
				node.lineno, "format_date(expiry_date, 'short')"
			)
		)
	return Text(Amount(60 + 30 * len(style.written)))


def days_written(judge: _Judge, node, arguments: list, named: dict):
	"""The kind of `in_words(days_left)`."""
	if len(arguments) != 1 or named or not isinstance(arguments[0], Number):
		raise Refused(_("Line {0}: write {1}.").format(node.lineno, "in_words(days_left)"))
	return Text(Amount(60))


def text() -> Text:
	"""The kind of a value of a customer, a company or an item."""
	return Text(Amount(VALUE))
