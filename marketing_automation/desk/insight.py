"""What happened and what will: a campaign's journey with its numbers; why a customer got a message, or a document
had one, or not. Only reads.
"""

import functools
from collections import Counter, defaultdict
from datetime import date

import frappe
from frappe import _
from frappe.query_builder.functions import Count
from frappe.utils import getdate, now_datetime
from pypika import Order

from marketing_automation.channels.email.reach import reach
from marketing_automation.desk import campaigns as states
from marketing_automation.desk import forecast
from marketing_automation.engine import (
	again,
	consent,
	faults,
	gate,
	ledger,
	plan,
	reached,
	recipients,
	rules,
	suppression,
	words,
)
from marketing_automation.engine.faults import Faults
from marketing_automation.engine.goals import goal_for
from marketing_automation.engine.items import item_names
from marketing_automation.engine.model import (
	PENDING,
	SKIPPED,
	WAITING,
	DueEvent,
	PlannedMessage,
	Reached,
	Reason,
	Recipient,
	Rule,
)
from marketing_automation.engine.names import folded, same
from marketing_automation.engine.schedule import ON, Window
from marketing_automation.engine.settings import limit
from marketing_automation.engine.source import (
	all_sources,
	hidden_doctypes,
	hide_evidence,
	is_shown,
	source_for,
)
from marketing_automation.engine.visibility import Visibility

MOST_ROWS = 100
DAYS_AHEAD = 7

# What became of a message that has no row in the ledger.
COMING = "Coming"
STOPPED = "Would not be sent"
NOT_DUE = "Not due"
WITHHELD = "Withheld"


def journey(campaign: str, visible: Visibility) -> list[dict]:
	"""Return the campaign's triggers in the order in which a customer meets them, with live numbers.

	Each: its fields, `day` (counted from the date that it is about; None where that cannot be said), `timing` and
	`day_itself` (its source's words for when, and for the date itself; None with a source that cannot say), `problem` (what is wrong with it, or
	None), and `actions`, each with its fields, `counts` ({status: rows in the ledger}) and `coming` (due in the next
	DAYS_AHEAD days, if the campaign is active). Queries: 14, and three for each trigger with filters.
	"""
	loaded = rules.load([campaign], active_only=False)
	broken = Faults()
	faults.sound(loaded, broken)
	days, timings = _days(loaded, broken), _timings(loaded, broken)
	counts = _counts([action.name for rule in loaded for action in rule.actions], visible)
	ahead = forecast.of_campaigns([campaign], getdate(), DAYS_AHEAD, visible, active_only=False)
	coming = {row["action"]: row["total"] for row in ahead["actions"]}
	triggers = [
		{
			**{
				field: rule.trigger[field]
				for field in (
					"name",
					"trigger_name",
					"enabled",
					"source",
					"trigger_type",
					"days_offset",
					"item_group",
				)
			},
			"day": days.get(rule.trigger.name),
			"timing": timings.get(rule.trigger.name, {}).get(rule.trigger.trigger_type),
			"day_itself": timings.get(rule.trigger.name, {}).get(ON),
			"problem": broken[rule.trigger.name].problem if rule.trigger.name in broken else None,
			"actions": [
				{
					"name": action.name,
					"action_name": action.action_name,
					"action_type": action.action_type,
					"enabled": action.enabled,
					"email_template": action.email_template,
					"languages": sorted(action.templates),
					"counts": {status: counts[action.name, status] for status in ledger.STATUSES},
					"coming": coming.get(action.name, 0),
				}
				for action in rule.actions
			],
		}
		for rule in loaded
	]
	return sorted(triggers, key=lambda t: (t["day"] is None, t["day"], t["trigger_name"]))


def _timings(loaded: list[Rule], broken: Faults) -> dict[str, dict[str, str]]:
	"""Return each trigger's words for Before, On and After, without those whose source cannot say. No query."""
	return {
		rule.trigger.name: words
		for entries, answer in faults.answers(
			lambda source, some: [source.timing(rule.trigger) for (rule,) in some],
			[(rule,) for rule in loaded],
			broken,
		)
		for (rule,), words in zip(entries, answer, strict=True)
	}


