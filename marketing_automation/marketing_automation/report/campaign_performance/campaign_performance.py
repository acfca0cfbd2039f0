"""Campaign Performance: a period in, what became of its messages out, by campaign, trigger or action.

One query of the ledger, which reads nothing but an index unless the user is restricted or asks for a company.
"""

from collections import Counter, defaultdict
from datetime import date

import frappe
from frappe import _
from frappe.query_builder.functions import Count
from frappe.utils import date_diff, formatdate

from marketing_automation.days import asked
from marketing_automation.engine import ledger
from marketing_automation.engine.model import CANCELLED, COMPLETED, FAILED, PENDING, QUEUED, SKIPPED, WAITING
from marketing_automation.engine.schedule import shifted
from marketing_automation.engine.visibility import Visibility

# By which of the ledger's links the rows are put together.
LEVELS = {
	"Campaign": ("campaign",),
	"Trigger": ("campaign", "trigger"),
	"Action": ("campaign", "trigger", "action"),
}
LINKS = {"campaign": "Lifecycle Campaign", "trigger": "Lifecycle Trigger", "action": "Lifecycle Action"}
DEFAULT_DAYS = 30
MOST_BARS = 14
# Five years.
MOST_DAYS = 5 * 366


def execute(filters: dict | None = None):
	"""Return columns, rows, a message when there are none, the chart by day, and the summary."""
	filters = frappe._dict(filters or {})
	filters.to_date = asked(filters.to_date)
	filters.from_date = asked(filters.from_date or shifted(filters.to_date, -DEFAULT_DAYS) or date.min)
	if filters.to_date < filters.from_date:
		frappe.throw(_("The period ends before it starts. Choose another To Date."))
	level = LEVELS[filters.group_by if filters.group_by in LEVELS else "Action"]
	by_action, by_day = counted(filters)
	rows = _rows(by_action, level)
	message = None
	if not rows:
		message = _("No message fell due. Choose another period, or activate a campaign to see what it does.")
	return (
		_columns(level),
		rows,
		message,
		chart(by_day, filters.from_date, filters.to_date),
		_summary(by_action),
	)


def counted(filters) -> tuple[Counter, Counter]:
	"""Return {(action, status): count} and {(day, status): count} of the period's messages."""
	table = frappe.qb.DocType(ledger.DOCTYPE)
	query = (
		frappe.qb.from_(table)
		.select(table.due_on, table.action, table.status, Count("*"))
		.where(table.due_on >= filters.from_date)
		.where(table.due_on <= filters.to_date)
		.groupby(table.due_on, table.action, table.status)
	)
	if filters.company:
		query = query.where(table.company == filters.company)
	if filters.campaign:
		frappe.get_doc("Lifecycle Campaign", filters.campaign).check_permission("read")
		campaigns = [filters.campaign]
	else:
		campaigns = frappe.get_list("Lifecycle Campaign", pluck="name", order_by="name asc")
	actions = set(
		frappe.get_all(
			"Lifecycle Action", filters={"campaign": ["in", campaigns]}, pluck="name", order_by="name asc"
		)
	)
	if filters.campaign and actions:
		query = query.where(table.action.isin(sorted(actions)))
	by_action, by_day = Counter(), Counter()
	# The groups are few. To look whether each row's action is one of those would take the database as long again.
	for day, action, status, count in Visibility().restrict_ledger(query, table).run() if actions else ():
		if action in actions:
			by_action[action, status] += count
			by_day[day, status] += count
	return by_action, by_day


def _rows(by_action: Counter, level: tuple[str, ...]) -> list[dict]:
	actions = frappe.get_all(
		"Lifecycle Action",
		filters={"name": ["in", list({action for action, _status in by_action})]},
		fields=["name as action", "trigger", "campaign", "action_name"],
		order_by="name asc",
	)
	triggers = {
		row.name: row
		for row in frappe.get_all(
			"Lifecycle Trigger",
			filters={"name": ["in", list({action.trigger for action in actions})]},
			fields=["name", "trigger_name"],
			order_by="name asc",
		)
	}
	groups, totals = {}, defaultdict(Counter)
	for action in actions:
		action.trigger_name = triggers[action.trigger].trigger_name
		key = tuple(action[field] for field in level)
		groups.setdefault(key, action)
		for status in ledger.STATUSES:
			totals[key][status] += by_action[action.action, status]
	return sorted(
		(_row(action, level, totals[key]) for key, action in groups.items()),
		key=lambda row: (row["campaign"], row.get("trigger_name") or "", -row["due"]),
	)


def _row(action: dict, level: tuple[str, ...], counts: Counter) -> dict:
	return {
		**{field: action[field] for field in level},
		**({"trigger_name": action.trigger_name} if "trigger" in level else {}),
		**({"action_name": action.action_name} if "action" in level else {}),
		"due": sum(counts.values()),
		"sent": counts[COMPLETED],
		"on_its_way": counts[PENDING] + counts[QUEUED],
		"waiting": counts[WAITING],
		"skipped": counts[SKIPPED],
		"failed": counts[FAILED],
		"cancelled": counts[CANCELLED],
		"sent_percent": _sent_percent(counts),
	}


