"""How a mail looks: subject and body in, the whole HTML out, in Frappe's frame and with the company's brand round it.

The frame, its stylesheet and the link to unsubscribe are Frappe's. What is ours: the language and direction, a width that
a phone has, dark mode, the preview text, the brand's head and foot, and its colours where a body asks for them by
a class. What is done here depends on the template and not on the reader, so a layout is made of it once.
"""

import re
from dataclasses import dataclass
from html import escape

from frappe.email.email_body import get_formatted_html

from marketing_automation.channels.texts.templates import WORD_JOINER, is_right_to_left
from marketing_automation.engine.brand import FONTS, NIGHT, Brand

WIDTH = 600
LOGO_HEIGHT = 48
MUTED = "#5f6b73"
LINE = "#e2e6e9"
# In dark: what lies on the ground, lines, texts, and those that say less.
RAISED, DARK_LINE, LIGHT_TEXT, LIGHT_MUTED = "#2a2f34", "#3d444b", "#e8eaed", "#aab3ba"
# Classes of a body that take the brand's colours, and which of a style's they are.
GROUND, ON_GROUND = ("lifecycle-head", "lifecycle-button"), "lifecycle-on-head"
TAG = re.compile(r"<[a-zA-Z][^<>]*>")
CLASS = re.compile(r"""\bclass\s*=\s*(["'])(.*?)\1""", re.IGNORECASE)
STYLE = re.compile(r"""(\bstyle\s*=\s*)(["'])(.*?)\2""", re.IGNORECASE)
BACKGROUND = re.compile(r"(?<![\w-])background(?:-color)?\s*:[^;]*", re.IGNORECASE)
COLOR = re.compile(r"(?<![\w-])color\s*:[^;]*", re.IGNORECASE)
OWN_COLOR = re.compile(r"(?<![\w-])(?:background|color)|\bbgcolor\s*=|<style\b", re.IGNORECASE)
# What fills the rest of the line that an inbox shows, so that it does not go on with the body's first words.
FILLER = "&#847;&zwnj;&nbsp;" * 40
HIDDEN = "display:none;max-height:0;max-width:0;overflow:hidden;opacity:0;font-size:1px;line-height:1px;color:transparent"


@dataclass(frozen=True)
class Look:
	"""What the mails of a template to readers of a language have in common.

	right_to_left: whether they are read from the right. in_dark: whether they can be shown in dark, see `has_no_own_colors`.
	"""

	brand: Brand
	language: str
	right_to_left: bool
	in_dark: bool

	@property
	def lang(self) -> str:
		"""The attribute that says the language, or nothing where the text is in a script of another one."""
		if is_right_to_left(self.language) != self.right_to_left:
			return ""
		return f' lang="{escape(self.language.replace("_", "-"))}"'

	@property
	def direction(self) -> str:
		return "rtl" if self.right_to_left else "ltr"


def framed(
	look: Look, subject: str, body: str, account, unsubscribe_link: dict | None, preview: str = ""
) -> str:
	"""Return a mail's whole HTML.

	subject, body, preview: HTML, or what stands for it in a layout; no preview: an empty text. At most 3 queries, those
	of Frappe's frame.
	"""
	side = "right" if look.right_to_left else "left"
	message = (
		f"<style>{_inlined(look.brand)}</style>"
		+ (f'<div class="lifecycle-preview" style="{HIDDEN}">{preview}{FILLER}</div>' if preview else "")
		+ f'<div class="lifecycle-mail"{look.lang} dir="{look.direction}" style="text-align:{side}">'
		+ _head(look.brand)
		+ painted(body, look.brand)
		+ _foot(look.brand)
		+ "</div>"
	)
	html = get_formatted_html(subject, message, email_account=account, unsubscribe_link=unsubscribe_link)
	html = html.replace("<html", f'<html{look.lang} dir="{look.direction}"', 1)
	return html.replace("</head>", f"{_in_head(look)}</head>", 1)


def painted(body: str, brand: Brand) -> str:
	"""Return a body in which what has one of our classes has the brand's colours, whatever it was written with.

	Only the colours that a tag's own style names are replaced.
	"""
	return TAG.sub(lambda tag: _painted(tag.group(), brand), body)


def _painted(tag: str, brand: Brand) -> str:
	names = CLASS.search(tag)
	classes = set(names.group(2).split()) if names else set()
	if not classes.intersection((*GROUND, ON_GROUND)):
		return tag
	on_ground = not classes.intersection(GROUND)

	def colored(style) -> str:
		text = style.group(3)
		if not on_ground:
			text = BACKGROUND.sub(f"background-color:{brand.color}", text)
		return f"{style.group(1)}{style.group(2)}{COLOR.sub(f'color:{brand.on_color}', text)}{style.group(2)}"

	return STYLE.sub(colored, tag)


