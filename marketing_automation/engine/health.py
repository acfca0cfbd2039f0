"""Can it send? What stands in the way of tonight's messages, each with what to do about it. Only reads."""

from collections import defaultdict

import frappe
from frappe import _
from frappe.utils import cint
from frappe.utils.scheduler import is_scheduler_inactive

from marketing_automation import erpnext_schema
from marketing_automation.engine import ledger, watchdog
from marketing_automation.engine.channels import channel_for

EMAIL = "Send Email"
# Where what stands in a channel's way is put right.
ROUTES = {EMAIL: "List/Email Account"}


def problems(campaigns: list) -> list[dict]:
	"""Return [{"level": "red" or "orange", "text", "route"}], the worst first.

	route: where the user can look at it or put it right, or None.
	campaigns: those to check the channels of (documents or dicts of name, sender, is_active).
	Queries: at most 8, and for each sender those of the channels' checks, for any number of campaigns.
	"""
	found = [*_erpnext(), *_channels(campaigns), *_mail(), *_scheduler(), *_last_run(), *_paused(campaigns)]
	return sorted(found, key=lambda problem: problem["level"] != "red")


def _erpnext() -> list[dict]:
	complaint = erpnext_schema.complaint()
	return [_problem("red", complaint)] if complaint else []


def _channels(campaigns: list) -> list[dict]:
	"""Return what the channels of the campaigns' actions say of them. 1 query, and those of the channels' checks.

	A channel is asked once for all campaigns with the same sender.
	"""
	action_types, texts = _action_types([campaign.name for campaign in campaigns]), {}
	for campaign in campaigns:
		# One that is being built has no action yet, and will most likely send e-mail.
		for action_type in sorted(action_types.get(campaign.name, {EMAIL})):
			if (action_type, campaign.sender) not in texts:
				texts[action_type, campaign.sender] = _refusal(action_type, campaign)
	routes = {text: ROUTES.get(action_type) for (action_type, _sender), text in texts.items() if text}
	return [_to_put_right(text, route) for text, route in routes.items()]


def _refusal(action_type: str, campaign) -> str | None:
	try:
		channel_for(action_type).check(campaign)
	except frappe.ValidationError as e:
		frappe.clear_last_message()
		return frappe.utils.strip_html(str(e))
	return None


def _action_types(campaigns: list[str]) -> dict[str, set[str]]:
	"""Return {campaign: the types of its enabled actions}. 1 query."""
	found = defaultdict(set)
	if campaigns:
		for campaign, action_type in frappe.get_all(
			"Lifecycle Action",
			filters={"campaign": ["in", campaigns], "enabled": 1},
			fields=["campaign", "action_type"],
			distinct=True,
			as_list=True,
			order_by="campaign asc, action_type asc",
		):
			found[campaign].add(action_type)
	return found


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
			_to_put_right(
				_("Sending is suspended: messages wait in the Email Queue. Resume it there."),
				"List/Email Queue",
			)
		)
	return found


def _scheduler() -> list[dict]:
	if is_scheduler_inactive(verbose=False):
		return [
			_problem(
				"red",
				_(
					"The scheduler is off: nothing runs at night, and what a run queues is not sent. Ask your administrator to enable it."
				),
			)
		]
	last_success, overdue_since = watchdog.overdue()
	if not overdue_since:
		return []
	if last_success:
		text = _("No nightly run has succeeded since {0}. The next one catches up.").format(
			frappe.format(last_success, {"fieldtype": "Datetime"})
		)
	else:
		text = _(
			"No nightly run has succeeded yet. Ask your administrator to look at the background workers."
		)
	return [_problem("red", text, "List/Lifecycle Run")]


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


def _paused(campaigns: list) -> list[dict]:
	"""Return those of the campaigns, or if none of them is inactive those of all, that paused themselves. 1 query.

	Only those that the user may see.
	"""
	names = [campaign.name for campaign in campaigns if not campaign.is_active]
	paused = frappe.get_list(
		"Lifecycle Campaign",
		filters={"is_active": 0, "pause_reason": ["is", "set"], **({"name": ["in", names]} if names else {})},
		fields=["name", "pause_reason"],
		order_by="name asc",
	)
	return [
		_problem("orange", f"{row.name}: {row.pause_reason}", f"Form/Lifecycle Campaign/{row.name}")
		for row in paused
	]


def _to_put_right(text: str, route: str | None) -> dict:
	"""Return a problem that is put right where the route leads; by an administrator if the user may not go there."""
	problem = _problem("red", text, route)
	if route and not problem["route"]:
		problem["text"] = _("{0} Ask your administrator, who may change that.").format(text)
	return problem


def _problem(level: str, text: str, route: str | None = None) -> dict:
	may_open = route and frappe.has_permission(route.split("/")[1], "read")
	return {"level": level, "text": text, "route": route if may_open else None}
