"""What mail programs lack, no design uses, or does without where it is lacking.

What they know is caniemail.com's, whose data is at github.com/hteumeuleu/caniemail in `_features/`, as of commit 6b086a3 of 29
June 2026: of Gmail in a browser, Outlook for Windows (2019, which draws with Word), Apple Mail on macOS, and Yahoo in a browser,
the last version of each that was tested. What has no entry there is HTML 4.01 and CSS 1, such as `color`.
"""

import re
from html.parser import HTMLParser

import frappe

from marketing_automation.channels.texts import designed, templates
from marketing_automation.designs import compile as compiler
from marketing_automation.designs import gallery, store
from marketing_automation.engine.brand import brand_of
from marketing_automation.tests import designs as examples
from marketing_automation.tests.case import MarketingTestCase

PROGRAMS = ("Gmail", "Outlook for Windows", "Apple Mail", "Yahoo")
# {what: (its file there, what each program makes of it: y for all of it, a for some, n for none, u for not known)}
STYLES = {
	"background": ("css-background", "yaya"),
	"background-color": ("css-background-color", "yyyy"),
	"border": ("css-border", "yayy"),
	"border-bottom": ("css-border", "yayy"),
	"border-collapse": ("css-border-collapse", "yyyy"),
	"border-left": ("css-border", "yayy"),
	"border-radius": ("css-border-radius", "ynya"),
	"border-spacing": ("css-border-spacing", "ynyy"),
	"border-top": ("css-border", "yayy"),
	"cursor": ("css-cursor", "nuaa"),
	"direction": ("css-direction", "yyyy"),
	"display": ("css-display", "yaya"),
	"font-family": ("css-font", "yyyy"),
	"font-size": ("css-font-size", "yaya"),
	"font-style": ("css-font", "yyyy"),
	"font-weight": ("css-font-weight", "yaya"),
	"height": ("css-height", "yayn"),
	"letter-spacing": ("css-letter-spacing", "yayy"),
	"line-height": ("css-line-height", "yayy"),
	"margin": ("css-margin", "aaya"),
	"max-height": ("css-max-height", "ynyy"),
	"max-width": ("css-max-width", "yayy"),
	"opacity": ("css-opacity", "ynyy"),
	"outline": ("css-outline", "ynyy"),
	"overflow": ("css-overflow", "anaa"),
	"padding": ("css-padding", "yayy"),
	"table-layout": ("css-table-layout", "ynyy"),
	"text-align": ("css-text-align", "yaya"),
	"text-decoration": ("css-text-decoration", "yayy"),
	"text-transform": ("css-text-transform", "yayy"),
	"vertical-align": ("css-vertical-align", "yyyy"),
	"width": ("css-width", "yayy"),
	"word-break": ("css-word-break", "yyan"),
	"word-spacing": ("css-word-spacing", "ynya"),
}
# Of CSS 1, and Outlook's own.
PLAIN_STYLES = {"color", "mso-padding-alt"}
TAGS = {
	"body": ("html-body", "ayya"),
	"div": ("html-div", "yyyy"),
	"h1": ("html-h1-h6", "yyyy"),
	"h2": ("html-h1-h6", "yyyy"),
	"h3": ("html-h1-h6", "yyyy"),
	"img": ("html-img", "yyyy"),
	"li": ("html-lists", "aaya"),
	"p": ("html-p", "yyyy"),
	"strong": ("html-strong", "yyyy"),
	"style": ("html-style", "aayy"),
	"table": ("html-table", "yyyy"),
	"ul": ("html-lists", "aaya"),
}
# Of HTML 4.01.
PLAIN_TAGS = {"a", "br", "em", "head", "html", "meta", "tbody", "td", "title", "tr"}
ATTRIBUTES = {
	"align": ("html-align", "yyyy"),
	"aria-label": ("html-aria-label", "yyyn"),
	"cellpadding": ("html-cellpadding", "yyyy"),
	"dir": ("html-dir", "yayy"),
	"height": ("html-height", "yayy"),
	"lang": ("html-lang", "yyya"),
	"role": ("html-role", "yyya"),
	"target": ("html-target", "naan"),
	"valign": ("html-valign", "yyyy"),
	"width": ("html-width", "yayy"),
}
# Of HTML 4.01; those of XML are read by Outlook alone, and `aria-roledescription` by what reads aloud.
PLAIN_ATTRIBUTES = set(
	"alt aria-roledescription bgcolor border cellspacing class content href http-equiv media name src style type"
	" vertical-align xmlns xmlns:v xmlns:o".split()
)
# What a reader has where it is lacking. It has to be no worse than plain.
WITHOUT_IT = {
	"aria-label": "What reads aloud says the words of the mail; there are no others.",
	"border-radius": "The corners are square.",
	"border-spacing": "The attribute `cellspacing` says the same.",
	"cursor": "The pointer is that of any link.",
	"height": "It only grows with what is in it: Yahoo makes `min-height` of it.",
	"max-height": "Of what is hidden on purpose: `display:none` hides it, which Outlook knows.",
	"opacity": "As `max-height`.",
	"outline": "A picture that is no link has none to take away.",
	"overflow": "As `max-height`.",
	"table-layout": "The columns are as wide as their attributes say.",
	"target": "A link opens in a window of its own all the same.",
	"word-break": "A long word is broken anywhere, or not at all.",
	"word-spacing": "Of an empty line: there are no words.",
}
# Nothing of these is anywhere, not even in a style sheet. Each is lacking in one of the programs at least, by the files html-svg,
# html-video, html-audio, html-form, html-object, html-link, css-position, css-float, css-display-flex, css-display-grid,
# css-at-import, css-at-font-face, css-variables, css-unit-calc, css-background-image, css-animation, css-transform; a negative margin by
# css-margin, <base> by html-base. Scripts and frames every program takes out.
NEVER = re.compile(
	r"<(?:script|svg|video|audio|form|input|iframe|object|link|base)\b|position\s*:|float\s*:|\bflex\b|\bgrid\b|@import|@font-face"
	r"|var\(|calc\(|url\(|animation|transform\s*:\s*[^n]|javascript:|margin[a-z-]*:\s*-",
	re.IGNORECASE,
)


