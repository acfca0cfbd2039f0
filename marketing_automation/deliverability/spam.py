"""What looks like spam, by a few plain rules. No filter says by which rules it goes; these are what all of them dislike."""

import re

from frappe import _

from marketing_automation.deliverability.parts import Parts
from marketing_automation.engine.deliverability import ADVICE, MAILS, Asked, Finding, Mail

SHOUTED = re.compile(r"\b[^\W\d_]{4,}\b")
MARKS = re.compile(r"[!¡?¿]{3,}|[$€£]{2,}")
# In English and Spanish, and only what nobody says to a customer.
PHRASES = (
	*(
		"100% free",
		"act now",
		"click here now",
		"make money fast",
		"no obligation",
		"risk free",
		"you are a winner",
	),
	*("100% gratis", "actúe ya", "dinero fácil", "ha sido seleccionado", "sin riesgo", "usted ha ganado"),
)
# Characters of text for each picture.
WORDS_FOR_PICTURE = 60


class Spam:
	looks_at = MAILS

	@property
	def label(self) -> str:
		return _("Looks like spam")

	def look(self, asked: Asked) -> list[Finding]:
		return [
			Finding(ADVICE, f"{mail.label}: {text}", mend)
			for mail in asked.mails
			for text, mend in _of_mail(mail)
		]


def _of_mail(mail: Mail) -> list[tuple[str, str]]:
	"""Return [(what looks like spam, what to do)]."""
	parts, found = Parts(mail.body), []
	words = " ".join(parts.words)
	letters = [word for word in SHOUTED.findall(mail.subject)]
	if letters and sum(word.isupper() for word in letters) * 2 > len(letters):
		found.append((_("the subject is in capitals."), _("Write it as a sentence.")))
	if marks := [*MARKS.findall(mail.subject), *MARKS.findall(words)]:
		found.append((_("there is {0} in it.").format(marks[0]), _("One mark says as much.")))
	text = f"{mail.subject} {words}".lower()
	if phrases := [phrase for phrase in PHRASES if phrase in text]:
		found.append(
			(
				_("it says “{0}”, as spam does.").format(phrases[0]),
				_("Say what the customer gets, in plain words."),
			)
		)
	if mail.subject.lower().startswith(("re:", "fwd:", "fw:", "rv:")):
		found.append(
			(
				_("the subject says that it is an answer, and it is none."),
				_("Begin it with what the mail is about."),
			)
		)
	if len(parts.pictures) > 0 and len("".join(words.split())) < WORDS_FOR_PICTURE * len(parts.pictures):
		found.append((_("there are many pictures for little text."), _("Say it in words, too.")))
	return found


CHECK = Spam()
