"""The check of the suppression list: an address that is on it gets nothing of ours, service messages included."""

from frappe import _

from marketing_automation.engine import suppression
from marketing_automation.engine.gate import Answer, Asked, At, Check, Skip
from marketing_automation.engine.model import Reason


class Suppression(Check):
	order = 100

	@property
	def label(self) -> str:
		return _("Suppression List")

	def judge(self, asked: list[Asked], at: At) -> dict[int, Answer]:
		"""Skip whoever is on the list; the entry says why. 1 query, and that for the key."""
		held = suppression.suppressed(
			{one.recipient.address for one in asked if one.recipient.address}, at.now
		)
		return {
			index: Skip(Reason.SUPPRESSED, (suppression.DOCTYPE, held[one.recipient.address].name))
			for index, one in enumerate(asked)
			if one.recipient.address in held
		}


CHECK = Suppression()
