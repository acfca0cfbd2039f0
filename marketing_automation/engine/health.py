"""Can it send? What stands in the way of tonight's messages, each with what to do about it. Only reads."""

import frappe
from frappe import _
from frappe.utils import add_to_date, cint, now_datetime
from frappe.utils.scheduler import is_scheduler_inactive

from marketing_automation.engine import ledger
from marketing_automation.engine.channels import channel_for

# A nightly run may start late; one that is a day and more late did not happen.
OVERDUE_HOURS = 26


def problems(campaigns: list) -> list[dict]:
	"""Return [{"level": "red" or "orange", "text", "route"}], the worst first. At most 7 queries.

	campaigns: those to check the sender of (documents or dicts of name, sender, is_active).
	"""
	found = [*_accounts(campaigns), *_mail(), *_scheduler(campaigns), *_last_run()]
	return sorted(found, key=lambda problem: problem["level"] != "red")


def _accounts(campaigns: list) -> list[dict]:
	texts = {}
	for campaign in campaigns:
		if campaign.sender not in texts:
			try:
				channel_for("Send Email").check(campaign)
			except frappe.ValidationError as e:
				frappe.clear_last_message()
				texts[campaign.sender] = frappe.utils.strip_html(str(e))
	return [_problem("red", text, "List/Email Account") for text in dict.fromkeys(texts.values())]


def _mail() -> list[dict]:
	found = []
	if cint(frappe.conf.get("mute_emails")):
		found.append(
			_problem(
				"red",
				_(
					"E-mail is muted on this site (mute_emails in its configuration): messages are queued and never sent. Ask your administrator."
				),
			)
		)
	if cint(frappe.db.get_default("suspend_email_queue")):
		found.append(
			_problem(
				"red",
				_("Sending is suspended: messages wait in the Email Queue. Resume it there."),
				"List/Email Queue",
			)
		)
	return found


def _scheduler(campaigns: list) -> list[dict]:
	if is_scheduler_inactive(verbose=False):
		return [
			_problem(
				"red",
				_(
					"The scheduler is off: nothing runs at night, and what a run queues is not sent. Ask your administrator to enable it."
				),
			)
		]
	last = frappe.db.get_value(
		ledger.RUN, {"run_type": "Scheduled"}, ["name", "started_at"], as_dict=True, order_by="creation desc"
	)
	waiting = any(campaign.is_active for campaign in campaigns)
	if waiting and last and last.started_at < add_to_date(now_datetime(), hours=-OVERDUE_HOURS):
		return [
			_problem(
				"orange",
				_("No nightly run since {0}. The next one catches up.").format(
					frappe.format(last.started_at, {"fieldtype": "Datetime"})
				),
				"List/Lifecycle Run",
			)
		]
	return []


def _last_run() -> list[dict]:
	last = frappe.db.get_value(ledger.RUN, {}, ["name", "status"], as_dict=True, order_by="creation desc")
	if last and last.status in ("Failed", "Interrupted"):
		return [
			_problem(
				"orange",
				_("The last run, {0}, did not end well. Open it to see why.").format(last.name),
				f"Form/Lifecycle Run/{last.name}",
			)
		]
	return []


def _problem(level: str, text: str, route: str | None = None) -> dict:
	return {"level": level, "text": text, "route": route}
