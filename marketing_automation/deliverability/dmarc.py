"""DMARC: what others are to do with mails that only say that they come from the domain."""

from frappe import _

from marketing_automation.deliverability.dkim import tags
from marketing_automation.engine.deliverability import ADVICE, DOMAIN, OK, WRONG, Asked, Dns, Finding

POLICIES = ("none", "quarantine", "reject")
MOST_STEPS = 8


def found(dns: Dns, domain: str) -> tuple[str, list[str]]:
	"""Return the records that hold for a domain, and the domain that has them: its own, or one above it. Raises NoAnswer."""
	labels = domain.split(".")
	for step in range(min(len(labels) - 1, MOST_STEPS)):
		above = ".".join(labels[step:])
		texts = [text for text in dns.ask(f"_dmarc.{above}", "TXT") if text.lower().startswith("v=dmarc1")]
		if texts:
			return above, texts
	return domain, []


class Dmarc:
	looks_at = DOMAIN

	@property
	def label(self) -> str:
		return _("DMARC: nobody else can send in your name")

	def look(self, asked: Asked) -> list[Finding]:
		domain, texts = found(asked.dns, asked.sender.domain)
		if not texts:
			return [
				Finding(
					WRONG,
					_(
						"{0} has no DMARC record. Gmail, Yahoo and Microsoft ask for one of whoever sends much."
					).format(domain),
					_("Add a TXT record to _dmarc.{0}, at first: {1}").format(
						domain, f"v=DMARC1; p=none; rua=mailto:dmarc@{domain}"
					),
				)
			]
		policy = tags(texts[0]).get("p", "").lower()
		if len(texts) > 1 or policy not in POLICIES:
			return [
				Finding(
					WRONG,
					_("The DMARC record of {0} cannot be read: {1}").format(domain, " | ".join(texts)[:200]),
					_("Leave one record, with p=none, p=quarantine or p=reject."),
				)
			]
		if policy == "none" and "rua" not in tags(texts[0]):
			return [
				Finding(
					ADVICE,
					_("The DMARC record of {0} asks nothing of others, and for no reports.").format(domain),
					_(
						"Add rua=mailto: with an address of yours, read the reports, then choose p=quarantine."
					),
				)
			]
		return [Finding(OK, _("{0} has the DMARC policy {1}.").format(domain, policy))]


CHECK = Dmarc()
