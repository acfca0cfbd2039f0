"""The list and the form of a campaign: states, journey, what is coming, recipes."""

import re

import frappe
from frappe import _
from frappe.utils import cint, get_datetime, getdate

from marketing_automation import days as days_of
from marketing_automation import recipes as cookbook
from marketing_automation.api.access import CAMPAIGN, campaign_of, campaigns_of, names_of, require
from marketing_automation.api.site import health
from marketing_automation.channels.email import channel as email
from marketing_automation.channels.email import prints
from marketing_automation.desk import campaigns as overviews
from marketing_automation.desk import forecast as forecasts
from marketing_automation.desk import insight
from marketing_automation.desk import preview as previews
from marketing_automation.engine import ledger, overlap, rules
from marketing_automation.engine.goals import all_goals
from marketing_automation.engine.model import PENDING, QUEUED
from marketing_automation.engine.schedule import AFTER, BEFORE
from marketing_automation.engine.source import all_sources, is_shown, source_for
from marketing_automation.engine.visibility import Visibility

FARTHEST = 366
# No list of the Desk shows more at once.
MOST_CAMPAIGNS = 2500


@frappe.whitelist(methods=["GET", "POST"])
def campaign_states(names: str | list) -> dict[str, dict]:
	"""Return {name: state and numbers} of those of the campaigns that the user may see; see engine.campaigns.

	Who may not read the ledger gets the states alone.
	"""
	require(CAMPAIGN, "read")
	found = frappe.get_list(
		CAMPAIGN,
		filters={"name": ["in", names_of(names)[:MOST_CAMPAIGNS]]},
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
	doc = campaign_of(campaign, "write")
	require(ledger.DOCTYPE, "read")
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
	doc = campaign_of(campaign, "write")
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
	campaign_of(campaign, "write")
	doc = frappe.get_doc(CAMPAIGN, campaign, for_update=True)
	seen = str(doc.modified)
	if doc.is_active:
		doc.is_active = 0
		# What stands in the way of a change, such as a company that is gone, does not stand in the way of this one.
		doc.flags.ignore_links = doc.flags.ignore_mandatory = True
		doc.save()
	on_its_way = frappe.db.count(ledger.DOCTYPE, {"campaign": campaign, "status": ["in", [PENDING, QUEUED]]})
	return {"on_its_way": on_its_way, "seen": seen, "modified": str(doc.modified)}


@frappe.whitelist(methods=["GET", "POST"])
def preview(
	campaign: str | None = None, date: str | None = None, to_export: int = 0, at_once: int = 0
) -> dict:
	"""Return who would get a message on a date (today without it), who would not, and why; see engine.preview.

	to_export: 1 for more rows than anyone reads. at_once: 1 for an answer within a second, complete or not.
	"""
	most = previews.MOST_EXPORTED if cint(to_export) else previews.MOST_ROWS
	patience = previews.PATIENCE if cint(at_once) else float("inf")
	return previews.of_day(campaigns_of(campaign), days_of.asked(date), Visibility(), most, patience)


@frappe.whitelist(methods=["GET", "POST"])
def forecast(campaign: str | None = None, days: int = 90) -> dict:
	"""Return how many messages fall due on which of the next days by which action; see engine.forecast.

	campaign: also when it is not active. Without it: all that are.
	"""
	campaigns = campaigns_of(campaign)
	days = min(max(cint(days), 1), FARTHEST)
	visible = Visibility()
	found = forecasts.of_campaigns(campaigns, getdate(), days, visible, active_only=not campaign)
	names = {action["campaign"] for action in found["actions"]}
	return {**found, "waiting": forecasts.waiting(names, getdate(), visible)}


@frappe.whitelist(methods=["GET", "POST"])
def journey(campaign: str) -> list[dict]:
	"""Return the campaign's triggers and actions with their numbers; see engine.insight."""
	require(ledger.DOCTYPE, "read")
	return insight.journey(campaign_of(campaign).name, Visibility())


@frappe.whitelist(methods=["GET", "POST"])
def coming(campaign: str) -> dict:
	"""Return how many messages each action of a campaign would send in the next 7 days, and who is next; see engine.preview."""
	require(ledger.DOCTYPE, "read")
	loaded = previews.enabled_rules([campaign_of(campaign).name])
	return previews.of_days(loaded, getdate(), insight.DAYS_AHEAD, Visibility())


@frappe.whitelist(methods=["GET", "POST"])
def recipes() -> list[dict]:
	"""Return the ready-made campaigns, those of a group together.

	[{"name", "title", "description", "group", "obstacle", "days", "asks", "languages", "date_field", "date_fields", "cap", "notice"}];
	obstacle: why it cannot be used here, or None. days: {"Before": [30, 7], "After": [3]}. asks: which of the answers that
	not every recipe needs. date_fields: those to choose from, [{"value", "label"}]. cap: the
	frequency cap that it suggests, {"messages", "days"}; None where the site has one, or the user may not set it.
	notice: what its user has to know before it is made, or None.
	"""
	require(CAMPAIGN, "create")
	may_cap = cookbook.may_cap()
	found = [
		{
			"name": name,
			"title": _(recipe["title"]),
			"description": _(recipe["description"]),
			"group": _(recipe["group"]),
			"obstacle": cookbook.obstacle(recipe),
			"days": recipe["days"],
			"asks": cookbook.asks(recipe),
			"languages": cookbook.languages(recipe),
			"date_field": recipe.get("date_field"),
			"date_fields": cookbook.date_fields(recipe) if "date_field" in recipe["asks"] else [],
			"cap": recipe.get("cap") if may_cap else None,
			"notice": cookbook.notice(recipe),
		}
		for name, recipe in cookbook.all_recipes().items()
	]
	groups = list(dict.fromkeys(recipe["group"] for recipe in found))
	return sorted(found, key=lambda recipe: groups.index(recipe["group"]))


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
	days_after: str | None = None,
	cap: int = 0,
	attach_print: int = 0,
) -> str:
	"""Make a campaign from a recipe, inactive, and return its name.

	days, days_after: before and after the date, numbers with commas between; what a recipe does not have is empty.
	cap: 1 sets the frequency cap that the recipe suggests, for the whole site. attach_print: 1 has each mail carry what it is about, printed.
	"""
	require(CAMPAIGN, "create")
	found = cookbook.all_recipes().get(recipe)
	if not found:
		frappe.throw(_("There is no recipe {0}.").format(frappe.bold(frappe.utils.escape_html(recipe))))
	answers = {
		"company": company,
		"item_group": item_group,
		"date_field": date_field,
		"combine_messages": cint(combine_messages),
		"attach_print": cint(attach_print),
	}
	asked = {answer: value for answer, value in answers.items() if answer in found["asks"]}
	if cint(cap):
		cookbook.set_cap(found)
	return cookbook.cook(
		found,
		campaign_name,
		{
			timing: numbers
			for timing, text in ((BEFORE, days), (AFTER, days_after))
			if (numbers := _numbers(text))
		},
		language,
		date_field=asked.pop("date_field", None),
		attach_print=asked.pop("attach_print", 0),
		fields={"sender": sender, **asked},
	).name