def _sent_percent(counts: Counter) -> float | None:
	"""Return how many of 100 messages that have come to an end the server has taken; None when none has."""
	decided = counts[COMPLETED] + counts[FAILED]
	return 100 * counts[COMPLETED] / decided if decided else None


def _columns(level: tuple[str, ...]) -> list[dict]:
	labels = {"campaign": _("Campaign"), "trigger": _("Trigger"), "action": _("Action")}
	columns = [
		{
			"fieldname": "campaign",
			"label": labels["campaign"],
			"fieldtype": "Link",
			"options": LINKS["campaign"],
			"width": 240,
		}
	]
	# Triggers and actions are shown by their titles; their names are random.
	columns += [
		{"fieldname": f"{field}_name", "label": labels[field], "fieldtype": "Data", "width": 180}
		for field in level
		if field != "campaign"
	]
	numbers = (
		("due", _("Messages Due")),
		("sent", _("Sent", context="Lifecycle")),
		("on_its_way", _("On Its Way")),
		("waiting", _("Waiting", context="Lifecycle")),
		("skipped", _("Skipped", context="Lifecycle")),
		("failed", _("Failed", context="Lifecycle")),
		("cancelled", _("Cancelled")),
	)
	columns += [
		{"fieldname": field, "label": label, "fieldtype": "Int", "width": 130} for field, label in numbers
	]
	columns.append(
		{
			"fieldname": "sent_percent",
			"label": _("Accepted by the Server (%)"),
			"fieldtype": "Percent",
			"width": 200,
		}
	)
	return columns


def chart(by_day: Counter, first: date, last: date) -> dict:
	"""Return the stacked outcomes of a period: by day, by week when it is longer than 14 days, by month from 14 weeks, by
	year from 5 years.

	Days without a message are in it too, but of more than 5 years only those from the first message to the last: that
	much is asked for to see all there is, or by a mistyped year. A report's chart has room for so many labels and no more.
	"""
	if date_diff(last, first) >= MOST_DAYS:
		first, last = min(by_day, default=(last,))[0], max(by_day, default=(last,))[0]
	days = [date.fromordinal(day) for day in range(first.toordinal(), last.toordinal() + 1)]
	if len(days) > MOST_DAYS:
		bars = {day: str(day.year) for day in days}
	elif len(days) <= MOST_BARS:
		bars = {day: formatdate(day, "d MMM") for day in days}
	elif len(days) <= 7 * MOST_BARS:
		bars = {day: formatdate(days[7 * (ahead // 7)], "d MMM") for ahead, day in enumerate(days)}
	else:
		months = {day: formatdate(day, "MMM yyyy") for day in days if day.day == 1 or day == first}
		bars = {day: months[max(day.replace(day=1), first)] for day in days}
	return {
		"data": {"labels": list(dict.fromkeys(bars.values())), "datasets": datasets(by_day, bars)},
		"type": "bar",
		"barOptions": {"stacked": 1},
		"colors": ["#28a745", "#449cf0", "#ecd27b", "#a6b1b9", "#e24c4c", "#f2b84b"],
		"fieldtype": "Int",
	}


def datasets(by_day: Counter, bars: dict[date, str]) -> list[dict]:
	"""Return a dataset for each outcome; bars: the label of the bar that each day is in."""
	found = []
	for name, statuses in (
		(_("Sent", context="Lifecycle"), (COMPLETED,)),
		(_("On Its Way"), (PENDING, QUEUED)),
		(_("Waiting", context="Lifecycle"), (WAITING,)),
		(_("Skipped", context="Lifecycle"), (SKIPPED,)),
		(_("Failed", context="Lifecycle"), (FAILED,)),
		(_("Cancelled"), (CANCELLED,)),
	):
		values = dict.fromkeys(bars.values(), 0)
		for day, bar in bars.items():
			values[bar] += sum(by_day[day, status] for status in statuses)
		found.append({"name": name, "values": list(values.values())})
	return found


def _summary(by_action: Counter) -> list[dict]:
	totals = Counter()
	for (_action, status), count in by_action.items():
		totals[status] += count
	numbers = [
		(_("Sent", context="Lifecycle"), totals[COMPLETED], "Green"),
		(_("On Its Way"), totals[PENDING] + totals[QUEUED], "Blue"),
		(_("Skipped", context="Lifecycle"), totals[SKIPPED], "Grey"),
		(_("Failed", context="Lifecycle"), totals[FAILED], "Red"),
	]
	if totals[WAITING]:
		numbers.insert(2, (_("Waiting", context="Lifecycle"), totals[WAITING], "Yellow"))
	# Rare, and there is room for five.
	if totals[CANCELLED] and len(numbers) < 5:
		numbers.append((_("Cancelled"), totals[CANCELLED], "Orange"))
	summary = [
		{"label": label, "value": value, "datatype": "Int", "indicator": indicator if value else "Grey"}
		for label, value, indicator in numbers
	]
	# The table has no row of totals: Frappe would write the average of the percentages into it.
	percent = _sent_percent(totals)
	if percent is not None:
		summary.append(
			{
				"label": _("Accepted by the Server (%)"),
				"value": percent,
				"datatype": "Percent",
				"indicator": "Green",
			}
		)
	return summary
