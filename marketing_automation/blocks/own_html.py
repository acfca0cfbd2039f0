"""What was written by hand in an Email Template, as it stands: how one is taken over into a design without a loss."""

from frappe import _

from marketing_automation.channels.texts.template_text import visible
from marketing_automation.designs.block import SOURCE, Block, Field


class OwnHtml(Block):
	icon = "edit"
	offered = False

	@property
	def label(self):
		return _("Written by Hand", context="Message Design")

	def fields(self):
		return [
			Field(
				"html",
				_("HTML"),
				SOURCE,
				of_language=True,
				required=True,
				help=_("It stays as it is. Put other blocks in its place when you like."),
			)
		]

	def mjml(self, pen):
		return f"<mj-text>{pen.source('html')}</mj-text>"

	def text(self, pen):
		return visible(pen.source_of("html"))


BLOCK = OwnHtml()