def _numbers(text: str | None) -> list[int]:
	try:
		return [int(number) for number in re.split(r"[,;\s]+", text or "") if number]
	except ValueError:
		frappe.throw(_("Give the days as numbers with commas between, for example: 30, 7, 1."))


@frappe.whitelist(methods=["POST"])
def duplicate(campaign: str, campaign_name: str) -> str:
	"""Copy a campaign with its triggers and actions, inactive; return the copy's name."""
	require(CAMPAIGN, "create")
	return campaign_of(campaign).duplicate(campaign_name).name


@frappe.whitelist(methods=["GET", "POST"])
def senders() -> list[str]:
	"""Return the addresses that a campaign can be sent from."""
	require(CAMPAIGN, "write")
	return email.senders()


@frappe.whitelist(methods=["GET", "POST"])
def goals() -> list[dict]:
	"""Return what a campaign can be for: [{"value", "label", "fields": those of the campaign that it takes}]."""
	require(CAMPAIGN, "read")
	return [
		{"value": key, "label": goal.label, "fields": list(goal.fields)} for key, goal in all_goals().items()
	]


@frappe.whitelist(methods=["GET", "POST"])
def sources() -> list[dict]:
	"""Return what a trigger can be about on this site, in a marketer's words: [{"value": key, "label"}]."""
	require(CAMPAIGN, "read")
	return [
		{"value": key, "label": source.title()} for key, source in all_sources().items() if source.is_there()
	]


@frappe.whitelist(methods=["GET", "POST"])
def offers(source: str, reference_doctype: str | None = None) -> dict:
	"""Return what the trigger's form, and the report, offer of a source; see `Source.offers`.

	reference_doctype: where the source asks for one.
	"""
	require(CAMPAIGN, "read")
	trigger = frappe._dict(source=source, reference_doctype=reference_doctype)
	return source_for(trigger).offers(trigger)


@frappe.whitelist(methods=["GET", "POST"])
def variables(action: str | None = None, trigger: str | None = None) -> list[dict]:
	"""Return what templates of an action, or of a trigger's actions, can say: [{"name", "label", "example"}].

	Of a DocType that the user may not read its date alone.
	"""
	require(CAMPAIGN, "read")
	if action:
		trigger = frappe.db.get_value("Lifecycle Action", action, "trigger")
	fields = frappe.db.get_value("Lifecycle Trigger", trigger, rules.TRIGGER_FIELDS, as_dict=True)
	if not fields:
		return []
	source = source_for(fields)
	may_know = is_shown(source.reference_doctype(fields))
	return [
		{"name": variable.name, "label": variable.label, "example": variable.example}
		for variable in source.describe(fields)
		if may_know or variable.name == "date"
	]


@frappe.whitelist(methods=["GET", "POST"])
def attachable(trigger: str) -> dict | None:
	"""Return what the mails of a trigger's actions can have attached: {"doctype", "label"}; None where there is no print of it, or
	where the user may not print it."""
	require(CAMPAIGN, "read")
	if not frappe.db.exists("Lifecycle Trigger", trigger):
		return None
	doc = frappe.get_doc("Lifecycle Trigger", trigger)
	doc.check_permission("read")
	doctype = prints.offered(doc)
	return {"doctype": doctype, "label": _(doctype)} if doctype else None