def _days(loaded: list[Rule], broken: Faults) -> dict[str, int]:
	"""Return how many days after an expiry each trigger sends: {trigger: days}, without those that cannot say."""
	expiry = date(2000, 6, 1)
	nights = {}
	for entries, found in faults.answers(
		lambda source, some: [source.night(rule, expiry) for (rule,) in some],
		[(rule,) for rule in loaded],
		broken,
	):
		nights |= {rule.trigger.name: night for (rule,), night in zip(entries, found, strict=True)}
	return {trigger: (night - expiry).days for trigger, night in nights.items() if night}


def _counts(actions: list[str], visible: Visibility) -> Counter:
	"""Return {(action, status): rows}. 1 query, which needs nothing but an index unless the user is restricted."""
	if not actions:
		return Counter()
	table = frappe.qb.DocType(ledger.DOCTYPE)
	query = (
		frappe.qb.from_(table)
		.select(table.action, table.status, Count("*"))
		.where(table.action.isin(actions))
		.groupby(table.action, table.status)
	)
	return Counter(
		{(action, status): count for action, status, count in visible.restrict_ledger(query, table).run()}
	)


def why_customer(customer: str, campaigns: list[str], visible: Visibility) -> dict:
	"""Return a customer's messages: those of the ledger, and those to come from the campaigns.

	{"customer", "customer_name", "email", "language", "reason" (why nothing can reach them now), "suppression" (the
	entry of the suppression list, if that is why), "said" (what they have
	said about our messages, in words), "history", "coming" (with what would not be sent as things
	are), "withheld", "inactive" ([{"campaign", "state", "messages"}]: how many would be due by campaigns that are not
	active)}. Queries: at most 32, for any number of references, and those of each source's
	`owned_by` and `about`.
	"""
	history = _history({"customer": customer}, visible)
	loaded = rules.load(campaigns, active_only=False)
	names = _owned(loaded, customer, visible)
	for row in history:
		names[row["reference_doctype"]].add(row["reference_name"])
	steps = [step for step in _steps(loaded, names, visible) if same(step["customer"], customer)]
	on = [step for step in steps if step["is_active"]]
	return {
		**_reach(customer),
		"history": history,
		"coming": [step for step in on if step["state"] in (COMING, STOPPED)],
		"withheld": [step for step in on if step["state"] == WITHHELD],
		"inactive": _inactive(Counter(step["campaign"] for step in steps if not step["is_active"])),
	}


def _inactive(messages: Counter) -> list[dict]:
	"""Return [{"campaign", "state", "messages"}] of campaigns that are not active, by name. At most 1 query."""
	if not messages:
		return []
	found = frappe.get_all(
		"Lifecycle Campaign",
		filters={"name": ["in", list(messages)]},
		fields=list(states.FIELDS),
		order_by="name asc",
	)
	today = getdate()
	return [
		{
			"campaign": campaign.name,
			"state": states.state_of(campaign, today),
			"messages": messages[campaign.name],
		}
		for campaign in found
	]


def _owned(loaded: list[Rule], customer: str, visible: Visibility) -> dict[str, set[str]]:
	"""Return {DocType: names} of what is a customer's today, of what the rules are about, MOST_ROWS of each kind.

	A rule that is broken has none: its source is asked only as long as it does not raise.
	"""
	names, asked = defaultdict(set), set()
	entries = []
	for rule in loaded:
		kind = rule.trigger.source, rule.trigger.reference_doctype, rule.trigger.customer_field
		if kind not in asked:
			asked.add(kind)
			entries.append((rule,))
	for _entries, found in faults.answers(
		lambda source, some: [
			(
				source.reference_doctype(rule.trigger),
				source.owned_by(rule.trigger, customer, visible, MOST_ROWS),
			)
			for (rule,) in some
		],
		entries,
		Faults(),
	):
		for doctype, owned in found:
			names[doctype].update(owned)
	return names