class Reader(HTMLParser):
	def __init__(self):
		super().__init__()
		self.tags, self.attributes, self.styles, self.open = set(), set(), set(), []

	def handle_starttag(self, tag, attrs):
		self.tags.add(tag)
		if tag not in ("meta", "br", "img"):
			self.open.append(tag)
		for name, value in attrs:
			self.attributes.add(name)
			if name == "style":
				self.styles |= {one.split(":")[0].strip() for one in value.split(";") if one.strip()}

	def handle_startendtag(self, tag, attrs):
		self.handle_starttag(tag, attrs)
		if tag not in ("meta", "br", "img"):
			self.open.pop()

	def handle_endtag(self, tag):
		if self.open.pop() != tag:
			raise AssertionError(f"</{tag}> closes nothing.")


def read(html: str) -> Reader:
	"""Return what HTML is made of; raises AssertionError where a tag is not closed."""
	reader = Reader()
	reader.feed(html)
	reader.close()
	if reader.open:
		raise AssertionError(f"Not closed: {reader.open}")
	return reader


class TestMailFeatures(MarketingTestCase):
	def mails(self):
		"""Return (name, HTML) of every design of the gallery and one with each kind of block."""
		designs = {name: (one["design"], one["source"]) for name, one in gallery.all_designs().items()}
		designs["everything"] = (examples.everything("en", "es"), "Serial No")
		found = []
		for name, (data, source) in designs.items():
			words = templates.words_of_trigger(frappe._dict(source=source))
			for language in ("en", "es"):
				made = compiler.compiled(store.read(data), language, words)
				values = templates.for_reader(templates.example_context(2, 5, words=words), language)
				html = templates.BODY.from_string(designed.branded(made.html, brand_of(None))).render(values)
				found.append((f"{name}, {language}", html))
		return found

	def test_only_what_mail_programs_know_or_mails_can_do_without(self):
		used = set()
		for name, html in self.mails():
			with self.subTest(name):
				found = read(html)
				for seen, known, plain in (
					(found.tags, TAGS, PLAIN_TAGS),
					(found.attributes, ATTRIBUTES, PLAIN_ATTRIBUTES),
					(found.styles, STYLES, PLAIN_STYLES),
				):
					self.assertEqual(seen - set(known) - plain, set())
					used |= seen
				self.assertEqual(NEVER.findall(html), [])
		# A list of what nobody uses any more would hide what somebody uses anew.
		self.assertEqual((set(STYLES) | PLAIN_STYLES | set(TAGS) | set(ATTRIBUTES)) - used, set())

	def test_what_a_program_lacks_is_named_with_what_its_readers_have_instead(self):
		known = [*STYLES.items(), *TAGS.items(), *ATTRIBUTES.items()]
		self.assertEqual({len(support) for _what, (_file, support) in known}, {len(PROGRAMS)})
		lacking = {what for what, (_file, support) in known if "n" in support}
		self.assertEqual(lacking, set(WITHOUT_IT))

	def test_no_line_is_longer_than_a_mail_server_takes(self):
		# RFC 5321, 4.5.3.1.6; quoted-printable breaks them, and what is copied is not encoded.
		for name, html in self.mails():
			self.assertLess(max(map(len, html.splitlines())), 2000, name)

	def test_each_picture_says_what_it_shows_and_each_table_that_it_is_none(self):
		for name, html in self.mails():
			with self.subTest(name):
				for picture in re.findall(r"<img\b[^>]*>", html):
					self.assertRegex(picture, r'alt="[^"]+"')
				for table in re.findall(r"<table\b[^>]*>", html):
					if 'role="presentation"' not in table:
						self.assertIn("table-layout:auto", table)
