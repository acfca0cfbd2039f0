"""What the session's user may see of serial numbers and of the ledger, by their user permissions. Only reads.

Frappe applies user permissions to lists of documents by itself. What is planned, counted or grouped is no list of
documents, so it passes here.
"""

from collections.abc import Iterable

import frappe
from frappe.permissions import get_allowed_docs_for_doctype, get_user_permissions
from frappe.utils import cint
from pypika import Criterion

from marketing_automation.engine.ledger import DOCTYPE
from marketing_automation.engine.names import same

# The fields by which a user can be restricted: named the same on an event and in the ledger, and on Serial No, where it
# has them.
FIELDS = {"company": "Company", "customer": "Customer", "item_code": "Item"}
# No campaign is for some of these only.
UNDIVIDED = {"customer", "item_code"}
# What a row is, and what it is about most often: whoever is bound in one of them is bound where a campaign as a whole is asked about.
SHOWN = (DOCTYPE, "Serial No")


def readable_levels(doctype: str, user: str | None = None) -> set[int]:
	"""Return the permission levels of a DocType that a user, or the session's, may read by their roles. No query."""
	roles = {*frappe.get_roles(user)}
	return {
		cint(permission.permlevel)
		for permission in frappe.get_meta(doctype).permissions
		if permission.read and not permission.get("if_owner") and permission.role in roles
	}


def may_read_all(doctype: str, user: str | None = None) -> bool:
	"""Say whether a user, or the session's, may read the documents of a DocType by their roles, whoever owns them. No query.

	To frappe.has_permission one document that was shared, or is their own, is enough, which says nothing about the others.
	"""
	return (user or frappe.session.user) == "Administrator" or 0 in readable_levels(doctype, user)


class Visibility:
	"""The restrictions of one user, read once.

	doctypes: those that what is looked at belongs to. `allowed` has the names by field, for fields with restrictions.
	A row is asked about by `about`, which knows what binds the user where rows are about one DocType.
	"""

	def __init__(self, user: str | None = None, doctypes: tuple[str, ...] = SHOWN):
		self._user = user or frappe.session.user
		self._about: dict[str | None, Visibility] = {}
		permissions = get_user_permissions(self._user)
		# The DocTypes for which alone some of them are.
		self.alone = {
			permission.get("applicable_for")
			for doctype in FIELDS.values()
			for permission in permissions.get(doctype, [])
		} - {None, "", DOCTYPE}
		self.allowed = {}
		for field, doctype in FIELDS.items():
			# A user permission can be for some DocTypes only: who is bound in one of those that a row shows is bound here.
			bound = [
				set(names)
				for shown in doctypes
				if (names := get_allowed_docs_for_doctype(permissions.get(doctype, []), shown))
			]
			if bound:
				self.allowed[field] = set.intersection(*bound)
		self.strict = bool(self.allowed) and bool(frappe.get_system_settings("apply_strict_user_permissions"))

	def about(self, doctype: str | None) -> "Visibility":
		"""Return the restrictions where rows are about a DocType: those for the ledger, and those for that DocType. No query."""
		doctype = doctype if doctype in self.alone else None
		if doctype not in self._about:
			self._about[doctype] = Visibility(self._user, (DOCTYPE, doctype) if doctype else (DOCTYPE,))
		return self._about[doctype]

	def sees(self, **values: str | None) -> bool:
		"""Say whether a row with these values (company, customer, item_code; those that it has) may be seen."""
		return all(
			self._is_allowed(field, value) if value else not self.strict
			for field, value in values.items()
			if field in self.allowed
		)

	@property
	def reaches_all(self) -> bool:
		"""Whether the user sees all customers and items, to whom and about which every campaign writes."""
		return not UNDIVIDED & set(self.allowed)

	def _is_allowed(self, field: str, value: str) -> bool:
		# Nearly always they are written alike.
		return value in self.allowed[field] or any(same(value, name) for name in self.allowed[field])

	def restrict(self, query, table, fields: Iterable[str] | dict = tuple(FIELDS)):
		"""Return a query (frappe.qb) of `table` with the conditions that leave out what may not be seen.

		fields: those of FIELDS that the table has, or {field: its column} where it calls them otherwise.
		"""
		for condition in self._conditions(table, fields):
			query = query.where(condition)
		return query

	def restrict_ledger(self, query, log):
		"""Return a query (frappe.qb) of the ledger with the conditions that leave out what may not be seen, each row by what it
		is about."""
		for condition in self.of_ledger(log):
			query = query.where(condition)
		return query

	def of_ledger(self, log) -> list[Criterion]:
		"""Return the conditions of `restrict_ledger`."""
		found = self.about(None)._conditions(log, tuple(FIELDS))
		for doctype in sorted(self.alone):
			if own := self.about(doctype)._conditions(log, tuple(FIELDS)):
				found.append((log.reference_doctype != doctype) | Criterion.all(own))
		return found

	def _conditions(self, table, fields: Iterable[str] | dict) -> list[Criterion]:
		found = []
		for field in fields:
			if field in self.allowed:
				column = fields[field] if isinstance(fields, dict) else table[field]
				condition = column.isin(sorted(self.allowed[field]) or [""])
				if not self.strict:
					condition = condition | column.isnull() | (column == "")
				found.append(condition)
		return found
