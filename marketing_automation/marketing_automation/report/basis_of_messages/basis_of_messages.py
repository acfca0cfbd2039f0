"""Basis of Messages: a period in, what was sent to customers in it out, each with by what right and the document that shows it.

For an audit. What the ledger has kept counts: what a campaign or a country profile says today may be something else.
"""

from collections import Counter
from datetime import date

import frappe
from frappe import _
from pypika import Order
from pypika.functions import IfNull

from marketing_automation.days import asked
from marketing_automation.desk import countries
from marketing_automation.engine import ledger, overlap
from marketing_automation.engine.model import COMPLETED, FAILED, QUEUED, Basis, Reason
from marketing_automation.engine.schedule import shifted
from marketing_automation.engine.visibility import Visibility

DEFAULT_DAYS = 30
MOST_ROWS = 5000


def execute(filters: dict | None = None):
	"""Return columns, rows, a message, no chart, and how many messages have which basis. 3 queries."""
	filters = frappe._dict(filters or {})
	last = asked(filters.to_date)
	first = asked(filters.from_date or shifted(last, -DEFAULT_DAYS) or date.min)
	if last < first:
		frappe.throw(_("The period ends before it starts. Choose another To Date."))
	rows = _rows(filters, first, last)
	message = countries.disclaimer()
	if len(rows) >= MOST_ROWS:
		message = _("There are more: only the first {0} are shown. Choose a shorter period.").format(
			MOST_ROWS
		)
	elif not rows:
		message = _("Nothing was sent to a customer in this period. Choose another one.")
	return _columns(), rows, message, None, _summary(rows)


def _rows(filters: dict, first: date, last: date) -> list[dict]:
	"""Return what has left, or may have, the newest first. 2 queries."""
	if filters.campaign:
		frappe.get_doc("Lifecycle Campaign", filters.campaign).check_permission("read")
		campaigns = [filters.campaign]
	else:
		campaigns = frappe.get_list("Lifecycle Campaign", pluck="name", order_by="name asc")
	if not campaigns:
		return []
	log = frappe.qb.DocType(ledger.DOCTYPE)
	may_have_left = log.status.isin([QUEUED, COMPLETED]) | (
		(log.status == FAILED) & (log.reason == Reason.OUTCOME_UNKNOWN)
	)
	query = (
		frappe.qb.from_(log)
		.select(
			log.due_on,
			log.executed_at,
			log.campaign,
			log.customer,
			log.recipient,
			log.basis,
			log.evidence_doctype,
			log.evidence_name,
			log.reference_doctype,
			log.reference_name,
			log.status,
			log.name,
		)
		.where((log.due_on >= first) & (log.due_on <= last))
		.where(log.campaign.isin(campaigns) & log.channel.isin(sorted(overlap.reaching())))
		.where(may_have_left)
		.orderby(log.due_on, order=Order.desc)
		.orderby(log.name, order=Order.desc)
		.limit(MOST_ROWS)
	)
	if filters.customer:
		query = query.where(log.customer == filters.customer)
	if filters.only_without:
		query = query.where(IfNull(log.basis, "") == "")
	rows = Visibility().restrict_ledger(query, log).run(as_dict=True)
	words = said()
	for row in rows:
		row.right = words.get(row.basis) or _("None")
		row.sent_on = row.executed_at or row.due_on
	return rows


def said() -> dict[str, str]:
	"""Return what a reader reads of each basis."""
	return {
		Basis.EXISTING_CUSTOMER: _("Existing customer"),
		Basis.OPT_IN: _("Opt-in"),
		Basis.SERVICE: _("Service", context="Lifecycle Campaign"),
	}


def _columns() -> list[dict]:
	# Without `align` a column whose first row is empty is taken for numbers.
	return [
		{
			"fieldname": fieldname,
			"label": label,
			"fieldtype": fieldtype,
			"options": options,
			"width": width,
			"align": "left",
		}
		for fieldname, label, fieldtype, options, width in (
			("sent_on", _("Date"), "Date", None, 110),
			("customer", _("Customer"), "Link", "Customer", 160),
			("recipient", _("E-mail"), "Data", None, 190),
			("campaign", _("Campaign"), "Link", "Lifecycle Campaign", 180),
			("right", _("By What Right"), "Data", None, 150),
			("evidence_doctype", _("Document Type"), "Data", None, 130),
			("evidence_name", _("Evidence"), "Dynamic Link", "evidence_doctype", 170),
			("name", _("Message"), "Link", ledger.DOCTYPE, 170),
		)
	]


def _summary(rows: list[dict]) -> list[dict]:
	counts = Counter(row.basis or None for row in rows)
	return [
		{
			"label": label,
			"value": counts[basis],
			"datatype": "Int",
			"indicator": color if counts[basis] else "Grey",
		}
		for basis, label, color in (
			*[(basis, label, "Green") for basis, label in said().items()],
			(None, _("Without a Basis"), "Red"),
		)
	]
