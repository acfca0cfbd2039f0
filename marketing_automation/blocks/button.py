"""A button: one thing to do next."""

from frappe import _

from marketing_automation.designs.block import ADDRESS, CHOICE, LINE, Block, Field

WEBSITE, OWN = "website", "address"


class Button(Block):
	icon = "external-link"

	@property
	def label(self):
		return _("Button", context="Message Design")

	def fields(self):
		return [
			Field("text", _("On the Button"), LINE, of_language=True, required=True),
			Field(
				"to",
				_("Leads to"),
				CHOICE,
				options=((WEBSITE, _("The company's website")), (OWN, _("An address of its own"))),
				help=_("The website is that of the brand. Without one the button is left out."),
			),
			Field("address", _("Address"), ADDRESS, of_language=True, shown_if=("to", OWN)),
			Field(
				"look",
				_("Look", context="Message Design"),
				CHOICE,
				options=(("filled", _("Filled")), ("line", _("With a line round it"))),
			),
			Field(
				"align",
				_("Where"),
				CHOICE,
				options=(
					("start", _("At the side")),
					("center", _("Centred")),
					("wide", _("Over the whole width")),
				),
			),
		]

	def mjml(self, pen):
		if not self._leads(pen):
			return ""
		align = {"start": pen.start, "center": "center", "wide": "center"}[pen.value("align")]
		wide = ' width="100%"' if pen.value("align") == "wide" else ""
		if pen.value("look") == "filled":
			colors = f'background-color="{pen.mark("color")}" color="{pen.mark("on_color")}" border="2px solid {pen.mark("color")}"'
			css = "ma-wide ma-button"
		else:
			colors = f'background-color="transparent" color="{pen.mark("link")}" border="2px solid {pen.mark("link")}"'
			css = "ma-wide ma-line-button"
		to_website = pen.value("to") == WEBSITE
		address = pen.mark("website") if to_website else pen.address("address")
		button = (
			f'<mj-button css-class="{css}" align="{align}"{wide} {colors} href="{address}" border-radius="8px"'
			f' font-size="16px" font-weight="600" line-height="22px" inner-padding="13px 28px" padding="12px 20px">'
			f"{pen.inline('text')}</mj-button>"
		)
		if not to_website:
			return button
		begin, end = (f"<mj-raw>{pen.mark(name)}</mj-raw>" for name in ("if_website", "end_website"))
		return f"{begin}{button}{end}"

	def text(self, pen):
		if not self._leads(pen):
			return ""
		if pen.value("to") == WEBSITE:
			line = f"{pen.plain('text')}: {pen.plain_mark('website')}"
			return f"{pen.plain_mark('if_website')}{line}{pen.plain_mark('end_website')}"
		return f"{pen.plain('text')}: {pen.plain_address('address')}"

	@staticmethod
	def _leads(pen) -> bool:
		return pen.value("to") == WEBSITE or pen.says("address")


BLOCK = Button()
