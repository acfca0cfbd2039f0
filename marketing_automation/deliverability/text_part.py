"""The text part: what reads a mail without its looks, and what spam filters compare with them."""

from frappe import _

from marketing_automation.engine.deliverability import ADVICE, MAILS, Asked, Finding

FEWEST = 20


class TextPart:
	looks_at = MAILS

	@property
	def label(self) -> str:
		return _("Text part")

	def look(self, asked: Asked) -> list[Finding]:
		return [
			Finding(
				ADVICE,
				_("{0}: without its pictures the mail says next to nothing.").format(mail.label),
				_("Write what matters as text, too: many see no pictures, and spam filters look for words."),
			)
			for mail in asked.mails
			if sum(char.isalnum() for char in mail.body_text) < FEWEST
		]


CHECK = TextPart()