def _reach(customer: str) -> dict:
	found = reach({customer}).get(customer) or Recipient(customer=customer)
	held = suppression.suppressed({found.address or ""}, now_datetime()).get(found.address)
	return {
		"customer": customer,
		"customer_name": found.customer_name,
		"email": found.address,
		"language": found.language,
		"reason": found.reason or (Reason.SUPPRESSED if held else None),
		"suppression": held.name if held else None,
		"said": _said(found),
	}


def _said(recipient: Recipient) -> list[str]:
	"""Return in words what a customer has said about our messages and what holds by now. At most 6 queries."""
	known, now = consent.Known([recipient]), now_datetime()
	said = known.of(recipient)
	if any(one.everything for one in said):
		return [_("Has unsubscribed from all mail.")]
	texts = []
	if known.has_left_all(recipient):
		texts.append(_("Wants no marketing."))
	for topic in known.topics.values():
		no = consent.refusal(said, topic.name, {"purpose": consent.SERVICE} if topic.is_service else {}, now)
		if no and not no.until and (topic.is_service or not texts):
			texts.append(_("Has unsubscribed from {0}.").format(_(topic.name)))
	for campaign in sorted({one.campaign for one in said if one.campaign}):
		if consent.refusal(
			[one for one in said if one.campaign or one.kind == consent.GIVEN], None, {"name": campaign}, now
		):
			texts.append(_("Has unsubscribed from {0}.").format(campaign))
	if until := consent.paused_until(said, now):
		texts.append(_("Wants a pause until {0}.").format(frappe.format(until, {"fieldtype": "Datetime"})))
	if wish := consent.wish(said):
		texts.append(_("Wants at most {0} messages in {1} days.").format(*wish))
	return texts


def why_reference(doctype: str, name: str, campaigns: list[str], visible: Visibility) -> dict:
	"""Return which triggers meet a document (a serial number, a quotation) and when, and what the ledger knows of it.

	{"reference_doctype", "reference_name", "item_name", "customer", ..., "history", "steps"}; a step is one action of one
	campaign, with its `due_on`, `state` and `why` (text). Where several customers have a share in it, `customer` is None and
	each step has its own. Queries: at most 30, and those of each source's `about`.
	"""
	loaded = [rule for rule in rules.load(campaigns, active_only=False) if _is_about(rule, doctype)]
	found = _looked_up(doctype, name, loaded)
	if not found or not any(
		visible.about(doctype).sees(company=event.company, customer=customer, item_code=event.item_code)
		for event, customer in found
	):
		frappe.throw(
			_("There is no {0} {1} that you may see.").format(
				_(doctype), frappe.bold(frappe.utils.escape_html(name))
			),
			frappe.DoesNotExistError,
			title=_("Not Found"),
		)
	event = found[0][0]
	name, owners = event.reference_name, {customer for _event, customer in found}
	owner = owners.pop() if len(owners) == 1 else None
	steps = _steps(loaded, {doctype: {name}}, visible, looked_up=found)
	item = item_names({event.item_code}).get(event.item_code) if event.item_code else None
	return {
		"reference_doctype": doctype,
		"reference_name": name,
		"item_name": item or event.item_code,
		**(_reach(owner) if owner else {"customer": None, "customer_name": None}),
		"history": _history({"reference_doctype": doctype, "reference_name": name}, visible),
		"steps": steps,
	}


def _is_about(rule: Rule, doctype: str) -> bool:
	"""Say whether a rule's messages are about documents of a DocType. Not if no app knows its source any more."""
	source = all_sources().get(rule.trigger.source)
	return bool(source) and source.reference_doctype(rule.trigger) == doctype


def _looked_up(doctype: str, name: str, loaded: list[Rule]) -> list[tuple[DueEvent, str | None]]:
	"""Return (what it is, customer) of a document, one for each customer that has a share in it; none if there is none."""
	triggers = [rule.trigger for rule in loaded]
	triggers += [
		frappe._dict(source=key, trigger_type=None)
		for key, source in all_sources().items()
		if doctype in source.reference_doctypes()
	]
	for trigger in triggers:
		source = source_for(trigger)
		events = source.look_up(trigger, name)
		if events:
			return [
				(event, customer)
				for event, (customer, _reason) in zip(events, source.owners(events), strict=True)
			]
	return []


