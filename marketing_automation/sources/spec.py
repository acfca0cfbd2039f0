"""What is read of a DocType: a Spec, its columns, and the conditions that rows are judged by. Reads nothing itself."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import frappe
from frappe import _
from frappe.utils import flt
from pypika import Criterion

CUSTOMER = "Customer"
# What every row that is read has under these names, whatever its DocType calls them.
OWNER, COMPANY, ITEM, OCCURRENCE = "customer", "company", "item_code", "occurrence"
# The name of the row that has the date, where that is not the document.
ROW_KEY = "row_key"
DATES = ("Date", "Datetime")
# (field, operator, value); the operators are those of OPERATORS.
Condition = tuple[str, str, object]
OPERATORS: dict[str, Callable] = {
	"=": lambda value, wanted: value == wanted,
	"!=": lambda value, wanted: value != wanted,
	">": lambda value, wanted: flt(value) > wanted,
	"<": lambda value, wanted: flt(value) < wanted,
	"not in": lambda value, wanted: value not in wanted,
}


@dataclass(frozen=True)
class Spec:
	"""What is read of a DocType.

	title: what a marketer calls it, such as "When a quotation runs out". timing: the words of Before, On and After.
	date_fields: those that can be chosen; empty: every Date and Datetime of the DocType. customer: the path to the
	customer, a field, or several with points between them. company, item: fields, or None. lines: the child table whose
	items an item group is looked for in. child: the child table that has the dates, where the DocType itself has none;
	of_child: the fields that are that table's. always: conditions on every row. open: conditions that a filter on the
	same field takes the place of; ahead: the same, before the date and on it. variables: what templates have besides the
	name, the dates and the item: (field, label or None for its own, example, kind). reckoned: fields of the document that
	are not read as they stand: (field, function of the table that returns a term). yearly: whether a date can come each year again.
	is_sale: whether one of a customer shows that they have bought something, see `Source.is_sale`;
	sold_on: its field that says when, None where it is one for as long as it runs.
	"""

	doctype: str
	title: Callable[[], str]
	timing: Callable[[], tuple[str, str, str]]
	date_fields: tuple[str, ...] = ()
	customer: str = "customer"
	company: str | None = "company"
	item: str | None = None
	lines: str | None = None
	child: str | None = None
	of_child: tuple[str, ...] = ()
	always: tuple[Condition, ...] = ()
	open: tuple[Condition, ...] = ()
	ahead: tuple[Condition, ...] = ()
	variables: Callable[[], tuple[tuple, ...]] = tuple
	reckoned: tuple[tuple[str, Callable], ...] = ()
	yearly: bool = False
	is_sale: bool = False
	sold_on: str | None = None

	@property
	def reference(self) -> str:
		"""What templates call the name of the document."""
		return frappe.scrub(self.doctype)

	@property
	def dated(self) -> str:
		"""The DocType that has the dates."""
		return self.child or self.doctype

	@property
	def hops(self) -> list[str]:
		return self.customer.split(".")

	@property
	def columns(self) -> dict[str, str]:
		"""Return {what a row calls it: field}, of those fields that there are."""
		found = {COMPANY: self.company, ITEM: self.item, OWNER: self.hops[0]}
		return {alias: field for alias, field in found.items() if field}


class Columns:
	"""The columns of a Spec's tables by their fields."""

	def __init__(self, spec: Spec):
		self.document = frappe.qb.DocType(spec.doctype)
		self.dated = frappe.qb.DocType(spec.child) if spec.child else self.document
		self.of_child = spec.of_child
		self.reckoned = dict(spec.reckoned)
		self.key = self.dated.name

	def __getitem__(self, field: str):
		if field in self.reckoned:
			return self.reckoned[field](self.document)
		return self.dated[field] if field in self.of_child else self.document[field]


def in_sql(column, condition: Condition) -> Criterion:
	_field, operator, value = condition
	if operator == "=":
		return column == value
	if operator == "!=":
		return column.isnull() | (column != value)
	if operator == ">":
		return column > value
	if operator == "<":
		return column.isnull() | (column < value)
	return column.isnull() | column.notin(value)


def labelled(fields: list) -> list[dict]:
	"""Return fields (DocFields) to choose from: [{"value", "label"}], with the name where two have the same label."""
	uses = Counter(_(df.label) for df in fields)
	return [
		{
			"value": df.fieldname,
			"label": _(df.label) if uses[_(df.label)] == 1 else f"{_(df.label)} ({df.fieldname})",
		}
		for df in fields
	]
