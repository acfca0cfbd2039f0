"""Designed mails: what stands in them for a company's look, and its values. Source of a template in and out.

A design is compiled once and looks like each company that sends it: where a colour or the foot belongs, its source has
a mark. The Email Template has them filled in; the source with its marks is kept beside it (Lifecycle Design Template).
"""

import hashlib
import re
from html import escape

import frappe

from marketing_automation.engine.brand import NIGHT, PAPER, Brand

TABLE = "Lifecycle Design Template"
# What says that a template is a whole mail with a frame of its own.
GENERATOR = '<meta name="generator" content="Marketing Automation">'
# Email Queue puts the customer's own address in its place.
WAY_OUT = "<!--unsubscribe_url-->"
MARK = re.compile("\ue001([a-z_]+)\ue001")
# What is only there where the company has a website.
WITH_WEBSITE = re.compile("\ue001if_website\ue001.*?\ue001end_website\ue001", re.DOTALL)
LOGO_HEIGHT = 44
# The colours that no brand chooses, in light and in dark. A text has a contrast of 4.5 at least to what it stands on.
INK, MUTED, SOFT, LINE, PAGE = "#1f272e", "#56636c", "#f3f6f8", "#dfe5e9", "#eef1f4"
DARK_INK, DARK_MUTED, DARK_SOFT, DARK_LINE, DARK_PAGE = "#e8ebed", "#aab4bb", "#2a2f34", "#434a51", "#111315"


def mark(name: str) -> str:
	"""Return what stands for something of the brand: a key of `_values`."""
	return f"\ue001{name}\ue001"


def is_designed(source: str) -> bool:
	"""Say whether a template's HTML is a whole mail of ours, as it was written or changed by hand."""
	return GENERATOR in source[:4000]


def digest(subject: str, source: str) -> str:
	"""Return what tells whether a template is still as it was written."""
	return hashlib.sha256(f"{subject}\0{source}".encode()).hexdigest()


def branded(source: str, brand: Brand) -> str:
	"""Return HTML with the look of a company."""
	return _filled(source, brand, _values(brand))


def small_print(html: str) -> str:
	"""Return HTML for the end of a mail."""
	style = f"padding:18px;text-align:center;font-size:12px;color:{MUTED}"
	return f'<div class="ma-foot"><div style="{style}">{html}</div></div>'


def before_end(html: str, piece: str) -> str:
	"""Return a mail's HTML with a piece at its end."""
	head, body, tail = html.rpartition("</body>")
	return f"{head}{piece}{body}{tail}" if body else f"{html}{piece}"


def _filled(source: str, brand: Brand, values: dict[str, str]) -> str:
	if not brand.website:
		source = WITH_WEBSITE.sub("", source)
	return MARK.sub(lambda found: values.get(found.group(1), ""), source)


def branded_text(source: str, brand: Brand) -> str:
	"""Return a text part with the name and the foot of a company."""
	return _filled(
		source,
		brand,
		{
			"title": braces(brand.title),
			"foot": _foot_as_text(brand),
			"website": braces(brand.website or ""),
		},
	)


def _values(brand: Brand) -> dict[str, str]:
	return {
		"color": brand.color,
		"on_color": brand.on_color,
		"link": brand.link,
		"link_in_dark": brand.link_in_dark,
		"font": escape(brand.font, quote=True).replace("&#x27;", "'"),
		"title": _text(brand.title),
		"logo": _logo(brand),
		"foot": _foot(brand),
		"website": _text(brand.website or ""),
		"paper": PAPER,
		"night": NIGHT,
	}


def _logo(brand: Brand) -> str:
	if brand.logo:
		seen = (
			f'<img src="{_text(brand.logo)}" alt="{_text(brand.title)}" height="{LOGO_HEIGHT}" style="height:{LOGO_HEIGHT}px;'
			'width:auto;max-width:100%;border:0;display:inline-block;vertical-align:middle">'
		)
	else:
		seen = _text(brand.title)
	if not brand.website:
		return seen
	return (
		f'<a href="{_text(brand.website)}" class="ma-ink" style="color:{INK};text-decoration:none">{seen}</a>'
	)


def _foot(brand: Brand) -> str:
	"""Return who has sent this, and where they are, one line each."""
	lines = [_text(line) for line in brand.foot.splitlines() if line.strip()]
	if brand.address:
		lines.append(_text(", ".join((brand.title, *brand.address))))
	if brand.links:
		lines.append(
			" &nbsp;·&nbsp; ".join(
				f'<a href="{_text(url)}" class="ma-muted" style="color:{MUTED}">{_text(label)}</a>'
				for label, url in brand.links
			)
		)
	return "".join(f"{line}<br>\n" for line in lines)


def _foot_as_text(brand: Brand) -> str:
	lines = [line for line in brand.foot.splitlines() if line.strip()]
	if brand.address:
		lines += [brand.title, *brand.address]
	lines += [f"{label}: {url}" for label, url in brand.links]
	return braces("\n".join(lines))


def _text(value: str) -> str:
	return braces(escape(value, quote=True))


def braces(value: str) -> str:
	"""Return text in which Jinja finds nothing, as source of a template."""
	return value.replace("{", "{{ '{' }}")


def written(templates: set[str]) -> dict[str, dict]:
	"""Return what is kept of designed Email Templates, {name: {"html", "text", "written_hash"}}. 1 query."""
	if not templates:
		return {}
	rows = frappe.get_all(
		TABLE,
		filters={"email_template": ["in", list(templates)]},
		fields=["email_template", "html", "text", "written_hash"],
		order_by="name asc",
	)
	return {row.email_template: row for row in rows}
