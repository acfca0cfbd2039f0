"""Columns: other blocks side by side, one under the other on a phone."""

from frappe import _

from marketing_automation.designs.block import CARD, CHOICE, Block, Field
from marketing_automation.designs.compile import joined

SHARES = {"1:1": (50, 50), "1:2": (34, 66), "2:1": (66, 34), "1:1:1": (33, 34, 33)}


class Columns(Block):
	icon = "list"
	most_columns = 3

	@property
	def label(self):
		return _("Columns", context="Message Design")

	def fields(self):
		return [
			Field(
				"shares",
				_("Columns", context="Message Design"),
				CHOICE,
				options=(
					("1:1", _("Two, as wide as each other")),
					("1:2", _("Two, the second one wider")),
					("2:1", _("Two, the first one wider")),
					("1:1:1", _("Three")),
				),
			),
			Field(
				"align",
				_("Beside Each Other"),
				CHOICE,
				options=(("top", _("At the top")), ("middle", _("In the middle"))),
			),
		]

	def section(self, pen):
		written, align = [], pen.value("align")
		inside, shares = pen.inside(), SHARES[pen.value("shares")]
		for position, share in enumerate(shares):
			# What stood in a third column is not lost when there are two.
			blocks = inside[position : position + 1] if position < len(shares) - 1 else inside[position:]
			body = "".join(one.only(block.mjml(one)) for column in blocks for block, one in column)
			written.append(f'<mj-column width="{share}%" vertical-align="{align}">{body}</mj-column>')
		return f'<mj-section css-class="ma-card" background-color="{CARD}" padding="0 12px">{"".join(written)}</mj-section>'

	def text(self, pen):
		return joined(
			[
				one.only(written, as_text=True)
				for column in pen.inside()
				for block, one in column
				if (written := block.text(one).strip())
			]
		)


BLOCK = Columns()
