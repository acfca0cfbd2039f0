"""What the Desk calls. Each method checks a permission and hands on; what a user may not see is left out."""

import re
from collections import Counter

import frappe
from frappe import _
from frappe.utils import cint, format_datetime, get_datetime, getdate, pretty_date

from marketing_automation import days as days_of
from marketing_automation import recipes as cookbook
from marketing_automation import template_rights as rights_on_templates
from marketing_automation.engine import campaigns as overviews
from marketing_automation.desk import forecast as forecasts
from marketing_automation.desk import health as checks
from marketing_automation.desk import insight, sample
from marketing_automation.engine import identity, ledger, overlap, run, watchdog
from marketing_automation.engine import language as languages
from marketing_automation.desk import preview as previews
from marketing_automation.engine import retry as retrying
from marketing_automation.channels.email import channel as email
from marketing_automation.engine.model import FAILED
from marketing_automation.sources import serial_no as serial_nos
from marketing_automation.channels.email.templates import template_for
from marketing_automation.engine.visibility import Visibility
from marketing_automation.permissions import by_role

CAMPAIGN = "Lifecycle Campaign"
FARTHEST = 366
# No list of the Desk shows more at once.
MOST_CAMPAIGNS = 2500


# -- running -----------------------------------------------------------------------------------------------------


@frappe.whitelist(methods=["POST"])
def run_now(campaign: str | None = None) -> str:
	"""Start a run, of one campaign (needs write permission on it) or of all (on the settings); return its name."""
	_require_run(campaign)
	return run.start("Manual", campaign)


@frappe.whitelist(methods=["GET", "POST"])
def run_preview(campaign: str | None = None) -> dict:
	"""Return what `run_now` would do at this moment: engine.preview's counts, reasons and overlaps, and health's
	problems."""
	_require_run(campaign)
	_require(ledger.DOCTYPE, "read")
	# The run is not bound to what its user may see, so neither is the number that they confirm.
	found = previews.of_run(campaign, Visibility("Administrator"))
	return {
		"counts": found["counts"],
		"reasons": found["reasons"],
		"overlaps": found["overlaps"],
		"problems": health(campaign),
	}


@frappe.whitelist(methods=["GET", "POST"])
def run_progress(run: str) -> dict:
	"""Return {"status", "partly", "due", "known", "reopened", "error", "counts": {status: rows}, "done", "total", "mails",
	"products"} of a run. 3 queries, and 1 when nothing of it waits any more.

	partly: it left out some triggers, and all else goes on. error: of a run of all campaigns only for who may see them all.
	mails: how many were handed over, None before that; products: {status: how many products its rows are about}.
	"""
	doc = frappe.get_doc(ledger.RUN, run)
	doc.check_permission("read")
	sees_error = doc.campaign or doc.has_permlevel_access_to("error", permission_type="read")
	counts = ledger.counts_of_run(run)
	total = sum(counts.values())
	of_run = {"mails": None, "products": None}
	if not counts["Pending"] and doc.status not in ("Running", "Interrupted"):
		of_run = ledger.units_of_run(run)
	return {
		**of_run,
		"status": doc.status,
		"partly": bool(doc.left_out),
		"due": doc.due,
		"known": doc.known,
		"reopened": doc.reopened,
		"error": doc.error if sees_error else None,
		"counts": counts,
		"done": total - counts["Pending"],
		"total": total,
	}


@frappe.whitelist(methods=["GET", "POST"])
def health(campaign: str | None = None) -> list[dict]:
	"""Return what stands in the way of sending; see engine.health. campaign: the one that is looked at."""
	_require(CAMPAIGN, "read")
	if campaign:
		docs = [_campaign(campaign)]
	else:
		docs = frappe.get_list(
			CAMPAIGN, filters={"is_active": 1}, fields=["name", "sender", "is_active"], order_by="name asc"
		)
	return checks.problems(docs)


@frappe.whitelist(methods=["POST"])
def bind_site() -> None:
	"""Say that this is the real site, not a copy of it, so that it sends; see engine.identity."""
	_require("Marketing Automation Settings", "write")
	identity.bind()


# -- the state of campaigns --------------------------------------------------------------------------------------