def _history(filters: dict, visible: Visibility) -> list[dict]:
	"""Return the latest rows of the ledger, the newest first, with the names of trigger and action. 2 queries."""
	log = frappe.qb.DocType(ledger.DOCTYPE)
	trigger, action = frappe.qb.DocType("Lifecycle Trigger"), frappe.qb.DocType("Lifecycle Action")
	query = (
		frappe.qb.from_(log)
		.left_join(trigger)
		.on(trigger.name == log.trigger)
		.left_join(action)
		.on(action.name == log.action)
		.select(
			log.name,
			log.campaign,
			log.reference_doctype,
			log.reference_name,
			log.item_code,
			log.customer,
			log.occurrence_date,
			log.due_on,
			log.recipient,
			log.status,
			log.reason,
			log.error,
			log.evidence_doctype,
			log.evidence_name,
			log.executed_at,
			log.due_at,
			log.basis,
			log.message_key,
			log.channel,
			trigger.trigger_name,
			action.action_name,
		)
	)
	for field, value in filters.items():
		query = query.where(log[field] == value)
	if hidden := hidden_doctypes():
		query = query.where(log.reference_doctype.notin(hidden))
	query = visible.restrict_ledger(query, log).orderby(log.name, order=Order.desc).limit(MOST_ROWS)
	rows = query.run(as_dict=True)
	hide_evidence(rows)
	return rows


def _steps(
	loaded: list[Rule],
	names: dict[str, set[str]],
	visible: Visibility,
	looked_up: list[tuple[DueEvent, str | None]] | None = None,
) -> list[dict]:
	"""Return what each action of the rules makes of references, {DocType: names}, by date.

	looked_up: from `_looked_up`; then also of the rules that take nothing, and why not.
	Queries: at most 15, one for each rule with filters, and those of each source's `about`; with `looked_up` those of
	`_reached_by`.
	"""
	if not any(names.values()):
		return []
	broken = Faults()
	entries = [(rule,) for rule in faults.sound(loaded, broken)]
	events = [
		event
		for _entries, found in faults.answers(
			lambda source, some: _about(source, [rule for (rule,) in some], names), entries, broken
		)
		for event in found
	]
	shown = functools.lru_cache(is_shown)
	pairs = [(event, action) for event in events for action in event.rule.actions]
	to = recipients.recipients(pairs)
	marked = reached.marked(
		[(event, recipient) for (event, _action), recipient in zip(pairs, to, strict=True)], getdate(), broken
	)
	known = _known(names)
	windows = {rule.trigger.name: window for rule, window in plan.windows_for_run(loaded, getdate())}
	spans, max_attempts = again.spans(loaded, getdate()), limit("max_attempts")
	items = item_names({event.item_code for event in events})
	messages = [
		PlannedMessage(action, event, recipient, evidence=gate.evidence_of(event))
		for (_event, action), event, recipient in zip(pairs, marked, to, strict=True)
		if event
		and shown(event.reference_doctype)
		and visible.about(event.reference_doctype).sees(
			company=event.company, customer=recipient.customer, item_code=event.item_code
		)
	]
	taken = ledger.held({key for message in messages if (key := message.suppression_key)})
	judged = []
	for message in messages:
		action, event, recipient = message.action, message.event, message.recipient
		about = event.reference_doctype, folded(event.reference_name)
		rows = known.get((action.name, *about, event.occurrence), [])
		own = _own(rows, recipient.customer)
		# What became of it stands in the history. Here is what becomes of it now, if anything can.
		if (rows and not recipient.customer) or (own and not again.can_pass(own, max_attempts)):
			continue
		window = windows.get(event.rule.trigger.name)
		if rows and (span := spans.get(action.name)) and span.first <= event.night:
			# What has a row is looked at again for longer than what has none.
			window = Window(span.first, getdate(), span.catch_up_from)
		state = _state(message, window, message.suppression_key in taken)
		judged.append((message, own, state))
	steps = [
		_step(message.event.rule, message.action, state, why, message, items)
		for message, own, (state, why, goes_out) in _through_the_gate(judged)
		if goes_out or not own or not same(own.customer, message.recipient.customer)
	]
	if looked_up is not None:
		met = {event.rule.trigger.name for event in marked if event}
		unmatched = [rule for rule in loaded if rule.trigger.name not in met]
		shows = _reached_by(unmatched, looked_up, broken)
		steps += [
			{
				**_step(rule, action, NOT_DUE, _why_unmatched(rule, shows.get(rule.trigger.name), broken)),
				**ledger.evidence_fields(shows.get(rule.trigger.name, (None, None))[:2]),
			}
			for rule in unmatched
			for action in rule.actions
		]
	hide_evidence(steps)
	# Steps of drafts and of paused campaigns come last: they are no answer to what will be sent.
	return sorted(
		steps,
		key=lambda step: (not step["is_active"], str(step["due_on"] or "9999"), step["campaign"]),
	)


