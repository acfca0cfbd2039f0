"""Space between two parts of a message."""

from frappe import _

from marketing_automation.designs.block import NUMBER, Block, Field


class Space(Block):
	icon = "expand-alt"

	@property
	def label(self):
		return _("Space", context="Message Design")

	def fields(self):
		return [Field("height", _("Height in Pixels"), NUMBER, default=24, least=4, most=120)]

	def mjml(self, pen):
		return f'<mj-spacer height="{pen.value("height")}px"/>'


BLOCK = Space()