@frappe.whitelist(methods=["GET", "POST"])
def campaign_states(names: str | list) -> dict[str, dict]:
	"""Return {name: state and numbers} of those of the campaigns that the user may see; see engine.campaigns.

	Who may not read the ledger gets the states alone.
	"""
	_require(CAMPAIGN, "read")
	found = frappe.get_list(
		CAMPAIGN,
		filters={"name": ["in", _names(names)[:MOST_CAMPAIGNS]]},
		fields=list(overviews.FIELDS),
		order_by="name asc",
		limit_page_length=0,
	)
	states = overviews.overview(found, Visibility())
	if frappe.has_permission(ledger.DOCTYPE, "read"):
		return states
	return {name: {"state": row["state"]} for name, row in states.items()}


@frappe.whitelist(methods=["GET", "POST"])
def activation(campaign: str) -> dict:
	"""Return what the next night would do if a campaign were activated now; as `run_preview`, and `night`, its day.

	overlaps: not of that night alone, but of the next days, see `overlap.of_campaign`.
	"""
	doc = _campaign(campaign, "write")
	_require(ledger.DOCTYPE, "read")
	# What cannot be activated is refused before anyone is asked.
	doc.validate_readiness()
	# As in `run_preview`.
	found = previews.of_activation(campaign, Visibility("Administrator"))
	return {
		"night": found["night"],
		"counts": found["counts"],
		"reasons": found["reasons"],
		"overlaps": overlap.of_campaign(campaign),
		"problems": health(campaign),
	}


@frappe.whitelist(methods=["POST"])
def activate(campaign: str, modified: str) -> dict:
	"""Activate a campaign whose user has been asked with what `activation` says, if it is as they have seen it: modified is
	when that was.

	Returns {"activated"}, or, when somebody has changed it since, {"changed_by": their name}, and leaves it.
	"""
	doc = _campaign(campaign, "write")
	if get_datetime(doc.modified) != get_datetime(modified):
		return {"activated": False, "changed_by": frappe.utils.get_fullname(doc.modified_by)}
	doc.is_active = 1
	# `activation` has said them.
	doc.flags.overlaps_said = True
	doc.save()
	return {"activated": True}


@frappe.whitelist(methods=["POST"])
def pause(campaign: str) -> dict:
	"""Pause a campaign as it stands now, whatever its user has seen of it.

	Returns {"on_its_way": how many of its messages were, which are being taken back, "seen": when it was last changed
	before, "modified": when now}.
	"""
	_campaign(campaign, "write")
	doc = frappe.get_doc(CAMPAIGN, campaign, for_update=True)
	seen = str(doc.modified)
	if doc.is_active:
		doc.is_active = 0
		# What stands in the way of a change, such as a company that is gone, does not stand in the way of this one.
		doc.flags.ignore_links = doc.flags.ignore_mandatory = True
		doc.save()
	on_its_way = frappe.db.count(
		ledger.DOCTYPE, {"campaign": campaign, "status": ["in", [ledger.PENDING, ledger.QUEUED]]}
	)
	return {"on_its_way": on_its_way, "seen": seen, "modified": str(doc.modified)}


# -- looking ahead -----------------------------------------------------------------------------------------------


@frappe.whitelist(methods=["GET", "POST"])
def preview(
	campaign: str | None = None, date: str | None = None, to_export: int = 0, at_once: int = 0
) -> dict:
	"""Return who would get a message on a date (today without it), who would not, and why; see engine.preview.

	to_export: 1 for more rows than anyone reads. at_once: 1 for an answer within a second, complete or not.
	"""
	most = previews.MOST_EXPORTED if cint(to_export) else previews.MOST_ROWS
	patience = previews.PATIENCE if cint(at_once) else float("inf")
	return previews.of_day(_campaigns(campaign), days_of.asked(date), Visibility(), most, patience)


@frappe.whitelist(methods=["GET", "POST"])
def forecast(campaign: str | None = None, days: int = 90) -> dict:
	"""Return how many messages fall due on which of the next days by which action; see engine.forecast.

	campaign: also when it is not active. Without it: all that are.
	"""
	campaigns = _campaigns(campaign)
	days = min(max(cint(days), 1), FARTHEST)
	return forecasts.of_campaigns(campaigns, getdate(), days, Visibility(), active_only=not campaign)