def has_no_own_colors(source: str) -> bool:
	"""Say whether a template can be shown in dark: it has no colours but those of our classes, which have a dark one each.

	What has others stays light: nobody knows what a light text on a ground of its own would be like.
	"""
	return not any(
		OWN_COLOR.search(tag) and "lifecycle-" not in ((CLASS.search(tag) or [""])[0])
		for tag in TAG.findall(source)
	)


def _head(brand: Brand) -> str:
	if not brand.logo:
		return ""
	picture = (
		f'<img src="{_text(brand.logo)}" alt="{_text(brand.title)}" height="{LOGO_HEIGHT}" '
		f'style="height:{LOGO_HEIGHT}px;width:auto;max-width:100%;border:0">'
	)
	if brand.website:
		picture = f'<a href="{_text(brand.website)}">{picture}</a>'
	return f'<div class="lifecycle-logo" style="margin:0 0 20px 0">{picture}</div>'


def _foot(brand: Brand) -> str:
	"""Return who has sent this, and where they are; nothing where nobody has said it."""
	lines = [_text(line) for line in brand.foot.splitlines()]
	if brand.address:
		lines.append(_text(", ".join((brand.title, *brand.address))))
	if brand.links:
		lines.append(" · ".join(f'<a href="{_text(url)}">{_text(label)}</a>' for label, url in brand.links))
	if not lines:
		return ""
	return (
		f'<div class="lifecycle-foot" style="margin:32px 0 0 0;padding:16px 0 0 0;border-top:1px solid {LINE};'
		f'font-size:12px;line-height:18px;color:{MUTED}">{"<br>".join(lines)}</div>'
	)


def _text(value: str) -> str:
	"""Return what somebody has written as HTML. It opens no comment: Email Queue's placeholders are such."""
	return escape(value.replace("<!", f"<{WORD_JOINER}!"))


def foot_as_text(brand: Brand) -> str:
	"""Return the foot of a text part, with the line breaks that part it from what is before; or nothing."""
	lines = list(brand.foot.splitlines())
	if brand.address:
		lines += [brand.title, *brand.address]
	lines += [f"{label}: {url}" for label, url in brand.links]
	text = "\n".join(lines).replace("<!", f"<{WORD_JOINER}!")
	return f"\n\n--\n{text}\n" if lines else ""


def _inlined(brand: Brand) -> str:
	"""Return the rules that Frappe writes into the tags, with its own."""
	return (
		f".email-container{{max-width:{WIDTH}px;margin:0 auto}}"
		# Frappe's own is the first of them.
		+ (f".body-table td{{font-family:{brand.font}}}" if brand.font != FONTS["System"] else "")
		+ f".email-body a{{color:{brand.link}}}"
		f".email-body a.lifecycle-button{{color:{brand.on_color}}}"
		f".email-unsubscribe a{{color:{MUTED}}}"
	)


def _in_head(look: Look) -> str:
	"""Return what a mail's head has besides: what no tag can have, and mail programs may leave out."""
	schemes = "light dark" if look.in_dark else "light only"
	dark = _dark(look.brand) if look.in_dark else ""
	return (
		f'<meta name="color-scheme" content="{schemes}">'
		f'<meta name="supported-color-schemes" content="{schemes}">'
		f"<style>:root{{color-scheme:{schemes};supported-color-schemes:{schemes}}}"
		f"@media (max-width:{WIDTH + 40}px){{.body-content{{padding:16px!important}}"
		"img{max-width:100%!important;height:auto}.lifecycle-logo img{max-width:70%!important}"
		".lifecycle-cell{padding-left:20px!important;padding-right:20px!important}}"
		f"{dark}</style>"
	)


def _dark(brand: Brand) -> str:
	return (
		"@media (prefers-color-scheme:dark){"
		f"body,.body-table,.body-content{{background-color:{NIGHT}!important}}"
		f"body,.email-body,.email-body td,.email-body p,.lifecycle-mail{{color:{LIGHT_TEXT}!important}}"
		f".email-body a,.lifecycle-mail a{{color:{brand.link_in_dark}!important}}"
		f".email-body a.lifecycle-button,.lifecycle-mail .lifecycle-on-head{{color:{brand.on_color}!important}}"
		f".lifecycle-card{{background-color:{NIGHT}!important;border-color:{DARK_LINE}!important}}"
		f".lifecycle-soft,.gray-container{{background-color:{RAISED}!important}}"
		f".lifecycle-soft td,.table td,.table th,hr{{border-color:{DARK_LINE}!important}}"
		f".lifecycle-mail .lifecycle-note,.lifecycle-foot,.email-footer,.email-footer div{{color:{LIGHT_MUTED}!important;"
		f"border-color:{DARK_LINE}!important}}"
		f".email-footer a{{color:{LIGHT_MUTED}!important}}"
		"}"
	)
