"""Subjects: there is one for every reader, and it can be read to its end."""

from frappe import _

from marketing_automation.channels.texts import template_text
from marketing_automation.engine.deliverability import ADVICE, MAILS, WRONG, Asked, Finding

LONGEST = 90


class Subjects:
	looks_at = MAILS

	@property
	def label(self) -> str:
		return _("Subject")

	def look(self, asked: Asked) -> list[Finding]:
		found = []
		for mail in asked.mails:
			empty = [case for case, subject in mail.subjects.items() if not template_text.is_seen(subject)]
			if empty:
				found.append(
					Finding(
						WRONG,
						_("{0}: there is no subject for some, who get no message: {1}.").format(
							mail.label, ", ".join(empty)
						),
						_("Write a subject that says something to each of them."),
					)
				)
			if len(mail.subject) > LONGEST:
				found.append(
					Finding(
						ADVICE,
						_("{0}: the subject has {1} characters, and a phone shows some 40.").format(
							mail.label, len(mail.subject)
						),
						_("Put what matters first, and the rest into the text."),
					)
				)
		return found


CHECK = Subjects()