@frappe.whitelist(methods=["GET", "POST"])
def journey(campaign: str) -> list[dict]:
	"""Return the campaign's triggers and actions with their numbers; see engine.insight."""
	_require(ledger.DOCTYPE, "read")
	return insight.journey(_campaign(campaign).name, Visibility())


@frappe.whitelist(methods=["GET", "POST"])
def coming(campaign: str) -> dict:
	"""Return how many messages each action of a campaign would send in the next 7 days, and who is next; see engine.preview."""
	_require(ledger.DOCTYPE, "read")
	loaded = previews.enabled_rules([_campaign(campaign).name])
	return previews.of_days(loaded, getdate(), insight.DAYS_AHEAD, Visibility())


# -- the message -------------------------------------------------------------------------------------------------


@frappe.whitelist(methods=["GET", "POST"])
def mail(action: str, serial_no: str | None = None, language: str | None = None) -> dict:
	"""Return the rendered mail of an action: {"serial_no", "subject", "html", "text", "recipient", "reason", ...}, and
	`languages`, in which it can be looked at: [{"value", "label"}], and `template`, the Email Template that it reads.

	serial_no: without it an example that the action's trigger takes (see the source). When there is none, there are
	only `serial_no`, which is None, and `wanted`: which ones the trigger takes, in words. The same words are in `wanted`
	when a given one is none of them; else it is None.
	"""
	_readable_action(action)
	language, visible, given = languages.known(language), Visibility(), serial_no
	serial_no = serial_no or sample.example_serial_no(action, visible)
	if not serial_no:
		return {"serial_no": None, "wanted": sample.wanted(action)}
	found = sample.render(action, serial_no, visible, language)
	return {
		"serial_no": serial_no,
		"wanted": sample.wanted(action) if given and not sample.is_taken(action, given) else None,
		"subject": found.subject,
		"html": found.html,
		"text": found.text,
		"customer": found.message.recipient.customer,
		"recipient": found.message.recipient.email,
		"due_on": found.message.today,
		"reason": found.reason,
		"languages": sample.languages(found.message.action),
		"template": template_for(found.message.action, found.message.recipient.language),
	}


@frappe.whitelist(methods=["POST"])
def send_test(action: str, serial_no: str, language: str | None = None) -> str:
	"""Mail the rendered message to the session's user, marked as a test; return the address. No ledger row."""
	_readable_action(action)
	_require(CAMPAIGN, "write")
	return sample.send_test(action, serial_no, Visibility(), languages.known(language))


# -- why ---------------------------------------------------------------------------------------------------------


@frappe.whitelist(methods=["GET", "POST"])
def why_customer(customer: str) -> dict:
	"""Return what a customer was sent, what was skipped and why, and what is coming; see engine.insight."""
	_require(ledger.DOCTYPE, "read")
	visible = Visibility()
	# Whoever sees customers in ERPNext may be bound to some by what we do not look at, such as their territory.
	hidden = frappe.has_permission("Customer", "read") and not frappe.has_permission(
		"Customer", "read", customer
	)
	if hidden or not visible.sees(customer=customer):
		frappe.throw(_("You are not permitted to do this."), frappe.PermissionError)
	return insight.why_customer(customer, _campaigns(None), visible)


@frappe.whitelist(methods=["GET", "POST"])
def why_serial_no(serial_no: str) -> dict:
	"""Return which triggers a serial number meets and when, and what became of them; see engine.insight."""
	_require(ledger.DOCTYPE, "read")
	return insight.why_serial_no(serial_no, _campaigns(None), Visibility())


# -- recipes -----------------------------------------------------------------------------------------------------


@frappe.whitelist(methods=["GET", "POST"])
def recipes() -> list[dict]:
	"""Return the ready-made campaigns: [{"name", "title", "description", "days", "languages"}]."""
	_require(CAMPAIGN, "create")
	return [
		{
			"name": name,
			"title": _(recipe["title"]),
			"description": _(recipe["description"]),
			"days": recipe["days"],
			"languages": cookbook.languages(recipe),
		}
		for name, recipe in cookbook.all_recipes().items()
	]


