"""The items of a message in a table, one row each, and the first of them alone, as a card."""

from frappe import _

from marketing_automation.channels.texts.designed import INK, MUTED, SOFT
from marketing_automation.designs.block import CARD, Block, Field
from marketing_automation.designs.block import LINE as ONE_LINE

STRONG = f"font-size:16px;line-height:23px;font-weight:600;color:{INK}"
SMALL = f"font-size:13px;line-height:19px;color:{MUTED}"


def fields(about_item: bool) -> list[Field]:
	return [
		Field("title", _("Name"), ONE_LINE, of_language=True, required=True, about_item=about_item),
		Field("note", _("Below the Name"), ONE_LINE, of_language=True, about_item=about_item),
		Field("label", _("Above the Value"), ONE_LINE, of_language=True, about_item=about_item),
		Field("value", _("Value"), ONE_LINE, of_language=True, about_item=about_item),
	]


def row(pen) -> str:
	"""Return the row of an item, as HTML."""
	cell = f"padding:14px 16px;vertical-align:top;border-bottom:2px solid {CARD}"
	left = f'<div style="{STRONG}">{pen.inline("title")}</div>'
	if pen.says("note"):
		left += f'<div class="ma-muted" style="{SMALL}">{pen.inline("note")}</div>'
	right = ""
	if pen.says("value"):
		label = (
			f'<div class="ma-muted" style="{SMALL}">{pen.inline("label")}</div>' if pen.says("label") else ""
		)
		right = (
			f'<td align="{pen.end}" class="ma-soft ma-gap ma-value" style="{cell};text-align:{pen.end}">{label}'
			f'<div style="{STRONG}">{pen.inline("value")}</div></td>'
		)
	name = "ma-soft ma-gap ma-name" if right else "ma-soft ma-gap"
	return f'<tr>\n<td align="{pen.start}" class="{name}" style="{cell};text-align:{pen.start}">{left}</td>{right}\n</tr>'


def line(pen) -> str:
	"""Return an item in the text part."""
	name = pen.plain("title") + (f" ({pen.plain('note')})" if pen.says("note") else "")
	if not pen.says("value"):
		return name
	label = f"{pen.plain('label')}: " if pen.says("label") else ""
	return f"{name} – {label}{pen.plain('value')}"


def table(pen, rows: str) -> str:
	return (
		f'<mj-table css-class="ma-item" container-background-color="transparent" padding="8px 20px">'
		f"{pen.raw(rows)}</mj-table>"
	)


class Items(Block):
	icon = "list"

	@property
	def label(self):
		return _("Table of Items", context="Message Design")

	def fields(self):
		return fields(about_item=True)

	def mjml(self, pen):
		body = row(pen).replace("<td ", f'<td bgcolor="{SOFT}" ')
		return table(pen, f"{{% for item in items %}}{body}{{% endfor %}}")

	def text(self, pen):
		return f"{{% for item in items %}}- {line(pen)}\n{{% endfor %}}"


class Item(Block):
	icon = "file"

	@property
	def label(self):
		return _("One Item", context="Message Design")

	def fields(self):
		return fields(about_item=False)

	def mjml(self, pen):
		body = row(pen).replace("<td ", f'<td bgcolor="{SOFT}" ')
		return table(pen, body)

	def text(self, pen):
		return line(pen)


ITEMS, ITEM = Items(), Item()
