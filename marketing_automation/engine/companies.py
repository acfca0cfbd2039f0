"""Companies: names in, what is asked about each out. Only reads."""

from collections.abc import Iterable

import frappe

from marketing_automation import erpnext_schema
from marketing_automation.engine import long_lists, once
from marketing_automation.engine.names import ByName

HOLIDAYS = "default_holiday_list"


def default() -> str | None:
	"""Return the company that the site takes where none is said. The queries of Frappe's defaults."""
	return frappe.defaults.get_global_default("company")


def read(names: Iterable[str]) -> ByName[dict]:
	"""Return {company: its country, the country's code, its default_holiday_list}; what ERPNext lacks is None. 1 query, none
	for those that this question has read already."""
	known = once.memory().setdefault("companies", {})
	if new := {name for name in names if name not in known}:
		company, country = frappe.qb.DocType("Company"), frappe.qb.DocType("Country")
		fields = [HOLIDAYS] if erpnext_schema.has("Company", HOLIDAYS) else []
		query = (
			frappe.qb.from_(company)
			.left_join(country)
			.on(country.name == company.country)
			.select(company.name, company.country, country.code, *[company[field] for field in fields])
			.where(long_lists.among(company.name, "companies"))
		)
		found = ByName((row.name, row) for row in long_lists.run(query, as_dict=True, companies=new))
		known |= {name: found.get(name) for name in new}
	return ByName((name, row) for name, row in known.items() if row)