@frappe.whitelist(methods=["POST"])
def make_from_recipe(
	recipe: str,
	campaign_name: str,
	days: str,
	language: str,
	item_group: str | None = None,
	sender: str | None = None,
	company: str | None = None,
	date_field: str | None = None,
	combine_messages: int = 1,
) -> str:
	"""Make a campaign from a recipe, inactive, and return its name. days: numbers with commas between."""
	_require(CAMPAIGN, "create")
	found = cookbook.all_recipes().get(recipe)
	if not found:
		frappe.throw(_("There is no recipe {0}.").format(frappe.bold(frappe.utils.escape_html(recipe))))
	try:
		numbers = [int(text) for text in re.split(r"[,;\s]+", days) if text]
	except ValueError:
		frappe.throw(_("Give the days as numbers with commas between, for example: 30, 7, 1."))
	of_trigger = {"date_field": date_field}
	return cookbook.cook(
		found,
		campaign_name,
		numbers,
		language,
		{
			"sender": sender,
			"company": company,
			"item_group": item_group,
			"combine_messages": cint(combine_messages),
		},
		{field: value for field, value in of_trigger.items() if value},
	).name


@frappe.whitelist(methods=["POST"])
def duplicate(campaign: str, campaign_name: str) -> str:
	"""Copy a campaign with its triggers and actions, inactive; return the copy's name."""
	_require(CAMPAIGN, "create")
	return _campaign(campaign).duplicate(campaign_name).name


# -- Email Templates ---------------------------------------------------------------------------------------------


@frappe.whitelist(methods=["GET", "POST"])
def template_rights(template: str) -> dict:
	"""Return what the form of an Email Template says about marketers: {"obstacle", "may_release", "released", "actions"}.

	obstacle: why the session's user may not edit it, or None. released: whether a System Manager has let marketers.
	actions: those that send it, as far as the user may see them: [{"name", "action_name", "campaign"}].
	"""
	_require(CAMPAIGN, "read")
	doc = frappe.get_doc(rights_on_templates.DOCTYPE, template)
	doc.check_permission("read")
	return {
		"obstacle": rights_on_templates.obstacle(doc, frappe.session.user),
		"may_release": _may_release(),
		"released": rights_on_templates.is_released(template),
		"actions": rights_on_templates.actions_of(template),
	}


@frappe.whitelist(methods=["POST"])
def release_template(template: str, released: int = 1) -> None:
	"""Let marketers edit an Email Template, or with 0 no longer. For System Managers; written in Lifecycle Template."""
	if not _may_release():
		frappe.throw(_("You are not permitted to do this."), frappe.PermissionError)
	doc = frappe.get_doc(rights_on_templates.DOCTYPE, template)
	if cint(released):
		rights_on_templates.release(doc.name)
	else:
		rights_on_templates.take_back(doc.name)


def _may_release() -> bool:
	return "System Manager" in frappe.get_roles()


# -- what the forms offer ----------------------------------------------------------------------------------------


@frappe.whitelist(methods=["GET", "POST"])
def senders() -> list[str]:
	"""Return the addresses that a campaign can be sent from."""
	_require(CAMPAIGN, "write")
	return email.senders()


@frappe.whitelist(methods=["GET", "POST"])
def date_fields() -> list[dict]:
	"""Return the date fields of Serial No that a trigger can watch: [{"value", "label"}]."""
	_require("Lifecycle Trigger", "read")
	fields = serial_nos.readable_date_fields()
	uses = Counter(_(df.label) for df in fields)
	return [
		{
			"value": df.fieldname,
			"label": _(df.label) if uses[_(df.label)] == 1 else f"{_(df.label)} ({df.fieldname})",
		}
		for df in fields
	]


@frappe.whitelist(methods=["POST"])
def retry(names: str | list) -> dict:
	"""Try Failed messages again. Returns {"Pending": how many, or why the others stay as they are: how many}."""
	return retrying.retry(_visible({"name": ["in", _names(names)]}))


@frappe.whitelist(methods=["POST"])
def retry_run(run: str) -> dict:
	"""Try all the Failed messages of a run again; returns as `retry`."""
	return retrying.retry(_visible({"run": run, "status": FAILED}))


