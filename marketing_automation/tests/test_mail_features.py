"""What mail programs lack, no design uses. The lists are after caniemail.com, as looked at in November 2026: what Gmail, Outlook for
Windows, Apple Mail and Yahoo all show, or leave out without harm; what only some of them show stands in SOME, with what
the others do instead."""

import re
from html.parser import HTMLParser

import frappe

from marketing_automation.channels.texts import designed, templates
from marketing_automation.designs import compile as compiler
from marketing_automation.designs import gallery, store
from marketing_automation.engine.brand import brand_of
from marketing_automation.tests import designs as examples
from marketing_automation.tests.case import MarketingTestCase

TAGS = set(
	"html head title meta style body div table tbody tr td a img p br ul li strong em h1 h2 h3".split()
)
ATTRIBUTES = set(
	"align alt aria-label aria-roledescription bgcolor border cellpadding cellspacing class content dir height href"
	" http-equiv lang media name role src style target type valign vertical-align width xmlns xmlns:v xmlns:o".split()
)
# In a tag's own style.
STYLES = set(
	"background background-color border border-bottom border-collapse border-left border-right border-spacing border-top color"
	" direction display font-family font-size font-style font-weight height letter-spacing line-height margin max-width padding"
	" text-align text-decoration text-transform vertical-align width word-break word-spacing outline table-layout".split()
)
SOME = {
	# Outlook for Windows shows square corners.
	"border-radius",
	# Of what is hidden on purpose: each of them is enough somewhere.
	*("opacity", "overflow", "max-height"),
	# Webmail only: the pointer.
	"cursor",
	# Outlook's own.
	"mso-padding-alt",
}
# Nothing of these is anywhere, not even in a style sheet.
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

	def test_only_what_mail_programs_know(self):
		for name, html in self.mails():
			with self.subTest(name):
				found = read(html)
				self.assertLessEqual(found.tags, TAGS)
				self.assertLessEqual(found.attributes, ATTRIBUTES)
				self.assertLessEqual(found.styles, STYLES | SOME)
				self.assertEqual(NEVER.findall(html), [])

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
