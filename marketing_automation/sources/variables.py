"""What templates can say of a document: its variables and their values. Only reads."""

from collections import defaultdict

import frappe
from frappe import _
from frappe.utils import fmt_money, getdate

from marketing_automation import erpnext_schema
from marketing_automation.engine import long_lists
from marketing_automation.engine.items import item_names
from marketing_automation.engine.model import DueEvent, Rule
from marketing_automation.engine.names import ByName
from marketing_automation.engine.schedule import AFTER
from marketing_automation.engine.source import COMMON, Variable
from marketing_automation.sources.of_spec import OfSpec
from marketing_automation.sources.spec import DATES, Columns, Spec


class Worded(OfSpec):
	"""The words of templates, from the fields of a Spec."""

	def describe(self, trigger) -> list[Variable]:
		"""Return the variables of templates, the most telling first."""
		of_all = Variable("date", _("The date that the message is about"), None, "date")
		if not erpnext_schema.has(self.reference_doctype(trigger) or ""):
			# The trigger is broken, and says so itself.
			return [of_all]
		spec = self.spec_of(trigger)
		found = [Variable(spec.reference, _(spec.doctype), f"{spec.doctype.upper().replace(' ', '-')}-0001")]
		for df in self.dates_said(spec, trigger):
			found.append(Variable(df.fieldname, _(df.label), None, "date"))
		found.append(of_all)
		if spec.item:
			found += [
				Variable("item_name", _("Item Name", context="Lifecycle"), "Pin"),
				Variable("item_code", _("Item Code", context="Lifecycle"), "PIN"),
			]
		if spec.yearly:
			found.append(Variable("years", _("How many years ago the date was"), 5, "number"))
		found += [
			Variable(name, label or _(frappe.get_meta(spec.doctype).get_label(name)), example, kind)
			for name, label, example, kind in self.variables_of(spec)
		]
		names = set(COMMON)
		return [v for v in found if not (v.name in names or names.add(v.name))]

	def dates_said(self, spec: Spec, trigger) -> list:
		"""Return the DocFields of the dates that templates can say: those that everybody who reads the DocType may read, and
		the trigger's own."""
		return [
			df
			for df in self.date_fields(spec)
			if not df.permlevel or df.fieldname == trigger.get("date_field")
		]

	def values(self, events: list[DueEvent]) -> list[dict]:
		"""Return the values of each event's variables, in the same order. For each DocType 1 query, and 1 of Item."""
		found: list[dict] = [{}] * len(events)
		by_spec = defaultdict(list)
		for index, event in enumerate(events):
			by_spec[self.spec_of(event.rule.trigger)].append(index)
		items = item_names({event.item_code for event in events if event.item_code})
		for spec, indexes in by_spec.items():
			rows = self._values_of_rows(spec, {events[index].reference_name for index in indexes})
			for index in indexes:
				event = events[index]
				row = rows.get(event.reference_name) or {}
				trigger = event.rule.trigger
				dates = {
					df.fieldname: row.get(df.fieldname)
					for df in self.dates_said(spec, trigger)
					if not spec.child
				}
				name = {} if spec.reference in COMMON else {spec.reference: event.reference_name}
				made = {
					**name,
					**{name: getdate(value) if value else None for name, value in dates.items()},
					**{given[0]: self.value_of(spec, given, row) for given in self.variables_of(spec)},
					"date": event.occurrence,
					trigger.date_field: event.occurrence,
				}
				if spec.item:
					made["item_code"] = event.item_code
					made["item_name"] = items.get(event.item_code) or event.item_code
				if spec.yearly:
					base = dates.get(trigger.date_field)
					made["years"] = (
						event.occurrence.year - getdate(base).year if base and event.occurrence else 0
					)
				found[index] = made
		return found

	def _values_of_rows(self, spec: Spec, names: set[str]) -> ByName:
		"""Return {name: the fields that variables are made of}. 1 query, none where there are none; 1 more where some are
		reckoned."""
		meta = frappe.get_meta(spec.doctype)
		fields = {df.fieldname for df in self.date_fields(spec)} | {
			given[0] for given in self.variables_of(spec)
		}
		fields |= {
			_currency_path(df)[1]
			for df in map(meta.get_field, fields)
			if df and df.fieldtype == "Currency" and _currency_path(df)[1]
		}
		fields = [field for field in sorted(fields) if meta.has_field(field)]
		if not fields:
			return ByName()
		rows = frappe.get_all(
			spec.doctype,
			filters={"name": ["in", sorted(names)]},
			fields=["name", *fields],
			order_by="name asc",
		)
		self._reckon(spec, rows, [field for field, _term in spec.reckoned if field in fields])
		return ByName((row.name, row) for row in rows)

	def _reckon(self, spec: Spec, rows: list[dict], fields: list[str]) -> None:
		"""Put the reckoned values of these fields into rows. 1 query, none where there are none."""
		if not rows or not fields:
			return
		tables = Columns(spec)
		query = (
			frappe.qb.from_(tables.document)
			.select(tables.document.name, *[tables[field].as_(field) for field in fields])
			.where(long_lists.among(tables.document.name, "names"))
		)
		found = long_lists.run(query, as_dict=True, names={row.name for row in rows})
		reckoned = {row.name: row for row in found}
		for row in rows:
			row.update(reckoned.get(row.name) or {})

	def value_of(self, spec: Spec, given: tuple, row: dict):
		"""Return the value of a variable of a Spec: an amount as it is written with its currency."""
		name = given[0]
		df = frappe.get_meta(spec.doctype).get_field(name)
		value = row.get(name)
		if df and df.fieldtype == "Currency" and value is not None:
			return fmt_money(value, currency=currency_of(df, row))
		if df and df.fieldtype in DATES:
			return getdate(value) if value else None
		return value

	def variables_of(self, spec: Spec) -> tuple[tuple, ...]:
		"""Return (field, label, example, kind) of the variables besides the name, the dates and the item."""
		return spec.variables()

	def wanted(self, rule: Rule) -> str:
		"""Say which references a rule takes."""
		spec = self.spec_of(rule.trigger)
		df = self.field(spec, rule.trigger.date_field)
		wanted = [_("a date in {0}").format(_(df.label) if df else rule.trigger.date_field)]
		if spec.open or (spec.ahead and rule.trigger.trigger_type != AFTER):
			wanted.append(_("that it is open"))
		if frappe.get_meta(spec.doctype).is_submittable:
			wanted.append(_("that it is submitted"))
		if rule.campaign.company and spec.company:
			wanted.append(_("the company {0}").format(rule.campaign.company))
		if rule.trigger.item_group and (spec.item or spec.lines):
			wanted.append(_("an item of {0}").format(rule.trigger.item_group))
		if rule.trigger.filters and rule.trigger.filters != "[]":
			wanted.append(_("what its filters ask for"))
		return ", ".join(wanted)


def currency_of(df, row: dict) -> str | None:
	"""Return the currency of an amount as the Desk finds it: where its field says, else the site's own.

	What is open of an invoice in another currency is kept in that of the customer's account. No query, but for a document
	that Frappe has not in its cache yet.
	"""
	doctype, link, field = _currency_path(df)
	currency = row.get(link)
	if doctype and currency:
		currency = frappe.get_cached_value(doctype, currency, field)
	return currency or frappe.defaults.get_global_default("currency")


def _currency_path(df) -> tuple[str | None, str, str | None]:
	"""Return (DocType, link, field) of an amount's options, such as Company:company:default_currency; of those that name
	a field of the same document (None, field, None)."""
	parts = (df.options or "").split(":")
	return tuple(parts) if len(parts) == 3 else (None, parts[0], None)
