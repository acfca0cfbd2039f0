"""Braces that are left over: what was to be filled in and is not."""

from frappe import _

from marketing_automation.channels.texts import template_text
from marketing_automation.engine.deliverability import MAILS, WRONG, Asked, Finding

MOST_NAMED = 5


class Leftovers:
	looks_at = MAILS

	@property
	def label(self) -> str:
		return _("Braces left over")

	def look(self, asked: Asked) -> list[Finding]:
		found = []
		for mail in asked.mails:
			broken, others = template_text.braces(mail.subject, mail.body, set(mail.names))
			if marks := [*broken, *others]:
				found.append(
					Finding(
						WRONG,
						_("{0}: customers would read {1}.").format(mail.label, ", ".join(marks[:MOST_NAMED])),
						_("Write a variable with two braces on each side, such as {0}.").format(
							"{{ customer_name }}"
						),
					)
				)
		return found


CHECK = Leftovers()
