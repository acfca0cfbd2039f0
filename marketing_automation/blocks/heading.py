"""A heading: what the message is about, large; in the brand's colour at its head."""

from frappe import _

from marketing_automation.designs.block import CHOICE, LINE, ON_BAND, ON_CARD, Block, Field, card


class Heading(Block):
	icon = "text"

	@property
	def label(self):
		return _("Heading", context="Message Design")

	def fields(self):
		return [
			Field("text", _("Heading", context="Message Design"), LINE, of_language=True, required=True),
			Field("above", _("Small Line Above"), LINE, of_language=True),
			Field(
				"look",
				_("Look", context="Message Design"),
				CHOICE,
				options=(
					("band", _("Large, in the brand's colour")),
					("large", _("Large")),
					("small", _("Small")),
				),
			),
			Field(
				"align", _("Where"), CHOICE, options=(("start", _("At the side")), ("center", _("Centred")))
			),
		]

	def ground(self, pen):
		return ON_BAND if pen.value("look") == "band" else ON_CARD

	def section(self, pen):
		if pen.value("look") == "band":
			return card(
				self._written(pen, "band", pen.mark("on_color")),
				"14px 12px 24px",
				"ma-band",
				pen.mark("color"),
			)
		return card(self.mjml(pen))

	def mjml(self, pen):
		# In a column it stands on the card, where letters for the band would not be seen.
		return self._written(pen, "small" if pen.value("look") == "small" else "large")

	def _written(self, pen, look: str, ink: str = "") -> str:
		align = "center" if pen.value("align") == "center" else pen.start
		size, height, tag, padding = {
			"band": (30, 38, "h1", "4px 20px"),
			"large": (24, 31, "h2", "14px 20px 4px"),
			"small": (18, 25, "h3", "12px 20px 2px"),
		}[look]
		if pen.says("above"):
			# The line above it has the room already.
			padding = "2px 20px 4px"
		color = f' color="{ink}"' if ink else ""
		above = (
			f'<mj-text align="{align}" font-size="13px" line-height="18px" padding="6px 20px 0" letter-spacing="0.4px"{color}>'
			f"{pen.inline('above')}</mj-text>"
			if pen.says("above")
			else ""
		)
		style = f"margin:0;font-size:{size}px;line-height:{height}px;font-weight:600"
		begin, end = pen.raw(f'<{tag} style="{style}">'), pen.raw(f"</{tag}>")
		return (
			f'{above}<mj-text align="{align}" padding="{padding}" font-size="{size}px" line-height="{height}px"{color}>'
			f"{begin}{pen.inline('text')}{end}</mj-text>"
		)

	def text(self, pen):
		lines = [pen.plain("above"), pen.plain("text")] if pen.says("above") else [pen.plain("text")]
		return "\n".join(lines)


BLOCK = Heading()
