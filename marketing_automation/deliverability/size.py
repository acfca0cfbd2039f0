"""The size: Gmail cuts what is longer, and with it the foot and the way out."""

from frappe import _

from marketing_automation.engine.deliverability import ADVICE, MAILS, WRONG, Asked, Finding

# Bytes of the HTML; from the second on it is worth a word.
CUT_AT, NEAR = 102_000, 80_000


class Size:
	looks_at = MAILS

	@property
	def label(self) -> str:
		return _("Size")

	def look(self, asked: Asked) -> list[Finding]:
		found = []
		for mail in asked.mails:
			size = len(mail.html.encode())
			if size >= NEAR:
				found.append(
					Finding(
						WRONG if size >= CUT_AT else ADVICE,
						_(
							"{0}: the mail has {1} kB. Gmail cuts off what is beyond {2} kB, the foot with it."
						).format(mail.label, size // 1000, CUT_AT // 1000),
						_(
							"Take out styles and text, and show pictures by their address instead of within the mail."
						),
					)
				)
		return found


CHECK = Size()
