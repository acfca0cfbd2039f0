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


def run(query, as_dict: bool = False, **given) -> tuple | list[dict]:
	"""Return the rows of a query with lists, none of them empty, for its `among`, and patterns for its `matching`.

	The query builder, and get_all, would take longer over the lists than the database over all the rest.
	"""
	values = {name: value if isinstance(value, str) else tuple(value) for name, value in given.items()}
	return frappe.db.sql(query.get_sql(), values, as_dict=as_dict)
