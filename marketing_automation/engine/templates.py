"""Customers' mail: an Email Template and a context in, subject and HTML out.

Rendered in an environment of our own, not Frappe's: values are escaped, an unknown variable is an error instead of
a hole in the mail, and a template reaches nothing but what it is given. (Frappe's environment escapes nothing,
prints unknown names as they stand, and hands the database and HTTP requests to whoever writes a template.)
"""

import html
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import frappe
from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from frappe import _
from frappe.utils import getdate
from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError

from marketing_automation.engine.language import CODE, of_the_site

# What a template can use. The keys of `pins` are those of PIN.
VARIABLES = (
	"customer_name",
	"item_name",
	"expiry_date",
	"days_left",
	"serial_no",
	"item_code",
	"customer",
	"company",
	"campaign",
	"pins",
)
PIN = ("serial_no", "item_code", "item_name", "expiry_date", "days_left")
FUNCTIONS = ("_", "format_date")


# Filters and methods that fill text up to any width.
PADDING = {"center", "ljust", "rjust", "zfill", "expandtabs", "indent", "batch", "format_map"}
# The method `format` is what translated text needs; the filter is that of %.
WIDE = re.compile(r"\{[^{}]*(\{|\d{4})")


class Sandbox(ImmutableSandboxedEnvironment):
	"""Jinja's sandbox, without what makes a gigabyte or an hour out of a few characters."""

	intercepted_binops = frozenset(("**", "*", "%"))

	def __init__(self, **options):
		super().__init__(undefined=StrictUndefined, **options)
		# range, lipsum, cycler and the like have no use in a mail.
		self.globals.clear()
		self.filters = {
			name: made for name, made in self.filters.items() if name not in {*PADDING, "format", "attr"}
		}

	def call_binop(self, context, operator, left, right):
		if operator == "**" or not all(isinstance(value, (int, float)) for value in (left, right)):
			raise SecurityError(_("{0} is for small numbers only").format(operator))
		return super().call_binop(context, operator, left, right)

	def is_safe_attribute(self, obj, attr, value):
		return attr not in PADDING and super().is_safe_attribute(obj, attr, value)

	def getattr(self, obj, attribute):
		self._check_width(obj, attribute)
		return super().getattr(obj, attribute)

	def getitem(self, obj, argument):
		self._check_width(obj, argument)
		return super().getitem(obj, argument)

	@staticmethod
	def _check_width(obj, attribute) -> None:
		if isinstance(obj, str) and attribute == "format" and WIDE.search(obj):
			raise SecurityError(_("{0} would be too wide").format(obj))


BODY = Sandbox(autoescape=True)
SUBJECT = Sandbox(autoescape=False)

# Has no width, and parts what it stands between.
WORD_JOINER = "\u2060"
# Frappe attaches the file that an `embed` in a mail's HTML names, be it in a tag or in text: site_config.json, too.
EMBED = re.compile(r"""embed(?==["'])""")
TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)


class TemplateInvalid(frappe.ValidationError):
	"""A template that cannot be sent; the message says what to change."""


@dataclass(frozen=True)
class Template:
	"""A compiled Email Template."""

	name: str
	source: str
	subject: Callable
	body: Callable


@dataclass(frozen=True)
class Rendered:
	"""A mail's subject (one line of text) and body (HTML)."""

	subject: str
	body: str


def load(names: set[str]) -> dict[str, Template | str]:
	"""Return each Email Template compiled, or the error (text) that it has. 1 query."""
	rows = frappe.get_all(
		"Email Template",
		filters={"name": ["in", list(names)]},
		fields=["name", "subject", "use_html", "response", "response_html"],
		order_by="name asc",
	)
	templates = {name: _("The Email Template {0} does not exist.").format(name) for name in names}
	for row in rows:
		try:
			templates[row.name] = compile_template(row)
		except TemplateInvalid as e:
			templates[row.name] = str(e)
	return templates


def compile_template(doc) -> Template:
	"""Compile an Email Template (document or dict); raises TemplateInvalid with the reason in plain words."""
	subject, body = doc.subject or "", source(doc)
	try:
		_check_names(doc.name, subject, body)
		return Template(doc.name, body, SUBJECT.from_string(subject).render, BODY.from_string(body).render)
	except TemplateSyntaxError as e:
		raise TemplateInvalid(
			_("The Email Template {0} has a mistake in line {1}: {2}. Correct it and save again.").format(
				doc.name, e.lineno, e.message
			)
		) from e


