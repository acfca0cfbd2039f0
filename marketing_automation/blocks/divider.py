"""A line between two parts of a message."""

from frappe import _

from marketing_automation.channels.texts.designed import LINE
from marketing_automation.designs.block import Block


class Divider(Block):
	icon = "reduce"

	@property
	def label(self):
		return _("Line", context="Message Design")

	def mjml(self, pen):
		return (
			f'<mj-divider css-class="ma-line" border-width="1px" border-color="{LINE}" padding="14px 20px"/>'
		)

	def text(self, pen):
		return "----"


BLOCK = Divider()
