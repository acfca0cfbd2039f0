"""One run: a night in, a Lifecycle Run with its claimed rows out, delivery under way."""

import frappe
from frappe.utils import getdate, now_datetime

from marketing_automation.engine import deliver, identity, ledger, plan, rules
from marketing_automation.engine.channels import channel_for
from marketing_automation.engine.language import in_the_sites_language
from marketing_automation.engine.transaction import committed


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
	able, errors = _able_to_send(rules.load([campaign] if campaign else None))
	due = new = 0
	for messages in plan.plan(plan.windows_for_run(able, night), night):
		due += len(messages)
		new += committed(_claim, messages, run)
	values = {"due": due, "known": due - new, "status": "Failed" if errors else "Delivering"}
	# Nothing has ended yet, also where `settle` has meanwhile called it Interrupted, because its job came so late.
	frappe.db.set_value(ledger.RUN, run, {**values, "error": "\n".join(errors) or None, "finished_at": None})
	frappe.db.commit()
	deliver.enqueue(ledger.pending_of_run(run))
	committed(ledger.refresh_runs, {run})


def _claim(messages, run: str) -> int:
	new = ledger.claim(messages, run)
	# A sign of life, for `settle`.
	frappe.db.set_value(ledger.RUN, run, "status", "Running")
	return new


def _able_to_send(loaded: list) -> tuple[list, list[str]]:
	"""Return the rules whose campaign can send, and what stops the others, one text a campaign."""
	errors = {}
	for rule in loaded:
		for action in rule.actions:
			if rule.campaign.name not in errors:
				try:
					channel_for(action.action_type).check(rule.campaign)
				except frappe.ValidationError as e:
					frappe.clear_last_message()
					errors[rule.campaign.name] = frappe.utils.strip_html(f"{rule.campaign.name}: {e}")
	return [rule for rule in loaded if rule.campaign.name not in errors], list(errors.values())
