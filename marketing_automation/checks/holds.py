"""Holds: marketing waits as long as the business has a reason to let its customer be. Only reads.

A held message waits and is asked about again each day; each hour where it is sent before a date that is near, for there may
be no other day on which it can leave. It goes when the hold is over, and once it has waited the days that
the settings allow it is skipped or sent, as they say. Service messages are never held: a payment reminder is there because the
invoice is overdue. Nor is what a campaign sends that does not heed holds.
"""

from datetime import date, datetime, time, timedelta

from frappe import _
from frappe.utils import cint

from marketing_automation.engine import gate, schedule, settings
from marketing_automation.engine.gate import Answer, Asked, At, Check, Skip, Wait
from marketing_automation.engine.holds import SEND, Held, Switch, all_holds, switched_on
from marketing_automation.engine.model import Reason

SERVICE = "Service"
# A little after midnight: the next day has begun by every clock of the bench.
AFTER_MIDNIGHT = time(0, 5)
# So few days before its date a message is asked about again after SOON.
NEAR = 7
SOON = timedelta(hours=1)
# On a site whose settings are older than holds.
DAYS = 14


class Holds(Check):
	"""Asks the holds that the site has switched on."""

	order = 400
	# Its name in the hook `lifecycle_checks`.
	KEY = "Holds"

	@property
	def label(self) -> str:
		"""What the gate calls it."""
		return _("Holds", context="Lifecycle Check")

	def parts(self) -> dict[str, str]:
		"""Return {key: label} of the holds: one that raises is named by itself."""
		return {key: hold.label for key, hold in all_holds().items()}

	def judge(self, asked: list[Asked], at: At) -> dict[int, Answer]:
		"""Return {index: Wait until it is asked again, or Skip} of the messages that are held.

		What a hold that raises was asked about waits a while, unless another one holds it: nobody knows whether it may go.
		Queries: 1, those of each hold that is on (at most 2), and 1 where something is held.
		"""
		heeding = [index for index, one in enumerate(asked) if _heeds(one)]
		on = switched_on() if heeding else []
		if not on:
			return {}
		today = at.night
		found: dict[int, Answer] = {}
		unknown: dict[int, Answer] = {}
		for switch in on:
			# The first that holds is reason enough.
			still = [index for index in heeding if index not in found]
			if not still:
				break
			about = [_about(asked[index]) for index in still]
			held = self._held(switch, about, today)
			if held is None:
				for index in still:
					unknown.setdefault(index, gate.failed(switch.hold.label, at))
				continue
			for place, evidence in held.items():
				until = _asked_again(asked[still[place]], at)
				found[still[place]] = Wait(until, Reason.ON_HOLD, evidence)
		most_days, then = _patience() if found else (0, None)
		for index in [index for index in found if _has_waited(asked[index], today) >= most_days]:
			held = found.pop(index)
			if then != SEND:
				found[index] = Skip(Reason.ON_HOLD, held.evidence)
			# Nothing is sent while nobody knows what another one says of it.
		return {**unknown, **found}

	def _held(self, switch: Switch, about: list[Held], today: date) -> dict[int, tuple[str, str]] | None:
		"""Return what a hold says, or None where it raises, which is noted."""
		try:
			return switch.hold.held(about, switch.days, today)
		except gate.INTERRUPTIONS:
			raise
		except Exception:
			gate.note_failure(self.KEY, switch.key)
			return None


def _heeds(one: Asked) -> bool:
	campaign = one.event.rule.campaign
	return bool(campaign.heeds_holds and campaign.purpose != SERVICE and one.recipient.customer)


def _about(one: Asked) -> Held:
	event = one.event
	return Held(
		one.recipient.customer, event.item_code, event.company, event.reference_doctype, event.reference_name
	)


def _has_waited(one: Asked, today: date) -> int:
	"""Return how many days ago a message was due: negative where it is yet to come."""
	return (today - (one.row["due_on"] if one.row else one.event.night)).days


def _patience() -> tuple[int, str | None]:
	"""Return after how many days a held message waits no more, and what becomes of it then. At most 1 query."""
	kept = settings.stored()
	return cint(kept.get("held_days")) or DAYS, kept.get("when_held")


def _asked_again(one: Asked, at: At) -> datetime:
	event = one.event
	is_near = (
		event.rule.trigger.trigger_type == schedule.BEFORE and (event.occurrence - at.night).days <= NEAR
	)
	return min(_next_day(at.night), at.now + SOON) if is_near else _next_day(at.night)


def _next_day(today: date) -> datetime:
	return datetime.combine(schedule.shifted(today, 1) or today, AFTER_MIDNIGHT)


CHECK = Holds()
