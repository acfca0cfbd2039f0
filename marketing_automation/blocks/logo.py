"""The head of a mail: the logo of the company, or its name."""

from frappe import _

from marketing_automation.channels.texts.designed import INK
from marketing_automation.designs.block import CHOICE, ON_PAGE, Block, Field


class Logo(Block):
	icon = "image"

	@property
	def label(self):
		return _("Logo", context="Message Design")

	def fields(self):
		return [
			Field(
				"align", _("Where"), CHOICE, options=(("start", _("At the side")), ("center", _("Centred")))
			)
		]

	def ground(self, pen):
		return ON_PAGE

	def section(self, pen):
		align = "center" if pen.value("align") == "center" else pen.start
		return (
			'<mj-section css-class="ma-head" padding="22px 12px 14px"><mj-column>'
			f'<mj-text align="{align}" font-size="19px" font-weight="600" line-height="26px" color="{INK}">'
			f"{pen.mark('logo')}</mj-text></mj-column></mj-section>"
		)

	def mjml(self, pen):
		return f'<mj-text font-size="19px" font-weight="600">{pen.mark("logo")}</mj-text>'

	def text(self, pen):
		return pen.plain_mark("title")


BLOCK = Logo()
