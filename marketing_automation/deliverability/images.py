"""Pictures: with a text in their place, by an address that everybody can fetch."""

from frappe import _

from marketing_automation.deliverability.parts import Parts
from marketing_automation.engine.deliverability import ADVICE, MAILS, WRONG, Asked, Finding

MOST_NAMED = 3


class Images:
	looks_at = MAILS

	@property
	def label(self) -> str:
		return _("Pictures")

	def look(self, asked: Asked) -> list[Finding]:
		found = []
		for mail in asked.mails:
			pictures = Parts(mail.body).pictures
			without_text = [picture.source for picture in pictures if picture.alt is None]
			private = [picture.source for picture in pictures if "/private/" in picture.source]
			within = [picture.source for picture in pictures if picture.source.lower().startswith("data:")]
			if without_text:
				found.append(
					Finding(
						ADVICE,
						_("{0}: {1} has no text in its place.").format(mail.label, _named(without_text)),
						_('Add alt="…" with what it shows, or alt="" to one that is decoration.'),
					)
				)
			if private:
				found.append(
					Finding(
						WRONG,
						_("{0}: customers cannot see {1}, which is private.").format(
							mail.label, _named(private)
						),
						_(
							"Open the file in the list of files, switch Is Private off, and put in its new address."
						),
						"List/File",
					)
				)
			if within:
				found.append(
					Finding(
						ADVICE,
						_(
							"{0}: a picture stands within the mail, which Gmail and Outlook do not show."
						).format(mail.label),
						_("Attach it as a public file, and show it by its address."),
					)
				)
		return found


def _named(sources: list[str]) -> str:
	return ", ".join(source[:100] or "<img>" for source in sources[:MOST_NAMED])


CHECK = Images()
