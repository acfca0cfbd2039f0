"""One run: a night in, a Lifecycle Run with its claimed rows out, delivery under way."""

from collections.abc import Callable
from dataclasses import replace
from itertools import chain

import frappe
from frappe import _
from frappe.utils import create_batch, getdate, now_datetime

from marketing_automation.engine import (
	again,
	deliver,
	faults,
	identity,
	ledger,
	nights,
	notify,
	overlap,
	plan,
	rules,
)
from marketing_automation.engine.channel import channel_for
from marketing_automation.engine.faults import Fault, Faults
from marketing_automation.engine.language import in_the_sites_language
from marketing_automation.engine.transaction import committed

# Of more broken triggers a notification does not speak one by one.
MOST_TOLD = 3


def start(run_type: str = "Scheduled", campaign: str | None = None) -> str:
	"""Write down a run for tonight and have a background job execute it; return its name.

	campaign: only this one; all that are active without it. "Tonight" is today in the site's time zone. Safe at any
	time and any number of times: the ledger lets each message through once.
	"""
	# Written down before it is queued: a run that Redis loses is found, and taken up again, by `settle`.
	name = begin(run_type, campaign)
	frappe.enqueue(
		execute,
		queue="long",
		run=name,
		job_id=f"lifecycle-run-{name}",
		now=frappe.flags.in_test,
	)
	return name


def begin(run_type: str, campaign: str | None) -> str:
	"""Write down a run for tonight that is Running; return its name. Commits.

	Tried again on a deadlock: the first runs of a year, at the same moment, meet where Frappe begins to count them.
	"""
	return committed(_begin, run_type, campaign)


def _begin(run_type: str, campaign: str | None) -> str:
	doc = frappe.new_doc(ledger.RUN)
	doc.update(
		{
			"run_type": run_type,
			"campaign": campaign,
			"status": "Running",
			"night": getdate(),
			"started_at": now_datetime(),
		}
	)
	doc.flags.by_engine = True
	doc.insert(ignore_permissions=True)
	return doc.name


@in_the_sites_language
def execute(run: str) -> None:
	"""Plan and claim the night of a run and queue the delivery. The entry point of the background job."""
	try:
		_execute(run)
	except BaseException as e:
		frappe.db.rollback()
		frappe.db.set_value(
			ledger.RUN,
			run,
			{"status": "Failed", "error": frappe.get_traceback() or repr(e), "finished_at": now_datetime()},
		)
		committed(ledger.refresh_runs, {run})
		raise


def _execute(run: str) -> None:
	night, campaign = frappe.db.get_value(ledger.RUN, run, ["night", "campaign"])
	if identity.is_copy():
		# Its night is not covered: once somebody says that this is the real site, it is caught up on.
		frappe.db.set_value(
			ledger.RUN,
			run,
			{"status": "Failed", "error": identity.explanation(), "finished_at": now_datetime()},
		)
		frappe.db.commit()
		return
	identity.bind_if_new()
	broken = Faults()
	able = faults.sound(rules.load([campaign] if campaign else None), broken)
	able = _able_to_send(able, broken)
	# First, so that what has found its owner is known when that owner's messages are claimed.
	reopened, touched, new = _look_again(able, night, run, broken)
	due = new
	planned = plan.plan(plan.windows_for_run(able, night), night, broken)
	for messages in chain(planned, plan.early(able, night, broken)):
		due += len(messages)
		new += committed(_claim, messages, run)
	counts = {"due": due, "known": due - new, "reopened": len(reopened)}
	committed(_end_claiming, run, night, counts, broken)
	for names in create_batch(reopened, again.PAGE_SIZE):
		deliver.enqueue(ledger.pending({"name": ["in", names]}))
	deliver.enqueue(ledger.pending_of_run(run))
	committed(ledger.refresh_runs, {run, *touched})
	overlap.enqueue(run)


def _look_again(able: list, night, run: str, broken: Faults) -> tuple[list[str], set[str], int]:
	"""Do what `again` finds; return which rows are Pending again, whose runs are touched, and how many rows are new."""
	reopened, touched, new = [], set(), 0
	for page in again.pages(able, night, broken):
		names, claimed = committed(_do_again, page, run)
		reopened += names
		touched |= {row.run for row in (*page.reopen, *page.assign)}
		new += claimed
	return reopened, touched, new


def _do_again(page: again.Page, run: str) -> tuple[set[str], int]:
	ledger.assign(page.assign)
	names = ledger.reopen(page.reopen)
	return names, _claim(page.new, run)


def _end_claiming(run: str, night, counts: dict[str, int], broken: Faults) -> None:
	"""Write down that a run is claimed to its end, and what it has left out; warn the managers of what is newly broken.

	Its nights are taken then: by all rules but those that it left out, which a later run makes up for.
	"""
	before = nights.taken(night)
	errors = [*broken.texts(), *(fault.trace for fault in broken.values() if fault.trace)]
	values = {
		**counts,
		"status": "Failed" if broken else "Delivering",
		"error": "\n".join(errors) or None,
		"left_out": nights.left_out(broken),
		# Nothing has ended yet, also where `settle` has meanwhile called it Interrupted, because its job came so late.
		"finished_at": None,
	}
	frappe.db.set_value(ledger.RUN, run, values)
	# Once for each time that a rule breaks: not each night again, nor by each run of the same night.
	if news := [fault for fault in broken.values() if not before.fault(fault.rule)]:
		notify.managers(_news(news), ledger.RUN, run)


def _news(found: list[Fault]) -> Callable[[], str]:
	"""Return what says to the managers that these rules are broken."""
	texts = list(dict.fromkeys(fault.text for fault in found))

	def subject() -> str:
		text = _("Left out of the nightly run until it is corrected: {0}").format(
			" | ".join(texts[:MOST_TOLD])
		)
		if len(texts) > MOST_TOLD:
			text += " " + _("And {0} more: open the run to see them.").format(len(texts) - MOST_TOLD)
		return frappe.utils.escape_html(text)

	return subject


def _claim(messages, run: str) -> int:
	new = ledger.claim(messages, run)
	# A sign of life, for `settle`.
	frappe.db.set_value(ledger.RUN, run, "status", "Running")
	return new


def _able_to_send(loaded: list, broken: Faults) -> list:
	"""Return the rules with those of their actions whose channel can send for the campaign; the others go into `broken`.

	So the night of a rule that goes in part counts as left out, and is made up for. A channel is asked once for each campaign.
	"""
	problems = {}
	for rule in loaded:
		for action in rule.actions:
			key = rule.campaign.name, action.action_type
			if key not in problems:
				problems[key] = faults.attempted(channel_for(action.action_type).check, rule.campaign)
	found = []
	for rule in loaded:
		stopped = {action.name: problems[rule.campaign.name, action.action_type] for action in rule.actions}
		able = tuple(action for action in rule.actions if not stopped[action.name])
		for problem in filter(None, stopped.values()):
			broken.add(rule, problem, of_campaign=True)
		if able:
			found.append(replace(rule, actions=able))
	return found
