"""Can it send? What stands in the way of tonight's messages, each with what to do about it. Only reads."""

from collections import Counter, defaultdict

import frappe
from frappe import _
from frappe.query_builder.functions import Count, Sum
from frappe.utils import add_to_date, cint, getdate, now_datetime
from frappe.utils.scheduler import is_scheduler_inactive

from marketing_automation import erpnext_schema
from marketing_automation.channels.email import bounces, reports
from marketing_automation.channels.email.smtp_errors import fault_of_server
from marketing_automation.checks import window
from marketing_automation.engine import (
	consent,
	faults,
	gate,
	holds,
	identity,
	ledger,
	links,
	nights,
	profiles,
	rules,
	suppression,
	watchdog,
)
from marketing_automation.engine.channel import channel_for, is_served
from marketing_automation.engine.faults import Faults
from marketing_automation.engine.model import FAILED, PENDING, QUEUED, Reason
from marketing_automation.engine.settings import SETTINGS, values

EMAIL = "Send Email"
# What a trigger is about.
ABOUT = ("source", "reference_doctype", "customer_field", "date_field", "yearly")
# Where what stands in a channel's way is put right.
ROUTES = {EMAIL: "List/Email Account"}
# So many errors say what is wrong.
SOME = 50
# So many messages that came back within so many days, and such a share (percent) of what was sent, are too many.
BOUNCES_COUNT, BOUNCES_OF_DAYS, BOUNCES_SHARE = 10, 7, 5
# Fewer letters than these may be spam that looks like a bounce.
UNKNOWN_LETTERS = 3
# A traceback's last line may be a page long.
LONGEST_WORDS = 200


def problems(campaigns: list, with_way_out: bool = True) -> list[dict]:
	"""Return [{"level": "red" or "orange", "text", "route", "may_bind"}], the worst first.

	route: where the user can look at it or put it right, or None. One about a broken trigger names it: `trigger`.
	may_bind: whether it is that this site is a copy, and the user may say that it is not.
	campaigns: those to check the triggers and channels of (documents or dicts of name, sender, is_active). with_way_out: also
	what is wrong with the way out of their mails, which `deliverability` names as well.
	Queries: at most 35, for each sender those of the channels' checks, and one for each trigger with filters.
	"""
	actions = _actions([campaign.name for campaign in campaigns])
	found = [
		*_erpnext(),
		*_identity(),
		*_broken(campaigns),
		*_checks(),
		*_holds(),
		*_right(campaigns),
		*_channels(campaigns, actions),
		*_messages(actions),
		*_mail(),
		*(_way_out(actions) if with_way_out else ()),
		*_server(campaigns),
		*_mailbox(),
		*_bounces(),
		*_scheduler(),
		*_last_run(),
		*_paused(campaigns),
	]
	return sorted(found, key=lambda problem: problem["level"] != "red")


def _right(campaigns: list) -> list[dict]:
	"""Return what is not settled of by what right the campaigns write, where one of them offers something. At most 16 queries."""
	offering = frappe.get_all(
		"Lifecycle Campaign",
		filters={
			"name": ["in", [campaign.name for campaign in campaigns]],
			"purpose": ["!=", profiles.SERVICE],
		},
		fields=list(window.FIELDS),
		order_by="name asc",
	)
	if not offering:
		return []
	stored, found = values("addresses_lawful", "basis_needed"), []
	for campaign, country in window.never_open(offering).items():
		text = _(
			"{0}: nothing of it can leave. Its hours and those that the law of {1} allows never meet. Choose other hours."
		).format(campaign, _(country or ""))
		found.append(_problem("red", text, f"Form/Lifecycle Campaign/{campaign}"))
	if not cint(stored["basis_needed"]):
		text = _(
			"Marketing messages also go to who has neither bought nor agreed. Look at the report Basis of Messages, and then tick Send Nothing Without a Basis in the settings."
		)
		found.append(_problem("orange", text, f"Form/{SETTINGS}"))
	if not cint(stored["addresses_lawful"]):
		text = _(
			"Nobody has declared that the addresses were got lawfully: marketing messages have no existing customers to go to, only who has agreed. If it is so, declare it in the settings."
		)
		found.append(_problem("orange", text, f"Form/{SETTINGS}"))
	companies = {row.company for row in offering}
	if None in companies:
		# It sells for all of them.
		companies = set(frappe.get_all("Company", pluck="name", order_by="name asc"))
	homes = profiles.profiles((None, company) for company in companies)
	unchecked = sorted(
		{_(profile.country.name or "") for profile in homes if not profile.checked and not profile.changed}
	)
	if unchecked:
		text = _(
			"Nobody has checked the law of {0}, so the strictest rules hold there: marketing messages go only to who has agreed, in few hours. Write down what holds in Lifecycle Country Profile."
		).format(", ".join(filter(None, unchecked)) or _("the country of the company, which is not known"))
		found.append(_problem("orange", text, f"List/{profiles.DOCTYPE}"))
	if any(profile.national_holidays for profile in homes) and not profiles.knows_holidays():
		text = _(
			"Public holidays are not known on this server, and the law of a country wants nothing sent on them. Ask your administrator to install the Python package holidays, or put them into a Holiday List."
		)
		found.append(_problem("orange", text))
	return found


