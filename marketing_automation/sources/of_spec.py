"""What a source of a Spec is about, and what of it the session's user may choose. Only reads."""

from collections import defaultdict
from datetime import date

import frappe

from marketing_automation import erpnext_schema
from marketing_automation.engine.model import DueEvent
from marketing_automation.engine.names import ByName
from marketing_automation.engine.schedule import AFTER, BEFORE, ON
from marketing_automation.engine.source import Source
from marketing_automation.engine.visibility import readable_levels
from marketing_automation.sources.spec import DATES, Spec, labelled


class OfSpec(Source):
	"""The source of one Spec, or, where `spec_of` says so, of one for each trigger."""

	def __init__(self, spec: Spec | None):
		self.spec = spec

	def spec_of(self, trigger) -> Spec:
		"""Return the Spec of a trigger."""
		return self.spec

	def is_there(self) -> bool:
		"""Say whether this ERPNext has what the source reads."""
		spec = self.spec
		return all(erpnext_schema.has(doctype) for doctype in (spec.doctype, spec.dated)) and bool(
			self.date_fields(spec)
		)

	def title(self) -> str:
		return self.spec.title()

	def timing(self, trigger) -> dict[str, str]:
		return dict(zip((BEFORE, ON, AFTER), self.spec_of(trigger).timing(), strict=True))

	def reference_doctype(self, trigger) -> str:
		return self.spec_of(trigger).doctype

	def reference_doctypes(self) -> list[str]:
		return [self.spec.doctype]

	def is_sale(self, event: DueEvent) -> bool:
		return self.spec_of(event.rule.trigger).is_sale

	def sold_on(self, events: list[DueEvent]) -> list[date | None]:
		"""See `Source.sold_on`. 1 query for each Spec that says when."""
		by_spec = defaultdict(set)
		for event in events:
			by_spec[self.spec_of(event.rule.trigger)].add(event.reference_name)
		days = {
			spec: ByName(
				frappe.get_all(
					spec.doctype,
					filters={"name": ["in", sorted(names)]},
					fields=["name", spec.sold_on],
					order_by="name asc",
					as_list=True,
				)
			)
			for spec, names in by_spec.items()
			if spec.sold_on
		}
		return [
			days[spec].get(event.reference_name) if spec.sold_on else event.occurrence
			for event in events
			for spec in [self.spec_of(event.rule.trigger)]
		]

	def date_fields(self, spec: Spec) -> list:
		"""Return the DocFields of the dates that triggers can go by, the site's own included where the Spec names none."""
		fields = [df for df in frappe.get_meta(spec.dated).fields if df.fieldtype in DATES]
		if not spec.date_fields:
			return fields
		return [df for df in fields if df.fieldname in spec.date_fields]

	def readable_date_fields(self, trigger=None) -> list:
		"""Return those of `date_fields` that the session's user may read. No query."""
		spec = self.spec_of(trigger)
		fields = self.date_fields(spec)
		closed = self.unreadable({df.fieldname for df in fields}, trigger)
		return [df for df in fields if df.fieldname not in closed]

	def offers(self, trigger=None) -> dict:
		spec = self.spec_of(trigger)
		return {
			"doctype": spec.doctype,
			"timing": self.timing(trigger),
			"date_fields": labelled(self.readable_date_fields(trigger)) if self.is_there() else [],
			"yearly": spec.yearly,
			"has_item": bool(spec.item or spec.lines),
			"customer_fields": [],
		}

	def shown(self, spec: Spec) -> set[str]:
		"""Return the fields that previews show to every marketer, whatever else they may read of the DocType."""
		fixed = {field for field, _operator, _value in (*spec.always, *spec.open, *spec.ahead)}
		return {"name", *spec.columns.values(), *fixed}

	def unreadable(self, fields: set[str], trigger=None) -> set[str]:
		"""Return those of the fields that the session's user may not read, by the permission levels of their roles.

		`shown` and the dates need no role in ERPNext as long as they are at level 0: they are in every preview. No query.
		"""
		if frappe.session.user == "Administrator":
			return set()
		spec = self.spec_of(trigger)
		levels = readable_levels(spec.doctype)
		closed = set()
		for name in fields:
			df = self.field(spec, name)
			level = df.permlevel if df else 0
			is_shown = not level and (name in self.shown(spec) or (df and df.fieldtype in DATES))
			if not (is_shown or level in levels) or (df and df.fieldtype == "Password"):
				closed.add(name)
		return closed

	def field(self, spec: Spec, name: str):
		return frappe.get_meta(spec.doctype).get_field(name) or frappe.get_meta(spec.dated).get_field(name)
