"""A picture that everybody can fetch, and what it shows in words."""

from frappe import _

from marketing_automation.designs.block import ADDRESS, CHOICE, LINE, NUMBER, PICTURE, Block, Field

# Of the card, without what is left free at its sides.
WIDTH = 536


class Picture(Block):
	icon = "image"

	@property
	def label(self):
		return _("Picture", context="Message Design")

	def fields(self):
		return [
			Field("file", _("Picture", context="Message Design"), PICTURE, required=True),
			Field(
				"alt",
				_("What It Shows"),
				LINE,
				of_language=True,
				required=True,
				help=_("Read out to whoever cannot see it, and shown where pictures are off."),
			),
			Field("address", _("Leads to"), ADDRESS, of_language=True),
			Field("width", _("Width in Percent"), NUMBER, default=100, least=10, most=100),
			Field(
				"align", _("Where"), CHOICE, options=(("center", _("Centred")), ("start", _("At the side")))
			),
		]

	def mjml(self, pen):
		if not pen.says("file"):
			return ""
		align = "center" if pen.value("align") == "center" else pen.start
		width = round(WIDTH * pen.value("width") / 100)
		link = f' href="{pen.address("address")}"' if pen.says("address") else ""
		return (
			f'<mj-image src="{pen.address("file")}" alt="{pen.in_attribute("alt")}" width="{width}px" align="{align}"{link}'
			' padding="10px 20px" border-radius="6px"/>'
		)

	def text(self, pen):
		if not pen.says("address") or not pen.says("file"):
			return ""
		return f"{pen.plain('alt')}: {pen.plain_address('address')}"


BLOCK = Picture()