def _erpnext() -> list[dict]:
	complaint = erpnext_schema.complaint()
	return [_problem("red", complaint)] if complaint else []


def _identity() -> list[dict]:
	if not identity.is_copy():
		return []
	return [_problem("red", identity.explanation()) | {"may_bind": frappe.has_permission(SETTINGS, "write")}]


def _broken(campaigns: list) -> list[dict]:
	"""Return the enabled triggers of the campaigns that cannot work, or that the last run has left out. At most 8
	queries, and one for each trigger with filters."""
	loaded = rules.load([campaign.name for campaign in campaigns], active_only=False) if campaigns else []
	loaded = [rule for rule in loaded if rule.trigger.enabled]
	broken = Faults()
	faults.sound(loaded, broken)
	found = {trigger: fault.text for trigger, fault in broken.items()}
	# What raises only while it is worked out is known from the last night. What a channel says now, says `_channels`.
	taken = nights.taken(getdate()) if loaded else None
	for rule in loaded:
		if rule.campaign.is_active and rule.trigger.name not in broken:
			fault = taken.fault(rule)
			if fault and not fault.of_campaign:
				found[rule.trigger.name] = _("{0} It was left out of the last run.").format(fault.text)
	return [
		{**_problem("red", text, f"Form/Lifecycle Trigger/{trigger}"), "trigger": trigger}
		for trigger, text in found.items()
	]


def _checks() -> list[dict]:
	"""Return the checks of the gate, and the holds, that have raised in the last hours. No query."""
	return [_problem("red", failure.explanation, "List/Error Log") for failure in gate.failures()]


def _holds() -> list[dict]:
	"""Return the holds that are switched on and hold nothing back, because this site has not what they read. 1 query."""
	return [
		_problem(
			"orange",
			_(
				"The hold {0} is switched on, and holds nothing back: its app, or the document that it reads, is not on this site. Remove it from the settings, or install the app again."
			).format(frappe.bold(frappe.utils.escape_html(_(key)))),
			f"Form/{SETTINGS}",
		)
		for key in holds.lost()
	]


def _way_out(actions: list[dict]) -> list[dict]:
	"""Return what keeps mailbox providers from offering to unsubscribe: they ask it of marketing. At most 2 queries."""
	if not any(action.action_type == EMAIL and action.purpose != consent.SERVICE for action in actions):
		return []
	address = links.base_address()
	if links.is_secure(address):
		return []
	text = (
		_(
			"The Public Address {0} does not begin with https://, so mailbox providers cannot unsubscribe by one click, which Gmail and Yahoo ask of marketing. Mails go without these headers."
		).format(address)
		if address
		else _(
			"Nobody has said at which address customers reach this site. The link to unsubscribe leads to {0}, which may be nowhere, and mails go without the headers to unsubscribe by one click, which Gmail and Yahoo ask of marketing. Fill in the Public Address, or host_name in the site's configuration."
		).format(links.site_address())
	)
	# Without an address the way out that the law asks for may be none.
	return [_problem("orange" if address else "red", text, "Form/Marketing Automation Settings")]


