"""The foot: who writes, why, where they are, and the way out. Each message has one, and nobody can take it away."""

from frappe import _

from marketing_automation.channels.texts.designed import MUTED, WAY_OUT
from marketing_automation.designs.block import ON_PAGE, TEXT, Block, Field


class Foot(Block):
	icon = "support"
	fixed = True

	@property
	def label(self):
		return _("Foot", context="Message Design")

	def fields(self):
		return [
			Field(
				"text",
				_("Why They Get It"),
				TEXT,
				of_language=True,
				help=_(
					"Below it come the foot of the brand, with the postal address, and the link to unsubscribe."
				),
			)
		]

	def ground(self, pen):
		return ON_PAGE

	def section(self, pen):
		why = pen.html("text") if pen.says("text") else ""
		out = pen.raw(
			f'<a\nhref="{WAY_OUT}" class="ma-muted" style="color:{MUTED};text-decoration:underline">{pen.said("Unsubscribe")}</a>'
		)
		return (
			'<mj-section css-class="ma-foot" padding="18px 12px 28px"><mj-column>'
			f'<mj-text align="center" font-size="12px" line-height="19px" color="{MUTED}">'
			f"{why}{pen.mark('foot')}{out}</mj-text></mj-column></mj-section>"
		)

	def text(self, pen):
		return (
			f"--\n{pen.plain('text')}\n{pen.plain_mark('foot')}"
			if pen.says("text")
			else f"--\n{pen.plain_mark('foot')}"
		)


BLOCK = Foot()