def source(doc) -> str:
	"""Return the body's Jinja source."""
	if doc.use_html:
		return doc.response_html or ""
	# The rich text editor writes what is typed inside a tag as HTML: {% if days_left &lt; 7 %}.
	return TAG.sub(lambda tag: html.unescape(tag.group()).replace("\xa0", " "), doc.response or "")


def _check_names(name: str, *sources: str) -> None:
	"""Raise TemplateInvalid on a name that is neither a variable nor set by the template."""
	known = {*VARIABLES, *FUNCTIONS}
	unknown = set().union(*(meta.find_undeclared_variables(BODY.parse(text)) for text in sources)) - known
	if unknown:
		raise TemplateInvalid(
			_("The Email Template {0} uses {1}, which does not exist. Available: {2}.").format(
				name, ", ".join(sorted(unknown)), ", ".join(VARIABLES)
			)
		)


def validate(doc) -> None:
	"""Raise TemplateInvalid unless this Email Template can be sent; tried on an example, so that typing errors
	behind a dot (`pin.expiry_dat`) and wrong filters show as well."""
	template = compile_template(doc)
	for example in (example_context(1), example_context(2)):
		body = render(template, example, "en").body
		if EMBED.search(html.unescape(body)):
			raise TemplateInvalid(
				_(
					"The Email Template {0} embeds a file by its path. Show pictures by their address instead: {1}."
				).format(doc.name, '<img src="https://...">')
			)
		if "<img" not in body and not frappe.utils.strip_html(body).strip():
			raise TemplateInvalid(
				_("The Email Template {0} has no text. Write the message first.").format(doc.name)
			)


def example_context(pins: int) -> dict:
	"""Return a context as `context` makes it, with made-up values. One pin expires today, two in a month."""
	expiry = getdate() + timedelta(days=30 * (pins - 1))
	example = {"serial_no": "PIN-0001", "item_code": "PIN", "item_name": "Pin", "expiry_date": expiry}
	return context(
		{"customer": "C-0001", "customer_name": "Ana", "company": "Company", "campaign": "Campaign"},
		[example] * pins,
		getdate(),
	)


def context(message: dict, pins: list[dict], today: date) -> dict:
	"""Return what a template sees.

	message: customer, customer_name, company, campaign. pins: serial_no, item_code, item_name, expiry_date (date),
	the most urgent first; its values stand at the top level too. today: the day of sending, in the site's time zone.
	"""
	pins = [{**_inert(pin), "days_left": (pin["expiry_date"] - today).days} for pin in pins]
	return {**_inert(message), **pins[0], "pins": pins}


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
	subject, body = fill(template.name, [template.subject, template.body], for_reader(values, language))
	return Rendered(one_line(subject), body)


def for_reader(values: dict, language: str) -> dict:
	"""Return a context (see `context`) as the reader of a language sees it, with the functions of templates."""
	return {
		**values,
		"expiry_date": WrittenDate(values["expiry_date"], language),
		"pins": [{**pin, "expiry_date": WrittenDate(pin["expiry_date"], language)} for pin in values["pins"]],
		"_": lambda text: frappe._(text, language),
		"format_date": lambda value, style="long": format_date(value.date, style, locale=locale_of(language)),
	}


def fill(name: str, parts: list[Callable], values: dict) -> list[str]:
	"""Return the compiled parts of the template `name`, filled in. Raises TemplateInvalid as `render` does."""
	try:
		return [part(values) for part in parts]
	except (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as e:
		raise TemplateInvalid(
			_(
				"The Email Template {0} cannot be filled in: {1}. Available: {2}; in each of pins: {3}."
			).format(name, e, ", ".join(VARIABLES), ", ".join(PIN))
		) from e


def one_line(text: str) -> str:
	"""Return text that is safe in a header: one line, no control characters, no placeholder of Email Queue."""
	text = "".join(" " if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char for char in text)
	return re.sub(r"\s+", " ", text).replace("<!", f"<{WORD_JOINER}!").strip()


class WrittenDate(str):
	"""A date in words (December 23, 2026; 23 de diciembre de 2026) that `format_date` can still write otherwise."""

	def __new__(cls, value: date, language: str):
		written = super().__new__(cls, format_date(value, "long", locale=locale_of(language)))
		written.date = value
		return written


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
	by_language = {code.lower().replace("_", "-"): name for code, name in action["templates"].items()}
	code = (language or "").lower().replace("_", "-")
	return by_language.get(code) or by_language.get(code.split("-")[0]) or action["email_template"]


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
