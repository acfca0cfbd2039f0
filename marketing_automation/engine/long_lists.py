"""Queries about thousands of names at once."""

import frappe
from pypika import Parameter
from pypika.terms import Criterion, Field


def among(field: Field, name: str) -> Criterion:
	"""Return the condition that a field is in the list that `run` is given under `name`."""
	return field.isin(Parameter(f"%({name})s"))


def matching(field: Field, name: str) -> Criterion:
	"""Return the condition that a field matches the pattern that `run` is given under `name`."""
	return field.regexp(Parameter(f"%({name})s"))


# Of a list of more than 200, MariaDB takes an index's average for what it will find, and an empty field for a name like any
# other: where most are empty, every name seems to have half the table, and it is read whole. So each name is looked up in
# the index first.
LOOK_UP = "set statement eq_range_index_dive_limit = 0 for "


def run(query, as_dict: bool = False, sparse: bool = False, **given) -> tuple | list[dict]:
	"""Return the rows of a query with lists, none of them empty, for its `among`, and patterns for its `matching`.

	sparse: one of those fields is empty in most rows, and has an index.
	The query builder, and get_all, would take longer over the lists than the database over all the rest.
	"""
	values = {name: value if isinstance(value, str) else tuple(value) for name, value in given.items()}
	text = LOOK_UP + query.get_sql() if sparse else query.get_sql()
	return frappe.db.sql(text, values, as_dict=as_dict)
