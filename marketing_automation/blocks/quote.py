"""What somebody has said, and who."""

from frappe import _

from marketing_automation.channels.texts.designed import MUTED
from marketing_automation.designs.block import LINE, TEXT, Block, Field


class Quote(Block):
	icon = "small-message"

	@property
	def label(self):
		return _("Quote", context="Message Design")

	def fields(self):
		return [
			Field("text", _("Quote", context="Message Design"), TEXT, of_language=True, required=True),
			Field("who", _("Who Said It"), LINE, of_language=True),
		]

	def mjml(self, pen):
		side = pen.start
		begin = pen.raw(
			f'<div style="border-{side}:4px solid {pen.mark("color")};padding:2px 16px;font-size:18px;line-height:27px;'
			'font-style:italic">'
		)
		who = ""
		if pen.says("who"):
			opened = pen.raw(
				f'<div class="ma-muted" style="padding:6px 16px 0;font-size:13px;line-height:19px;color:{MUTED}">'
			)
			who = f"{opened}{pen.inline('who')}{pen.raw('</div>')}"
		return f'<mj-text padding="10px 20px">{begin}{pen.html("text")}{pen.raw("</div>")}{who}</mj-text>'

	def text(self, pen):
		quoted = f"“{pen.plain('text')}”"
		return f"{quoted}\n– {pen.plain('who')}" if pen.says("who") else quoted


BLOCK = Quote()
