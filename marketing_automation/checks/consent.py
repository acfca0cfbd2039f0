"""What people have said about our messages holds: whoever has unsubscribed is left alone, whoever wants a pause has it."""

from frappe import _

from marketing_automation.engine import consent
from marketing_automation.engine.gate import Answer, Asked, At, Check, Skip, Wait


class Consent(Check):
	"""Skip what somebody does not want any more, and let what they do not want now wait."""

	order = 200

	@property
	def label(self) -> str:
		return _("Consent", context="Lifecycle Check")

	def judge(self, asked: list[Asked], at: At) -> dict[int, Answer]:
		"""See `Check.judge`. At most 4 queries."""
		known, found = consent.known_of([one.recipient for one in asked]), {}
		for index, one in enumerate(asked):
			if refusal := known.refusal(one.recipient, one.campaign, at.now):
				found[index] = (
					Wait(refusal.until, refusal.reason, refusal.evidence)
					if refusal.until
					else Skip(refusal.reason, refusal.evidence)
				)
		return found


CHECK = Consent()