def _channels(campaigns: list, actions: list[dict]) -> list[dict]:
	"""Return what the channels of the campaigns' actions say of them. The queries of the channels' checks.

	A channel is asked once for all campaigns with the same sender.
	"""
	routes = {text: route for found in refusals(campaigns, actions).values() for text, route in found.items()}
	return [_to_put_right(text, route) for text, route in routes.items()]


def refusals(campaigns: list, actions: list[dict] | None = None) -> dict[str, dict[str, str | None]]:
	"""Return {campaign: {why a channel cannot send for it: where that is put right}}; queries as `_channels`.

	actions: from `_actions`, where they have been read already; 1 query without them.
	"""
	if actions is None:
		actions = _actions([campaign.name for campaign in campaigns])
	action_types, texts = defaultdict(set), {}
	for action in actions:
		action_types[action.campaign].add(action.action_type)
	found = defaultdict(dict)
	for campaign in campaigns:
		# One that is being built has no action yet, and will most likely send e-mail.
		for action_type in sorted(action_types.get(campaign.name, {EMAIL})):
			if (action_type, campaign.sender) not in texts:
				texts[action_type, campaign.sender] = _refusal(action_type, campaign)
			if text := texts[action_type, campaign.sender]:
				found[campaign.name][text] = ROUTES.get(action_type)
	return found


def _messages(actions: list[dict]) -> list[dict]:
	"""Return what has become wrong with what the actions send. 1 query for each channel."""
	by_channel = defaultdict(list)
	for action in actions:
		if action.trigger_enabled:
			by_channel[action.action_type].append(action)
	return [
		_problem("red", f"{campaign}: {text}", f"Form/Lifecycle Campaign/{campaign}")
		for action_type, of_channel in by_channel.items()
		# What an app that is gone has sent stands in nobody's way.
		if is_served(action_type)
		for campaign, text in channel_for(action_type).problems(of_channel)
	]


def _refusal(action_type: str, campaign) -> str | None:
	return faults.attempted(lambda: channel_for(action_type).check(campaign))


def _actions(campaigns: list[str]) -> list[dict]:
	"""Return the enabled actions of campaigns, a row for each Email Template: name, campaign, combine_messages, purpose,
	action_type, trigger_enabled, email_template, translation. 1 query."""
	if not campaigns:
		return []
	action, translation = (
		frappe.qb.DocType("Lifecycle Action"),
		frappe.qb.DocType("Lifecycle Action Translation"),
	)
	trigger, campaign = frappe.qb.DocType("Lifecycle Trigger"), frappe.qb.DocType("Lifecycle Campaign")
	return (
		frappe.qb.from_(action)
		.inner_join(trigger)
		.on(trigger.name == action.trigger)
		.inner_join(campaign)
		.on(campaign.name == action.campaign)
		.left_join(translation)
		.on(translation.parent == action.name)
		.select(
			action.name,
			action.campaign,
			campaign.combine_messages,
			campaign.purpose,
			action.action_type,
			trigger.enabled.as_("trigger_enabled"),
			*[trigger[field] for field in ABOUT],
			action.email_template,
			translation.email_template.as_("translation"),
		)
		.where(action.campaign.isin(campaigns) & (action.enabled == 1))
		.orderby(action.campaign, action.name, translation.idx)
	).run(as_dict=True)


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


def _server(campaigns: list) -> list[dict]:
	"""Return what the mail server has against the campaigns' mails that have not left, in its own words. 3 queries."""
	names = [campaign.name for campaign in campaigns]
	faults = Counter(filter(None, map(fault_of_server, _errors(names) if names else ())))
	if not faults:
		return []
	(fault, words), _count = faults.most_common(1)[0]
	log = frappe.qb.DocType(ledger.DOCTYPE)
	((left,),) = _not_sent(frappe.qb.from_(log).select(Count("*")), log, names).run()
	if fault == "login":
		text = _(
			"The mail server does not let us in: “{0}”. Put user name and password of the Email Account right. Messages that have not left: {1}."
		)
	else:
		text = _(
			"The mail server cannot be reached, or takes no mail: “{0}”. Check server and port of the Email Account. Messages that have not left: {1}."
		)
	return [_to_put_right(text.format(words[:LONGEST_WORDS], left), ROUTES[EMAIL])]


