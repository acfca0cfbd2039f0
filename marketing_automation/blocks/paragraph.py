"""Text: one paragraph or several, with lists and links."""

from frappe import _

from marketing_automation.channels.texts.designed import MUTED
from marketing_automation.designs.block import CHOICE, TEXT, Block, Field

SIZES = {"normal": (16, 25), "large": (18, 28), "small": (13, 20)}


class Paragraph(Block):
	icon = "text"

	@property
	def label(self):
		return _("Text", context="Message Design")

	def fields(self):
		return [
			Field("text", _("Text", context="Message Design"), TEXT, of_language=True, required=True),
			Field(
				"size",
				_("Size"),
				CHOICE,
				options=(("normal", _("Normal")), ("large", _("Large")), ("small", _("Small, in grey"))),
			),
			Field(
				"align", _("Where"), CHOICE, options=(("start", _("At the side")), ("center", _("Centred")))
			),
		]

	def mjml(self, pen):
		name = pen.value("size")
		size, height = SIZES[name]
		align = "center" if pen.value("align") == "center" else pen.start
		muted = f' color="{MUTED}" css-class="ma-muted"' if name == "small" else ""
		return f'<mj-text align="{align}" font-size="{size}px" line-height="{height}px"{muted}>{pen.html("text")}</mj-text>'

	def text(self, pen):
		return pen.plain("text")


BLOCK = Paragraph()
