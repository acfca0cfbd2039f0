"""The contract of holds: reasons of the business to let a customer be for now, such as an open Issue or an unpaid invoice.

Holds are named in the hook `lifecycle_holds` (of this app or any other): {key: dotted path of an object that keeps
`Hold`}. A site switches on in the settings those that it wants; the key is stored there. `checks/holds.py` asks them.
"""

from datetime import date
from typing import NamedTuple, Protocol, runtime_checkable

import frappe
from frappe import _
from frappe.utils import cint

from marketing_automation import erpnext_schema
from marketing_automation.engine.settings import SETTINGS

# The child table of the settings: which holds are on.
SWITCHES = "Lifecycle Hold"
SEND = "Send"
SKIP = "Skip"


class Held(NamedTuple):
	"""What a hold is asked about: whether this customer, or what the message offers them, had better wait."""

	customer: str
	item_code: str | None
	company: str | None
	reference_doctype: str
	reference_name: str


@runtime_checkable
class Hold(Protocol):
	"""One reason of the business to wait."""

	# What the settings call it, translated.
	label: str
	# What it reads: {DocType: the fields of it}. Where a site lacks any, the hold is not offered, and not asked.
	needs: dict[str, tuple[str, ...]]
	# The number of days that it takes unless another one is set; None where it takes none.
	days: int | None

	def held(self, asked: list[Held], days: int, today: date) -> dict[int, tuple[str, str]]:
		"""Return {index in `asked`: (DocType, name) of the document that holds the message back}.

		days: the number that is set, 0 where the hold takes none. today: the day that is asked about, in the site's time zone.
		Reads only, in at most 2 queries, however many are asked about.
		"""


class Switch(NamedTuple):
	"""A hold that is on, with its number of days."""

	key: str
	hold: Hold
	days: int


def all_holds() -> dict[str, Hold]:
	"""Return {key: hold} of every installed app, in the order of the apps; where two have a key, the last one."""
	return {
		key: frappe.get_attr(paths if isinstance(paths, str) else paths[-1])
		for key, paths in frappe.get_hooks("lifecycle_holds", {}).items()
	}


def is_there(hold: Hold) -> bool:
	"""Say whether this site has all that a hold reads. No query beside those of the metas."""
	return all(
		erpnext_schema.has(doctype) and all(erpnext_schema.has(doctype, field) for field in fields)
		for doctype, fields in hold.needs.items()
	)


def offered() -> dict[str, Hold]:
	"""Return {key: hold} of those that this site can switch on."""
	return {key: hold for key, hold in all_holds().items() if is_there(hold)}


def switched_on() -> list[Switch]:
	"""Return the holds that are on and can be asked, in the order of the settings. 1 query.

	One whose app is gone, or whose DocType the site has lost, holds nothing back any more: `lost` names it.
	"""
	there = offered()
	return [Switch(row.hold, there[row.hold], cint(row.days)) for row in _rows() if row.hold in there]


def lost() -> list[str]:
	"""Return the keys of those that are on and cannot be asked. 1 query."""
	there = offered()
	return [row.hold for row in _rows() if row.hold not in there]


def _rows() -> list[dict]:
	return frappe.get_all(
		SWITCHES,
		filters={"parenttype": SETTINGS, "parentfield": "holds"},
		fields=["hold", "days"],
		order_by="idx asc",
	)


def validate(rows: list) -> None:
	"""Throw when a row of the settings (`hold`, `days`) names no hold of this site, or one twice; fill in its days."""
	there, seen = offered(), set()
	for row in rows:
		hold = there.get(row.hold)
		if not hold:
			frappe.throw(
				_(
					"Row {0}: this site has no hold {1}. Choose another one, or remove the row. Perhaps an app was removed, or ERPNext lacks the document."
				).format(row.idx, frappe.bold(frappe.utils.escape_html(_(row.hold or "")))),
				title=_("Unknown Hold"),
			)
		if row.hold in seen:
			frappe.throw(
				_("Row {0}: the hold {1} is on already. Remove one of the two rows.").format(
					row.idx, frappe.bold(hold.label)
				),
				title=_("Twice The Same"),
			)
		seen.add(row.hold)
		if hold.days is None:
			row.days = 0
		elif row.days is None:
			row.days = hold.days
		elif not 0 <= cint(row.days) <= 3650:
			frappe.throw(
				_("Row {0}: the days must be between {1} and {2}.").format(row.idx, 0, 3650),
				title=_("Value Out Of Range"),
			)