def _mailbox() -> list[dict]:
	"""Return what keeps the bounce mailbox from being read, and how many letters in it nobody understood. At most 2 queries."""
	settings = frappe.db.get_singles_dict(SETTINGS)
	if not cint(settings.get("mailbox_enabled")):
		return []
	if error := settings.get("mailbox_error"):
		text = _(
			"The bounce mailbox cannot be read: “{0}”. Bounces and complaints are not seen meanwhile. Put its settings right."
		)
		text = text.format(error[:LONGEST_WORDS])
		if "System Manager" in frappe.get_roles():
			return [_problem("red", text, f"Form/{SETTINGS}")]
		return [_problem("red", _("{0} Ask your administrator, who may change that.").format(text))]
	unknown = bounces.unknown_letters()
	if unknown < UNKNOWN_LETTERS:
		return []
	text = _(
		"Letters of mail servers in the bounce mailbox that nobody understood in the last weeks: {0}."
	).format(unknown)
	if not reports.flufl():
		text += " " + _(
			'Some of them keep to no standard. Ask your administrator to install flufl.bounce: pip install "marketing_automation[bounces]".'
		)
	return [_problem("orange", text)]


def _bounces() -> list[dict]:
	"""Return that too many messages have come back lately. 2 queries."""
	since = add_to_date(now_datetime(), days=-BOUNCES_OF_DAYS)
	entry, run = frappe.qb.DocType(suppression.DOCTYPE), frappe.qb.DocType(ledger.RUN)
	((bounced,),) = (
		frappe.qb.from_(entry).select(Count("*")).where((entry.last_at >= since) & entry.message.isnotnull())
	).run()
	if bounced < BOUNCES_COUNT:
		return []
	((sent,),) = (frappe.qb.from_(run).select(Sum(run.completed)).where(run.started_at >= since)).run()
	if bounced * 100 < BOUNCES_SHARE * (sent or bounced):
		return []
	text = _(
		"Addresses that bounced or complained in the last {0} days: {1}, of {2} messages. So many harm the sender's name with mailbox providers. See where the addresses come from."
	).format(BOUNCES_OF_DAYS, bounced, max(int(sent or 0), bounced))
	return [_problem("orange", text, f"List/{suppression.DOCTYPE}")]


def _errors(campaigns: list[str]) -> list[str]:
	"""Return the last errors of the campaigns' mails that have not left: those of one day, some of them. 2 queries.

	Of a mail that is on its way the error stands in the ledger or in Email Queue, or is in both.
	"""
	log = frappe.qb.DocType(ledger.DOCTYPE)
	of_ledger = _not_sent(frappe.qb.from_(log).select(log.error), log, campaigns).where(log.error != "")
	mail = frappe.qb.DocType("Email Queue")
	of_queue = (
		frappe.qb.from_(mail)
		.select(mail.error)
		.where(mail.reference_doctype == "Lifecycle Campaign")
		.where(mail.reference_name.isin(campaigns))
		.where(mail.status.isin(["Not Sent", "Partially Sent"]))
		.where(mail.error != "")
		.where(mail.modified > add_to_date(now_datetime(), days=-1))
	)
	return [error for query in (of_ledger, of_queue) for (error,) in query.limit(SOME).run()]


def _not_sent(query, log, campaigns: list[str]):
	"""Narrow a query of the ledger to what the mail server has not taken within a day, and may yet."""
	return (
		query.where(log.campaign.isin(campaigns))
		.where(log.status.isin([PENDING, QUEUED, FAILED]))
		.where((log.status != FAILED) | (log.reason == Reason.SENDING_FAILED))
		.where(log.modified > add_to_date(now_datetime(), days=-1))
	)


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
	last = frappe.db.get_value(
		ledger.RUN, {}, ["name", "status", "left_out"], as_dict=True, order_by="creation desc"
	)
	# What a run has left out is named by itself, and all else has run.
	if last and last.status in ("Failed", "Interrupted") and not last.left_out:
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
	return {"level": level, "text": text, "route": route if may_open else None, "may_bind": False}