@frappe.whitelist(methods=["POST"])
def send_skipped(names: str | list) -> dict:
	"""Send Skipped or Cancelled messages whose reason is gone; returns as `retry`."""
	return retrying.send_skipped(_visible({"name": ["in", _names(names)]}))


@frappe.whitelist(methods=["POST"])
def forget(email: str) -> int:
	"""Erase a person's address from the ledger; what was sent to it stays known. Returns how many rows had it."""
	_require("Lifecycle Execution Log", "delete")
	return ledger.forget(email)


def _visible(filters: dict) -> list[str]:
	"""Return the rows of the ledger that match and that the user may see; who may start a campaign may repeat it.

	2 queries, and the permission of each campaign. PermissionError where they may repeat none of what they see.
	"""
	_require(ledger.DOCTYPE, "read")
	rows = frappe.get_list(
		ledger.DOCTYPE,
		filters=filters,
		fields=["name", "campaign"],
		limit_page_length=0,
		order_by="name asc",
	)
	writable = {
		campaign
		for campaign in {row.campaign for row in rows}
		if frappe.has_permission(CAMPAIGN, "write", doc=campaign)
	}
	names = [row.name for row in rows if row.campaign in writable]
	if not names and (rows or not frappe.has_permission(CAMPAIGN, "write")):
		frappe.throw(_("You are not permitted to do this."), frappe.PermissionError)
	return names


def _names(names: str | list) -> list[str]:
	names = frappe.parse_json(names)
	if not isinstance(names, list):
		frappe.throw(_("Choose rows of the message log."), title=_("Nothing Chosen"))
	return [str(name) for name in names]


# -- the workspace -----------------------------------------------------------------------------------------------


@frappe.whitelist(methods=["GET", "POST"])
def due_next_week(filters: str | dict | list | None = None) -> int:
	"""Return how many messages fall due in the next 7 days, for the number card. Counted by the database: who of them
	cannot be reached is seen on each campaign."""
	found = forecasts.of_campaigns(_campaigns(None), getdate(), insight.DAYS_AHEAD, Visibility())
	return found["total"]


@frappe.whitelist(methods=["GET", "POST"])
def last_run(filters: str | dict | list | None = None) -> str:
	"""Return when the last run was, or how it ended if not well, in words, for the number card. 3 queries.

	When no night's run has succeeded for too long it says that, whatever else has run since.
	"""
	_require(ledger.RUN, "read")
	_last_success, overdue_since = watchdog.overdue()
	if overdue_since:
		return _("Overdue since {0}").format(format_datetime(overdue_since, "d MMM HH:mm"))
	last = frappe.db.get_value(
		ledger.RUN, {}, ["status", "started_at"], as_dict=True, order_by="creation desc"
	)
	if not last:
		return _("None yet")
	return _(last.status) if last.status in ("Failed", "Interrupted") else pretty_date(last.started_at)


def may_open() -> bool:
	"""Say whether the apps screen shows the app to the user (hook add_to_apps_screen)."""
	return bool(frappe.has_permission(CAMPAIGN, "read"))


# -- permissions -------------------------------------------------------------------------------------------------


def _require(doctype: str, right: str) -> None:
	if not by_role(doctype, right):
		frappe.throw(_("You are not permitted to do this."), frappe.PermissionError)


def _require_run(campaign: str | None) -> None:
	if campaign:
		_campaign(campaign, "write")
	else:
		_require("Marketing Automation Settings", "write")


def _campaign(name: str, right: str = "read"):
	doc = frappe.get_doc(CAMPAIGN, name)
	doc.check_permission(right)
	return doc


def _campaigns(name: str | None) -> list[str]:
	"""Return the campaign, or without a name all that the user may see; raises PermissionError.

	For what shows customers and counts them: whom a campaign was shared with may not see that.
	"""
	_require(ledger.DOCTYPE, "read")
	if name:
		return [_campaign(name).name]
	_require(CAMPAIGN, "read")
	return frappe.get_list(CAMPAIGN, pluck="name", order_by="name asc")


def _readable_action(name: str) -> None:
	doc = frappe.get_doc("Lifecycle Action", name)
	doc.check_permission("read")
	_require(ledger.DOCTYPE, "read")
	_campaign(doc.campaign)
