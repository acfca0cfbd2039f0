"""Mails with a frame of their own: a designed template and a company's look in, HTML and text of one mail out.

Their HTML is finished but for the look and the values, so nothing is framed and nothing inlined: the look is filled in
once a template and company, the values once a mail. Whatever was done to the template by hand, there is a way out of it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from frappe import _
from frappe.core.utils import html2text
from frappe.utils import expand_relative_urls

from marketing_automation.channels.email.look import FILLER, HIDDEN
from marketing_automation.channels.email.queue import without_table_lines
from marketing_automation.channels.texts import designed
from marketing_automation.channels.texts.designed import MUTED, WAY_OUT
from marketing_automation.channels.texts.templates import BODY, SUBJECT, Designed, Template, fill
from marketing_automation.engine.brand import Brand

# The placeholder is no address yet.
HELD_WAY_OUT = "https://way-out.invalid/"
BODY_TAG = re.compile(r"<body\b[^>]*>")
# As MJML writes it.
PREVIEW = re.compile(r'<body\b[^>]*>\s*<div style="display:none')
BLANK_LINES = re.compile(r"[ \t]*\n(?:[ \t]*\n){2,}")
STYLE = re.compile(r"<style\b.*?</style>|<title>.*?</title>", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class OwnFrame:
	"""A mail as a function of the template's context. source: its HTML, for whatever looks at it. text: None where only
	the finished HTML can be turned into text. has_preview: whether it says what an inbox shows behind the subject.
	way_out: HTML of a link, for a mail that comes out without one."""

	source: str
	html: Callable
	text: Callable | None
	has_preview: bool
	way_out: str


def make(design: Designed, brand: Brand) -> OwnFrame:
	"""Return the mail of a design in a company's look, in the current language."""
	html = designed.branded(design.html, brand).replace(WAY_OUT, HELD_WAY_OUT)
	html = expand_relative_urls(html).replace(HELD_WAY_OUT, WAY_OUT)
	text = SUBJECT.from_string(designed.branded_text(design.text, brand)).render if design.text else None
	return OwnFrame(
		html, BODY.from_string(html).render, text, bool(PREVIEW.search(html)), way_out(_("Unsubscribe"))
	)


def filled(frame: OwnFrame, template: Template, values: dict) -> tuple[str, str]:
	"""Return HTML and text of one mail. Raises TemplateInvalid as `templates.fill` does."""
	html, *text = fill(template, [part for part in (frame.html, frame.text) if part], values)
	if WAY_OUT not in html:
		# Somebody took it out of the template, or put a condition round it.
		html = designed.before_end(html, frame.way_out)
	return html, tidy(text[0]) if text else as_text(html)


def with_preview(html: str, preview: str) -> str:
	"""Return a mail that says what an inbox shows behind the subject. preview: HTML."""
	return BODY_TAG.sub(
		lambda body: f'{body.group()}<div style="{HIDDEN}">{preview}{FILLER}</div>', html, count=1
	)


def way_out(words: str) -> str:
	"""Return the HTML of a link out of such messages."""
	return designed.small_print(f'<a\nhref="{WAY_OUT}" style="color:{MUTED}">{escape(words)}</a>')


def as_text(html: str) -> str:
	"""Return the text part of a mail that was changed by hand."""
	return without_table_lines(html2text(STYLE.sub("", html)))


def tidy(text: str) -> str:
	"""Return a text part with no more than one blank line at a time: blocks can be left out."""
	return BLANK_LINES.sub("\n\n", text).strip()