def _about(source, loaded: list[Rule], names: dict[str, set[str]]) -> list[DueEvent]:
	"""Return the events of a source's rules about the references that they can be about."""
	by_doctype = defaultdict(list)
	for rule in loaded:
		by_doctype[source.reference_doctype(rule.trigger)].append(rule)
	return [
		event
		for doctype, of_doctype in by_doctype.items()
		if names.get(doctype)
		for event in source.about(of_doctype, sorted(names[doctype]))
	]


def _known(names: dict[str, set[str]]) -> dict[tuple, list[dict]]:
	"""Return {(action, DocType, folded name, date): rows} of what the ledger has about references. 1 query."""
	known = defaultdict(list)
	for row in frappe.get_all(
		ledger.DOCTYPE,
		filters={
			"reference_doctype": ["in", sorted(names)],
			"reference_name": ["in", sorted(set().union(*names.values()))],
		},
		fields=[
			*("action", "reference_doctype", "reference_name", "occurrence_date", "customer"),
			*("status", "reason", "attempts", "due_on"),
		],
		order_by="name asc",
	):
		about = row.reference_doctype, folded(row.reference_name)
		known[(row.action, *about, row.occurrence_date)].append(row)
	return known


def _own(rows: list[dict], customer: str | None) -> dict | None:
	"""Return the row of a customer among those about the same; else the one that waits for whoever it will be."""
	found = {folded(row.customer or ""): row for row in rows}
	return found.get(folded(customer or "")) or found.get("")


def _step(
	rule: Rule,
	action: dict,
	state: str,
	why: str,
	message: PlannedMessage | None = None,
	items: dict | None = None,
) -> dict:
	event, recipient = (message.event, message.recipient) if message else (None, None)
	return {
		"campaign": rule.campaign.name,
		"is_active": bool(rule.campaign.is_active),
		"trigger": rule.trigger.name,
		"trigger_name": rule.trigger.trigger_name,
		"action": action.name,
		"action_name": action.action_name,
		"channel": action.action_type,
		"state": state,
		"why": why,
		"reference_doctype": event.reference_doctype if event else None,
		"reference_name": event.reference_name if event else None,
		"item_name": (items.get(event.item_code) or event.item_code) if event else None,
		"expiry_date": event.occurrence if event else None,
		"due_on": event.night if event else None,
		**ledger.evidence_fields(message.evidence if message else None),
		"basis": message.basis if message else None,
		"customer": recipient.customer if recipient else None,
		"recipient": recipient.address if recipient else None,
	}


