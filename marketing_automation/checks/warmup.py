"""Warm-up: whoever finds no room in today's number of a new domain waits for tomorrow's. Only reads.

Right before messages leave the settings are locked, where the number stands (engine/warmup.py), so of two workers the second
reads what the first has handed over.
"""

from datetime import datetime, time
from email.utils import parseaddr

import frappe
from frappe import _

from marketing_automation.engine import schedule, warmup
from marketing_automation.engine.gate import Answer, Asked, At, Check, Wait
from marketing_automation.engine.model import Reason
from marketing_automation.engine.names import folded


class Warmup(Check):
	"""Gives away what there is of a day's mails."""

	order = 650

	@property
	def label(self) -> str:
		"""What the gate calls it."""
		return _("Warm-up", context="Lifecycle Check")

	def lock(self, customers: set[str], purpose: str | None, at: At) -> None:
		"""Lock the number of today, in which service messages count as well. 1 query, and one more while there is a plan."""
		plan = warmup.plan()
		if plan and warmup.allowed(plan, at.night) is not None:
			warmup.lock()

	def judge(self, asked: list[Asked], at: At) -> dict[int, Answer]:
		"""Return Wait until the next day for those for whom there is no room. At most 3 queries."""
		plan = warmup.plan()
		counted = [index for index, one in enumerate(asked) if one.action["action_type"] == warmup.EMAIL]
		if not plan or not counted or warmup.allowed(plan, at.night) is None:
			return {}
		if plan.domain:
			domains = _domains({asked[index].campaign.sender for index in counted})
			counted = [
				index for index in counted if warmup.is_of(plan, domains[asked[index].campaign.sender])
			]
		if not counted:
			return {}
		room = warmup.room(plan, at.night, for_update=at.leaving)
		sends: dict[tuple, int] = {}
		for index in counted:
			sends.setdefault(_send_of(asked[index], index), len(sends))
		until = datetime.combine(_next(plan, at), time())
		return {
			index: Wait(until, Reason.WARM_UP)
			for index in counted
			if sends[_send_of(asked[index], index)] >= room
		}


def _next(plan: warmup.Plan, at: At):
	"""Return the next day that has room of its own."""
	return max(schedule.shifted(at.night, 1) or at.night, plan.start)


def _send_of(one: Asked, index: int) -> tuple:
	"""Return what is the same for messages that leave as one mail."""
	if one.campaign.combine_messages:
		return one.action["name"], folded(one.recipient.customer or "")
	return (index,)


def _domains(senders: set[str | None]) -> dict[str | None, str]:
	"""Return the domain of each sender of a campaign; that of the site's account where it names none. At most 1 query."""
	found = {sender: _domain(parseaddr(sender or "")[1]) for sender in senders}
	unnamed = [sender for sender, domain in found.items() if not domain]
	if unnamed:
		address = frappe.db.get_value(
			"Email Account", {"enable_outgoing": 1, "default_outgoing": 1}, "email_id"
		) or frappe.conf.get("auto_email_id")
		found |= dict.fromkeys(unnamed, _domain(address or ""))
	return found


def _domain(address: str) -> str:
	return address.rpartition("@")[2].lower()


CHECK = Warmup()