def _state(message: PlannedMessage, window: Window | None, taken: bool) -> tuple[str, str, bool]:
	"""Return (state, why, whether it goes out) of a message that was not sent.

	window: the nights that a run takes for the rule now; None where it takes none. taken: the customer gets this
	message once, and has it by another one.
	"""
	event, rule, action = message.event, message.event.rule, message.action
	today, night = getdate(), event.night
	if not rule.campaign.is_active:
		return WITHHELD, _("The campaign is not active."), False
	if not rule.trigger.enabled:
		return WITHHELD, _("The trigger is switched off."), False
	if not action.enabled:
		return WITHHELD, _("The action is switched off."), False
	since = max(
		filter(None, (plan.past(moment, today) for moment in (rule.active_since, action.active_since))),
		default=None,
	)
	if since and night < since.date():
		why = _("It fell due before this was switched on, on {0}.")
		return WITHHELD, why.format(frappe.format(since.date(), {"fieldtype": "Date"})), False
	if not rule.sends_on(night):
		return WITHHELD, _("The campaign does not send on that day."), False
	if night <= today:
		if not window or night < window.first:
			return WITHHELD, _("Its day had passed before the trigger took it."), False
		event = event._replace(missed=night < window.catch_up_from)
	status, reason = plan.verdict(event, message.recipient, max(night, today))
	if status == PENDING and taken:
		status, reason = SKIPPED, Reason.ALREADY_SENT
	if status != PENDING:
		# Its reason may have passed by its day.
		state = STOPPED if night >= today else WITHHELD
		return state, _("Would not go out: {0}.").format(words.of_reason(reason)), False
	if night > today:
		return COMING, _("Goes out on that day."), True
	return COMING, _("Goes out with the next run."), True


def _through_the_gate(
	judged: list[tuple[PlannedMessage, dict | None, tuple[str, str, bool]]],
) -> list[tuple[PlannedMessage, dict | None, tuple[str, str, bool]]]:
	"""Return the messages, with what the gate's checks say at this moment of those that go out. The queries of the checks."""
	today = getdate()
	going = [message for message, _own, (_state, _why, goes_out) in judged if goes_out]
	gate.pass_through(going, gate.when(today))
	return [(message, own, _by_the_gate(message, state, today)) for message, own, state in judged]


def _by_the_gate(message: PlannedMessage, state: tuple[str, str, bool], today: date) -> tuple[str, str, bool]:
	if not state[2] or message.status == PENDING:
		return state
	reason, night = words.of_reason(message.reason), message.event.night
	if message.status == WAITING:
		if night > today and message.due_at.date() < night:
			on = frappe.format(message.due_at.date(), {"fieldtype": "Date"})
			return COMING, _("Goes out on {0} already: on its own day it would be too late.").format(on), True
		if night > today:
			# What would hold it back today may be over by then.
			return state
		until = frappe.format(message.due_at, {"fieldtype": "Datetime"})
		if message.reason == Reason.ON_HOLD:
			return COMING, _("Is looked at again {0}: {1}.").format(until, reason), True
		return COMING, _("Waits until {0}: {1}.").format(until, reason), True
	return (
		STOPPED if night >= today else WITHHELD,
		_("Would not go out: {0}.").format(reason),
		False,
	)


def _reached_by(
	unmatched: list[Rule], looked_up: list[tuple[DueEvent, str | None]], broken: Faults
) -> dict[str, Reached]:
	"""Return {trigger: what shows that the campaign's goal is reached} about a document that no rule of these takes: it is not
	open, because it is paid or ordered. The queries of each source's `current` and of each goal."""
	asked = [
		(rule, frappe._dict(reference_name=event.reference_name, customer=customer, occurrence_date=None))
		for rule in unmatched
		if rule.campaign.goal and rule.trigger.name not in broken
		for event, customer in looked_up
		if customer
	]
	pairs = []
	for entries, found in faults.answers(lambda source, some: source.current(some), asked, broken):
		pairs += [
			(event, Recipient(customer=row.customer))
			for (_rule, row), event in zip(entries, found, strict=True)
			if event
		]
	return {
		event.rule.trigger.name: event.reached
		for event in reached.marked(pairs, getdate(), broken)
		if event and event.reached
	}


def _why_unmatched(rule: Rule, shows: Reached | None, broken: Faults) -> str:
	"""Say why a rule does not take a document. shows: what shows that the campaign's goal is reached, if it is."""
	if rule.trigger.name in broken:
		return _("The trigger does not work: {0}").format(broken[rule.trigger.name].problem)
	why = _("The trigger does not take it. It wants {0}.").format(source_for(rule.trigger).wanted(rule))
	if not shows:
		return why
	return f"{why} " + _("The goal is reached: {0}.").format(goal_for(rule.campaign.goal).label)
